//! Going through all that a search finds, a piece at a time and up to a bound.

use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Compartment;
use crate::fhir::json::Json;
use crate::search::clause::Clause;
use crate::search::page::{Direction, Page};
use crate::store::Reader;
use crate::store::search::{Hit, Search};
use std::collections::HashMap;

/// Resources that are asked for at once (resources): a piece of a few megabytes.
const PIECE: usize = 500;

/// Resources that one operation looks at (resources).
pub const LOOKED_AT_MAX: usize = 20_000;

/// Hands over every match, newest first by the type's leading date, those without one last. Of several types the order is
/// that of their last updates. The record that was searched, if it was one.
///
/// # Errors
/// 400 where there are more than [`LOOKED_AT_MAX`].
pub async fn each_match(
    reader: Reader<'_>,
    types: &[ResourceType],
    conditions: &[Clause],
    mut take: impl FnMut(Hit) -> Result<()>,
) -> Result<Option<Compartment>> {
    let (mut page, mut met) = (None, 0);
    loop {
        let search = Search { types, conditions, sort: &[], page: page.as_ref(), count: PIECE };
        let found = reader.search(&search).await?;
        met += found.hits.len();
        if found.within_records || met > LOOKED_AT_MAX {
            let message = format!(
                "More than {LOOKED_AT_MAX} resources would have to be looked at. Narrow the question, by a date or a code."
            );
            return Err(Error::new(Kind::TooCostly, message));
        }
        let next = found.hits.last().filter(|_| found.more).map(|last| last.key.clone());
        found.hits.into_iter().try_for_each(&mut take)?;
        let Some(key) = next else { return Ok(found.record) };
        page = Some(Page { direction: Direction::Next, key });
    }
}

/// What a code is equal to another by: each coding's system and code; without any, the text as it is.
pub fn code_keys(concept: Option<&Json>) -> Vec<String> {
    let Some(concept) = concept.and_then(Json::as_object) else { return Vec::new() };
    let codings = concept.get("coding").map(Json::items).unwrap_or_default();
    let key = |coding: &Json| {
        let coding = coding.as_object()?;
        Some(format!("{}|{}", coding.get_str("system").unwrap_or_default(), coding.get_str("code")?))
    };
    let keys: Vec<String> = codings.iter().filter_map(key).collect();
    if keys.is_empty() { concept.get_str("text").map(|text| format!("\n{text}")).into_iter().collect() } else { keys }
}

/// The newest of each code, where codes of one concept are equal, and what is equal to an equal one.
pub struct Newest<T> {
    max: usize,
    parents: Vec<usize>,
    of_key: HashMap<String, usize>,
    kept: Vec<Vec<Kept<T>>>,
    met: usize,
}

struct Kept<T> {
    order: usize,
    date: Option<i64>,
    one: T,
}

impl<T> Newest<T> {
    /// `max`: so many of each code, and those that are as new as the last of them.
    pub fn new(max: usize) -> Newest<T> {
        Newest { max, parents: Vec::new(), of_key: HashMap::new(), kept: Vec::new(), met: 0 }
    }

    /// Takes the next one, which is at most as new as all before it. `date`: `None` where there is none.
    pub fn take(&mut self, keys: &[String], date: Option<i64>, one: T) {
        let nameless = [String::new()];
        let keys = if keys.is_empty() { &nameless[..] } else { keys };
        let mut group = None;
        for key in keys {
            let of = self.group_of(key);
            group = Some(group.map_or(of, |group| self.join(group, of)));
        }
        let order = self.met;
        self.met += 1;
        if let Some(kept) = group.and_then(|group| self.kept.get_mut(group)) {
            kept.push(Kept { order, date, one });
            trim(kept, self.max);
        }
    }

    /// All of them, newest first.
    pub fn finish(self) -> Vec<T> {
        let mut all: Vec<Kept<T>> = self.kept.into_iter().flatten().collect();
        all.sort_by_key(|kept| kept.order);
        all.into_iter().map(|kept| kept.one).collect()
    }

    /// How many are kept now.
    pub fn len(&self) -> usize {
        self.kept.iter().map(Vec::len).sum()
    }

    fn group_of(&mut self, key: &str) -> usize {
        if let Some(group) = self.of_key.get(key) {
            return self.root(*group);
        }
        let group = self.parents.len();
        self.parents.push(group);
        self.kept.push(Vec::new());
        self.of_key.insert(key.to_owned(), group);
        group
    }

    fn root(&self, mut group: usize) -> usize {
        while let Some(parent) = self.parents.get(group).filter(|parent| **parent != group) {
            group = *parent;
        }
        group
    }

    /// The newest of both are among the newest of each.
    fn join(&mut self, one: usize, other: usize) -> usize {
        if one == other {
            return one;
        }
        let moved = self.kept.get_mut(other).map(std::mem::take).unwrap_or_default();
        if let Some(parent) = self.parents.get_mut(other) {
            *parent = one;
        }
        if let Some(kept) = self.kept.get_mut(one) {
            kept.extend(moved);
            kept.sort_by_key(|kept| kept.order);
            trim(kept, self.max);
        }
        one
    }
}

fn trim<T>(kept: &mut Vec<Kept<T>>, max: usize) {
    let last = max.checked_sub(1).and_then(|last| kept.get(last)).map(|last| last.date);
    let Some(last) = last else { return };
    let ties = kept.iter().skip(max).take_while(|one| one.date.is_some() && one.date == last).count();
    kept.truncate(max + ties);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(max: usize, taken: &[(&[&str], i64)]) -> Vec<usize> {
        let mut newest = Newest::new(max);
        for (number, (keys, date)) in taken.iter().enumerate() {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            newest.take(&keys, Some(*date).filter(|date| *date != 0), number);
        }
        newest.finish()
    }

    #[test]
    fn codes_that_stand_together_anywhere_are_one_group() {
        assert_eq!(newest(1, &[(&["a"], 3), (&["b"], 2), (&["c"], 1)]), [0, 1, 2]);
        assert_eq!(newest(1, &[(&["a"], 3), (&["b"], 2), (&["a", "c"], 1)]), [0, 1]);
        assert_eq!(newest(1, &[(&["a"], 3), (&["b"], 2), (&["a", "b"], 1)]), [0]);
        assert_eq!(newest(2, &[(&["a"], 5), (&["b"], 4), (&["b"], 3), (&["c", "b"], 2), (&["a", "c"], 1)]), [0, 1]);
        assert_eq!(newest(1, &[(&["\nText"], 2), (&["\ntext"], 1)]), [0, 1]);
    }

    #[test]
    fn those_as_new_as_the_last_stay_and_what_has_no_date_is_as_new_as_nothing() {
        assert_eq!(newest(1, &[(&["a"], 3), (&["a"], 3), (&["a"], 2)]), [0, 1]);
        assert_eq!(newest(2, &[(&["a"], 3), (&["a"], 2), (&["a"], 2), (&["a"], 2), (&["a"], 1)]), [0, 1, 2, 3]);
        assert_eq!(newest(1, &[(&[], 0), (&[], 0)]), [0]);
    }
}
