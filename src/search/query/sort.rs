//! The order of the matches: `_sort`. <https://hl7.org/fhir/R4/search.html#sort>

use super::condition::known;
use super::refused::Refused;
use super::{each_of, of_each};
use crate::fhir::definitions::ResourceType;
use crate::search::registry::{Branch, ParameterKind, Registry};
use std::sync::Arc;

/// At most this many keys (keys).
const KEYS_MAX: usize = 10;

#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    pub descending: bool,
    pub by: SortBy,
}

/// What is compared: the hashes, or of tokens the params, of all branches that may hold it.
#[derive(Debug, Clone, PartialEq)]
pub enum SortBy {
    Id,
    LastUpdated,
    LeadingDate,
    Date(Vec<i64>),
    String(Vec<i64>),
    Token(Vec<i32>),
    Number(Vec<i64>),
}

pub(super) fn parse(
    registry: &Registry,
    types: &[ResourceType],
    name: &str,
    value: &str,
) -> Result<Vec<SortKey>, Refused> {
    if let Some((code, modifier)) = name.split_once(':') {
        return Err(Refused::modifier(code, modifier));
    }
    let codes: Vec<&str> = value.split(',').collect();
    if codes.len() > KEYS_MAX {
        return Err(Refused::too_costly(format!("'_sort' may name at most {KEYS_MAX} parameters.")));
    }
    let mut keys = Vec::with_capacity(codes.len());
    for written in codes {
        let code = written.strip_prefix('-').unwrap_or(written);
        if code.is_empty() {
            return Err(Refused::value("_sort", value, "Names of parameters were expected, separated by commas."));
        }
        keys.push(SortKey { descending: written.starts_with('-'), by: by(registry, &each_of(types), code)? });
    }
    Ok(keys)
}

fn by(registry: &Registry, types: &[ResourceType], code: &str) -> Result<SortBy, Refused> {
    match code {
        "_id" => return Ok(SortBy::Id),
        "_lastUpdated" => return Ok(SortBy::LastUpdated),
        _ => {}
    }
    let cannot = || Refused::ignorable(format!("'{code}' is of a kind that has no order, or of different kinds."));
    let (mut kind, mut branches) = (None, Vec::<Arc<Branch>>::new());
    for parameter in of_each(types, |on| known(registry, on, code))? {
        if *kind.get_or_insert(parameter.kind) != parameter.kind {
            return Err(cannot());
        }
        for branch in &parameter.branches {
            if !branches.iter().any(|other| other.hash == branch.hash) {
                branches.push(Arc::clone(branch));
            }
        }
    }
    let hashes = || branches.iter().map(|branch| branch.hash).collect();
    Ok(match kind {
        Some(ParameterKind::Date) if branches.iter().all(|branch| branch.is_leading_date) => SortBy::LeadingDate,
        // Leading dates lie elsewhere than others, so that the two cannot be compared.
        Some(ParameterKind::Date) if branches.iter().any(|branch| branch.is_leading_date) => return Err(cannot()),
        Some(ParameterKind::Date) => SortBy::Date(hashes()),
        Some(ParameterKind::String) => SortBy::String(hashes()),
        Some(ParameterKind::Token | ParameterKind::Uri) => {
            SortBy::Token(branches.iter().map(|branch| branch.param).collect())
        }
        Some(ParameterKind::Number | ParameterKind::Quantity) => SortBy::Number(hashes()),
        _ => return Err(cannot()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, ignored, of, refused};
    use super::*;
    use crate::error::Kind;

    fn sorted(text: &str) -> Vec<(bool, SortBy)> {
        ask(text).sort.into_iter().map(|key| (key.descending, key.by)).collect()
    }

    #[test]
    fn several_keys_of_every_kind_that_has_an_order() {
        let by = [(false, SortBy::Token(vec![of("Observation", "status").param])), (true, SortBy::LeadingDate)];
        assert_eq!(sorted("Observation?_sort=status,-date"), by);
        let by = [(false, SortBy::LastUpdated), (true, SortBy::Id)];
        assert_eq!(sorted("?_sort=_lastUpdated,-_id"), by);
        for (text, by) in [
            ("Patient?_sort=family", SortBy::String(vec![of("Patient", "family").hash])),
            ("Observation?_sort=value-date", SortBy::Date(vec![of("Observation", "value-date").hash])),
            ("Observation?_sort=value-quantity", SortBy::Number(vec![of("Observation", "value-quantity").hash])),
            ("RiskAssessment?_sort=probability", SortBy::Number(vec![of("RiskAssessment", "probability").hash])),
            ("ValueSet?_sort=url", SortBy::Token(vec![of("ValueSet", "url").param])),
        ] {
            match (sorted(text).pop(), by) {
                // A choice has a branch for each of its types.
                (Some((false, SortBy::Number(found))), SortBy::Number(by))
                | (Some((false, SortBy::Date(found))), SortBy::Date(by)) => assert!(found.contains(&by[0]), "{text}"),
                (found, by) => assert_eq!(found, Some((false, by)), "{text}"),
            }
        }
    }

    #[test]
    fn several_types_are_sorted_by_what_is_of_one_kind_in_all() {
        let Some((_, SortBy::Token(params))) = sorted("?_type=Observation,Condition&_sort=code").pop() else {
            panic!()
        };
        assert_eq!(params, [of("Observation", "code").param, of("Condition", "code").param]);
        let Some((_, SortBy::Token(params))) = sorted("?_sort=_tag").pop() else { panic!() };
        assert_eq!(params, [of("Patient", "_tag").param]);
        assert!(ignored("?_sort=code").contains("not a search parameter of"));
    }

    #[test]
    fn what_has_no_order_is_reported_and_no_name_is_refused() {
        for (text, reason) in [
            ("Observation?_sort=subject", "no order"),
            ("Observation?_sort=code-value-quantity", "no order"),
            ("Observation?_sort=foo", "not a search parameter"),
            ("Patient?_sort=_score", "not a search parameter"),
        ] {
            assert!(ignored(text).contains(reason), "{text}: {}", ignored(text));
        }
        for value in ["-", "status,", ",status"] {
            assert_eq!(refused(&format!("Observation?_sort={value}")).kind, Kind::Invalid);
        }
        assert_eq!(refused(&format!("Patient?_sort={}", ["_id"; 11].join(","))).kind, Kind::TooCostly);
    }
}
