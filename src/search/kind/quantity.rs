//! Quantities, in any unit that can be converted. <https://hl7.org/fhir/R4/search.html#quantity>
//!
//! A SampledData is not entered. R4's `value-quantity` leads to it, but the page above knows only Quantity, and no part of
//! a SampledData is one: its `lowerLimit` and `upperLimit` are those of detection, what the device could have measured.
//! Entered as a range they would find a curve by each value that it might have had; and `dimensions` interleaves
//! several curves in one text. So it is found by its code, its date and its patient, and `value-quantity:missing` is true.

use super::super::clause::{Clause, Under, UnitMatch};
use super::super::entry::{Entries, NumberEntry};
use super::super::hash::{hash32, hash64};
use super::super::registry::Branch;
use super::escape::{split, unescape};
use super::number::{self, Comparison, decimal};
use super::{Refusal, no_modifier};
use crate::fhir::json::Json;
use crate::fhirpath::value::{Kind, Value};
use octofhir_ucum::{Number, get_canonical_units};

const UCUM: &str = "http://unitsofmeasure.org";
/// Of Money: <https://hl7.org/fhir/R4/datatypes.html#Money>
const CURRENCY: &str = "urn:iso:std:iso:4217";

pub fn extract(branch: &Branch, value: Value<'_>, _base: Option<&str>, entries: &mut Entries) {
    entries.numbers.extend(entry(branch.hash, value));
}

/// `None` for what holds no number.
pub(super) fn entry(param: i64, value: Value<'_>) -> Option<NumberEntry> {
    if let Kind::Primitive(_) = value.kind {
        let Json::Number(digits) = value.json else { return None };
        return Measure { unit: Unit::default(), low: Some(digits), high: Some(digits) }.entry(param);
    }
    match value.type_name() {
        "Range" => range(value)?.entry(param),
        "Money" => money(value)?.entry(param),
        // Age, Distance, Duration and Count are quantities by another name.
        _ => quantity(value)?.entry(param),
    }
}

/// Numbers as written; an open end is `None`.
struct Measure<'a> {
    unit: Unit<'a>,
    low: Option<&'a str>,
    high: Option<&'a str>,
}

#[derive(Clone, Copy, Default)]
struct Unit<'a> {
    system: Option<&'a str>,
    code: Option<&'a str>,
    text: Option<&'a str>,
}

impl<'a> Unit<'a> {
    fn of(value: Value<'a>) -> Unit<'a> {
        let [system, code, text] = ["system", "code", "unit"].map(|name| value.child_str(name));
        Unit { system, code, text }
    }
}

fn digits<'a>(value: Value<'a>) -> Option<&'a str> {
    match value.object()?.get("value")? {
        Json::Number(digits) => Some(digits),
        _ => None,
    }
}

fn quantity<'a>(value: Value<'a>) -> Option<Measure<'a>> {
    let digits = digits(value)?;
    let (low, high) = match value.child_str("comparator") {
        Some("<" | "<=") => (None, Some(digits)),
        Some(">" | ">=") => (Some(digits), None),
        _ => (Some(digits), Some(digits)),
    };
    Some(Measure { unit: Unit::of(value), low, high })
}

fn money<'a>(value: Value<'a>) -> Option<Measure<'a>> {
    let (digits, code) = (digits(value)?, value.child_str("currency"));
    let unit = Unit { system: code.and(Some(CURRENCY)), code, text: None };
    Some(Measure { unit, low: Some(digits), high: Some(digits) })
}

fn range<'a>(value: Value<'a>) -> Option<Measure<'a>> {
    let (low, high) = (value.children("low").next(), value.children("high").next());
    let unit = Unit::of(low.or(high)?);
    let (low, high) = (low.and_then(digits), high.and_then(digits));
    low.or(high)?;
    Some(Measure { unit, low, high })
}

impl Measure<'_> {
    fn entry(self, param: i64) -> Option<NumberEntry> {
        let Unit { system, code, text } = self.unit;
        let scale = match code {
            Some(code) => Scale::of(system.unwrap_or_default(), code),
            None => Scale::default(),
        };
        let (raw_low, low) = scale.both(self.low, f64::NEG_INFINITY)?;
        let (raw_high, high) = match self.high == self.low {
            true => (raw_low, low),
            false => scale.both(self.high, f64::INFINITY)?,
        };
        Some(NumberEntry {
            param,
            unit: scale.unit,
            low,
            high,
            raw_low,
            raw_high,
            unit_code: code.map_or(0, written_hash),
            unit_text: text.map_or(0, written_hash),
            system: None,
        })
    }
}

fn written_hash(unit: &str) -> i32 {
    hash32(&["unit", unit])
}

