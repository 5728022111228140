//! The forms of primitive values. <https://hl7.org/fhir/R4/datatypes.html#primitive>

use crate::fhir::definitions::PrimitiveType;
use crate::fhir::id::Id;
use crate::fhir::json::Json;
use chrono::NaiveDate;

/// Strings are at most this long (characters). <https://hl7.org/fhir/R4/datatypes.html#string>
const STRING_CHARS_MAX: usize = 1024 * 1024;

/// Which kind of JSON value carries a primitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Boolean,
    Number,
    Text,
}

impl Shape {
    pub fn of(primitive: PrimitiveType) -> Shape {
        match primitive {
            PrimitiveType::Boolean => Shape::Boolean,
            PrimitiveType::Integer
            | PrimitiveType::Decimal
            | PrimitiveType::UnsignedInt
            | PrimitiveType::PositiveInt => Shape::Number,
            PrimitiveType::String
            | PrimitiveType::Uri
            | PrimitiveType::Url
            | PrimitiveType::Canonical
            | PrimitiveType::Oid
            | PrimitiveType::Uuid
            | PrimitiveType::Id
            | PrimitiveType::Code
            | PrimitiveType::Markdown
            | PrimitiveType::Base64Binary
            | PrimitiveType::Instant
            | PrimitiveType::Date
            | PrimitiveType::DateTime
            | PrimitiveType::Time
            | PrimitiveType::Xhtml => Shape::Text,
        }
    }

    pub fn fits(self, value: &Json) -> bool {
        match self {
            Shape::Boolean => matches!(value, Json::Bool(_)),
            Shape::Number => matches!(value, Json::Number(_)),
            Shape::Text => matches!(value, Json::String(_)),
        }
    }

    pub fn describe(self) -> &'static str {
        match self {
            Shape::Boolean => "true or false",
            Shape::Number => "a number",
            Shape::Text => "a string",
        }
    }
}

/// What a value of the right shape should have been, if it is not.
pub fn fault(primitive: PrimitiveType, value: &Json) -> Option<&'static str> {
    match value {
        Json::Number(digits) => number_fault(primitive, digits),
        Json::String(text) => text_fault(primitive, text),
        _ => None,
    }
}

fn number_fault(primitive: PrimitiveType, digits: &str) -> Option<&'static str> {
    let integer = || digits.parse::<i32>().ok().filter(|_| digits != "-0");
    match primitive {
        PrimitiveType::Integer if integer().is_none() => Some("a whole number from -2147483648 to 2147483647"),
        PrimitiveType::UnsignedInt if integer().is_none_or(|number| number < 0) => {
            Some("a whole number from 0 to 2147483647")
        }
        PrimitiveType::PositiveInt if integer().is_none_or(|number| number < 1) => {
            Some("a whole number from 1 to 2147483647")
        }
        _ => None,
    }
}

fn text_fault(primitive: PrimitiveType, text: &str) -> Option<&'static str> {
    let (is_right, expected) = match primitive {
        PrimitiveType::String | PrimitiveType::Markdown => (is_string(text), "a string of 1 to 1048576 characters"),
        PrimitiveType::Xhtml => (!text.is_empty(), "a div of XHTML"),
        PrimitiveType::Code => (is_code(text), "a code: no white space but single spaces inside"),
        PrimitiveType::Id => (Id::parse(text).is_ok(), "an id: 1 to 64 of A-Z, a-z, 0-9, '-' and '.'"),
        PrimitiveType::Uri | PrimitiveType::Url | PrimitiveType::Canonical => {
            (is_uri(text), "a URI, without white space")
        }
        PrimitiveType::Oid => (is_oid(text), "an OID such as urn:oid:1.2.3"),
        PrimitiveType::Uuid => (is_uuid(text), "a UUID such as urn:uuid:c757873d-ec9a-4326-a141-556f43239520"),
        PrimitiveType::Base64Binary => (is_base64(text), "base64 (RFC 4648)"),
        PrimitiveType::Date => (is_date(text).is_some(), "a date: YYYY, YYYY-MM or YYYY-MM-DD"),
        PrimitiveType::DateTime => {
            (is_date_time(text), "a dateTime: YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+zz:zz")
        }
        PrimitiveType::Instant => (is_instant(text), "an instant: YYYY-MM-DDThh:mm:ss.sss+zz:zz"),
        PrimitiveType::Time => (is_time(text), "a time: hh:mm:ss"),
        PrimitiveType::Boolean
        | PrimitiveType::Integer
        | PrimitiveType::Decimal
        | PrimitiveType::UnsignedInt
        | PrimitiveType::PositiveInt => return None,
    };
    (!is_right).then_some(expected)
}

fn is_string(text: &str) -> bool {
    // Bytes are never fewer than characters: only long ones are counted.
    let is_short = text.len() <= STRING_CHARS_MAX || text.chars().count() <= STRING_CHARS_MAX;
    // White space alone is bad practice and allowed; of what is no other letter only tab and the ends of lines are.
    is_short && !text.is_empty() && !text.contains(['\u{b}', '\u{c}'])
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.split(' ').all(|word| !word.is_empty() && !word.contains(char::is_whitespace))
}

fn is_uri(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace)
}

fn is_oid(text: &str) -> bool {
    let Some(numbers) = text.strip_prefix("urn:oid:") else { return false };
    let is_number = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'))
    };
    numbers.contains('.')
        && numbers.split('.').all(is_number)
        && matches!(numbers.split('.').next(), Some("0" | "1" | "2"))
}

fn is_uuid(text: &str) -> bool {
    let Some(digits) = text.strip_prefix("urn:uuid:") else { return false };
    let lengths = digits.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && digits.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9' | b'a'..=b'f'))
}

