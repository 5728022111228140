//! Stands in for composites until they come.

use super::super::entry::Entries;
use super::super::registry::{Branch, ParameterKind};
use crate::fhirpath::value::Value;

pub fn extract(
    branch: &Branch,
    _kinds: &[ParameterKind],
    values: &[Vec<Value<'_>>],
    base: Option<&str>,
    entries: &mut Entries,
) {
    values.iter().flatten().for_each(|value| super::extract(ParameterKind::Composite, branch, *value, base, entries));
}
