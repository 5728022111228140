//! Dates and periods as spans of time, with their precision. <https://hl7.org/fhir/R4/search.html#date>
//!
//! `ge` and `le`: the range above a value is "the specified value and up" (the page's third table), so `ge2013-03-14` finds
//! what reaches into that day or beyond it. The table of prefixes can be read more narrowly, as `gt` or `eq`: then a stay
//! from the 10th to the 14th would not be found. HL7 settled it as it is here (FHIR-51068). `gt` and `lt` begin behind and
//! end before all of the value, or a day would be greater than itself.

use super::super::clause::{Bounds, Clause, Limit, Limits, Predicate, Under};
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
    let (low, high) = (start.map_or(Span::BEFORE, |start| start.low), end.map_or(Span::AFTER, |end| end.high));
    // One that ends before it starts is no valid Period. The time between is as near as can be; that no span ends before it
    // begins is what the bounds of a search on its beginning rest on.
    Some(Span { low: low.min(high), high: low.max(high) })
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
        false => Predicate::Date { under: Under::of(branch), bounds },
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
#[cfg(test)]
mod tests {
    use super::super::fixture::{ASKED, ask, branch, found, parameter, refuse, value};
    use super::super::parse_all;
    use super::*;
    use crate::search::registry::ParameterKind::Date;

    fn entries(type_name: &str, text: &str) -> Entries {
        let mut entries = Entries::default();
        extract(&branch(Date, "Observation.effective"), value(type_name, text), None, &mut entries);
        entries
    }

    fn of(text: &str, entries: &Entries) -> bool {
        found(&ask(Date, "Observation.effective", None, text), entries)
    }

    #[test]
    fn a_day_holds_all_of_its_times_and_no_other() {
        for (text, date, expected) in [
            ("eq2013-01-14", "2013-01-14T00:00:00Z", true),
            ("eq2013-01-14", "2013-01-14T10:00:00Z", true),
            ("2013-01-14", "2013-01-15T00:00:00Z", false),
            ("ne2013-01-14", "2013-01-15T00:00:00Z", true),
            ("ne2013-01-14", "2013-01-14T00:00:00Z", false),
            ("ne2013-01-14", "2013-01-14T10:00:00Z", false),
            ("lt2013-01-14T10:00:00Z", "2013-01-14", true),
            ("gt2013-01-14T10:00:00Z", "2013-01-14", true),
            ("gt2013-01-14", "2013-01-14T23:59:59Z", false),
            ("lt2013-01-14", "2013-01-14T00:00:00Z", false),
            ("ge2013-03-14", "2013-03-14T00:00:00Z", true),
            ("ge2013-03-14", "2013-03-13T23:59:59Z", false),
            ("le2013-03-14", "2013-03-14T23:59:59Z", true),
            ("le2013-03-14", "2013-03-15T00:00:00Z", false),
            ("sa2013-03-14", "2013-03-15", true),
            ("sa2013-03-14", "2013-03-14", false),
            ("eb2013-03-14", "2013-03-13", true),
            ("eb2013-03-14", "2013-03-14", false),
            ("eq2013-01-14", "2013-01", false),
            ("eq2013-01", "2013-01-14", true),
            ("eq2013", "2013", true),
            ("2013-01-14T05:00:00Z", "2013-01-14T00:00:00-05:00", true),
        ] {
            assert_eq!(of(text, &entries("dateTime", &format!("\"{date}\""))), expected, "{text} of {date}");
        }
    }

