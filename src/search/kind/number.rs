//! Numbers, compared with the precision that the query has. <https://hl7.org/fhir/R4/search.html#number>

use super::super::clause::{Bounds, Clause, Limit, Limits, Predicate, Under, UnitMatch};
use super::super::entry::Entries;
use super::super::registry::Branch;
use super::prefix::{self, Prefix};
use super::{Refusal, no_modifier, quantity};
use crate::fhirpath::value::Value;
use octofhir_ucum::Number;

/// As a quantity: a Range or a quantity may stand where a number may.
pub fn extract(branch: &Branch, value: Value<'_>, base: Option<&str>, entries: &mut Entries) {
    quantity::extract(branch, value, base, entries);
}

pub fn parse(branch: &Branch, modifier: Option<&str>, text: &str) -> Result<Clause, Refusal> {
    no_modifier(modifier)?;
    Ok(clause(Under::of(branch), UnitMatch::Any, bounds(&Comparison::parse(text)?.plain()?)))
}

pub(super) fn clause(under: Under, unit: UnitMatch, bounds: Vec<Bounds<f64>>) -> Clause {
    let number = |bounds| Clause::Match(Predicate::Number { under, unit, bounds });
    Clause::any(bounds.into_iter().map(number).collect())
}

/// A number with its prefix. `T` is a decimal as long as the unit may still change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Comparison<T> {
    pub prefix: Prefix,
    pub value: T,
    /// What is as good as equal: from `low` up to but without `high`; of `ap` a tenth to either side.
    pub low: T,
    pub high: T,
}

impl Comparison<Number> {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let (prefix, digits) = prefix::split(text);
        Self::read(prefix, digits).ok_or_else(|| Refusal::value("A number was expected, such as 5.4, -3 or 1e2."))
    }

    fn read(prefix: Prefix, digits: &str) -> Option<Self> {
        let value = decimal(digits)?;
        let around = match prefix {
            Prefix::Approximately => value.abs().checked_mul(Number::parse("0.1")?)?,
            _ => half_of_last_digit(digits)?,
        };
        Some(Comparison { prefix, value, low: value.checked_sub(around)?, high: value.checked_add(around)? })
    }

    pub fn plain(self) -> Result<Comparison<f64>, Refusal> {
        self.converted(|number| Some(number.to_f64()))
    }

    /// Every number of it by itself, since an offset moves all alike.
    pub fn converted(self, convert: impl Fn(Number) -> Option<f64>) -> Result<Comparison<f64>, Refusal> {
        let finite = |number| convert(number).filter(|number| number.is_finite());
        let all = finite(self.value).zip(finite(self.low)).zip(finite(self.high));
        let ((value, low), high) = all.ok_or_else(|| Refusal::value("This number is too large."))?;
        Ok(Comparison { prefix: self.prefix, value, low, high })
    }
}

/// A number as FHIR writes it.
pub(super) fn decimal(text: &str) -> Option<Number> {
    let last_is_digit = text.ends_with(|c: char| c.is_ascii_digit());
    let first_is_digit = text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit());
    Number::parse(text).filter(|_| first_is_digit && last_is_digit)
}

/// `100` is as precise as ±0.5, `100.00` as ±0.005. A power of ten without a point counts as if `.0` stood before it: the
/// specification reads `1e2` as 95 to 105.
fn half_of_last_digit(digits: &str) -> Option<Number> {
    let (significand, exponent) = match digits.split_once(['e', 'E']) {
        Some((significand, exponent)) => (significand, Some(exponent.parse::<i32>().ok()?)),
        None => (digits, None),
    };
    let decimals = match significand.split_once('.') {
        Some((_, decimals)) => i32::try_from(decimals.len()).ok()?,
        None => i32::from(exponent.is_some()),
    };
    Number::parse("5")?.checked_mul(Number::power_of_ten(exponent.unwrap_or(0).checked_sub(decimals)?.checked_sub(1)?))
}

/// What a comparison asks of a range of numbers; one of the bounds must hold.
pub(super) fn bounds(comparison: &Comparison<f64>) -> Vec<Bounds<f64>> {
    let Comparison { prefix, value, low, high } = *comparison;
    let on_low = |low| Bounds { low, high: Limits::default() };
    let on_high = |high| Bounds { low: Limits::default(), high };
    match prefix {
        Prefix::Equal => vec![Bounds { low: from(low, true), high: to(high, false) }],
        Prefix::NotEqual => vec![on_low(to(low, false)), on_high(from(high, true))],
        Prefix::Greater => vec![on_high(from(value, false))],
        Prefix::GreaterOrEqual => vec![on_high(from(value, true))],
        Prefix::Less => vec![on_low(to(value, false))],
        Prefix::LessOrEqual => vec![on_low(to(value, true))],
        Prefix::StartsAfter => vec![on_low(from(value, false))],
        Prefix::EndsBefore => vec![on_high(to(value, false))],
        Prefix::Approximately => vec![Bounds { low: to(high, true), high: from(low, true) }],
    }
}

