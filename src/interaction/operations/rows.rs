//! The rows of the table for HL7's operations that work on records. <https://hl7.org/fhir/R4/operationslist.html>

use super::{At, Call, Needs, Operation, OperationParameter, call, input, output};
use crate::fhir::definitions::ResourceType;
use crate::interaction::request::Method::{Get, Post};

const BUNDLE: &[(u16, ResourceType)] = &[(200, ResourceType::BUNDLE)];
const OUTCOME: &[(u16, ResourceType)] = &[(200, ResourceType::OPERATION_OUTCOME)];
const PARAMETERS: &[(u16, ResourceType)] = &[(200, ResourceType::PARAMETERS)];

const fn many(parameter: OperationParameter) -> OperationParameter {
    OperationParameter { max: "*", ..parameter }
}

const fn needed(parameter: OperationParameter) -> OperationParameter {
    OperationParameter { min: 1, ..parameter }
}

/// By GET and by POST.
const fn both(at: At, answers: &'static [(u16, ResourceType)]) -> [Call; 2] {
    [call(at, Get, answers), call(at, Post, answers)]
}

const SINCE: OperationParameter = input("_since", "instant", "Only what was last updated then or later.");
const TYPE: OperationParameter = many(input("_type", "code", "Only these resource types, with commas between them."));
const COUNT: OperationParameter = input("_count", "integer", "Resources of the record on one page, at most.");
const RETURN_BUNDLE: OperationParameter = needed(output(
    "return",
    "Bundle",
    "A searchset: the record's resources as \
    matches, the shared ones as included.",
));
const META_RETURN: OperationParameter = needed(output("return", "Meta", "The meta of the resource."));

pub const EVERYTHING_OF_ENCOUNTER: Operation = Operation {
    code: "everything",
    name: "EncounterEverything",
    title: "What belongs to an encounter",
    description: "The encounter, what its patient's record holds of it, and the resources that these refer to: in pages, \
        and nothing of another patient.",
    canonical: Some("http://hl7.org/fhir/OperationDefinition/Encounter-everything"),
    affects_state: false,
    calls: &both(At::Instance, BUNDLE),
    types: &[ResourceType::ENCOUNTER],
    parameters: &[SINCE, TYPE, COUNT, RETURN_BUNDLE],
    needs: Needs::Nothing,
};

pub const EVERYTHING_OF_PATIENT: Operation = Operation {
    code: "everything",
    name: "PatientEverything",
    title: "A patient's record",
    description: "All that is about the patient, and the shared resources that it refers to, such as practitioners and \
        medications: in pages, and nothing of another patient. Without an id it is the record of the patient who asks, or \
        whom the client was opened for.",
    canonical: Some("http://hl7.org/fhir/OperationDefinition/Patient-everything"),
    affects_state: false,
    calls: &[
        call(At::Type, Get, BUNDLE),
        call(At::Type, Post, BUNDLE),
        call(At::Instance, Get, BUNDLE),
        call(At::Instance, Post, BUNDLE),
    ],
    types: &[ResourceType::PATIENT],
    parameters: &[
        input("start", "date", "Only care from then on. What has no date of its own is there whatever the date."),
        input("end", "date", "Only care up to then."),
        SINCE,
        TYPE,
        COUNT,
        RETURN_BUNDLE,
    ],
    needs: Needs::Nothing,
};

pub const META: Operation = Operation {
    code: "meta",
    name: "Meta",
    title: "Profiles, tags and security labels of a resource",
    description: "The meta of a resource or of one of its versions, as reading it shows.",
    canonical: Some("http://hl7.org/fhir/OperationDefinition/Resource-meta"),
    affects_state: false,
    calls: &[
        call(At::Instance, Get, PARAMETERS),
        call(At::Instance, Post, PARAMETERS),
        call(At::Version, Get, PARAMETERS),
        call(At::Version, Post, PARAMETERS),
    ],
    types: &[],
    parameters: &[META_RETURN],
    needs: Needs::Nothing,
};

