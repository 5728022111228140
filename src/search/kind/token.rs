//! Tokens: codes with or without their system, identifiers, booleans. <https://hl7.org/fhir/R4/search.html#token>

use super::super::clause::{Clause, IdentifierText, Pending, Predicate, SystemMatch, Under};
use super::super::entry::{Entries, TokenEntry};
use super::super::hash::{hash32, hash64};
use super::super::registry::{Branch, ParameterKind};
use super::escape::{split, unescape};
use super::{Refusal, string};
use crate::fhir::json::Json;
use crate::fhirpath::value::{Kind, Value};
use smol_str::SmolStr;
use std::sync::Arc;

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
    entries.strings.extend(texts(value).filter_map(|text| string::entry(text_param(branch), text, None)));
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

    /// The identifier itself, for those that have a table of their own.
    fn identifier(&self, branch: &Branch, value: &str) -> Option<Box<IdentifierText>> {
        let is_own = branch.only.is_some_and(|only| branch.text.strip_prefix(only.as_str()) == Some(".identifier"));
        is_own
            .then(|| Box::new(IdentifierText { system: self.system.as_deref().map(SmolStr::new), value: value.into() }))
    }

    /// Over the tokens of a branch, which are made from `hash`.
    pub fn clause(&self, branch: &Branch, hash: i64, is_identifier: bool) -> Clause {
        // The system of a primitive code is implied and not stored: what the query names is taken for it.
        let system = if branch.is_code { SystemMatch::Any } else { self.system_match() };
        Clause::Match(match (&self.code, system) {
            (Some(code), system) => {
                let (token, only) = (hash ^ value_hash(code, is_identifier), branch.only);
                Predicate::Token { token, system, only, identifier: self.identifier(branch, code) }
            }
            (None, SystemMatch::Is(system)) => Predicate::InSystem { param: branch.param, system },
            (None, _) => Predicate::Present(branch.place(ParameterKind::Token)),
        })
    }
}

