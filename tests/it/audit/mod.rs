//! Every access leaves a record: who reads what, what is written with it, and what happens when it cannot be.

mod chain;
mod told;

use crate::accounts::{at, make_user, server_with, text, token};
use crate::support::{Answer, Server, User};
use serde_json::{Value, json};

/// A server with an account of each role, each with its token: `doctor`, `ana` (the patient `p1`), `auditor`, `root`.
pub struct World {
    pub server: Server,
    tokens: std::collections::BTreeMap<&'static str, String>,
}

impl World {
    pub async fn start() -> World {
        World::with(&[]).await
    }

    pub async fn with(settings: &[(&str, &str)]) -> World {
        World::of(server_with(settings).await).await
    }

    async fn of(server: Server) -> World {
        let root = token(&server, "root").await;
        let mut tokens = std::collections::BTreeMap::new();
        for (name, role, link) in [
            ("doctor", "practitioner", json!({"practitioner": "d1"})),
            ("ana", "patient", json!({"patient": "p1"})),
            ("auditor", "auditor", Value::Null),
        ] {
            let admin = server.as_user(&root);
            let id = make_user(&server, &admin, name, role).await;
            if !link.is_null() {
                admin.send("PATCH", &at(&server, &format!("users/{id}")), link).await.expect(200);
            }
            tokens.insert(name, token(&server, name).await);
        }
        tokens.insert("root", root);
        let world = World { server, tokens };
        for id in ["p1", "p2"] {
            world.put("doctor", &format!("Patient/{id}"), json!({"resourceType": "Patient", "id": id})).await;
        }
        world
    }

    pub fn user(&self, name: &str) -> User<'_> {
        self.server.as_user(&self.tokens[name])
    }

    pub async fn get(&self, name: &str, path: &str) -> Answer {
        self.user(name).get(path).await
    }

    pub async fn put(&self, name: &str, path: &str, body: Value) -> Answer {
        self.user(name).send("PUT", path, body).await
    }

    pub async fn post(&self, name: &str, path: &str, body: Value) -> Answer {
        self.user(name).send("POST", path, body).await
    }

    /// The AuditEvents that a search finds for the auditor, the newest first.
    pub async fn events(&self, query: &str) -> Vec<Value> {
        let bundle = self.get("auditor", &format!("AuditEvent?{query}")).await.expect(200).json();
        entries(&bundle)
    }

    /// The newest one that does not tell of the auditor.
    pub async fn newest(&self) -> Value {
        let events = self.events("_count=20").await;
        events.into_iter().find(|event| agent(event)["name"] != "auditor").expect("something was recorded")
    }
}

pub fn entries(bundle: &Value) -> Vec<Value> {
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries
        .into_iter()
        .filter(|entry| entry["search"]["mode"] == "match")
        .map(|entry| entry["resource"].clone())
        .collect()
}

/// The person of an event, or null.
pub fn agent(event: &Value) -> Value {
    let agents = event["agent"].as_array().unwrap();
    agents.iter().find(|agent| agent["requestor"] == true).cloned().unwrap_or_default()
}

/// `Type/id` of what was used and of whose record it was.
pub fn entities(event: &Value) -> Vec<String> {
    let entities = event["entity"].as_array().unwrap();
    entities.iter().filter_map(|entity| entity["what"]["reference"].as_str()).map(str::to_owned).collect()
}

fn observation(id: &str, patient: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "x"},
        "subject": {"reference": format!("Patient/{patient}")}})
}

/// What an event says in short: subtype, action, outcome, entities.
fn said(event: &Value) -> (String, String, String, Vec<String>) {
    let word = text(&event["subtype"][0]["code"]);
    (word, text(&event["action"]), text(&event["outcome"]), entities(event))
}

