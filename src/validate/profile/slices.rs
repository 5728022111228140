//! Which slice an item is in, and whether the slices are as the profile has them. <https://hl7.org/fhir/R4/profiling.html#slicing>

use super::binding::{Fits, codes_of};
use super::canonical::{base_type, without_version};
use super::check::{Check, Child, Spot, children};
use super::codes::Fit;
use super::model::{Discriminator, DiscriminatorKind, Others, Profile, Rule, Step};
use super::shelf::{Definition, Found, Kind as Sort};
use super::types::{covers, of_resource, of_type, resolve, type_in};
use super::value::matches_pattern;
use crate::fhir::json::Json;
use crate::fhirpath::{Element, Value};
use crate::validate::place::Place;
use crate::validate::walk::Scope;
use smol_str::SmolStr;
use std::sync::Arc;

/// What every item that is in no other slice is in. <https://hl7.org/fhir/R4/profiling.html#default-slice>
const DEFAULT: &str = "@default";
/// Rules inside each other that say what an element is.
const DEPTH_MAX: usize = 12;

/// What tells that an element is the one that a slice means.
enum Mark {
    Fixed(Json),
    Pattern(Json),
    Of(SmolStr),
    /// Each of these members has one of its marks.
    Members(Vec<(SmolStr, Vec<Mark>)>),
}

/// The slice of each item, by its position among the rule's; says what is wrong with the slices as a whole.
pub fn assign<'a>(
    check: &mut Check<'_, 'a>,
    profile: &Profile,
    rule: &Rule,
    items: &[Child<'a>],
    place: &Place<'_>,
    scope: Scope<'a>,
) -> Vec<Option<usize>> {
    let inner = Place::Member(place, rule.plain_name());
    let implied;
    let discriminators = match rule.slicing.as_ref().map(|slicing| slicing.discriminators.as_slice()) {
        Some(told) if !told.is_empty() => told,
        _ => {
            implied = usual(&rule.name);
            implied.as_slice()
        }
    };
    let candidates = candidates(check, rule, discriminators);
    let (mut assigned, mut is_sure) = (Vec::with_capacity(items.len()), true);
    for item in items {
        let (mut found, mut doubt) = (None, discriminators.is_empty());
        for candidate in &candidates {
            if !check.desk.allowance.rules.spend() {
                doubt = true;
                break;
            }
            match fits(check, candidate, discriminators, item, place, scope) {
                Fit::Yes => {
                    found = Some(candidate.position);
                    break;
                }
                Fit::No => {}
                Fit::Unknown => doubt = true,
            }
        }
        is_sure &= found.is_some() || !doubt;
        if found.is_none() && !doubt {
            found = rule.slices.iter().position(|slice| slice.slice.as_deref() == Some(DEFAULT));
        }
        assigned.push(found);
    }
    if check.desk.allowance.marks.is_empty() {
        check.tell_exceeded(&inner);
        return vec![None; items.len()];
    }
    if !is_sure {
        let message = format!(
            "Which slice of `{}` an item is in cannot be told here: that was not checked ({}).",
            rule.name, profile.url
        );
        check.note("not-supported", &inner, message);
    }
    count(check, profile, rule, &assigned, is_sure, &inner);
    if let Some(slicing) = rule.slicing.as_ref().filter(|_| is_sure) {
        others(check, profile, rule, slicing.others, items, &assigned, place);
        let order: Vec<usize> = assigned.iter().copied().flatten().collect();
        if slicing.is_ordered && !order.is_sorted() {
            let message = format!("The slices of `{}` are in the order of the profile, and these are not", rule.name);
            check.fault("structure", &inner, profile, &message);
        }
    }
    assigned
}

/// A slice that items may be in.
struct Candidate<'r> {
    position: usize,
    slice: &'r Rule,
    /// For each discriminator by value what it must be.
    marks: Vec<Vec<Mark>>,
}

