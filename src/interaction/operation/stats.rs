//! `$stats`: statistics of what was measured of somebody. <https://hl7.org/fhir/R4/observation-operation-stats.html>

use super::input::{Input, field, parameters};
use super::related::{references, tree};
use super::statistic::{CODES, In, Measured, SYSTEM};
use super::walk::{LOOKED_AT_MAX, code_keys, each_match};
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id};
use crate::fhir::instant::{Interval, to_instant};
use crate::fhir::json::{Json, Object};
use crate::fhir::resource::Resource;
use crate::interaction::audit::patients_of;
use crate::interaction::request::Request;
use crate::interaction::response::Response;
use crate::interaction::{Context, search};
use crate::search::kind::quantity::line;
use crate::search::query::Scope;
use crate::store::{Reader, Stored};
use chrono::{DateTime, Duration, Utc};
use std::collections::{BTreeSet, HashMap, HashSet};

const KNOWN: &[&str] = &["subject", "code", "system", "coding", "duration", "period", "statistic", "include", "limit"];
const UCUM: &str = "http://unitsofmeasure.org";
const OBSERVATION: ResourceType = ResourceType::OBSERVATION;
/// Codes that one request may ask for (codes).
const CODES_MAX: usize = 100;
/// Codes of which one answer tells the statistics: those that were asked for, and those of parts of panels (codes).
const GROUPS_MAX: usize = 1_000;
const DAY_SECONDS: f64 = 86_400.0;

/// From when to when, each end where it is said.
type Span = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// What is asked.
struct Asked<'a> {
    subject: &'a str,
    /// System (any, where there is none) and code.
    codings: Vec<(Option<String>, String)>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    statistics: Vec<(&'static str, &'static str)>,
    /// So many of the Observations that it comes from go along.
    include: usize,
}

/// What was measured under one code.
struct Group {
    code: Json,
    measures: Vec<Measure>,
}

/// The groups in the order in which they are told, and which has a key: the first that brought it.
#[derive(Default)]
struct Groups {
    all: Vec<Group>,
    by_key: HashMap<String, usize>,
}

impl Groups {
    fn make(&mut self, keys: Vec<String>, code: Json) -> Result<usize> {
        let place = self.all.len();
        if place >= GROUPS_MAX {
            let message = format!("The statistics would be those of more than {GROUPS_MAX} codes. Ask for fewer.");
            return Err(Error::new(Kind::TooCostly, message).at("code"));
        }
        self.all.push(Group { code, measures: Vec::new() });
        for key in keys {
            self.by_key.entry(key).or_insert(place);
        }
        Ok(place)
    }

    /// The group of a part of a panel, which may be new.
    fn part_of(&mut self, keys: Vec<String>, part: &Object) -> Result<usize> {
        match keys.iter().filter_map(|key| self.by_key.get(key)).min() {
            Some(known) => Ok(*known),
            None => self.make(keys, part.get("code").cloned().unwrap_or_else(|| Json::Object(Object::new()))),
        }
    }

    fn add(&mut self, place: usize, measured: &Object, of: &Object) {
        add(self.all.get_mut(place), measured, of);
    }
}

struct Measure {
    at: Option<DateTime<Utc>>,
    /// Value and UCUM's code, and how people write the unit; `None`: it counts for `total-count` only.
    quantity: Option<(f64, String, String)>,
}

pub async fn answer(context: &Context, reader: Reader<'_>, request: &Request) -> Result<Response> {
    let input = Input::read(context, request, KNOWN)?;
    let asked = Asked::read(&input)?;
    let query = search::read(context, &Scope::Type(OBSERVATION), &asked.search(), true, Some(&request.base))?;
    let conditions = search::conditions(context, reader, &query).await?;
    let include = asked.include.min(context.limits.included_max);
    let mut found = Found::default();
    each_match(reader, &query.types, &conditions, |hit| {
        let tree = tree(&hit.stored)?;
        if found.sources.len() < include {
            found.sources.push(resource("source", tree.json().clone()));
        }
        found.patients.extend(patients_of(context, [&hit.stored]));
        found.seen.insert((hit.stored.resource_type, hit.stored.id));
        if found.places.last() != Some(&hit.stored.compartment) {
            found.places.push(hit.stored.compartment);
        }
        found.trees.push(slim(tree.object()));
        Ok(())
    })
    .await?;
    let members = members(context, reader, &asked, &mut found).await?;
    found.patients.extend(patients_of(context, &members));
    let member_trees: Vec<Resource> = members.iter().map(tree).collect::<Result<_>>()?;
    let groups = asked.groups(&found.trees, &member_trees)?;
    let told = groups.iter().map(|group| resource("statistics", asked.told(group).into()));
    let body = parameters(told.chain(found.sources).collect()).to_bytes();
    Ok(Response { patients: found.patients.into_iter().collect(), ..Response::of_body(200, body) })
}

