//! What invariants may ask of value sets and profiles. <https://hl7.org/fhir/R4/fhirpath.html#functions>

use super::binding::{Fits, codes_of};
use super::check::{Check, Spot};
use super::codes::Fit;
use super::shelf::Desk;
use crate::fhirpath::{Item, Knowledge, Value};
use crate::validate::place::Place;
use crate::validate::walk::Scope;
use chrono::{DateTime, FixedOffset};

/// `conformsTo` in an invariant of a profile that `conformsTo` led to.
const DEPTH_MAX: usize = 8;

pub struct Knower<'c, 'a> {
    pub desk: &'c Desk<'c>,
    pub top: Value<'a>,
    pub now: Option<DateTime<FixedOffset>>,
    pub depth: usize,
}

impl Knowledge for Knower<'_, '_> {
    fn member_of(&self, item: &Item<'_>, value_set: &str) -> Option<bool> {
        let fit = match item {
            Item::Element(element) => codes_of(element)?.fits(self.desk, value_set),
            other => super::codes::contains(self.desk, value_set, None, other.text()?),
        };
        told(fit)
    }

    fn conforms_to(&self, item: &Item<'_>, profile: &str) -> Option<bool> {
        if self.depth >= DEPTH_MAX {
            return None;
        }
        let element = item.element()?;
        let value = Value { json: element.json, kind: element.kind };
        let mut check = Check::new(self.desk, self.top, self.now);
        check.depth = self.depth + 1;
        let scope = Scope { resource: value, outermost: value };
        told(check.conforms(profile, Spot::root(element, &Place::Top, scope)))
    }
}

fn told(fit: Fit) -> Option<bool> {
    match fit {
        Fit::Yes => Some(true),
        Fit::No => Some(false),
        Fit::Unknown => None,
    }
}