pub const META_ADD: Operation = Operation {
    code: "meta-add",
    name: "MetaAdd",
    title: "Adds profiles, tags and security labels to a resource",
    description: "Adds profiles, tags and security labels. They are sets; of a label system and code count. What changes \
        something makes a new version.",
    canonical: Some("http://hl7.org/fhir/OperationDefinition/Resource-meta-add"),
    affects_state: true,
    calls: &[call(At::Instance, Post, PARAMETERS)],
    types: &[],
    parameters: &[needed(input("meta", "Meta", "What is added.")), META_RETURN],
    needs: Needs::Nothing,
};

pub const META_DELETE: Operation = Operation {
    code: "meta-delete",
    name: "MetaDelete",
    title: "Takes profiles, tags and security labels from a resource",
    description: "Takes profiles, tags and security labels away, those that are there. What changes something makes a new \
        version.",
    canonical: Some("http://hl7.org/fhir/OperationDefinition/Resource-meta-delete"),
    affects_state: true,
    calls: &[call(At::Instance, Post, PARAMETERS)],
    types: &[],
    parameters: &[needed(input("meta", "Meta", "What is taken away.")), META_RETURN],
    needs: Needs::Nothing,
};

pub const VERSIONS: Operation = Operation {
    code: "versions",
    name: "Versions",
    title: "The versions of FHIR that are spoken here",
    description: "Which versions of FHIR are spoken here, and which one without a fhirVersion parameter.",
    canonical: Some("http://hl7.org/fhir/OperationDefinition/CapabilityStatement-versions"),
    affects_state: false,
    calls: &both(At::System, PARAMETERS),
    types: &[],
    parameters: &[
        many(needed(output("version", "code", "A version, such as 4.0."))),
        needed(output("default", "code", "The version that is taken where none is asked for.")),
    ],
    needs: Needs::Nothing,
};

pub const LASTN: Operation = Operation {
    code: "lastn",
    name: "Lastn",
    title: "The newest Observations of each code",
    description: "The newest Observations of each code, by any parameters of a search; who they are about and a category or \
        a code must be among these. Those as new as the last one are there, too.",
    canonical: Some("http://hl7.org/fhir/OperationDefinition/Observation-lastn"),
    affects_state: false,
    calls: &both(At::Type, BUNDLE),
    types: &[ResourceType::OBSERVATION],
    parameters: &[
        input("max", "positiveInt", "Observations of each code; 1 where it is not said."),
        needed(output("return", "Bundle", "A searchset of Observations, newest first.")),
    ],
    needs: Needs::Nothing,
};

pub const STATS: Operation = Operation {
    code: "stats",
    name: "Stats",
    title: "Statistics of what was measured",
    description: "Statistics of Observations with a quantity in a unit of UCUM, converted into the unit of the newest. \
        Percentiles lie on the line between two measurements; the variance is that of a sample; kurtosis is 3 for a normal \
        distribution; a regression is over days.",
    canonical: Some("http://hl7.org/fhir/OperationDefinition/Observation-stats"),
    affects_state: false,
    calls: &both(At::Type, PARAMETERS),
    types: &[ResourceType::OBSERVATION],
    parameters: &[
        needed(input("subject", "uri", "Whose Observations, such as Patient/123.")),
        many(input("code", "string", "Codes that were measured, of the system.")),
        input("system", "uri", "The system of the codes; any, where it is not said."),
        many(input("coding", "Coding", "A code with its system, by POST.")),
        input("duration", "decimal", "So many hours up to now (h)."),
        input("period", "Period", "From when to when, by POST."),
        OperationParameter { max: "*", ..needed(input("statistic", "code", "What is reckoned, such as average.")) },
        input("include", "boolean", "Whether the Observations go along."),
        input("limit", "positiveInt", "So many of them, the newest."),
        OperationParameter { max: "*", ..needed(output("statistics", "Observation", "One for each code.")) },
        many(output("source", "Observation", "What it was reckoned from.")),
    ],
    needs: Needs::Nothing,
};

