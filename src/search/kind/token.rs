//! Tokens: codes with or without their system, identifiers, booleans. <https://hl7.org/fhir/R4/search.html#token>

use super::super::clause::{Clause, Pending, Predicate, SystemMatch};
use super::super::entry::{Entries, TokenEntry};
use super::super::hash::{hash32, hash64};
use super::super::registry::{Branch, ParameterKind};
use super::escape::{split, unescape};
use super::{Refusal, string};
use crate::fhir::json::Json;
use crate::fhirpath::value::{Kind, Value};
use smol_str::SmolStr;

/// What one value is found by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coded<'a> {
    pub system: Option<&'a str>,
    /// `None` for a coding that has only a system.
    pub code: Option<&'a str>,
}

/// Codes and identifiers; what people read of them, for `:text`; the type of an identifier, for `:of-type`.
pub fn extract(branch: &Branch, value: Value<'_>, _base: Option<&str>, entries: &mut Entries) {
    let before = entries.tokens.len();
    entries.tokens.extend(codings(value).map(|coded| entry(branch, coded)));
    entries.tokens.extend(typed(branch, value));
    if entries.tokens.len() == before {
        entries.tokens.push(present(branch, None));
    }
    let texts = texts(value).filter_map(|text| string::entry(text_param(branch), text, None));
    for text in texts {
        // A display often repeats the text.
        if !entries.strings.contains(&text) {
            entries.strings.push(text);
        }
    }
}

fn entry(branch: &Branch, coded: Coded<'_>) -> TokenEntry {
    let system = coded.system.map(system_hash);
    let Some(code) = coded.code else { return present(branch, system) };
    let token = branch.hash ^ value_hash(code, branch.is_identifier);
    TokenEntry { token, param: branch.param, system, code: Some(SmolStr::new(code)) }
}

/// Stands for a value that no code finds, so that `:missing` knows of it.
pub(super) fn present(branch: &Branch, system: Option<i32>) -> TokenEntry {
    TokenEntry { token: branch.hash ^ hash64(&["present"]), param: branch.param, system, code: None }
}

pub(super) fn codings<'a>(value: Value<'a>) -> impl Iterator<Item = Coded<'a>> {
    let (one, many) = match (value.kind, value.type_name()) {
        (Kind::Primitive(_), _) => (primitive(value.json), None),
        (_, "Coding") => (coding(value.child_str("system"), value.child_str("code")), None),
        (_, "Identifier") => (coding(value.child_str("system"), value.child_str("value")), None),
        (_, "ContactPoint") => (coding(None, value.child_str("value")), None),
        (_, "CodeableConcept") => (None, Some(value.children("coding"))),
        _ => (None, None),
    };
    let many = many.into_iter().flatten();
    one.into_iter().chain(many.filter_map(|one| coding(one.child_str("system"), one.child_str("code"))))
}

fn coding<'a>(system: Option<&'a str>, code: Option<&'a str>) -> Option<Coded<'a>> {
    (system.is_some() || code.is_some()).then_some(Coded { system, code })
}

fn primitive(json: &Json) -> Option<Coded<'_>> {
    let code = match json {
        Json::String(text) | Json::Number(text) => text.as_str(),
        Json::Bool(true) => "true",
        Json::Bool(false) => "false",
        _ => return None,
    };
    coding(None, Some(code))
}

/// An identifier once more with each code of its type.
fn typed(branch: &Branch, value: Value<'_>) -> Vec<TokenEntry> {
    let of = if value.type_name() == "Identifier" { value.child_str("value") } else { None };
    let types = value.children("type").flat_map(|kind| kind.children("coding"));
    let typed = types.filter_map(|coding| {
        let hash = of_type_hash(coding.child_str("system")?, coding.child_str("code")?, of?);
        Some(TokenEntry { token: branch.hash ^ hash, param: branch.param, system: None, code: None })
    });
    typed.collect()
}

fn of_type_hash(system: &str, code: &str, value: &str) -> i64 {
    hash64(&["of-type", system, code, value])
}

/// `CodeableConcept.text`, `Coding.display` and `Identifier.type.text`.
fn texts<'a>(value: Value<'a>) -> impl Iterator<Item = &'a str> {
    let concept = match value.type_name() {
        "Identifier" => value.children("type").next(),
        _ => Some(value),
    };
    let (own, codings) = match concept.map(|concept| (concept, concept.type_name())) {
        Some((concept, "CodeableConcept")) => (concept.child_str("text"), Some(concept.children("coding"))),
        Some((coding, "Coding")) => (coding.child_str("display"), None),
        _ => (None, None),
    };
    own.into_iter().chain(codings.into_iter().flatten().filter_map(|coding| coding.child_str("display")))
}

