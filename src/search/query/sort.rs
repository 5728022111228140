//! The order of the matches: `_sort`. <https://hl7.org/fhir/R4/search.html#sort>

use super::condition::known;
use super::each_of;
use super::refused::Refused;
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
    for on in types {
        let parameter = known(registry, *on, code)?;
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
