//! What a Reference may point to. <https://hl7.org/fhir/R4/references.html>

use super::place::Place;
use super::walk::{Scope, Walk};
use crate::fhir::definitions::{Element, ResourceType};
use crate::fhir::json::{Json, Object};
use crate::fhir::reference::Target;

/// The type that a reference says must be one that the element allows, and a contained resource must be there.
pub fn check<'a>(
    walk: &mut Walk<'a>,
    reference: &'a Object,
    element: &'static Element,
    place: &Place<'_>,
    scope: Scope<'a>,
) {
    let Some(text) = reference.get_str("reference") else { return };
    let Some(outermost) = scope.outermost.json.as_object() else { return };
    let found = match Target::parse(text, None) {
        Target::Local { resource_type, .. } | Target::Conditional { resource_type, .. } => Some(resource_type),
        Target::Contained("") => scope.is_contained().then(|| type_of(outermost)).flatten(),
        Target::Contained(id) => match contained(outermost, id) {
            Some(resource) => type_of(resource),
            None => {
                let message = "No resource with this id is contained in the resource (ref-1).";
                return walk.fault("invariant", &Place::Member(place, "reference"), message.to_owned());
            }
        },
        Target::Elsewhere(address) => type_of_address(address),
        Target::Urn(_) => None,
    };
    let may_be = |found: ResourceType| {
        let mut targets = element.targets().peekable();
        targets.peek().is_none() || targets.any(|name| name == "Resource" || name == found.as_str())
    };
    if let Some(found) = found.filter(|found| !may_be(*found)) {
        let targets: Vec<_> = element.targets().collect();
        let message = format!("A reference to {found} cannot stand here, only one to {}.", targets.join(", "));
        walk.fault("value", &Place::Member(place, "reference"), message);
    }
}

/// A type that is said beside the reference must be one of R4's.
pub fn check_type_of_reference(walk: &mut Walk<'_>, reference: &Object, place: &Place<'_>) {
    let Some(name) = reference.get_str("type") else { return };
    let name = name.strip_prefix("http://hl7.org/fhir/StructureDefinition/").unwrap_or(name);
    let is_plain = !name.contains(':');
    let known = ResourceType::parse(name);
    if is_plain && known.is_none() {
        let message = "This is not one of R4's resource types. <https://hl7.org/fhir/R4/resourcelist.html>";
        return walk.fault("code-invalid", &Place::Member(place, "type"), message.to_owned());
    }
    if let (Some(known), Some(Target::Local { resource_type, .. })) =
        (known, reference.get_str("reference").map(|text| Target::parse(text, None)))
        && known != resource_type
    {
        let message = format!("The type says {known}, the reference {resource_type}.");
        walk.fault("value", &Place::Member(place, "type"), message);
    }
}

fn type_of(resource: &Object) -> Option<ResourceType> {
    ResourceType::parse(resource.get_str("resourceType")?)
}

fn contained<'a>(outermost: &'a Object, id: &str) -> Option<&'a Object> {
    let contained = outermost.get("contained").map(Json::items).unwrap_or_default();
    contained.iter().filter_map(Json::as_object).find(|resource| resource.get_str("id") == Some(id))
}

/// The type in `http://server/base/Type/id` and `…/Type/id/_history/version`.
pub fn type_of_address(address: &str) -> Option<ResourceType> {
    if !address.starts_with("http://") && !address.starts_with("https://") {
        return None;
    }
    let address = address.split(['?', '#']).next().unwrap_or(address);
    let address = address.split_once("/_history/").map_or(address, |(resource, _)| resource);
    let mut parts = address.rsplit('/');
    let (_, resource_type) = (parts.next()?, parts.next()?);
    ResourceType::parse(resource_type)
}
