//! Quantities: numbers with a unit of UCUM or of the calendar. <http://hl7.org/fhirpath/N1/#quantity>

use super::number;
use super::temporal::CalendarUnit;
use octofhir_ucum::{Number, get_canonical_units};
use rust_decimal::Decimal;
use smol_str::{SmolStr, format_smolstr};
use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter};

/// The longest unit that is looked at (bytes).
pub(super) const UNIT_BYTES_MAX: usize = 256;

#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    pub value: Decimal,
    pub unit: Unit,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Unit {
    Ucum(SmolStr),
    Calendar(CalendarUnit),
    /// A unit of another system, or none that a machine knows: equal only to itself.
    Other(SmolStr),
}

/// What two quantities are in one unit.
enum Common {
    Decimals(Decimal, Decimal),
    Numbers(Number, Number),
}

impl Quantity {
    pub fn plain(value: Decimal) -> Quantity {
        Quantity { value, unit: Unit::Ucum(SmolStr::new_static("1")) }
    }

    /// Reads `4`, `4 days` and `4.0 'mg'`.
    pub fn parse(text: &str) -> Option<Quantity> {
        let end = text
            .find(|letter: char| !letter.is_ascii_digit() && !matches!(letter, '.' | '-' | '+'))
            .unwrap_or(text.len());
        let (digits, unit) = text.split_at_checked(end)?;
        let value = number::decimal(digits.strip_prefix('+').unwrap_or(digits))?;
        let unit = match unit.trim() {
            "" => return Some(Quantity::plain(value)),
            _ if !unit.starts_with([' ', '\t', '\'']) => return None,
            unit => unit,
        };
        let ucum = unit.strip_prefix('\'').and_then(|unit| unit.strip_suffix('\''));
        let unit = match ucum {
            Some(code) if is_ucum(code) => Unit::Ucum(SmolStr::new(code)),
            Some(_) => return None,
            None => Unit::Calendar(CalendarUnit::parse(unit)?),
        };
        Some(Quantity { value, unit })
    }

    /// Whether both can be told in one unit.
    pub fn is_comparable(&self, other: &Quantity) -> bool {
        self.common(other).is_some()
    }

    /// `None` where the units do not fit each other, and between a year or month of the calendar and one of fixed length.
    pub fn compare(&self, other: &Quantity) -> Option<Ordering> {
        match self.common(other)? {
            Common::Decimals(left, right) => Some(left.cmp(&right)),
            Common::Numbers(left, right) => {
                let difference = left.checked_sub(right)?;
                Some(match (difference.is_zero(), difference.is_negative()) {
                    (true, _) => Ordering::Equal,
                    (false, true) => Ordering::Less,
                    (false, false) => Ordering::Greater,
                })
            }
        }
    }

    /// Whether they are the same, rounded to the digits of the less precise one.
    pub fn is_equivalent(&self, other: &Quantity) -> bool {
        if let (Unit::Calendar(_), Unit::Ucum(_)) | (Unit::Ucum(_), Unit::Calendar(_)) = (&self.unit, &other.unit)
            && let (Some(left), Some(right)) = (self.as_ucum(), other.as_ucum())
        {
            return left.is_equivalent(&right);
        }
        if let Some(Common::Decimals(left, right)) = self.common(other) {
            return number::equivalent(left, right);
        }
        // In the unit of the left one, with as many digits as the less precise has in its own.
        let converted = other.in_unit_of(self);
        converted.is_some_and(|(value, digits)| {
            let digits = digits.min(number::precision(self.value));
            number::rounded(value, digits) == number::rounded(self.value, digits)
        })
    }

    pub fn plus(&self, other: &Quantity) -> Option<Quantity> {
        if self.unit == other.unit {
            return Some(Quantity { value: self.value.checked_add(other.value)?, unit: self.unit.clone() });
        }
        let (value, _) = other.in_unit_of(self)?;
        Some(Quantity { value: self.value.checked_add(value)?, unit: self.unit.clone() })
    }

    pub fn negated(self) -> Quantity {
        Quantity { value: -self.value, ..self }
    }

    pub fn times(&self, other: &Quantity) -> Option<Quantity> {
        let unit = format_smolstr!("({}).({})", self.code()?, other.code()?);
        canonical(self.value.checked_mul(other.value)?, &unit)
    }

    pub fn divided(&self, other: &Quantity) -> Option<Quantity> {
        let unit = format_smolstr!("({})/({})", self.code()?, other.code()?);
        canonical(self.value.checked_div(other.value)?, &unit)
    }

    /// The unit as UCUM writes it.
    fn code(&self) -> Option<&str> {
        match &self.unit {
            Unit::Ucum(code) => Some(code),
            Unit::Calendar(unit) => Some(unit.ucum()),
            Unit::Other(_) => None,
        }
    }

    fn as_ucum(&self) -> Option<Quantity> {
        Some(Quantity { value: self.value, unit: Unit::Ucum(SmolStr::new(self.code()?)) })
    }

