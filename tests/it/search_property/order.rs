//! The order of matches, found by a plain sort in memory. <https://hl7.org/fhir/R4/search.html#sort>

use brasa::fhir::definitions::ResourceType;
use brasa::search::evaluate::Fact;
use brasa::search::query::{Query, SortBy, SortKey};
use std::cmp::Ordering;

/// Characters of a text that are compared.
const COMPARED: usize = 64;

#[derive(Debug, Clone, PartialEq, PartialOrd)]
enum Key {
    Int(i64),
    Float(f64),
    Text(String),
}

/// What the client asked for, or the order without a wish: newest first.
pub fn keys(query: &Query) -> Vec<SortKey> {
    let by = if query.types.len() == 1 { SortBy::LeadingDate } else { SortBy::LastUpdated };
    if query.sort.is_empty() { vec![SortKey { by, descending: true }] } else { query.sort.clone() }
}

/// The first two neighbours that stand the wrong way round.
pub fn disorder<'a>(keys: &[SortKey], facts: &[&'a Fact<'a>]) -> Option<(ResourceType, String, String)> {
    let pair = facts.windows(2).find(|pair| compare(keys, pair[0], pair[1]) == Ordering::Greater)?;
    Some((pair[0].resource_type, pair[0].id.to_owned(), pair[1].id.to_owned()))
}

fn compare(keys: &[SortKey], a: &Fact<'_>, b: &Fact<'_>) -> Ordering {
    let by_key = keys.iter().map(|key| match (value(key, a), value(key, b)) {
        (None, None) => Ordering::Equal,
        // What has no value comes last in both directions.
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => {
            let ascending = a.partial_cmp(&b).unwrap();
            if key.descending { ascending.reverse() } else { ascending }
        }
    });
    by_key.fold(Ordering::Equal, Ordering::then)
}

/// Of several the smallest, or in a descending order the largest.
fn value(key: &SortKey, fact: &Fact<'_>) -> Option<Key> {
    let entries = fact.entries;
    let text = |text: &str| Key::Text(text.chars().take(COMPARED).collect());
    let values: Vec<Key> = match &key.by {
        SortBy::Id => vec![Key::Text(fact.id.to_owned())],
        SortBy::LastUpdated => vec![Key::Int(fact.last_updated_us)],
        SortBy::LeadingDate => entries.date.iter().map(|span| Key::Int(span.low)).collect(),
        SortBy::Date(params) => {
            entries.dates.iter().filter(|one| params.contains(&one.param)).map(|one| Key::Int(one.span.low)).collect()
        }
        SortBy::String(params) => {
            entries.strings.iter().filter(|one| params.contains(&one.param)).map(|one| text(&one.value)).collect()
        }
        SortBy::Token(params) => {
            let tokens = entries.tokens.iter().filter(|one| params.contains(&one.param));
            tokens.filter_map(|one| one.code.as_ref()).map(|code| Key::Text(code.to_string())).collect()
        }
        SortBy::Number(params) => {
            let numbers = entries.numbers.iter().filter(|one| params.contains(&one.param));
            numbers.map(|one| Key::Float(if key.descending { one.high } else { one.low })).collect()
        }
    };
    let before = |a: &Key, b: &Key| {
        let ascending = a.partial_cmp(b).unwrap();
        if key.descending { ascending.reverse() } else { ascending }
    };
    values.into_iter().min_by(before)
}
