//! What is about a patient: the patient compartment of R4, narrowed to what makes the patient its subject.
//!
//! Who performs another's Observation, signs another's Composition or is listed in a Group is in R4's compartment of
//! that person, too. That must not open the record: a patient who measured a relative's blood pressure may not read it.

use crate::fhir::definitions::{ResourceType, compartment_parameters};

/// The parameters of R4's table that make a patient somebody else than the one whom the resource is about.
const NOT_THE_SUBJECT: &[(&str, &[&str])] = &[
    ("AllergyIntolerance", &["asserter", "recorder"]),
    ("AuditEvent", &["patient"]),
    ("Basic", &["author"]),
    ("CarePlan", &["performer"]),
    ("CareTeam", &["participant"]),
    ("Claim", &["payee"]),
    ("Communication", &["recipient", "sender"]),
    ("CommunicationRequest", &["recipient", "requester", "sender"]),
    ("Composition", &["attester", "author"]),
    ("Condition", &["asserter"]),
    ("Coverage", &["payor", "policy-holder", "subscriber"]),
    ("DeviceRequest", &["performer"]),
    ("DocumentManifest", &["author", "recipient"]),
    ("DocumentReference", &["author"]),
    ("ExplanationOfBenefit", &["payee"]),
    ("Group", &["member"]),
    ("Invoice", &["recipient"]),
    ("List", &["source"]),
    ("MedicationAdministration", &["performer"]),
    ("MedicationDispense", &["receiver"]),
    ("Observation", &["performer"]),
    // A link says that two records are of one person; it does not open the other one.
    ("Patient", &["link"]),
    ("Person", &["patient"]),
    ("Procedure", &["performer"]),
    ("QuestionnaireResponse", &["author"]),
    ("RequestGroup", &["participant"]),
    ("Schedule", &["actor"]),
    ("ServiceRequest", &["performer"]),
];

/// The search parameters by which a resource of the type is about a patient. None for Patient, which is about itself.
pub fn subject_parameters(resource_type: ResourceType) -> impl Iterator<Item = &'static str> {
    let others = NOT_THE_SUBJECT.iter().find(|(name, _)| *name == resource_type.as_str());
    let others = others.map_or(&[][..], |(_, others)| others);
    let all = compartment_parameters(ResourceType::PATIENT, resource_type);
    all.iter().copied().filter(|code| !others.contains(code))
}

/// Whether a resource of the type can be about a patient.
pub fn can_be_about_a_patient(resource_type: ResourceType) -> bool {
    resource_type == ResourceType::PATIENT || subject_parameters(resource_type).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_that_is_taken_out_is_one_of_r4s_table() {
        assert!(NOT_THE_SUBJECT.is_sorted());
        for (name, codes) in NOT_THE_SUBJECT {
            let resource_type = ResourceType::parse(name).unwrap();
            for code in *codes {
                let known = compartment_parameters(ResourceType::PATIENT, resource_type);
                assert!(known.contains(code), "{name}.{code}");
            }
        }
    }

    #[test]
    fn what_stays_names_the_one_whom_it_is_about() {
        // A new word here is a decision: it opens resources to patients.
        let subjects = ["actor", "beneficiary", "individual", "patient", "subject"];
        for resource_type in ResourceType::all() {
            for code in subject_parameters(resource_type) {
                assert!(subjects.contains(&code), "{resource_type}.{code}");
            }
        }
        let of = |name| subject_parameters(ResourceType::parse(name).unwrap()).collect::<Vec<_>>();
        assert_eq!(of("Observation"), ["subject"]);
        assert_eq!(of("Appointment"), ["actor"]);
        assert_eq!(of("Coverage"), ["beneficiary"]);
        assert!(of("Group").is_empty() && of("AuditEvent").is_empty() && of("Practitioner").is_empty());
        assert!(can_be_about_a_patient(ResourceType::PATIENT));
    }
}
