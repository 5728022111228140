//! The walk beside a profile: each element that it speaks of, against its rule. <https://hl7.org/fhir/R4/profiling.html>

use super::canonical::base_type;
use super::codes::Fit;
use super::model::{Profile, Rule};
use super::shelf::{Definition, Desk, Found, Kind as Sort};
use super::value::{keeps, matches_pattern};
use super::{binding, known, slices, types};
use crate::fhir::definitions::{Element as Base, ElementKind, Node};
use crate::fhir::invalid::Fault;
use crate::fhir::json::Json;
use crate::fhirpath::value::Kind;
use crate::fhirpath::{Budget, Element, Item, Value, Variables};
use crate::validate::place::Place;
use crate::validate::report::{Finding, Report, Severity};
use crate::validate::walk::Scope;
use chrono::{DateTime, FixedOffset};
use smol_str::SmolStr;
use std::collections::{HashMap, HashSet};

/// What one invariant may take (FHIRPath's steps).
const ONE_INVARIANT_STEPS_MAX: usize = 200_000;
/// The longest text that an invariant may make (bytes).
const TEXT_BYTES_MAX: usize = 1 << 20;
/// Profiles that lead to each other.
const DEPTH_MAX: usize = 24;

static NULL: Json = Json::Null;

/// One check, and what it has met so far.
pub struct Check<'c, 'a> {
    pub desk: &'c Desk<'c>,
    pub report: Report,
    pub now: Option<DateTime<FixedOffset>>,
    /// The resource that is checked, in whose entries references are looked for.
    pub top: Value<'a>,
    pub entries: Option<HashMap<&'a str, Value<'a>>>,
    pub depth: usize,
    /// Whether an element conforms, by the profile's address and the element's place in memory.
    verdicts: HashMap<(SmolStr, *const Json), Fit>,
    /// Why the first element that does not conform to a profile does not, for who wonders why a slice is empty.
    pub reasons: HashMap<SmolStr, String>,
    /// What is said once only.
    told: HashSet<String>,
}

/// An element, and where it stands.
#[derive(Clone, Copy)]
pub struct Spot<'a, 'p> {
    pub element: Element<'a>,
    /// What the base defines there; `None` at the root of a profile.
    pub base: Option<&'static Base>,
    pub place: &'p Place<'p>,
    pub scope: Scope<'a>,
}

impl<'a, 'p> Spot<'a, 'p> {
    pub fn root(element: Element<'a>, place: &'p Place<'p>, scope: Scope<'a>) -> Spot<'a, 'p> {
        Spot { element, base: None, place, scope }
    }
}

/// One item of an element.
#[derive(Clone, Copy)]
pub struct Child<'a> {
    pub element: Element<'a>,
    pub base: &'static Base,
    /// Among its siblings, where the base has a list.
    pub position: usize,
}

impl<'a> Child<'a> {
    /// Runs something at the place of this child.
    pub fn at<T>(&self, outer: &Place<'_>, run: impl FnOnce(&Place<'_>) -> T) -> T {
        let member = Place::Member(outer, self.base.choice.unwrap_or(self.base.name));
        if self.base.is_list { run(&Place::Item(&member, self.position)) } else { run(&member) }
    }

    /// The resources around it: itself, where it is one.
    pub fn scope(&self, scope: Scope<'a>) -> Scope<'a> {
        if self.base.kind != ElementKind::Resource {
            return scope;
        }
        let resource = Value { json: self.element.json, kind: self.element.kind };
        let outermost = if self.base.name == "contained" { scope.outermost } else { resource };
        Scope { resource, outermost }
    }
}

