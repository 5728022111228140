//! Building Bundles for tests, reading their answers, and looking at the rows that they left.

use super::{Answer, Server};
use brasa::fhir::json::{Json, Object, parse};
use serde_json::{Value, json};

pub fn bundle(kind: &str, entries: impl IntoIterator<Item = Value>) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries.into_iter().collect::<Vec<_>>()})
}

pub fn transaction(entries: impl IntoIterator<Item = Value>) -> Value {
    bundle("transaction", entries)
}

/// An entry without resource, such as a GET or a DELETE.
pub fn entry(method: &str, url: &str) -> Value {
    json!({"request": {"method": method, "url": url}})
}

pub fn post(resource: Value) -> Value {
    let url = resource["resourceType"].clone();
    json!({"resource": resource, "request": {"method": "POST", "url": url}})
}

/// A POST whose fullUrl other entries may refer to.
pub fn post_as(full_url: &str, resource: Value) -> Value {
    let mut entry = post(resource);
    entry["fullUrl"] = full_url.into();
    entry
}

/// A PUT to the address that the resource's type and id make.
pub fn put(resource: Value) -> Value {
    let url = format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
    json!({"resource": resource, "request": {"method": "PUT", "url": url}})
}

/// The entry with one more member of its request, such as `ifMatch`.
pub fn with(mut entry: Value, member: &str, value: &str) -> Value {
    entry["request"][member] = value.into();
    entry
}

/// An Observation about what `subject` refers to.
pub fn observation(subject: &str) -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"text": "a"}, "subject": {"reference": subject}})
}

pub fn patient(identifier: &str) -> Value {
    json!({"resourceType": "Patient", "identifier": [{"system": "urn:test", "value": identifier}]})
}

pub fn practitioner(identifier: &str) -> Value {
    json!({"resourceType": "Practitioner", "identifier": [{"system": "urn:test", "value": identifier}]})
}

impl Answer {
    /// The entries of the Bundle that was answered.
    pub fn entries(&self) -> Vec<Value> {
        self.json()["entry"].as_array().cloned().unwrap_or_default()
    }

    /// `Type/id` of each entry's location.
    pub fn made(&self) -> Vec<String> {
        let locations = self.entries().into_iter().map(|entry| entry["response"]["location"].clone());
        locations
            .map(|location| {
                let location = location.as_str().unwrap_or_else(|| panic!("no location: {}", self.text)).to_owned();
                location.split("/_history/").next().unwrap_or_default().to_owned()
            })
            .collect()
    }

    /// The status of each entry.
    pub fn statuses(&self) -> Vec<u16> {
        let status = |entry: &Value| {
            let status = entry["response"]["status"].as_str().unwrap();
            status.split(' ').next().unwrap_or_default().parse().unwrap()
        };
        self.entries().iter().map(status).collect()
    }
}

impl Server {
    pub async fn transact(&self, entries: impl IntoIterator<Item = Value>) -> Answer {
        self.post("", transaction(entries)).await
    }

    /// Every row that clinical writes make, as text: two equal lists mean that nothing was written between.
    pub async fn rows(&self) -> Vec<String> {
        let client = self.database.connect().await;
        let mut rows = Vec::new();
        for (table, columns) in [
            ("resource", "compartment, type, id, version_id, last_updated"),
            ("resource_history", "compartment, type, id, version_id, superseded"),
            ("resource_home", "id, type, compartment"),
            ("compartment_member", "compartment, type, id, home"),
            ("identifier_home", "key, system_hash, type, id"),
        ] {
            let sql = format!("SELECT concat_ws(' ', {columns}) FROM {table}");
            let found = client.query(&sql, &[]).await.unwrap();
            rows.extend(found.iter().map(|row| format!("{table} {}", row.get::<_, String>(0))));
        }
        rows.sort();
        rows
    }

    /// The compartments that hold current resources, each once.
    pub async fn compartments(&self) -> Vec<String> {
        let client = self.database.connect().await;
        let rows = client.query("SELECT DISTINCT compartment FROM resource ORDER BY 1", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Where a resource lives.
    pub async fn compartment_of(&self, reference: &str) -> String {
        let (resource_type, id) = reference.split_once('/').unwrap();
        let client = self.database.connect().await;
        let sql = "SELECT compartment FROM resource WHERE type = $1 AND id = $2";
        client.query_one(sql, &[&resource_type, &id]).await.unwrap().get(0)
    }
}

/// A resource without what the server owns: id, version and time. The order of members and the digits stay.
pub fn as_sent(text: &str) -> Json {
    let Json::Object(mut resource) = parse(text.as_bytes(), 200).unwrap() else { panic!("not an object: {text}") };
    resource.remove("id");
    if let Some(Json::Object(meta)) = resource.get_mut("meta") {
        meta.remove("versionId");
        meta.remove("lastUpdated");
    }
    if resource.get("meta").and_then(Json::as_object).is_some_and(Object::is_empty) {
        resource.remove("meta");
    }
    Json::Object(resource)
}
