//! A search for AuditEvents, as far as the audit is asked: by patient, agent, entity, action, outcome, kind and date.

use super::super::Context;
use super::super::request::{COMMON_PARAMETERS, Request};
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::{ResourceType, in_patient_compartment};
use crate::fhir::id::{Compartment, Id};
use crate::fhir::instant::Interval;
use crate::fhir::reference::Target;
use crate::store::{AuditKey, AuditQuery};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// The parameter that carries where the next page starts.
pub const PAGE: &str = "_page";

/// The search parameters of AuditEvent that the audit is asked by.
pub const SEARCHED: &[&str] =
    &["_id", "action", "agent", "agent-name", "date", "entity", "outcome", "patient", "subtype"];

/// What a search may say, for who said something else.
const KNOWN: &[&str] = &[
    "patient",
    "agent",
    "agent:identifier",
    "agent-name",
    "entity",
    "action",
    "outcome",
    "subtype",
    "date",
    "_id",
    "_count",
    "_sort=-date",
];

/// A query as it was understood.
pub struct Asked {
    pub query: AuditQuery,
    /// One record by its id.
    pub id: Option<AuditKey>,
    /// Name and value of what is part of the search: the links repeat it.
    pub used: Vec<(String, String)>,
    /// Of what is not.
    pub ignored: Vec<(String, String)>,
}

/// Reads the parameters. What is not known is ignored and reported, or refused under strict handling.
pub fn read(context: &Context, request: &Request) -> Result<Asked> {
    let query = AuditQuery { count: context.limits.page_count_default, ..AuditQuery::default() };
    let mut asked = Asked { query, id: None, used: Vec::new(), ignored: Vec::new() };
    for (name, value) in &request.query {
        if value.is_empty() || COMMON_PARAMETERS.contains(&name.as_str()) {
            continue;
        }
        let is_known = asked.take(context, name, value).map_err(|error| error.at(name))?;
        let pair = (name.clone(), value.clone());
        match is_known {
            true if name == PAGE => {}
            true => asked.used.push(pair),
            false if request.prefer.strict => {
                let message = format!("The audit is not searched by this; it is by {}.", KNOWN.join(", "));
                return Err(Error::new(Kind::NotSupported, message).at(name));
            }
            false => asked.ignored.push(pair),
        }
    }
    Ok(asked)
}

