//! A clause answered from memory, entry by entry: what the SQL of a search must agree with.

use super::clause::{
    Bounds, Branch, Chain, Clause, Has, Limit, Limits, Link, Predicate, SystemMatch, TextMatch, Under, UnitMatch,
};
use super::entry::{Entries, NumberEntry, Position, Span};
use super::full_text;
use super::hash::self_hash;
use crate::fhir::definitions::ResourceType;
use std::collections::HashMap;

/// A resource as far as searches know it.
#[derive(Debug, Clone, Copy)]
pub struct Fact<'a> {
    pub resource_type: ResourceType,
    pub id: &'a str,
    /// Microseconds since 1970 UTC.
    pub last_updated_us: i64,
    pub entries: &'a Entries,
}

/// All resources, by what chains go along.
#[derive(Debug, Default)]
pub struct World<'a> {
    by_self: HashMap<i64, Fact<'a>>,
    by_token: HashMap<i64, Vec<Fact<'a>>>,
}

impl<'a> World<'a> {
    pub fn of(facts: &[Fact<'a>]) -> World<'a> {
        let mut world = World::default();
        for fact in facts {
            world.by_self.insert(self_hash(fact.resource_type.as_str(), fact.id), *fact);
            for entry in &fact.entries.tokens {
                world.by_token.entry(entry.token).or_default().push(*fact);
            }
        }
        world
    }
}

/// Whether a resource meets a clause; `world` holds all resources, for chains. A [`Clause::Pending`] is met by
/// nothing, since entries do not tell.
pub fn matches(clause: &Clause, fact: &Fact<'_>, world: &World<'_>) -> bool {
    match clause {
        Clause::Match(predicate) => holds(predicate, fact),
        Clause::Not(inner) => !matches(inner, fact, world),
        Clause::Any(clauses) => clauses.iter().any(|clause| matches(clause, fact, world)),
        Clause::All(clauses) => clauses.iter().all(|clause| matches(clause, fact, world)),
        Clause::Chain(chain) => chains(chain, fact, world),
        Clause::Has(has) => is_referred_to(has, fact, world),
        Clause::Pending(_) => false,
    }
}

fn chains(chain: &Chain, fact: &Fact<'_>, world: &World<'_>) -> bool {
    let leads = |target: &Fact<'_>| {
        let mut conditions = chain.targets.iter().filter(|(resource_type, _)| *resource_type == target.resource_type);
        conditions.any(|(_, condition)| matches(condition, target, world))
    };
    let target = |token: i64, link: &Link| world.by_self.get(&(token ^ link.hash));
    let mut tokens = fact.entries.tokens.iter();
    fact.resource_type == chain.source
        && tokens.any(|entry| chain.links.iter().filter_map(|link| target(entry.token, link)).any(leads))
}

fn is_referred_to(has: &Has, fact: &Fact<'_>, world: &World<'_>) -> bool {
    let own = self_hash(fact.resource_type.as_str(), fact.id);
    let mut sources = has.links.iter().filter_map(|link| world.by_token.get(&(link.hash ^ own))).flatten();
    fact.resource_type == has.target
        && sources.any(|source| source.resource_type == has.source && matches(&has.condition, source, world))
}

fn holds(predicate: &Predicate, fact: &Fact<'_>) -> bool {
    let Entries { date, tokens, strings, dates, numbers, positions, texts } = fact.entries;
    match predicate {
        Predicate::Type(resource_type) => fact.resource_type == *resource_type,
        Predicate::Id(id) => fact.id == id.as_str(),
        Predicate::SelfIn(selves) => selves.contains(&self_hash(fact.resource_type.as_str(), fact.id)),
        // A version is written at one moment: a span of one microsecond.
        Predicate::LastUpdated(bounds) => {
            spans(bounds, Span { low: fact.last_updated_us, high: fact.last_updated_us + 1 })
        }
        Predicate::Token { token, system, .. } => {
            tokens.iter().any(|entry| entry.token == *token && in_system(*system, entry.system))
        }
        Predicate::TokenIn { tokens: wanted, system } => {
            tokens.iter().any(|entry| wanted.contains(&entry.token) && in_system(*system, entry.system))
        }
        Predicate::Reference { token, .. } => tokens.iter().any(|entry| entry.token == *token),
        Predicate::InSystem { param, system } => {
            tokens.iter().any(|entry| entry.param == *param && entry.system == Some(*system))
        }
        Predicate::Present(branch) => is_present(*branch, fact.entries),
        Predicate::Text { under: Under { param, system, .. }, matching } => strings.iter().any(|entry| {
            entry.param == *param && in_system(*system, entry.system) && reads(matching, &entry.value, entry.exact)
        }),
        Predicate::LeadingDate(bounds) => date.is_some_and(|span| spans(bounds, span)),
        Predicate::Date { under: Under { param, system, .. }, bounds } => dates
            .iter()
            .any(|entry| entry.param == *param && in_system(*system, entry.system) && spans(bounds, entry.span)),
        Predicate::Number { under: Under { param, system, .. }, unit, bounds } => numbers
            .iter()
            .any(|entry| entry.param == *param && in_system(*system, entry.system) && measures(*unit, bounds, entry)),
        Predicate::Near { latitude, longitude, metres } => {
            let centre = Position { latitude: *latitude, longitude: *longitude };
            positions.iter().any(|position| distance_metres(centre, *position) <= *metres)
        }
        Predicate::FullText { narrative_only, alternatives } => texts.as_ref().is_some_and(|texts| {
            full_text::matches(alternatives, if *narrative_only { &texts.narrative } else { &texts.content })
        }),
    }
}

fn is_present(branch: Branch, entries: &Entries) -> bool {
    match branch {
        Branch::Token(param) => entries.tokens.iter().any(|entry| entry.param == param),
        Branch::String(param) => entries.strings.iter().any(|entry| entry.param == param),
        Branch::LeadingDate => entries.date.is_some(),
        Branch::Date(param) => entries.dates.iter().any(|entry| entry.param == param),
        Branch::Number(param) => entries.numbers.iter().any(|entry| entry.param == param),
        Branch::Position => !entries.positions.is_empty(),
    }
}

fn in_system(wanted: SystemMatch, system: Option<i32>) -> bool {
    match wanted {
        SystemMatch::Any => true,
        SystemMatch::None => system.is_none(),
        SystemMatch::Is(wanted) => system == Some(wanted),
    }
}

fn reads(matching: &TextMatch, value: &str, exact: i64) -> bool {
    match matching {
        TextMatch::Prefix(start) => value.starts_with(start.as_str()),
        TextMatch::Contains(part) => value.contains(part.as_str()),
        TextMatch::Suffix(end) => value.ends_with(end.as_str()),
        TextMatch::Whole(whole) => value == whole,
        TextMatch::Exact { folded, exact: wanted } => value == folded && exact == *wanted,
    }
}

fn measures(unit: UnitMatch, bounds: &Bounds<f64>, entry: &NumberEntry) -> bool {
    let as_written = bounded(bounds, entry.raw_low, entry.raw_high);
    match unit {
        UnitMatch::Any => as_written,
        UnitMatch::Canonical(unit) => entry.unit == unit && bounded(bounds, entry.low, entry.high),
        UnitMatch::Written(unit) => (entry.unit_code == unit || entry.unit_text == unit) && as_written,
    }
}

fn spans(bounds: &Bounds<i64>, span: Span) -> bool {
    bounded(bounds, span.low, span.high)
}

fn bounded<T: PartialOrd + Copy>(bounds: &Bounds<T>, low: T, high: T) -> bool {
    limited(&bounds.low, low) && limited(&bounds.high, high)
}

fn limited<T: PartialOrd + Copy>(limits: &Limits<T>, value: T) -> bool {
    let after = |limit: Limit<T>| value > limit.value || limit.inclusive && value == limit.value;
    let before = |limit: Limit<T>| value < limit.value || limit.inclusive && value == limit.value;
    limits.from.is_none_or(after) && limits.to.is_none_or(before)
}

/// Along the great circle, on a sphere of the earth's mean radius.
fn distance_metres(a: Position, b: Position) -> f64 {
    const EARTH_RADIUS_METRES: f64 = 6_371_008.8;
    let half_chord = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let parallels = a.latitude.to_radians().cos() * b.latitude.to_radians().cos();
    let chord = half_chord(b.latitude - a.latitude) + parallels * half_chord(b.longitude - a.longitude);
    2.0 * EARTH_RADIUS_METRES * chord.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::entry::TokenEntry;
    use crate::search::kind::fixture::branch;
    use crate::search::registry::ParameterKind::Reference;

    fn fact<'a>(resource_type: ResourceType, id: &'a str, entries: &'a Entries) -> Fact<'a> {
        Fact { resource_type, id, last_updated_us: 5, entries }
    }

    #[test]
    fn a_chain_follows_a_reference_and_has_comes_back_on_it() {
        let branch = branch(Reference, "Observation.subject");
        let token = branch.hash ^ self_hash("Patient", "1");
        let to_patient = TokenEntry { token, param: branch.param, system: None, code: None };
        let (observed, none) = (Entries { tokens: vec![to_patient], ..Entries::default() }, Entries::default());
        let observation = fact(ResourceType::OBSERVATION, "o", &observed);
        let (one, two) = (fact(ResourceType::PATIENT, "1", &none), fact(ResourceType::PATIENT, "2", &none));
        let world = World::of(&[observation, one, two]);

        let is_male = |yes: bool| if yes { Clause::All(Vec::new()) } else { Clause::Any(Vec::new()) };
        let chain = |yes| {
            let targets = vec![(ResourceType::PATIENT, is_male(yes))];
            Clause::Chain(Chain { source: ResourceType::OBSERVATION, links: vec![branch.link()], targets })
        };
        assert!(matches(&chain(true), &observation, &world));
        assert!(!matches(&chain(false), &observation, &world));

        let has = Clause::Has(Has {
            target: ResourceType::PATIENT,
            source: ResourceType::OBSERVATION,
            links: vec![branch.link()],
            condition: Box::new(is_male(true)),
        });
        assert!(matches(&has, &one, &world));
        assert!(!matches(&has, &two, &world));
    }

    #[test]
    fn a_version_was_written_at_one_moment() {
        let entries = Entries::default();
        let fact = fact(ResourceType::PATIENT, "1", &entries);
        let updated = |from, to| Clause::Match(Predicate::LastUpdated(Bounds::within(from, to)));
        assert!(matches(&updated(5, 6), &fact, &World::default()));
        assert!(!matches(&updated(4, 5), &fact, &World::default()));
        assert!(!matches(&updated(6, 7), &fact, &World::default()));
    }
}
