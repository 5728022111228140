//! `$validate`, profiles that are stored, and the packages that they come in. <https://hl7.org/fhir/R4/profiling.html>

mod demanded;
mod operation;
mod package;
mod stored;

use crate::support::Answer;
use serde_json::{Value, json};

/// The issues of an OperationOutcome as `severity code place`.
pub fn issues(answer: &Answer) -> Vec<String> {
    let outcome = answer.json();
    assert_eq!(outcome["resourceType"], "OperationOutcome", "{}", answer.text);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = |issue: &Value| {
        let place = text(&issue["expression"][0]);
        format!("{} {} {place}", text(&issue["severity"]), text(&issue["code"])).trim_end().to_owned()
    };
    outcome["issue"].as_array().unwrap().iter().map(told).collect()
}

/// What the issues say, one a line.
pub fn sentences(answer: &Answer) -> String {
    let outcome = answer.json();
    let all = outcome["issue"].as_array().unwrap().iter().map(|issue| issue["diagnostics"].as_str().unwrap());
    all.collect::<Vec<_>>().join("\n")
}

pub const WELL: &str = "information informational";

/// A profile `http://p/{name}` of a type: the root, and these elements, with what R4 demands of each besides.
pub fn profile(name: &str, of: &str, elements: &[Value]) -> Value {
    let root = json!({"path": of, "min": 0, "max": "*"});
    let whole = |element: &Value| {
        let mut element = element.clone();
        let path = element["path"].as_str().unwrap().to_owned();
        let slice = element["sliceName"].as_str().map(|slice| format!(":{slice}")).unwrap_or_default();
        element["id"] = json!(format!("{path}{slice}"));
        element["definition"] = json!("x");
        element["base"] = json!({"path": path, "min": 0, "max": "*"});
        element
    };
    let elements: Vec<Value> = std::iter::once(&root).chain(elements).map(whole).collect();
    json!({"resourceType": "StructureDefinition", "id": name, "url": format!("http://p/{name}"), "name": name,
        "status": "active", "kind": "resource", "abstract": false, "type": of, "derivation": "constraint",
        "baseDefinition": format!("http://hl7.org/fhir/StructureDefinition/{of}"), "snapshot": {"element": elements}})
}

/// At least one of an element.
pub fn needed(path: &str) -> Value {
    json!({"path": path, "min": 1, "max": "*"})
}

pub fn patient(profile: &str, more: Value) -> Value {
    let mut patient = json!({"resourceType": "Patient", "meta": {"profile": [format!("http://p/{profile}")]},
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}});
    patient.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    patient
}