/// The Observations that count, as far as they are needed: all of their content would fill the memory.
#[derive(Default)]
struct Found {
    trees: Vec<Object>,
    sources: Vec<Json>,
    patients: BTreeSet<Id>,
    seen: HashSet<(ResourceType, Id)>,
    places: Vec<Compartment>,
}

/// What is reckoned with.
fn slim(observation: &Object) -> Object {
    const NEEDED: &[&str] = &["code", "component", "modifierExtension", "hasMember", "status"];
    let is_needed = |name: &str| NEEDED.contains(&name) || name.starts_with("value") || name.starts_with("effective");
    let mut kept = Object::new();
    for (name, value) in observation.iter().filter(|(name, _)| is_needed(name)) {
        kept.push(name.into(), value.clone());
    }
    kept
}

fn resource(name: &str, resource: Json) -> Json {
    field(name, "resource", resource)
}

/// The Observations that a panel has as members, of the same subject.
async fn members(context: &Context, reader: Reader<'_>, asked: &Asked<'_>, found: &mut Found) -> Result<Vec<Stored>> {
    let mut wanted = Vec::new();
    for tree in found.trees.iter().filter(|tree| asked.wants(&code_keys(tree.get("code")))) {
        if let Some(members) = tree.get("hasMember") {
            let of_type = references(members, context.own_base.as_deref()).into_iter();
            wanted.extend(of_type.filter(|(of, _)| *of == OBSERVATION).filter(|one| found.seen.insert(one.clone())));
        }
    }
    if wanted.len() + found.trees.len() > LOOKED_AT_MAX {
        let message = format!("More than {LOOKED_AT_MAX} Observations would have to be looked at. Narrow the period.");
        return Err(Error::new(Kind::TooCostly, message).at("period"));
    }
    let members = reader.resources(&wanted, &found.places).await?;
    // Whatever a panel names, it is not another one's measurement.
    Ok(members.into_iter().filter(|stored| found.places.contains(&stored.compartment)).collect())
}

