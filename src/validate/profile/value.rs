//! Fixed values, patterns, limits and lengths. <https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_>

use super::allowance::Meter;
use super::model::Limit;
use crate::fhir::definitions::PrimitiveType;
use crate::fhir::json::Json;
use crate::fhirpath::value::Kind;
use crate::fhirpath::{Budget, Element, Expression, Item, Value, Variables};
use std::sync::LazyLock;

/// Whether a value has at least what a pattern has: of objects each member, of lists each item somewhere.
///
/// Each value that is compared is a step of `left`: lists are compared item by item, and all of it could take for ever.
pub fn matches_pattern(value: &Json, pattern: &Json, left: &Meter) -> bool {
    let matches = |found: &Json, wanted: &Json| left.spend() && matches_pattern(found, wanted, left);
    match (value, pattern) {
        (Json::Object(value), Json::Object(pattern)) => {
            pattern.iter().all(|(name, wanted)| value.get(name).is_some_and(|found| matches(found, wanted)))
        }
        (Json::Array(values), Json::Array(pattern)) => {
            pattern.iter().all(|wanted| !left.is_empty() && values.iter().any(|found| matches(found, wanted)))
        }
        _ => value.means_same(pattern),
    }
}

static AT_LEAST: LazyLock<Option<Expression>> = LazyLock::new(|| Expression::compile("$this >= %limit").ok());
static AT_MOST: LazyLock<Option<Expression>> = LazyLock::new(|| Expression::compile("$this <= %limit").ok());

/// Whether a value keeps a limit. What cannot be compared, such as a year with a day in it, keeps it.
pub fn keeps(element: Element<'_>, limit: &Limit, resource: Value<'_>) -> bool {
    let expression = if limit.is_least { &AT_LEAST } else { &AT_MOST };
    let Some((expression, kind)) = expression.as_ref().zip(kind_of(&limit.kind)) else { return true };
    let named = [("limit", Item::Element(Element { json: &limit.value, beside: None, kind }))];
    let variables = Variables { named: &named, ..Variables::of(resource) };
    let told = expression.evaluate(&Item::Element(element), &variables, Budget::default());
    let is_false = |item: &Item<'_>| matches!(item, Item::Boolean(false));
    !told.is_ok_and(|told| told.iter().any(is_false))
}

/// `Quantity`, `Date`: as they stand in the names of members.
fn kind_of(name: &str) -> Option<Kind> {
    let mut letters = name.chars();
    let small: String = letters.next()?.to_lowercase().chain(letters).collect();
    let primitive = PrimitiveType::parse(&small).map(Kind::Primitive);
    primitive.or_else(|| super::read::node_of(name).map(Kind::Complex))
}

#[cfg(test)]
mod tests {
    use super::super::allowance::Allowance;
    use super::*;
    use crate::fhir::json::parse;

    #[test]
    fn a_pattern_is_met_by_more_and_a_list_in_any_order() {
        let json = |text: &str| parse(text.as_bytes(), 16).unwrap();
        for (value, pattern, expected) in [
            (r#"{"a":1,"b":2}"#, r#"{"a":1.0}"#, true),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false),
            (r#"{"c":[{"s":"x","k":1},{"s":"y","d":"z"}]}"#, r#"{"c":[{"s":"y"}]}"#, true),
            (r#"{"c":[{"s":"x"},{"s":"y"}]}"#, r#"{"c":[{"s":"y"},{"s":"x"}]}"#, true),
            (r#"{"c":[{"s":"x"}]}"#, r#"{"c":[{"s":"x"},{"s":"y"}]}"#, false),
            (r#""x""#, r#""x""#, true),
            (r#""x""#, r#""y""#, false),
            (r#"true"#, r#""true""#, false),
        ] {
            let left = Allowance::default().marks;
            assert_eq!(matches_pattern(&json(value), &json(pattern), &left), expected, "{value} {pattern}");
        }
    }

    #[test]
    fn limits_are_kept_where_nothing_can_be_compared() {
        let resource = parse(br#"{"resourceType":"Basic"}"#, 16).unwrap();
        let resource = Value::resource(&resource).unwrap();
        let keeps = |kind: PrimitiveType, value: &str, is_least: bool, limit: (&str, &str)| {
            let (value, limit_value) = (parse(value.as_bytes(), 4).unwrap(), parse(limit.1.as_bytes(), 4).unwrap());
            let limit = Limit { is_least, value: limit_value, kind: limit.0.into() };
            super::keeps(Element { json: &value, beside: None, kind: Kind::Primitive(kind) }, &limit, resource)
        };
        assert!(keeps(PrimitiveType::Integer, "5", true, ("Integer", "5")));
        assert!(!keeps(PrimitiveType::Integer, "4", true, ("Integer", "5")));
        assert!(!keeps(PrimitiveType::Decimal, "5.01", false, ("Decimal", "5.0")));
        assert!(!keeps(PrimitiveType::Date, "\"1899-01-01\"", true, ("Date", "\"1900-01-01\"")));
        assert!(keeps(PrimitiveType::Date, "\"1900\"", true, ("Date", "\"1900-01-01\"")));
    }
}
