//! The base compartments and the references that count. <https://hl7.org/fhir/R4/compartmentdefinition.html>

use std::collections::HashMap;
use std::sync::LazyLock;

use super::resource_type::ResourceType;
use super::table;

/// Stands for the resource itself: it is in its own compartment.
const SELF: &str = "{self}";

/// The element names from the resource down to a reference.
type Path = Vec<&'static str>;

struct Compartments {
    paths: HashMap<(ResourceType, ResourceType), Vec<Path>>,
    parameters: HashMap<(ResourceType, ResourceType), Vec<&'static str>>,
    rows: HashMap<(ResourceType, ResourceType), Vec<(&'static str, Path)>>,
    /// Read by the test that proves every row is understood.
    #[cfg_attr(not(test), allow(dead_code))]
    rows_skipped: usize,
}

static COMPARTMENTS: LazyLock<Compartments> = LazyLock::new(|| {
    let mut paths: HashMap<_, Vec<Path>> = HashMap::new();
    let mut parameters: HashMap<_, Vec<&str>> = HashMap::new();
    let mut rows: HashMap<_, Vec<(&str, Path)>> = HashMap::new();
    let mut rows_skipped = 0;
    for row in table::compartments() {
        let row = row.and_then(|row| {
            let compartment = ResourceType::parse(row.compartment)?;
            Some(((compartment, ResourceType::parse(row.resource_type)?), row.parameter, row.path))
        });
        let Some((key, parameter, path)) = row else {
            rows_skipped += 1;
            continue;
        };
        if path == SELF {
            continue;
        }
        // Two parameters may select one element, as MedicationDispense's patient and subject do, and one two elements.
        push_new(paths.entry(key).or_default(), path.split('.').collect());
        rows.entry(key).or_default().push((parameter, path.split('.').collect()));
        push_new(parameters.entry(key).or_default(), parameter);
    }
    Compartments { paths, parameters, rows, rows_skipped }
});

fn push_new<T: PartialEq>(known: &mut Vec<T>, item: T) {
    if !known.contains(&item) {
        known.push(item);
    }
}

/// Paths, in the definition's order, of the elements of `resource_type` whose reference to a
/// resource of the type `compartment` puts the resource into that resource's compartment.
///
/// Empty when the type is in no such compartment, and for any `compartment` but Patient,
/// Encounter, RelatedPerson, Practitioner and Device. A patient is in its own compartment without
/// a path; the path listed for it, `link.other`, is the one into the linked patient's.
pub fn compartment_paths(compartment: ResourceType, resource_type: ResourceType) -> &'static [Vec<&'static str>] {
    COMPARTMENTS.paths.get(&(compartment, resource_type)).map_or(&[], Vec::as_slice)
}

/// The codes of the reference parameters of `resource_type` that put a resource into the compartment: what a search in
/// it asks of each. Empty where [`compartment_paths`] is.
pub fn compartment_parameters(compartment: ResourceType, resource_type: ResourceType) -> &'static [&'static str] {
    COMPARTMENTS.parameters.get(&(compartment, resource_type)).map_or(&[], Vec::as_slice)
}

/// The paths of the patient compartment that belong to one of these parameters.
pub fn patient_paths_of<'c>(
    resource_type: ResourceType,
    codes: &'c [&'static str],
) -> impl Iterator<Item = &'static [&'static str]> + 'c {
    let rows = COMPARTMENTS.rows.get(&(ResourceType::PATIENT, resource_type)).map_or(&[][..], Vec::as_slice);
    rows.iter().filter(|(code, _)| codes.contains(code)).map(|(_, path)| path.as_slice())
}

/// [`compartment_paths`] of the patient compartment.
pub fn patient_compartment_paths(resource_type: ResourceType) -> &'static [Vec<&'static str>] {
    compartment_paths(ResourceType::PATIENT, resource_type)
}

/// Whether a resource of this type can be in a compartment of that type, its own included.
pub fn in_compartment(compartment: ResourceType, resource_type: ResourceType) -> bool {
    let is_own = compartment == resource_type && is_compartment(compartment);
    is_own || !compartment_paths(compartment, resource_type).is_empty()
}

/// Whether a resource of this type can be in a patient's compartment; true for Patient itself.
pub fn in_patient_compartment(resource_type: ResourceType) -> bool {
    in_compartment(ResourceType::PATIENT, resource_type)
}