fn candidates<'r>(check: &Check<'_, '_>, rule: &'r Rule, discriminators: &[Discriminator]) -> Vec<Candidate<'r>> {
    let slices = rule.slices.iter().enumerate().filter(|(_, slice)| is_told_apart(slice));
    let of = |(position, slice): (usize, &'r Rule)| {
        let marks = discriminators.iter().map(|one| match one.kind {
            DiscriminatorKind::Value => marks(check, slice, &one.path, 0),
            DiscriminatorKind::Exists | DiscriminatorKind::Type | DiscriminatorKind::Profile => Vec::new(),
        });
        Candidate { position, slice, marks: marks.collect() }
    };
    slices.map(of).collect()
}

/// A slice of a slice is not; that was said where the profile was read.
fn is_told_apart(slice: &Rule) -> bool {
    slice.slice.as_deref().is_some_and(|name| name != DEFAULT && !name.contains('/'))
}

/// How slices are told apart where the profile does not say.
fn usual(name: &str) -> Vec<Discriminator> {
    match name {
        "extension" | "modifierExtension" => {
            let path = vec![Step::Child(SmolStr::new_static("url"))];
            vec![Discriminator { kind: DiscriminatorKind::Value, path }]
        }
        choice if choice.ends_with("[x]") => vec![Discriminator { kind: DiscriminatorKind::Type, path: Vec::new() }],
        _ => Vec::new(),
    }
}

fn count(
    check: &mut Check<'_, '_>,
    profile: &Profile,
    rule: &Rule,
    assigned: &[Option<usize>],
    is_sure: bool,
    place: &Place<'_>,
) {
    for (position, slice) in rule.slices.iter().enumerate().filter(|(_, slice)| is_told_apart(slice)) {
        let name = slice.slice.as_deref().unwrap_or_default();
        let here = assigned.iter().filter(|one| **one == Some(position)).count();
        if here < slice.min && is_sure {
            let why = canonicals_of(slice).into_iter().find_map(|canonical| check.reasons.get(canonical));
            let why = why.map(|why| format!(". What comes nearest is in none, for {why}")).unwrap_or_default();
            let least = slice.min;
            let message = format!("The profile demands at least {least} of the slice `{name}`; here are {here}{why}");
            check.fault("required", place, profile, &message);
        }
        if let Some(max) = slice.max.filter(|max| here > *max) {
            let message = format!("The profile allows {max} of the slice `{name}`; here are {here}");
            check.fault("structure", place, profile, &message);
        }
    }
}

/// The profiles by which what is in a slice may be told.
fn canonicals_of(slice: &Rule) -> Vec<&SmolStr> {
    let own = slice.types.iter().flat_map(|one| one.profiles.iter().chain(&one.targets));
    own.chain(slice.children.iter().flat_map(canonicals_of)).collect()
}

/// What is in no slice may stand anywhere, at the end, or nowhere.
fn others<'a>(
    check: &mut Check<'_, 'a>,
    profile: &Profile,
    rule: &Rule,
    others: Others,
    items: &[Child<'a>],
    assigned: &[Option<usize>],
    place: &Place<'_>,
) {
    let last = assigned.iter().rposition(Option::is_some).unwrap_or_default();
    for (number, item) in items.iter().enumerate().filter(|(number, _)| assigned.get(*number) == Some(&None)) {
        let message = match others {
            Others::Anywhere => return,
            Others::Nowhere => format!("Each `{}` is in a slice of the profile, and this is in none", rule.name),
            Others::AtEnd if number < last => {
                format!("A `{}` in no slice of the profile stands after those that are in one", rule.name)
            }
            Others::AtEnd => continue,
        };
        item.at(place, |place| check.fault("structure", place, profile, &message));
    }
}

