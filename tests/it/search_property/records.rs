//! Keeps references inside the records of patients.
//!
//! Within one patient, chains and `_has` are followed inside that patient's record, which is one shard; elsewhere inside each
//! record when more than 1,000 resources meet the condition (docs/DATA.md). What refers from one record into another is not
//! seen by them, so that the world has no such references; but for those to patients and to what is in no record.

use super::BASE;
use brasa::fhir::definitions::{ResourceType, in_patient_compartment};
use brasa::fhir::id::{Compartment, Id};
use brasa::fhir::json::parse;
use brasa::fhir::reference::Target;
use brasa::fhir::resource::Resource;
use serde_json::Value;
use std::collections::BTreeMap;

/// References that lead into another record lead to nothing afterwards.
pub fn keep_inside(resources: &mut BTreeMap<String, Value>) {
    let homes: BTreeMap<String, Compartment> =
        resources.iter().map(|(reference, resource)| (reference.clone(), home(resource))).collect();
    for (reference, resource) in resources {
        let of_record = reference.split('/').next().and_then(ResourceType::parse).is_some_and(in_patient_compartment);
        if of_record && !reference.starts_with("Patient/") {
            visit(resource, &|text| leaves(text, &homes, &homes[reference]));
        }
    }
}

fn home(resource: &Value) -> Compartment {
    let id = Id::parse(resource["id"].as_str().unwrap()).unwrap();
    let resource = Resource::from_json(parse(resource.to_string().as_bytes(), 50).unwrap()).unwrap();
    resource.residence(&id, Some(BASE)).home
}

fn leaves(text: &str, homes: &BTreeMap<String, Compartment>, own: &Compartment) -> bool {
    let Target::Local { resource_type, id, .. } = Target::parse(text, Some(BASE)) else { return false };
    let target = homes.get(&format!("{resource_type}/{id}"));
    resource_type != ResourceType::PATIENT
        && in_patient_compartment(resource_type)
        && target.is_some_and(|home| home != own)
}

fn visit(value: &mut Value, leaves: &dyn Fn(&str) -> bool) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, leaves)),
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(text) if name == "reference" && leaves(text) => {
                        *member = Value::from(format!("{}/0", text.split('/').next().unwrap()));
                    }
                    _ => visit(member, leaves),
                }
            }
        }
        _ => {}
    }
}
