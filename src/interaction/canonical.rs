//! Definitions by their canonical address. <https://hl7.org/fhir/R4/references.html#canonical>

use super::Context;
use super::search::read;
use crate::error::Result;
use crate::fhir::definitions::ResourceType;
use crate::fhir::json::{Json, Object, parse};
use crate::search::page::{Direction, Page};
use crate::search::query::Scope;
use crate::store::Reader;
use crate::store::search::Search;

/// So many resources of one address are read at once (resources).
const PIECE: usize = 20;
/// And so often, those that were written last first: 1,000 of one address, for the one that is meant.
const PIECES_MAX: usize = 50;

/// The resource with an address, after which `|version` may stand. Of several versions it is one that is not retired, of
/// these the highest, of these the one that was written last.
pub async fn find(
    context: &Context,
    reader: Reader<'_>,
    resource_type: ResourceType,
    address: &str,
) -> Result<Option<(Object, usize)>> {
    let (url, version) = address.split_once('|').map_or((address, None), |(url, version)| (url, Some(version)));
    let mut parameters = vec![("url".to_owned(), escaped(url)), ("_sort".to_owned(), "-_lastUpdated".to_owned())];
    parameters.extend(version.map(|version| ("version".to_owned(), escaped(version))));
    let query = read(context, &Scope::Type(resource_type), &parameters, true, None)?;
    let (types, conditions, sort) = (&query.types, &query.clauses, &query.sort);
    let mut best: Option<(Object, usize)> = None;
    let mut page = None;
    for _ in 0..PIECES_MAX {
        let search = Search { types, conditions, sort, page: page.as_ref(), count: PIECE };
        let found = reader.search(&search).await?;
        let next = found.hits.last().filter(|_| found.more).map(|last| last.key.clone());
        for body in found.hits.into_iter().filter_map(|hit| hit.stored.body) {
            let Json::Object(object) = parse(&body, usize::MAX)? else { continue };
            if best.as_ref().is_none_or(|(best, _)| rank(&object) > rank(best)) {
                best = Some((object, body.len()));
            }
        }
        let Some(key) = next else { break };
        page = Some(Page { direction: Direction::Next, key });
    }
    Ok(best)
}

/// What one is put above another by: whether it is in use, the numbers of its version part by part (`4.10.0` is above
/// `4.9.1`), whether it is a release and no ballot of one (`2.0.0` is above `2.0.0-ballot`), and of two ballots the words.
/// <https://semver.org/#spec-item-11>
type Rank = (bool, Vec<(u64, String)>, bool, Vec<(bool, u64, String)>);

fn rank(object: &Object) -> Rank {
    let version = object.get_str("version").unwrap_or_default();
    let version = version.split('+').next().unwrap_or_default();
    let (numbers, ballot) = version.split_once('-').map_or((version, None), |(numbers, of)| (numbers, Some(of)));
    let part = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        let rest = text.strip_prefix(digits.as_str()).unwrap_or_default();
        (digits.parse().unwrap_or_default(), rest.to_owned())
    };
    // A number is below a word.
    let word = |text: &str| match text.parse() {
        Ok(number) => (false, number, String::new()),
        Err(_) => (true, 0, text.to_owned()),
    };
    let words = ballot.iter().flat_map(|of| of.split('.')).map(word).collect();
    (object.get_str("status") != Some("retired"), numbers.split('.').map(part).collect(), ballot.is_none(), words)
}

/// As a value in a search, where these characters have a meaning.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| matches!(c, ',' | '|' | '$' | '\\').then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_escaped_as_values() {
        assert_eq!(escaped("http://a/b,c|d"), "http://a/b\\,c\\|d");
    }

    #[test]
    fn the_highest_version_that_is_in_use_is_meant() {
        let of = |version: &str, status: &str| Object::new().with_str("version", version).with_str("status", status);
        assert!(rank(&of("4.10.0", "active")) > rank(&of("4.9.1", "active")));
        assert!(rank(&of("1.0", "draft")) > rank(&of("2.0", "retired")));
        assert!(rank(&of("2.0.0-ballot", "active")) > rank(&of("1.0.0", "active")));
        assert_eq!(rank(&Object::new()), rank(&of("", "active")));
        let rising =
            ["1.9.9", "2.0.0-2", "2.0.0-10", "2.0.0-ballot", "2.0.0-ballot.2", "2.0.0-snapshot", "2.0.0", "2.0.1"];
        for pair in rising.windows(2) {
            assert!(rank(&of(pair[1], "active")) > rank(&of(pair[0], "active")), "{pair:?}");
        }
        assert_eq!(rank(&of("2.0.0+build", "active")), rank(&of("2.0.0", "active")));
    }
}
