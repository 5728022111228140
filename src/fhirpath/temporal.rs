//! Dates, times and DateTimes with their precision. <http://hl7.org/fhirpath/N1/#date>

mod arithmetic;
mod boundary;
mod unit;

pub use unit::CalendarUnit;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, TimeDelta, Timelike};
use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter};

/// How far apart two places' clocks can be: one at +14:00, the other at -12:00.
const ZONES_APART: TimeDelta = TimeDelta::hours(26);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemporalKind {
    Date,
    DateTime,
    Time,
}

/// How much is known. A Time begins with the hour. Seconds and their fractions are one precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// A date or time as far as it is known. What is not known is filled with the least, and never looked at.
#[derive(Debug, Clone, Copy)]
pub struct Temporal {
    pub kind: TemporalKind,
    pub precision: Precision,
    /// Of a Time, the day does not count.
    local: NaiveDateTime,
    /// Digits of the fraction of a second.
    fraction_digits: u8,
    /// Minutes east of UTC.
    offset: Option<i16>,
}

impl Temporal {
    /// Reads `2020`, `2020-02`, `2020-02-29`.
    pub fn date(text: &str) -> Option<Temporal> {
        let (day, precision) = day(text)?;
        Some(Temporal::of(TemporalKind::Date, precision, day.and_hms_opt(0, 0, 0)?))
    }

    /// Reads what a date may be, and `2020-02-29T`, `T10`, `T10:30`, `T10:30:15.25`, with or without `Z` or `+02:00`.
    pub fn date_time(text: &str) -> Option<Temporal> {
        let (date, time) = text.split_once('T').unwrap_or((text, ""));
        let (day, precision) = day(date)?;
        if time.is_empty() {
            return Some(Temporal::of(TemporalKind::DateTime, precision, day.and_hms_opt(0, 0, 0)?));
        }
        let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
        let (clock, zone) = time.split_at_checked(zone_at)?;
        let time = Temporal::time(clock).filter(|_| precision == Precision::Day)?;
        let offset = if zone.is_empty() { None } else { Some(offset(zone)?) };
        Some(Temporal { kind: TemporalKind::DateTime, local: day.and_time(time.local.time()), offset, ..time })
    }

    /// Reads `10`, `10:30`, `10:30:15`, `10:30:15.25`.
    pub fn time(text: &str) -> Option<Temporal> {
        let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
        let mut parts = whole.split(':').map(|part| digits(part, 2));
        let hour = parts.next()??;
        let (minute, second) = (parts.next(), parts.next());
        let precision = match (&minute, &second, fraction) {
            (_, Some(_), _) => Precision::Second,
            (Some(_), None, None) => Precision::Minute,
            (None, None, None) => Precision::Hour,
            _ => return None,
        };
        let (minute, second) = (minute.unwrap_or(Some(0))?, second.unwrap_or(Some(0))?);
        let (nanoseconds, fraction_digits) = fraction.map_or(Some((0, 0)), fraction_of_second)?;
        let day = NaiveDate::from_ymd_opt(1970, 1, 1).filter(|_| parts.next().is_none())?;
        let local = day.and_hms_nano_opt(hour, minute, second, nanoseconds)?;
        Some(Temporal { fraction_digits, ..Temporal::of(TemporalKind::Time, precision, local) })
    }

    /// An instant, to the millisecond.
    pub fn instant(instant: DateTime<FixedOffset>) -> Temporal {
        let offset = i16::try_from(instant.offset().local_minus_utc() / 60).unwrap_or(0);
        let millisecond = instant.naive_local().nanosecond() / 1_000_000 * 1_000_000;
        let local = instant.naive_local().with_nanosecond(millisecond).unwrap_or(instant.naive_local());
        let base = Temporal::of(TemporalKind::DateTime, Precision::Second, local);
        Temporal { fraction_digits: 3, offset: Some(offset), ..base }
    }

    fn of(kind: TemporalKind, precision: Precision, local: NaiveDateTime) -> Temporal {
        Temporal { kind, precision, local, fraction_digits: 0, offset: None }
    }

