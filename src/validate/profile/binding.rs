//! Codes against the value sets that a profile binds them to. <https://hl7.org/fhir/R4/terminologies.html#binding>

use super::check::{Check, Spot};
use super::codes::{self, Fit};
use super::model::{Binding, Profile};
use super::shelf::Desk;
use crate::fhir::json::{Json, Object};
use crate::fhirpath::Element;
use crate::fhirpath::value::Kind;
use crate::validate::report::Severity;

/// The codes of an element that can be bound.
pub enum Codes<'a> {
    /// A primitive: its system is the value set's affair.
    Plain(&'a str),
    /// Coding and Quantity, with the members that hold system and code.
    Coded(&'a Object),
    Concept(&'a Object),
}

pub trait Fits {
    fn fits(&self, desk: &Desk<'_>, value_set: &str) -> Fit;
}

pub fn codes_of<'a>(element: &Element<'a>) -> Option<Codes<'a>> {
    match (element.kind, element.type_name()) {
        (Kind::Primitive(_), _) => element.json.as_str().map(Codes::Plain),
        (_, "CodeableConcept") => element.json.as_object().map(Codes::Concept),
        (_, "Coding" | "Quantity") => element.json.as_object().map(Codes::Coded),
        _ => None,
    }
}

impl Fits for Codes<'_> {
    /// Of a concept one coding must be from the set.
    fn fits(&self, desk: &Desk<'_>, value_set: &str) -> Fit {
        match self {
            Codes::Plain(code) => codes::contains(desk, value_set, None, code),
            Codes::Coded(coding) => of_coding(desk, value_set, coding),
            Codes::Concept(concept) => {
                let codings = concept.get("coding").map(Json::items).unwrap_or_default();
                let fit =
                    |coding: &Json| coding.as_object().map_or(Fit::No, |coding| of_coding(desk, value_set, coding));
                Fit::any(codings.iter().map(fit))
            }
        }
    }
}

/// Without a system it is not said what a code means.
fn of_coding(desk: &Desk<'_>, value_set: &str, coding: &Object) -> Fit {
    match (coding.get_str("system"), coding.get_str("code")) {
        (Some(system), Some(code)) => codes::contains(desk, value_set, Some(system), code),
        _ => Fit::No,
    }
}

pub fn check(check: &mut Check<'_, '_>, profile: &Profile, bound: &Binding, spot: Spot<'_, '_>) {
    let Spot { element, place, .. } = spot;
    let Some(codes) = codes_of(&element) else { return };
    let is_silent = match &codes {
        Codes::Plain(_) => false,
        // What only says why it has no code passes, and one that is not required may be a text.
        Codes::Coded(object) => {
            object.get("code").is_none() && (!bound.is_required || object.get("extension").is_some())
        }
        Codes::Concept(object) => {
            object.get("coding").is_none() && (!bound.is_required || object.get("extension").is_some())
        }
    };
    if is_silent {
        return;
    }
    let value_set = &bound.value_set;
    match codes.fits(check.desk, value_set) {
        Fit::Yes => {}
        Fit::No if bound.is_required => {
            let message = format!("The profile wants a code of the value set {value_set} here, and this is none");
            check.fault("code-invalid", place, profile, &message);
        }
        Fit::No => {
            let message = format!(
                "The code is not of the value set {value_set}: one of its own is right only where that has none that fits ({}).",
                profile.url
            );
            check.say(Severity::Warning, "code-invalid", place, message);
        }
        Fit::Unknown => {
            let message = format!(
                "Whether codes are of the value set {value_set} was not checked: it is not known here, or only a terminology server knows its codes."
            );
            check.note("not-supported", place, message);
        }
    }
}
