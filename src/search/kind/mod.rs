//! The kinds of search parameters: what each remembers of a value, and what each can be asked. <https://hl7.org/fhir/R4/search.html#ptypes>
//!
//! Each file holds both halves, since they must agree: `extract` makes entries, `parse` makes clauses over them.

pub mod composite;
pub mod date;
pub mod escape;
#[cfg(test)]
pub(crate) mod fixture;
pub mod number;
pub mod prefix;
pub mod quantity;
pub mod reference;
pub mod special;
pub mod string;
pub mod token;
pub mod uri;

use super::clause::{Clause, Predicate};
use super::entry::Entries;
use super::registry::{Branch, Parameter, ParameterKind};
use crate::fhirpath::value::Value;

/// What a value is read against besides its parameter.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// This server's own address: references that start with it are local.
    pub base: Option<&'a str>,
    /// The time of the request, in microseconds since 1970 UTC: what `ap` measures a date's distance from.
    pub now: i64,
}

/// Why a condition cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The parameter's kind has no such modifier, or this server does not support it.
    UnknownModifier(String),
    /// The value cannot be read; a sentence that says what was expected.
    Value(String),
}

impl Refusal {
    pub(crate) fn value(message: impl Into<String>) -> Refusal {
        Refusal::Value(message.into())
    }
}

/// Remembers one value that a branch of a parameter of this kind leads to. Composites have their own:
/// [`composite::extract`].
pub fn extract(kind: ParameterKind, branch: &Branch, value: Value<'_>, base: Option<&str>, entries: &mut Entries) {
    match kind {
        ParameterKind::String => string::extract(branch, value, base, entries),
        ParameterKind::Token => token::extract(branch, value, base, entries),
        ParameterKind::Reference => reference::extract(branch, value, base, entries),
        ParameterKind::Date => date::extract(branch, value, base, entries),
        ParameterKind::Number => number::extract(branch, value, base, entries),
        ParameterKind::Quantity => quantity::extract(branch, value, base, entries),
        ParameterKind::Uri => uri::extract(branch, value, base, entries),
        ParameterKind::Special => special::extract(branch, value, base, entries),
        ParameterKind::Composite => {}
    }
}

/// The condition of a parameter with all its alternatives, which are still escaped: `a,b` is `["a", "b"]`.
///
/// # Errors
/// [`Refusal`] for a modifier that this kind does not have, and for the first value that cannot be read.
pub fn parse_all(
    parameter: &Parameter,
    modifier: Option<&str>,
    values: &[&str],
    asked: &Asked<'_>,
) -> Result<Clause, Refusal> {
    let alternatives: Result<_, _> = values.iter().map(|value| parse(parameter, modifier, value, asked)).collect();
    let clause = Clause::any(alternatives?);
    // `code:not=a,b` is neither a nor b, so the negation stands outside.
    let is_negative = parameter.kind == ParameterKind::Token && matches!(modifier, Some("not" | "not-in"));
    Ok(if is_negative { clause.negated() } else { clause })
}

/// One alternative, over all branches. Of `:not` and `:not-in` the positive: [`parse_all`] negates.
///
/// # Errors
/// As [`parse_all`].
pub fn parse(parameter: &Parameter, modifier: Option<&str>, text: &str, asked: &Asked<'_>) -> Result<Clause, Refusal> {
    if parameter.branches.is_empty() {
        return Err(Refusal::value("This parameter has no expression on this type, so nothing can be found by it."));
    }
    if modifier == Some("missing") && parameter.kind != ParameterKind::Composite {
        return missing(parameter, text);
    }
    if parameter.kind == ParameterKind::Token && matches!(modifier, Some("in" | "not-in")) {
        return token::in_value_set(&parameter.branches, text);
    }
    let branches = parameter.branches.iter().map(|branch| parse_branch(parameter, branch, modifier, text, asked));
    Ok(Clause::any(branches.collect::<Result<_, _>>()?))
}

fn parse_branch(
    parameter: &Parameter,
    branch: &Branch,
    modifier: Option<&str>,
    text: &str,
    asked: &Asked<'_>,
) -> Result<Clause, Refusal> {
    match parameter.kind {
        ParameterKind::String => string::parse(branch, modifier, text),
        ParameterKind::Token => token::parse(branch, modifier, text),
        ParameterKind::Reference => reference::parse(parameter, branch, modifier, text, asked),
        ParameterKind::Date => date::parse(branch, modifier, text, asked),
        ParameterKind::Number => number::parse(branch, modifier, text),
        ParameterKind::Quantity => quantity::parse(branch, modifier, text),
        ParameterKind::Uri => uri::parse(branch, modifier, text),
        ParameterKind::Composite => composite::parse(parameter, branch, modifier, text, asked),
        ParameterKind::Special => special::parse(parameter, modifier, text),
    }
}

fn missing(parameter: &Parameter, text: &str) -> Result<Clause, Refusal> {
    let places = parameter.branches.iter().map(|branch| Predicate::Present(branch.place(parameter.kind)));
    let present = Clause::any(places.map(Clause::Match).collect());
    match text {
        "true" => Ok(present.negated()),
        "false" => Ok(present),
        _ => Err(Refusal::value("':missing' asks for 'true' or 'false'.")),
    }
}

/// Refuses any modifier: for kinds that have none but `:missing`.
fn no_modifier(modifier: Option<&str>) -> Result<(), Refusal> {
    modifier.map_or(Ok(()), |modifier| Err(Refusal::UnknownModifier(modifier.to_owned())))
}
