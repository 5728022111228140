//! Types that a profile narrows, profiles of datatypes, and what references may lead to.

use super::canonical::base_type;
use super::check::{Check, Spot};
use super::codes::Fit;
use super::model::{Profile, Rule};
use super::shelf::{Definition, Found, Kind as Sort};
use crate::fhir::definitions::{ElementKind, ResourceType};
use crate::fhir::json::Json;
use crate::fhir::reference::Target;
use crate::fhirpath::{Element, TypeName, Value};
use crate::validate::place::Place;
use crate::validate::reference::type_of_address;
use crate::validate::report::Severity;
use crate::validate::walk::Scope;
use smol_str::SmolStr;
use std::collections::HashMap;

/// Whether a value of the type `actual` is of the type of this name.
pub fn covers(name: &str, actual: &str) -> bool {
    name == actual
        || name == "BackboneElement" && actual == "Element"
        || TypeName::parse(name).is_some_and(|name| name.covers(actual))
}

pub fn check<'a>(check: &mut Check<'_, 'a>, profile: &Profile, rule: &Rule, spot: Spot<'a, '_>) {
    let Some(base) = spot.base.filter(|_| rule.narrows && !rule.types.is_empty()) else { return };
    let actual = spot.element.type_name();
    let is_open = base.choice.is_some() || base.kind == ElementKind::Resource;
    // Where the base has one type, what the rule calls it does not matter.
    let fitting: Vec<_> = rule.types.iter().filter(|one| !is_open || covers(&one.code, actual)).collect();
    if fitting.is_empty() {
        let names: Vec<&str> = rule.types.iter().map(|one| one.code.as_str()).collect();
        let message = format!("The profile has {} here, and this is {actual}", names.join(" or "));
        return check.fault("structure", spot.place, profile, &message);
    }
    if fitting.iter().all(|one| !one.profiles.is_empty()) {
        let profiles: Vec<&SmolStr> = fitting.iter().flat_map(|one| &one.profiles).collect();
        one_of(check, profile, &profiles, spot);
    }
    let targets: Vec<&SmolStr> = fitting.iter().flat_map(|one| &one.targets).collect();
    if actual == "Reference" && !targets.is_empty() {
        reference(check, profile, &targets, spot);
    }
}

/// An element conforms to one of these profiles.
fn one_of<'a>(check: &mut Check<'_, 'a>, profile: &Profile, canonicals: &[&SmolStr], spot: Spot<'a, '_>) {
    let actual = spot.element.type_name();
    if canonicals.iter().any(|canonical| base_type(canonical).is_some_and(|name| covers(name, actual))) {
        return;
    }
    if let [only] = canonicals {
        return check.hold(only, spot, Severity::Warning);
    }
    match Fit::any(canonicals.iter().map(|one| check.conforms(one, spot))) {
        Fit::Yes => {}
        Fit::No => {
            let names: Vec<&str> = canonicals.iter().map(|one| one.as_str()).collect();
            let message = format!("This conforms to none of {}", names.join(", "));
            check.fault("structure", spot.place, profile, &message);
        }
        Fit::Unknown => canonicals.iter().for_each(|canonical| missing(check, canonical, spot.place)),
    }
}

/// Says of a profile that is not there that it is not.
fn missing(check: &mut Check<'_, '_>, canonical: &str, place: &Place<'_>) {
    if base_type(canonical).is_none() && matches!(check.desk.find(Sort::Profile, canonical), Found::Absent) {
        let message = format!("The profile {canonical} is not known here: nothing was checked against it.");
        check.doubt(Severity::Warning, "not-found", place, message);
    }
}

/// What is referred to has a type that one of the targets is about; a resource that is at hand, contained or in the
/// Bundle, also conforms to one.
fn reference<'a>(check: &mut Check<'_, 'a>, profile: &Profile, targets: &[&SmolStr], spot: Spot<'a, '_>) {
    let Spot { element, place, scope, .. } = spot;
    let Some(text) = element.json.as_object().and_then(|object| object.get_str("reference")) else { return };
    let fit = match resolve(check, text, scope) {
        Some(resource) => of_resource(check, targets, resource, place, scope),
        None => match type_in(text) {
            Some(found) => Fit::any(targets.iter().map(|target| of_type(check, target, found.as_str()))),
            None => Fit::Unknown,
        },
    };
    match fit {
        Fit::Yes => {}
        Fit::No => {
            let names: Vec<&str> = targets.iter().map(|one| one.as_str()).collect();
            let message = format!(
                "The profile wants a reference to what conforms to {} here, and this is none",
                names.join(" or ")
            );
            check.fault("value", place, profile, &message);
        }
        Fit::Unknown => targets.iter().for_each(|target| missing(check, target, place)),
    }
}