/// The items under a name: of a choice by its name without a type, with `[x]` or without, or by one of its JSON names.
pub fn children<'a>(element: &Element<'a>, name: &str) -> Vec<Child<'a>> {
    let node = match element.kind {
        Kind::Complex(node) => node,
        Kind::Primitive(_) => Node::element(),
    };
    let (Some(object), choice) = (element.object(), name.strip_suffix("[x]").unwrap_or(name)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (key, json) in object.iter() {
        let (plain, is_beside) = key.strip_prefix('_').map_or((key, false), |plain| (plain, true));
        if !plain.starts_with(choice) || is_beside && object.get(plain).is_some() {
            continue;
        }
        let is_meant = |base: &&Base| base.name == name || base.choice == Some(choice);
        let Some(base) = node.child(plain).filter(is_meant) else { continue };
        let beside = match base.kind {
            ElementKind::Primitive(_) if is_beside => Some(json),
            ElementKind::Primitive(_) => {
                object.iter().find(|(key, _)| key.strip_prefix('_') == Some(plain)).map(|(_, beside)| beside)
            }
            _ => None,
        };
        items((!is_beside).then_some(json), beside, base, &mut found);
    }
    found
}

fn items<'a>(json: Option<&'a Json>, beside: Option<&'a Json>, base: &'static Base, found: &mut Vec<Child<'a>>) {
    let (values, besides) = (json.map_or(&[][..], Json::items), beside.map_or(&[][..], Json::items));
    for position in 0..values.len().max(besides.len()) {
        let json = values.get(position).unwrap_or(&NULL);
        let beside = besides.get(position).filter(|beside| matches!(beside, Json::Object(_)));
        if *json == Json::Null && beside.is_none() {
            continue;
        }
        let kind = match base.kind {
            ElementKind::Primitive(primitive) => Some(Kind::Primitive(primitive)),
            ElementKind::Complex(node) => Some(Kind::Complex(node)),
            ElementKind::Resource => Value::resource(json).map(|value| value.kind),
        };
        if let Some(kind) = kind {
            found.push(Child { element: Element { json, beside, kind }, base, position });
        }
    }
}

impl<'c, 'a> Check<'c, 'a> {
    pub fn new(desk: &'c Desk<'c>, top: Value<'a>, now: Option<DateTime<FixedOffset>>) -> Check<'c, 'a> {
        Check {
            desk,
            report: Report::default(),
            now,
            top,
            entries: None,
            depth: 0,
            verdicts: HashMap::new(),
            reasons: HashMap::new(),
            told: HashSet::new(),
        }
    }

    pub fn say(&mut self, severity: Severity, code: &'static str, place: &Place<'_>, message: String) {
        self.report.add(Finding { severity, code, expression: place.expression(), message });
    }

    pub fn fault(&mut self, code: &'static str, place: &Place<'_>, profile: &Profile, message: &str) {
        self.say(Severity::Error, code, place, format!("{message} ({}).", profile.url));
    }

    /// Says what could not be checked, once.
    pub fn note(&mut self, code: &'static str, place: &Place<'_>, message: String) {
        if self.told.insert(message.clone()) {
            self.say(Severity::Information, code, place, message);
        }
    }

    /// Holds an element against a profile by its address.
    ///
    /// `missing`: how much it matters that the profile is not there.
    pub fn hold(&mut self, canonical: &str, spot: Spot<'a, '_>, missing: Severity) {
        if let Some(name) = base_type(canonical) {
            let actual = spot.element.type_name();
            if !types::covers(name, actual) {
                let message = format!("{canonical} is about {name}, and this is {actual}.");
                self.say(Severity::Error, "structure", spot.place, message);
            }
            return;
        }
        match self.desk.find(Sort::Profile, canonical) {
            Found::NotYet => {}
            Found::Absent => {
                let message = format!("The profile {canonical} is not known here: nothing was checked against it.");
                self.doubt(missing, "not-found", spot.place, message);
            }
            Found::Here(definition) => match &*definition {
                Definition::Profile(profile) => self.apply(profile, spot),
                Definition::Unusable(why) => {
                    let message = format!("The profile {canonical} was not checked: {why}.");
                    self.doubt(missing, "not-supported", spot.place, message);
                }
                Definition::ValueSet(_) | Definition::CodeSystem(_) => {}
            },
        }
    }

    /// Says once that a profile was not checked.
    pub fn doubt(&mut self, severity: Severity, code: &'static str, place: &Place<'_>, message: String) {
        if self.told.insert(message.clone()) {
            self.say(severity, code, place, message);
        }
    }

