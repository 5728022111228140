//! The Composition of a summary, and what the summary adds that is stored nowhere.

use super::super::document::new_urn as urn;
use super::narrative::{escaped, narrative, table};
use super::section::Section;
use super::{Filled, Listed};
use crate::fhir::instant::{to_instant, to_millisecond};
use crate::fhir::json::{Json, Object};
use crate::interaction::request::Request;
use chrono::Utc;

const COMPOSITION_PROFILE: &str = "http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips";
const LOINC: &str = "http://loinc.org";
const ABSENT: &str = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips";
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
/// From the least to the most; what a resource without a label is, is normal.
const CONFIDENTIAL: &[&str] = &["N", "R", "V"];

/// The Composition and the resources beside it, each under its `urn:uuid:`.
pub struct Made {
    pub urn: String,
    pub composition: Object,
    pub further: Vec<(String, Object)>,
}

impl Made {
    pub fn of(request: &Request, patient: &Listed, sections: &[Filled], shared: &[Listed]) -> Made {
        let subject = address(request, patient);
        let author = urn();
        let mut further = vec![(author.clone(), server(request))];
        let mut told = Vec::new();
        for filled in sections {
            if let Some(section) = section(request, filled, shared, &subject, &mut further) {
                told.push(section);
            }
        }
        let all = || std::iter::once(patient).chain(sections.iter().flat_map(|filled| &filled.listed));
        let name = "International Patient Summary";
        let profiles = Json::Array(vec![Json::string(COMPOSITION_PROFILE)]);
        let mut composition = Object::new()
            .with_str("resourceType", "Composition")
            .with("meta", Object::new().with("profile", profiles).into())
            .with("text", narrative(&format!("<p>{name}</p>")))
            .with_str("status", "final")
            .with("type", concept(LOINC, "60591-5", "Patient summary Document"))
            .with("subject", reference(&subject))
            .with_str("date", to_instant(to_millisecond(Utc::now())))
            .with("author", Json::Array(vec![reference(&author)]))
            .with_str("title", name)
            .with_str("confidentiality", confidentiality(all().chain(shared)));
        if let Some(custodian) = custodian(request, patient, shared) {
            composition = composition.with("custodian", custodian);
        }
        Made { urn: urn(), composition: composition.with("section", Json::Array(told)), further }
    }
}

fn address(request: &Request, listed: &Listed) -> String {
    format!("{}/{}/{}", request.base, listed.stored.resource_type, listed.stored.id)
}

fn reference(to: &str) -> Json {
    Object::new().with_str("reference", to).into()
}

fn concept(system: &str, code: &str, display: &str) -> Json {
    let coding = Object::new().with_str("system", system).with_str("code", code).with_str("display", display);
    Object::new().with("coding", Json::Array(vec![coding.into()])).into()
}

/// The one who wrote it.
fn server(request: &Request) -> Object {
    let name = Object::new().with_str("name", "Brasa").with_str("type", "manufacturer-name");
    let version = Object::new().with_str("value", env!("CARGO_PKG_VERSION"));
    Object::new()
        .with_str("resourceType", "Device")
        .with_str("status", "active")
        .with("deviceName", Json::Array(vec![name.into()]))
        .with("version", Json::Array(vec![version.into()]))
        .with_str("url", &request.base)
}

/// Who keeps the record, as far as the Patient says it.
fn custodian(request: &Request, patient: &Listed, shared: &[Listed]) -> Option<Json> {
    let keeper = patient.resource.object().get("managingOrganization")?.as_object()?.get_str("reference")?;
    let named = |one: &&Listed| {
        let id = format!("{}/{}", one.stored.resource_type, one.stored.id);
        keeper == id || keeper.ends_with(&format!("/{id}"))
    };
    shared.iter().find(named).map(|one| reference(&address(request, one)))
}

/// As confidential as the most confidential of what is in it.
fn confidentiality<'l>(all: impl Iterator<Item = &'l Listed>) -> &'static str {
    let mut most = 0;
    for listed in all {
        let meta = listed.resource.object().get("meta").and_then(Json::as_object);
        let labels = meta.and_then(|meta| meta.get("security")).map(Json::items).unwrap_or_default();
        for label in labels.iter().filter_map(Json::as_object) {
            let is_one = label.get_str("system") == Some(CONFIDENTIALITY);
            let code = label.get_str("code").filter(|_| is_one);
            most = most.max(CONFIDENTIAL.iter().position(|known| Some(*known) == code).unwrap_or_default());
        }
    }
    CONFIDENTIAL.get(most).copied().unwrap_or("V")
}

/// `None`: a section that need not be there, and of which nothing is known.
fn section(
    request: &Request,
    filled: &Filled,
    shared: &[Listed],
    subject: &str,
    further: &mut Vec<(String, Object)>,
) -> Option<Json> {
    let Filled { section, listed } = filled;
    let (text, entries) = match (listed.as_slice(), section.absent) {
        ([], None) => return None,
        ([], Some(absent)) => {
            let urn = urn();
            further.push((urn.clone(), nothing_known(section, absent, subject)));
            (format!("<p>{}</p>", escaped(absent.1)), vec![reference(&urn)])
        }
        (listed, _) => (table(listed, shared), listed.iter().map(|one| reference(&address(request, one))).collect()),
    };
    let (code, display) = section.code;
    let told = Object::new()
        .with_str("title", section.title)
        .with("code", concept(LOINC, code, display))
        .with("text", narrative(&text))
        .with("entry", Json::Array(entries));
    Some(told.into())
}

/// What says that nothing is known, which is not that there is nothing.
fn nothing_known(section: &Section, (code, display): (&str, &str), subject: &str) -> Object {
    let status = |system: &str| concept(system, "active", "Active");
    let absent = concept(ABSENT, code, display);
    match section.types {
        ["AllergyIntolerance", ..] => Object::new()
            .with_str("resourceType", "AllergyIntolerance")
            .with("clinicalStatus", status("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"))
            .with("code", absent)
            .with("patient", reference(subject)),
        ["Condition", ..] => Object::new()
            .with_str("resourceType", "Condition")
            .with("clinicalStatus", status("http://terminology.hl7.org/CodeSystem/condition-clinical"))
            .with("code", absent)
            .with("subject", reference(subject)),
        _ => Object::new()
            .with_str("resourceType", "MedicationStatement")
            .with_str("status", "unknown")
            .with("medicationCodeableConcept", absent)
            .with("subject", reference(subject)),
    }
}