    /// The day alone.
    pub fn to_date(self) -> Temporal {
        let precision = self.precision.min(Precision::Day);
        Temporal { kind: TemporalKind::Date, precision, fraction_digits: 0, offset: None, ..self }
    }

    /// The time of day alone.
    pub fn to_time(self) -> Temporal {
        Temporal { kind: TemporalKind::Time, offset: None, ..self }
    }

    /// As a DateTime.
    pub fn to_date_time(self) -> Temporal {
        Temporal { kind: TemporalKind::DateTime, ..self }
    }

    /// How many digits are written: 4, 6, 8 for a date, up to 17 for a DateTime, up to 9 for a Time.
    pub fn digits(self) -> u32 {
        let before = if self.kind == TemporalKind::Time { 0 } else { 8 };
        match self.precision {
            Precision::Year => 4,
            Precision::Month => 6,
            Precision::Day => 8,
            Precision::Hour => before + 2,
            Precision::Minute => before + 4,
            Precision::Second => before + 6 + u32::from(self.fraction_digits),
        }
    }

    /// Which comes first. `None` if that is not certain: they agree as far as both are known, and one is known further,
    /// or one tells no zone and they are within a day of each other. A Time and a date cannot be compared at all.
    pub fn compare(self, other: Temporal) -> Option<Ordering> {
        if self.is_day() && other.is_day() || self.offset == other.offset {
            return self.compare_parts(other, self.local, other.local);
        }
        let (left, right) = (self.utc(), other.utc());
        if self.offset.is_some() == other.offset.is_some() {
            return self.compare_parts(other, left, right);
        }
        if self.is_day() || other.is_day() {
            return self.compare_parts(other, self.local, other.local);
        }
        ((left - right).abs() > ZONES_APART).then(|| left.cmp(&right))
    }

    fn compare_parts(self, other: Temporal, left: NaiveDateTime, right: NaiveDateTime) -> Option<Ordering> {
        let precision = self.precision.min(other.precision);
        let order = cut(left, precision).cmp(&cut(right, precision));
        (order != Ordering::Equal || self.precision == other.precision).then_some(order)
    }

    fn is_day(self) -> bool {
        self.precision <= Precision::Day
    }

    fn utc(self) -> NaiveDateTime {
        let offset = TimeDelta::minutes(self.offset.unwrap_or(0).into());
        self.local.checked_sub_signed(offset).unwrap_or(self.local)
    }
}

/// As far as the precision goes; behind it the least.
fn cut(time: NaiveDateTime, precision: Precision) -> NaiveDateTime {
    let day = time.date();
    let day = match precision {
        Precision::Year => day.with_ordinal(1),
        Precision::Month => day.with_day(1),
        _ => Some(day),
    };
    let clock = match precision {
        Precision::Second => Some(time.time()),
        Precision::Minute => time.time().with_second(0).and_then(|clock| clock.with_nanosecond(0)),
        Precision::Hour => chrono::NaiveTime::from_hms_opt(time.hour(), 0, 0),
        _ => Some(chrono::NaiveTime::MIN),
    };
    day.zip(clock).map_or(time, |(day, clock)| day.and_time(clock))
}

/// The same, with so many digits of the fraction of a second.
fn cut_to(time: NaiveDateTime, precision: Precision, fraction_digits: u8) -> Option<NaiveDateTime> {
    let cut = cut(time, precision);
    let unit = 10u32.pow(9u32.saturating_sub(fraction_digits.into()));
    cut.with_nanosecond(cut.nanosecond() / unit * unit)
}

