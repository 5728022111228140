//! The resource types of R4. <https://hl7.org/fhir/R4/resourcelist.html>

use std::fmt;
use std::sync::LazyLock;

use super::table;

/// The concrete types in ASCII order.
static CONCRETE: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut names: Vec<_> = table::elements()
        .flatten()
        .filter(|row| is_resource(row.path, row.types) && !is_abstract(row.path))
        .map(|row| row.path)
        .collect();
    names.sort_unstable();
    names
});

/// Whether a definition's own row, `name` specializing `base`, is one of a resource.
pub(super) fn is_resource(name: &str, base: &str) -> bool {
    // Elements may have the type Resource too, but their path has a dot.
    name == "Resource" || (matches!(base, "Resource" | "DomainResource") && !name.contains('.'))
}

fn is_abstract(name: &str) -> bool {
    matches!(name, "Resource" | "DomainResource")
}

/// One of the 146 resource types that a resource can have; not Resource, not DomainResource.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ResourceType(&'static str);

impl ResourceType {
    pub const APPOINTMENT: Self = Self("Appointment");
    pub const AUDIT_EVENT: Self = Self("AuditEvent");
    pub const BINARY: Self = Self("Binary");
    pub const BUNDLE: Self = Self("Bundle");
    pub const CAPABILITY_STATEMENT: Self = Self("CapabilityStatement");
    pub const CODE_SYSTEM: Self = Self("CodeSystem");
    pub const COMPOSITION: Self = Self("Composition");
    pub const DEVICE: Self = Self("Device");
    pub const ENCOUNTER: Self = Self("Encounter");
    pub const GROUP: Self = Self("Group");
    pub const LIST: Self = Self("List");
    pub const LOCATION: Self = Self("Location");
    pub const MEDICATION_DISPENSE: Self = Self("MedicationDispense");
    pub const MEDICATION_REQUEST: Self = Self("MedicationRequest");
    pub const OBSERVATION: Self = Self("Observation");
    pub const OPERATION_DEFINITION: Self = Self("OperationDefinition");
    pub const OPERATION_OUTCOME: Self = Self("OperationOutcome");
    pub const ORGANIZATION: Self = Self("Organization");
    pub const PARAMETERS: Self = Self("Parameters");
    pub const PATIENT: Self = Self("Patient");
    pub const PERSON: Self = Self("Person");
    pub const PRACTITIONER: Self = Self("Practitioner");
    pub const PRACTITIONER_ROLE: Self = Self("PractitionerRole");
    pub const PROVENANCE: Self = Self("Provenance");
    pub const RELATED_PERSON: Self = Self("RelatedPerson");
    pub const SCHEDULE: Self = Self("Schedule");
    pub const SEARCH_PARAMETER: Self = Self("SearchParameter");
    pub const SLOT: Self = Self("Slot");
    pub const STRUCTURE_DEFINITION: Self = Self("StructureDefinition");
    pub const SUBSCRIPTION: Self = Self("Subscription");
    pub const VALUE_SET: Self = Self("ValueSet");

    /// The type of this name; case matters, as it does in URLs and in `resourceType`.
    pub fn parse(name: &str) -> Option<Self> {
        let place = CONCRETE.binary_search(&name).ok()?;
        CONCRETE.get(place).copied().map(Self)
    }

    /// The name as it stands in `resourceType` and in URLs.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Every type, in the order of the names.
    pub fn all() -> impl Iterator<Item = Self> {
        CONCRETE.iter().copied().map(Self)
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r4_has_146_concrete_resource_types() {
        assert_eq!(ResourceType::all().count(), 146);
        assert!(ResourceType::all().is_sorted());
        for resource_type in ResourceType::all() {
            assert_eq!(ResourceType::parse(resource_type.as_str()), Some(resource_type));
        }
    }

    #[test]
    fn neither_an_abstract_type_nor_a_datatype_nor_another_case_is_a_resource_type() {
        for name in
            ["Resource", "DomainResource", "Quantity", "SimpleQuantity", "string", "patient", "Patient.contact", ""]
        {
            assert_eq!(ResourceType::parse(name), None, "{name}");
        }
    }

    #[test]
    fn every_named_constant_is_a_resource_type_of_the_table() {
        for constant in [
            ResourceType::APPOINTMENT,
            ResourceType::AUDIT_EVENT,
            ResourceType::BINARY,
            ResourceType::BUNDLE,
            ResourceType::CAPABILITY_STATEMENT,
            ResourceType::DEVICE,
            ResourceType::ENCOUNTER,
            ResourceType::GROUP,
            ResourceType::LOCATION,
            ResourceType::MEDICATION_DISPENSE,
            ResourceType::MEDICATION_REQUEST,
            ResourceType::OBSERVATION,
            ResourceType::OPERATION_DEFINITION,
            ResourceType::OPERATION_OUTCOME,
            ResourceType::ORGANIZATION,
            ResourceType::PARAMETERS,
            ResourceType::PATIENT,
            ResourceType::PERSON,
            ResourceType::PRACTITIONER,
            ResourceType::PRACTITIONER_ROLE,
            ResourceType::PROVENANCE,
            ResourceType::RELATED_PERSON,
            ResourceType::SCHEDULE,
            ResourceType::SEARCH_PARAMETER,
            ResourceType::SLOT,
            ResourceType::STRUCTURE_DEFINITION,
            ResourceType::SUBSCRIPTION,
        ] {
            assert_eq!(ResourceType::parse(constant.as_str()), Some(constant));
        }
    }
}