fn is_base64(text: &str) -> bool {
    let (mut letters, mut padding) = (0_usize, 0_usize);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        match byte {
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => letters += 1,
            _ => return false,
        }
    }
    letters > 0 && padding <= 2 && (letters + padding) % 4 == 0
}

/// The length of the text, if it is a date of any precision.
fn is_date(text: &str) -> Option<usize> {
    let mut parts = text.split('-');
    let year: i32 = number(parts.next()?, 4)?;
    let month = parts.next().map(|month| number(month, 2).ok_or(()));
    let day = parts.next().map(|day| number(day, 2).ok_or(()));
    let (month, day) = (month.transpose().ok()?, day.transpose().ok()?);
    let exists = NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1)).is_some();
    (exists && year > 0 && parts.next().is_none()).then_some(text.len())
}

fn number<T: std::str::FromStr>(text: &str, digits: usize) -> Option<T> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn is_date_time(text: &str) -> bool {
    if text.contains('T') { is_instant(text) } else { is_date(text).is_some() }
}

fn is_instant(text: &str) -> bool {
    let Some((date, rest)) = text.split_once('T') else { return false };
    let zone_at = rest.find(['Z', '+', '-']);
    let Some((time, zone)) = zone_at.and_then(|position| rest.split_at_checked(position)) else { return false };
    is_date(date) == Some(10) && is_time(time) && is_zone(zone)
}

fn is_zone(text: &str) -> bool {
    if text == "Z" {
        return true;
    }
    let hours_minutes = text.strip_prefix(['+', '-']).and_then(|offset| offset.split_once(':'));
    let Some((hours, minutes)) = hours_minutes else { return false };
    match (number::<u32>(hours, 2), number::<u32>(minutes, 2)) {
        (Some(14), Some(0)) => true,
        (Some(hours), Some(minutes)) => hours < 14 && minutes < 60,
        _ => false,
    }
}

fn is_time(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut parts = whole.split(':');
    let mut next = |max: u32| parts.next().and_then(|part| number::<u32>(part, 2)).is_some_and(|value| value <= max);
    // A second 60 is a leap second.
    let is_whole = next(23) && next(59) && next(60) && parts.next().is_none();
    is_whole && fraction.is_none_or(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_right(primitive: PrimitiveType, text: &str) -> bool {
        text_fault(primitive, text).is_none()
    }

    #[test]
    fn texts_have_the_forms_of_their_types() {
        use PrimitiveType::*;
        for (primitive, right, wrong) in [
            (String, &["a", " a ", "é\n", " ", "\n\t"] as &[&str], &["", "a\u{c}", "\u{b}"] as &[&str]),
            (Code, &["a", "a b", "<"], &["", " a", "a ", "a  b", "a\tb"]),
            (Id, &["a", "A-1.b"], &["", "a_b", "a b"]),
            (Uri, &["x", "http://a/é", "urn:x"], &["", "a b", "a\n"]),
            (Oid, &["urn:oid:1.2.3", "urn:oid:2.0.10"], &["urn:oid:3.1", "urn:oid:1", "urn:oid:1.02", "1.2.3"]),
            (
                Uuid,
                &["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
                &[
                    "c757873d-ec9a-4326-a141-556f43239520",
                    "urn:uuid:c757873dec9a4326a141556f43239520",
                    "urn:uuid:C757873D-ec9a-4326-a141-556f43239520",
                ],
            ),
            (Base64Binary, &["QQ==", "QUJD", "QU JD\n"], &["", "QQ=", "Q", "Q=Q=", "QU*D", "==="]),
            (
                Date,
                &["2020", "2020-02", "2020-02-29", "0001"],
                &["20", "2021-02-29", "2020-13", "2020-1-1", "0000", "2020-01-01-01", "2020-01-01T00:00:00Z", ""],
            ),
            (
                DateTime,
                &[
                    "2020",
                    "2020-02-29",
                    "2020-02-29T23:59:60Z",
                    "2020-01-01T00:00:00.123+14:00",
                    "2020-01-01T00:00:00-05:30",
                ],
                &[
                    "2020-01-01T00:00:00",
                    "2020-01-01T00:00Z",
                    "2020-01-01T24:00:00Z",
                    "2020-01T00:00:00Z",
                    "2020-01-01T00:00:00+15:00",
                    "2020-01-01T00:00:00.Z",
                    "2020-01-01 00:00:00Z",
                ],
            ),
            (Instant, &["2020-01-01T00:00:00Z"], &["2020-01-01", "2020"]),
            (Time, &["00:00:00", "23:59:59.9"], &["24:00:00", "1:00:00", "00:00", "00:00:00Z", ""]),
        ] {
            for text in right {
                assert!(is_right(primitive, text), "{primitive}: {text:?}");
            }
            for text in wrong {
                assert!(!is_right(primitive, text), "{primitive}: {text:?}");
            }
        }
    }

    #[test]
    fn whole_numbers_have_their_ranges() {
        use PrimitiveType::*;
        for (primitive, right, wrong) in [
            (Integer, &["0", "-2147483648", "2147483647"] as &[&str], &["2147483648", "1.0", "1e2", "-0"] as &[&str]),
            (UnsignedInt, &["0", "7"], &["-1", "0.5"]),
            (PositiveInt, &["1"], &["0", "-1", "2147483648"]),
            (Decimal, &["0.10", "-1E-22", "1e2"], &[]),
        ] {
            for digits in right {
                assert_eq!(number_fault(primitive, digits), None, "{primitive}: {digits}");
            }
            for digits in wrong {
                assert!(number_fault(primitive, digits).is_some(), "{primitive}: {digits}");
            }
        }
    }
}