fn fits<'a>(
    check: &mut Check<'_, 'a>,
    candidate: &Candidate<'_>,
    discriminators: &[Discriminator],
    item: &Child<'a>,
    place: &Place<'_>,
    scope: Scope<'a>,
) -> Fit {
    let slice = candidate.slice;
    let mut fit = if discriminators.is_empty() { Fit::Unknown } else { Fit::Yes };
    for (discriminator, marks) in discriminators.iter().zip(&candidate.marks) {
        let path = discriminator.path.as_slice();
        let one = match discriminator.kind {
            DiscriminatorKind::Value => by_value(check, marks, path, item, scope),
            DiscriminatorKind::Exists => by_existence(slice, path, item),
            DiscriminatorKind::Type => by_type(check, slice, path, item, scope),
            DiscriminatorKind::Profile => by_profile(check, slice, path, item, place, scope),
        };
        fit = fit.and(one);
        if fit == Fit::No {
            break;
        }
    }
    fit
}

fn by_value<'a>(check: &mut Check<'_, 'a>, marks: &[Mark], path: &[Step], item: &Child<'a>, scope: Scope<'a>) -> Fit {
    if marks.is_empty() {
        return Fit::Unknown;
    }
    let mut values = Vec::new();
    let is_whole = reach(check, item.element, path, scope, &mut values);
    let start = if is_whole { Fit::No } else { Fit::Unknown };
    let is_one = |value: &Element<'a>| Fit::any(marks.iter().map(|mark| bears(check, *value, mark)));
    start.or(Fit::any(values.iter().map(is_one)))
}

fn bears(check: &Check<'_, '_>, value: Element<'_>, mark: &Mark) -> Fit {
    if !check.desk.allowance.marks.spend() {
        return Fit::Unknown;
    }
    match mark {
        Mark::Fixed(fixed) => Fit::of(value.json.means_same(fixed)),
        Mark::Pattern(pattern) => Fit::of(matches_pattern(value.json, pattern, &check.desk.allowance.marks)),
        Mark::Of(value_set) => codes_of(&value).map_or(Fit::No, |codes| codes.fits(check.desk, value_set)),
        Mark::Members(members) => {
            let has = |(name, marks): &(SmolStr, Vec<Mark>)| {
                let found = children(&value, name);
                let one = |child: &Child<'_>| Fit::any(marks.iter().map(|mark| bears(check, child.element, mark)));
                Fit::any(found.iter().map(one))
            };
            members.iter().map(has).fold(Fit::Yes, Fit::and)
        }
    }
}

/// What a slice says of the value at a path; one of these must be met. None: it says nothing.
fn marks(check: &Check<'_, '_>, rule: &Rule, path: &[Step], depth: usize) -> Vec<Mark> {
    if depth > DEPTH_MAX || !check.desk.allowance.marks.spend() {
        return Vec::new();
    }
    if let Some(whole) = rule.fixed.as_ref().or(rule.pattern.as_ref()).filter(|_| !path.is_empty()) {
        return parts_of(whole, path).into_iter().map(|part| Mark::Pattern(part.clone())).collect();
    }
    let found = match path.split_first() {
        None => own_marks(check, rule, depth),
        Some((Step::Child(name), rest)) => {
            let named = rule.children.iter().filter(|child| child.plain_name() == name || child.name == *name);
            let mut found = Vec::new();
            for child in named {
                let own = marks(check, child, rest, depth + 1);
                let of_slices = child.slices.iter().flat_map(|slice| marks(check, slice, rest, depth + 1));
                found.extend(if own.is_empty() { of_slices.collect() } else { own });
            }
            found
        }
        Some((Step::Extension(url), rest)) => {
            let extensions = rule.children.iter().filter(|child| child.name == "extension");
            let named = extensions
                .flat_map(|head| &head.slices)
                .filter(|slice| extension_url(check, slice) == Some(url.clone()));
            named.flat_map(|slice| marks(check, slice, rest, depth + 1)).collect()
        }
        Some((Step::OfType(_), rest)) => marks(check, rule, rest, depth + 1),
        Some((Step::Resolve, rest)) => of_targets(check, rule, rest, depth),
    };
    if !found.is_empty() {
        return found;
    }
    // What the slice itself leaves to the profile of its type.
    let canonicals = rule.types.iter().flat_map(|one| &one.profiles);
    let mut found = Vec::new();
    for canonical in canonicals {
        if let (Some(Step::Child(name)), true) = (path.first(), rule.types.iter().any(|one| one.code == "Extension"))
            && name == "url"
        {
            found.push(Mark::Fixed(Json::string(without_version(canonical))));
        } else if let Some(definition) = profile_at(check, canonical)
            && let Definition::Profile(inner) = &*definition
        {
            found.extend(marks(check, &inner.root, path, depth + 1));
        }
    }
    found
}

