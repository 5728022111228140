//! The records of a demonstration: a practitioner, and a patient with a few measurements. None is about a person.

use crate::account::{DEMO_PATIENT, DEMO_PRACTITIONER};
use crate::auth;
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::interaction::request::{Conditions, Prefer, Request, Return};
use crate::interaction::route::Interaction;
use crate::interaction::{Context, handle};
use bytes::Bytes;
use serde_json::{Value, json};

/// Stores the records that are not there.
pub async fn make_records(context: &Context) -> Result<()> {
    for record in records() {
        match handle(context, &auth::of_server(), &put_if_absent(&record)?).await {
            Err(error) if error.kind != Kind::PreconditionFailed => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

fn put_if_absent(record: &Value) -> Result<Request> {
    let word = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let resource_type = ResourceType::parse(word("resourceType"));
    let resource_type = resource_type.ok_or_else(|| Error::internal("a record of the demonstration has no type"))?;
    let id = Id::parse(word("id"))?;
    Ok(Request {
        interaction: Interaction::Update(resource_type, id),
        query: Vec::new(),
        conditions: Conditions { if_none_match: Some("*".to_owned()), ..Conditions::default() },
        prefer: Prefer { returns: Some(Return::Minimal), strict: false },
        base: String::new(),
        body: Bytes::from(record.to_string()),
        id: "demo".to_owned(),
    })
}

fn records() -> Vec<Value> {
    let tag = json!({"tag": [{"system": "urn:brasa", "code": "demo"}]});
    let patient = json!({"reference": format!("Patient/{DEMO_PATIENT}")});
    let practitioner = json!({"reference": format!("Practitioner/{DEMO_PRACTITIONER}")});
    let observation = |name: &str, date: &str, code: (&str, &str), value: f64, unit: (&str, &str)| {
        json!({"resourceType": "Observation", "id": format!("demo-{name}"), "meta": tag, "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": code.0, "display": code.1}]},
            "subject": patient, "performer": [practitioner], "effectiveDateTime": date,
            "valueQuantity": {"value": value, "unit": unit.0, "system": "http://unitsofmeasure.org", "code": unit.1}})
    };
    vec![
        json!({"resourceType": "Practitioner", "id": DEMO_PRACTITIONER, "meta": tag,
            "name": [{"family": "Demo", "given": ["Médico"]}]}),
        json!({"resourceType": "Patient", "id": DEMO_PATIENT, "meta": tag, "gender": "female", "birthDate": "1980-05-17",
            "name": [{"family": "Demo", "given": ["Paciente"]}], "generalPractitioner": [practitioner]}),
        observation("weight", "2026-01-12T09:30:00Z", ("29463-7", "Body weight"), 64.5, ("kg", "kg")),
        observation("height", "2026-01-12T09:31:00Z", ("8302-2", "Body height"), 168.0, ("cm", "cm")),
        observation("temperature", "2026-03-02T16:05:00Z", ("8310-5", "Body temperature"), 37.2, ("°C", "Cel")),
    ]
}
