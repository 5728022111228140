//! Codes that must be from a value set. <https://hl7.org/fhir/R4/terminologies.html#required>

use super::place::Place;
use super::walk::Walk;
use crate::fhir::definitions::ValueSet;
use crate::fhir::json::{Json, Object};

pub fn check_code(walk: &mut Walk<'_>, code: &str, value_set: &ValueSet, place: &Place<'_>) {
    if value_set.contains(None, code) == Some(false) {
        let message = format!("The code is not in the value set {}: {}.", value_set.name, value_set.examples());
        walk.fault("code-invalid", place, message);
    }
}

/// Of a CodeableConcept one coding must be from the set; a text alone is none. What only says why it has no code passes.
pub fn check_concept(walk: &mut Walk<'_>, concept: &Object, value_set: &ValueSet, place: &Place<'_>) {
    let codings = concept.get("coding").map(Json::items).unwrap_or_default();
    if codings.is_empty() && concept.get("extension").is_some() {
        return;
    }
    let is_in = |coding: &Json| {
        let coding = coding.as_object()?;
        let code = coding.get_str("code")?;
        // Without a system it is not said what the code means.
        coding.get_str("system").map_or(Some(false), |system| value_set.contains(Some(system), code))
    };
    let is_unknown = value_set.contains(None, "").is_none();
    if !is_unknown && !codings.iter().any(|coding| is_in(coding) == Some(true)) {
        let message = format!(
            "One coding must be from the value set {}, with its system: {}.",
            value_set.name,
            value_set.examples()
        );
        walk.fault("code-invalid", place, message);
    }
}