fn digits(text: &str, length: usize) -> Option<u32> {
    let plain = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn day(text: &str) -> Option<(NaiveDate, Precision)> {
    let mut parts = text.split('-');
    let year = i32::try_from(digits(parts.next()?, 4)?).ok()?;
    let (month, day) = (parts.next(), parts.next());
    let precision = match (month, day) {
        (None, _) => Precision::Year,
        (Some(_), None) => Precision::Month,
        (Some(_), Some(_)) => Precision::Day,
    };
    let part = |part: Option<&str>| part.map_or(Some(1), |text| digits(text, 2));
    let date = NaiveDate::from_ymd_opt(year, part(month)?, part(day)?).filter(|_| parts.next().is_none())?;
    Some((date, precision))
}

/// Nanoseconds, and how many digits were written. Beyond the ninth, digits are let go.
fn fraction_of_second(text: &str) -> Option<(u32, u8)> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let kept = text.get(..9).unwrap_or(text);
    let places = u32::try_from(kept.len()).ok()?;
    let nanoseconds = kept.parse::<u32>().ok()?.checked_mul(10u32.pow(9 - places))?;
    Some((nanoseconds, u8::try_from(places).ok()?))
}

fn offset(text: &str) -> Option<i16> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    let total = i16::try_from(hours * 60 + minutes).ok().filter(|_| minutes < 60 && hours <= 14)?;
    Some(sign * total)
}

/// As FHIR writes it; a DateTime that is known to the day at most is written like a date.
impl Display for Temporal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (local, precision) = (self.local, self.precision);
        if self.kind != TemporalKind::Time {
            write!(f, "{:04}", local.year())?;
            if precision >= Precision::Month {
                write!(f, "-{:02}", local.month())?;
            }
            if precision >= Precision::Day {
                write!(f, "-{:02}", local.day())?;
            }
            if precision >= Precision::Hour {
                f.write_str("T")?;
            }
        }
        if precision >= Precision::Hour {
            write!(f, "{:02}", local.hour())?;
        }
        if precision >= Precision::Minute {
            write!(f, ":{:02}", local.minute())?;
        }
        if precision >= Precision::Second {
            write!(f, ":{:02}", local.second())?;
        }
        if self.fraction_digits > 0 {
            let places = usize::from(self.fraction_digits);
            let fraction = local.nanosecond() / 10u32.pow(9u32.saturating_sub(self.fraction_digits.into()));
            write!(f, ".{fraction:0places$}")?;
        }
        match self.offset {
            Some(0) => f.write_str("Z"),
            Some(offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60)
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        for text in ["2020", "2020-02", "2020-02-29"] {
            assert_eq!(Temporal::date(text).unwrap().to_string(), text);
        }
        for text in
            ["2020", "2020-02-29T14", "2020-02-29T14:30Z", "2020-02-29T14:30:05.120-05:30", "2020-02-29T14:30:05"]
        {
            assert_eq!(Temporal::date_time(text).unwrap().to_string(), text);
        }
        for text in ["10", "10:30", "10:30:05", "10:30:05.000"] {
            assert_eq!(Temporal::time(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "20", "2020-13", "2020-02-30", "2020-2", "2020-02-01-01", "x", "2020-02T", "+020"] {
            assert!(Temporal::date(text).is_none(), "{text}");
        }
        for text in [
            "2020-02T10",
            "2020-02-01T1",
            "2020-02-01T10:",
            "2020-02-01T25",
            "2020-02-01T10:00+15:00",
            "2020-02-01T10.5",
        ] {
            assert!(Temporal::date_time(text).is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_not_certain_has_no_order() {
        let order =
            |left: &str, right: &str| Temporal::date_time(left).unwrap().compare(Temporal::date_time(right).unwrap());
        for (left, right, expected) in [
            ("2020", "2020-05", None),
            ("2020", "2021-05", Some(Ordering::Less)),
            ("2020-05-01", "2020-05-01T10:00Z", None),
            ("2020-05-01T10:00:00", "2020-05-01T10:00:00.0", Some(Ordering::Equal)),
            ("2020-05-01T10:00:00+02:00", "2020-05-01T08:00:00Z", Some(Ordering::Equal)),
            ("2020-05-01T10:00:00", "2020-05-01T08:00:00Z", None),
            ("2020-05-03T10:00:00", "2020-05-01T08:00:00Z", Some(Ordering::Greater)),
            ("2020-05-01T23:00-05:00", "2020-05-02T03:59Z", Some(Ordering::Greater)),
        ] {
            assert_eq!(order(left, right), expected, "{left} {right}");
        }
    }
}
