//! Random conditions: of a parameter, over chains, by what refers.

use super::BASE;
use super::question::type_of;
use super::random::Random;
use super::values::{CODES, FREQUENT, IDENTIFIERS, LOINC, NUMBERS, STATUSES, TEXTS, UNITS, URIS, date_time};
use super::world::{KINDS, Known, World, count_of};
use brasa::fhir::definitions::ResourceType;
use brasa::fhir::instant::to_instant;
use brasa::search::clause::{Clause, Predicate};
use brasa::search::evaluate::{Fact, World as Evaluated, matches};
use brasa::search::query::{Scope, parse};
use brasa::search::registry::{Parameter, ParameterKind, Registry};
use chrono::DateTime;
use std::collections::HashMap;
use std::sync::Arc;

/// References that a chain may go over.
const LINKS: usize = 3;

/// Conditions that are tried until one is met.
const TRIES: usize = 25;

const PREFIXES: &[&str] = &["", "eq", "ne", "gt", "ge", "lt", "le", "sa", "eb", "ap"];

/// A parameter of which some resource has a value.
#[derive(Clone)]
pub struct Used(pub Arc<Parameter>);

impl Used {
    pub fn code(&self) -> String {
        self.0.code.to_string()
    }

    pub fn leads_to(&self, target: &str) -> bool {
        self.0.kind == ParameterKind::Reference && leads_to(&self.0, target)
    }
}

fn leads_to(parameter: &Parameter, target: &str) -> bool {
    parameter.targets.is_empty() || parameter.targets.iter().any(|one| one.as_str() == target)
}

pub struct Asker<'a> {
    pub random: &'a mut Random,
    known: &'a [Known],
    world: Evaluated<'a>,
    used: HashMap<ResourceType, Vec<Used>>,
    registry: &'a Registry,
}

impl<'a> Asker<'a> {
    pub fn new(random: &'a mut Random, registry: &'a Registry, world: &'a World) -> Asker<'a> {
        let facts = world.facts();
        let used = KINDS.iter().map(|(name, ..)| {
            let on = type_of(name);
            let facts: Vec<&Fact<'_>> = facts.iter().filter(|fact| fact.resource_type == on).collect();
            let is_used = |parameter: &&Arc<Parameter>| {
                parameter.branches.iter().any(|branch| {
                    let present = Clause::Match(Predicate::Present(branch.place(parameter.kind)));
                    facts.iter().any(|fact| matches(&present, fact, &Evaluated::default()))
                })
            };
            (on, registry.parameters(on).filter(is_used).cloned().map(Used).collect())
        });
        let used = used.collect();
        Asker { random, known: &world.known, world: Evaluated::of(&facts), used, registry }
    }

    /// Of the conditions that are made the first that the witness meets; mostly. Without one, most questions of several
    /// conditions would find nothing.
    pub fn fitting(
        &mut self,
        scope: &Scope,
        witness: &Known,
        mut make: impl FnMut(&mut Self) -> (String, String),
    ) -> (String, String) {
        let mut condition = make(self);
        for _ in 0..TRIES {
            if self.random.chance(4) || self.is_met(scope, &condition, witness) {
                break;
            }
            condition = make(self);
        }
        condition
    }

    pub fn is_met(&self, scope: &Scope, condition: &(String, String), witness: &Known) -> bool {
        let read = super::read(scope, std::slice::from_ref(condition), self.registry);
        let meets = |clause: &Clause| matches(clause, &witness.fact(), &self.world);
        parse(&read).is_ok_and(|query| query.clauses.iter().all(meets))
    }

    pub fn witness(&mut self, on: Option<ResourceType>) -> &'a Known {
        let known = self.known;
        let of_type: Vec<&Known> = known.iter().filter(|one| on.is_none_or(|on| one.resource_type == on)).collect();
        if of_type.is_empty() { self.random.pick(known) } else { self.random.pick::<&Known>(&of_type) }
    }

