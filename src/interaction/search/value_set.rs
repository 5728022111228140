//! The members of a stored ValueSet, for `:in` and `:not-in`. <https://hl7.org/fhir/R4/valueset.html#expansion>
//!
//! Its expansion is taken where it has one. Otherwise its definition is followed as far as that needs no terminology
//! server: codes that are listed, whole code systems, other ValueSets. What needs one is refused, never answered wrongly.

use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::json::{Json, Object, parse};
use crate::interaction::{Context, canonical};
use crate::store::Reader;
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};

/// Members up to which a search follows a ValueSet (codes).
const MEMBERS_MAX: usize = 10_000;
/// ValueSets that may lead to each other.
const DEPTH_MAX: usize = 8;

/// Codes by system, and systems of which every code is a member.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Members {
    pub codes: BTreeMap<Option<String>, BTreeSet<String>>,
    pub systems: BTreeSet<String>,
}

impl Members {
    fn add(&mut self, system: Option<&str>, code: &str) {
        self.codes.entry(system.map(str::to_owned)).or_default().insert(code.to_owned());
    }

    fn merge(&mut self, other: Members) {
        for (system, codes) in other.codes {
            self.codes.entry(system).or_default().extend(codes);
        }
        self.systems.extend(other.systems);
    }

    /// What is in both; `None` where that cannot be said.
    fn intersect(self, other: Members) -> Option<Members> {
        if !self.systems.is_empty() && !other.systems.is_empty() && self.systems != other.systems {
            return None;
        }
        let holds = |members: &Members, system: &Option<String>, code: &String| {
            let listed = members.codes.get(system).is_some_and(|codes| codes.contains(code));
            listed || system.as_ref().is_some_and(|system| members.systems.contains(system))
        };
        let mut both =
            Members { systems: self.systems.intersection(&other.systems).cloned().collect(), ..Members::default() };
        for (one, another) in [(&self, &other), (&other, &self)] {
            for (system, codes) in &one.codes {
                for code in codes.iter().filter(|code| holds(another, system, code)) {
                    both.add(system.as_deref(), code);
                }
            }
        }
        both.codes.retain(|_, codes| !codes.is_empty());
        Some(both)
    }

    /// Takes codes away; whether that was possible.
    fn remove(&mut self, other: &Members) -> bool {
        if other.codes.keys().flatten().any(|system| self.systems.contains(system)) {
            return false;
        }
        for system in &other.systems {
            self.systems.remove(system);
            self.codes.remove(&Some(system.clone()));
        }
        for (system, codes) in &other.codes {
            if let Some(own) = self.codes.get_mut(system) {
                own.retain(|code| !codes.contains(code));
            }
        }
        true
    }

    fn count(&self) -> usize {
        self.codes.values().map(BTreeSet::len).sum()
    }
}

/// The members of the ValueSet with this canonical address (`|version` may follow), or of `ValueSet/id`.
pub async fn members(context: &Context, reader: Reader<'_>, address: &str) -> Result<Members> {
    Following { context, reader }.members(address, 0).await
}

#[derive(Clone, Copy)]
struct Following<'a> {
    context: &'a Context,
    reader: Reader<'a>,
}

