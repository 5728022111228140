//! What R4 demands of contained resources. <https://hl7.org/fhir/R4/references.html#contained>

use super::place::Place;
use super::walk::Walk;
use crate::fhir::json::{Json, Object};

/// Looks at the contained resources of one that was walked just now, so that its references are known.
pub fn check(walk: &mut Walk<'_>, resource: &Object, place: &Place<'_>) {
    let Some(contained) = resource.get("contained") else { return };
    let outer = Place::Member(place, "contained");
    for (position, one) in contained.items().iter().enumerate() {
        let Json::Object(object) = one else { continue };
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
        let is_referred_to = object.get_str("id").is_some_and(|id| refers_to(walk, id));
        if !is_referred_to && !refers_to_container(object) {
            let message = "A contained resource is referred to from the one that holds it, by `#` and its id (dom-3).";
            walk.fault("invariant", &place, message.to_owned());
        }
    }
}

fn refers_to(walk: &Walk<'_>, id: &str) -> bool {
    walk.local.iter().any(|text| text.strip_prefix('#') == Some(id))
}

fn refers_to_container(object: &Object) -> bool {
    object.iter().any(|(_, value)| value_refers_to_container(value))
}

fn value_refers_to_container(value: &Json) -> bool {
    match value {
        Json::String(text) => text == "#",
        Json::Array(items) => items.iter().any(value_refers_to_container),
        Json::Object(object) => refers_to_container(object),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}
