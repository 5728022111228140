//! The rows of the search index that a write makes and removes, table by table.

use super::commit::{NewVersion, Previous, Write};
use super::operation::{Row, owned, row};
use super::statement::{
    INSERT_DATE, INSERT_NUMBER, INSERT_POSITION, INSERT_STRING, INSERT_TEXT, INSERT_TOKEN, Insert, REMOVE_DATES,
    REMOVE_NUMBERS, REMOVE_POSITIONS, REMOVE_STRINGS, REMOVE_TEXTS, REMOVE_TOKENS, Statement,
};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
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

/// What the index holds of one resource, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Indexed<'a> {
    pub compartment: &'a str,
    pub key: i64,
    pub entries: &'a Entries,
}

impl NewVersion {
    fn indexed(&self) -> Indexed<'_> {
        Indexed { compartment: self.compartment.as_str(), key: self.key, entries: &self.entries }
    }
}

fn changed(version: &NewVersion, previous: Option<&Previous>) -> Changed {
    let nothing = Entries::default();
    let (new, old) = (&version.entries, previous.map_or(&nothing, |previous| &previous.entries));
    // Entries are stored under the compartment and the key: when these change, all of them do. And what is deleted leaves
    // nothing: there may be rows of a search parameter that is not known any more.
    let elsewhere = version.body.is_none()
        || previous
            .is_some_and(|previous| previous.compartment != version.compartment || previous.key != Some(version.key));
    // The leading date is in each row, so that one token's rows lie in the order of a page.
    let dated = elsewhere || date(new) != date(old);
    Changed {
        tokens: dated || new.tokens != old.tokens,
        strings: dated || new.strings != old.strings,
        dates: dated || new.dates != old.dates,
        numbers: dated || new.numbers != old.numbers,
        positions: elsewhere || new.positions != old.positions,
        texts: elsewhere || new.texts != old.texts,
    }
}

/// The statements that remove what the previous version left, from each table in which the two differ. Also from those
/// that should hold nothing of it: there may be rows of a search parameter that is not known any more.
pub(super) fn removals(version: &NewVersion, previous: &Previous) -> Vec<Statement> {
    if previous.key.is_none() {
        return Vec::new();
    }
    let changed = changed(version, Some(previous));
    let all = [
        (changed.tokens, REMOVE_TOKENS),
        (changed.strings, REMOVE_STRINGS),
        (changed.dates, REMOVE_DATES),
        (changed.numbers, REMOVE_NUMBERS),
        (changed.positions, REMOVE_POSITIONS),
        (changed.texts, REMOVE_TEXTS),
    ];
    all.into_iter().filter(|(needed, _)| *needed).map(|(_, statement)| statement).collect()
}

/// Those that remove everything.
pub(super) const REMOVALS: [Statement; 6] =
    [REMOVE_TOKENS, REMOVE_STRINGS, REMOVE_DATES, REMOVE_NUMBERS, REMOVE_POSITIONS, REMOVE_TEXTS];

/// The rows of each table.
pub(super) type Rows = [(Insert, Vec<Row>); 6];

/// The rows to insert for versions: of the tables in which they differ from those that they follow.
pub(super) fn rows(writes: &[Write]) -> Rows {
    let mut rows = no_rows();
    for Write { version, previous, .. } in writes {
        let Changed { tokens, strings, dates, numbers, positions, texts } = changed(version, previous.as_ref());
        let changed = [tokens, strings, dates, numbers, positions, texts];
        add(&mut rows, version.indexed(), changed);
    }
    rows
}

/// All rows of resources.
pub(super) fn all_rows<'a>(resources: impl Iterator<Item = Indexed<'a>>) -> Rows {
    let mut rows = no_rows();
    resources.for_each(|one| add(&mut rows, one, [true; 6]));
    rows
}

fn no_rows() -> Rows {
    [INSERT_TOKEN, INSERT_STRING, INSERT_DATE, INSERT_NUMBER, INSERT_POSITION, INSERT_TEXT]
        .map(|target| (target, Vec::new()))
}

fn add(rows: &mut Rows, one: Indexed<'_>, needed: [bool; 6]) {
    let make: [fn(Indexed<'_>, &mut Vec<Row>); 6] =
        [token_rows, string_rows, date_rows, number_rows, position_rows, text_rows];
    for (((_, rows), make), needed) in rows.iter_mut().zip(make).zip(needed) {
        if needed {
            make(one, rows);
        }
    }
}

fn token_rows(one: Indexed<'_>, rows: &mut Vec<Row>) {
    let Indexed { compartment: at, key, entries } = one;
    let date = date(entries);
    let mut before = None;
    rows.extend(entries.tokens.iter().map(|entry| {
        let code = entry.code.as_deref().map(storable);
        // Entries are sorted by their token.
        let repeated = before.replace(entry.token) == Some(entry.token);
        row(at, owned![at.to_owned(), key, date, entry.token, entry.param, entry.system, code, repeated])
    }));
}

/// PostgreSQL's text cannot hold U+0000, which JSON can: it is left out of the index.
fn storable(text: &str) -> String {
    text.replace('\0', "")
}

fn string_rows(one: Indexed<'_>, rows: &mut Vec<Row>) {
    let Indexed { compartment: at, key, entries } = one;
    let date = date(entries);
    rows.extend(entries.strings.iter().map(|entry| {
        row(at, owned![at.to_owned(), key, date, entry.param, storable(&entry.value), entry.exact, entry.system])
    }));
}

fn date_rows(one: Indexed<'_>, rows: &mut Vec<Row>) {
    let Indexed { compartment: at, key, entries } = one;
    let date = date(entries);
    rows.extend(entries.dates.iter().map(|entry| {
        row(at, owned![at.to_owned(), key, date, entry.param, entry.span.low, entry.span.high, entry.system])
    }));
}

fn number_rows(one: Indexed<'_>, rows: &mut Vec<Row>) {
    let Indexed { compartment: at, key, entries } = one;
    let date = date(entries);
    rows.extend(entries.numbers.iter().map(|entry| {
        let values = owned![
            at.to_owned(),
            key,
            date,
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

fn position_rows(one: Indexed<'_>, rows: &mut Vec<Row>) {
    let Indexed { compartment: at, key, entries } = one;
    rows.extend(
        entries.positions.iter().map(|entry| row(at, owned![at.to_owned(), key, entry.latitude, entry.longitude])),
    );
}

fn text_rows(one: Indexed<'_>, rows: &mut Vec<Row>) {
    let Indexed { compartment: at, key, entries } = one;
    let texts = entries.texts.iter();
    rows.extend(texts.map(|texts| row(at, owned![at.to_owned(), key, texts.narrative.clone(), texts.content.clone()])));
}

pub(super) fn date(entries: &Entries) -> i64 {
    entries.date.map_or(NO_DATE, |span| span.low)
}

pub(super) fn date_high(entries: &Entries) -> i64 {
    entries.date.map_or(NO_DATE, |span| span.high)
}

pub(super) fn self_of(resource_type: ResourceType, id: &Id) -> i64 {
    self_hash(resource_type.as_str(), id.as_str())
}
