//! A world of random resources: made, sent to the server, and kept as the entries that searches should find them by.

use super::random::Random;
use super::values::{CODES, URIS, coding, identifier};
use super::{BASE, clinical, people, records};
use crate::support::Server;
use crate::support::bundle::{bundle, entry, put};
use brasa::fhir::definitions::ResourceType;
use brasa::fhir::id::{Id, VersionId};
use brasa::fhir::json::parse;
use brasa::fhir::resource::Resource;
use brasa::search::entry::Entries;
use brasa::search::evaluate::Fact;
use brasa::search::extract::extract;
use brasa::search::registry::Registry;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const PATIENTS: usize = 40;

type Make = fn(&mut Random) -> Value;

/// Types with the number of their resources, whose ids are 1, 2, 3 … in every type.
pub const KINDS: &[(&str, usize, Make)] = &[
    ("Organization", 15, people::organization),
    ("Practitioner", 15, people::practitioner),
    ("Location", 25, people::location),
    ("Patient", PATIENTS, people::patient),
    ("RelatedPerson", 20, people::related_person),
    ("Device", 15, people::device),
    ("Group", 10, people::group),
    ("Encounter", 120, clinical::encounter),
    ("Observation", 160, clinical::observation),
    ("Condition", 100, clinical::condition),
    ("MedicationRequest", 60, clinical::medication_request),
    ("DiagnosticReport", 50, clinical::diagnostic_report),
    ("RiskAssessment", 30, people::risk_assessment),
    ("Appointment", 30, people::appointment),
    ("MolecularSequence", 20, people::molecular_sequence),
    ("ValueSet", 20, people::value_set),
];

/// Further Observations, with ids as the server makes them.
const FURTHER: usize = 1_600;
/// Entries of a Bundle.
const BUNDLED: usize = 200;

pub fn count_of(type_name: &str) -> usize {
    KINDS.iter().find(|(name, ..)| *name == type_name).map_or(1, |(_, count, _)| *count)
}

/// A member of the resource, if there is one.
pub fn put_some(resource: &mut Value, name: &str, value: impl Serialize) {
    match json!(value) {
        Value::Null => {}
        Value::Array(items) if items.is_empty() => {}
        value => resource[name] = value,
    }
}

/// A Reference in one of its forms, to one of these types.
pub fn reference(random: &mut Random, types: &[&str]) -> Value {
    let target = *random.pick(types);
    reference_to(random, target)
}

pub fn reference_to(random: &mut Random, target: &str) -> Value {
    let id = target_id(random, target);
    match random.below(40) {
        0 => json!({"reference": format!("{target}/{id}/_history/1")}),
        1 => json!({"reference": format!("http://other.org/fhir/{target}/{id}")}),
        2 => json!({"identifier": identifier(random)}),
        3 => json!({"display": "somebody"}),
        4 | 5 => json!({"reference": format!("{BASE}/{target}/{id}"), "identifier": identifier(random)}),
        _ => json!({"reference": format!("{target}/{id}")}),
    }
}

/// Mostly of the record that is being written; now and then one that is not there.
fn target_id(random: &mut Random, target: &str) -> usize {
    let count = count_of(target);
    if random.chance(10) || count < PATIENTS {
        return 1 + random.below(count + 1);
    }
    let in_record = random.patient + PATIENTS * random.below(count / PATIENTS);
    in_record.min(count)
}

/// What any resource may have.
fn meta(random: &mut Random) -> Value {
    let mut meta = json!({});
    put_some(&mut meta, "tag", random.some(2, coding));
    put_some(&mut meta, "security", random.some(1, coding));
    put_some(&mut meta, "profile", random.some(2, |random| *random.pick(URIS)));
    put_some(&mut meta, "source", random.maybe(50, |random| *random.pick(URIS)));
    meta
}

fn make(random: &mut Random, make: Make, number: usize) -> Value {
    random.patient = 1 + (number - 1) % PATIENTS;
    let mut resource = make(random);
    if random.chance(25) {
        resource["meta"] = meta(random);
    }
    if random.chance(10) {
        let (_, _, display) = random.pick(CODES);
        resource["text"] = json!({"status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{display}</div>")});
    }
    resource
}

