//! Whether two JSON values mean the same: numbers by their value, objects in whatever order.

use super::Json;
use std::collections::HashMap;
use std::convert::Infallible;

impl Json {
    /// Equality as JSON Patch has it: `1.0` equals `1.00` and `10e-1`, and the order of members does not count.
    /// <https://www.rfc-editor.org/rfc/rfc6902#section-4.6>
    pub fn means_same(&self, other: &Json) -> bool {
        let told = self.means_same_counting(other, &mut |_, _| Ok::<(), Infallible>(()));
        told.unwrap_or_else(|never| match never {})
    }

    /// The same. `count` is told, before each look, how many values and how many bytes of text it takes, and can end it.
    ///
    /// # Errors
    /// What `count` says.
    pub fn means_same_counting<E>(
        &self,
        other: &Json,
        count: &mut impl FnMut(usize, usize) -> Result<(), E>,
    ) -> Result<bool, E> {
        match (self, other) {
            (Json::Number(one), Json::Number(two)) => {
                count(1, one.len() + two.len())?;
                Ok(one == two || value_of(one).is_some_and(|v| value_of(two) == Some(v)))
            }
            (Json::String(one), Json::String(two)) => {
                if one.len() != two.len() {
                    return Ok(false);
                }
                count(1, one.len())?;
                Ok(one == two)
            }
            (Json::Array(one), Json::Array(two)) => {
                if one.len() != two.len() {
                    return Ok(false);
                }
                count(1, 0)?;
                for (one, two) in one.iter().zip(two) {
                    if !one.means_same_counting(two, count)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Json::Object(one), Json::Object(two)) => {
                if one.len() != two.len() {
                    return Ok(false);
                }
                count(one.len(), 0)?;
                let by_name: HashMap<&str, &Json> = two.iter().collect();
                for (name, value) in one.iter() {
                    match by_name.get(name) {
                        Some(other) if value.means_same_counting(other, count)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
            _ => Ok(self == other),
        }
    }
}

/// A number's value: whether it is below zero, its digits without zeros at either end, and the power of ten of the last.
/// `None`: the exponent is beyond all measure.
fn value_of(text: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let digits = mantissa.trim_start_matches('-');
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let shown = all.trim_start_matches('0');
    let significant = shown.trim_end_matches('0');
    if significant.is_empty() {
        return Some((false, String::new(), 0));
    }
    let places = |length: usize| i64::try_from(length).ok();
    let power = exponent.checked_sub(places(fraction.len())?)?;
    let power = power.checked_add(places(shown.len() - significant.len())?)?;
    Some((mantissa.starts_with('-'), significant.to_owned(), power))
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[test]
    fn numbers_are_the_same_by_value_and_objects_in_any_order() {
        let same =
            |one: &str, two: &str| parse(one.as_bytes(), 8).unwrap().means_same(&parse(two.as_bytes(), 8).unwrap());
        for (one, two) in [
            ("1.0", "1.00"),
            ("1", "10e-1"),
            ("-0.0", "0"),
            ("0e5", "0"),
            ("120", "1.2E+2"),
            ("0.00012", "12e-5"),
            ("12345678901234567890.10", "12345678901234567890.1"),
            (r#"{"a":1.0,"b":[true,null]}"#, r#"{"b":[true,null],"a":1}"#),
            ("1e99999999999999999999", "1e99999999999999999999"),
        ] {
            assert!(same(one, two) && same(two, one), "{one} {two}");
        }
        for (one, two) in [
            ("1", "-1"),
            ("1", "1.01"),
            ("10", "1"),
            ("0.1", "0.01"),
            ("12345678901234567890.1", "12345678901234567890.2"),
            ("1", "\"1\""),
            ("0", "false"),
            ("[1,2]", "[2,1]"),
            ("[1]", "[1,1]"),
            (r#"{"a":1}"#, r#"{"a":1,"b":1}"#),
            (r#"{"a":null}"#, r#"{"b":null}"#),
            ("1e99999999999999999999", "1e99999999999999999998"),
        ] {
            assert!(!same(one, two) && !same(two, one), "{one} {two}");
        }
    }
}