/// The way from a unit to its canonical one: a value times `factor` plus `offset`.
#[derive(Debug, Clone, Copy, Default)]
struct Scale {
    /// The canonical unit's hash.
    unit: i64,
    /// `None`: the value stays as it is.
    conversion: Option<(Number, Number)>,
}

impl Scale {
    /// A unit that is not UCUM's, or that UCUM cannot convert by a line (pH, decibel), is its own canonical one.
    fn of(system: &str, code: &str) -> Scale {
        if let Some(canonical) = (system == UCUM).then(|| get_canonical_units(code).ok()).flatten() {
            let unit = hash64(&["ucum", &canonical.unit]);
            return Scale { unit, conversion: Some((canonical.factor, canonical.offset)) };
        }
        Scale { unit: hash64(&["unit", system, code]), conversion: None }
    }

    fn convert(&self, value: Number) -> Option<f64> {
        let Some((factor, offset)) = self.conversion else { return Some(value.to_f64()) };
        rounded(value.checked_mul(factor)?.checked_add(offset)?.to_f64())
    }

    /// A number as written and in the canonical unit; an open end is the infinity given.
    fn both(&self, digits: Option<&str>, open: f64) -> Option<(f64, f64)> {
        let Some(digits) = digits else { return Some((open, open)) };
        let value = decimal(digits)?;
        let (raw, canonical) = (value.to_f64(), self.convert(value)?);
        (raw.is_finite() && canonical.is_finite()).then_some((raw, canonical))
    }
}

/// The line from a unit of UCUM to its canonical one: the canonical unit's hash, the factor, the offset. `None`: UCUM does
/// not know the unit, or no line leads from it.
pub fn line(code: &str) -> Option<(i64, f64, f64)> {
    let Scale { unit, conversion } = Scale::of(UCUM, code);
    conversion.map(|(factor, offset)| (unit, factor.to_f64(), offset.to_f64()))
}

/// To 15 significant digits, which is what survives any way of reckoning: 5.4 mg is then 0.0054 g.
fn rounded(value: f64) -> Option<f64> {
    format!("{value:.14e}").parse().ok()
}

/// `5.4`, `5.4|system|code`, `5.4||code`, each with a prefix.
pub fn parse(branch: &Branch, modifier: Option<&str>, text: &str) -> Result<Clause, Refusal> {
    no_modifier(modifier)?;
    clause(Under::of(branch), text)
}

pub(super) fn clause(under: Under, text: &str) -> Result<Clause, Refusal> {
    let parts: Vec<String> = split(text, '|').into_iter().map(unescape).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (number, system, code) = match *parts.as_slice() {
        [number] | [number, "", ""] => (number, "", ""),
        [number, system, code] if !code.is_empty() => (number, system, code),
        _ => return Err(Refusal::value("A quantity was expected: number, number|system|code or number||code.")),
    };
    let comparison = Comparison::parse(number)?;
    let (unit, comparison) = match (system, code) {
        (_, "") => (UnitMatch::Any, comparison.plain()?),
        ("", code) => (UnitMatch::Written(written_hash(code)), comparison.plain()?),
        (system, code) => {
            let scale = Scale::of(system, code);
            (UnitMatch::Canonical(scale.unit), comparison.converted(|number| scale.convert(number))?)
        }
    };
    Ok(number::clause(under, unit, number::bounds(&comparison)))
}
#[cfg(test)]
mod tests {
    use super::super::fixture::{ask, branch, found, refuse, value};
    use super::*;
    use crate::search::registry::ParameterKind::Quantity as Kind;

    fn entries(type_name: &str, text: &str) -> Entries {
        let mut entries = Entries::default();
        extract(&branch(Kind, "Observation.value"), value(type_name, text), None, &mut entries);
        entries
    }