impl<'a> Asked<'a> {
    fn read(input: &'a Input) -> Result<Asked<'a>> {
        let subject = input.text("subject")?;
        let missing = |name: &str, like: &str| Error::invalid(format!("{name} is required, such as {like}.")).at(name);
        let subject = subject.ok_or_else(|| missing("subject", "Patient/123"))?;
        let codings = codings(input)?;
        if codings.is_empty() {
            return Err(missing("code", "8867-4 with the system http://loinc.org, or a coding"));
        }
        let (from, to) = period(input)?;
        let mut statistics = Vec::new();
        for (code, given) in input.codes("statistic")? {
            // The list of codes and the page of the operation write these two differently.
            let code = match code {
                "max" => "maximum",
                "min" => "minimum",
                code => code,
            };
            let known = CODES.iter().find(|(known, _)| *known == code);
            let known = known
                .ok_or_else(|| given.refuse("is a code of http://hl7.org/fhir/ValueSet/observation-statistics"))?;
            if !statistics.contains(known) {
                statistics.push(*known);
            }
        }
        if statistics.is_empty() {
            return Err(missing("statistic", "average"));
        }
        let limit = input.number("limit", 1)?.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let include = if input.flag("include")? { limit } else { 0 };
        Ok(Asked { subject, codings, from, to, statistics, include })
    }

    /// The search for all that can count.
    fn search(&self) -> Vec<(String, String)> {
        let code = |(system, code): &(Option<String>, String)| match system {
            Some(system) => format!("{}|{}", escaped(system), escaped(code)),
            None => escaped(code),
        };
        let codes: Vec<String> = self.codings.iter().map(code).collect();
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let mut search = vec![
            pair("subject", escaped(self.subject)),
            pair("combo-code", codes.join(",")),
            pair("status:not", "entered-in-error".to_owned()),
        ];
        search.extend(self.from.map(|from| pair("date", format!("ge{}", to_instant(from)))));
        search.extend(self.to.map(|to| pair("date", format!("le{}", to_instant(to)))));
        search
    }

    fn wants(&self, keys: &[String]) -> bool {
        self.codings.iter().any(|coding| is_key(coding, keys))
    }

    /// What was measured under each code that was asked for, and of panels under each code of their parts.
    fn groups(&self, trees: &[Object], members: &[Resource]) -> Result<Vec<Group>> {
        let mut groups = Groups::default();
        for (system, code) in &self.codings {
            let coding = match system {
                Some(system) => Object::new().with_str("system", system).with_str("code", code),
                None => Object::new().with_str("code", code),
            };
            let concept = Object::new().with("coding", Json::Array(vec![coding.into()]));
            let keys = vec![format!("{}|{code}", system.as_deref().unwrap_or_default())];
            groups.make(keys, concept.into())?;
        }
        let asked = groups.all.len();
        let mut panels = HashSet::new();
        for object in trees {
            let keys = code_keys(object.get("code"));
            let parts = object.get("component").map(Json::items).unwrap_or_default();
            let mine = self.codings.iter().position(|coding| is_key(coding, &keys));
            let is_panel = !parts.is_empty() || object.get("hasMember").is_some();
            if let Some(mine) = mine {
                let has_value = object.iter().any(|(name, _)| name.starts_with("value"));
                if has_value || !is_panel {
                    groups.add(mine, object, object);
                } else {
                    panels.insert(mine);
                }
            }
            for part in parts.iter().filter_map(Json::as_object) {
                let keys = code_keys(part.get("code"));
                let wanted = self.codings.iter().position(|coding| is_key(coding, &keys));
                let place = match (wanted, mine) {
                    (Some(wanted), _) => wanted,
                    (None, Some(_)) => groups.part_of(keys, part)?,
                    (None, None) => continue,
                };
                groups.add(place, part, object);
            }
        }
        for object in members.iter().map(Resource::object) {
            let is_wrong = object.get_str("status") == Some("entered-in-error");
            if !is_wrong {
                let place = groups.part_of(code_keys(object.get("code")), object)?;
                groups.add(place, object, object);
            }
        }
        // A panel that has parts only has no statistics of its own.
        let mut position = 0..;
        groups.all.retain(|group| {
            let position = position.next().unwrap_or_default();
            position >= asked || !group.measures.is_empty() || !panels.contains(&position)
        });
        Ok(groups.all)
    }

    /// The Observation that tells the statistics of one code.
    fn told(&self, group: &Group) -> Object {
        let (measured, unit) = self.measured(group);
        let mut components = Vec::new();
        for (code, display) in &self.statistics {
            for told in measured.tell(code) {
                let coding =
                    Object::new().with_str("system", SYSTEM).with_str("code", code).with_str("display", display);
                let mut concept = Object::new().with("coding", Json::Array(vec![coding.into()]));
                if let Some(part) = told.part {
                    concept = concept.with_str("text", part);
                }
                let component = Object::new().with("code", concept.into());
                components.push(Json::Object(match told.value.filter(|value| value.is_finite()) {
                    Some(value) => component.with("valueQuantity", quantity(value, told.unit, &unit)),
                    None => component.with("dataAbsentReason", not_applicable()),
                }));
            }
        }
        let reference = Object::new().with_str("reference", self.subject);
        let told = Object::new()
            .with_str("resourceType", "Observation")
            .with_str("status", "final")
            .with("code", group.code.clone())
            .with("subject", reference.into());
        let told = if self.from.or(self.to).is_some() { told.with("effectivePeriod", self.period()) } else { told };
        told.with("component", Json::Array(components))
    }

    fn period(&self) -> Json {
        let mut period = Object::new();
        if let Some(from) = self.from {
            period = period.with_str("start", to_instant(from));
        }
        if let Some(to) = self.to {
            period = period.with_str("end", to_instant(to));
        }
        period.into()
    }

    /// The measurements in the unit of the newest one. What cannot be converted into it does not count.
    fn measured(&self, group: &Group) -> (Measured, (String, String)) {
        let mut measured = Measured { total: group.measures.len(), ..Measured::default() };
        let newest = group.measures.iter().find_map(|measure| measure.quantity.as_ref());
        let Some((_, code, unit)) = newest else { return (measured, Default::default()) };
        let earliest = group.measures.iter().filter_map(|measure| measure.at).min();
        let start = self.from.or(earliest);
        for measure in &group.measures {
            let converted = measure.quantity.as_ref().and_then(|(value, of, _)| convert(*value, of, code));
            if let Some(value) = converted {
                measured.values.push(value);
                measured.days.push(measure.at.zip(start).map(|(at, start)| days(at - start)));
            }
        }
        (measured, (code.clone(), unit.clone()))
    }
}

fn days(span: Duration) -> f64 {
    span.as_seconds_f64() / DAY_SECONDS
}

/// Codes with their system, and codings.
fn codings(input: &Input) -> Result<Vec<(Option<String>, String)>> {
    let system = input.text("system")?.map(str::to_owned);
    let mut codings: Vec<(Option<String>, String)> = Vec::new();
    for (code, _) in input.codes("code")? {
        codings.push((system.clone(), code.to_owned()));
    }
    for given in input.many("coding") {
        let coding = given.complex("Coding")?;
        let code = coding.get_str("code").ok_or_else(|| given.refuse("has a code"))?;
        codings.push((coding.get_str("system").map(str::to_owned), code.to_owned()));
    }
    let mut seen = HashSet::new();
    codings.retain(|coding| seen.insert(coding.clone()));
    if codings.len() > CODES_MAX {
        return Err(Error::new(Kind::TooCostly, format!("At most {CODES_MAX} codes are asked for at once.")).at("code"));
    }
    Ok(codings)
}

/// From when to when: so many hours up to now, or a period.
fn period(input: &Input) -> Result<Span> {
    let (duration, period) = (input.one("duration")?, input.one("period")?);
    if let (Some(_), Some(period)) = (duration, period) {
        return Err(period.refuse("is not asked for together with duration"));
    }
    if let Some(given) = duration {
        let hours = given.text()?.parse::<f64>().ok().filter(|hours| *hours > 0.0 && *hours < 1e7);
        let hours = hours.ok_or_else(|| given.refuse("is a number of hours above 0"))?;
        #[allow(clippy::cast_possible_truncation)] // Bounded above.
        let span = Duration::milliseconds((hours * 3_600_000.0) as i64);
        let now = Utc::now();
        return Ok((Some(now - span), Some(now)));
    }
    let Some(given) = period else { return Ok((None, None)) };
    let object = given.complex("Period")?;
    let read = |name: &str| match object.get_str(name) {
        None => Ok(None),
        Some(text) => {
            let read = Interval::parse(text);
            read.map(Some).map_err(|invalid| Error::from(invalid).at(format!("{}.valuePeriod.{name}", given.place)))
        }
    };
    let (start, end) = (read("start")?, read("end")?);
    // The end is the last moment that counts.
    Ok((start.map(|start| start.start), end.map(|end| end.end - Duration::milliseconds(1))))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | ',' | '$' | '|') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn is_key((system, code): &(Option<String>, String), keys: &[String]) -> bool {
    keys.iter().any(|key| match system {
        Some(system) => key.strip_prefix(system.as_str()).and_then(|rest| rest.strip_prefix('|')) == Some(code),
        None => key.rsplit_once('|').is_some_and(|(_, of)| of == code),
    })
}

/// `measured`: the Observation or its component; `of`: the Observation.
fn add(group: Option<&mut Group>, measured: &Object, of: &Object) {
    let Some(group) = group else { return };
    // Who changed the meaning by an extension has a measurement that this server does not understand.
    let is_plain = of.get("modifierExtension").is_none() && measured.get("modifierExtension").is_none();
    let quantity = measured.get("valueQuantity").and_then(Json::as_object).filter(|_| is_plain).and_then(exact);
    group.measures.push(Measure { at: time(of), quantity });
}

/// A value with a unit of UCUM, and no bound such as `<5`.
fn exact(quantity: &Object) -> Option<(f64, String, String)> {
    let Json::Number(digits) = quantity.get("value")? else { return None };
    let code = quantity.get_str("code").filter(|_| quantity.get_str("system") == Some(UCUM))?;
    let unit = quantity.get_str("unit").unwrap_or(code);
    let value = digits.parse::<f64>().ok().filter(|value| value.is_finite() && quantity.get("comparator").is_none())?;
    Some((value, code.to_owned(), unit.to_owned()))
}

fn time(observation: &Object) -> Option<DateTime<Utc>> {
    let period = || observation.get("effectivePeriod")?.as_object()?.get_str("start");
    let text = observation.get_str("effectiveDateTime").or_else(|| observation.get_str("effectiveInstant"));
    Interval::parse(text.or_else(period)?).ok().map(|interval| interval.start)
}

fn convert(value: f64, from: &str, to: &str) -> Option<f64> {
    if from == to {
        return Some(value);
    }
    let ((unit, factor, offset), (wanted, to_factor, to_offset)) = (line(from)?, line(to)?);
    (unit == wanted && to_factor != 0.0).then(|| (value * factor + offset - to_offset) / to_factor)
}

fn quantity(value: f64, measured_in: In, (code, unit): &(String, String)) -> Json {
    // Digits beyond these are none of the measurement's. Rust writes a number without an exponent.
    let rounded = format!("{value:.11e}").parse::<f64>().unwrap_or(value);
    let (code, unit) = match measured_in {
        In::Unit => (code.clone(), unit.clone()),
        In::UnitSquared => (format!("({code}).({code})"), format!("({unit})²")),
        In::UnitPerDay => (format!("({code})/d"), format!("{unit} per day")),
        In::Number => ("1".to_owned(), "1".to_owned()),
    };
    let quantity = Object::new()
        .with("value", Json::Number(rounded.to_string().into()))
        .with_str("unit", unit)
        .with_str("system", UCUM)
        .with_str("code", code);
    quantity.into()
}

fn not_applicable() -> Json {
    let coding = Object::new()
        .with_str("system", "http://terminology.hl7.org/CodeSystem/data-absent-reason")
        .with_str("code", "not-applicable");
    Object::new().with("coding", Json::Array(vec![coding.into()])).into()
}
