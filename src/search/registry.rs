//! The search parameters of every type: R4's own and those that were added at run time.

use super::clause::{self, Link};
use crate::fhir::definitions::ResourceType;
use smol_str::SmolStr;
use std::sync::Arc;

/// The kinds of search parameters. <https://hl7.org/fhir/R4/search.html#ptypes>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParameterKind {
    String,
    Token,
    Reference,
    Date,
    Number,
    Quantity,
    Uri,
    Composite,
    Special,
}

/// A search parameter as it applies to one resource type.
#[derive(Debug)]
pub struct Parameter {
    pub code: SmolStr,
    pub url: SmolStr,
    pub kind: ParameterKind,
    /// The type that it is asked of.
    pub base: ResourceType,
    /// The parts of its expression that apply to this type. What is indexed is the branch, so that `code` and
    /// `combo-code` share `Observation.code`. Empty for a parameter that has no expression.
    pub branches: Vec<Arc<Branch>>,
    /// The types that a reference may lead to; empty: any.
    pub targets: Vec<ResourceType>,
    /// Of a composite, in order.
    pub components: Vec<Component>,
}

/// One path from a type to values.
#[derive(Debug)]
pub struct Branch {
    /// Normalized: without `.where(resolve() is T)`, the types of a choice as concrete names. `Observation.code`.
    pub text: SmolStr,
    /// `hash64` and `hash32` of the kind's letter and the text.
    pub hash: i64,
    pub param: i32,
    /// Of a reference branch: every value that is a Patient puts the resource into that patient's compartment.
    pub in_patient_compartment: bool,
    /// Of a reference branch: it is the one that decides the home, and holds one value.
    pub decides_home: bool,
    /// Of a date branch: it is the type's leading date, kept in the resource's own row instead of the index.
    pub is_leading_date: bool,
    /// Of a token branch: its values are Identifiers, whose case matters.
    pub is_identifier: bool,
    /// Of a token branch: its values are primitives (code, boolean …), whose system is implied. Of a composite branch: those
    /// of its first token component are.
    pub is_code: bool,
}

/// A part of a composite: its values are found from the element that the composite's own branch selects.
#[derive(Debug)]
pub struct Component {
    pub kind: ParameterKind,
    pub code: SmolStr,
}

impl Branch {
    pub fn link(&self) -> Link {
        Link { hash: self.hash, param: self.param, decides_home: self.decides_home }
    }

    /// Where entries of this branch are, for a parameter of this kind.
    pub fn place(&self, kind: ParameterKind) -> clause::Branch {
        match kind {
            ParameterKind::String => clause::Branch::String(self.hash),
            ParameterKind::Token | ParameterKind::Reference | ParameterKind::Uri | ParameterKind::Composite => {
                clause::Branch::Token(self.param)
            }
            ParameterKind::Date if self.is_leading_date => clause::Branch::LeadingDate,
            ParameterKind::Date => clause::Branch::Date(self.hash),
            ParameterKind::Number | ParameterKind::Quantity => clause::Branch::Number(self.hash),
            ParameterKind::Special => clause::Branch::Position,
        }
    }
}

/// The parameters of all types. A stand-in until the definitions are read.
#[derive(Debug, Clone)]
pub struct Registry {
    types: std::collections::HashMap<ResourceType, std::collections::BTreeMap<SmolStr, Arc<Parameter>>>,
}