/// Of `:not` the positive.
pub fn parse(branch: &Branch, modifier: Option<&str>, text: &str) -> Result<Clause, Refusal> {
    match modifier {
        None | Some("not") => Ok(Query::parse(text)?.clause(branch, branch.hash, branch.is_identifier)),
        Some("text") => string::clause(Under { param: text_param(branch), ..Under::of(branch) }, None, text),
        Some("of-type") => of_type(branch, text),
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
    Ok(Clause::Match(Predicate::Token { token, system: SystemMatch::Any, only: branch.only, identifier: None }))
}

/// Of all branches at once, since the ValueSet is looked up but once.
pub(super) fn in_value_set(branches: &[Arc<Branch>], text: &str) -> Result<Clause, Refusal> {
    let value_set = unescape(text);
    if value_set.is_empty() {
        return Err(Refusal::value("The address of a ValueSet was expected."));
    }
    let branches = branches.iter().map(|branch| (branch.hash, branch.param)).collect();
    Ok(Clause::Pending(Pending::InValueSet { branches, value_set: value_set.into() }))
}

/// Members of a ValueSet in one system, for a branch of [`Pending::InValueSet`]. A value without a system is taken to be
/// of the members', for so a primitive code is stored.
pub fn members<'c>(branch_hash: i64, system: Option<&str>, codes: impl Iterator<Item = &'c str>) -> Clause {
    let tokens: Vec<i64> = codes.map(|code| branch_hash ^ value_hash(code, false)).collect();
    let of = |system| Clause::Match(Predicate::TokenIn { tokens: tokens.clone(), system });
    match system {
        None => of(SystemMatch::Any),
        Some(system) => Clause::Any(vec![of(SystemMatch::Is(system_hash(system))), of(SystemMatch::None)]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{ASKED, ask, branch, found, parameter, refuse, value};
    use super::super::parse_all;
    use super::*;
    use crate::search::registry::ParameterKind::Token;

    fn entries(branch: &Branch, type_name: &str, text: &str) -> Entries {
        let mut entries = Entries::default();
        extract(branch, value(type_name, text), None, &mut entries);
        entries
    }

    fn condition() -> Entries {
        let code = r#"{"text":"Headache on waking","coding":[
            {"system":"http://acme.org/codes","code":"Ha125","display":"Cephalgia"},{"code":"R51"},{"system":"http://only.org"}]}"#;
        entries(&branch(Token, "Condition.code"), "CodeableConcept", code)
    }

    #[test]
    fn a_code_is_found_with_or_without_its_system_whatever_its_case() {
        for (text, expected) in [
            ("ha125", true),
            ("http://acme.org/codes|ha125", true),
            ("|ha125", false),
            ("http://acme.org/other|ha125", false),
            ("|R51", true),
            ("r51", true),
            ("http://acme.org/codes|r51", false),
            ("http://acme.org/codes|", true),
            ("http://only.org|", true),
            ("http://acme.org/other|", false),
            ("ha12", false),
        ] {
            assert_eq!(found(&ask(Token, "Condition.code", None, text), &condition()), expected, "{text}");
        }
    }

    #[test]
    fn not_negates_all_alternatives_together() {
        let parameter = parameter(Token, vec![branch(Token, "Condition.code")]);
        let not = |values: &[&str]| parse_all(&parameter, Some("not"), values, &ASKED).unwrap();
        assert!(!found(&not(&["ha125", "other"]), &condition()));
        assert!(found(&not(&["other", "another"]), &condition()));
        assert!(found(&not(&["ha125"]), &Entries::default()));
    }

    #[test]
    fn text_searches_what_people_read() {
        let of = |text| found(&ask(Token, "Condition.code", Some("text"), text), &condition());
        assert!(of("HEADACHE"));
        assert!(of("cephal"));
        assert!(!of("ha125"));
        let typed = r#"{"type":{"text":"Passport number"},"value":"1"}"#;
        let passport = entries(&branch(Token, "Patient.identifier"), "Identifier", typed);
        assert!(found(&ask(Token, "Patient.identifier", Some("text"), "passport"), &passport));
    }

    #[test]
    fn an_identifier_minds_case_and_can_be_asked_for_by_type() {
        let identifiers = || Branch { is_identifier: true, ..branch(Token, "Patient.identifier") };
        let mrn = r#"{"system":"urn:oid:1.2","value":"Ab-446053","type":{"coding":[
            {"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}]}}"#;
        let entries = entries(&identifiers(), "Identifier", mrn);
        let ask = |modifier, text| parse_all(&parameter(Token, vec![identifiers()]), modifier, &[text], &ASKED);
        let of = |modifier, text| found(&ask(modifier, text).unwrap(), &entries);
        assert!(of(None, "urn:oid:1.2|Ab-446053"));
        assert!(of(None, "Ab-446053"));
        assert!(!of(None, "ab-446053"));
        assert!(of(Some("of-type"), "http://terminology.hl7.org/CodeSystem/v2-0203|MR|Ab-446053"));
        assert!(!of(Some("of-type"), "http://terminology.hl7.org/CodeSystem/v2-0203|MRT|Ab-446053"));
        for text in ["MR|Ab-446053", "a|MR|", "a||1", "|MR|1"] {
            assert!(matches!(ask(Some("of-type"), text), Err(Refusal::Value(_))), "{text}");
        }
    }

    #[test]
    fn a_primitive_code_is_found_under_any_system_since_its_own_is_implied() {
        let gender = || Branch { is_code: true, ..branch(Token, "Patient.gender") };
        let male = entries(&gender(), "code", "\"male\"");
        for (text, expected) in [
            ("male", true),
            ("http://hl7.org/fhir/administrative-gender|male", true),
            ("|male", true),
            ("female", false),
        ] {
            let clause = parse_all(&parameter(Token, vec![gender()]), None, &[text], &ASKED).unwrap();
            assert_eq!(found(&clause, &male), expected, "{text}");
        }
        let active = entries(&branch(Token, "Patient.active"), "boolean", "true");
        assert!(found(&ask(Token, "Patient.active", None, "true"), &active));
        assert!(!found(&ask(Token, "Patient.active", None, "false"), &active));
    }

    #[test]
    fn a_concept_of_words_only_is_not_missing() {
        let only_text = entries(&branch(Token, "Condition.code"), "CodeableConcept", r#"{"text":"Headache"}"#);
        assert!(found(&ask(Token, "Condition.code", Some("missing"), "false"), &only_text));
        assert!(!found(&ask(Token, "Condition.code", Some("missing"), "true"), &only_text));
    }

    #[test]
    fn a_telephone_number_is_found_by_its_value() {
        let phone =
            entries(&branch(Token, "Patient.telecom"), "ContactPoint", r#"{"system":"email","value":"Jim@acme.org"}"#);
        assert!(found(&ask(Token, "Patient.telecom", None, "jim@acme.org"), &phone));
    }

    #[test]
    fn membership_waits_for_the_value_set_and_covers_all_branches() {
        let parameter = parameter(Token, vec![branch(Token, "A.code"), branch(Token, "A.other")]);
        let pending = parse_all(&parameter, Some("not-in"), &["http://acme.org/vs"], &ASKED).unwrap();
        let Clause::Not(inner) = pending else { panic!("{pending:?}") };
        let Clause::Pending(Pending::InValueSet { branches, value_set }) = *inner else { panic!("{inner:?}") };
        assert_eq!((branches.len(), value_set.as_str()), (2, "http://acme.org/vs"));
        let hash = branch(Token, "Condition.code").hash;
        let members = members(hash, Some("http://acme.org/codes"), ["HA124", "HA125"].into_iter());
        assert!(found(&members, &condition()));
    }

    #[test]
    fn what_is_no_code_and_what_is_not_supported_is_refused() {
        for text in ["", "|", "a|b|c"] {
            assert!(matches!(refuse(Token, "Condition.code", None, text), Refusal::Value(_)), "{text}");
        }
        for modifier in ["above", "below", "exact"] {
            let unknown = Refusal::UnknownModifier(modifier.to_owned());
            assert_eq!(refuse(Token, "Condition.code", Some(modifier), "a"), unknown);
        }
    }

    #[test]
    fn an_escaped_bar_belongs_to_the_code() {
        let entries = entries(&branch(Token, "X.code"), "Coding", r#"{"system":"s","code":"a|b"}"#);
        assert!(found(&ask(Token, "X.code", None, r"s|a\|b"), &entries));
    }
}
