//! Strings: names, addresses and texts, without regard to case and accents. <https://hl7.org/fhir/R4/search.html#string>
//!
//! R4's `phonetic` is searched as a string, too: the specification leaves the sound of a name to the server.

use super::super::clause::{Clause, Predicate, TextMatch, Under};
use super::super::entry::{Entries, StringEntry};
use super::super::hash::hash64;
use super::super::registry::Branch;
use super::Refusal;
use super::escape::unescape;
use crate::fhir::json::Json;
use crate::fhirpath::value::{Kind, Value};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

const NAME_PARTS: [&str; 5] = ["family", "given", "prefix", "suffix", "text"];
const ADDRESS_PARTS: [&str; 7] = ["line", "city", "district", "state", "postalCode", "country", "text"];
/// What other datatypes hold that people would read.
const OTHER_PARTS: [&str; 3] = ["text", "display", "value"];

/// Each part of a name or an address is an entry of its own.
pub fn extract(branch: &Branch, value: Value<'_>, _base: Option<&str>, entries: &mut Entries) {
    entries.strings.extend(texts(value).into_iter().filter_map(|text| entry(branch.hash, text, None)));
}

/// The texts by which a value is found.
pub(super) fn texts(value: Value<'_>) -> Vec<&str> {
    let parts: &[&str] = match value.kind {
        Kind::Primitive(_) => return value.as_str().into_iter().collect(),
        Kind::Complex(_) => match value.type_name() {
            "HumanName" => &NAME_PARTS,
            "Address" => &ADDRESS_PARTS,
            _ => &OTHER_PARTS,
        },
    };
    let children = parts.iter().filter_map(|part| value.object()?.get(part));
    children.flat_map(Json::items).filter_map(Json::as_str).collect()
}

/// `None` for a text of which nothing is left when it is folded.
pub(super) fn entry(param: i64, text: &str, system: Option<i32>) -> Option<StringEntry> {
    let value = fold(text);
    (!value.is_empty()).then(|| StringEntry { param, value, exact: exact(text), system })
}

pub fn parse(branch: &Branch, modifier: Option<&str>, text: &str) -> Result<Clause, Refusal> {
    clause(Under::of(branch), modifier, text)
}

pub(super) fn clause(under: Under, modifier: Option<&str>, text: &str) -> Result<Clause, Refusal> {
    let text = unescape(text);
    let folded = fold(&text);
    if folded.is_empty() {
        return Err(Refusal::value("A text was expected; this one holds no letter and no sign to search for."));
    }
    let matching = match modifier {
        None => TextMatch::Prefix(folded),
        Some("contains") => TextMatch::Contains(folded),
        Some("exact") => TextMatch::Exact { folded, exact: exact(&text) },
        Some(other) => return Err(Refusal::UnknownModifier(other.to_owned())),
    };
    Ok(Clause::Match(Predicate::Text { under, matching }))
}

/// What `:exact` compares: the text as written.
pub fn exact(text: &str) -> i64 {
    hash64(&[text])
}

/// The text without case, accents and superfluous space. Stored: a change makes every index stale.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    if text.is_ascii() {
        push_spaced(&mut folded, text.chars().map(|c| c.to_ascii_lowercase()));
    } else {
        let plain = text.nfkd().filter(|c| !is_accent(*c));
        let lower = plain.flat_map(char::to_lowercase).flat_map(spelled_out);
        push_spaced(&mut folded, lower);
    }
    folded
}

/// A mark above or below a letter. Marks of a lower class are parts of letters: the virama, the voiced sound of kana.
fn is_accent(c: char) -> bool {
    canonical_combining_class(c) >= 10
}

/// Letters that Unicode does not take apart, as people type them who do not have them.
fn spelled_out(c: char) -> impl Iterator<Item = char> {
    let (first, second) = match c {
        'ß' => ('s', Some('s')),
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'þ' => ('t', Some('h')),
        'ø' => ('o', None),
        'ł' => ('l', None),
        'đ' | 'ð' => ('d', None),
        'ħ' => ('h', None),
        'ı' => ('i', None),
        'ς' => ('σ', None),
        other => (other, None),
    };
    std::iter::once(first).chain(second)
}

