//! `Location.near`: places within a distance. <https://hl7.org/fhir/R4/location.html#positional>

use super::super::clause::{Clause, Predicate};
use super::super::entry::{Entries, Position};
use super::super::registry::{Branch, Parameter};
use super::escape::{split, unescape};
use super::{Refusal, no_modifier};
use crate::fhir::json::Json;
use crate::fhirpath::value::Value;

/// How far `near` reaches when the query does not say (kilometres); the specification leaves it to the server.
const DISTANCE_DEFAULT: &str = "50";

pub fn extract(_branch: &Branch, value: Value<'_>, _base: Option<&str>, entries: &mut Entries) {
    let degrees = |name| match value.object()?.get(name)? {
        Json::Number(digits) => digits.parse::<f64>().ok(),
        _ => None,
    };
    let position =
        degrees("latitude").zip(degrees("longitude")).and_then(|(latitude, longitude)| at(latitude, longitude));
    entries.positions.extend(position);
}

/// `None` for what is not on the earth.
fn at(latitude: f64, longitude: f64) -> Option<Position> {
    (latitude.abs() <= 90.0 && longitude.abs() <= 180.0).then_some(Position { latitude, longitude })
}

pub fn parse(parameter: &Parameter, modifier: Option<&str>, text: &str) -> Result<Clause, Refusal> {
    no_modifier(modifier)?;
    if parameter.code != "near" {
        return Err(Refusal::value(format!("'{}' is not supported.", parameter.code)));
    }
    let parts: Vec<String> = split(text, '|').into_iter().map(unescape).collect();
    near(&parts).ok_or_else(|| {
        Refusal::value("A place was expected: latitude|longitude|distance|unit, such as -83.69|42.25|11|km.")
    })
}

fn near(parts: &[String]) -> Option<Clause> {
    let part = |index: usize, default: &'static str| {
        let text = parts.get(index).map(String::as_str).filter(|text| !text.is_empty());
        text.unwrap_or(default)
    };
    let Position { latitude, longitude } = at(part(0, "").parse().ok()?, part(1, "").parse().ok()?)?;
    let distance: f64 = part(2, DISTANCE_DEFAULT).parse().ok()?;
    let metres = octofhir_ucum::convert(distance, part(3, "km"), "m").ok()?;
    (parts.len() <= 4 && metres >= 0.0).then_some(Clause::Match(Predicate::Near { latitude, longitude, metres }))
}
#[cfg(test)]
mod tests {
    use super::super::fixture::{branch, found, parameter, value};
    use super::*;
    use crate::search::registry::ParameterKind::Special;

    fn ask(text: &str) -> Result<Clause, Refusal> {
        let mut parameter = parameter(Special, vec![branch(Special, "Location.position")]);
        parameter.code = "near".into();
        parse(&parameter, None, text)
    }

    fn bonn() -> Entries {
        let mut entries = Entries::default();
        let place = r#"{"latitude":50.7374,"longitude":7.0982}"#;
        extract(&branch(Special, "Location.position"), value("Location", place), None, &mut entries);
        entries
    }

    #[test]
    fn a_place_is_found_within_the_distance_in_any_unit_of_length() {
        // Cologne's cathedral is 24.9 km from there.
        for (text, expected) in [
            ("50.9413|6.9583|26|km", true),
            ("50.9413|6.9583|24|km", false),
            ("50.9413|6.9583|26", true),
            ("50.9413|6.9583|26000|m", true),
            ("50.9413|6.9583|24000|m", false),
            ("50.9413|6.9583|16|[mi_us]", true),
            ("50.9413|6.9583", true),
            ("48.8530|2.3499", false),
        ] {
            assert_eq!(found(&ask(text).unwrap(), &bonn()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in ["", "1", "91|0", "0|181", "a|b", "0|0|-1|km", "0|0|1|kg", "0|0|1|km|x", "NaN|0"] {
            assert!(matches!(ask(text), Err(Refusal::Value(_))), "{text}");
        }
    }
}