    fn apply(&mut self, profile: &Profile, spot: Spot<'a, '_>) {
        let (actual, place) = (spot.element.type_name(), spot.place);
        if !types::covers(&profile.of, actual) {
            let message = format!("The profile is about {}, and this is {actual}", profile.of);
            return self.fault("structure", place, profile, &message);
        }
        if self.depth >= DEPTH_MAX {
            return self.note("too-costly", place, format!("More than {DEPTH_MAX} profiles lead to each other here."));
        }
        for gap in &profile.gaps {
            self.note("not-supported", place, format!("{gap} ({})", profile.url));
        }
        self.depth += 1;
        self.element(profile, &profile.root, Spot { base: None, ..spot });
        self.depth -= 1;
    }

    /// Whether an element conforms to a profile, without saying why not.
    pub fn conforms(&mut self, canonical: &str, spot: Spot<'a, '_>) -> Fit {
        let element = spot.element;
        // Values that are not there, and only have extensions, all stand for the same one.
        let at = element.beside.filter(|_| *element.json == Json::Null).unwrap_or(element.json);
        let key = (SmolStr::new(canonical), std::ptr::from_ref(at));
        if let Some(known) = self.verdicts.get(&key) {
            return *known;
        }
        let usable = match self.desk.find(Sort::Profile, canonical) {
            Found::Here(definition) => matches!(*definition, Definition::Profile(_)),
            Found::Absent | Found::NotYet => false,
        };
        if !usable {
            return Fit::Unknown;
        }
        // What leads back to the same question ends there, and is no reason to say no.
        self.verdicts.insert(key.clone(), Fit::Unknown);
        let (report, told) = (std::mem::take(&mut self.report), self.told.clone());
        self.hold(canonical, spot, Severity::Warning);
        let report = std::mem::replace(&mut self.report, report);
        self.told = told;
        let fit = Fit::of(!report.has_errors());
        let is_error = |finding: &&Finding| finding.severity == Severity::Error;
        if let Some(first) = report.findings().iter().find(is_error) {
            let why = || format!("{}: {}", first.expression, first.message.trim_end_matches('.'));
            self.reasons.entry(key.0.clone()).or_insert_with(why);
        }
        self.verdicts.insert(key, fit);
        fit
    }

    /// One element against one rule.
    pub fn element(&mut self, profile: &Profile, rule: &Rule, spot: Spot<'a, '_>) {
        if self.report.is_full() || !self.desk.allowance.rules.spend() {
            return;
        }
        types::check(self, profile, rule, spot);
        self.value(profile, rule, spot);
        for bound in &rule.bindings {
            binding::check(self, profile, bound, spot);
        }
        self.constraints(profile, rule, spot);
        let content = rule.content.as_deref().filter(|_| rule.children.is_empty());
        let inside = content.and_then(|path| find(&profile.root, path)).unwrap_or(rule);
        for child in &inside.children {
            self.members(profile, child, spot);
        }
    }

    /// Says what was not checked to its end.
    pub fn tell_exceeded(&mut self, place: &Place<'_>) {
        for message in self.desk.allowance.exceeded() {
            self.doubt(Severity::Error, "too-costly", place, message.to_owned());
        }
    }

    fn value(&mut self, profile: &Profile, rule: &Rule, spot: Spot<'a, '_>) {
        let Spot { element, place, scope, .. } = spot;
        if rule.fixed.as_ref().is_some_and(|fixed| !element.json.means_same(fixed)) {
            self.fault("value", place, profile, "The profile has a fixed value here, and this is another one");
        }
        if rule
            .pattern
            .as_ref()
            .is_some_and(|pattern| !matches_pattern(element.json, pattern, &self.desk.allowance.marks))
        {
            self.fault("value", place, profile, "The profile has a pattern here, which this value does not meet");
        }
        if rule.limits.iter().any(|limit| !keeps(element, limit, scope.resource)) {
            self.fault("value", place, profile, "The value is beyond the least or the greatest of the profile");
        }
        let is_long = |max: usize| element.json.as_str().is_some_and(|text| text.chars().count() > max);
        if let Some(max) = rule.length_max.filter(|max| is_long(*max)) {
            let message = format!("The profile allows {max} characters here, and these are more");
            self.fault("value", place, profile, &message);
        }
    }