    fn common(&self, other: &Quantity) -> Option<Common> {
        if self.unit == other.unit {
            return Some(Common::Decimals(self.value, other.value));
        }
        match (&self.unit, &other.unit) {
            (Unit::Calendar(left), Unit::Calendar(right)) if left.is_vague() || right.is_vague() => {
                Some(Common::Decimals(self.months()?, other.months()?))
            }
            (Unit::Calendar(unit), _) | (_, Unit::Calendar(unit)) if unit.is_vague() => None,
            (Unit::Other(_), _) | (_, Unit::Other(_)) => None,
            _ => {
                let (left, right) =
                    (get_canonical_units(known(self.code()?)?).ok()?, get_canonical_units(known(other.code()?)?).ok()?);
                let number = |quantity: &Quantity, factor, offset| {
                    Number::parse(&quantity.value.to_string())?.checked_mul(factor)?.checked_add(offset)
                };
                let same = left.unit == right.unit;
                same.then_some(())?;
                Some(Common::Numbers(
                    number(self, left.factor, left.offset)?,
                    number(other, right.factor, right.offset)?,
                ))
            }
        }
    }

    fn months(&self) -> Option<Decimal> {
        match self.unit {
            Unit::Calendar(CalendarUnit::Year) => self.value.checked_mul(Decimal::from(12)),
            Unit::Calendar(CalendarUnit::Month) => Some(self.value),
            _ => None,
        }
    }

    /// The value in another's unit, and how many digits behind the point it is sure of there.
    fn in_unit_of(&self, other: &Quantity) -> Option<(Decimal, u32)> {
        let (from, to) =
            (get_canonical_units(known(self.code()?)?).ok()?, get_canonical_units(known(other.code()?)?).ok()?);
        if from.unit != to.unit {
            return None;
        }
        let canonical = Number::parse(&self.value.to_string())?.checked_mul(from.factor)?.checked_add(from.offset)?;
        let value = number::decimal(&canonical.checked_sub(to.offset)?.checked_div(to.factor)?.to_string())?;
        let lost = from.factor.checked_div(to.factor)?.to_f64().abs().log10();
        let digits = f64::from(number::precision(self.value)) - lost;
        // In the range that is kept, so nothing is cut.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let digits = digits.clamp(0.0, 28.0) as u32;
        Some((value, digits))
    }
}

fn known(unit: &str) -> Option<&str> {
    Some(unit).filter(|unit| unit.len() <= UNIT_BYTES_MAX)
}

fn is_ucum(code: &str) -> bool {
    CalendarUnit::parse(code).is_some() || known(code).is_some_and(|code| octofhir_ucum::validate(code).is_ok())
}

/// A quantity in UCUM's canonical unit.
fn canonical(value: Decimal, unit: &str) -> Option<Quantity> {
    let canonical = get_canonical_units(known(unit)?).ok()?;
    let value = Number::parse(&value.to_string())?.checked_mul(canonical.factor)?;
    let unit = if canonical.unit.is_empty() { SmolStr::new_static("1") } else { SmolStr::new(&canonical.unit) };
    Some(Quantity { value: number::decimal(&value.to_string())?, unit: Unit::Ucum(unit) })
}

impl Display for Quantity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.unit {
            Unit::Ucum(unit) | Unit::Other(unit) => write!(f, "{} '{unit}'", self.value),
            Unit::Calendar(unit) => {
                let plural = if self.value.abs() == Decimal::ONE { "" } else { "s" };
                write!(f, "{} {}{plural}", self.value, unit.word())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Quantity {
        Quantity::parse(text).unwrap()
    }

    #[test]
    fn quantities_compare_in_a_common_unit() {
        for (left, right, expected) in [
            ("1 'g'", "1000 'mg'", Some(Ordering::Equal)),
            ("6 days", "1 week", Some(Ordering::Less)),
            ("1 'wk'", "7 days", Some(Ordering::Equal)),
            ("1 year", "12 months", Some(Ordering::Equal)),
            ("1 year", "1 'a'", None),
            ("1 'cm'", "1 's'", None),
            ("100 'Cel'", "212 '[degF]'", Some(Ordering::Equal)),
            ("0.1 'mg'", "0.10 'mg'", Some(Ordering::Equal)),
        ] {
            assert_eq!(read(left).compare(&read(right)), expected, "{left} {right}");
        }
        assert!(read("4 'g'").is_equivalent(&read("4040 'mg'")));
        assert!(!read("4.1 'g'").is_equivalent(&read("4240 'mg'")));
        assert!(read("1 year").is_equivalent(&read("1 'a'")));
    }

    #[test]
    fn only_quantities_are_read() {
        for text in ["", "x", "1 wk", "1'", "1 'wk", "1 'nonsense'", "1days", "1 'mg' x"] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
        assert_eq!(read("1.50 'mg'").to_string(), "1.50 'mg'");
        assert_eq!(read("2 days").to_string(), "2 days");
    }
}