fn own_marks(check: &Check<'_, '_>, rule: &Rule, depth: usize) -> Vec<Mark> {
    if let Some(fixed) = &rule.fixed {
        return vec![Mark::Fixed(fixed.clone())];
    }
    if let Some(pattern) = &rule.pattern {
        return vec![Mark::Pattern(pattern.clone())];
    }
    let mut members = Vec::new();
    for child in &rule.children {
        let mut inner = marks(check, child, &[], depth + 1);
        if inner.is_empty() {
            inner = child.slices.iter().flat_map(|slice| marks(check, slice, &[], depth + 1)).collect();
        }
        if !inner.is_empty() {
            members.push((child.name.clone(), inner));
        }
    }
    if !members.is_empty() {
        return vec![Mark::Members(members)];
    }
    let required = rule.bindings.iter().filter(|binding| binding.is_required);
    required.take(1).map(|binding| Mark::Of(binding.value_set.clone())).collect()
}

/// What the profiles of what is referred to say.
fn of_targets(check: &Check<'_, '_>, rule: &Rule, path: &[Step], depth: usize) -> Vec<Mark> {
    let mut found = Vec::new();
    for canonical in rule.types.iter().flat_map(|one| &one.targets) {
        if let Some(definition) = profile_at(check, canonical)
            && let Definition::Profile(inner) = &*definition
        {
            found.extend(marks(check, &inner.root, path, depth + 1));
        }
    }
    found
}

fn profile_at(check: &Check<'_, '_>, canonical: &str) -> Option<Arc<Definition>> {
    if base_type(canonical).is_some() {
        return None;
    }
    match check.desk.find(Sort::Profile, canonical) {
        Found::Here(definition) => Some(definition),
        Found::Absent | Found::NotYet => None,
    }
}

/// The address of the extension that a slice is about.
fn extension_url(check: &Check<'_, '_>, slice: &Rule) -> Option<SmolStr> {
    let url = [Step::Child(SmolStr::new_static("url"))];
    marks(check, slice, &url, 0).into_iter().find_map(|mark| match mark {
        Mark::Fixed(Json::String(url)) | Mark::Pattern(Json::String(url)) => Some(url),
        _ => None,
    })
}

/// The parts of a fixed value or a pattern at a path of names.
fn parts_of<'j>(whole: &'j Json, path: &[Step]) -> Vec<&'j Json> {
    let mut parts = vec![whole];
    for step in path {
        let Step::Child(name) = step else { continue };
        let inside = parts.iter().filter_map(|part| part.as_object()?.get(name));
        parts = inside.flat_map(Json::items).collect();
    }
    parts
}

/// Collects the elements at a path; whether all of it could be followed.
fn reach<'a>(
    check: &mut Check<'_, 'a>,
    start: Element<'a>,
    path: &[Step],
    scope: Scope<'a>,
    found: &mut Vec<Element<'a>>,
) -> bool {
    let Some((step, rest)) = path.split_first() else {
        found.push(start);
        return true;
    };
    let mut is_whole = true;
    match step {
        Step::Child(name) => {
            for child in children(&start, name) {
                is_whole &= reach(check, child.element, rest, scope, found);
            }
        }
        Step::Extension(url) => {
            let is_meant = |child: &Child<'_>| child.element.object().and_then(|one| one.get_str("url")) == Some(url);
            for child in children(&start, "extension").into_iter().filter(is_meant) {
                is_whole &= reach(check, child.element, rest, scope, found);
            }
        }
        Step::OfType(name) => {
            if covers(name, start.type_name()) {
                is_whole &= reach(check, start, rest, scope, found);
            }
        }
        Step::Resolve => {
            let text = start.object().and_then(|reference| reference.get_str("reference"));
            match text.and_then(|text| resolve(check, text, scope)) {
                Some(resource) => is_whole &= reach(check, Element::from(resource), rest, scope, found),
                None => is_whole = text.is_none(),
            }
        }
    }
    is_whole
}

