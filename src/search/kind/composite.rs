//! Composites: parts that must match in the same element. <https://hl7.org/fhir/R4/search.html#combining>
//!
//! An entry holds a code and what stands beside it: the code's hash is mixed into the entry's own, so that one comparison
//! finds both, and the code's system is kept beside it, so that `code`, `system|code` and `|code` all work as they do alone.
//! Where nothing but such a hash remains, a token of the branch stands for the element, so that `:missing` knows of it: one
//! row in twenty of Synthea's tokens.

use super::super::clause::{Bounds, Clause, Limits, Predicate, SystemMatch, Under, UnitMatch};
use super::super::entry::{DateEntry, Entries, NumberEntry, TokenEntry};
use super::super::hash::hash64;
use super::super::registry::{Branch, Component, Parameter, ParameterKind};
use super::escape::{split, unescape};
use super::number::{self, Comparison};
use super::token::{self, Coded, Query, system_hash, value_hash};
use super::{Asked, Refusal, date, no_modifier, quantity, reference, string, uri};
use crate::fhir::definitions::ResourceType;
use crate::fhirpath::value::Value;

/// Remembers one element: the values that its components have in it, in their order.
pub fn extract(
    branch: &Branch,
    kinds: &[ParameterKind],
    values: &[Vec<Value<'_>>],
    base: Option<&str>,
    entries: &mut Entries,
) {
    let Some(shape) = Shape::of(kinds) else { return };
    let before = entries.tokens.len();
    let of = |place: usize| values.get(place).map_or(&[][..], Vec::as_slice);
    for code in of(shape.code).iter().flat_map(|value| token::codings(*value)) {
        let Some(mix) = Mix::of(branch, code) else { continue };
        match shape.rest {
            Rest::One { place, kind } => of(place).iter().for_each(|value| mix.extract(kind, *value, base, entries)),
            Rest::TwoNumbers(first, second) => {
                let pairs = of(first).iter().flat_map(|low| of(second).iter().map(move |high| (*low, *high)));
                entries.numbers.extend(pairs.filter_map(|(low, high)| mix.two_numbers(low, high)));
            }
        }
    }
    if entries.tokens.len() == before {
        // Numbers, dates and texts lie under the hash of their code: nothing among them tells whose they are.
        entries.tokens.push(token::present(branch, None));
    }
}

/// Which component holds the code, and what the others are.
struct Shape {
    code: usize,
    rest: Rest,
}

#[derive(Clone, Copy)]
enum Rest {
    One { place: usize, kind: ParameterKind },
    TwoNumbers(usize, usize),
}

impl Shape {
    /// `None` for a composite without a code, or of kinds that cannot be one entry.
    fn of(kinds: &[ParameterKind]) -> Option<Shape> {
        let code = kinds.iter().position(|kind| *kind == ParameterKind::Token)?;
        let others: Vec<_> = kinds.iter().copied().enumerate().filter(|(place, _)| *place != code).collect();
        let rest = match *others.as_slice() {
            [(_, ParameterKind::Composite | ParameterKind::Special)] => return None,
            [(place, kind)] => Rest::One { place, kind },
            [(first, ParameterKind::Number), (second, ParameterKind::Number)] => Rest::TwoNumbers(first, second),
            _ => return None,
        };
        Some(Shape { code, rest })
    }
}

/// A composite's branch with one code.
struct Mix {
    hash: i64,
    param: i32,
    system: Option<i32>,
}

impl Mix {
    fn of(branch: &Branch, code: Coded<'_>) -> Option<Mix> {
        Some(Mix { hash: mixed(branch, code.code?), param: branch.param, system: code.system.map(system_hash) })
    }

    fn extract(&self, kind: ParameterKind, value: Value<'_>, base: Option<&str>, entries: &mut Entries) {
        let system = self.system;
        match kind {
            ParameterKind::Token => entries.tokens.extend(token::codings(value).flat_map(|code| self.codes(code))),
            ParameterKind::Reference => {
                entries.tokens.extend(reference::hashes(value, base).into_iter().map(|hash| self.token(hash)));
            }
            ParameterKind::Uri => entries.tokens.extend(value.as_str().map(|text| self.token(uri::value_hash(text)))),
            ParameterKind::String => {
                let texts = string::texts(value).into_iter();
                entries.strings.extend(texts.filter_map(|text| string::entry(self.hash, text, system)));
            }
            ParameterKind::Date => {
                let span = date::span(value);
                entries.dates.extend(span.map(|span| DateEntry { param: self.hash, span, system }));
            }
            ParameterKind::Number | ParameterKind::Quantity => {
                let entry = quantity::entry(self.hash, value);
                entries.numbers.extend(entry.map(|entry| NumberEntry { system, ..entry }));
            }
            ParameterKind::Composite | ParameterKind::Special => {}
        }
    }

    fn token(&self, hash: i64) -> TokenEntry {
        TokenEntry { token: self.hash ^ hash, param: self.param, system: self.system, code: None }
    }

    /// The entry's system is that of the first code. So the second stands there twice: alone, and with its system.
    fn codes(&self, code: Coded<'_>) -> impl Iterator<Item = TokenEntry> {
        let hashes =
            code.code.map(|text| [value_hash(text, false), qualified_hash(code.system.unwrap_or_default(), text)]);
        hashes.into_iter().flatten().map(|hash| self.token(hash)).collect::<Vec<_>>().into_iter()
    }

    /// The first number is the low end, the second the high one.
    fn two_numbers(&self, low: Value<'_>, high: Value<'_>) -> Option<NumberEntry> {
        let (low, high) = (quantity::entry(self.hash, low)?, quantity::entry(self.hash, high)?);
        Some(NumberEntry { high: high.high, raw_high: high.raw_high, system: self.system, ..low })
    }
}

/// The code's bits are turned so that `a$b` is not `b$a`.
fn mixed(branch: &Branch, code: &str) -> i64 {
    branch.hash ^ value_hash(code, false).rotate_left(1)
}

fn qualified_hash(system: &str, code: &str) -> i64 {
    hash64(&["qualified", system, &code.to_lowercase()])
}

/// `a$b`: each part as it is written alone.
pub fn parse(
    parameter: &Parameter,
    branch: &Branch,
    modifier: Option<&str>,
    text: &str,
    asked: &Asked<'_>,
) -> Result<Clause, Refusal> {
    no_modifier(modifier)?;
    let kinds: Vec<ParameterKind> = parameter.components.iter().map(|component| component.kind).collect();
    let shape = Shape::of(&kinds).ok_or_else(|| Refusal::value("A composite of these kinds is not supported."))?;
    let parts = split(text, '$');
    if parts.len() != kinds.len() {
        let codes: Vec<&str> = parameter.components.iter().map(|Component { code, .. }| code.as_str()).collect();
        return Err(Refusal::Value(format!("Parts with '$' between them were expected: {}.", codes.join("$"))));
    }
    let part = |place: usize| parts.get(place).copied().unwrap_or_default();
    let code = Query::parse(part(shape.code))?;
    let system = if branch.is_code { SystemMatch::Any } else { code.system_match() };
    let code = code
        .code
        .ok_or_else(|| Refusal::value("In a composite, a system alone is not enough; a code was expected."))?;
    let other = Part { hash: mixed(branch, &code), system, only: branch.only, asked };
    match shape.rest {
        Rest::One { place, kind } => other.clause(kind, part(place)),
        Rest::TwoNumbers(first, second) => other.two_numbers(part(first), part(second)),
    }
}

/// The other part, with the code already mixed in.
struct Part<'a> {
    hash: i64,
    only: Option<ResourceType>,
    system: SystemMatch,
    asked: &'a Asked<'a>,
}

