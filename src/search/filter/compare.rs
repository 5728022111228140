//! What each operator means for each kind of parameter. <https://hl7.org/fhir/R4/search_filter.html#ops>
//!
//! `ne` on codes, texts and references finds what has a value, none of which is this one. The specification would also
//! find what has this one and another beside it, which no index can tell.

use super::grammar::{Comparison, Operator};
use crate::error::Error;
use crate::fhir::definitions::ResourceType;
use crate::search::clause::{Bounds, Clause, Limit, Limits, Predicate, TextMatch, Under};
use crate::search::kind::escape::unescape;
use crate::search::kind::{self, date, string};
use crate::search::query::{Compiler, Refused};
use crate::search::registry::{Parameter, ParameterKind};

/// Systems that have a short name in filters.
const SYSTEMS: [(&str, &str); 4] = [
    ("loinc", "http://loinc.org"),
    ("snomed", "http://snomed.info/sct"),
    ("rxnorm", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("ucum", "http://unitsofmeasure.org"),
];

pub(super) fn clause(
    compiler: &Compiler<'_>,
    on: ResourceType,
    comparison: &Comparison<'_>,
) -> Result<Clause, Refused> {
    let Comparison { code, operator, ref value, .. } = *comparison;
    if code.contains(':') {
        let message = format!("'{code}' has a modifier; a filter has operators instead.");
        return Err(Refused::Error(Error::invalid(message)));
    }
    match (code, operator) {
        ("_lastUpdated", _) => return last_updated(compiler, on, operator, value),
        ("_id" | "_list" | "_text" | "_content", Operator::Equal) => return compiler.leaf(on, code, &[value]),
        ("_id" | "_list" | "_text" | "_content", Operator::NotEqual) => {
            return Ok(compiler.leaf(on, code, &[value])?.negated());
        }
        ("_id" | "_list" | "_text" | "_content", _) => return Err(unsupported(operator, code)),
        _ => {}
    }
    let asked = Asked { compiler, parameter: compiler.known(on, code)?, operator, value };
    compiler.count_comparisons(1)?;
    match asked.parameter.kind {
        ParameterKind::String => asked.string(),
        ParameterKind::Date => asked.date(),
        ParameterKind::Number | ParameterKind::Quantity => asked.number(),
        ParameterKind::Token
        | ParameterKind::Reference
        | ParameterKind::Uri
        | ParameterKind::Composite
        | ParameterKind::Special => asked.discrete(),
    }
}

struct Asked<'a> {
    compiler: &'a Compiler<'a>,
    parameter: &'a Parameter,
    operator: Operator,
    value: &'a str,
}