/// The rule inside a slice at a path of names.
fn rule_at<'r>(slice: &'r Rule, path: &[Step]) -> Option<&'r Rule> {
    path.iter().try_fold(slice, |rule, step| match step {
        Step::Child(name) => rule.children.iter().find(|child| child.plain_name() == name || child.name == *name),
        Step::Resolve | Step::OfType(_) => Some(rule),
        Step::Extension(_) => None,
    })
}

fn by_existence(slice: &Rule, path: &[Step], item: &Child<'_>) -> Fit {
    let Some(rule) = rule_at(slice, path) else { return Fit::Unknown };
    let mut here = vec![item.element];
    for step in path {
        let Step::Child(name) = step else { return Fit::Unknown };
        here = here.iter().flat_map(|element| children(element, name)).map(|child| child.element).collect();
    }
    match (rule.max, rule.min) {
        (Some(0), _) => Fit::of(here.is_empty()),
        (_, 0) => Fit::Unknown,
        _ => Fit::of(!here.is_empty()),
    }
}

fn by_type<'a>(check: &mut Check<'_, 'a>, slice: &Rule, path: &[Step], item: &Child<'a>, scope: Scope<'a>) -> Fit {
    let Some(rule) = rule_at(slice, path).filter(|rule| !rule.types.is_empty()) else { return Fit::Unknown };
    if let Some((Step::Resolve, before)) = path.split_last() {
        let targets: Vec<SmolStr> = rule.types.iter().flat_map(|one| one.targets.clone()).collect();
        let mut references = Vec::new();
        reach(check, item.element, before, scope, &mut references);
        let mut fit = Fit::No;
        for reference in references {
            let text = reference.object().and_then(|object| object.get_str("reference")).unwrap_or_default();
            let found = resolve(check, text, scope).map(|value| value.type_name());
            fit = fit.or(match found.or_else(|| type_in(text).map(|of| of.as_str())) {
                Some(name) => Fit::any(targets.iter().map(|target| of_type(check, target, name))),
                None => Fit::Unknown,
            });
        }
        return fit;
    }
    let mut values = Vec::new();
    let is_whole = reach(check, item.element, path, scope, &mut values);
    let is_of = |value: &Element<'_>| rule.types.iter().any(|one| covers(&one.code, value.type_name()));
    match values.iter().any(is_of) {
        true => Fit::Yes,
        false if is_whole => Fit::No,
        false => Fit::Unknown,
    }
}

fn by_profile<'a>(
    check: &mut Check<'_, 'a>,
    slice: &Rule,
    path: &[Step],
    item: &Child<'a>,
    place: &Place<'_>,
    scope: Scope<'a>,
) -> Fit {
    let Some(rule) = rule_at(slice, path) else { return Fit::Unknown };
    let is_reference = matches!(path.last(), Some(Step::Resolve));
    let canonicals: Vec<&SmolStr> =
        rule.types.iter().flat_map(|one| if is_reference { &one.targets } else { &one.profiles }).collect();
    if canonicals.is_empty() {
        return by_type(check, slice, path, item, scope);
    }
    // A type that fits no profile answers without looking closer.
    if is_reference && by_type(check, slice, path, item, scope) == Fit::No {
        return Fit::No;
    }
    let mut values = Vec::new();
    let is_whole = reach(check, item.element, path, scope, &mut values);
    let mut fit = if is_whole { Fit::No } else { Fit::Unknown };
    for value in values {
        let resource = Value::resource(value.json).filter(|_| is_reference || value.type_name() != "Extension");
        fit = fit.or(match resource {
            Some(resource) => of_resource(check, &canonicals, resource, place, scope),
            None => Fit::any(canonicals.iter().map(|one| check.conforms(one, Spot::root(value, place, scope)))),
        });
    }
    fit
}
