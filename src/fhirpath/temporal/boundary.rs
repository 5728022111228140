//! The first and the last moment that a date or time may mean. <http://hl7.org/fhirpath/#lowboundaryprecision-integer-decimal--date--datetime--time>

use super::{Precision, Temporal, TemporalKind};
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

/// The zones at the ends of the world (minutes east of UTC).
const FIRST_ZONE: i16 = 14 * 60;
const LAST_ZONE: i16 = -12 * 60;

impl Temporal {
    /// The first (or last) moment, written with so many digits. `None` for a number of digits that this kind never has.
    pub fn boundary(self, digits: Option<u32>, is_high: bool) -> Option<Temporal> {
        let kind = self.kind;
        let most = match kind {
            TemporalKind::Date => 8,
            TemporalKind::DateTime => 17,
            TemporalKind::Time => 9,
        };
        let (precision, fraction_digits) = precision(kind, digits.unwrap_or(most))?;
        let local = if is_high { self.last()? } else { self.local };
        let is_time = precision >= Precision::Hour && kind == TemporalKind::DateTime;
        let unknown = if is_high { LAST_ZONE } else { FIRST_ZONE };
        let offset = if is_time { self.offset.or(Some(unknown)) } else { None };
        Some(Temporal {
            kind,
            precision,
            local: super::cut_to(local, precision, fraction_digits)?,
            fraction_digits,
            offset,
        })
    }

    fn last(self) -> Option<NaiveDateTime> {
        let (date, time) = (self.local.date(), self.local.time());
        let month = if self.precision == Precision::Year { 12 } else { date.month() };
        let day = match self.precision {
            Precision::Year | Precision::Month => last_day(date.year(), month)?,
            _ => date.day(),
        };
        let hour = if self.precision <= Precision::Day { 23 } else { time.hour() };
        let minute = if self.precision <= Precision::Hour { 59 } else { time.minute() };
        let second = if self.precision <= Precision::Minute { 59 } else { time.second() };
        let unit = 10u32.pow(9u32.saturating_sub(self.fraction_digits.into()));
        let nanosecond = match self.precision {
            Precision::Second => time.nanosecond() / unit * unit + (unit - 1),
            _ => 999_999_999,
        };
        let clock = NaiveTime::from_hms_nano_opt(hour, minute, second, nanosecond.min(999_999_999))?;
        Some(NaiveDate::from_ymd_opt(date.year(), month, day)?.and_time(clock))
    }
}

fn last_day(year: i32, month: u32) -> Option<u32> {
    let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    Some(NaiveDate::from_ymd_opt(year, month, 1)?.pred_opt()?.day())
}

fn precision(kind: TemporalKind, digits: u32) -> Option<(Precision, u8)> {
    let time = match (kind, digits) {
        (TemporalKind::Time, digits) => digits,
        (_, 4) => return Some((Precision::Year, 0)),
        (_, 6) => return Some((Precision::Month, 0)),
        (_, 8) => return Some((Precision::Day, 0)),
        (TemporalKind::Date, _) => return None,
        (TemporalKind::DateTime, digits) => digits.checked_sub(8)?,
    };
    match time {
        2 => Some((Precision::Hour, 0)),
        4 => Some((Precision::Minute, 0)),
        6 => Some((Precision::Second, 0)),
        9 => Some((Precision::Second, 3)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_fills_in_what_is_not_known() {
        for (text, digits, low, high) in [
            ("2014", Some(6), "2014-01", "2014-12"),
            ("2014-02", None, "2014-02-01T00:00:00.000+14:00", "2014-02-28T23:59:59.999-12:00"),
            ("2014-02-01T10Z", Some(14), "2014-02-01T10:00:00Z", "2014-02-01T10:59:59Z"),
            ("2014-02-01T10:05:06.5Z", None, "2014-02-01T10:05:06.500Z", "2014-02-01T10:05:06.599Z"),
        ] {
            let time = Temporal::date_time(text).unwrap();
            assert_eq!(time.boundary(digits, false).unwrap().to_string(), low, "{text}");
            assert_eq!(time.boundary(digits, true).unwrap().to_string(), high, "{text}");
        }
        assert!(Temporal::date("2014").unwrap().boundary(Some(9), true).is_none());
        assert_eq!(Temporal::time("10:30").unwrap().boundary(None, true).unwrap().to_string(), "10:30:59.999");
    }
}