impl Asked<'_> {
    fn string(&self) -> Result<Clause, Refused> {
        match self.operator {
            Operator::Equal => self.text(TextMatch::Whole),
            Operator::NotEqual => self.differs(self.text(TextMatch::Whole)?),
            Operator::Contains => self.of_kind(Some("contains"), self.value),
            Operator::StartsWith => self.of_kind(None, self.value),
            Operator::EndsWith => self.text(TextMatch::Suffix),
            _ => self.other(),
        }
    }

    fn text(&self, matching: fn(String) -> TextMatch) -> Result<Clause, Refused> {
        let folded = string::fold(&unescape(self.value));
        if folded.is_empty() {
            return Err(Refused::value(&self.parameter.code, self.value, "A text was expected."));
        }
        let text = |under| Predicate::Text { under, matching: matching(folded.clone()) };
        Ok(Clause::any(self.parameter.branches.iter().map(|branch| Clause::Match(text(Under::of(branch)))).collect()))
    }

    fn date(&self) -> Result<Clause, Refused> {
        let Some(bounds) = period(self.compiler, self.operator, &self.parameter.code, self.value)? else {
            return self.number();
        };
        let date = |under| Predicate::Date { under, bounds };
        let dates = self.parameter.branches.iter().map(|branch| match branch.is_leading_date {
            true => Clause::Match(Predicate::LeadingDate(bounds)),
            false => Clause::Match(date(Under::of(branch))),
        });
        Ok(Clause::any(dates.collect()))
    }

    /// The operators that are prefixes of ordered values.
    fn number(&self) -> Result<Clause, Refused> {
        match prefix(self.operator) {
            Some(prefix) => self.of_kind(None, &format!("{prefix}{}", self.value)),
            None => self.other(),
        }
    }

    /// Kinds whose values are this one or not.
    fn discrete(&self) -> Result<Clause, Refused> {
        let kind = self.parameter.kind;
        match self.operator {
            Operator::Equal => self.of_kind(None, self.value),
            Operator::NotEqual => self.differs(self.of_kind(None, self.value)?),
            Operator::References if kind == ParameterKind::Reference => self.of_kind(None, self.value),
            Operator::In if kind == ParameterKind::Token => self.of_kind(Some("in"), self.value),
            Operator::NotIn if kind == ParameterKind::Token => self.of_kind(Some("not-in"), self.value),
            _ => self.other(),
        }
    }

    /// `pr`, which all kinds have, and what this one has not.
    fn other(&self) -> Result<Clause, Refused> {
        let Parameter { code, kind, .. } = self.parameter;
        match (self.operator, self.value) {
            (Operator::Present, "true") => self.of_kind(Some("missing"), "false"),
            (Operator::Present, "false") => self.of_kind(Some("missing"), "true"),
            (Operator::Present, other) => Err(Refused::value(code, other, "'pr' asks for true or false.")),
            (operator, _) => {
                let kind = format!("{kind:?}").to_lowercase();
                let word = operator.word();
                Err(Refused::not_supported(format!("'{word}' is not supported for '{code}', which is a {kind}.")))
            }
        }
    }

    fn of_kind(&self, modifier: Option<&str>, value: &str) -> Result<Clause, Refused> {
        let code = &self.parameter.code;
        let value = with_systems(self.parameter.kind, value);
        kind::parse_all(self.parameter, modifier, &[&value], &self.compiler.asked)
            .map_err(|refusal| Refused::of(refusal, code, self.value))
    }

    fn differs(&self, is: Clause) -> Result<Clause, Refused> {
        Ok(Clause::All(vec![self.of_kind(Some("missing"), "false")?, is.negated()]))
    }
}

fn prefix(operator: Operator) -> Option<&'static str> {
    match operator {
        Operator::Equal | Operator::NotEqual | Operator::Prefixed(_) => Some(operator.word()),
        _ => None,
    }
}

fn last_updated(compiler: &Compiler<'_>, on: ResourceType, operator: Operator, value: &str) -> Result<Clause, Refused> {
    if let Some(bounds) = period(compiler, operator, "_lastUpdated", value)? {
        return Ok(Clause::Match(Predicate::LastUpdated(bounds)));
    }
    match prefix(operator) {
        Some(prefix) => compiler.leaf(on, "_lastUpdated", &[&format!("{prefix}{value}")]),
        None => Err(unsupported(operator, "_lastUpdated")),
    }
}

fn unsupported(operator: Operator, code: &str) -> Refused {
    Refused::not_supported(format!("'{}' is not supported for '{code}'.", operator.word()))
}

/// Of `po` and `co`: the entry's period overlaps with the value's, or holds all of it.
fn period(
    compiler: &Compiler<'_>,
    operator: Operator,
    code: &str,
    value: &str,
) -> Result<Option<Bounds<i64>>, Refused> {
    if !matches!(operator, Operator::Overlaps | Operator::Contains) {
        return Ok(None);
    }
    let equal = date::bounds(&format!("eq{value}"), compiler.asked.now);
    let equal = equal.map_err(|refusal| Refused::of(refusal, code, value))?;
    let Some(Bounds { low: Limits { from: Some(low), .. }, high: Limits { to: Some(high), .. } }) = equal.first()
    else {
        return Ok(None);
    };
    let inclusive = operator == Operator::Contains;
    let (before, after) = if inclusive { (low.value, high.value) } else { (high.value, low.value) };
    Ok(Some(Bounds {
        low: Limits { from: None, to: Some(Limit { value: before, inclusive }) },
        high: Limits { from: Some(Limit { value: after, inclusive }), to: None },
    }))
}

/// `loinc|1234-5` with the system's address.
fn with_systems(kind: ParameterKind, value: &str) -> String {
    let Some((before, last)) = value.rsplit_once('|') else { return value.to_owned() };
    if !matches!(kind, ParameterKind::Token | ParameterKind::Quantity) {
        return value.to_owned();
    }
    let full = |part| SYSTEMS.iter().find(|(short, _)| *short == part).map_or(part, |(_, address)| *address);
    let before: Vec<&str> = before.split('|').map(full).collect();
    format!("{}|{last}", before.join("|"))
}