    fn ucum(number: &str, code: &str) -> Entries {
        let text = format!(r#"{{"value":{number},"unit":"in words","system":"{UCUM}","code":"{code}"}}"#);
        entries("Quantity", &text)
    }

    fn of(text: &str, entries: &Entries) -> bool {
        found(&ask(Kind, "Observation.value", None, text), entries)
    }

    #[test]
    fn a_quantity_is_found_with_its_unit_its_unit_text_or_none() {
        let dose = ucum("5.4", "mg");
        for (text, expected) in [
            ("5.4|http://unitsofmeasure.org|mg", true),
            ("5.40e-3|http://unitsofmeasure.org|g", true),
            ("5.4||mg", true),
            ("5.4||in words", true),
            ("5.4", true),
            ("5.4||", true),
            ("5.4||g", false),
            ("5.4|http://unitsofmeasure.org|g", false),
            ("5.4|http://example.org|mg", false),
            ("le5.4|http://unitsofmeasure.org|mg", true),
            ("lt5.4|http://unitsofmeasure.org|mg", false),
            ("ap5.9|http://unitsofmeasure.org|mg", true),
            ("ap6.1|http://unitsofmeasure.org|mg", false),
            ("gt5399|http://unitsofmeasure.org|ug", true),
            ("5400|http://unitsofmeasure.org|ug", true),
        ] {
            assert_eq!(of(text, &dose), expected, "{text}");
        }
    }

    #[test]
    fn the_precision_is_that_of_the_query_in_its_own_unit() {
        assert!(of("5.4|http://unitsofmeasure.org|mg", &ucum("0.005449", "g")));
        assert!(!of("5.4|http://unitsofmeasure.org|mg", &ucum("0.00545", "g")));
        assert!(of("5.4|http://unitsofmeasure.org|mg", &ucum("0.00535", "g")));
        assert!(!of("5.40|http://unitsofmeasure.org|mg", &ucum("0.00535", "g")));
    }

    #[test]
    fn equal_amounts_in_any_unit_have_equal_entries() {
        for (a, b) in [
            (("5.4", "mg"), ("0.0054", "g")),
            (("120", "mm[Hg]"), ("12", "cm[Hg]")),
            (("37", "Cel"), ("310.15", "K")),
            (("98.6", "[degF]"), ("37.0", "Cel")),
            (("180", "mg/dL"), ("1.8", "g/L")),
            (("1", "d"), ("24", "h")),
            (("50", "%"), ("0.5", "1")),
        ] {
            let [a, b] = [a, b].map(|(number, code)| ucum(number, code).numbers.remove(0));
            assert_eq!((a.unit, a.low, a.high), (b.unit, b.low, b.high));
        }
    }

    #[test]
    fn temperatures_are_compared_with_their_offset() {
        let fever = ucum("39.5", "Cel");
        assert!(of("gt103|http://unitsofmeasure.org|[degF]", &fever));
        assert!(!of("gt104|http://unitsofmeasure.org|[degF]", &fever));
        assert!(of("ap38|http://unitsofmeasure.org|Cel", &fever));
        assert!(!of("ap33|http://unitsofmeasure.org|Cel", &fever));
    }

    #[test]
    fn a_unit_that_cannot_be_converted_is_compared_as_written() {
        let acidity = ucum("7.4", "[pH]");
        assert!(of("7.4|http://unitsofmeasure.org|[pH]", &acidity));
        let tablets = entries("Quantity", r#"{"value":2,"system":"http://example.org","code":"TAB"}"#);
        assert!(of("2|http://example.org|TAB", &tablets));
        assert!(!of("2|http://example.org|CAP", &tablets));
        assert!(!of("2|http://unitsofmeasure.org|TAB", &tablets));
    }

    #[test]
    fn a_comparator_opens_the_quantity_to_one_side() {
        let trace = entries("Quantity", r#"{"value":5,"comparator":"<"}"#);
        for (text, expected) in [("lt1", true), ("eq5", false), ("gt5", false), ("le5", true), ("gt4", true)] {
            assert_eq!(of(text, &trace), expected, "{text}");
        }
        assert!(of("gt1000000", &entries("Quantity", r#"{"value":5,"comparator":">="}"#)));
    }

    #[test]
    fn money_has_its_currency_for_a_unit() {
        let price = entries("Money", r#"{"value":100,"currency":"EUR"}"#);
        assert!(of("100|urn:iso:std:iso:4217|EUR", &price));
        assert!(of("100||EUR", &price));
        assert!(!of("100||USD", &price));
    }

    #[test]
    fn a_range_of_ages_is_found_in_another_unit() {
        let range = entries(
            "Range",
            r#"{"low":{"value":1,"system":"http://unitsofmeasure.org","code":"a"},"high":{"value":2,"system":"http://unitsofmeasure.org","code":"a"}}"#,
        );
        assert!(of("gt18|http://unitsofmeasure.org|mo", &range));
        assert!(of("eb25|http://unitsofmeasure.org|mo", &range));
        assert!(!of("sa18|http://unitsofmeasure.org|mo", &range));
    }

    #[test]
    fn what_holds_no_number_is_not_remembered() {
        assert_eq!(entries("Quantity", r#"{"unit":"mg"}"#), Entries::default());
        assert_eq!(entries("SampledData", r#"{"origin":{"value":1},"period":10,"dimensions":1}"#), Entries::default());
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "mg", "5.4|mg", "5.4|http://unitsofmeasure.org|", "5.4|a|b|c", "|http://unitsofmeasure.org|mg"]
        {
            assert!(matches!(refuse(Kind, "Observation.value", None, text), Refusal::Value(_)), "{text}");
        }
    }
}