impl Part<'_> {
    fn clause(&self, kind: ParameterKind, text: &str) -> Result<Clause, Refusal> {
        let under = self.under();
        match kind {
            ParameterKind::Token => Ok(self.token(code_hash(&Query::parse(text)?)?)),
            ParameterKind::Reference => {
                let sought = reference::sought(&unescape(text), &[], self.asked)?;
                Ok(Clause::any(sought.into_iter().map(|one| self.token(one.hash)).collect()))
            }
            ParameterKind::Uri => Ok(self.token(uri::value_hash(&unescape(text)))),
            ParameterKind::String => string::clause(under, None, text),
            ParameterKind::Date => {
                let date = |bounds| Clause::Match(Predicate::Date { under, bounds });
                Ok(Clause::any(date::bounds(text, self.asked.now)?.into_iter().map(date).collect()))
            }
            ParameterKind::Number | ParameterKind::Quantity => quantity::clause(under, text),
            ParameterKind::Composite | ParameterKind::Special => {
                Err(Refusal::value("A composite of these kinds is not supported."))
            }
        }
    }

    fn token(&self, hash: i64) -> Clause {
        Clause::Match(Predicate::Token {
            token: self.hash ^ hash,
            system: self.system,
            only: self.only,
            identifier: None,
        })
    }

    fn under(&self) -> Under {
        Under { param: self.hash, system: self.system, only: self.only }
    }

    fn two_numbers(&self, first: &str, second: &str) -> Result<Clause, Refusal> {
        let limits = |text| Ok::<Vec<Limits<f64>>, Refusal>(number::limits(&Comparison::parse(text)?.plain()?));
        let (lows, highs) = (limits(first)?, limits(second)?);
        let pairs = lows.iter().flat_map(|low| highs.iter().map(|high| Bounds { low: *low, high: *high }));
        Ok(number::clause(self.under(), UnitMatch::Any, pairs.collect()))
    }
}

