//! Decimal numbers that keep their digits. <http://hl7.org/fhirpath/N1/#decimal>

use rust_decimal::{Decimal, RoundingStrategy};

/// Digits behind the point of a boundary that asks for none.
pub(super) const BOUNDARY_DIGITS: u32 = 8;

/// The most digits that a decimal has here.
pub(super) const DIGITS_MAX: u32 = 28;

/// Reads `72.50` and `1E-22`. `None`: no number, or one of more than 28 digits, which FHIRPath need not know.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    match text.contains(['e', 'E']) {
        true => Decimal::from_scientific(text).ok(),
        false => Decimal::from_str_exact(text).ok(),
    }
}

/// Reads what a conversion takes: `(\+|-)?\d+(\.\d+)?`. <http://hl7.org/fhirpath/N1/#todecimal--decimal>
pub(super) fn written(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (is_plain(whole) && is_plain(fraction)).then(|| decimal(text)).flatten()
}

/// Digits behind the point, without zeros at the end.
pub(super) fn precision(value: Decimal) -> u32 {
    value.normalize().scale()
}

/// Rounded as people do: a half goes away from zero.
pub(super) fn rounded(value: Decimal, digits: u32) -> Decimal {
    value.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero)
}

/// Whether two decimals are the same, rounded to the digits of the less precise one.
/// <http://hl7.org/fhirpath/N1/#equivalent>
pub(super) fn equivalent(left: Decimal, right: Decimal) -> bool {
    let digits = precision(left).min(precision(right));
    rounded(left, digits) == rounded(right, digits)
}

/// The least (or greatest) number that would be written as this one, with so many digits behind the point.
pub(super) fn boundary(value: Decimal, digits: u32, is_high: bool) -> Option<Decimal> {
    // `from_parts` takes a scale, so 5 at one place more than the last written is half of what that place counts.
    let half = Decimal::try_new(5, value.scale().checked_add(1)?).ok()?;
    let (exact, strategy) = match is_high {
        true => (value.checked_add(half)?, RoundingStrategy::ToPositiveInfinity),
        false => (value.checked_sub(half)?, RoundingStrategy::ToNegativeInfinity),
    };
    let mut bound = exact.round_dp_with_strategy(digits, strategy);
    bound.rescale(digits);
    Some(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_their_digits() {
        for (text, expected) in
            [("72.50", Some("72.50")), ("1E-22", Some("0.0000000000000000000001")), ("1e2", Some("100"))]
        {
            assert_eq!(decimal(text).map(|value| value.to_string()).as_deref(), expected);
        }
        for text in ["", "x", "1e", "1e99", "123456789012345678901234567890.5"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }

    #[test]
    fn a_conversion_takes_digits_and_a_sign_alone() {
        for (text, expected) in [("1000", Some("1000")), ("+1.50", Some("1.50")), ("-0.5", Some("-0.5"))] {
            assert_eq!(written(text).map(|value| value.to_string()).as_deref(), expected);
        }
        for text in ["", "+", "1_000", "1.", ".5", "1.5.0", "1e2", "--1", " 1", "1.0_0"] {
            assert_eq!(written(text), None, "{text}");
        }
    }

    #[test]
    fn a_boundary_is_half_a_place_away() {
        let bound = |text, digits, is_high| boundary(decimal(text).unwrap(), digits, is_high).unwrap().to_string();
        assert_eq!(bound("1.587", 8, false), "1.58650000");
        assert_eq!(bound("1.587", 2, true), "1.59");
        assert_eq!(bound("-1.587", 2, false), "-1.59");
        assert_eq!(bound("1", 0, true), "2");
    }
}
