//! Conditional references: `Practitioner?identifier=…`, each resolved once per Bundle. <https://hl7.org/fhir/R4/http.html#trules>

use super::super::request::form_urlencoded;
use super::super::{Context, search};
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::reference::Target;
use crate::search::clause::Clause;
use crate::store::{Identifier, Reader};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Searches under way at once for one Bundle.
const SEARCHES_AT_ONCE: usize = 8;

/// Conditional references of a Bundle, each with the first place where it stands.
pub type Conditionals = BTreeMap<String, String>;

/// What the Bundle itself does to identifiers: R4 resolves conditional references after all writes, so they find what
/// the Bundle creates and miss what it deletes.
#[derive(Debug, Default)]
pub struct Own {
    /// System and resource of each identifier that the Bundle writes, by type and value.
    written: HashMap<(ResourceType, String), Vec<(String, Id)>>,
    /// Resources whose stored identifiers are deleted or written over.
    touched: HashMap<ResourceType, HashSet<Id>>,
}

impl Own {
    pub fn write(&mut self, resource_type: ResourceType, id: &Id, identifiers: &[(String, String)]) {
        for (system, value) in identifiers {
            let known = self.written.entry((resource_type, value.clone())).or_default();
            known.push((system.clone(), id.clone()));
        }
    }

    pub fn touch(&mut self, resource_type: ResourceType, id: &Id) {
        self.touched.entry(resource_type).or_default().insert(id.clone());
    }

    fn count_touched(&self, resource_type: ResourceType) -> usize {
        self.touched.get(&resource_type).map_or(0, HashSet::len)
    }

    fn touches(&self, resource_type: ResourceType, id: &Id) -> bool {
        self.touched.get(&resource_type).is_some_and(|touched| touched.contains(id))
    }

    fn find(&self, resource_type: ResourceType, system: Option<&str>, value: &str) -> HashSet<Id> {
        let known = self.written.get(&(resource_type, value.to_owned())).into_iter().flatten();
        known.filter(|(own, _)| system.is_none_or(|system| system == own)).map(|(_, id)| id.clone()).collect()
    }
}

/// Whether the text is a conditional reference.
pub fn is_conditional(text: &str) -> bool {
    matches!(Target::parse(text, None), Target::Conditional { .. })
}

/// What a conditional reference finds: its text, and the resource.
pub type Found = (String, ResourceType, Id);

/// Answers conditions from the Bundle itself.
pub type Matching<'a> = dyn Fn(ResourceType, &[Clause]) -> Result<Vec<Id>> + Sync + 'a;

/// What conditional references are resolved against.
pub struct Searching<'a> {
    pub context: &'a Context,
    pub reader: Reader<'a>,
    pub base: &'a str,
    pub own: &'a Own,
    /// Ids of the Bundle's own resources that meet conditions.
    pub matching: &'a Matching<'a>,
}

/// Resolves each reference. None or several found fails the whole transaction.
pub async fn resolve(searching: &Searching<'_>, conditionals: &Conditionals) -> Result<Vec<Found>> {
    let mut waiting = conditionals.iter();
    let mut running = FuturesUnordered::new();
    let mut all = Vec::with_capacity(conditionals.len());
    loop {
        while running.len() < SEARCHES_AT_ONCE
            && let Some((text, place)) = waiting.next()
        {
            running.push(async move { searching.resolve_one(text).await.map_err(|error| error.at(place)) });
        }
        let Some(found) = running.next().await else { break };
        all.push(found?);
    }
    Ok(all)
}

impl Searching<'_> {
    async fn resolve_one(&self, text: &str) -> Result<Found> {
        let Target::Conditional { resource_type, query } = Target::parse(text, None) else {
            return Err(Error::internal("a reference was taken for a conditional one"));
        };
        let parameters = form_urlencoded(query)?;
        let found = match identifier(resource_type, &parameters) {
            Some((system, value)) => self.by_identifier(resource_type, system.as_deref(), value).await?,
            None => self.by_criterion(resource_type, &parameters).await?,
        };
        let mut found = found.into_iter();
        let message = match (found.next(), found.next()) {
            (Some(id), None) => return Ok((text.to_owned(), resource_type, id)),
            (None, _) => format!(
                "This conditional reference finds no {resource_type}. Create it first, or in an entry of this Bundle."
            ),
            (Some(_), Some(_)) => {
                format!("This conditional reference finds several {resource_type} resources; it must find exactly one.")
            }
        };
        Err(Error::new(Kind::PreconditionFailed, message))
    }

    async fn by_identifier(
        &self,
        resource_type: ResourceType,
        system: Option<&str>,
        value: &str,
    ) -> Result<HashSet<Id>> {
        let mut found = self.own.find(resource_type, system, value);
        let count = i64::try_from(self.own.count_touched(resource_type)).map_err(Error::internal)?.saturating_add(2);
        let stored = self.reader.find_identifier(resource_type, system, value, count).await?;
        found.extend(stored.into_iter().filter(|id| !self.own.touches(resource_type, id)));
        Ok(found)
    }

    async fn by_criterion(&self, resource_type: ResourceType, parameters: &[(String, String)]) -> Result<HashSet<Id>> {
        let count = self.own.count_touched(resource_type).saturating_add(2);
        let (conditions, stored) =
            search::find_with(self.context, self.reader, resource_type, parameters, self.base, count).await?;
        let stored = stored.into_iter().map(|stored| stored.id);
        let mut found: HashSet<Id> = stored.filter(|id| !self.own.touches(resource_type, id)).collect();
        found.extend((self.matching)(resource_type, &conditions)?);
        Ok(found)
    }
}

/// `identifier=[system|]value` of a type whose identifiers have a table of their own: two single-shard queries find it.
fn identifier(resource_type: ResourceType, parameters: &[(String, String)]) -> Option<(Option<String>, &str)> {
    let [(name, token)] = parameters else { return None };
    if name != "identifier" || !Identifier::is_kept_for(resource_type) || token.contains(['\\', ',']) {
        return None;
    }
    let (system, value) = match token.split_once('|') {
        Some((system, value)) => (Some(system.to_owned()), value),
        None => (None, token.as_str()),
    };
    (!value.is_empty()).then_some((system, value))
}