pub const DOCUMENT: Operation = Operation {
    code: "document",
    name: "Document",
    title: "A Composition with all that it refers to",
    description: "A document: the Composition, what it refers to, and what that refers to, inside the record and among the \
        shared resources. Where something that the Composition names is not here, it is refused with 422.",
    canonical: Some("http://hl7.org/fhir/OperationDefinition/Composition-document"),
    affects_state: false,
    calls: &[
        call(At::Type, Get, BUNDLE),
        call(At::Type, Post, BUNDLE),
        call(At::Instance, Get, BUNDLE),
        call(At::Instance, Post, BUNDLE),
    ],
    types: &[ResourceType::COMPOSITION],
    parameters: &[
        input("id", "uri", "The Composition, where the address does not name it."),
        input("persist", "boolean", "Whether the document is stored, by POST: Location says where."),
        needed(output("return", "Bundle", "The document.")),
    ],
    needs: Needs::Nothing,
};

pub const SUMMARY: Operation = Operation {
    code: "summary",
    name: "Summary",
    title: "The International Patient Summary",
    description: "The patient's problems, allergies and medications, and what else there is of immunizations, procedures, \
        devices, results, vital signs, past illnesses and social history, as a document. A required section of which nothing \
        is known says so.",
    canonical: Some("http://hl7.org/fhir/uv/ips/OperationDefinition/summary"),
    affects_state: false,
    calls: &[
        call(At::Type, Get, BUNDLE),
        call(At::Type, Post, BUNDLE),
        call(At::Instance, Get, BUNDLE),
        call(At::Instance, Post, BUNDLE),
    ],
    types: &[ResourceType::PATIENT],
    parameters: &[needed(output("return", "Bundle", "The document."))],
    needs: Needs::Nothing,
};

pub const VALIDATE: Operation = Operation {
    code: "validate",
    name: "Validate",
    title: "Whether a resource is valid",
    description: "What is wrong with a resource, and what is bad practice: against R4, the profiles that it claims in \
        meta.profile, and one that is named. By POST the resource is the body, or the parameter `resource`; of a stored \
        resource without one, what is stored. Nothing is stored. Each finding is an issue of the answer, whose status is 200 \
        whatever was found.",
    canonical: Some("http://hl7.org/fhir/OperationDefinition/Resource-validate"),
    affects_state: false,
    calls: &[call(At::Type, Post, OUTCOME), call(At::Instance, Get, OUTCOME), call(At::Instance, Post, OUTCOME)],
    types: &[],
    parameters: &[
        input("resource", "Resource", "What is looked at; none with the modes `delete` and `profile`."),
        input(
            "mode",
            "code",
            "`create`, `update` or `delete`: whether that could be done with it, too. `profile`: what is stored, against \
            the profile that is named.",
        ),
        many(input("profile", "uri", "The canonical address of a StructureDefinition, with or without its version.")),
        needed(output("return", "OperationOutcome", "An issue for each finding, or one that says there is none.")),
    ],
    needs: Needs::Nothing,
};

pub const EXPUNGE: Operation = Operation {
    code: "expunge",
    name: "Expunge",
    title: "Removes a record, a resource or old versions for good",
    description: "Removes for good, with history, index and identifiers: a patient's whole record or a resource \
        (`expungeEverything`), what was deleted (`expungeDeletedResources`), all versions but the current one \
        (`expungePreviousVersions`), or one superseded version, by its address. For administrators. `complete` is false where \
        the limit was reached: ask again. The records of the audit stay, and tell what went.",
    canonical: None,
    affects_state: true,
    calls: &[
        call(At::Type, Post, PARAMETERS),
        call(At::Instance, Post, PARAMETERS),
        call(At::Version, Post, PARAMETERS),
    ],
    types: &[],
    parameters: &[
        input("expungeEverything", "boolean", "Of a resource, all of it; of a patient, the whole record."),
        input("expungeDeletedResources", "boolean", "What was deleted, of a type or of a resource."),
        input("expungePreviousVersions", "boolean", "Of a resource, all versions but the current one."),
        input("limit", "positiveInt", "Resources that go at once; 1,000 where it is not said."),
        needed(output("complete", "boolean", "Whether nothing of it is left.")),
        needed(output("resources", "decimal", "Resources that are gone.")),
        needed(output("versions", "decimal", "Versions that are gone.")),
        needed(output("sha256", "string", "Over a line for each version: its address and the SHA-256 of its JSON.")),
        many(output("removed", "Element", "Of each type: type, resources, versions.")),
    ],
    needs: Needs::Nothing,
};
