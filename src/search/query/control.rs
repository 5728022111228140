//! What shapes the answer and does not decide what is found. <https://hl7.org/fhir/R4/search.html#return>

use super::refused::Refused;
use super::{Query, Question, Scope, each_of, split_modifier};
use crate::error::{self, Error};
use crate::fhir::definitions::{ResourceType, root};
use crate::fhir::subset::Subset;

/// Each may stand once.
pub(super) const CODES: &[&str] = &[
    "_type",
    "_count",
    "_summary",
    "_elements",
    "_total",
    "_contained",
    "_containedType",
    "_page",
    "_explain",
    "_format",
    "_pretty",
    "_query",
];

/// How much of each resource is sent. <https://hl7.org/fhir/R4/search.html#summary>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Summary {
    /// All of it.
    None,
    True,
    Text,
    Data,
    /// Only how many there are.
    Count,
}

/// Whether the matches of all pages are counted. <https://hl7.org/fhir/R4/search.html#total>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    None,
    Estimate,
    Accurate,
}

/// # Errors
/// 400 for a parameter that may stand once and stands twice: which of them holds could only be guessed.
pub(super) fn check_repetitions(parameters: &[(String, String)]) -> error::Result<()> {
    for code in CODES.iter().chain(&["_sort"]) {
        let repeated = parameters.iter().filter(|(name, value)| super::code(name) == *code && !value.is_empty());
        if repeated.count() > 1 {
            return Err(Error::invalid(format!("'{code}' may be given once only.")).at(*code));
        }
    }
    Ok(())
}

impl Query {
    pub(super) fn control(&mut self, question: &Question<'_>, name: &str, value: &str) -> Result<(), Refused> {
        let (code, modifier) = split_modifier(name);
        if let Some(modifier) = modifier {
            return Err(Refused::modifier(code, modifier));
        }
        let one_of = |expected: &str| Refused::value(code, value, format!("One of {expected} was expected."));
        match (code, value) {
            ("_type", _) if names_types(question.scope) => {}
            ("_type", _) => return Err(Refused::ignorable("'_type' does nothing in a search of one type.")),
            ("_count", _) => self.count = count(value)?.min(question.count_max),
            ("_summary", _) => {
                self.summary = Summary::parse(value).ok_or_else(|| one_of("true, text, data, count and false"))?;
            }
            ("_elements", _) => self.elements = elements(&self.types, value)?,
            ("_total", _) => self.total = Total::parse(value).ok_or_else(|| one_of("none, estimate and accurate"))?,
            ("_contained", "false") => {}
            ("_explain", "true" | "false") => self.explain = value == "true",
            ("_explain", _) => return Err(one_of("true and false")),
            ("_page", _) => self.page = Some(value.to_owned()),
            ("_contained" | "_containedType", _) => {
                let message = "Contained resources are not searched: '_contained' can only be 'false'.";
                return Err(Refused::not_supported(message));
            }
            ("_query", _) => return Err(Refused::not_supported(format!("There is no named query '{value}' here."))),
            // `_format` and `_pretty` concern every interaction alike.
            _ => {}
        }
        Ok(())
    }
}

/// The part of one resource that a read asks for; `None`: all of it.
///
/// # Errors
/// 400 for a value that is none, and for `count`, which is about many.
pub fn part_of_one(of: ResourceType, summary: Option<&str>, named: Option<&str>) -> error::Result<Option<Subset>> {
    let given = |value: Option<&'_ str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
    if let Some(value) = given(summary) {
        let known = Summary::parse(&value).filter(|summary| *summary != Summary::Count);
        let expected = "One of true, text, data and false was expected.";
        let summary = known.ok_or_else(|| Refused::value("_summary", &value, expected).into_error("_summary"))?;
        if let Some(part) = summary.part() {
            return Ok(Some(part));
        }
    }
    let Some(value) = given(named) else { return Ok(None) };
    let names = elements(&[of], &value).map_err(|refused| refused.into_error("_elements"))?;
    Ok(Some(Subset::Elements(names)))
}

impl Summary {
    /// Of each resource; `None`: all of it.
    pub fn part(self) -> Option<Subset> {
        match self {
            Summary::True => Some(Subset::Summary),
            Summary::Text => Some(Subset::Text),
            Summary::Data => Some(Subset::Data),
            Summary::None | Summary::Count => None,
        }
    }

    fn parse(value: &str) -> Option<Summary> {
        Some(match value {
            "true" => Summary::True,
            "text" => Summary::Text,
            "data" => Summary::Data,
            "count" => Summary::Count,
            "false" => Summary::None,
            _ => return None,
        })
    }
}

impl Total {
    fn parse(value: &str) -> Option<Total> {
        Some(match value {
            "none" => Total::None,
            "estimate" => Total::Estimate,
            "accurate" => Total::Accurate,
            _ => return None,
        })
    }
}

fn names_types(scope: &Scope) -> bool {
    matches!(scope, Scope::System | Scope::Compartment { inner: None, .. })
}