    fn constraints(&mut self, profile: &Profile, rule: &Rule, spot: Spot<'a, '_>) {
        let Spot { element, place, scope, .. } = spot;
        let mut findings = Vec::new();
        for constraint in &rule.constraints {
            let knower = known::Knower { desk: self.desk, top: self.top, now: self.now, depth: self.depth };
            let variables = Variables {
                root_resource: scope.outermost,
                now: self.now,
                knowledge: Some(&knower),
                ..Variables::of(scope.resource)
            };
            let left = &self.desk.allowance.invariants;
            let steps = left.left().min(ONE_INVARIANT_STEPS_MAX);
            let mut budget = Budget { steps, text_bytes: TEXT_BYTES_MAX };
            let told = constraint.expression.holds_spending(&Item::Element(element), &variables, &mut budget);
            left.take(steps.saturating_sub(budget.steps));
            let severity = if constraint.is_error { Severity::Error } else { Severity::Warning };
            findings.push(match told {
                Ok(true) => continue,
                Ok(false) => {
                    let human = constraint.human.trim_end_matches('.');
                    (severity, "invariant", format!("{human} ({}, {}).", constraint.key, profile.url))
                }
                Err(fault) if fault.fault == Fault::Bound => {
                    let message = format!("The invariant {} takes too many steps here", constraint.key);
                    (severity, "too-costly", format!("{message} ({}).", profile.url))
                }
                // What is of a wrong shape was told by the base, and lets some of them fail.
                Err(fault) => {
                    let message = format!("The invariant {} cannot be decided: {}", constraint.key, fault.message);
                    (Severity::Information, "not-supported", message)
                }
            });
        }
        for (severity, code, message) in findings {
            self.say(severity, code, place, message);
        }
    }

    /// All items under a rule's name: how many there are, which slice each is in, and each against the rules.
    fn members(&mut self, profile: &Profile, rule: &Rule, parent: Spot<'a, '_>) {
        let Spot { element, place, scope, .. } = parent;
        let found = children(&element, &rule.name);
        let inner = Place::Member(place, rule.plain_name());
        if found.len() < rule.min {
            let message = match found.len() {
                0 => format!("The profile demands `{}`; it is missing", rule.name),
                some => format!("The profile demands at least {} of `{}`; here are {some}", rule.min, rule.name),
            };
            self.fault("required", &inner, profile, &message);
        }
        if rule.max.is_some_and(|max| found.len() > max) {
            let message = match rule.max {
                Some(0) => format!("The profile has no `{}`", rule.name),
                _ => format!(
                    "The profile allows {} of `{}`; here are {}",
                    rule.max.unwrap_or_default(),
                    rule.name,
                    found.len()
                ),
            };
            self.fault("structure", &inner, profile, &message);
        }
        let assigned = match rule.slices.is_empty() {
            true => Vec::new(),
            false => slices::assign(self, profile, rule, &found, place, scope),
        };
        for (number, child) in found.iter().enumerate() {
            let scope = child.scope(scope);
            let slice = assigned.get(number).copied().flatten().and_then(|slice| rule.slices.get(slice));
            child.at(place, |place| {
                let spot = Spot { element: child.element, base: Some(child.base), place, scope };
                self.element(profile, rule, spot);
                if let Some(slice) = slice {
                    self.element(profile, slice, spot);
                }
            });
        }
    }
}

/// The rule at a path from the root's name on.
fn find<'r>(root: &'r Rule, path: &str) -> Option<&'r Rule> {
    let mut names = path.split('.');
    names.next().filter(|name| *name == root.name)?;
    names.try_fold(root, |rule, name| rule.children.iter().find(|child| child.name == name))
}