    #[test]
    fn the_examples_of_the_specification_are_answered() {
        let (from_january, from_march, to_january) = (
            entries("Period", r#"{"start":"2013-01-21"}"#),
            entries("Period", r#"{"start":"2013-03-15"}"#),
            entries("Period", r#"{"end":"2013-01-21"}"#),
        );
        for (text, period, expected) in [
            ("ge2013-03-14", &from_january, true),
            ("le2013-03-14", &from_january, true),
            ("sa2013-03-14", &from_march, true),
            ("sa2013-03-14", &from_january, false),
            ("sa2013-03-14", &to_january, false),
            ("eb2013-03-14", &from_march, false),
            ("eb2013-03-14", &from_january, false),
            ("eb2013-03-14", &to_january, true),
        ] {
            assert_eq!(of(text, period), expected, "{text}");
        }
        for (text, date, expected) in [
            ("ap2013-03-14", "2013-03-14", true),
            ("ap2013-03-14", "2013-01-21", true),
            ("ap2013-03-14", "2015-06-15", false),
        ] {
            assert_eq!(of(text, &entries("date", &format!("\"{date}\""))), expected, "{text} of {date}");
        }
        // "over a 2-year period": date=ge2010-01-01&date=le2011-12-31
        for (date, expected) in
            [("2009-12-31", false), ("2010-01-01", true), ("2011-12-31T23:59:59Z", true), ("2012-01-01", false)]
        {
            let procedure = entries("dateTime", &format!("\"{date}\""));
            assert_eq!(of("ge2010-01-01", &procedure) && of("le2011-12-31", &procedure), expected, "{date}");
        }
    }

    #[test]
    fn what_reaches_into_the_value_is_not_before_and_not_after_it() {
        let until = entries("Period", r#"{"start":"2013-03-10","end":"2013-03-14"}"#);
        let from = entries("Period", r#"{"start":"2013-03-14","end":"2013-03-20"}"#);
        for (text, period, expected) in [
            ("ge2013-03-14", &until, true),
            ("gt2013-03-14", &until, false),
            ("ge2013-03-15", &until, false),
            ("le2013-03-14", &from, true),
            ("lt2013-03-14", &from, false),
            ("le2013-03-13", &from, false),
        ] {
            assert_eq!(of(text, period), expected, "{text}");
        }
    }

    #[test]
    fn a_period_without_an_end_goes_on_for_ever() {
        let open = entries("Period", r#"{"start":"2013-01-21"}"#);
        for (text, expected) in [
            ("ge2013-03-14", true),
            ("gt9998", true),
            ("eb2030", false),
            ("sa2013-01-20", true),
            ("sa2013-01-21", false),
            ("le2013-01-20", false),
            ("eq2013", false),
            ("ne2013", true),
        ] {
            assert_eq!(of(text, &open), expected, "{text}");
        }
        let ended = entries("Period", r#"{"end":"2013-01-21"}"#);
        assert!(of("lt1800", &ended));
        assert!(of("eb2013-01-22", &ended));
        assert!(!of("gt2013-01-21", &ended));
        assert_eq!(entries("Period", "{}"), Entries::default());
        let reversed = entries("Period", r#"{"start":"2013-03-01","end":"2013-01-21"}"#);
        assert_eq!(
            (of("eq2013", &reversed), of("eb2013-02", &reversed), of("sa2013-02", &reversed)),
            (true, false, false)
        );
    }

    #[test]
    fn starts_after_and_ends_before_mind_both_ends_of_a_period() {
        let period = entries("Period", r#"{"start":"2013-01-10","end":"2013-03-20"}"#);
        assert!(!of("sa2013-03-14", &period));
        assert!(of("gt2013-03-14", &period));
        assert!(of("eb2013-03-21", &period));
        assert!(of("sa2013-01-09", &period));
        assert!(of("eq2013", &period));
        assert!(!of("eq2013-01", &period));
    }

    #[test]
    fn a_timing_lasts_from_its_first_event_to_its_last() {
        let events = entries("Timing", r#"{"event":["2013-03-02","2013-01-05"]}"#);
        assert!(of("eq2013", &events));
        assert!(of("lt2013-01-06", &events));
        assert!(of("gt2013-03-01", &events));
        let bounds = entries("Timing", r#"{"repeat":{"boundsPeriod":{"start":"2013-01-05","end":"2013-03-02"}}}"#);
        assert_eq!(bounds, events);
        assert_eq!(entries("Timing", r#"{"repeat":{"frequency":2}}"#), Entries::default());
    }

    #[test]
    fn approximately_reaches_a_tenth_of_the_way_to_now() {
        // From 2016-11-26 to now (2026-11-26) there are ten years.
        for (date, expected) in
            [("2017-11-01", true), ("2015-12-15", true), ("2018-01-15", false), ("2015-06-01", false)]
        {
            assert_eq!(of("ap2016-11-26", &entries("date", &format!("\"{date}\""))), expected, "{date}");
        }
        assert!(of("ap2026-11-26", &entries("date", "\"2026-11-26\"")));
    }

    #[test]
    fn the_leading_date_is_kept_with_the_resource() {
        let leading = || Branch { is_leading_date: true, ..branch(Date, "Observation.effective") };
        let mut entries = Entries::default();
        for date in ["\"2013-01-14\"", "\"2014\""] {
            extract(&leading(), value("dateTime", date), None, &mut entries);
        }
        assert!(entries.dates.is_empty());
        let clause = |text| parse_all(&parameter(Date, vec![leading()]), None, &[text], &ASKED).unwrap();
        assert!(found(&clause("2013-01-14"), &entries));
        assert!(!found(&clause("2014"), &entries));
    }

    #[test]
    fn what_is_no_date_is_refused_and_not_remembered() {
        for text in ["", "today", "xx2013", "2013-13", "eq"] {
            assert!(matches!(refuse(Date, "Observation.effective", None, text), Refusal::Value(_)), "{text}");
        }
        assert!(matches!(refuse(Date, "Observation.effective", Some("exact"), "2013"), Refusal::UnknownModifier(_)));
        assert_eq!(entries("dateTime", "\"soon\""), Entries::default());
    }
}
