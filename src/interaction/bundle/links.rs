//! What the entries of a transaction are called among each other, and what they will be called on the server.
//! <https://hl7.org/fhir/R4/bundle.html#references>

use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Id, VersionId};
use crate::fhir::reference::Target;
use std::collections::HashMap;

/// Names of entries, each leading to `Type/id` on the server.
#[derive(Debug, Default)]
pub struct Links {
    by_full_url: HashMap<String, Named>,
    /// `Type/id` as the client wrote it, for entries that get another id here. `None`: two entries share it.
    by_relative: HashMap<String, Option<Named>>,
    /// Conditional references and what their search found.
    found: HashMap<String, Named>,
}

/// What an entry, or the find of a conditional reference, is on the server.
#[derive(Debug, Clone)]
struct Named {
    resource_type: ResourceType,
    id: Id,
    /// The Bundle makes its first version.
    is_new: bool,
    /// Its entry has a fullUrl, so that only what shares its base can name it by a relative reference.
    has_base: bool,
}

/// What a text that may be a reference stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// It names an entry, or what a search found: write this instead.
    To(String),
    /// It stays as it is.
    Unchanged,
    /// It names an entry that is not in the Bundle.
    Dangling,
}

impl Links {
    /// Notes an entry: its fullUrl, the id in its body if it is created, and what it will be.
    pub fn add(
        &mut self,
        full_url: Option<&str>,
        body_id: Option<&Id>,
        resource_type: ResourceType,
        id: &Id,
        is_new: bool,
    ) {
        let named = Named { resource_type, id: id.clone(), is_new, has_base: full_url.and_then(base_of).is_some() };
        let is_urn = full_url.is_some_and(|url| url.starts_with("urn:"));
        // An entry whose fullUrl is a urn has no address that a relative reference could be resolved against.
        if let Some(body_id) = body_id.filter(|body_id| !is_urn && *body_id != id) {
            let known = self.by_relative.entry(format!("{resource_type}/{body_id}"));
            known.and_modify(|other| *other = None).or_insert_with(|| Some(named.clone()));
        }
        if let Some(url) = full_url {
            self.by_full_url.insert(url.to_owned(), named);
        }
    }

    pub fn has_full_url(&self, full_url: &str) -> bool {
        self.by_full_url.contains_key(full_url)
    }

    /// Notes what the search of a conditional reference found.
    pub fn add_found(&mut self, reference: &str, resource_type: ResourceType, id: Id) {
        let named = Named { resource_type, id, is_new: false, has_base: false };
        self.found.insert(reference.to_owned(), named);
    }

    /// What `Reference.reference` stands for. `from`: the fullUrl of the entry that it is in.
    pub fn of_reference(&self, text: &str, from: Option<&str>) -> Link {
        let (name, fragment) = split_fragment(text);
        if let Some(named) = self.named(text, from) {
            let to = format!("{}/{}", named.resource_type, named.id);
            // A version-specific reference stays one: clients may name any version, for the server gives it anew.
            return Link::To(match split_version(name) {
                _ if self.found.contains_key(text) => to,
                (_, None) => format!("{to}{fragment}"),
                (_, Some(_)) if named.is_new => format!("{to}/_history/{}{fragment}", VersionId::FIRST),
                (_, Some(version)) => format!("{to}/_history/{version}{fragment}"),
            });
        }
        match Target::parse(text, None) {
            Target::Urn(_) => Link::Dangling,
            _ => Link::Unchanged,
        }
    }

    /// What the text of a uri, url, oid, uuid, or a link in narrative stands for: an entry, or just itself.
    pub fn of_uri(&self, text: &str) -> Link {
        let (name, fragment) = split_fragment(text);
        match self.by_full_url.get(name) {
            Some(named) => Link::To(format!("{}/{}{fragment}", named.resource_type, named.id)),
            None => Link::Unchanged,
        }
    }