    pub fn used(&self, on: ResourceType) -> &[Used] {
        self.used.get(&on).map_or(&[], Vec::as_slice)
    }

    /// A name, which may be chained, and its values.
    pub fn condition(&mut self, on: ResourceType, links: usize) -> (String, String) {
        let made = match self.random.below(100) {
            0..14 if links < LINKS => self.chain(on, links),
            14..24 if links < LINKS => self.has(on, links),
            24..32 => Some(self.common()),
            32..42 if links == 0 => Some(("_filter".to_owned(), self.filter(on, 2))),
            _ => None,
        };
        made.unwrap_or_else(|| self.leaf(on))
    }

    fn leaf(&mut self, on: ResourceType) -> (String, String) {
        let all: Vec<Used> =
            self.registry.parameters(on).filter(|one| !one.branches.is_empty()).cloned().map(Used).collect();
        let used = self.used(on).to_vec();
        let has_prefixes =
            |one: &&Used| matches!(one.0.kind, ParameterKind::Date | ParameterKind::Number | ParameterKind::Quantity);
        let ordered: Vec<Used> = used.iter().filter(has_prefixes).cloned().collect();
        let from = match self.random.below(100) {
            0..8 => &all,
            8..40 if !ordered.is_empty() => &ordered,
            _ if used.is_empty() => &all,
            _ => &used,
        };
        let parameter = self.random.pick(from).clone();
        self.asked_of(&parameter)
    }

    /// What resources of all types have.
    pub fn common(&mut self) -> (String, String) {
        match self.random.below(5) {
            0 => {
                let ids: Vec<String> = (0..1 + self.random.below(3)).map(|_| self.id()).collect();
                let modifier = *self.random.pick(&["", "", ":not"]);
                (format!("_id{modifier}"), ids.join(","))
            }
            1 => ("_lastUpdated".to_owned(), self.last_updated()),
            2 => (
                "_content".to_owned(),
                self.random.pick(&["blood", "heart rate", "HR", "\"body weight\"", "perez"]).to_string(),
            ),
            _ => {
                let codes = ["_tag", "_profile", "_security", "_source"];
                let code = *self.random.pick(&codes);
                let parameter = Used(Arc::clone(self.registry.parameter(ResourceType::PATIENT, code).unwrap()));
                self.asked_of(&parameter)
            }
        }
    }

    fn id(&mut self) -> String {
        match self.random.below(4) {
            0 => (1 + self.random.below(200)).to_string(),
            _ => self.random.pick(self.known).id.clone(),
        }
    }

    pub fn last_updated(&mut self) -> String {
        let at = self.random.pick(self.known).last_updated_us;
        let instant = to_instant(DateTime::from_timestamp_micros(at).unwrap());
        // `ap` goes by the distance to now, and the two sides read at different times.
        let prefix = *self.random.pick(&PREFIXES[..PREFIXES.len() - 1]);
        let length = *self.random.pick(&[instant.len(), instant.len(), 4, 10]);
        format!("{prefix}{}", instant.get(..length).unwrap())
    }

    /// Over a reference to the types in the world.
    fn chain(&mut self, on: ResourceType, links: usize) -> Option<(String, String)> {
        let references: Vec<Used> =
            self.used(on).iter().filter(|one| one.0.kind == ParameterKind::Reference).cloned().collect();
        if references.is_empty() {
            return None;
        }
        let reference = self.random.pick(&references).clone();
        let targets: Vec<&str> = KINDS.iter().map(|(name, ..)| *name).filter(|name| reference.leads_to(name)).collect();
        let target = *self.random.pick(if targets.is_empty() { return None } else { &targets });
        let (rest, value) = self.condition(type_of(target), links + 1);
        let modifier = if self.random.chance(65) { format!(":{target}") } else { String::new() };
        Some((format!("{}{modifier}.{rest}", reference.code()), value))
    }