fn code_hash(query: &Query) -> Result<i64, Refusal> {
    let code = query.code.as_deref().ok_or_else(|| Refusal::value("A code was expected after '$'."))?;
    Ok(match query.system.as_deref() {
        None => value_hash(code, false),
        Some(system) => qualified_hash(system, code),
    })
}
#[cfg(test)]
mod tests {
    use super::super::fixture::{ASKED, branch, component, found, parameter, value};
    use super::super::parse_all;
    use super::*;
    use crate::search::registry::ParameterKind::{Composite, Date, Number, Quantity, Reference, String as Text, Token};

    type Element = Vec<Vec<Value<'static>>>;

    fn of(kinds: &[ParameterKind], elements: &[Element], text: &str) -> bool {
        let mut entries = Entries::default();
        for element in elements {
            extract(&branch(Composite, "Observation"), kinds, element, None, &mut entries);
        }
        found(&ask(kinds, text).unwrap(), &entries)
    }

    fn ask(kinds: &[ParameterKind], text: &str) -> Result<Clause, Refusal> {
        let mut parameter = parameter(Composite, vec![branch(Composite, "Observation")]);
        parameter.components = kinds.iter().map(|kind| component(*kind, "part")).collect();
        parse_all(&parameter, None, &[text], &ASKED)
    }