/// Whether a resource at hand conforms to one of these.
pub fn of_resource<'a>(
    check: &mut Check<'_, 'a>,
    targets: &[&SmolStr],
    resource: Value<'a>,
    place: &Place<'_>,
    scope: Scope<'a>,
) -> Fit {
    let is_contained = !std::ptr::eq(scope.outermost.json, resource.json)
        && scope.outermost.object().is_some_and(|outer| {
            let all = outer.get("contained").map(Json::items).unwrap_or_default();
            all.iter().any(|one| std::ptr::eq(one, resource.json))
        });
    let outermost = if is_contained { scope.outermost } else { resource };
    let scope = Scope { resource, outermost };
    let mut fit = Fit::No;
    for target in targets {
        let one = match base_type(target) {
            Some(name) => Fit::of(covers(name, resource.type_name())),
            None => match of_type(check, target, resource.type_name()) {
                Fit::No => Fit::No,
                _ => check.conforms(target, Spot::root(Element::from(resource), place, scope)),
            },
        };
        fit = fit.or(one);
    }
    fit
}

/// Whether a profile, or a base definition, is about a type.
pub fn of_type(check: &Check<'_, '_>, canonical: &str, type_name: &str) -> Fit {
    if let Some(name) = base_type(canonical) {
        return Fit::of(covers(name, type_name));
    }
    match check.desk.find(Sort::Profile, canonical) {
        Found::Here(definition) => match &*definition {
            Definition::Profile(profile) => Fit::of(covers(&profile.of, type_name)),
            _ => Fit::Unknown,
        },
        Found::Absent | Found::NotYet => Fit::Unknown,
    }
}

/// The type that the text of a reference tells.
pub fn type_in(text: &str) -> Option<ResourceType> {
    match Target::parse(text, None) {
        Target::Local { resource_type, .. } | Target::Conditional { resource_type, .. } => Some(resource_type),
        Target::Elsewhere(address) => type_of_address(address),
        Target::Urn(_) | Target::Contained(_) => None,
    }
}

/// What a reference leads to, if it is contained or an entry of the Bundle that is checked.
pub fn resolve<'a>(check: &mut Check<'_, 'a>, text: &str, scope: Scope<'a>) -> Option<Value<'a>> {
    if let Some(id) = text.strip_prefix('#') {
        let outermost = scope.outermost.json.as_object()?;
        let all = outermost.get("contained").map(Json::items).unwrap_or_default();
        let is_meant = |one: &&Json| one.as_object().and_then(|one| one.get_str("id")) == Some(id);
        return all.iter().find(is_meant).and_then(Value::resource);
    }
    let top = check.top;
    let entries = check.entries.get_or_insert_with(|| entries_of(top));
    let text = text.split_once("/_history/").map_or(text, |(resource, _)| resource);
    entries.get(text).copied()
}

/// The entries of a Bundle by their `fullUrl`, and by the `Type/id` at its end.
fn entries_of(top: Value<'_>) -> HashMap<&str, Value<'_>> {
    let mut found = HashMap::new();
    let entries = top.object().and_then(|bundle| bundle.get("entry")).map(Json::items).unwrap_or_default();
    for entry in entries.iter().filter_map(Json::as_object) {
        let (Some(url), Some(resource)) = (entry.get_str("fullUrl"), entry.get("resource").and_then(Value::resource))
        else {
            continue;
        };
        found.insert(url, resource);
        let slash = url.rmatch_indices('/').nth(1).map(|(slash, _)| slash + 1);
        if let Some(relative) = slash.and_then(|slash| url.get(slash..)).filter(|_| url.starts_with("http")) {
            found.entry(relative).or_insert(resource);
        }
    }
    found
}