    fn has(&mut self, on: ResourceType, links: usize) -> Option<(String, String)> {
        let (source, code) = self.referring(on)?;
        let (rest, value) = self.condition(type_of(source), links + 1);
        Some((format!("_has:{source}:{code}:{rest}"), value))
    }

    /// A type and its parameter that leads to a type.
    pub fn referring(&mut self, on: ResourceType) -> Option<(&'static str, String)> {
        let mut all = Vec::new();
        for (name, ..) in KINDS {
            let leading = self.used(type_of(name)).iter().filter(|one| one.leads_to(on.as_str()));
            all.extend(leading.map(|one| (*name, one.code())));
        }
        if all.is_empty() { None } else { Some(self.random.pick(&all).clone()) }
    }

    /// A name with or without a modifier, and one value or several.
    pub fn asked_of(&mut self, parameter: &Used) -> (String, String) {
        let code = parameter.code();
        if self.random.chance(10) {
            return (format!("{code}:missing"), self.random.pick(&["true", "false"]).to_string());
        }
        let modifier = self.modifier(&parameter.0);
        let count = *self.random.pick(&[1, 1, 1, 1, 2, 3]);
        let values: Vec<String> = (0..count).map(|_| self.value(&parameter.0, modifier)).collect();
        let name = if modifier.is_empty() { code } else { format!("{code}:{modifier}") };
        (name, values.join(","))
    }

