//! Numbers, compared with the precision that the query has. <https://hl7.org/fhir/R4/search.html#number>

use super::super::clause::{Bounds, Clause, Limit, Limits, Predicate, SystemMatch, UnitMatch};
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
    Ok(clause(branch.hash, SystemMatch::Any, UnitMatch::Any, bounds(&Comparison::parse(text)?.plain()?)))
}

pub(super) fn clause(param: i64, system: SystemMatch, unit: UnitMatch, bounds: Vec<Bounds<f64>>) -> Clause {
    let number = |bounds| Clause::Match(Predicate::Number { param, unit, bounds, system });
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
