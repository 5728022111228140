//! The form of extensions. <https://hl7.org/fhir/R4/extensibility.html>

use super::place::Place;
use super::walk::Walk;
use crate::fhir::json::Object;

/// It has a value or extensions of its own, and not both.
pub fn check(walk: &mut Walk<'_>, extension: &Object, place: &Place<'_>) {
    let is_value = |name: &str| name.strip_prefix('_').unwrap_or(name).starts_with("value");
    let has_value = extension.iter().any(|(name, _)| is_value(name));
    let has_extensions = extension.get("extension").is_some();
    if has_value == has_extensions {
        let message = "An extension has a value or further extensions, and not both (ext-1).";
        walk.fault("invariant", place, message.to_owned());
    }
    let is_nested = matches!(place, Place::Item(Place::Member(outer, "extension"), _) if is_extension(outer));
    let is_relative = |url: &str| !url.contains(':');
    if !is_nested && extension.get_str("url").is_some_and(is_relative) {
        let message = "The url of an extension is absolute, but inside another extension.";
        walk.fault("value", &Place::Member(place, "url"), message.to_owned());
    }
}

fn is_extension(place: &Place<'_>) -> bool {
    matches!(place, Place::Item(Place::Member(_, "extension" | "modifierExtension"), _))
}
