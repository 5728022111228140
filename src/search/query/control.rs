//! What shapes the answer and does not decide what is found. <https://hl7.org/fhir/R4/search.html#return>

use super::refused::Refused;
use super::{Query, Question, Scope, each_of, split_modifier};
use crate::error::{self, Error};
use crate::fhir::definitions::{ResourceType, root};

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

impl Summary {
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
