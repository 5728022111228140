//! Who reads the records: auditors by search, patients what was done with their record; and whoever breaks the glass.

use super::{World, agent, entities, entries, observation};
use crate::accounts::{PASSWORD, at, text, token, try_log_in};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn auditors_search_by_patient_agent_entity_action_outcome_kind_and_date() {
    let world = World::start().await;
    world.put("doctor", "Observation/o1", observation("o1", "p1")).await.expect(201);
    world.get("doctor", "Observation/o1").await.expect(200);
    world.get("ana", "Observation/o1").await.expect(200);
    world.get("ana", "Observation/none").await.expect(404);
    let account = {
        let event = &world.events("agent-name=ana&_count=1").await[0];
        text(&agent(event)["who"]["identifier"]["value"])
    };
    let today = chrono::Utc::now().format("%Y-%m-%d");
    for (query, expected) in [
        ("patient=p1&entity=Observation/o1".to_owned(), 3),
        ("patient=Patient/p1&action=R".to_owned(), 2),
        ("entity=Patient/p1&action=R&agent=Practitioner/d1".to_owned(), 1),
        ("patient=p2&action=R".to_owned(), 0),
        ("agent-name=ana&action=R".to_owned(), 2),
        (format!("agent:identifier={account}&action=R"), 2),
        ("agent=Patient/p1&outcome=4".to_owned(), 1),
        ("agent=Patient/p1&outcome=0,4&subtype=read".to_owned(), 2),
        (format!("entity=Observation/o1&date={today}"), 3),
        ("entity=Observation/o1&date=lt2020".to_owned(), 0),
        ("entity=Observation/o1&date=ge2020&date=lt2100".to_owned(), 3),
        ("_id=none".to_owned(), 0),
    ] {
        assert_eq!(world.events(&query).await.len(), expected, "{query}");
    }
    let compartment = world.get("auditor", "Patient/p1/AuditEvent?action=R").await.expect(200).json();
    assert_eq!(entries(&compartment).len(), 2);
    for bad in ["action=X", "outcome=1", "date=yesterday", "patient=Group/x", "_sort=date", "_page=x", "entity=o1"] {
        world.get("auditor", &format!("AuditEvent?{bad}")).await.expect(400);
    }
    let lenient = world.get("auditor", "AuditEvent?site=x").await.expect(200);
    assert!(lenient.text.contains("without 'site=x'"), "{}", lenient.text);
    for name in ["doctor", "ana", "root"] {
        for path in ["AuditEvent", "AuditEvent?patient=p1", "AuditEvent/1-1-1", "Patient/p1/AuditEvent"] {
            world.get(name, path).await.expect(403);
        }
    }
    // The auditor's own looking is told as well.
    assert!(!world.events("agent-name=auditor&subtype=search-type").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_on_where_the_one_before_ended_whatever_is_recorded_meanwhile() {
    let world = World::start().await;
    for number in 0..7 {
        world.get("doctor", &format!("Observation/none{number}")).await.expect(404);
    }
    let mut found = Vec::new();
    let mut next = Some("AuditEvent?agent-name=doctor&outcome=4&_count=3".to_owned());
    while let Some(path) = next {
        let bundle = world.get("auditor", &path).await.expect(200).json();
        found.extend(entries(&bundle).iter().flat_map(entities));
        world.get("doctor", "Observation/later").await.expect(404);
        let links = bundle["link"].as_array().unwrap();
        next = links.iter().find(|link| link["relation"] == "next").map(|link| text(&link["url"]));
    }
    let expected: Vec<String> = (0..7).rev().map(|number| format!("Observation/none{number}")).collect();
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_sees_who_opened_the_record_and_when_and_nobody_else_does() {
    let world = World::start().await;
    world.put("doctor", "Observation/o1", observation("o1", "p1")).await.expect(201);
    world.get("doctor", "Observation?subject=Patient/p1,Patient/p2").await.expect(200);
    let bundle = world.get("ana", "Patient/p1/$accesses").await.expect(200);
    let events = entries(&bundle.json());
    let told: Vec<(Value, Value)> =
        events.iter().map(|event| (agent(event)["name"].clone(), event["subtype"][0]["code"].clone())).collect();
    let doctor = |word: &str| (json!("doctor"), json!(word));
    assert_eq!(told, [doctor("search-type"), doctor("update"), doctor("update")]);
    assert!(events.iter().all(|event| event["agent"][0].get("network").is_none()), "{}", bundle.text);
    assert!(!bundle.text.contains("Patient/p2"), "{}", bundle.text);
    assert!(events.iter().all(|event| event["recorded"].is_string()));
    // Looking there is told there.
    let again = entries(&world.get("ana", "Patient/p1/$accesses?_count=1").await.expect(200).json());
    assert_eq!((&agent(&again[0])["name"], &again[0]["subtype"][0]["code"]), (&json!("ana"), &json!("operation")));
    world.get("auditor", "Patient/p1/$accesses").await.expect(200);
    for (name, path) in
        [("ana", "Patient/p2/$accesses"), ("doctor", "Patient/p1/$accesses"), ("root", "Patient/p1/$accesses")]
    {
        world.get(name, path).await.expect(403);
    }
    world.get("ana", "Patient/p1/$accesses?agent-name=doctor").await.expect(400);
    world.user("ana").send("POST", "Patient/p1/$accesses", Value::Null).await.expect(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_reads_clinical_data_only_with_a_reason_that_the_patient_is_told() {
    let world = World::start().await;
    world.put("doctor", "Observation/o1", observation("o1", "p1")).await.expect(201);
    let with = async |name: &str, reason: &str, method: &str, body: String| {
        let bearer = format!("Bearer {}", world.tokens[name]);
        let headers =
            [("authorization", bearer.as_str()), ("x-break-glass", reason), ("content-type", "application/fhir+json")];
        world.server.send(method, "Observation/o1", &headers, body).await
    };
    world.get("root", "Observation/o1").await.expect(403);
    let why = "unconscious in the emergency room";
    with("root", why, "GET", String::new()).await.expect(200);
    with("root", "paciente inconsciente, no hay m%C3%A9dico", "GET", String::new()).await.expect(200);
    with("root", "because", "GET", String::new()).await.expect(400);
    with("root", why, "PUT", observation("o1", "p1").to_string()).await.expect(403);
    for name in ["doctor", "ana", "auditor"] {
        with(name, why, "GET", String::new()).await.expect(403);
    }
    let told = entries(&world.get("ana", "Patient/p1/$accesses").await.expect(200).json());
    let reasons: Vec<&Value> = told
        .iter()
        .map(|event| &event["agent"])
        .filter_map(|agents| agents.as_array().unwrap().iter().find(|agent| agent.get("purposeOfUse").is_some()))
        .map(|agent| &agent["purposeOfUse"][0]["text"])
        .collect();
    assert_eq!(reasons, ["paciente inconsciente, no hay médico", why]);
    let bundle = world.events("agent-name=root&outcome=4").await;
    assert!(bundle.len() >= 3, "what was refused is told to auditors");
}

#[tokio::test(flavor = "multi_thread")]
async fn coming_in_and_what_is_done_to_accounts_is_told() {
    let world = World::start().await;
    let server = &world.server;
    let key = json!({"name": "laboratory", "scopes": "user/*.rs"});
    let key = text(&world.post("doctor", &at(server, "keys"), key).await.expect(201).json()["key"]);
    server.as_user(&key).get("Patient/p1").await.expect(200);
    let session = token(server, "doctor").await;
    server.as_user(&session).send("POST", &at(server, "logout"), Value::Null).await.expect(204);
    try_log_in(server, "doctor", "not the password").await.expect(401);
    try_log_in(server, "nobody-known", PASSWORD).await.expect(401);
    let told: Vec<(String, String)> = world
        .events("agent-name=doctor&_count=6")
        .await
        .iter()
        .map(|event| (text(&event["subtype"][0]["code"]), text(&event["outcome"])))
        .collect();
    let expected = [("110122", "4"), ("110123", "0"), ("110122", "0"), ("read", "0"), ("make-key", "0")];
    let expected: Vec<(String, String)> =
        expected.map(|(word, outcome)| (word.to_owned(), outcome.to_owned())).to_vec();
    assert_eq!(told[..5], expected);
    let read = &world.events("agent-name=doctor&subtype=read&_count=1").await[0];
    assert!(text(&read["agent"][0]["who"]["display"]).starts_with("key "), "{read}");
    let all = world.get("auditor", "AuditEvent?_count=50").await.expect(200).text;
    assert!(!all.contains("nobody-known"), "a name that is nobody's may be a password in the wrong field");
    assert!(!world.events("subtype=make-user").await.is_empty());
}