fn push_spaced(text: &mut String, chars: impl Iterator<Item = char>) {
    for c in chars {
        match c.is_whitespace() {
            false => text.push(c),
            true if !text.is_empty() && !text.ends_with(' ') => text.push(' '),
            true => {}
        }
    }
    if text.ends_with(' ') {
        text.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{ask, branch, found, refuse, value};
    use super::*;
    use crate::search::registry::ParameterKind::String as Kind;

    fn eve() -> Entries {
        let mut entries = Entries::default();
        for name in [
            r#"{"family":"Pérez Straße","given":["Evelyn","Núria  Åse"],"suffix":["Jr."]}"#,
            r#"{"text":"Łukasz Ødegård"}"#,
        ] {
            extract(&branch(Kind, "Patient.name"), value("HumanName", name), None, &mut entries);
        }
        entries
    }

    #[test]
    fn a_name_is_found_by_the_start_of_any_part_without_case_and_accents() {
        let of = |text| found(&ask(Kind, "Patient.name", None, text), &eve());
        for text in ["perez", "Pérez", "PEREZ STRASSE", "eve", "EVELYN", "nuria as", "jr.", "lukasz od"] {
            assert!(of(text), "{text}");
        }
        for text in ["strasse", "velyn", "Evelyne", "nuria  x"] {
            assert!(!of(text), "{text}");
        }
    }

    #[test]
    fn contains_finds_the_middle_and_exact_minds_case_and_accents() {
        let of = |modifier, text| found(&ask(Kind, "Patient.name", Some(modifier), text), &eve());
        assert!(of("contains", "VELY"));
        assert!(of("contains", "stras"));
        assert!(!of("contains", "vilyn"));
        assert!(of("exact", "Evelyn"));
        assert!(!of("exact", "evelyn"));
        assert!(!of("exact", "Eve"));
        assert!(!of("exact", "Perez Straße"));
    }

    #[test]
    fn an_address_is_found_by_each_of_its_parts() {
        let address = r#"{"use":"home","line":["Main St. 1","Flat 2"],"city":"Bonn","postalCode":"53111"}"#;
        let mut entries = Entries::default();
        extract(&branch(Kind, "Patient.address"), value("Address", address), None, &mut entries);
        for (text, expected) in [("main", true), ("flat", true), ("bonn", true), ("5311", true), ("home", false)] {
            assert_eq!(found(&ask(Kind, "Patient.address", None, text), &entries), expected, "{text}");
        }
    }

    #[test]
    fn a_comma_or_backslash_that_was_escaped_is_searched_for() {
        let mut entries = Entries::default();
        extract(&branch(Kind, "Patient.x"), value("string", r#""a,b\\c""#), None, &mut entries);
        assert!(found(&ask(Kind, "Patient.x", None, r"a\,b\\c"), &entries));
    }

    #[test]
    fn a_text_of_nothing_and_an_unknown_modifier_are_refused() {
        assert!(matches!(refuse(Kind, "Patient.name", None, " \u{301}"), Refusal::Value(_)));
        assert_eq!(refuse(Kind, "Patient.name", Some("soundex"), "a"), Refusal::UnknownModifier("soundex".to_owned()));
    }

    #[test]
    fn missing_is_answered_by_the_presence_of_any_entry() {
        let missing = |text| ask(Kind, "Patient.name", Some("missing"), text);
        assert!(found(&missing("false"), &eve()));
        assert!(!found(&missing("true"), &eve()));
        assert!(found(&missing("true"), &Entries::default()));
        assert!(matches!(refuse(Kind, "Patient.name", Some("missing"), "yes"), Refusal::Value(_)));
    }
}