fn text_param(branch: &Branch) -> i64 {
    hash64(&["text", &branch.text])
}

/// What a code, XOR the branch's hash, is found by. Codes match without regard to case, as R4 advises when in doubt;
/// identifiers do not, since two people must never become one by it.
pub fn value_hash(code: &str, is_identifier: bool) -> i64 {
    match is_identifier {
        true => hash64(&["identifier", code]),
        false => hash64(&["code", &code.to_lowercase()]),
    }
}

pub fn system_hash(system: &str) -> i32 {
    hash32(&["system", system])
}

/// A code with its system, each `None` when the value does not say: `code`, `system|code`, `|code`, `system|`.
#[derive(Debug, PartialEq)]
pub(super) struct Query {
    /// `Some("")`: the value has no system.
    pub system: Option<String>,
    pub code: Option<String>,
}

impl Query {
    pub fn parse(text: &str) -> Result<Query, Refusal> {
        let given = |text: &str| Some(unescape(text)).filter(|text| !text.is_empty());
        let query = match split(text, '|').as_slice() {
            [code] => Query { system: None, code: given(code) },
            [system, code] => Query { system: Some(unescape(system)), code: given(code) },
            _ => {
                return Err(Refusal::value(
                    r"A code was expected, or system|code; a '|' inside of one is written '\|'.",
                ));
            }
        };
        let names_something = query.code.is_some() || query.system.as_deref().is_some_and(|system| !system.is_empty());
        names_something.then_some(query).ok_or_else(|| Refusal::value("A code was expected, or system|code."))
    }

    pub fn system_match(&self) -> SystemMatch {
        match self.system.as_deref() {
            None => SystemMatch::Any,
            Some("") => SystemMatch::None,
            Some(system) => SystemMatch::Is(system_hash(system)),
        }
    }

    /// Over the tokens of a branch, which are made from `hash`.
    pub fn clause(&self, branch: &Branch, hash: i64, is_identifier: bool) -> Clause {
        // The system of a primitive code is implied and not stored: what the query names is taken for it.
        let system = if branch.is_code { SystemMatch::Any } else { self.system_match() };
        Clause::Match(match (&self.code, system) {
            (Some(code), system) => Predicate::Token { token: hash ^ value_hash(code, is_identifier), system },
            (None, SystemMatch::Is(system)) => Predicate::InSystem { param: branch.param, system },
            (None, _) => Predicate::Present(branch.place(ParameterKind::Token)),
        })
    }
}

/// Of `:not` and `:not-in` the positive.
pub fn parse(branch: &Branch, modifier: Option<&str>, text: &str) -> Result<Clause, Refusal> {
    match modifier {
        None | Some("not") => Ok(Query::parse(text)?.clause(branch, branch.hash, branch.is_identifier)),
        Some("text") => string::clause(text_param(branch), SystemMatch::Any, None, text),
        Some("of-type") => of_type(branch, text),
        Some("in" | "not-in") => in_value_set(branch, text),
        Some(other) => Err(Refusal::UnknownModifier(other.to_owned())),
    }
}

fn of_type(branch: &Branch, text: &str) -> Result<Clause, Refusal> {
    let parts: Vec<String> = split(text, '|').into_iter().map(unescape).collect();
    let [system, code, value] = parts.as_slice() else {
        return Err(Refusal::value("':of-type' asks for system|code|value: the identifier's type and its value."));
    };
    if system.is_empty() || code.is_empty() || value.is_empty() {
        return Err(Refusal::value("':of-type' asks for system|code|value, and none of them may be empty."));
    }
    let token = branch.hash ^ of_type_hash(system, code, value);
    Ok(Clause::Match(Predicate::Token { token, system: SystemMatch::Any }))
}

fn in_value_set(branch: &Branch, text: &str) -> Result<Clause, Refusal> {
    let value_set = unescape(text);
    if value_set.is_empty() {
        return Err(Refusal::value("The address of a ValueSet was expected."));
    }
    let branches = vec![(branch.hash, branch.param)];
    Ok(Clause::Pending(Pending::InValueSet { branches, value_set: value_set.into() }))
}

/// One member of a ValueSet, for a branch of [`Pending::InValueSet`]. A primitive code has no system of its own.
pub fn member(branch_hash: i64, system: Option<&str>, code: &str) -> Clause {
    let token = branch_hash ^ value_hash(code, false);
    let of = |system| Clause::Match(Predicate::Token { token, system });
    match system {
        None => of(SystemMatch::Any),
        Some(system) => Clause::Any(vec![of(SystemMatch::Is(system_hash(system))), of(SystemMatch::None)]),
    }
}
