//! `$expunge`: what is gone is gone from every table, and told of.

use crate::attack::desk::{Ask, Desk, of, patient};
use crate::support::Server;
use crate::support::bundle::{put, transaction};
use brasa::auth::role::Role;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn asked(name: &str) -> Value {
    json!({"resourceType": "Parameters", "parameter": [{"name": name, "valueBoolean": true}]})
}

fn limited(limit: u32) -> Value {
    let mut asked = asked("expungeEverything");
    asked["parameter"].as_array_mut().unwrap().push(json!({"name": "limit", "valuePositiveInt": limit}));
    asked
}

fn told(answer: &Value, name: &str) -> Value {
    let parameters = answer["parameter"].as_array().unwrap();
    let found = parameters.iter().find(|one| one["name"] == name).unwrap();
    let value = found.as_object().unwrap().iter().find(|(member, _)| member.starts_with("value"));
    value.map(|(_, value)| value.clone()).unwrap_or_default()
}

fn of_patient(id: &str, patient: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "weight"},
        "subject": {"reference": format!("Patient/{patient}")}, "valueQuantity": {"value": 7, "unit": "kg",
            "system": "http://unitsofmeasure.org", "code": "kg"}, "effectiveDateTime": "2020-01-01"})
}

fn person(id: &str) -> Value {
    json!({"resourceType": "Patient", "id": id, "name": [{"family": "Ojeda"}], "identifier": [{"system": "urn:mrn", "value": id}]})
}

fn together() -> Value {
    json!({"resourceType": "Appointment", "id": "both", "status": "booked", "participant": [
        {"actor": {"reference": "Patient/p"}, "status": "accepted"}, {"actor": {"reference": "Patient/q"}, "status": "accepted"}]})
}

async fn ward() -> Server {
    let server = Server::start().await;
    let all = [person("p"), person("q"), of_patient("a", "p"), of_patient("b", "p"), of_patient("c", "q"), together()];
    server.post("", transaction(all.map(put))).await.expect(200);
    let mut changed = of_patient("a", "p");
    changed["status"] = json!("amended");
    server.put("Observation/a", changed).await.expect(200);
    server.delete("Observation/b").await.expect(204);
    server
}