fn is_compartment(resource_type: ResourceType) -> bool {
    matches!(
        resource_type,
        ResourceType::PATIENT
            | ResourceType::ENCOUNTER
            | ResourceType::RELATED_PERSON
            | ResourceType::PRACTITIONER
            | ResourceType::DEVICE
    )
}

#[cfg(test)]
mod tests {
    use super::super::element::{ElementKind, root};
    use super::*;
    use std::collections::BTreeSet;

    const FIVE: [ResourceType; 5] = [
        ResourceType::PATIENT,
        ResourceType::ENCOUNTER,
        ResourceType::RELATED_PERSON,
        ResourceType::PRACTITIONER,
        ResourceType::DEVICE,
    ];

    fn patient_paths(name: &str) -> Vec<String> {
        patient_compartment_paths(ResourceType::parse(name).unwrap()).iter().map(|path| path.join(".")).collect()
    }

    #[test]
    fn no_row_of_the_compartment_table_is_skipped() {
        assert_eq!(COMPARTMENTS.rows_skipped, 0);
    }

    #[test]
    fn sixty_six_types_can_be_in_a_patients_compartment() {
        let types = ResourceType::all().filter(|&t| in_patient_compartment(t));
        assert_eq!(types.count(), 66);
    }

    #[test]
    fn an_observation_is_in_the_patient_compartment_by_subject_then_performer() {
        assert_eq!(patient_paths("Observation"), ["subject", "performer"]);
    }

    #[test]
    fn an_appointment_is_in_the_patient_compartment_by_the_actor_of_a_participant() {
        assert_eq!(patient_compartment_paths(ResourceType::APPOINTMENT), [vec!["participant", "actor"]]);
    }

    #[test]
    fn an_audit_event_is_in_the_patient_compartment_by_both_branches_of_one_parameter() {
        assert_eq!(patient_paths("AuditEvent"), ["agent.who", "entity.what"]);
    }

    #[test]
    fn an_element_that_two_parameters_select_is_listed_once() {
        assert_eq!(patient_paths("MedicationDispense"), ["subject", "receiver"]);
    }

    #[test]
    fn a_parameter_that_selects_two_elements_is_listed_once() {
        assert_eq!(compartment_parameters(ResourceType::PATIENT, ResourceType::AUDIT_EVENT), ["patient"]);
        assert_eq!(
            compartment_parameters(ResourceType::PATIENT, ResourceType::MEDICATION_DISPENSE),
            ["subject", "patient", "receiver"]
        );
    }

    #[test]
    fn a_device_request_is_in_the_device_compartment_by_the_json_name_of_its_choice() {
        let device_request = ResourceType::parse("DeviceRequest").unwrap();
        assert_eq!(compartment_paths(ResourceType::DEVICE, device_request).first(), Some(&vec!["codeReference"]));
    }

    #[test]
    fn a_practitioner_is_in_no_patient_compartment() {
        assert!(patient_paths("Practitioner").is_empty());
        assert!(!in_patient_compartment(ResourceType::PRACTITIONER));
    }

    #[test]
    fn a_patient_is_in_its_own_compartment_and_by_link_in_another_patients() {
        assert!(in_patient_compartment(ResourceType::PATIENT));
        assert_eq!(patient_paths("Patient"), ["link.other"]);
    }

    #[test]
    fn the_types_with_a_self_row_are_the_five_compartments_and_no_others() {
        let own: BTreeSet<_> = table::compartments()
            .flatten()
            .filter(|row| row.path == SELF)
            .map(|row| (row.compartment, row.resource_type))
            .collect();
        assert_eq!(own, FIVE.map(|t| (t.as_str(), t.as_str())).into());
        for resource_type in ResourceType::all() {
            let expected = FIVE.contains(&resource_type);
            assert_eq!(in_compartment(resource_type, resource_type), expected);
        }
    }

    #[test]
    fn every_compartment_path_leads_to_a_reference() {
        for (&(_, resource_type), paths) in &COMPARTMENTS.paths {
            for path in paths {
                let mut node = root(resource_type);
                for name in path {
                    let element = node.child(name).unwrap();
                    let ElementKind::Complex(next) = element.kind else {
                        panic!("{resource_type} {path:?}");
                    };
                    node = next;
                }
                assert!(node.is_reference(), "{resource_type} {path:?}");
            }
        }
    }
}
