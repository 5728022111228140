//! What is remembered of a resource so that searches find it: the rows of the index, before SQL.

use smol_str::SmolStr;

/// All entries of one resource. No list holds two entries that are found alike.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entries {
    /// The leading date of the resource (`Registry::leading_date`): kept in the resource's own row.
    pub date: Option<Span>,
    pub tokens: Vec<TokenEntry>,
    pub strings: Vec<StringEntry>,
    pub dates: Vec<DateEntry>,
    pub numbers: Vec<NumberEntry>,
    pub positions: Vec<Position>,
    /// Only where the registry has full text.
    pub texts: Option<Texts>,
}

impl Entries {
    /// How many there are of each kind.
    pub fn lengths(&self) -> [usize; 5] {
        [self.tokens.len(), self.strings.len(), self.dates.len(), self.numbers.len(), self.positions.len()]
    }

    /// Takes away what was entered since.
    pub fn truncate(&mut self, [tokens, strings, dates, numbers, positions]: [usize; 5]) {
        self.tokens.truncate(tokens);
        self.strings.truncate(strings);
        self.dates.truncate(dates);
        self.numbers.truncate(numbers);
        self.positions.truncate(positions);
    }

    /// Leaves one of entries that are found alike; they come from values that a resource says twice.
    pub fn dedup(&mut self) {
        let key = |entry: &NumberEntry| (entry.param, entry.unit, entry.unit_code, entry.unit_text, entry.system);
        let ends = |entry: &NumberEntry| [entry.low, entry.high, entry.raw_low, entry.raw_high].map(f64::to_bits);
        self.tokens.sort_unstable();
        // Of codes that differ in their case only, one stands for both: they are found alike, and counted once.
        self.tokens.dedup_by_key(|entry| (entry.token, entry.param, entry.system));
        self.strings.sort_unstable();
        self.strings.dedup();
        self.dates.sort_unstable();
        self.dates.dedup();
        self.numbers.sort_unstable_by_key(|entry| (key(entry), ends(entry)));
        self.numbers.dedup_by_key(|entry| (key(entry), ends(entry)));
        self.positions.dedup();
    }
}

/// A span of time: from `low` up to but without `high`, in microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    pub low: i64,
    pub high: i64,
}

impl Span {
    /// Before every time that FHIR can write: the low end of a period without a start.
    pub const BEFORE: i64 = -(1 << 60);
    /// After every time: the high end of a period without an end.
    pub const AFTER: i64 = 1 << 60;
}

/// A code, a reference or a uri: found by equality.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenEntry {
    /// The branch's hash XOR the value's hash (see `kind::token::value_hash`, [`super::hash::self_hash`] for references).
    pub token: i64,
    /// The branch: [`super::hash::hash32`] of its text. Answers `:missing`.
    pub param: i32,
    /// The value's system; `None` when it has none.
    pub system: Option<i32>,
    /// The code or uri as written, for sorting; `None` for references.
    pub code: Option<SmolStr>,
}

/// A text, folded: case and accents gone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StringEntry {
    /// The branch's hash; in a composite mixed with the other component's value.
    pub param: i64,
    pub value: String,
    /// [`super::hash::hash64`] of the text as written: answers `:exact`.
    pub exact: i64,
    /// In a composite, the system of the token component.
    pub system: Option<i32>,
}

/// A date, dateTime, instant, Period or Timing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DateEntry {
    pub param: i64,
    pub span: Span,
    pub system: Option<i32>,
}

/// A number, Quantity, Money, Range: `low` equals `high` but for ranges and comparators (`<5` is from -∞ to 5).
#[derive(Debug, Clone, PartialEq)]
pub struct NumberEntry {
    pub param: i64,
    /// The canonical unit's hash; 0 for a plain number.
    pub unit: i64,
    /// In the canonical unit.
    pub low: f64,
    pub high: f64,
    /// As written.
    pub raw_low: f64,
    pub raw_high: f64,
    /// [`super::hash::hash32`] of `unit code` and of the unit in words; 0 when there is none.
    pub unit_code: i32,
    pub unit_text: i32,
    pub system: Option<i32>,
}

/// The words of a resource, folded, with a space between them (`full_text::texts`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// Of the resource's own narrative.
    pub narrative: String,
    /// Of all of the resource, the narrative included.
    pub content: String,
}

/// A place on the earth, in degrees (WGS 84).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    pub latitude: f64,
    pub longitude: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_are_found_alike_are_left_once() {
        let token = |token| TokenEntry { token, param: 1, system: None, code: None };
        let number = |low: f64| NumberEntry {
            param: 1,
            unit: 0,
            low,
            high: f64::INFINITY,
            raw_low: low,
            raw_high: f64::INFINITY,
            unit_code: 0,
            unit_text: 0,
            system: None,
        };
        let written = |code: &str| TokenEntry { code: Some(code.into()), ..token(2) };
        let mut entries = Entries {
            tokens: vec![token(1), written("hr"), written("HR"), token(1)],
            numbers: vec![number(2.0), number(-1.0), number(2.0)],
            ..Entries::default()
        };
        entries.dedup();
        assert_eq!((entries.tokens, entries.numbers.len()), (vec![token(1), written("HR")], 2));
    }
}
