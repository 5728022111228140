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
    /// The address is the one that the request came to, for the server was not told its own. What is stored with it is
    /// then entered as an address elsewhere.
    pub base_is_guessed: bool,
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
    if modifier == Some("missing") {
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

#[cfg(test)]
mod tests {
    use super::fixture::{ask, branch, found, refuse, value};
    use super::*;
    use crate::fhir::json::Json;
    use proptest::prelude::*;

    fn escaped(text: &str) -> String {
        let escape = |c: char| if matches!(c, ',' | '$' | '|' | '\\') { vec!['\\', c] } else { vec![c] };
        text.chars().flat_map(escape).collect()
    }

    fn entries(kind: ParameterKind, value: Value<'_>) -> Entries {
        let mut entries = Entries::default();
        extract(kind, &branch(kind, "X.y"), value, None, &mut entries);
        entries
    }

    fn written(text: &str) -> Entries {
        let json = Json::string(text);
        entries(ParameterKind::String, Value { json: &json, ..value("string", "\"\"") })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_text_is_found_by_itself(text in "\\PC{1,12}") {
            prop_assume!(!string::fold(&text).is_empty());
            for (modifier, asked) in [
                (None, text.clone()),
                (Some("exact"), text.clone()),
                (Some("contains"), text.clone()),
            ] {
                let clause = ask(ParameterKind::String, "X.y", modifier, &escaped(&asked));
                prop_assert!(found(&clause, &written(&text)), "{modifier:?} {asked}");
            }
            prop_assert_eq!(string::fold(&string::fold(&text)), string::fold(&text));
        }

        #[test]
        fn every_european_text_is_found_in_another_case(text in "[a-zA-ZÀ-ÿĀ-ſα-ωа-я ]{1,12}") {
            prop_assume!(!string::fold(&text).is_empty());
            let asked = |text: &str| ask(ParameterKind::String, "X.y", None, &escaped(text));
            prop_assert!(found(&asked(&text.to_uppercase()), &written(&text)), "{}", text);
            prop_assert!(found(&asked(&text.to_lowercase()), &written(&text)), "{}", text);
        }

        #[test]
        fn every_code_is_found_with_its_system(code in "[ -~]{1,8}", system in "[a-z:/|$,]{1,8}") {
            let json = Json::from(crate::fhir::json::Object::new().with_str("system", &system).with_str("code", &code));
            let coding = entries(ParameterKind::Token, Value { json: &json, ..value("Coding", "{}") });
            let (code, system) = (escaped(&code), escaped(&system));
            for (asked, expected) in
                [(code.clone(), true), (format!("{system}|{code}"), true), (format!("{system}|"), true), (format!("|{code}"), false)]
            {
                prop_assert_eq!(found(&ask(ParameterKind::Token, "X.y", None, &asked), &coding), expected, "{}", asked);
            }
        }

        #[test]
        fn every_quantity_is_found_by_itself_and_in_another_unit(whole in -99999_i32..99999, decimals in 0_usize..6) {
            let digits = format!("{:.decimals$}", f64::from(whole) / 1000.0);
            let stored = format!(r#"{{"value":{digits},"system":"http://unitsofmeasure.org","code":"mg"}}"#);
            let stored = entries(ParameterKind::Quantity, value("Quantity", &stored));
            let in_grams = if decimals == 0 { format!("{digits}.0e-3") } else { format!("{digits}e-3") };
            for prefix in ["", "ge", "le", "ap"] {
                for asked in [
                    format!("{prefix}{digits}"),
                    format!("{prefix}{digits}|http://unitsofmeasure.org|mg"),
                    format!("{prefix}{in_grams}|http://unitsofmeasure.org|g"),
                ] {
                    prop_assert!(found(&ask(ParameterKind::Quantity, "X.y", None, &asked), &stored), "{asked}");
                }
            }
            for prefix in ["ne", "gt", "lt", "sa", "eb"] {
                let asked = format!("{prefix}{in_grams}|http://unitsofmeasure.org|g");
                prop_assert!(!found(&ask(ParameterKind::Quantity, "X.y", None, &asked), &stored), "{asked}");
            }
        }

        #[test]
        fn no_value_of_any_kind_breaks_the_reading(text in "\\PC{0,20}") {
            for kind in [
                ParameterKind::String,
                ParameterKind::Token,
                ParameterKind::Reference,
                ParameterKind::Date,
                ParameterKind::Number,
                ParameterKind::Quantity,
                ParameterKind::Uri,
                ParameterKind::Special,
            ] {
                let parameter = fixture::parameter(kind, vec![branch(kind, "X.y")]);
                // An answer or a refusal: what it is the other tests say.
                let _ = parse_all(&parameter, None, &[&text], &fixture::ASKED);
            }
        }
    }

    #[test]
    fn a_parameter_without_an_expression_is_refused() {
        let parameter = fixture::parameter(ParameterKind::Number, Vec::new());
        assert!(matches!(parse_all(&parameter, None, &["5"], &fixture::ASKED), Err(Refusal::Value(_))));
    }

    #[test]
    fn alternatives_and_branches_are_all_looked_for() {
        let parameter = fixture::parameter(
            ParameterKind::Token,
            vec![branch(ParameterKind::Token, "A.b"), branch(ParameterKind::Token, "X.y")],
        );
        let clause = parse_all(&parameter, None, &["one", "two"], &fixture::ASKED).unwrap();
        for (code, expected) in [("one", true), ("two", true), ("three", false)] {
            let coding = entries(ParameterKind::Token, value("code", &format!("\"{code}\"")));
            assert_eq!(found(&clause, &coding), expected);
        }
        assert!(matches!(refuse(ParameterKind::Token, "A.b", None, ""), Refusal::Value(_)));
    }
}
