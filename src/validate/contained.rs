//! What R4 demands of contained resources. <https://hl7.org/fhir/R4/references.html#contained>

use super::place::Place;
use super::walk::{Scope, Walk};
use crate::fhir::json::{Json, Object};
use std::collections::{HashMap, HashSet};

/// What is contained in the outermost resource under way, and how the two refer to each other, as far as it was walked.
#[derive(Default)]
pub struct Within<'a> {
    by_id: HashMap<&'a str, &'a Object>,
    /// The ids that are referred to by `#id`.
    referred: HashSet<&'a str>,
    /// The contained resources that refer to what holds them, by `#`.
    upward: HashSet<*const Json>,
}

impl<'a> Within<'a> {
    pub fn of(outermost: &'a Object) -> Within<'a> {
        let contained = outermost.get("contained").map(Json::items).unwrap_or_default();
        let mut by_id = HashMap::new();
        for one in contained.iter().filter_map(Json::as_object) {
            if let Some(id) = one.get_str("id") {
                by_id.entry(id).or_insert(one);
            }
        }
        Within { by_id, ..Within::default() }
    }

    pub fn get(&self, id: &str) -> Option<&'a Object> {
        self.by_id.get(id).copied()
    }

    /// Notes what may be a reference to a contained resource, or from one to what holds it.
    pub fn note(&mut self, text: &'a str, scope: Scope<'a>) {
        match text.strip_prefix('#') {
            Some("") => _ = self.upward.insert(std::ptr::from_ref(scope.resource.json)),
            Some(id) => _ = self.referred.insert(id),
            None => {}
        }
    }
}

/// Looks at the contained resources of one that was walked just now, so that its references are known.
pub fn check(walk: &mut Walk<'_>, resource: &Object, place: &Place<'_>) {
    let Some(contained) = resource.get("contained") else { return };
    let outer = Place::Member(place, "contained");
    for (position, one) in contained.items().iter().enumerate() {
        let Json::Object(object) = one else { continue };
        if walk.report.is_full() {
            return;
        }
        let place = Place::Item(&outer, position);
        if object.get("contained").is_some() {
            let message = "A contained resource contains no others (dom-2).";
            walk.fault("invariant", &Place::Member(&place, "contained"), message.to_owned());
        }
        let meta = object.get("meta").and_then(Json::as_object);
        if meta.is_some_and(|meta| meta.get("versionId").is_some() || meta.get("lastUpdated").is_some()) {
            let message = "A contained resource has no version and no time of its own (dom-4).";
            walk.fault("invariant", &Place::Member(&place, "meta"), message.to_owned());
        }
        if meta.is_some_and(|meta| meta.get("security").is_some()) {
            let message = "A contained resource has no security label of its own (dom-5).";
            walk.fault("invariant", &Place::Member(&place, "meta"), message.to_owned());
        }
        let is_referred_to = object.get_str("id").is_some_and(|id| walk.within.referred.contains(id));
        if !is_referred_to && !walk.within.upward.contains(&std::ptr::from_ref(one)) {
            let message = "A contained resource is referred to from the one that holds it, by `#` and its id (dom-3).";
            walk.fault("invariant", &place, message.to_owned());
        }
    }
}
