//! R4's operations over HTTP. <https://hl7.org/fhir/R4/operations.html>

mod documents;
mod everything;
mod expunge;
mod meta;
mod observations;
mod offered;
mod plans;

use crate::support::Answer;
use serde_json::Value;

/// `Type/id` of a Bundle's entries with this search mode, or of all of them, in the order of the alphabet.
pub fn entries(answer: &Answer, mode: Option<&str>) -> Vec<String> {
    let wanted = answer.entries().into_iter().filter(|entry| mode.is_none_or(|mode| entry["search"]["mode"] == mode));
    let name = |part: &Value, member: &str| part[member].as_str().unwrap_or_default().to_owned();
    let mut names: Vec<String> = wanted
        .map(|entry| format!("{}/{}", name(&entry["resource"], "resourceType"), name(&entry["resource"], "id")))
        .collect();
    names.sort();
    names
}