fn with_id(mut resource: Value, id: impl ToString) -> Value {
    resource["id"] = json!(id.to_string());
    resource
}

/// A resource as the server has it.
pub struct Known {
    pub resource_type: ResourceType,
    pub id: String,
    pub last_updated_us: i64,
    pub entries: Entries,
}

impl Known {
    pub fn fact(&self) -> Fact<'_> {
        let Known { resource_type, last_updated_us, .. } = *self;
        Fact { resource_type, id: &self.id, last_updated_us, entries: &self.entries }
    }
}

pub struct World {
    pub known: Vec<Known>,
}

impl World {
    /// Makes a world and sends it: some resources are changed after that, some deleted.
    pub async fn load(server: &Server, registry: &Registry, random: &mut Random) -> World {
        let mut sent: BTreeMap<String, Value> = BTreeMap::new();
        for (name, count, maker) in KINDS {
            for number in 1..=*count {
                let resource = with_id(make(random, *maker, number), number);
                sent.insert(format!("{name}/{number}"), resource);
            }
        }
        for number in 1..=FURTHER {
            let observation = make(random, clinical::observation, number);
            // As the server makes them: in front the patient.
            let id = format!("{}.{number:013}", random.patient);
            sent.insert(format!("Observation/{id}"), with_id(observation, id));
        }
        records::keep_inside(&mut sent);
        send(server, sent.values().cloned().map(put).collect()).await;
        let before = sent.clone();
        change(random, &mut sent);
        records::keep_inside(&mut sent);
        let removed = before.keys().filter(|reference| !sent.contains_key(*reference));
        let changed = sent.iter().filter(|(reference, resource)| before.get(*reference) != Some(resource));
        let puts = changed.map(|(_, resource)| put(resource.clone()));
        send(server, removed.map(|reference| entry("DELETE", reference)).chain(puts).collect()).await;
        World { known: known(server, registry, &sent).await }
    }

    pub fn facts(&self) -> Vec<Fact<'_>> {
        self.known.iter().map(Known::fact).collect()
    }
}

/// Some resources become others, some go.
fn change(random: &mut Random, sent: &mut BTreeMap<String, Value>) {
    for (name, count, maker) in KINDS {
        for number in 1..=*count {
            let reference = format!("{name}/{number}");
            match random.below(30) {
                0 => drop(sent.remove(&reference)),
                1 | 2 => {
                    let other = 1 + random.below(PATIENTS);
                    sent.insert(reference, with_id(make(random, *maker, other), number));
                }
                _ => {}
            }
        }
    }
}

/// In batches.
async fn send(server: &Server, entries: Vec<Value>) {
    let batches = entries.chunks(BUNDLED).map(|entries| server.post("", bundle("batch", entries.iter().cloned())));
    let answers: Vec<_> = stream::iter(batches).buffered(3).collect().await;
    for answer in answers {
        let answer = answer.expect(200);
        assert!(answer.statuses().iter().all(|status| *status < 300), "{}", answer.text);
    }
}

/// The current resources: when each was written says the database, what is in it was sent.
async fn known(server: &Server, registry: &Registry, sent: &BTreeMap<String, Value>) -> Vec<Known> {
    let client = server.database.connect().await;
    let sql = "SELECT type, id, last_updated, version_id FROM resource WHERE body IS NOT NULL ORDER BY 1, 2";
    let rows = client.query(sql, &[]).await.unwrap();
    assert_eq!(rows.len(), sent.len(), "resources that are there and that were sent");
    let known = rows.iter().map(|row| {
        let (name, id): (String, String) = (row.get(0), row.get(1));
        let (last_updated, version): (DateTime<Utc>, i64) = (row.get(2), row.get(3));
        let text = sent.get(&format!("{name}/{id}")).unwrap_or_else(|| panic!("{name}/{id} was not sent")).to_string();
        let mut resource = Resource::from_json(parse(text.as_bytes(), 50).unwrap()).unwrap();
        resource.stamp(&Id::parse(&id).unwrap(), VersionId(version), last_updated);
        Known {
            resource_type: resource.resource_type(),
            id,
            last_updated_us: last_updated.timestamp_micros(),
            entries: extract(registry, &resource, Some(BASE)),
        }
    });
    known.collect()
}