impl<'a> Following<'a> {
    fn members<'f>(self, address: &'f str, depth: usize) -> BoxFuture<'f, Result<Members>>
    where
        'a: 'f,
    {
        Box::pin(async move {
            if depth > DEPTH_MAX {
                return Err(refused(address, "it leads to other ValueSets too many times"));
            }
            let value_set = self.stored(ResourceType::VALUE_SET, address).await?;
            let missing = || Error::invalid(format!("There is no ValueSet '{address}' on this server."));
            let value_set = value_set.ok_or_else(missing)?;
            let mut members = match object(&value_set, "expansion") {
                Some(expansion) => expanded(expansion, address)?,
                None => self.composed(&value_set, address, depth).await?,
            };
            members.codes.retain(|_, codes| !codes.is_empty());
            if members.count() > MEMBERS_MAX {
                let message =
                    format!("The ValueSet '{address}' has more than {MEMBERS_MAX} members, too many to search by.");
                return Err(Error::new(Kind::TooCostly, message));
            }
            Ok(members)
        })
    }

    async fn composed(self, value_set: &Object, address: &str, depth: usize) -> Result<Members> {
        let compose = object(value_set, "compose");
        let compose = compose.ok_or_else(|| refused(address, "it has neither an expansion nor a definition"))?;
        let mut members = Members::default();
        for include in objects(compose, "include") {
            members.merge(self.part(include, address, depth).await?);
        }
        for exclude in objects(compose, "exclude") {
            let excluded = self.part(exclude, address, depth).await?;
            if !members.remove(&excluded) {
                return Err(refused(address, "it excludes codes of a system that is included as a whole"));
            }
        }
        Ok(members)
    }

    /// One `include` or `exclude`: codes of a system, which are in each of some ValueSets.
    async fn part(self, part: &Object, address: &str, depth: usize) -> Result<Members> {
        if !part.get("filter").map(Json::items).unwrap_or_default().is_empty() {
            return Err(refused(address, "it selects codes by a filter"));
        }
        let mut members = match part.get_str("system") {
            None => None,
            Some(system) => Some(self.of_system(part, system).await?),
        };
        for other in part.get("valueSet").map(Json::items).unwrap_or_default() {
            let Some(other) = other.as_str() else { continue };
            let other = self.members(other, depth + 1).await?;
            members = Some(match members {
                None => other,
                Some(members) => members
                    .intersect(other)
                    .ok_or_else(|| refused(address, "it takes what two whole code systems have in common"))?,
            });
        }
        Ok(members.unwrap_or_default())
    }

    async fn of_system(self, part: &Object, system: &str) -> Result<Members> {
        let mut members = Members::default();
        let mut is_listed = false;
        for concept in objects(part, "concept") {
            is_listed = true;
            members.add(Some(system), concept.get_str("code").unwrap_or_default());
        }
        if is_listed {
            return Ok(members);
        }
        let code_system = self.stored(ResourceType::CODE_SYSTEM, system).await?;
        match code_system.filter(|found| found.get_str("content") == Some("complete")) {
            Some(code_system) => concepts(&code_system, system, &mut members),
            None => drop(members.systems.insert(system.to_owned())),
        }
        Ok(members)
    }

    /// The resource with an address, or `Type/id`.
    async fn stored(self, resource_type: ResourceType, address: &str) -> Result<Option<Object>> {
        let Some(id) = local_id(resource_type, address) else {
            let found = canonical::find(self.context, self.reader, resource_type, address).await?;
            return Ok(found.map(|(object, _)| object));
        };
        let body = self.reader.current(resource_type, &id).await?.and_then(|stored| stored.body);
        let json = body.map(|body| parse(&body, usize::MAX)).transpose()?;
        Ok(json.and_then(|json| if let Json::Object(object) = json { Some(object) } else { None }))
    }
}

fn expanded(expansion: &Object, address: &str) -> Result<Members> {
    let mut members = Members::default();
    contained(expansion, &mut members);
    let total =
        expansion.get("total").and_then(|total| if let Json::Number(text) = total { text.parse().ok() } else { None });
    // A part of an expansion would answer wrongly.
    if total.is_some_and(|total: usize| total > members.count()) {
        return Err(refused(address, "its expansion is stored in part only"));
    }
    Ok(members)
}

fn contained(parent: &Object, members: &mut Members) {
    for one in objects(parent, "contains") {
        let is_abstract = matches!(one.get("abstract"), Some(Json::Bool(true)));
        if let Some(code) = one.get_str("code").filter(|_| !is_abstract) {
            members.add(one.get_str("system"), code);
        }
        contained(one, members);
    }
}

fn concepts(parent: &Object, system: &str, members: &mut Members) {
    for one in objects(parent, "concept") {
        members.add(Some(system), one.get_str("code").unwrap_or_default());
        concepts(one, system, members);
    }
}

fn refused(address: &str, why: &str) -> Error {
    let message = format!(
        "The members of the ValueSet '{address}' cannot be told here: {why}. Store it with its expansion, or list the \
        codes in the search."
    );
    Error::not_supported(message)
}

fn object<'a>(parent: &'a Object, name: &str) -> Option<&'a Object> {
    parent.get(name)?.as_object()
}

fn objects<'a>(parent: &'a Object, name: &str) -> impl Iterator<Item = &'a Object> + use<'a> {
    parent.get(name).map(Json::items).unwrap_or_default().iter().filter_map(Json::as_object)
}

fn local_id(resource_type: ResourceType, address: &str) -> Option<Id> {
    let id = address.strip_prefix(resource_type.as_str())?.strip_prefix('/')?;
    Id::parse(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(codes: &[(&str, &str)], systems: &[&str]) -> Members {
        let mut members = Members::default();
        codes.iter().for_each(|(system, code)| members.add(Some(system), code));
        members.systems.extend(systems.iter().map(|system| (*system).to_owned()));
        members
    }

    #[test]
    fn whole_systems_and_codes_are_intersected_where_that_can_be_said() {
        let both = members(&[("a", "1"), ("b", "2")], &[]).intersect(members(&[("a", "1")], &["b"]));
        assert_eq!(both, Some(members(&[("a", "1"), ("b", "2")], &[])));
        assert_eq!(members(&[], &["a"]).intersect(members(&[], &["b"])), None);
        assert_eq!(members(&[("a", "1")], &[]).intersect(members(&[("a", "2")], &[])), Some(Members::default()));
    }

    #[test]
    fn codes_are_taken_away_but_not_from_a_whole_system() {
        let mut all = members(&[("a", "1"), ("a", "2")], &["b"]);
        assert!(all.remove(&members(&[("a", "1")], &[])));
        assert_eq!(all, members(&[("a", "2")], &["b"]));
        assert!(!all.remove(&members(&[("b", "1")], &[])));
        assert!(all.remove(&members(&[], &["b"])));
        assert_eq!(all, members(&[("a", "2")], &[]));
    }
}
