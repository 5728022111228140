//! Two worlds that differ in one patient's record: what the other patient sees must not.

use super::desk::{Ask, Desk};
use brasa::fhir::definitions::{ElementKind, Node, ResourceType, patient_compartment_paths, root};
use serde_json::{Map, Value, json};

/// The one who looks.
pub const OWN: &str = "own";
/// The one who must not be seen.
pub const OTHER: &str = "other";
/// Stands in everything about the other one.
pub const CANARY: &str = "Zarzaparrilla";

/// A resource of each type for each element by which it can belong to the patient, and what it is about.
pub fn record(patient: &str) -> Vec<Value> {
    let mut resources = Vec::new();
    for resource_type in ResourceType::all().filter(|of| *of != ResourceType::PATIENT) {
        for (number, path) in patient_compartment_paths(resource_type).iter().enumerate() {
            let id = id_of(resource_type, patient, number);
            let mut resource = json!({"resourceType": resource_type.as_str(), "id": id});
            let reference = json!({"reference": format!("Patient/{patient}")});
            if !place(resource.as_object_mut().unwrap(), root(resource_type), path, &reference) {
                continue;
            }
            resource["meta"] = json!({"tag": [{"system": "urn:record", "code": patient}]});
            resources.push(resource);
        }
    }
    let mut encounter = json!({"resourceType": "Encounter", "id": format!("visit-{patient}"), "status": "finished",
        "class": {"code": "AMB"}, "subject": {"reference": format!("Patient/{patient}")},
        "participant": [{"individual": {"reference": "Practitioner/shared"}}]});
    // Into the other one's record, and out of it.
    encounter["partOf"] =
        json!({"reference": format!("Encounter/visit-{}", if patient == OTHER { OWN } else { OTHER })});
    if patient == OTHER {
        encounter["participant"]
            .as_array_mut()
            .unwrap()
            .push(json!({"individual": {"reference": "Practitioner/secret"}}));
    }
    let person = json!({"resourceType": "Patient", "id": patient, "birthDate": "1970-01-01",
        "name": [{"family": if patient == OTHER { CANARY } else { "Ojeda" }}], "gender": "female",
        "generalPractitioner": [{"reference": "Practitioner/shared"}],
        "managingOrganization": {"reference": "Organization/shared"},
        "identifier": [{"system": "urn:mrn", "value": patient}]});
    resources.extend([person, encounter]);
    resources
}

/// What leads from the other one's record to the patient who looks, and from shared resources to both.
pub fn snares() -> Vec<Value> {
    let own = json!({"reference": format!("Patient/{OWN}")});
    let other = json!({"reference": format!("Patient/{OTHER}")});
    vec![
        json!({"resourceType": "Observation", "id": "measured", "status": "final", "code": {"text": CANARY},
            "subject": other, "performer": [own], "effectiveDateTime": "2026-01-01"}),
        json!({"resourceType": "Composition", "id": "written", "subject": other, "author": [own], "title": CANARY}),
        json!({"resourceType": "List", "id": "planted", "subject": other, "source": own, "title": CANARY,
            "entry": [{"item": {"reference": format!("Observation/{}", id_of(ResourceType::OBSERVATION, OWN, 0))}}]}),
        json!({"resourceType": "Group", "id": "both", "type": "person", "actual": true, "name": CANARY,
            "member": [{"entity": own}, {"entity": other}]}),
        json!({"resourceType": "RelatedPerson", "id": "relative", "patient": other, "name": [{"family": CANARY}]}),
        json!({"resourceType": "Coverage", "id": "family", "beneficiary": other, "policyHolder": own, "subscriberId": CANARY}),
        json!({"resourceType": "Practitioner", "id": "secret", "name": [{"family": CANARY}]}),
        json!({"resourceType": "AuditEvent", "id": "opened", "recorded": "2026-01-01T00:00:00Z",
            "entity": [{"what": own, "name": CANARY}]}),
        json!({"resourceType": "Task", "id": "errand", "for": other, "owner": own, "description": CANARY}),
    ]
}

fn shared() -> Vec<Value> {
    vec![
        json!({"resourceType": "Practitioner", "id": "shared", "name": [{"family": "Soto"}]}),
        json!({"resourceType": "Organization", "id": "shared", "name": "Ward"}),
        json!({"resourceType": "Practitioner", "id": "unrelated", "name": [{"family": "Rey"}]}),
        // A document of the own record that would draw in the other one's.
        json!({"resourceType": "Composition", "id": "tempting", "status": "final", "type": {"text": "x"}, "date": "2026",
            "title": "x", "subject": {"reference": "Patient/own"}, "author": [{"reference": "Practitioner/shared"}],
            "section": [{"entry": [{"reference": "Observation/measured"}]}]}),
    ]
}

pub fn id_of(resource_type: ResourceType, patient: &str, number: usize) -> String {
    format!("{}-{patient}-{number}", resource_type.as_str().to_lowercase())
}

/// The resources of a record that are about its patient by the element that R4 calls so, and that R4 puts into the
/// patient's compartment for no other reason.
pub fn plainly_about(patient: &str) -> Vec<(ResourceType, String)> {
    let mut found = Vec::new();
    for resource_type in ResourceType::all() {
        for (number, path) in patient_compartment_paths(resource_type).iter().enumerate() {
            let word = path.join(".");
            let plain = ["subject", "patient", "beneficiary"].contains(&word.as_str());
            // A person is not a patient's record, and an audit event is for auditors.
            if plain && !["Person", "AuditEvent"].contains(&resource_type.as_str()) {
                found.push((resource_type, id_of(resource_type, patient, number)));
            }
        }
    }
    found
}

/// Puts a value at a path of element names, in lists where the definition has lists.
fn place(object: &mut Map<String, Value>, node: Node, path: &[&str], value: &Value) -> bool {
    let Some((name, rest)) = path.split_first() else { return false };
    let Some(element) = node.children().find(|element| {
        element.name == *name || element.choice == Some(name) && element.name == format!("{name}Reference")
    }) else {
        return false;
    };
    let inner = match (rest, element.kind) {
        ([], _) => value.clone(),
        (rest, ElementKind::Complex(node)) => {
            let mut inner = Map::new();
            if !place(&mut inner, node, rest, value) {
                return false;
            }
            Value::Object(inner)
        }
        _ => return false,
    };
    object.insert(element.name.to_owned(), if element.is_list { json!([inner]) } else { inner });
    true
}

/// Opens a world with what is shared and the record of the one who looks; with the other one's record, if it is wanted.
pub async fn world(with_other: bool) -> Desk {
    let desk = Desk::open(false).await;
    let mut resources = shared();
    resources.extend(record(OWN));
    if with_other {
        resources.extend(record(OTHER));
        resources.extend(snares());
    }
    let put = |resource: Value| {
        let url = format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
        json!({"resource": resource, "request": {"method": "PUT", "url": url}})
    };
    let entries: Vec<Value> = resources.into_iter().map(put).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let told = desk.do_all(&Ask::with("POST", "", bundle)).await;
    assert_eq!(told.status, 200, "{}", told.body);
    // AuditEvents that were stored before are seen by nobody from now on.
    desk.recording().await
}
