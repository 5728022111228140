//! What profiles demand beyond the base definitions. <https://hl7.org/fhir/R4/profiling.html>
//!
//! A profile is read once, to a tree of rules that leaves out what the base says (`read`), and held against the elements
//! beside their base definitions (`check`). What a profile leads to (value sets, profiles of datatypes and extensions) is
//! asked of a shelf, and only when an element is there that it is about (docs/decisions/0024-profiles.md).

mod allowance;
mod binding;
mod canonical;
mod check;
mod codes;
mod known;
mod model;
mod read;
mod shelf;
mod slices;
mod types;
mod value;

pub use canonical::base_type;
pub use shelf::{Definition, Empty, Found, Kind, Shelf, Wanted};

use super::place::Place;
use super::report::{Report, Severity};
use super::walk::Scope;
use crate::fhir::json::{Json, Object};
use crate::fhir::resource::Resource;
use crate::fhirpath::{Element, Value};
use check::{Check, Spot};
use chrono::{DateTime, FixedOffset};
use shelf::Desk;
use std::collections::BTreeSet;

/// What a resource is held against.
pub struct Against<'a> {
    pub shelf: &'a dyn Shelf,
    /// Profiles that are named by whoever asks; the resource itself is held against them.
    pub named: &'a [String],
    /// Whether a profile that is not known is an error.
    pub must_be_known: bool,
    /// What `now()` tells to invariants.
    pub now: Option<DateTime<FixedOffset>>,
}

/// What came of it.
pub struct Held {
    pub report: Report,
    /// What nobody looked for yet, without which the report is not whole.
    pub missed: BTreeSet<Wanted>,
}

/// Whether a resource, or one inside it, claims a profile besides the base definitions.
pub fn claims_any(resource: &Resource) -> bool {
    let mut any = false;
    each_resource(resource.json(), &Place::Top, &mut |object, _, _| any |= claimed(object).next().is_some());
    any
}

/// Holds a resource, and those inside it, against the profiles that each claims in `meta.profile`, and the resource against
/// those that are named.
pub fn hold(resource: &Resource, against: &Against<'_>) -> Held {
    let desk = Desk::of(against.shelf);
    let Some(top) = Value::resource(resource.json()) else {
        return Held { report: Report::default(), missed: BTreeSet::new() };
    };
    let mut check = Check::new(&desk, top, against.now);
    let missing = if against.must_be_known { Severity::Error } else { Severity::Warning };
    let outermost = Scope { resource: top, outermost: top };
    for canonical in against.named {
        check.hold(canonical, Spot::root(Element::from(top), &Place::Top, outermost), missing);
    }
    let mut container = top;
    each_resource(resource.json(), &Place::Top, &mut |object, json, place| {
        let Some(value) = Value::resource(json) else { return };
        let is_contained = matches!(place, Place::Item(Place::Member(_, "contained"), _));
        container = if is_contained { container } else { value };
        let scope = Scope { resource: value, outermost: container };
        for canonical in claimed(object) {
            let is_named = place.is_top() && against.named.iter().any(|named| named == canonical);
            if !is_named {
                check.hold(canonical, Spot::root(Element::from(value), place, scope), missing);
            }
        }
    });
    check.tell_exceeded(&Place::Top);
    let report = check.report;
    Held { report, missed: desk.into_missed() }
}

/// The profiles in `meta.profile` that are no base definitions.
fn claimed(resource: &Object) -> impl Iterator<Item = &str> {
    let meta = resource.get("meta").and_then(Json::as_object);
    let profiles = meta.and_then(|meta| meta.get("profile")).map(Json::items).unwrap_or_default();
    profiles.iter().filter_map(Json::as_str).filter(|canonical| base_type(canonical).is_none())
}

/// The resource and all that are inside it: contained, in entries, in parameters.
fn each_resource<'a>(json: &'a Json, place: &Place<'_>, found: &mut dyn FnMut(&'a Object, &'a Json, &Place<'_>)) {
    let Json::Object(object) = json else { return };
    found(object, json, place);
    inside(object, place, found);
}

fn inside<'a>(object: &'a Object, place: &Place<'_>, found: &mut dyn FnMut(&'a Object, &'a Json, &Place<'_>)) {
    for (name, value) in object.iter() {
        let place = Place::Member(place, name);
        match (name, value) {
            ("resource" | "outcome", Json::Object(_)) => each_resource(value, &place, found),
            ("contained" | "entry" | "parameter" | "part", Json::Array(items)) => {
                for (position, item) in items.iter().enumerate() {
                    let place = Place::Item(&place, position);
                    match item {
                        Json::Object(inner) if name == "contained" => {
                            found(inner, item, &place);
                        }
                        Json::Object(inner) => inside(inner, &place, found),
                        _ => {}
                    }
                }
            }
            ("response", Json::Object(inner)) => inside(inner, &place, found),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
