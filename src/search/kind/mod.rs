//! Stands in for the kinds of search parameters until they come: a token for each value.

pub mod composite;

use super::entry::{Entries, TokenEntry};
use super::registry::{Branch, ParameterKind};
use crate::fhirpath::value::Value;

pub fn extract(_kind: ParameterKind, branch: &Branch, _value: Value<'_>, _base: Option<&str>, entries: &mut Entries) {
    entries.tokens.push(TokenEntry { token: branch.hash, param: branch.param, system: None, code: None });
}
