//! Adding time to dates and times. <http://hl7.org/fhirpath/N1/#datetime-arithmetic>

use super::{CalendarUnit, Precision, Temporal, TemporalKind};
use chrono::{Months, TimeDelta};

impl Temporal {
    /// So many units later, or earlier when below zero. A unit finer than what is known counts as far as it fills one
    /// that is known: 24 months are two years. `None` beyond the calendar.
    pub fn plus(self, count: i64, unit: CalendarUnit) -> Option<Temporal> {
        if self.kind == TemporalKind::Time {
            let seconds = TimeDelta::seconds(24 * 60 * 60);
            let step = delta(count, unit)?;
            // Around the clock: whole days change nothing.
            let step = TimeDelta::nanoseconds(step.num_nanoseconds()? % seconds.num_nanoseconds()?);
            let time = self.local.time().overflowing_add_signed(step).0;
            return Some(Temporal { local: self.local.date().and_time(time), ..self });
        }
        let (count, unit) = self.known(count, unit);
        let months = match unit {
            CalendarUnit::Year => Some(count.checked_mul(12)?),
            CalendarUnit::Month => Some(count),
            _ => None,
        };
        let local = match months {
            Some(months) if months < 0 => self.local.checked_sub_months(Months::new(u32::try_from(-months).ok()?))?,
            Some(months) => self.local.checked_add_months(Months::new(u32::try_from(months).ok()?))?,
            None => self.local.checked_add_signed(delta(count, unit)?)?,
        };
        let is_year = |year: i32| (1..=9999).contains(&year);
        is_year(chrono::Datelike::year(&local)).then_some(Temporal { local, ..self })
    }

    /// The same time in a unit that is no finer than what is known.
    fn known(self, count: i64, unit: CalendarUnit) -> (i64, CalendarUnit) {
        let (mut count, mut unit) = (count, unit);
        while precision(unit) > self.precision {
            (count, unit) = match unit {
                CalendarUnit::Millisecond => (count / 1000, CalendarUnit::Second),
                CalendarUnit::Second => (count / 60, CalendarUnit::Minute),
                CalendarUnit::Minute => (count / 60, CalendarUnit::Hour),
                CalendarUnit::Hour => (count / 24, CalendarUnit::Day),
                CalendarUnit::Week => (count.saturating_mul(7), CalendarUnit::Day),
                CalendarUnit::Day => (count / 30, CalendarUnit::Month),
                CalendarUnit::Month | CalendarUnit::Year => (count / 12, CalendarUnit::Year),
            };
        }
        (count, unit)
    }
}

fn precision(unit: CalendarUnit) -> Precision {
    match unit {
        CalendarUnit::Year => Precision::Year,
        CalendarUnit::Month => Precision::Month,
        CalendarUnit::Week | CalendarUnit::Day => Precision::Day,
        CalendarUnit::Hour => Precision::Hour,
        CalendarUnit::Minute => Precision::Minute,
        CalendarUnit::Second | CalendarUnit::Millisecond => Precision::Second,
    }
}

/// `None` for a year and a month, and beyond what can be counted.
fn delta(count: i64, unit: CalendarUnit) -> Option<TimeDelta> {
    match unit {
        CalendarUnit::Year | CalendarUnit::Month => None,
        CalendarUnit::Week => TimeDelta::try_weeks(count),
        CalendarUnit::Day => TimeDelta::try_days(count),
        CalendarUnit::Hour => TimeDelta::try_hours(count),
        CalendarUnit::Minute => TimeDelta::try_minutes(count),
        CalendarUnit::Second => TimeDelta::try_seconds(count),
        CalendarUnit::Millisecond => TimeDelta::try_milliseconds(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_added_as_far_as_it_is_known() {
        for (text, count, unit, expected) in [
            ("2020-01-31", 1, "month", Some("2020-02-29")),
            ("2020-02-29", -1, "year", Some("2019-02-28")),
            ("2020", 24, "months", Some("2022")),
            ("2020", 23, "months", Some("2021")),
            ("2020-05", 61, "days", Some("2020-07")),
            ("2020-05-01T23", 90, "minutes", Some("2020-05-02T00")),
            ("9999-12-31", 1, "day", None),
            ("2020-05-01", i64::MAX, "week", None),
            ("2020-05-01", i64::MIN, "year", None),
        ] {
            let unit = CalendarUnit::parse(unit).unwrap();
            let later = Temporal::date_time(text).unwrap().plus(count, unit).map(|time| time.to_string());
            assert_eq!(later.as_deref(), expected, "{text} {count} {unit:?}");
        }
        let later = Temporal::time("23:30:00").unwrap().plus(49, CalendarUnit::Hour).unwrap();
        assert_eq!(later.to_string(), "00:30:00");
    }
}