const TABLE: &str = "
Patient name string Patient.name
Patient family string Patient.name.family
Patient given string Patient.name.given
Patient birthdate date Patient.birthDate
Patient gender token Patient.gender
Patient active token Patient.active
Patient identifier token Patient.identifier
Patient phonetic string Patient.name
Patient general-practitioner reference Patient.generalPractitioner Organization|Practitioner|PractitionerRole
Patient organization reference Patient.managingOrganization Organization
Patient link reference Patient.link.other Patient|RelatedPerson
Patient age number
Practitioner name string Practitioner.name
Practitioner active token Practitioner.active
Practitioner gender token Practitioner.gender
Organization name string Organization.name|Organization.alias
Organization partof reference Organization.partOf Organization
Group code token Group.code
Group identifier token Group.identifier
Device device-name string Device.deviceName.name
Location name string Location.name
Observation code token Observation.code
Observation combo-code token Observation.code|Observation.component.code
Observation status token Observation.status
Observation date date Observation.effective
Observation subject reference Observation.subject Group|Device|Patient|Location
Observation patient reference Observation.subject Patient
Observation performer reference Observation.performer Practitioner|PractitionerRole|Organization|CareTeam|Patient|RelatedPerson
Observation encounter reference Observation.encounter Encounter
Observation device reference Observation.device Device|DeviceMetric
Observation has-member reference Observation.hasMember Observation|MolecularSequence|QuestionnaireResponse
Observation focus reference Observation.focus
Observation value-quantity quantity Observation.value
Observation value-date date Observation.value
Observation code-value-quantity composite Observation
Condition code token Condition.code
Condition subject reference Condition.subject Group|Patient
Condition patient reference Condition.subject Patient
Condition onset-date date Condition.onset
Condition severity token Condition.severity
DiagnosticReport subject reference DiagnosticReport.subject Group|Device|Patient|Location
DiagnosticReport patient reference DiagnosticReport.subject Patient
DiagnosticReport result reference DiagnosticReport.result Observation
Encounter patient reference Encounter.subject Patient
Encounter length quantity Encounter.length
AuditEvent entity reference AuditEvent.entity.what
AuditEvent agent reference AuditEvent.agent.who Practitioner|Patient
MedicationRequest patient reference MedicationRequest.subject Patient
RiskAssessment probability number RiskAssessment.prediction.probability
ValueSet url uri ValueSet.url
";

static STANDARD: std::sync::LazyLock<Arc<Registry>> = std::sync::LazyLock::new(|| Arc::new(Registry::load()));

impl Registry {
    pub fn standard() -> Arc<Registry> {
        Arc::clone(&STANDARD)
    }

    pub fn parameter(&self, resource_type: ResourceType, code: &str) -> Option<&Arc<Parameter>> {
        self.types.get(&resource_type)?.get(code)
    }

    pub fn parameters(&self, resource_type: ResourceType) -> impl Iterator<Item = &Arc<Parameter>> {
        self.types.get(&resource_type).into_iter().flat_map(|parameters| parameters.values())
    }

    fn load() -> Registry {
        let mut registry = Registry { types: Default::default() };
        for line in TABLE.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [base, code, kind, rest @ ..] = words.as_slice() else { continue };
            let Some(base) = ResourceType::parse(base) else { continue };
            registry.add(base, code, kind, rest.first().unwrap_or(&""), rest.get(1).unwrap_or(&""));
        }
        for base in ResourceType::all() {
            registry.add(base, "_id", "token", "", "");
            registry.add(base, "_lastUpdated", "date", "", "");
            registry.add(base, "_tag", "token", "Resource.meta.tag", "");
            registry.add(base, "_profile", "uri", "Resource.meta.profile", "");
        }
        registry
    }

    fn add(&mut self, base: ResourceType, code: &str, kind: &str, texts: &str, targets: &str) {
        use super::hash::{hash32, hash64};
        let kind = match kind {
            "string" => ParameterKind::String,
            "token" => ParameterKind::Token,
            "reference" => ParameterKind::Reference,
            "date" => ParameterKind::Date,
            "number" => ParameterKind::Number,
            "quantity" => ParameterKind::Quantity,
            "uri" => ParameterKind::Uri,
            _ => ParameterKind::Composite,
        };
        let branch = |text: &str| {
            let home = matches!(text, "Observation.subject" | "Condition.subject" | "Encounter.subject");
            Arc::new(Branch {
                text: text.into(),
                hash: hash64(&["branch", text]),
                param: hash32(&["branch", text]),
                in_patient_compartment: home || text == "Observation.performer",
                decides_home: home,
                is_leading_date: text == "Observation.effective",
                is_identifier: text.ends_with("identifier"),
                is_code: false,
            })
        };
        let parameter = Parameter {
            code: code.into(),
            url: SmolStr::default(),
            kind,
            base,
            branches: texts.split('|').filter(|text| !text.is_empty()).map(branch).collect(),
            targets: targets.split('|').filter_map(ResourceType::parse).collect(),
            components: Vec::new(),
        };
        self.types.entry(base).or_default().insert(code.into(), Arc::new(parameter));
    }
}
