//! Definitions by their canonical address. <https://hl7.org/fhir/R4/references.html#canonical>

use super::Context;
use super::search::read;
use crate::error::Result;
use crate::fhir::definitions::ResourceType;
use crate::fhir::json::{Json, Object, parse};
use crate::search::query::Scope;
use crate::store::Reader;
use crate::store::search::Search;

/// So many resources of one address are looked at for the one that is meant (resources).
const CANDIDATES_MAX: usize = 20;

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
    let search = Search { types, conditions, sort, page: None, count: CANDIDATES_MAX };
    let hits = reader.search(&search).await?.hits;
    let mut best: Option<(Object, usize)> = None;
    for body in hits.into_iter().filter_map(|hit| hit.stored.body) {
        let Json::Object(object) = parse(&body, usize::MAX)? else { continue };
        if best.as_ref().is_none_or(|(best, _)| rank(&object) > rank(best)) {
            best = Some((object, body.len()));
        }
    }
    Ok(best)
}

/// Whether it is in use, and its version part by part: `4.10.0` is above `4.9.1`.
fn rank(object: &Object) -> (bool, Vec<(u64, String)>) {
    let version = object.get_str("version").unwrap_or_default();
    let part = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        let rest = text.strip_prefix(digits.as_str()).unwrap_or_default();
        (digits.parse().unwrap_or_default(), rest.to_owned())
    };
    (object.get_str("status") != Some("retired"), version.split('.').map(part).collect())
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
    }
}
