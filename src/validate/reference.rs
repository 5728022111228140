//! What a Reference may point to. <https://hl7.org/fhir/R4/references.html>

use super::place::Place;
use super::walk::{Scope, Walk};
use crate::fhir::definitions::{Element, ResourceType};
use crate::fhir::json::Object;
use crate::fhir::reference::Target;

/// The type that a reference says, or that is said beside it, must be one that the element allows; both must say the same; and
/// a contained resource must be there.
pub fn check<'a>(
    walk: &mut Walk<'a>,
    reference: &'a Object,
    element: &'static Element,
    place: &Place<'_>,
    scope: Scope<'a>,
) {
    let said = type_said(walk, reference, place);
    let may_be = |found: ResourceType| {
        let mut targets = element.targets().peekable();
        targets.peek().is_none() || targets.any(|name| name == "Resource" || name == found.as_str())
    };
    let found = reference.get_str("reference").and_then(|text| {
        walk.within.note(text, scope);
        type_of_target(walk, text, place, scope)
    });
    let faults = [(found, "reference"), (said, "type")];
    let wrong = faults.into_iter().find_map(|(found, name)| Some((found.filter(|found| !may_be(*found))?, name)));
    if let Some((found, name)) = wrong {
        let targets: Vec<_> = element.targets().collect();
        let message = format!("A reference to {found} cannot stand here, only one to {}.", targets.join(", "));
        walk.fault("value", &Place::Member(place, name), message);
    } else if let (Some(found), Some(said)) = (found, said)
        && found != said
    {
        let message = format!("The type says {said}, the reference {found}.");
        walk.fault("value", &Place::Member(place, "type"), message);
    }
}

fn type_of_target<'a>(walk: &mut Walk<'a>, text: &str, place: &Place<'_>, scope: Scope<'a>) -> Option<ResourceType> {
    match Target::parse(text, None) {
        Target::Local { resource_type, .. } | Target::Conditional { resource_type, .. } => Some(resource_type),
        Target::Contained("") => scope.outermost.json.as_object().filter(|_| scope.is_contained()).and_then(type_of),
        Target::Contained(id) => match walk.within.get(id) {
            Some(resource) => type_of(resource),
            None => {
                let message = "No resource with this id is contained in the resource (ref-1).";
                walk.fault("invariant", &Place::Member(place, "reference"), message.to_owned());
                None
            }
        },
        Target::Elsewhere(address) => type_of_address(address),
        Target::Urn(_) => None,
    }
}

/// The type that is said beside the reference, which must be one of R4's.
fn type_said(walk: &mut Walk<'_>, reference: &Object, place: &Place<'_>) -> Option<ResourceType> {
    let name = reference.get_str("type")?;
    let name = name.strip_prefix("http://hl7.org/fhir/StructureDefinition/").unwrap_or(name);
    let known = ResourceType::parse(name);
    if known.is_none() && !name.contains(':') {
        let message = "This is not one of R4's resource types. <https://hl7.org/fhir/R4/resourcelist.html>";
        walk.fault("code-invalid", &Place::Member(place, "type"), message.to_owned());
    }
    known
}

fn type_of(resource: &Object) -> Option<ResourceType> {
    ResourceType::parse(resource.get_str("resourceType")?)
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
