//! The rows of the search index that a write makes and removes, table by table.

use super::commit::{NewVersion, Previous, Write};
use super::operation::{Row, owned, row};
use super::statement::{
    INSERT_DATE, INSERT_NUMBER, INSERT_POSITION, INSERT_STRING, INSERT_TEXT, INSERT_TOKEN, Insert, REMOVE_DATES,
    REMOVE_NUMBERS, REMOVE_POSITIONS, REMOVE_STRINGS, REMOVE_TEXTS, REMOVE_TOKENS, Statement,
};
use crate::search::entry::Entries;
use crate::search::hash::self_hash;

/// The leading date of a resource that has none: it sorts behind every date.
pub(super) const NO_DATE: i64 = i64::MIN;

/// The tables whose rows of this resource differ between the two versions. The others are left alone: most updates
/// change a status and a time, not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Changed {
    tokens: bool,
    strings: bool,
    dates: bool,
    numbers: bool,
    positions: bool,
    texts: bool,
}

fn changed(version: &NewVersion, previous: Option<&Previous>) -> Changed {
    let nothing = Entries::default();
    let (new, old) = (&version.entries, previous.map_or(&nothing, |previous| &previous.entries));
    // Entries are stored under the compartment and the key: when these change, all of them do.
    let elsewhere = previous
        .is_some_and(|previous| previous.compartment != version.compartment || previous.key != Some(version.key));
    Changed {
        // The leading date is in each row, so that one token's rows lie in the order of a page.
        tokens: elsewhere || new.tokens != old.tokens || new.date.map(|span| span.low) != old.date.map(|span| span.low),
        strings: elsewhere || new.strings != old.strings,
        dates: elsewhere || new.dates != old.dates,
        numbers: elsewhere || new.numbers != old.numbers,
        positions: elsewhere || new.positions != old.positions,
        texts: elsewhere || new.texts != old.texts,
    }
}

/// The statements that remove what the previous version left and the next one does not have alike.
pub(super) fn removals(version: &NewVersion, previous: &Previous) -> Vec<Statement> {
    if previous.key.is_none() {
        return Vec::new();
    }
    let (changed, old) = (changed(version, Some(previous)), &previous.entries);
    let all = [
        (changed.tokens && !old.tokens.is_empty(), REMOVE_TOKENS),
        (changed.strings && !old.strings.is_empty(), REMOVE_STRINGS),
        (changed.dates && !old.dates.is_empty(), REMOVE_DATES),
        (changed.numbers && !old.numbers.is_empty(), REMOVE_NUMBERS),
        (changed.positions && !old.positions.is_empty(), REMOVE_POSITIONS),
        (changed.texts && old.texts.is_some(), REMOVE_TEXTS),
    ];
    all.into_iter().filter(|(needed, _)| *needed).map(|(_, statement)| statement).collect()
}

/// The rows to insert, for each table.
pub(super) fn rows(writes: &[Write]) -> [(Insert, Vec<Row>); 6] {
    let (mut tokens, mut strings, mut dates, mut numbers, mut positions, mut texts) = Default::default();
    for Write { version, previous, .. } in writes {
        let changed = changed(version, previous.as_ref());
        add(&mut tokens, changed.tokens, version, token_rows);
        add(&mut strings, changed.strings, version, string_rows);
        add(&mut dates, changed.dates, version, date_rows);
        add(&mut numbers, changed.numbers, version, number_rows);
        add(&mut positions, changed.positions, version, position_rows);
        add(&mut texts, changed.texts, version, text_rows);
    }
    [
        (INSERT_TOKEN, tokens),
        (INSERT_STRING, strings),
        (INSERT_DATE, dates),
        (INSERT_NUMBER, numbers),
        (INSERT_POSITION, positions),
        (INSERT_TEXT, texts),
    ]
}

fn add(rows: &mut Vec<Row>, needed: bool, version: &NewVersion, make: fn(&NewVersion, &str, &mut Vec<Row>)) {
    if needed {
        make(version, version.compartment.as_str(), rows);
    }
}

fn token_rows(version: &NewVersion, at: &str, rows: &mut Vec<Row>) {
    let date = date(version);
    let mut before = None;
    rows.extend(version.entries.tokens.iter().map(|entry| {
        let code = entry.code.as_deref().map(storable);
        // Entries are sorted by their token.
        let repeated = before.replace(entry.token) == Some(entry.token);
        row(at, owned![at.to_owned(), version.key, date, entry.token, entry.param, entry.system, code, repeated])
    }));
}

/// PostgreSQL's text cannot hold U+0000, which JSON can: it is left out of the index.
fn storable(text: &str) -> String {
    text.replace('\0', "")
}

fn string_rows(version: &NewVersion, at: &str, rows: &mut Vec<Row>) {
    rows.extend(version.entries.strings.iter().map(|entry| {
        row(at, owned![at.to_owned(), version.key, entry.param, storable(&entry.value), entry.exact, entry.system])
    }));
}

fn date_rows(version: &NewVersion, at: &str, rows: &mut Vec<Row>) {
    rows.extend(version.entries.dates.iter().map(|entry| {
        row(at, owned![at.to_owned(), version.key, entry.param, entry.span.low, entry.span.high, entry.system])
    }));
}

fn number_rows(version: &NewVersion, at: &str, rows: &mut Vec<Row>) {
    rows.extend(version.entries.numbers.iter().map(|entry| {
        let values = owned![
            at.to_owned(),
            version.key,
            entry.param,
            entry.unit,
            entry.low,
            entry.high,
            entry.raw_low,
            entry.raw_high,
            entry.unit_code,
            entry.unit_text,
            entry.system,
        ];
        row(at, values)
    }));
}

fn position_rows(version: &NewVersion, at: &str, rows: &mut Vec<Row>) {
    rows.extend(
        version
            .entries
            .positions
            .iter()
            .map(|entry| row(at, owned![at.to_owned(), version.key, entry.latitude, entry.longitude])),
    );
}

fn text_rows(version: &NewVersion, at: &str, rows: &mut Vec<Row>) {
    rows.extend(
        version
            .entries
            .texts
            .iter()
            .map(|texts| row(at, owned![at.to_owned(), version.key, texts.narrative.clone(), texts.content.clone()])),
    );
}

pub(super) fn date(version: &NewVersion) -> i64 {
    version.entries.date.map_or(NO_DATE, |span| span.low)
}

pub(super) fn date_high(version: &NewVersion) -> i64 {
    version.entries.date.map_or(NO_DATE, |span| span.high)
}

pub(super) fn self_of(version: &NewVersion) -> i64 {
    self_hash(version.resource_type.as_str(), version.id.as_str())
}
