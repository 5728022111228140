//! What the entries of a transaction are called among each other, and what they will be called on the server.
//! <https://hl7.org/fhir/R4/bundle.html#references>

use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::reference::Target;
use std::collections::HashMap;

/// Names of entries, each leading to `Type/id` on the server.
#[derive(Debug, Default)]
pub struct Links {
    by_full_url: HashMap<String, (ResourceType, Id)>,
    /// `Type/id` as the client wrote it, for entries that get another id here. `None`: two entries share it.
    by_relative: HashMap<String, Option<(ResourceType, Id)>>,
    /// Conditional references and what their search found.
    found: HashMap<String, (ResourceType, Id)>,
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
    /// Notes an entry: its fullUrl, the id in its body, and what it will be.
    pub fn add(&mut self, full_url: Option<&str>, body_id: Option<&Id>, resource_type: ResourceType, id: &Id) {
        let target = (resource_type, id.clone());
        let is_urn = full_url.is_some_and(|url| url.starts_with("urn:"));
        if let Some(url) = full_url {
            self.by_full_url.insert(url.to_owned(), target.clone());
        }
        // An entry whose fullUrl is a urn has no address that a relative reference could be resolved against.
        if let Some(body_id) = body_id.filter(|body_id| !is_urn && *body_id != id) {
            let known = self.by_relative.entry(format!("{resource_type}/{body_id}"));
            known.and_modify(|other| *other = None).or_insert(Some(target));
        }
    }

    pub fn has_full_url(&self, full_url: &str) -> bool {
        self.by_full_url.contains_key(full_url)
    }

    /// Notes what the search of a conditional reference found.
    pub fn add_found(&mut self, reference: &str, resource_type: ResourceType, id: Id) {
        self.found.insert(reference.to_owned(), (resource_type, id));
    }

    /// What `Reference.reference` stands for. `from`: the fullUrl of the entry that it is in.
    pub fn of_reference(&self, text: &str, from: Option<&str>) -> Link {
        let (name, fragment) = split_fragment(text);
        if let Some((resource_type, id)) = self.target(name, from) {
            return Link::To(format!("{resource_type}/{id}{fragment}"));
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
            Some((resource_type, id)) => Link::To(format!("{resource_type}/{id}{fragment}")),
            None => Link::Unchanged,
        }
    }

    /// The resource that a reference leads to, when the Bundle or a search decides it.
    pub fn target(&self, name: &str, from: Option<&str>) -> Option<&(ResourceType, Id)> {
        if let Some(target) = self.by_full_url.get(name).or_else(|| self.found.get(name)) {
            return Some(target);
        }
        let Target::Local { resource_type, id, .. } = Target::parse(name, None) else { return None };
        let relative = format!("{resource_type}/{id}");
        let against_base = from.and_then(base_of).and_then(|base| self.by_full_url.get(&format!("{base}/{relative}")));
        against_base.or_else(|| self.by_relative.get(&relative).and_then(Option::as_ref))
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
        links.add(Some("urn:uuid:1"), Some(&id("x")), ResourceType::PATIENT, &id("p"));
        links.add(Some("http://a/fhir/Encounter/7"), Some(&id("7")), ResourceType::ENCOUNTER, &id("e"));
        links.add(None, Some(&id("8")), ResourceType::ENCOUNTER, &id("f"));
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
        assert_eq!(links.of_reference("Encounter/8/_history/3", None), to("Encounter/f"));
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