    fn code(code: &str) -> Vec<Value<'static>> {
        vec![value("CodeableConcept", &format!(r#"{{"coding":[{{"system":"http://loinc.org","code":"{code}"}}]}}"#))]
    }

    fn mmhg(number: &str) -> Vec<Value<'static>> {
        let text = format!(r#"{{"value":{number},"system":"http://unitsofmeasure.org","code":"mm[Hg]"}}"#);
        vec![value("Quantity", &text)]
    }

    #[test]
    fn a_code_and_a_quantity_must_match_in_the_same_component() {
        let pressure = [vec![code("8480-6"), mmhg("120")], vec![code("8462-4"), mmhg("80")]];
        for (text, expected) in [
            ("8480-6$120", true),
            ("8480-6$gt100", true),
            ("http://loinc.org|8480-6$lt130||mm[Hg]", true),
            ("http://loinc.org|8480-6$ge12|http://unitsofmeasure.org|cm[Hg]", true),
            ("|8480-6$120", false),
            ("http://snomed.info/sct|8480-6$120", false),
            ("8480-6$80", false),
            ("8462-4$120", false),
            ("8462-4$80", true),
        ] {
            assert_eq!(of(&[Token, Quantity], &pressure, text), expected, "{text}");
        }
    }

    #[test]
    fn two_codes_have_each_their_system_and_their_place() {
        let result = [vec![code("AB"), code("pos")]];
        for (text, expected) in [
            ("ab$pos", true),
            ("ab$POS", true),
            ("http://loinc.org|ab$http://loinc.org|pos", true),
            ("http://loinc.org|ab$http://other.org|pos", false),
            ("http://other.org|ab$pos", false),
            ("ab$|pos", false),
            ("pos$ab", false),
        ] {
            assert_eq!(of(&[Token, Token], &result, text), expected, "{text}");
        }
    }

    #[test]
    fn a_code_goes_with_a_text_and_with_a_date() {
        let text = [vec![code("AB"), vec![value("string", "\"Très $ bien\"")]]];
        assert!(of(&[Token, Text], &text, r"ab$tres \$"));
        assert!(!of(&[Token, Text], &text, "ab$bien"));
        let date = [vec![code("AB"), vec![value("dateTime", "\"2013-01-14\"")]]];
        assert!(of(&[Token, Date], &date, "ab$ge2013"));
        assert!(!of(&[Token, Date], &date, "ab$ge2014"));
        assert!(!of(&[Token, Date], &date, "cd$ge2013"));
    }

    #[test]
    fn a_reference_may_stand_before_or_after_the_code() {
        let target = || vec![value("Reference", r#"{"reference":"DocumentReference/1"}"#)];
        let replaces = || vec![value("code", "\"replaces\"")];
        assert!(of(&[Token, Reference], &[vec![replaces(), target()]], "replaces$DocumentReference/1"));
        assert!(of(&[Reference, Token], &[vec![target(), replaces()]], "1$replaces"));
        assert!(!of(&[Token, Reference], &[vec![replaces(), target()]], "appends$DocumentReference/1"));
    }

    #[test]
    fn a_chromosome_goes_with_a_start_and_an_end() {
        let number = |text: &str| vec![value("integer", text)];
        let window = [vec![code("1"), number("100"), number("200")]];
        for (text, expected) in [
            ("1$ge100$le200", true),
            ("1$100$200", true),
            ("1$lt150$gt150", true),
            ("1$lt100$gt150", false),
            ("1$200$100", false),
            ("1$ne100$200", false),
            ("1$ne101$ne201", true),
            ("2$100$200", false),
        ] {
            assert_eq!(of(&[Token, Number, Number], &window, text), expected, "{text}");
        }
    }

    #[test]
    fn missing_asks_whether_any_element_has_all_the_parts() {
        let text = || vec![value("string", "\"bien\"")];
        let date = || vec![value("dateTime", "\"2013\"")];
        let number = || vec![value("integer", "1")];
        let target = || vec![value("Reference", r#"{"reference":"DocumentReference/1"}"#)];
        let in_words = || vec![value("CodeableConcept", r#"{"text":"in words"}"#)];
        for (kinds, element) in [
            (&[Token, Quantity][..], vec![code("AB"), mmhg("1")]),
            (&[Token, Quantity], vec![in_words(), mmhg("1")]),
            (&[Token, Token], vec![code("AB"), code("CD")]),
            (&[Token, Text], vec![code("AB"), text()]),
            (&[Token, Date], vec![code("AB"), date()]),
            (&[Token, Reference], vec![code("AB"), target()]),
            (&[Reference, Token], vec![target(), code("AB")]),
            (&[Token, Number, Number], vec![code("AB"), number(), number()]),
        ] {
            let mut parameter = parameter(Composite, vec![branch(Composite, "Observation")]);
            parameter.components = kinds.iter().map(|kind| component(*kind, "part")).collect();
            let mut entries = Entries::default();
            extract(&branch(Composite, "Observation"), kinds, &element, None, &mut entries);
            for (asked, there, not_there) in [("true", false, true), ("false", true, false)] {
                let clause = parse_all(&parameter, Some("missing"), &[asked], &ASKED).unwrap();
                assert_eq!(found(&clause, &entries), there, "{kinds:?} {asked}");
                assert_eq!(found(&clause, &Entries::default()), not_there, "{kinds:?} {asked}");
            }
            assert!(matches!(parse_all(&parameter, Some("missing"), &["x"], &ASKED), Err(Refusal::Value(_))));
            assert!(matches!(parse_all(&parameter, Some("exact"), &["a$b"], &ASKED), Err(Refusal::UnknownModifier(_))));
        }
    }

    #[test]
    fn what_is_no_composite_is_refused() {
        for text in ["ab", "ab$5$6", "$5", "http://loinc.org|$5", r"ab\$5", "ab$x"] {
            assert!(matches!(ask(&[Token, Quantity], text), Err(Refusal::Value(_))), "{text}");
        }
        assert!(matches!(ask(&[Date, Quantity], "2013$5"), Err(Refusal::Value(_))));
    }
}
