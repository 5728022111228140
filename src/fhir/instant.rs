//! Instants the server writes, and dates with precision that clients ask with. <https://hl7.org/fhir/R4/datatypes.html#dateTime>

use super::invalid::{Invalid, Result};
use chrono::{
    DateTime, Datelike, Days, FixedOffset, Months, NaiveDate, NaiveDateTime, SubsecRound, TimeDelta, Timelike, Utc,
};

/// The time of one server-made version, to the millisecond: what the body says is exactly what the column holds.
pub fn to_millisecond(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(3)
}

/// FHIR's `instant`, in UTC with milliseconds: `2026-11-22T08:30:00.123Z`.
pub fn to_instant(time: DateTime<Utc>) -> String {
    // By hand: chrono reads its pattern anew each time, 4 % of the CPU of a read (docs/PERFORMANCE.md).
    let (date, clock) = (time.date_naive(), time.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year(),
        date.month(),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
        clock.nanosecond() / 1_000_000
    )
}

/// HTTP's date, which has whole seconds: `Sun, 22 Nov 2026 08:30:00 GMT`.
pub fn to_http_date(time: DateTime<Utc>) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (date, clock) = (time.date_naive(), time.time());
    let month = usize::try_from(date.month0()).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"Jan");
    let (weekday, day, year) = (date.weekday(), date.day(), date.year());
    format!("{weekday}, {day:02} {month} {year:04} {:02}:{:02}:{:02} GMT", clock.hour(), clock.minute(), clock.second())
}

/// The three forms of HTTP's date, of which two are obsolete but must be read. <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7>
const HTTP_DATES: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// Reads HTTP's date. `None` for anything else: RFC 9110 wants an unreadable condition ignored.
pub fn from_http_date(text: &str) -> Option<DateTime<Utc>> {
    let read = |form: &&str| NaiveDateTime::parse_from_str(text, form).ok();
    HTTP_DATES.iter().find_map(read).map(|time| time.and_utc())
}

/// The time that a FHIR date, dateTime or instant of any precision covers: from `start`, up to but without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

impl Interval {
    /// Reads `2026`, `2026-11`, `2026-11-22`, `2026-11-22T08:30`, `2026-11-22T08:30:00.123-05:00`. Without a zone: UTC.
    pub fn parse(text: &str) -> Result<Interval> {
        parse_day(text).or_else(|| parse_time(text)).ok_or_else(|| {
            Invalid::syntax(
                "A date was expected here: YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with 'Z' or an offset such as +02:00."
                    .to_owned(),
            )
        })
    }
}

fn parse_day(text: &str) -> Option<Interval> {
    let digits = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    let (year, month, day) = match *parts.as_slice() {
        [year] => (year, "01", "01"),
        [year, month] => (year, month, "01"),
        [year, month, day] => (year, month, day),
        _ => return None,
    };
    if !(digits(year, 4) && digits(month, 2) && digits(day, 2)) {
        return None;
    }
    let start = NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
    let end = match parts.len() {
        1 => start.with_year(start.year() + 1)?,
        2 => start.checked_add_months(Months::new(1))?,
        _ => start.checked_add_days(Days::new(1))?,
    };
    Some(Interval { start: midnight(start)?, end: midnight(end)? })
}

fn midnight(day: NaiveDate) -> Option<DateTime<Utc>> {
    Some(day.and_hms_opt(0, 0, 0)?.and_utc())
}

fn parse_time(text: &str) -> Option<Interval> {
    let (date, time) = text.split_once('T')?;
    let zone_at = time.find(['Z', '+', '-', ' ']).unwrap_or(time.len());
    let (clock, zone) = (time.get(..zone_at)?, time.get(zone_at..)?);
    // A '+' that a client left unescaped in a URL arrives as a space.
    let zone = zone.replace(' ', "+");
    let day = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok().filter(|_| date.len() == 10)?;
    let (clock_full, step) = match clock.len() {
        5 => (format!("{clock}:00"), TimeDelta::minutes(1)),
        8 => (clock.to_owned(), TimeDelta::seconds(1)),
        10.. => (clock.to_owned(), fraction_step(clock)?),
        _ => return None,
    };
    let local = day.and_time(chrono::NaiveTime::parse_from_str(&clock_full, "%H:%M:%S%.f").ok()?);
    let start = match zone.as_str() {
        "" | "Z" => local.and_utc(),
        offset => local.and_local_timezone(parse_offset(offset)?).single()?.to_utc(),
    };
    Some(Interval { start, end: start.checked_add_signed(step)? })
}

/// How long a time with so many digits after the point lasts; PostgreSQL knows microseconds, so it is never less.
fn fraction_step(clock: &str) -> Option<TimeDelta> {
    let digits = u32::try_from(clock.len().checked_sub(9)?).ok()?.min(6);
    Some(TimeDelta::microseconds(1_000_000 / 10i64.pow(digits)))
}

fn parse_offset(text: &str) -> Option<FixedOffset> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 14 || minutes > 59 {
        return None;
    }
    FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(text: &str) -> (String, String) {
        let interval = Interval::parse(text).unwrap();
        (to_instant(interval.start), to_instant(interval.end))
    }

    #[test]
    fn a_partial_date_covers_all_of_its_year_month_day_minute_or_second() {
        for (text, start, end) in [
            ("2024", "2024-01-01T00:00:00.000Z", "2025-01-01T00:00:00.000Z"),
            ("2024-12", "2024-12-01T00:00:00.000Z", "2025-01-01T00:00:00.000Z"),
            ("2024-02-29", "2024-02-29T00:00:00.000Z", "2024-03-01T00:00:00.000Z"),
            ("2024-02-29T08:30Z", "2024-02-29T08:30:00.000Z", "2024-02-29T08:31:00.000Z"),
            ("2024-02-29T08:30:05-05:00", "2024-02-29T13:30:05.000Z", "2024-02-29T13:30:06.000Z"),
            ("2024-02-29T08:30:05.12 02:00", "2024-02-29T06:30:05.120Z", "2024-02-29T06:30:05.130Z"),
        ] {
            assert_eq!(spans(text), (start.to_owned(), end.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "24",
            "2024-1",
            "2024-13",
            "2023-02-29",
            "2024-01-01T",
            "2024-01-01T25:00Z",
            "today",
            "2024-01-01T10:00:00+15:00",
            "2024-1-01T10:00:00Z",
            "20240101",
            "2024-01-01T10:00:00Zjunk",
        ] {
            assert!(Interval::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dates_by_hand_are_those_of_the_library() {
        for day in 0..800 {
            let seconds = 1_700_000_000_i64 + day * 86_399 * 3;
            let time = DateTime::from_timestamp_millis(seconds * 1000 + day).unwrap();
            assert_eq!(to_instant(time), time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
            assert_eq!(to_http_date(time), time.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
        }
    }

    #[test]
    fn http_dates_round_trip() {
        let time = Interval::parse("2026-11-22T08:30:00Z").unwrap().start;
        assert_eq!(to_http_date(time), "Sun, 22 Nov 2026 08:30:00 GMT");
        assert_eq!(from_http_date("Sun, 22 Nov 2026 08:30:00 GMT"), Some(time));
        assert_eq!(from_http_date("Sunday, 22-Nov-26 08:30:00 GMT"), Some(time));
        assert_eq!(from_http_date("Sun Nov 22 08:30:00 2026"), Some(time));
        assert_eq!(from_http_date("yesterday"), None);
    }
}
