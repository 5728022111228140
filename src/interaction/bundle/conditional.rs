//! Conditional references: `Practitioner?identifier=…`, each resolved once per Bundle. <https://hl7.org/fhir/R4/http.html#trules>

use super::super::request::form_urlencoded;
use super::links::Links;
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::reference::Target;
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

    fn find(&self, resource_type: ResourceType, system: Option<&str>, value: &str) -> HashSet<Id> {
        let known = self.written.get(&(resource_type, value.to_owned())).into_iter().flatten();
        known.filter(|(own, _)| system.is_none_or(|system| system == own)).map(|(_, id)| id.clone()).collect()
    }
}

/// Whether the text is a conditional reference.
pub fn is_conditional(text: &str) -> bool {
    matches!(Target::parse(text, None), Target::Conditional { .. })
}

/// Resolves each reference and notes what it found. None or several found fails the whole transaction.
pub async fn resolve(reader: Reader<'_>, conditionals: &Conditionals, own: &Own, links: &mut Links) -> Result<()> {
    let mut waiting = conditionals.iter();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < SEARCHES_AT_ONCE
            && let Some((text, place)) = waiting.next()
        {
            running.push(resolve_one(reader, own, text, place));
        }
        let Some(found) = running.next().await else { break };
        let (text, resource_type, id) = found?;
        links.add_found(text, resource_type, id);
    }
    Ok(())
}

async fn resolve_one<'t>(
    reader: Reader<'_>,
    own: &Own,
    text: &'t str,
    place: &str,
) -> Result<(&'t str, ResourceType, Id)> {
    let found = search(reader, own, text).await.map_err(|error| error.at(place))?;
    Ok((text, found.0, found.1))
}

async fn search(reader: Reader<'_>, own: &Own, text: &str) -> Result<(ResourceType, Id)> {
    let Target::Conditional { resource_type, query } = Target::parse(text, None) else {
        return Err(Error::internal("a reference was taken for a conditional one"));
    };
    let (system, value) = identifier(resource_type, query)?;
    let mut found = own.find(resource_type, system.as_deref(), &value);
    let touched = own.touched.get(&resource_type);
    let count_max = i64::try_from(touched.map_or(0, HashSet::len)).map_err(Error::internal)?.saturating_add(2);
    let stored = reader.find_identifier(resource_type, system.as_deref(), &value, count_max).await?;
    found.extend(stored.into_iter().filter(|id| !touched.is_some_and(|touched| touched.contains(id))));
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(id), None) => Ok((resource_type, id)),
        (None, _) => Err(Error::new(
            Kind::PreconditionFailed,
            format!(
                "This conditional reference finds no {resource_type}. Create it first, or in an entry of this Bundle."
            ),
        )),
        (Some(_), Some(_)) => Err(Error::new(
            Kind::PreconditionFailed,
            format!("This conditional reference finds several {resource_type} resources; it must find exactly one."),
        )),
    }
}

/// The one criterion that is understood until search arrives: `identifier=[system|]value`.
fn identifier(resource_type: ResourceType, query: &str) -> Result<(Option<String>, String)> {
    let parameters = form_urlencoded(query)?;
    let [(name, token)] = parameters.as_slice() else {
        return Err(Error::not_supported("A conditional reference has one parameter, identifier."));
    };
    if name != "identifier" || !Identifier::is_kept_for(resource_type) {
        let message = format!(
            "A conditional reference to {resource_type} by {name} is not supported yet. \
            Supported is identifier, for Patient and for types outside every patient's compartment."
        );
        return Err(Error::not_supported(message));
    }
    let (system, value) = match token.split_once('|') {
        Some((system, value)) => (Some(system.to_owned()), value),
        None => (None, token.as_str()),
    };
    if value.is_empty() {
        return Err(Error::invalid("A conditional reference by identifier names a value."));
    }
    Ok((system, value.to_owned()))
}
