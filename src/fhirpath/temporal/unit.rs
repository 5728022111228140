//! The calendar's units of time. <http://hl7.org/fhirpath/N1/#time-valued-quantities>

/// A year and a month of the calendar have no fixed length; the others are UCUM's by another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarUnit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

impl CalendarUnit {
    /// Reads the words, singular or plural.
    pub fn parse(word: &str) -> Option<CalendarUnit> {
        Some(match word {
            "year" | "years" => CalendarUnit::Year,
            "month" | "months" => CalendarUnit::Month,
            "week" | "weeks" => CalendarUnit::Week,
            "day" | "days" => CalendarUnit::Day,
            "hour" | "hours" => CalendarUnit::Hour,
            "minute" | "minutes" => CalendarUnit::Minute,
            "second" | "seconds" => CalendarUnit::Second,
            "millisecond" | "milliseconds" => CalendarUnit::Millisecond,
            _ => return None,
        })
    }

    /// The unit that a UCUM code names, where both mean the same time.
    pub fn of_ucum(code: &str) -> Option<CalendarUnit> {
        Some(match code {
            "wk" => CalendarUnit::Week,
            "d" => CalendarUnit::Day,
            "h" => CalendarUnit::Hour,
            "min" => CalendarUnit::Minute,
            "s" => CalendarUnit::Second,
            "ms" => CalendarUnit::Millisecond,
            _ => return None,
        })
    }

    /// UCUM's code, for a year and a month of the nearest.
    pub fn ucum(self) -> &'static str {
        match self {
            CalendarUnit::Year => "a",
            CalendarUnit::Month => "mo",
            CalendarUnit::Week => "wk",
            CalendarUnit::Day => "d",
            CalendarUnit::Hour => "h",
            CalendarUnit::Minute => "min",
            CalendarUnit::Second => "s",
            CalendarUnit::Millisecond => "ms",
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            CalendarUnit::Year => "year",
            CalendarUnit::Month => "month",
            CalendarUnit::Week => "week",
            CalendarUnit::Day => "day",
            CalendarUnit::Hour => "hour",
            CalendarUnit::Minute => "minute",
            CalendarUnit::Second => "second",
            CalendarUnit::Millisecond => "millisecond",
        }
    }

    /// Whether its length depends on where in the calendar it lies.
    pub fn is_vague(self) -> bool {
        matches!(self, CalendarUnit::Year | CalendarUnit::Month)
    }
}
