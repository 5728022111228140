//! Batches: each entry succeeds or fails for itself, several at once but bounded. <https://hl7.org/fhir/R4/http.html#brules>

use crate::support::Server;
use crate::support::bundle::{bundle, entry, observation, patient, post, put, with};
use serde_json::{Value, json};

async fn batch(server: &Server, entries: Vec<Value>) -> crate::support::Answer {
    let answer = server.post("", bundle("batch", entries)).await.expect(200);
    assert_eq!(answer.json()["type"], "batch-response");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_stand_beside_successes_each_with_its_outcome_and_in_order() {
    let server = Server::start().await;
    let a = |active: bool| put(json!({"resourceType": "Patient", "id": "a", "active": active}));
    let cases = vec![
        (201, "", a(true)),
        (404, "Bundle.entry[1]", entry("GET", "Patient/nobody")),
        (400, "Bundle.entry[2].request", json!({"resource": {"resourceType": "Patient"}})),
        (404, "Bundle.entry[3].request.url", entry("DELETE", "Pacient/1")),
        (
            400,
            "Bundle.entry[4].resource.id",
            json!({"resource": {"resourceType": "Patient"}, "request": {"method": "PUT", "url": "Patient/b"}}),
        ),
        (
            412,
            "Bundle.entry[5].request.ifMatch",
            with(put(json!({"resourceType": "Patient", "id": "c"})), "ifMatch", "W/\"1\""),
        ),
        (201, "", post(patient("x"))),
        (
            400,
            "Bundle.entry[7].request.url",
            json!({"resource": bundle("batch", []), "request": {"method": "POST", "url": ""}}),
        ),
        (405, "Bundle.entry[8].request.url", entry("POST", "Patient/a")),
        (400, "Bundle.entry[9].request.ifNoneExist", with(post(patient("y")), "ifNoneExist", "identifier=")),
        (
            400,
            "Bundle.entry[10].resource.resourceType",
            json!({"resource": observation("x"), "request": {"method": "POST", "url": "Patient"}}),
        ),
        (400, "Bundle.entry[11].request.method", json!({"request": {"url": "Patient/a"}})),
        (400, "Bundle.entry[12].resource", json!({"resource": 7, "request": {"method": "POST", "url": "Patient"}})),
        (204, "", entry("DELETE", "Patient/nobody")),
    ];
    let entries = cases.iter().map(|(.., entry)| entry.clone()).collect();
    let answer = batch(&server, entries).await;
    for ((status, place, sent), got) in cases.iter().zip(answer.entries()) {
        let response = &got["response"];
        assert!(response["status"].as_str().unwrap().starts_with(&status.to_string()), "{sent}: {got}");
        if *status < 300 {
            assert!(response.get("outcome").is_none(), "{got}");
            continue;
        }
        assert_eq!(response["outcome"]["resourceType"], "OperationOutcome", "{got}");
        let issue = &response["outcome"]["issue"][0];
        assert_eq!(
            (issue["severity"].as_str(), issue["expression"][0].as_str()),
            (Some("error"), Some(*place)),
            "{got}"
        );
        assert!(got.get("resource").is_none() && response.get("location").is_none(), "{got}");
    }
    assert_eq!(answer.entries().len(), cases.len());
    server.get("Patient/a").await.expect(200);
    server.get("Patient/c").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_json_in_one_entry_fails_that_entry_alone() {
    let server = Server::start().await;
    let text = r#"{"resourceType":"Bundle","type":"batch","entry":[
        {"resource":{"resourceType":"Patient","active":tru},"request":{"method":"POST","url":"Patient"}},
        {"resource":{"resourceType":"Patient","active":true,"active":true},"request":{"method":"POST","url":"Patient"}},
        {"resource":{"resourceType":"Patient","active":true},"request":{"method":"POST","url":"Patient"}}]}"#;
    let answer = server.post("", text).await.expect(200);
    assert_eq!(answer.statuses(), [400, 400, 201]);
    for (entry, position) in answer.entries().iter().zip(0..2) {
        let place = entry["response"]["outcome"]["issue"][0]["expression"][0].as_str().unwrap();
        assert_eq!(place, format!("Bundle.entry[{position}].resource.active"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_reads_versions_and_history_and_answers_heads_without_bodies() {
    let server = Server::start().await;
    for active in [true, false] {
        server.put("Patient/a", json!({"resourceType": "Patient", "id": "a", "active": active})).await;
    }
    server.put("Patient/gone", json!({"resourceType": "Patient", "id": "gone"})).await.expect(201);
    server.delete("Patient/gone").await.expect(204);
    let reads = || {
        vec![
            entry("GET", "Patient/a"),
            entry("GET", "/Patient/a/_history/1"),
            entry("GET", "Patient/a/_history?_count=1"),
            entry("HEAD", "Patient/a"),
            with(entry("GET", "Patient/a"), "ifNoneMatch", "W/\"2\""),
            entry("GET", &format!("{}/Patient/a", server.base)),
            entry("GET", "metadata"),
        ]
    };
    let mut entries = reads();
    entries.extend([
        entry("GET", "Patient/gone"),
        entry("GET", "Patient/a/_history/9"),
        entry("HEAD", "Patient/nobody"),
    ]);
    let in_batch = batch(&server, entries).await;
    assert_eq!(in_batch.statuses(), [200, 200, 200, 200, 304, 200, 200, 410, 404, 404]);
    let in_transaction = server.transact(reads()).await.expect(200);
    assert_eq!(in_transaction.statuses(), [200, 200, 200, 200, 304, 200, 200]);
    for got in [in_batch.entries(), in_transaction.entries()] {
        assert_eq!(got[0]["resource"]["active"], false);
        assert_eq!((&got[0]["response"]["etag"], &got[1]["response"]["etag"]), (&json!("W/\"2\""), &json!("W/\"1\"")));
        assert_eq!(got[0]["response"]["lastModified"], got[0]["resource"]["meta"]["lastUpdated"]);
        assert_eq!(got[1]["resource"]["active"], true);
        assert_eq!((&got[2]["resource"]["type"], &got[2]["resource"]["total"]), (&json!("history"), &json!(2)));
        assert_eq!(got[2]["resource"]["entry"].as_array().unwrap().len(), 1);
        assert_eq!((&got[3]["response"]["etag"], got[3].get("resource")), (&json!("W/\"2\""), None));
        assert_eq!(got[4].get("resource"), None);
        assert_eq!(got[5]["resource"], got[0]["resource"]);
        assert_eq!(got[6]["resource"]["resourceType"], "CapabilityStatement");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_batch_keeps_its_order_and_stays_within_a_small_pool() {
    let settings = [("BRASA_POOL_CONNECTIONS_MAX", "2"), ("BRASA_BATCH_CONCURRENCY", "2")];
    let server = Server::start_with(&settings).await;
    let entries = (0..300).map(|n| match n % 3 {
        0 => put(json!({"resourceType": "Patient", "id": format!("p{n}")})),
        1 => entry("GET", &format!("Patient/absent{n}")),
        _ => post(observation(&format!("Patient/p{n}"))),
    });
    let answer = batch(&server, entries.collect()).await;
    let expected: Vec<u16> = (0..300).map(|n| if n % 3 == 1 { 404 } else { 201 }).collect();
    assert_eq!(answer.statuses(), expected);
    for (n, entry) in answer.entries().iter().enumerate() {
        let location = entry["response"]["location"].as_str().unwrap_or_default();
        let start = ["Patient/p", "", "Observation/p"][n % 3];
        assert!(
            location.starts_with(&format!("{start}{}", if start.is_empty() { String::new() } else { n.to_string() })),
            "{entry}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_entries_are_under_way_than_the_bound() {
    let server = Server::start_with(&[("BRASA_BATCH_CONCURRENCY", "3")]).await;
    if server.database.is_citus() {
        return; // The waiting sessions are on the workers; the bound is the same code.
    }
    let all: Vec<Value> = (0..10).map(|n| put(json!({"resourceType": "Patient", "id": format!("p{n}")}))).collect();
    batch(&server, all.clone()).await;
    let mut blocker = server.database.connect().await;
    let watcher = server.database.connect().await;
    let locks = blocker.transaction().await.unwrap();
    locks.execute("SELECT 1 FROM resource FOR UPDATE", &[]).await.unwrap();
    let waiting = async {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let count = || async { watcher.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) };
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while count().await < 3 {
            assert!(std::time::Instant::now() < deadline, "the entries run at once");
        }
        for _ in 0..50 {
            assert_eq!(count().await, 3);
        }
        locks.rollback().await.unwrap();
    };
    let (answer, ()) = tokio::join!(batch(&server, all), waiting);
    assert_eq!(answer.statuses(), [200; 10]);
}
