//! May this resource exist? Its shape, its codes, its references and what R4 demands of them together.
//! <https://hl7.org/fhir/R4/validation.html>

mod code;
mod contained;
mod extension;
mod invariant;
mod place;
mod primitive;
pub mod profile;
mod reference;
mod report;
mod walk;

pub use invariant::prepare;
pub use report::{FINDINGS_MAX, Finding, Report, Severity};

use crate::fhir::resource::Resource;
use place::Place;
use walk::Walk;

/// How closely what is written is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Only whether each known element has the JSON shape that storing and searching need.
    Off,
    /// Also unknown elements, cardinalities, choices, the forms of values, and where references may lead.
    Structure,
    /// Also the codes of required value sets, and the invariants.
    Full,
}

/// Checks a resource against R4's own definitions.
pub fn check(resource: &Resource, level: Level) -> Report {
    let mut walk = Walk::new(level);
    walk.resource(resource.json(), resource.resource_type(), &Place::Top);
    walk.report
}

/// As closely as can be, with what is only bad practice.
pub fn review(resource: &Resource) -> Report {
    let mut walk = Walk::new(Level::Full);
    walk.wants_warnings = true;
    walk.resource(resource.json(), resource.resource_type(), &Place::Top);
    walk.report
}

#[cfg(test)]
mod tests;