/// More than fits is as many as are given at most.
fn count(value: &str) -> Result<u32, Refused> {
    if !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refused::value("_count", value, "A whole number was expected."));
    }
    Ok(value.parse().unwrap_or(u32::MAX))
}

/// Names that some of the types have at their top.
fn elements(types: &[ResourceType], value: &str) -> Result<Vec<String>, Refused> {
    let types = each_of(types);
    let mut names = Vec::new();
    for name in value.split(',') {
        let is_it = |on: &ResourceType| {
            root(*on).children().any(|element| element.name == name || element.choice == Some(name))
        };
        if name != "resourceType" && !types.iter().any(is_it) {
            let expected = "Names of elements at the top of the resource were expected, separated by commas.";
            return Err(Refused::value("_elements", name, expected));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, ignored, refused};
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_page_is_as_long_as_asked_up_to_the_bound() {
        for (text, expected) in [("_count=5", 5), ("_count=1001", 1000), ("_count=99999999999999999999", 1000)] {
            assert_eq!(ask(&format!("Patient?{text}")).count, expected);
        }
        let query = ask("Patient?_summary=true&_count=0");
        assert_eq!((query.count, query.summary), (0, Summary::Count));
        for value in ["-1", "ten", "1.5", "+5", " 5"] {
            assert_eq!(refused(&format!("Patient?_count={value}")).expression.as_deref(), Some("_count"));
        }
    }

    #[test]
    fn the_answer_is_shaped_by_all_words_of_the_specification() {
        for (value, summary) in [
            ("true", Summary::True),
            ("text", Summary::Text),
            ("data", Summary::Data),
            ("count", Summary::Count),
            ("false", Summary::None),
        ] {
            assert_eq!(ask(&format!("Patient?_summary={value}")).summary, summary);
        }
        for (value, total) in [("none", Total::None), ("estimate", Total::Estimate), ("accurate", Total::Accurate)] {
            assert_eq!(ask(&format!("Patient?_total={value}")).total, total);
        }
        assert!(ask("Patient?_explain=true").explain && !ask("Patient?_explain=false").explain);
        for text in ["_summary=all", "_total=exact", "_explain=yes"] {
            assert_eq!(refused(&format!("Patient?{text}")).kind, Kind::Invalid);
        }
        let error = refused("Patient?_summary=text&_revinclude=Observation:patient");
        assert_eq!(error.expression.as_deref(), Some("_summary"));
    }

    #[test]
    fn elements_are_those_at_the_top_of_the_types_searched() {
        assert_eq!(ask("Patient?_elements=identifier,active,link").elements, ["identifier", "active", "link"]);
        assert_eq!(ask("Observation?_elements=value,valueQuantity").elements.len(), 2);
        assert_eq!(ask("?_type=Patient,Observation&_elements=birthDate,status").elements.len(), 2);
        for value in ["status", "name.family", "id,,link"] {
            assert_eq!(refused(&format!("Patient?_elements={value}")).expression.as_deref(), Some("_elements"));
        }
    }

    #[test]
    fn contained_resources_and_named_queries_are_refused_clearly() {
        ask("Patient?_contained=false");
        for text in ["_contained=true", "_contained=both", "_containedType=contained", "_query=everything"] {
            let error = refused(&format!("Patient?{text}"));
            assert_eq!((error.kind, error.expression.as_deref()), (Kind::NotSupported, text.split('=').next()));
        }
    }

    #[test]
    fn what_may_stand_once_is_refused_when_it_stands_twice() {
        for code in CODES.iter().chain(&["_sort"]) {
            let error = refused(&format!("Patient?{code}=1&{code}=1"));
            assert_eq!((error.kind, error.expression.as_deref()), (Kind::Invalid, Some(*code)));
            assert!(error.message.contains("once"));
        }
        ask("Patient?_id=a&_id=b&_include=Patient:link&_include=Patient:organization");
    }

    #[test]
    fn a_token_is_bound_to_what_is_searched_and_not_to_the_length_of_a_page() {
        let fingerprint = |text| ask(text).fingerprint;
        let first = fingerprint("Patient?name=a&_sort=birthdate");
        assert_eq!(first, fingerprint("Patient?name=a&_sort=birthdate&_count=3&_page=x"));
        for other in [
            "Patient?name=b&_sort=birthdate",
            "Patient?name=a&_sort=-birthdate",
            "Patient?name=a",
            "Practitioner?name=a",
            "Patient?name=a_sort&birthdate=2000",
        ] {
            assert_ne!(first, fingerprint(other), "{other}");
        }
        assert_ne!(fingerprint("Patient/a/Observation"), fingerprint("Patient/b/Observation"));
        assert_ne!(fingerprint("Patient/a/*"), fingerprint("Patient/a/Observation"));
    }

    #[test]
    fn a_modifier_of_what_has_none_is_reported() {
        assert!(ignored("Patient?_summary:x=true").contains("':x'"));
    }
}
