//! Dates and periods as spans of time, with their precision. <https://hl7.org/fhir/R4/search.html#date>

use super::super::clause::{Bounds, Clause, Limit, Limits, Predicate, SystemMatch};
use super::super::entry::{DateEntry, Entries, Span};
use super::super::registry::Branch;
use super::prefix::{self, Prefix};
use super::{Asked, Refusal, no_modifier};
use crate::fhir::instant::Interval;
use crate::fhirpath::value::{Kind, Value};

/// A date that cannot be read is not remembered.
pub fn extract(branch: &Branch, value: Value<'_>, _base: Option<&str>, entries: &mut Entries) {
    let Some(span) = span(value) else { return };
    if branch.is_leading_date {
        entries.date.get_or_insert(span);
    } else {
        entries.dates.push(DateEntry { param: branch.hash, span, system: None });
    }
}

/// The time that a value covers; of a Timing, from its first event to its last.
pub(super) fn span(value: Value<'_>) -> Option<Span> {
    if let Kind::Primitive(_) = value.kind {
        return of_text(value.as_str()?);
    }
    match value.type_name() {
        "Period" => period(value),
        "Timing" => timing(value),
        _ => None,
    }
}

fn of_text(text: &str) -> Option<Span> {
    Interval::parse(text).ok().map(of_interval)
}

fn of_interval(interval: Interval) -> Span {
    Span { low: interval.start.timestamp_micros(), high: interval.end.timestamp_micros() }
}

fn period(value: Value<'_>) -> Option<Span> {
    let (start, end) = (value.child_str("start").and_then(of_text), value.child_str("end").and_then(of_text));
    start.or(end)?;
    let low = start.map_or(Span::BEFORE, |start| start.low);
    Some(Span { low, high: end.map_or(Span::AFTER, |end| end.high) })
}

fn timing(value: Value<'_>) -> Option<Span> {
    let bounds = value.children("repeat").flat_map(|repeat| repeat.children("boundsPeriod").filter_map(period).last());
    let spans = value.children("event").filter_map(|event| of_text(event.as_str()?)).chain(bounds);
    spans.reduce(|all, one| Span { low: all.low.min(one.low), high: all.high.max(one.high) })
}

pub fn parse(branch: &Branch, modifier: Option<&str>, text: &str, asked: &Asked<'_>) -> Result<Clause, Refusal> {
    no_modifier(modifier)?;
    let date = |bounds| match branch.is_leading_date {
        true => Predicate::LeadingDate(bounds),
        false => Predicate::Date { param: branch.hash, bounds, system: SystemMatch::Any },
    };
    Ok(Clause::any(bounds(text, asked.now)?.into_iter().map(|bounds| Clause::Match(date(bounds))).collect()))
}

/// What a date with its prefix asks of a span; one of the bounds must hold. An instant is a span of one microsecond.
pub fn bounds(text: &str, now: i64) -> Result<Vec<Bounds<i64>>, Refusal> {
    let (prefix, date) = prefix::split(text);
    let interval = Interval::parse(date).map_err(|invalid| Refusal::Value(invalid.message))?;
    let Span { low, high } = of_interval(interval);
    let any = Limits::default();
    Ok(match prefix {
        Prefix::Equal => vec![Bounds::within(low, high)],
        Prefix::NotEqual => vec![Bounds { low: less(low), high: any }, Bounds { low: any, high: greater(high) }],
        Prefix::Greater => vec![Bounds { low: any, high: greater(high) }],
        Prefix::GreaterOrEqual => vec![Bounds { low: any, high: greater(low) }],
        Prefix::Less => vec![Bounds { low: less(low), high: any }],
        Prefix::LessOrEqual => vec![Bounds { low: less(high), high: any }],
        Prefix::StartsAfter => {
            vec![Bounds { low: Limits { from: Some(Limit { value: high, inclusive: true }), to: None }, high: any }]
        }
        Prefix::EndsBefore => {
            vec![Bounds { low: any, high: Limits { from: None, to: Some(Limit { value: low, inclusive: true }) } }]
        }
        Prefix::Approximately => {
            let slack = distance(now, low, high) / 10;
            vec![Bounds { low: less(high.saturating_add(slack)), high: greater(low.saturating_sub(slack)) }]
        }
    })
}

fn less(value: i64) -> Limits<i64> {
    Limits { from: None, to: Some(Limit { value, inclusive: false }) }
}

fn greater(value: i64) -> Limits<i64> {
    Limits { from: Some(Limit { value, inclusive: false }), to: None }
}

/// How far a time is from a span; nothing inside of it.
fn distance(now: i64, low: i64, high: i64) -> i64 {
    now.saturating_sub(high).max(low.saturating_sub(now)).max(0)
}