/// The same for a single number, whose ends are one.
pub(super) fn limits(comparison: &Comparison<f64>) -> Vec<Limits<f64>> {
    let point = |bounds: Bounds<f64>| Limits {
        from: bounds.low.from.or(bounds.high.from),
        to: bounds.high.to.or(bounds.low.to),
    };
    bounds(comparison).into_iter().map(point).collect()
}

fn from(value: f64, inclusive: bool) -> Limits<f64> {
    Limits { from: Some(Limit { value, inclusive }), to: None }
}

fn to(value: f64, inclusive: bool) -> Limits<f64> {
    Limits { from: None, to: Some(Limit { value, inclusive }) }
}
#[cfg(test)]
mod tests {
    use super::super::fixture::{ask, branch, found, refuse, value};
    use super::*;
    use crate::search::registry::ParameterKind::Number as Kind;

    fn of(text: &str, type_name: &str, number: &str) -> bool {
        let mut entries = Entries::default();
        extract(&branch(Kind, "RiskAssessment.probability"), value(type_name, number), None, &mut entries);
        found(&ask(Kind, "RiskAssessment.probability", None, text), &entries)
    }

    #[test]
    fn equality_has_the_precision_of_the_query() {
        for (text, inside, outside) in [
            ("100", ["99.5", "100.4999"], ["99.4999", "100.5"]),
            ("100.00", ["99.995", "100.00499"], ["99.99499", "100.005"]),
            ("1e2", ["95", "104.999"], ["94.999", "105"]),
            ("1.0e2", ["95", "104.999"], ["94.999", "105"]),
            ("-0.5", ["-0.55", "-0.4501"], ["-0.551", "-0.45"]),
            ("0", ["-0.5", "0.4"], ["-0.6", "0.5"]),
        ] {
            for number in inside {
                assert!(of(text, "decimal", number), "{text} of {number}");
                assert!(!of(&format!("ne{text}"), "decimal", number), "ne{text} of {number}");
            }
            for number in outside {
                assert!(!of(text, "decimal", number), "{text} of {number}");
                assert!(of(&format!("ne{text}"), "decimal", number), "ne{text} of {number}");
            }
        }
    }

    #[test]
    fn an_order_is_exact() {
        for (text, number, expected) in [
            ("lt100", "99.9", true),
            ("lt100", "100", false),
            ("le100", "100", true),
            ("le100", "100.1", false),
            ("gt100", "100.1", true),
            ("gt100", "100", false),
            ("ge100", "100", true),
            ("ge100", "99.9", false),
            ("sa100", "101", true),
            ("sa100", "100", false),
            ("eb100", "99", true),
            ("eb100", "100", false),
            ("ap100", "90", true),
            ("ap100", "110", true),
            ("ap100", "89", false),
            ("ap-100", "-110", true),
        ] {
            assert_eq!(of(text, "decimal", number), expected, "{text} of {number}");
        }
    }

    #[test]
    fn a_range_is_greater_or_less_by_either_of_its_ends() {
        let range = r#"{"low":{"value":0.2},"high":{"value":0.4}}"#;
        for (text, expected) in [
            ("gt0.3", true),
            ("lt0.3", true),
            ("sa0.3", false),
            ("sa0.1", true),
            ("eb0.5", true),
            ("eq0.3", false),
            ("gt0.4", false),
            ("ap0.42", true),
        ] {
            assert_eq!(of(text, "Range", range), expected, "{text}");
        }
        assert!(of("gt1000", "Range", r#"{"low":{"value":0.2}}"#));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "x", "1.", ".5", "1e", "--1", "1 ", "NaN", "inf", "1e400", "1e-2147483647", "5|kg", "aa5"] {
            assert!(matches!(refuse(Kind, "RiskAssessment.probability", None, text), Refusal::Value(_)), "{text}");
        }
        let unknown = refuse(Kind, "RiskAssessment.probability", Some("exact"), "5");
        assert_eq!(unknown, Refusal::UnknownModifier("exact".to_owned()));
    }
}