fn short(word: &str, action: &str, outcome: &str, entities: &[&str]) -> (String, String, String, Vec<String>) {
    let entities = entities.iter().map(|one| (*one).to_owned()).collect();
    (word.to_owned(), action.to_owned(), outcome.to_owned(), entities)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_interaction_leaves_its_record_with_who_what_whose_and_how_it_ended() {
    let world = World::start().await;
    let doctor = world.user("doctor");
    doctor.send("PUT", "Observation/o1", observation("o1", "p1")).await.expect(201);
    assert_eq!(said(&world.newest().await), short("update", "U", "0", &["Observation/o1/_history/1", "Patient/p1"]));
    let read = doctor.get("Observation/o1").await.expect(200);
    let event = world.newest().await;
    assert_eq!(said(&event), short("read", "R", "0", &["Observation/o1/_history/1", "Patient/p1"]));
    let who = agent(&event);
    assert_eq!((&who["name"], &who["who"]["reference"]), (&json!("doctor"), &json!("Practitioner/d1")));
    assert_eq!(who["role"][0]["text"], "practitioner");
    assert_eq!(event["agent"][0]["network"]["address"], "127.0.0.1");
    let request = event["entity"].as_array().unwrap().last().unwrap()["what"]["identifier"]["value"].clone();
    assert_eq!(Some(request.as_str().unwrap()), read.header("x-request-id"));

    doctor.send("PUT", "Observation/o1", observation("o1", "p2")).await.expect(200);
    let moved = world.events("entity=Observation/o1&action=U&_count=2").await;
    let mut whose: Vec<String> = moved.iter().map(|event| entities(event)[1].clone()).collect();
    whose.sort();
    assert_eq!(whose, ["Patient/p1", "Patient/p2"], "both patients are told of a resource that moves");

    for (method, path, status, expected) in [
        (
            "GET",
            "Observation/o1/_history/1",
            200,
            short("vread", "R", "0", &["Observation/o1/_history/1", "Patient/p2"]),
        ),
        ("GET", "Observation/gone", 404, short("read", "R", "4", &["Observation/gone"])),
        ("DELETE", "Observation/o1", 204, short("delete", "D", "0", &["Observation/o1/_history/3", "Patient/p2"])),
        ("GET", "Observation/o1", 410, short("read", "R", "4", &["Observation/o1"])),
        ("GET", "Observation/_history?_since=now", 400, short("history-type", "E", "4", &[])),
        ("GET", "AuditEvent", 403, short("search-type", "E", "4", &[])),
    ] {
        doctor.send(method, path, Value::Null).await.expect(status);
        assert_eq!(said(&world.newest().await), expected, "{method} {path}");
    }
    let vread = world.events("entity=Observation/o1&subtype=vread").await;
    assert_eq!(entities(&vread[1])[1], "Patient/p1", "an old version is of whom it was about, and of whose it is");
    world.get("ana", "Patient/p2").await.expect(404);
    assert_eq!(
        said(&world.newest().await),
        short("read", "R", "4", &["Patient/p2"]),
        "what is hidden is told to nobody"
    );
    world.server.get("Patient/p1").await.expect(401);
    let nobody = world.newest().await;
    assert_eq!((&nobody["outcomeDesc"], agent(&nobody)), (&json!("HTTP 401"), Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_leaves_a_record_for_each_patient_in_its_answer() {
    let world = World::start().await;
    for (id, patient) in [("o1", "p1"), ("o2", "p2"), ("o3", "p2")] {
        world.put("doctor", &format!("Observation/{id}"), observation(id, patient)).await.expect(201);
    }
    let queries = |events: &[Value]| {
        let mut told: Vec<(String, Value)> = events
            .iter()
            .map(|event| (entities(event).first().cloned().unwrap_or_default(), event["entity"][0]["query"].clone()))
            .collect();
        told.sort_by(|one, other| one.0.cmp(&other.0));
        told
    };
    let encoded = |query: &str| {
        use base64::Engine;
        json!(base64::engine::general_purpose::STANDARD.encode(query))
    };
    let query = "Observation?status=final&_include=Observation:subject";
    world.get("doctor", query).await.expect(200);
    let told = queries(&world.events("subtype=search-type&agent=Practitioner/d1").await);
    assert_eq!(told, [("Patient/p1".to_owned(), encoded(query)), ("Patient/p2".to_owned(), encoded(query))]);
    world.get("doctor", "Observation?status=registered").await.expect(200);
    let told = queries(&world.events("subtype=search-type&agent=Practitioner/d1&_count=1").await);
    assert_eq!(told, [(String::new(), encoded("Observation?status=registered"))]);
    // Whoever is only mentioned is in whose compartment it is, too.
    let two = json!({"resourceType": "Appointment", "id": "a1", "status": "booked", "participant": [
        {"actor": {"reference": "Patient/p1"}, "status": "accepted"},
        {"actor": {"reference": "Patient/p2"}, "status": "accepted"}]});
    world.put("doctor", "Appointment/a1", two).await.expect(201);
    world.get("doctor", "Appointment/a1").await.expect(200);
    assert_eq!(world.events("entity=Appointment/a1&action=R").await.len(), 2);
    assert_eq!(world.events("entity=Appointment/a1&action=U").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_bundle_each_entry_is_told_and_of_a_refused_transaction_the_refusal() {
    let world = World::start().await;
    let entry = |method: &str, url: &str, resource: Value| json!({"resource": resource, "request": {"method": method, "url": url}});
    let bundle = |kind: &str, last: Value| {
        json!({"resourceType": "Bundle", "type": kind, "entry": [
            entry("PUT", "Observation/t1", observation("t1", "p1")),
            {"request": {"method": "GET", "url": "Patient/p2"}},
            last,
        ]})
    };
    let good = entry("PUT", "Observation/t2", observation("t2", "p2"));
    let answered = world.post("doctor", "", bundle("transaction", good.clone())).await.expect(200);
    let id = answered.header("x-request-id").unwrap().to_owned();
    let of_request = async |id: &str| {
        let mut told: Vec<_> = Vec::new();
        for event in world.events("_count=30").await {
            let last = event["entity"].as_array().unwrap().last().unwrap()["what"]["identifier"]["value"].clone();
            if last == id {
                told.push(said(&event));
            }
        }
        told.sort();
        told
    };
    let mut expected = vec![
        short("read", "R", "0", &["Patient/p2/_history/1", "Patient/p2"]),
        short("update", "U", "0", &["Observation/t1/_history/1", "Patient/p1"]),
        short("update", "U", "0", &["Observation/t2/_history/1", "Patient/p2"]),
    ];
    assert_eq!(of_request(&id).await, expected);
    let bad = entry("PUT", "Observation/t3", observation("t4", "p2"));
    let refused = world.post("doctor", "", bundle("transaction", bad)).await.expect(400);
    assert_eq!(of_request(refused.header("x-request-id").unwrap()).await, [short("bundle", "E", "4", &[])]);
    let missing = json!({"request": {"method": "GET", "url": "Patient/nobody"}});
    let batch = world.post("doctor", "", bundle("batch", missing)).await.expect(200);
    expected = vec![
        short("read", "R", "0", &["Patient/p2/_history/1", "Patient/p2"]),
        short("read", "R", "4", &["Patient/nobody"]),
        short("update", "U", "0", &["Observation/t1/_history/2", "Patient/p1"]),
    ];
    assert_eq!(of_request(batch.header("x-request-id").unwrap()).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_is_neither_shown_nor_stored() {
    let world = World::start().await;
    world.put("doctor", "Observation/o1", observation("o1", "p1")).await.expect(201);
    let database = world.server.database.connect().await;
    database.batch_execute("ALTER TABLE audit ADD CONSTRAINT broken CHECK (number < 0) NOT VALID").await.unwrap();
    for path in ["Observation/o1", "Patient?_id=p1", "Observation/o1/_history", "Patient/p1/Observation"] {
        let refused = world.get("doctor", path).await.expect(503);
        assert!(!refused.text.contains("Patient/p1"), "{path}: {}", refused.text);
    }
    assert!(world.put("doctor", "Observation/o2", observation("o2", "p1")).await.status >= 500);
    assert!(world.post("doctor", "Observation", observation("o3", "p1")).await.status >= 500);
    // Nothing was shown, so nobody waits for its record.
    world.server.get("Patient/p1").await.expect(401);
    database.batch_execute("ALTER TABLE audit DROP CONSTRAINT broken").await.unwrap();
    world.get("doctor", "Observation/o1").await.expect(200);
    let bundle = world.get("doctor", "Observation?patient=p1&_summary=count").await.expect(200).json();
    assert_eq!(bundle["total"], 1, "what could not be recorded was not stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_written_by_nobody() {
    let world = World::start().await;
    let event = world.newest().await;
    let path = format!("AuditEvent/{}", text(&event["id"]));
    assert_eq!(world.get("auditor", &path).await.expect(200).json(), event);
    for name in ["doctor", "auditor", "root", "ana"] {
        let user = world.user(name);
        user.send("PUT", &path, event.clone()).await.expect(405);
        user.send("POST", "AuditEvent", event.clone()).await.expect(405);
        user.send("DELETE", &path, Value::Null).await.expect(405);
        let entry = json!({"resource": event, "request": {"method": "POST", "url": "AuditEvent"}});
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
        assert!([403, 405].contains(&user.send("POST", "", bundle).await.status), "{name}");
    }
    assert_eq!(world.get("auditor", &path).await.expect(200).json(), event);
    let statement = world.server.get("metadata").await.expect(200).json();
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    let events = resources.iter().find(|one| one["type"] == "AuditEvent").unwrap();
    assert_eq!(events["interaction"], json!([{"code": "read"}, {"code": "search-type"}]));
    for parameter in events["searchParam"].as_array().unwrap() {
        let name = text(&parameter["name"]);
        let value = match name.as_str() {
            "action" => "R",
            "agent" | "entity" => "Practitioner/d1",
            "date" => "2026",
            "outcome" => "0",
            _ => "x",
        };
        let bearer = format!("Bearer {}", world.tokens["auditor"]);
        let strict = [("authorization", bearer.as_str()), ("prefer", "handling=strict")];
        world.server.send("GET", &format!("AuditEvent?{name}={value}"), &strict, "").await.expect(200);
    }
}
