//! The sections of a summary, and which resources belong into which.
//! <http://hl7.org/fhir/uv/ips/STU1.1/StructureDefinition-Composition-uv-ips.html>

use crate::fhir::json::{Json, Object};
use crate::fhir::resource::Resource;

/// A section of the Composition.
#[derive(Debug)]
pub struct Section {
    pub title: &'static str,
    /// LOINC's code and display.
    pub code: (&'static str, &'static str),
    pub types: &'static [&'static str],
    /// Of a required section: what is entered where nothing is known, a code of IPS with its display.
    pub absent: Option<(&'static str, &'static str)>,
}

const fn section(
    title: &'static str,
    code: (&'static str, &'static str),
    types: &'static [&'static str],
    absent: Option<(&'static str, &'static str)>,
) -> Section {
    Section { title, code, types, absent }
}

/// In the order of the document.
pub const SECTIONS: &[Section] = &[
    section(
        "Problems",
        ("11450-4", "Problem list - Reported"),
        &["Condition"],
        Some(("no-problem-info", "No information about problems")),
    ),
    section(
        "Allergies and Intolerances",
        ("48765-2", "Allergies and adverse reactions Document"),
        &["AllergyIntolerance"],
        Some(("no-allergy-info", "No information about allergies")),
    ),
    section(
        "Medications",
        ("10160-0", "History of Medication use Narrative"),
        &["MedicationStatement", "MedicationRequest"],
        Some(("no-medication-info", "No information about medications")),
    ),
    section("Immunizations", ("11369-6", "History of Immunization Narrative"), &["Immunization"], None),
    section("Procedures", ("47519-4", "History of Procedures Document"), &["Procedure"], None),
    section("Medical Devices", ("46264-8", "History of medical device use"), &["DeviceUseStatement"], None),
    section(
        "Results",
        ("30954-2", "Relevant diagnostic tests/laboratory data Narrative"),
        &["DiagnosticReport", "Observation"],
        None,
    ),
    section("Vital Signs", ("8716-3", "Vital signs"), &["Observation"], None),
    section("Past Illnesses", ("11348-0", "History of Past illness Narrative"), &["Condition"], None),
    section("Social History", ("29762-2", "Social history Narrative"), &["Observation"], None),
];

const PROBLEMS: usize = 0;
const ALLERGIES: usize = 1;
const MEDICATIONS: usize = 2;
const IMMUNIZATIONS: usize = 3;
const PROCEDURES: usize = 4;
const DEVICES: usize = 5;
const RESULTS: usize = 6;
const VITAL_SIGNS: usize = 7;
const PAST: usize = 8;
const SOCIAL: usize = 9;

/// Of each of these one type at least must be open to who asks.
pub const REQUIRED: &[&[&str]] =
    &[&["Condition"], &["AllergyIntolerance"], &["MedicationStatement", "MedicationRequest"]];

/// The categories of Observations that a summary has.
pub const CATEGORIES: &str = "laboratory,vital-signs,social-history";

/// The place among [`SECTIONS`] of a resource; `None`: a summary does not tell of it.
pub fn section_of(resource: &Resource) -> Option<usize> {
    let object = resource.object();
    let status = object.get_str("status").unwrap_or_default();
    let is = |allowed: &[&str]| allowed.contains(&status);
    match resource.resource_type().as_str() {
        "Condition" if !is_refuted(object) => match first_code(object, "clinicalStatus") {
            Some("inactive" | "remission" | "resolved") => Some(PAST),
            _ => Some(PROBLEMS),
        },
        "AllergyIntolerance" if !is_refuted(object) => Some(ALLERGIES),
        "MedicationStatement" if is(&["active", "intended", "unknown", "on-hold"]) => Some(MEDICATIONS),
        "MedicationRequest" if is(&["active", "on-hold", "unknown"]) => Some(MEDICATIONS),
        "Immunization" if is(&["completed"]) => Some(IMMUNIZATIONS),
        "Procedure" if is(&["completed", "in-progress", "unknown"]) => Some(PROCEDURES),
        "DeviceUseStatement" if is(&["active", "completed", "intended", "on-hold"]) => Some(DEVICES),
        "DiagnosticReport" if is(&["final", "amended", "corrected", "appended", "preliminary"]) => Some(RESULTS),
        "Observation" if is(&["final", "amended", "corrected", "preliminary", "registered"]) => of_category(object),
        _ => None,
    }
}

/// What turned out wrong is not told on.
fn is_refuted(object: &Object) -> bool {
    matches!(first_code(object, "verificationStatus"), Some("refuted" | "entered-in-error"))
}

fn of_category(object: &Object) -> Option<usize> {
    let categories = object.get("category").map(Json::items).unwrap_or_default();
    let codes = categories.iter().filter_map(Json::as_object).flat_map(codes);
    codes.into_iter().find_map(|code| match code {
        "laboratory" => Some(RESULTS),
        "vital-signs" => Some(VITAL_SIGNS),
        "social-history" => Some(SOCIAL),
        _ => None,
    })
}

fn codes(concept: &Object) -> Vec<&str> {
    let codings = concept.get("coding").map(Json::items).unwrap_or_default();
    codings.iter().filter_map(|coding| coding.as_object()?.get_str("code")).collect()
}

fn first_code<'o>(object: &'o Object, name: &str) -> Option<&'o str> {
    codes(object.get(name)?.as_object()?).into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::definitions::ResourceType;

    fn title(text: &str) -> Option<&'static str> {
        let resource = Resource::read(text.as_bytes(), 0..text.len(), 64).unwrap();
        section_of(&resource).map(|place| SECTIONS[place].title)
    }

    #[test]
    fn each_resource_is_in_the_section_that_its_status_and_category_say() {
        for (text, expected) in [
            (r#"{"resourceType":"Condition"}"#, Some("Problems")),
            (
                r#"{"resourceType":"Condition","clinicalStatus":{"coding":[{"code":"resolved"}]}}"#,
                Some("Past Illnesses"),
            ),
            (r#"{"resourceType":"Condition","verificationStatus":{"coding":[{"code":"refuted"}]}}"#, None),
            (r#"{"resourceType":"AllergyIntolerance"}"#, Some("Allergies and Intolerances")),
            (r#"{"resourceType":"MedicationRequest","status":"active"}"#, Some("Medications")),
            (r#"{"resourceType":"MedicationRequest","status":"stopped"}"#, None),
            (r#"{"resourceType":"Immunization","status":"not-done"}"#, None),
            (
                r#"{"resourceType":"Observation","status":"final","category":[{"coding":[{"code":"vital-signs"}]}]}"#,
                Some("Vital Signs"),
            ),
            (r#"{"resourceType":"Observation","status":"final"}"#, None),
            (
                r#"{"resourceType":"Observation","status":"entered-in-error","category":[{"coding":[{"code":"laboratory"}]}]}"#,
                None,
            ),
        ] {
            assert_eq!(title(text), expected, "{text}");
        }
        for section in SECTIONS {
            assert!(section.types.iter().all(|name| ResourceType::parse(name).is_some()), "{section:?}");
        }
    }
}