impl Asked {
    /// Whether the parameter is known.
    fn take(&mut self, context: &Context, name: &str, value: &str) -> Result<bool> {
        let query = &mut self.query;
        match name {
            "patient" | "patient:Patient" | "entity:Patient" => of_patient(query, patient(context, value)?)?,
            "agent" => hold(query, "link", json!({"agent": {"link": agent(context, value)?}}))?,
            "agent-name" => hold(query, "name", json!({"agent": {"name": one(value)?}}))?,
            "agent:identifier" => narrow(&mut query.accounts, values(value).map(code).collect()),
            "entity" => self.entity(context, value)?,
            "action" => narrow(&mut query.interactions, each(value, actions)?),
            "subtype" => narrow(&mut query.interactions, values(value).map(code).collect()),
            "outcome" => narrow(&mut query.statuses, each(value, outcomes)?),
            "date" => date(query, value)?,
            // What is no id of a record names none.
            "_id" => self.id = Some(AuditKey::from_id(one(value)?).unwrap_or_default()),
            "_count" => query.count = count(context, value)?,
            "_sort" if matches!(value, "-date" | "-_lastUpdated") => {}
            "_sort" => return Err(Error::not_supported("Records come the newest first: _sort=-date.")),
            PAGE => {
                let message = "This is not a page that the `next` link of such a search names.";
                query.after = Some(AuditKey::from_id(value).ok_or_else(|| Error::invalid(message))?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What was used. In nobody's compartment, a resource has its records beside it.
    fn entity(&mut self, context: &Context, value: &str) -> Result<()> {
        let (resource_type, id) = local(context, one(value)?)?;
        if resource_type == ResourceType::PATIENT {
            return of_patient(&mut self.query, id);
        }
        if !in_patient_compartment(resource_type) {
            self.query.place = Some(Compartment::alone(resource_type, &id));
        }
        hold(&mut self.query, "what", json!({"what": {"type": resource_type.as_str(), "id": id.as_str()}}))
    }
}

fn values(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim)
}

/// A code without its system: there is one system for each.
fn code(value: &str) -> String {
    value.rsplit('|').next().unwrap_or_default().to_owned()
}

fn one(value: &str) -> Result<&str> {
    if value.contains(',') {
        return Err(Error::not_supported("Here one value at a time is searched for."));
    }
    Ok(value.trim())
}

fn each<T>(value: &str, read: impl Fn(&str) -> Result<Vec<T>>) -> Result<Vec<T>> {
    Ok(values(value).map(|value| read(&code(value))).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// Each parameter must hold: what an earlier one left is narrowed.
fn narrow<T: PartialEq>(allowed: &mut Option<Vec<T>>, wanted: Vec<T>) {
    match allowed {
        Some(allowed) => allowed.retain(|one| wanted.contains(one)),
        None => *allowed = Some(wanted),
    }
}

/// A second value for the same member would have to be equal to the first one.
fn hold(query: &mut AuditQuery, member: &str, value: Value) -> Result<()> {
    let Some(held) = &mut query.holds else {
        query.holds = Some(value);
        return Ok(());
    };
    for (name, part) in value.as_object().into_iter().flatten() {
        let present = held.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        if present.contains_key(member) || member == "what" && !present.is_empty() {
            return Err(Error::not_supported("This parameter may stand once."));
        }
        let mut merged = present;
        merged.extend(part.as_object().cloned().unwrap_or_default());
        if let Some(all) = held.as_object_mut() {
            all.insert(name.clone(), Value::Object(merged));
        }
    }
    Ok(())
}

fn of_patient(query: &mut AuditQuery, patient: Id) -> Result<()> {
    match &query.patient {
        Some(other) if *other != patient => Err(Error::not_supported("One patient at a time is searched for.")),
        _ => {
            query.patient = Some(patient);
            Ok(())
        }
    }
}

/// `Patient/x` or `x`.
fn patient(context: &Context, value: &str) -> Result<Id> {
    let value = one(value)?;
    if let Ok(id) = Id::parse(value) {
        return Ok(id);
    }
    match local(context, value)? {
        (ResourceType::PATIENT, id) => Ok(id),
        _ => Err(Error::invalid("A patient was expected here, as in Patient/123.")),
    }
}

/// Who is linked to the account that asked.
fn agent(context: &Context, value: &str) -> Result<String> {
    let (resource_type, id) = local(context, one(value)?)?;
    Ok(format!("{resource_type}/{id}"))
}

fn local(context: &Context, value: &str) -> Result<(ResourceType, Id)> {
    match Target::parse(value, context.own_base.as_deref()) {
        Target::Local { resource_type, id, .. } => Ok((resource_type, id)),
        _ => Err(Error::invalid("A resource of this server was expected here, as in Practitioner/123.")),
    }
}

/// The interactions that FHIR's letter stands for. <https://hl7.org/fhir/R4/valueset-audit-event-action.html>
fn actions(letter: &str) -> Result<Vec<String>> {
    let words: &[&str] = match letter {
        "C" => &["create"],
        "R" => &["read", "vread"],
        "U" => &["update", "patch"],
        "D" => &["delete"],
        "E" => crate::audit::event::EXECUTED,
        _ => return Err(Error::invalid("An action is one of C, R, U, D, E.")),
    };
    Ok(words.iter().map(|word| (*word).to_owned()).collect())
}

/// <https://hl7.org/fhir/R4/valueset-audit-event-outcome.html>
fn outcomes(code: &str) -> Result<Vec<i32>> {
    match code {
        "0" => Ok(vec![2, 3]),
        "4" => Ok(vec![4]),
        "8" => Ok(vec![5]),
        // This server never tells of its own end.
        "12" => Ok(Vec::new()),
        _ => Err(Error::invalid("An outcome is one of 0, 4, 8, 12.")),
    }
}

fn date(query: &mut AuditQuery, value: &str) -> Result<()> {
    let value = one(value)?;
    let (prefix, text) = match value.split_at_checked(2) {
        Some((prefix, text)) if prefix.bytes().all(|byte| byte.is_ascii_lowercase()) => (prefix, text),
        _ => ("eq", value),
    };
    let Interval { start, end } = Interval::parse(text).map_err(Error::from)?;
    let (since, before) = match prefix {
        "eq" => (Some(start), Some(end)),
        "ge" => (Some(start), None),
        "gt" | "sa" => (Some(end), None),
        "le" => (None, Some(end)),
        "lt" | "eb" => (None, Some(start)),
        _ => return Err(Error::not_supported("Dates of the audit are compared by eq, ge, gt, sa, le, lt and eb.")),
    };
    let later = |one: Option<DateTime<Utc>>, other| one.max(other);
    let earlier = |one: Option<DateTime<Utc>>, other: Option<DateTime<Utc>>| match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    query.since = later(query.since, since);
    query.before = earlier(query.before, before);
    Ok(())
}

fn count(context: &Context, value: &str) -> Result<u32> {
    let count: u32 = value.parse().map_err(|_| Error::invalid("A whole number from 0 on was expected here."))?;
    Ok(count.min(context.limits.page_count_max))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query() -> AuditQuery {
        AuditQuery::default()
    }

    #[test]
    fn repeated_parameters_narrow_and_what_cannot_be_said_at_once_is_refused() {
        let mut query = query();
        narrow(&mut query.interactions, each("C,R", actions).unwrap());
        narrow(&mut query.interactions, vec!["read".to_owned(), "search".to_owned()]);
        assert_eq!(query.interactions, Some(vec!["read".to_owned()]));
        hold(&mut query, "link", json!({"agent": {"link": "Practitioner/d"}})).unwrap();
        hold(&mut query, "name", json!({"agent": {"name": "soto"}})).unwrap();
        hold(&mut query, "what", json!({"what": {"type": "Observation", "id": "x"}})).unwrap();
        let held = json!({"agent": {"link": "Practitioner/d", "name": "soto"},
            "what": {"type": "Observation", "id": "x"}});
        assert_eq!(query.holds, Some(held));
        assert!(hold(&mut query, "name", json!({"agent": {"name": "other"}})).is_err());
        assert!(hold(&mut query, "what", json!({"what": {"type": "Encounter", "id": "x"}})).is_err());
        of_patient(&mut query, Id::parse("p").unwrap()).unwrap();
        assert!(of_patient(&mut query, Id::parse("q").unwrap()).is_err());
        assert!(each("X", actions).is_err() && each("5", outcomes).is_err() && one("a,b").is_err());
    }

    #[test]
    fn dates_are_intervals_that_narrow_each_other() {
        let at = |text: &str| Interval::parse(text).unwrap();
        let mut query = query();
        date(&mut query, "2026-11").unwrap();
        date(&mut query, "ge2026-11-05").unwrap();
        date(&mut query, "lt2026-11-07").unwrap();
        assert_eq!(query.since, Some(at("2026-11-05").start));
        assert_eq!(query.before, Some(at("2026-11-07").start));
        date(&mut query, "gt2026-11-05").unwrap();
        assert_eq!(query.since, Some(at("2026-11-06").start));
        assert!(date(&mut query, "ne2026").is_err() && date(&mut query, "yesterday").is_err());
    }
}