/// Rows that name the patient or its resources, by table.
async fn rows(server: &Server) -> Vec<(String, i64)> {
    let client = server.database.connect().await;
    let mut counts = Vec::new();
    for table in [
        "resource",
        "resource_history",
        "compartment_member",
        "search_token",
        "search_string",
        "search_date",
        "search_number",
    ] {
        let sql = format!("SELECT count(*) FROM {table} WHERE compartment = 'p'");
        counts.push((table.to_owned(), client.query_one(&sql, &[]).await.unwrap().get(0)));
    }
    for (table, column) in [
        ("resource_home", "id IN ('a', 'b', 'both')"),
        ("identifier_home", "id = 'p'"),
        ("compartment_member", "home = 'p'"),
    ] {
        let sql = format!("SELECT count(*) FROM {table} WHERE {column}");
        counts.push((format!("{table} {column}"), client.query_one(&sql, &[]).await.unwrap().get(0)));
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patients_record_is_gone_from_every_table_and_its_hash_can_be_checked() {
    let server = ward().await;
    // Whoever kept the versions can reckon the proof, in the order of types and ids, old versions first.
    let mut lines = String::new();
    for path in [
        "Appointment/both/_history/1",
        "Observation/a/_history/1",
        "Observation/a/_history/2",
        "Observation/b/_history/1",
    ] {
        let json = server.get(path).await.expect(200).text;
        let digest: String = Sha256::digest(json.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push_str(&format!("{path} {digest}\n"));
    }
    lines.push_str("Observation/b/_history/2 deleted\n");
    let json = server.get("Patient/p").await.expect(200).text;
    let digest: String = Sha256::digest(json.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    lines.push_str(&format!("Patient/p/_history/1 {digest}\n"));
    let expected: String = Sha256::digest(lines.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(rows(&server).await.iter().any(|(_, count)| *count > 0));

    let answer = server.post("Patient/p/$expunge", asked("expungeEverything")).await.expect(200).json();
    assert_eq!(told(&answer, "complete"), json!(true));
    assert_eq!((told(&answer, "resources"), told(&answer, "versions")), (json!(4), json!(6)));
    assert_eq!(told(&answer, "sha256"), json!(expected));
    assert_eq!(rows(&server).await.into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>(), []);
    for path in
        ["Patient/p", "Observation/a", "Observation/a/_history/1", "Observation/b/_history/1", "Appointment/both"]
    {
        server.get(path).await.expect(404);
    }
    assert_eq!(server.get("Patient?identifier=urn:mrn|p").await.expect(200).entries().len(), 0);
    // What is another's stays, and so does the way to a new record under the old id.
    server.get("Observation/c").await.expect(200);
    server.post("Patient/p/$expunge", asked("expungeEverything")).await.expect(404);
    server.put("Patient/p", person("p")).await.expect(201);
    assert_eq!(server.get("Patient/p/$everything").await.expect(200).entries().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_on_where_it_was_and_ends_with_the_patient() {
    let server = ward().await;
    for (number, complete) in [(1, false), (2, false), (3, false), (4, true)] {
        let answer = server.post("Patient/p/$expunge", limited(1)).await.expect(200).json();
        assert_eq!((told(&answer, "complete"), told(&answer, "resources")), (json!(complete), json!(1)), "{number}");
        let standing = if complete { 404 } else { 200 };
        server.get("Patient/p").await.expect(standing);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_beside_it_are_not_in_its_way_and_nothing_is_left_when_they_end() {
    let server = Arc::new(ward().await);
    let ends = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for writer in 0..3 {
        let (server, ends) = (Arc::clone(&server), Arc::clone(&ends));
        writers.push(tokio::spawn(async move {
            let mut number = 0;
            while !ends.load(Ordering::Relaxed) && number < 200 {
                let id = format!("w{writer}-{}", number % 5);
                let answer = server.put(&format!("Observation/{id}"), of_patient(&id, "p")).await;
                assert!([200, 201, 409, 503].contains(&answer.status), "{}", answer.text);
                number += 1;
            }
        }));
    }
    for _ in 0..5 {
        let answer = server.post("Patient/p/$expunge", limited(3)).await;
        // A writer may have been faster: asked again, it goes on.
        assert!([200, 404, 409, 503].contains(&answer.status), "{}", answer.text);
    }
    ends.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    // 404: the five before have removed all, and nothing was written since.
    let last = server.post("Patient/p/$expunge", asked("expungeEverything")).await;
    assert!([200, 404].contains(&last.status), "{}", last.text);
    let left: Vec<_> = rows(&server).await.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(left, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_its_old_versions_one_of_them_and_what_was_deleted_can_go() {
    let server = ward().await;
    server.put("Observation/a", of_patient("a", "p")).await.expect(200);
    server.post("Observation/a/_history/3/$expunge", "").await.expect(422);
    server.post("Observation/a/_history/9/$expunge", "").await.expect(404);
    let answer = server.post("Observation/a/_history/2/$expunge", "").await.expect(200).json();
    assert_eq!((told(&answer, "resources"), told(&answer, "versions")), (json!(0), json!(1)));
    server.get("Observation/a/_history/2").await.expect(404);
    server.get("Observation/a/_history/1").await.expect(200);
    let answer = server.post("Observation/a/$expunge", asked("expungePreviousVersions")).await.expect(200).json();
    assert_eq!(told(&answer, "versions"), json!(1));
    assert_eq!(server.get("Observation/a/_history").await.expect(200).json()["total"], 1);
    // What stands is not among what was deleted.
    let answer = server.post("Observation/a/$expunge", asked("expungeDeletedResources")).await.expect(200).json();
    assert_eq!(told(&answer, "versions"), json!(0));
    let answer = server.post("Observation/$expunge", asked("expungeDeletedResources")).await.expect(200).json();
    assert_eq!((told(&answer, "resources"), told(&answer, "versions")), (json!(1), json!(2)));
    server.get("Observation/b").await.expect(404);
    server.post("Observation/a/$expunge", asked("expungeEverything")).await.expect(200);
    server.get("Observation/a").await.expect(404);
    server.get("Patient/p").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_go_must_be_said() {
    let server = ward().await;
    for (path, body, place) in [
        ("Patient/p/$expunge", Value::Null, "expungeEverything"),
        ("Patient/$expunge", json!({"resourceType": "Parameters"}), "expungeDeletedResources"),
        ("Patient/$expunge", asked("expungeEverything"), "Parameters.parameter[0]"),
        ("Patient/p/$expunge", limited(0), "Parameters.parameter[1]"),
        ("Patient/p/$expunge", limited(1_000_000), "limit"),
    ] {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let refused = server.post(path, text).await.expect(400);
        assert_eq!(refused.expression(), place, "{path}: {}", refused.text);
    }
    let mut both = asked("expungeEverything");
    both["parameter"].as_array_mut().unwrap().push(json!({"name": "expungePreviousVersions", "valueBoolean": true}));
    server.post("Patient/p/$expunge", both).await.expect(400);
    server.get("Patient/p/$expunge?expungeEverything=true").await.expect(405);
    server.get("Patient/p").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_expunge_and_the_audit_tells_what_went() {
    let desk = Desk::open(true).await;
    let all = [person("p"), of_patient("a", "p"), of_patient("b", "p")];
    assert_eq!(desk.do_all(&Ask::with("POST", "", transaction(all.map(put)))).await.status, 200);
    let ask = Ask::with("POST", "Patient/p/$expunge", asked("expungeEverything"));
    for access in [of(Role::Practitioner), patient("p"), of(Role::Auditor)] {
        assert_eq!(desk.ask(&access, &ask).await.status, 403);
        let records = desk.last_records().await;
        assert!(records.len() == 1 && records[0].status == 403, "{records:?}");
    }
    let told = desk.ask(&of(Role::Admin), &ask).await;
    assert_eq!(told.status, 200);
    let sha256 = told.body["parameter"][3]["valueString"].as_str().unwrap().to_owned();
    let records = desk.last_records().await;
    let removed: Vec<&str> = records.iter().filter_map(|one| one.what.removed.as_deref()).collect();
    assert_eq!(removed, [format!("Observation 2/2, Patient 1/1 (resources/versions), sha256 {sha256}")]);
    assert!(records.iter().all(|one| one.interaction == "operation"), "{records:?}");
    assert!(records.iter().any(|one| one.patient.as_deref() == Some("p")), "{records:?}");
    // The records of the audit stay, also those of before.
    let opened = desk.ask(&of(Role::Auditor), &Ask::get("AuditEvent?patient=p")).await;
    assert_eq!(opened.status, 200);
    assert!(opened.body.to_string().contains("Observation 2/2"), "{}", opened.body);
    desk.each_is_recorded().await;
}
