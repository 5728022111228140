//! The leading date of a type: the one that most searches ask for, so that it is kept in the resource's own row.

use super::build::merged;
use super::{Branch, Parameter, ParameterKind};
use crate::fhirpath::Place;
use std::sync::Arc;

/// The first of these that a type has with one value at most is its leading date. A change makes every index stale.
const PREFERENCE: [&str; 24] = [
    "date",
    "authoredon",
    "authored-on",
    "authored",
    "datewritten",
    "onset-date",
    "recorded-date",
    "whenhandedover",
    "effective",
    "effective-time",
    "period",
    "started",
    "start",
    "start-date",
    "created",
    "issued",
    "sent",
    "recorded",
    "occurrence",
    "collected",
    "datetime",
    "identified",
    "timestamp",
    "birthdate",
];

/// Makes the branches of the leading date one, marks it, and puts its parameter first.
pub(super) fn mark(parameters: &mut Vec<Parameter>) {
    let find = |code: &&str| parameters.iter().position(|one| one.code == **code && holds_one_date(one));
    let Some(place) = PREFERENCE.iter().find_map(find) else { return };
    let mut leading = parameters.remove(place);
    let branch = merged(&leading).map(|branch| Branch { is_leading_date: true, ..branch });
    leading.branches = branch.into_iter().map(Arc::new).collect();
    parameters.insert(0, leading);
}

/// Whether a resource has at most one value: all places are one element of one value, each a type of its choice.
fn holds_one_date(parameter: &Parameter) -> bool {
    let places: Vec<_> = parameter
        .branches
        .iter()
        .flat_map(|branch| branch.expression.places(parameter.base).unwrap_or_default())
        .collect();
    let is_same = |pair: &[Place]| match pair {
        [one, other] => one.choice.is_some() && one.choice == other.choice && one.parent() == other.parent(),
        _ => true,
    };
    parameter.kind == ParameterKind::Date
        && !places.is_empty()
        && places.iter().all(|place| !place.is_list)
        && places.windows(2).all(is_same)
}