    fn modifier(&mut self, parameter: &Parameter) -> &'static str {
        let choices: &[&str] = match parameter.kind {
            ParameterKind::String => &["", "", "", "exact", "contains"],
            ParameterKind::Token if parameter.branches.iter().any(|branch| branch.is_identifier) => {
                &["", "", "", "", "not", "of-type", "text"]
            }
            ParameterKind::Token => &["", "", "", "", "", "not", "not", "text"],
            ParameterKind::Reference => &["", "", "", "", "Patient", "Practitioner", "identifier"],
            ParameterKind::Uri => &["", "", "below", "above"],
            _ => &[""],
        };
        let modifier = *self.random.pick(choices);
        let fits = !modifier.starts_with('P') || leads_to(parameter, modifier);
        if fits { modifier } else { "" }
    }

    pub fn value(&mut self, parameter: &Parameter, modifier: &str) -> String {
        match (parameter.kind, modifier) {
            (ParameterKind::Token, "text") => self.part_of(CODES.iter().map(|(.., display)| *display).collect()),
            (ParameterKind::Token, "of-type") => self.of_type(),
            (ParameterKind::Reference, "identifier") => self.identifier(),
            (ParameterKind::Reference, _) => self.reference(parameter, modifier),
            (ParameterKind::Token, _) if parameter.branches.iter().any(|branch| branch.is_identifier) => {
                self.identifier()
            }
            (ParameterKind::Token, _) if parameter.branches.iter().all(|branch| branch.is_code) => self.word(),
            (ParameterKind::Composite, _) => {
                let parts = parameter.components.iter().map(|component| self.plain(component.kind));
                parts.collect::<Vec<_>>().join("$")
            }
            (kind, _) => self.plain(kind),
        }
    }

    /// A value of a kind, whatever the parameter.
    fn plain(&mut self, kind: ParameterKind) -> String {
        match kind {
            ParameterKind::String => self.part_of(TEXTS.to_vec()),
            ParameterKind::Token => self.token(),
            ParameterKind::Reference => format!("Observation/{}", 1 + self.random.below(50)),
            ParameterKind::Date => format!("{}{}", self.random.pick(PREFIXES), date_time(self.random)),
            ParameterKind::Number => self.number(),
            ParameterKind::Quantity => self.quantity(),
            ParameterKind::Uri => escaped(self.random.pick::<&str>(URIS)),
            ParameterKind::Composite | ParameterKind::Special => {
                let distance = *self.random.pick(&["", "|10", "|60|km", "|20000|m", "|20000|km", "|100|[mi_us]"]);
                let place = *self.random.pick(&["50.5|7.5", "51|8", "89|179", "-1|-180", "-0.5|179.9"]);
                format!("{place}{distance}")
            }
        }
    }

    /// All of a text or a piece of it, in another case at times.
    fn part_of(&mut self, texts: Vec<&str>) -> String {
        let text: Vec<char> = self.random.pick(&texts).chars().collect();
        let from = if self.random.chance(70) { 0 } else { self.random.below(text.len()) };
        let length = if self.random.chance(40) { text.len() } else { 1 + self.random.below(text.len()) };
        let part: String = text.iter().skip(from).take(length).collect();
        let part = match self.random.below(4) {
            0 => part.to_uppercase(),
            1 => part.to_lowercase(),
            _ => part,
        };
        escaped(&part)
    }

    fn token(&mut self) -> String {
        let (system, code, _) =
            if self.random.chance(15) { (Some(LOINC), FREQUENT, "") } else { *self.random.pick(CODES) };
        self.of_system(system, code)
    }

    fn of_system(&mut self, system: Option<&str>, code: &str) -> String {
        let (system, code) = (escaped(system.unwrap_or_default()), escaped(code));
        match self.random.below(10) {
            0 => format!("|{code}"),
            1 => format!("{system}|"),
            2..6 => format!("{system}|{code}"),
            _ => code,
        }
    }

    fn identifier(&mut self) -> String {
        let (system, value) = *self.random.pick(IDENTIFIERS);
        self.of_system(system, value)
    }

    fn of_type(&mut self) -> String {
        let (system, code, _) = *self.random.pick(CODES);
        let (_, value) = *self.random.pick(IDENTIFIERS);
        format!("{}|{}|{value}", system.unwrap_or("urn:local"), escaped(code))
    }

    /// What stands in codes and booleans.
    fn word(&mut self) -> String {
        let words =
            [STATUSES, &["true", "false", "male", "female", "MALE", "order", "accepted", "home", "Jim@acme.org"]];
        let words = words.concat();
        let word = *self.random.pick(&words);
        match self.random.below(6) {
            0 => format!("http://hl7.org/fhir/any|{word}"),
            1 => format!("|{word}"),
            _ => word.to_owned(),
        }
    }

    fn number(&mut self) -> String {
        format!("{}{}", self.random.pick(PREFIXES), self.random.pick(NUMBERS))
    }

    fn quantity(&mut self) -> String {
        let number = self.number();
        let (system, code) = *self.random.pick(UNITS);
        match (system, code, self.random.below(4)) {
            (Some(system), Some(code), 0..3) => format!("{number}|{system}|{code}"),
            (_, Some(code), _) => format!("{number}||{code}"),
            _ => number,
        }
    }

    fn reference(&mut self, parameter: &Parameter, modifier: &str) -> String {
        let names = KINDS.iter().map(|(name, ..)| *name);
        let targets: Vec<&str> = names.filter(|name| leads_to(parameter, name)).collect();
        let target = match (modifier, targets.is_empty()) {
            ("", false) => *self.random.pick(&targets),
            ("", true) => "Patient",
            (named, _) => type_of(named).as_str(),
        };
        let id = 1 + self.random.below(count_of(target) + 2);
        match self.random.below(10) {
            0 => format!("{BASE}/{target}/{id}"),
            1 => format!("{target}/{id}/_history/1"),
            2 => format!("http://other.org/fhir/{target}/{id}"),
            3..6 => id.to_string(),
            _ => format!("{target}/{id}"),
        }
    }
}

/// As a search writes values.
pub fn escaped(text: &str) -> String {
    let escape = |c: char| if matches!(c, ',' | '$' | '|' | '\\') { vec!['\\', c] } else { vec![c] };
    text.chars().flat_map(escape).collect()
}