    /// The resource that a reference leads to, when the Bundle or a search decides it.
    pub fn target(&self, text: &str, from: Option<&str>) -> Option<(ResourceType, &Id)> {
        self.named(text, from).map(|named| (named.resource_type, &named.id))
    }

    fn named(&self, text: &str, from: Option<&str>) -> Option<&Named> {
        if let Some(found) = self.found.get(text) {
            return Some(found);
        }
        let (name, _version) = split_version(split_fragment(text).0);
        if let Some(named) = self.by_full_url.get(name) {
            return Some(named);
        }
        let Target::Local { .. } = Target::parse(name, None) else { return None };
        let base = from.and_then(base_of);
        if let Some(named) = base.and_then(|base| self.by_full_url.get(&format!("{base}/{name}"))) {
            return Some(named);
        }
        // Against another base the same relative reference is another resource.
        self.by_relative.get(name)?.as_ref().filter(|named| base.is_none() || !named.has_base)
    }
}

/// Splits `…/_history/3` into what is before and the version.
fn split_version(name: &str) -> (&str, Option<&str>) {
    match name.split_once("/_history/") {
        Some((name, version)) => (name, Some(version)),
        None => (name, None),
    }
}

fn split_fragment(text: &str) -> (&str, &str) {
    let at = text.find('#').filter(|&at| at > 0).unwrap_or(text.len());
    text.split_at(at)
}

/// The base of a RESTful fullUrl: all before its last two segments.
fn base_of(full_url: &str) -> Option<&str> {
    let (rest, _id) = full_url.rsplit_once('/')?;
    let (base, type_name) = rest.rsplit_once('/')?;
    ResourceType::parse(type_name).map(|_| base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    fn links() -> Links {
        let mut links = Links::default();
        links.add(Some("urn:uuid:1"), Some(&id("x")), ResourceType::PATIENT, &id("p"), true);
        links.add(Some("http://a/fhir/Encounter/7"), Some(&id("7")), ResourceType::ENCOUNTER, &id("e"), true);
        links.add(None, Some(&id("8")), ResourceType::ENCOUNTER, &id("f"), false);
        links
    }

    #[test]
    fn entries_are_found_by_urn_by_address_and_by_relative_reference() {
        let links = links();
        let to = |text: &str| Link::To(text.to_owned());
        assert_eq!(links.of_reference("urn:uuid:1", None), to("Patient/p"));
        assert_eq!(links.of_reference("urn:uuid:1#part", None), to("Patient/p#part"));
        assert_eq!(links.of_reference("http://a/fhir/Encounter/7", None), to("Encounter/e"));
        assert_eq!(links.of_reference("Encounter/7", Some("http://a/fhir/Patient/1")), to("Encounter/e"));
        assert_eq!(links.of_reference("Encounter/7", None), to("Encounter/e"));
        assert_eq!(links.of_reference("Encounter/8/_history/3", None), to("Encounter/f/_history/3"));
        assert_eq!(links.of_reference("http://a/fhir/Encounter/7/_history/3", None), to("Encounter/e/_history/1"));
        assert_eq!(links.of_reference("Encounter/7", Some("http://b/fhir/Patient/1")), Link::Unchanged);
        assert_eq!(links.of_reference("Encounter/8", Some("http://b/fhir/Patient/1")), to("Encounter/f"));
        assert_eq!(links.of_reference("Patient/x", None), Link::Unchanged);
        assert_eq!(links.of_reference("#contained", None), Link::Unchanged);
        assert_eq!(links.of_reference("http://b/fhir/Encounter/7", None), Link::Unchanged);
    }

    #[test]
    fn a_urn_that_names_no_entry_dangles_in_a_reference_and_is_just_a_uri_elsewhere() {
        assert_eq!(links().of_reference("urn:uuid:2", None), Link::Dangling);
        assert_eq!(links().of_uri("urn:uuid:2"), Link::Unchanged);
        assert_eq!(links().of_uri("urn:uuid:1"), Link::To("Patient/p".to_owned()));
    }
}
