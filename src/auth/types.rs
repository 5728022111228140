//! The groups of resource types that the policy speaks of. Every type is in one.

use crate::fhir::definitions::ResourceType;

/// Types that are treated alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// What is about patients, or may be: records, and what holds copies of them.
    Clinical,
    /// Who and where: people who work here, organizations, places.
    Directory,
    /// What is given and used: medications, substances, devices as products.
    Products,
    /// When somebody is free.
    Booking,
    /// What is about nobody: definitions, terminologies, knowledge.
    Definitions,
    /// How systems talk to each other.
    Messages,
    /// Who looked at what.
    Audit,
}

impl Group {
    pub const ALL: [Group; 7] = [
        Group::Clinical,
        Group::Directory,
        Group::Products,
        Group::Booking,
        Group::Definitions,
        Group::Messages,
        Group::Audit,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Group::Clinical => "clinical",
            Group::Directory => "directory",
            Group::Products => "products",
            Group::Booking => "booking",
            Group::Definitions => "definitions",
            Group::Messages => "messages",
            Group::Audit => "audit",
        }
    }

    pub fn names(self) -> &'static [&'static str] {
        match self {
            Group::Clinical => CLINICAL,
            Group::Directory => DIRECTORY,
            Group::Products => PRODUCTS,
            Group::Booking => BOOKING,
            Group::Definitions => DEFINITIONS,
            Group::Messages => MESSAGES,
            Group::Audit => AUDIT,
        }
    }
}

/// The group of a type; `None` for one that was forgotten, which is denied to everybody.
pub fn group_of(resource_type: ResourceType) -> Option<Group> {
    Group::ALL.into_iter().find(|group| group.names().contains(&resource_type.as_str()))
}

#[rustfmt::skip] // As many to a line as fit.
const CLINICAL: &[&str] = &[
    "Account", "AdverseEvent", "AllergyIntolerance", "Appointment", "AppointmentResponse", "Basic", "Binary",
    "BiologicallyDerivedProduct", "BodyStructure", "Bundle", "CarePlan", "CareTeam", "ChargeItem", "Claim",
    "ClaimResponse", "ClinicalImpression", "Communication", "CommunicationRequest", "Composition", "Condition",
    "Consent", "Contract", "Coverage", "CoverageEligibilityRequest", "CoverageEligibilityResponse", "DetectedIssue",
    "Device", "DeviceMetric", "DeviceRequest", "DeviceUseStatement", "DiagnosticReport", "DocumentManifest",
    "DocumentReference", "Encounter", "EnrollmentRequest", "EnrollmentResponse", "EpisodeOfCare",
    "ExplanationOfBenefit", "FamilyMemberHistory", "Flag", "Goal", "Group", "GuidanceResponse", "ImagingStudy",
    "Immunization", "ImmunizationEvaluation", "ImmunizationRecommendation", "Invoice", "Linkage", "List",
    "MeasureReport", "Media", "MedicationAdministration", "MedicationDispense", "MedicationRequest",
    "MedicationStatement", "MolecularSequence", "NutritionOrder", "Observation", "Patient", "PaymentNotice",
    "PaymentReconciliation", "Person", "Procedure", "Provenance", "QuestionnaireResponse", "RelatedPerson",
    "RequestGroup", "ResearchSubject", "RiskAssessment", "ServiceRequest", "Specimen", "SupplyDelivery",
    "SupplyRequest", "Task", "VerificationResult", "VisionPrescription",
];
#[rustfmt::skip] // As many to a line as fit.
const DIRECTORY: &[&str] = &[
    "Endpoint", "HealthcareService", "InsurancePlan", "Location", "Organization", "OrganizationAffiliation",
    "Practitioner", "PractitionerRole", "ResearchStudy",
];
#[rustfmt::skip] // As many to a line as fit.
const PRODUCTS: &[&str] = &[
    "CatalogEntry", "DeviceDefinition", "Medication", "MedicationKnowledge", "MedicinalProduct",
    "MedicinalProductAuthorization", "MedicinalProductContraindication", "MedicinalProductIndication",
    "MedicinalProductIngredient", "MedicinalProductInteraction", "MedicinalProductManufactured",
    "MedicinalProductPackaged", "MedicinalProductPharmaceutical", "MedicinalProductUndesirableEffect", "Substance",
    "SubstanceNucleicAcid", "SubstancePolymer", "SubstanceProtein", "SubstanceReferenceInformation",
    "SubstanceSourceMaterial", "SubstanceSpecification",
];
#[rustfmt::skip] // As many to a line as fit.
const BOOKING: &[&str] = &[
    "Schedule", "Slot",
];
#[rustfmt::skip] // As many to a line as fit.
const DEFINITIONS: &[&str] = &[
    "ActivityDefinition", "CapabilityStatement", "ChargeItemDefinition", "CodeSystem", "CompartmentDefinition",
    "ConceptMap", "EffectEvidenceSynthesis", "EventDefinition", "Evidence", "EvidenceVariable", "ExampleScenario",
    "GraphDefinition", "ImplementationGuide", "Library", "Measure", "MessageDefinition", "NamingSystem",
    "ObservationDefinition", "OperationDefinition", "PlanDefinition", "Questionnaire", "ResearchDefinition",
    "ResearchElementDefinition", "RiskEvidenceSynthesis", "SearchParameter", "SpecimenDefinition",
    "StructureDefinition", "StructureMap", "TerminologyCapabilities", "TestScript", "ValueSet",
];
#[rustfmt::skip] // As many to a line as fit.
const MESSAGES: &[&str] = &[
    "MessageHeader", "OperationOutcome", "Parameters", "Subscription", "TestReport",
];
#[rustfmt::skip] // As many to a line as fit.
const AUDIT: &[&str] = &[
    "AuditEvent",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_r4_is_in_exactly_one_group() {
        let mut all: Vec<&str> = Group::ALL.iter().flat_map(|group| group.names()).copied().collect();
        assert!(Group::ALL.iter().all(|group| group.names().is_sorted()));
        all.sort_unstable();
        let types: Vec<&str> = ResourceType::all().map(ResourceType::as_str).collect();
        assert_eq!(all, types);
    }

    #[test]
    fn what_can_be_in_a_patients_record_is_clinical_but_for_directories_that_r4_puts_there() {
        use crate::fhir::definitions::in_patient_compartment;
        for resource_type in ResourceType::all().filter(|resource_type| in_patient_compartment(*resource_type)) {
            let group = group_of(resource_type).unwrap();
            let name = resource_type.as_str();
            assert!(group == Group::Clinical || ["AuditEvent", "Schedule"].contains(&name), "{name}");
        }
    }
}
