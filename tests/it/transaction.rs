//! Transactions: all of it happens or nothing, in R4's order, answered in the request's. <https://hl7.org/fhir/R4/http.html#trules>

use crate::support::Server;
use crate::support::bundle::{entry, observation, patient, post, post_as, practitioner, put, transaction, with};
use serde_json::{Value, json};

/// Entries that would succeed, with writes to every table.
fn good_entries() -> Vec<Value> {
    vec![
        post_as("urn:uuid:p", patient("new")),
        post(observation("urn:uuid:p")),
        put(
            json!({"resourceType": "Observation", "id": "mine", "status": "final", "subject": {"reference": "urn:uuid:p"}}),
        ),
        put(
            json!({"resourceType": "Patient", "id": "kept", "active": true, "link": [{"other": {"reference": "urn:uuid:p"}}]}),
        ),
        entry("DELETE", "Practitioner/old"),
    ]
}

fn patch_entry(url: &str) -> Value {
    // [{"op":"remove","path":"/active"}]
    let data = "W3sib3AiOiJyZW1vdmUiLCJwYXRoIjoiL2FjdGl2ZSJ9XQ==";
    let binary = json!({"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data});
    json!({"resource": binary, "request": {"method": "PATCH", "url": url}})
}

/// Entries that must fail, each with the status of the whole transaction.
fn failing_entries() -> Vec<(u16, Value)> {
    let changed = || json!({"resourceType": "Patient", "id": "other", "active": false});
    vec![
        (400, post(observation("urn:uuid:nobody"))),
        (412, post(observation("Patient?identifier=urn:test|nobody"))),
        (412, with(put(changed()), "ifMatch", "W/\"7\"")),
        (412, with(put(changed()), "ifNoneMatch", "*")),
        (412, with(entry("DELETE", "Patient/other"), "ifMatch", "W/\"2\"")),
        (404, entry("GET", "Patient/nobody")),
        (410, entry("GET", "Practitioner/old")),
        (404, entry("GET", "Nothing/1")),
        (400, entry("PATCH", "Patient/other")),
        (400, entry("POST", "Patient/other")),
        (400, json!({"resource": changed(), "request": {"method": "PUT", "url": "Patient/another"}})),
        (400, json!({"resource": [], "request": {"method": "POST", "url": "Patient"}})),
        (400, json!({"resource": {"resourceType": "Pacient"}, "request": {"method": "POST", "url": "Patient"}})),
        (
            400,
            json!({"resource": {"resourceType": "Patient", "meta": 1}, "request": {"method": "POST", "url": "Patient"}}),
        ),
        (400, put(json!({"resourceType": "Patient", "id": "kept"}))),
        (400, with(post(patient("x")), "ifNoneExist", "identifier=")),
        (400, with(post(patient("x")), "ifNoneExist", "color=red")),
        (412, with(post(patient("x")), "ifNoneExist", "identifier=kept,other")),
        (404, patch_entry("Patient?identifier=nobody")),
        (412, entry("DELETE", "Patient?identifier=kept,other")),
        (400, json!({"resource": changed()})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failing_entry_of_any_kind_leaves_nothing_of_the_transaction() {
    let server = Server::start().await;
    for resource in [("kept", patient("kept")), ("other", patient("other"))] {
        let mut body = resource.1;
        body["id"] = resource.0.into();
        server.put(&format!("Patient/{}", resource.0), body).await.expect(201);
    }
    let mut old = practitioner("old");
    old["id"] = "old".into();
    server.put("Practitioner/old", old).await.expect(201);
    let before = server.rows().await;
    for (status, failing) in failing_entries() {
        for first in [true, false] {
            let mut entries = good_entries();
            entries.insert(if first { 0 } else { entries.len() }, failing.clone());
            let answer = server.transact(entries).await;
            assert_eq!(answer.status, status, "{failing}: {}", answer.text);
            assert!(answer.expression().starts_with("Bundle.entry["), "{failing}: {}", answer.text);
            assert_eq!(server.rows().await, before, "{failing}");
        }
    }
    server.transact(good_entries()).await.expect(200);
    assert_ne!(server.rows().await, before, "without the failing entry all of it happens");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_processed_in_r4s_order_and_answered_in_the_requests() {
    let server = Server::start().await;
    let mut old = practitioner("one");
    old["id"] = "old".into();
    server.put("Practitioner/old", old).await.expect(201);
    server.put("Patient/p", json!({"resourceType": "Patient", "id": "p", "active": true})).await.expect(201);
    // The new Practitioner takes over the identifier of the one that is deleted; the reference finds the new one.
    let mut seen = observation("Patient/p");
    seen["performer"] = json!([{"reference": "Practitioner?identifier=urn:test|one"}]);
    let answer = server
        .transact([
            entry("GET", "Patient/p"),
            entry("GET", "Patient/p/_history"),
            put(json!({"resourceType": "Patient", "id": "p", "active": false})),
            post(seen),
            post(practitioner("one")),
            entry("DELETE", "Practitioner/old"),
        ])
        .await
        .expect(200);
    assert_eq!(answer.json()["type"], "transaction-response");
    assert_eq!(answer.statuses(), [200, 200, 200, 201, 201, 204]);
    let entries = answer.entries();
    assert_eq!(entries[0]["resource"]["active"], false, "a GET sees the transaction's writes");
    assert_eq!(entries[0]["resource"]["meta"]["versionId"], "2");
    assert_eq!(entries[1]["resource"]["total"], 2, "{}", entries[1]);
    let made = entries[3]["response"]["location"].as_str().unwrap().to_owned();
    let doctor = entries[4]["response"]["location"].as_str().unwrap().replace("/_history/1", "");
    assert_eq!(server.get(&made).await.expect(200).json()["performer"][0]["reference"], doctor);
    server.get("Practitioner/old").await.expect(410);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_entry_is_answered_with_status_location_etag_and_time() {
    let server = Server::start().await;
    server.put("Patient/a", json!({"resourceType": "Patient", "id": "a"})).await.expect(201);
    let answer = server
        .transact([
            put(json!({"resourceType": "Patient", "id": "a", "active": true})),
            put(json!({"resourceType": "Patient", "id": "b"})),
            post(json!({"resourceType": "Organization", "name": "x"})),
            entry("DELETE", "Organization/never"),
        ])
        .await
        .expect(200);
    assert_eq!(answer.statuses(), [200, 201, 201, 204]);
    let entries = answer.entries();
    for (entry, version) in entries.iter().zip(["2", "1", "1"]) {
        let response = &entry["response"];
        let location = response["location"].as_str().unwrap();
        assert!(location.ends_with(&format!("/_history/{version}")), "{location}");
        assert_eq!(response["etag"], format!("W/\"{version}\""));
        assert!(entry.get("resource").is_none(), "nothing is returned unless asked for: {entry}");
        let stored = server.get(location).await.expect(200).json();
        assert_eq!(stored["meta"]["lastUpdated"], response["lastModified"]);
    }
    assert_eq!(entries[3]["response"], json!({"status": "204 No Content"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn prefer_decides_what_the_writes_of_a_bundle_bring_back() {
    let server = Server::start().await;
    for kind in ["transaction", "batch"] {
        let post = |prefer: &'static str| {
            let body =
                crate::support::bundle::bundle(kind, [post(json!({"resourceType": "Organization", "name": "x"}))]);
            let server = &server;
            async move { server.post_with("", &[("prefer", prefer)], body).await.expect(200).entries()[0].clone() }
        };
        let minimal = post("return=minimal").await;
        assert!(minimal.get("resource").is_none() && minimal["response"].get("outcome").is_none(), "{minimal}");
        let full = post("return=representation").await;
        assert_eq!(full["resource"]["name"], "x");
        let location = full["response"]["location"].as_str().unwrap();
        assert_eq!(server.get(location).await.expect(200).json(), full["resource"]);
        let told = post("return=OperationOutcome").await;
        assert!(told.get("resource").is_none(), "{told}");
        assert_eq!(told["response"]["outcome"]["resourceType"], "OperationOutcome");
        assert_eq!(told["response"]["outcome"]["issue"][0]["severity"], "information");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_carry_the_patient_wherever_in_the_bundle_the_patient_stands() {
    let server = Server::start().await;
    let answer = server
        .transact([
            post_as("urn:uuid:o", observation("urn:uuid:p")),
            post(json!({"resourceType": "Procedure", "status": "completed", "subject": {"reference": "urn:uuid:p"}})),
            post_as("urn:uuid:p", json!({"resourceType": "Patient"})),
            post(observation("Patient/chosen")),
            put(json!({"resourceType": "Patient", "id": "chosen"})),
            post(json!({"resourceType": "Observation", "status": "final", "code": {}})),
        ])
        .await
        .expect(200);
    let made = answer.made();
    let patient = made[2].strip_prefix("Patient/").unwrap();
    assert!(made[0].starts_with(&format!("Observation/{patient}.")), "{made:?}");
    assert!(made[1].starts_with(&format!("Procedure/{patient}.")), "{made:?}");
    assert!(made[3].starts_with("Observation/chosen."), "{made:?}");
    for (reference, home) in made.iter().zip([patient, patient, patient, "chosen", "chosen", made[5].as_str()]) {
        assert_eq!(server.compartment_of(reference).await, home, "{reference}");
        server.get(reference).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_of_one_patient_writes_one_compartment_and_so_one_shard() {
    let server = Server::start().await;
    let mut entries = vec![post_as("urn:uuid:p", json!({"resourceType": "Patient"}))];
    for n in 0..30 {
        let mut encounter =
            json!({"resourceType": "Encounter", "status": "finished", "subject": {"reference": "urn:uuid:p"}});
        encounter["identifier"] = json!([{"system": "urn:test", "value": format!("{n}")}]);
        entries.push(post_as(&format!("urn:uuid:{n}"), encounter));
        let mut seen = observation("urn:uuid:p");
        seen["encounter"] = json!({"reference": format!("urn:uuid:{n}")});
        entries.push(post(seen));
    }
    let made = server.transact(entries).await.expect(200).made();
    let patient = made[0].strip_prefix("Patient/").unwrap();
    assert_eq!(server.compartments().await, [patient]);
    let rows = server.rows().await;
    assert_eq!(rows.len(), 61, "no row besides the resources' own: {:?}", rows.last());
    if server.database.is_citus() {
        let client = server.database.connect().await;
        let sql = "SELECT count(DISTINCT get_shard_id_for_distribution_column('resource', compartment)) FROM
            (SELECT DISTINCT compartment FROM resource) AS used";
        assert_eq!(client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_updates_and_deletes_work_inside_a_transaction() {
    let server = Server::start().await;
    server.put("Patient/a", json!({"resourceType": "Patient", "id": "a"})).await.expect(201);
    server.put("Patient/b", json!({"resourceType": "Patient", "id": "b"})).await.expect(201);
    let change = |version: &str| {
        let a = put(json!({"resourceType": "Patient", "id": "a", "active": true}));
        let new = put(json!({"resourceType": "Patient", "id": "c"}));
        let b = with(entry("DELETE", "Patient/b"), "ifMatch", "W/\"1\"");
        [with(a, "ifMatch", version), with(new, "ifNoneMatch", "*"), b]
    };
    let refused = server.transact(change("W/\"3\"")).await.expect(412);
    assert_eq!(refused.expression(), "Bundle.entry[0].request.ifMatch");
    server.get("Patient/c").await.expect(404);
    let done = server.transact(change("W/\"1\"")).await.expect(200);
    assert_eq!(done.statuses(), [200, 201, 204]);
    server.get("Patient/b").await.expect(410);
    let again = server.transact([put(json!({"resourceType": "Patient", "id": "b"}))]).await.expect(200);
    assert_eq!((again.statuses(), again.entries()[0]["response"]["etag"].clone()), (vec![201], json!("W/\"3\"")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_bundle_is_answered_with_the_place() {
    let server = Server::start().await;
    let a = || put(json!({"resourceType": "Patient", "id": "a"}));
    let fine = || post(json!({"resourceType": "Patient"}));
    let as_one = || post_as("urn:uuid:1", json!({"resourceType": "Patient"}));
    let request = |request: Value| json!({"resource": {"resourceType": "Patient"}, "request": request});
    for (entries, status, place) in [
        (vec![a(), fine(), a()], 400, "Bundle.entry[2]"),
        (vec![a(), entry("DELETE", "Patient/a")], 400, "Bundle.entry[1]"),
        (vec![fine(), json!({"resource": {"resourceType": "Patient"}})], 400, "Bundle.entry[1].request"),
        (vec![fine(), json!({})], 400, "Bundle.entry[1].request"),
        (vec![fine(), json!(null)], 400, "Bundle.entry[1]"),
        (vec![request(json!({"url": "Patient"}))], 400, "Bundle.entry[0].request.method"),
        (vec![request(json!({"method": "post", "url": "Patient"}))], 400, "Bundle.entry[0].request.method"),
        (vec![request(json!({"method": "POST"}))], 400, "Bundle.entry[0].request.url"),
        (vec![request(json!({"method": "POST", "url": 7}))], 400, "Bundle.entry[0].request.url"),
        (vec![request(json!({"method": "POST", "url": "Pacient"}))], 404, "Bundle.entry[0].request.url"),
        (vec![request(json!({"method": "PUT", "url": "Patient/a_b"}))], 400, "Bundle.entry[0].request.url"),
        (vec![request(json!({"method": "PUT", "url": "Patient"}))], 400, "Bundle.entry[0].request.url"),
        (vec![request(json!({"method": "POST", "url": ""}))], 400, "Bundle.entry[0].request.url"),
        (vec![request(json!({"method": "POST", "url": "Observation"}))], 400, "Bundle.entry[0].resource.resourceType"),
        (vec![request(json!({"method": "PUT", "url": "Patient/a"}))], 400, "Bundle.entry[0].resource.id"),
        (vec![fine(), entry("POST", "Patient")], 400, "Bundle.entry[1].resource"),
        (vec![as_one(), fine(), as_one()], 400, "Bundle.entry[2].fullUrl"),
        (vec![post(json!({"resourceType": "Pacient"}))], 404, "Bundle.entry[0].request.url"),
        (
            vec![json!({"resource": 7, "request": {"method": "POST", "url": "Patient"}})],
            400,
            "Bundle.entry[0].resource",
        ),
        (vec![with(fine(), "ifNoneExist", "identifier=")], 400, "Bundle.entry[0].request.ifNoneExist"),
        (vec![with(a(), "ifMatch", "\"1\",\"2\"")], 400, "Bundle.entry[0].request.ifMatch"),
    ] {
        let sent = transaction(entries).to_string();
        let answer = server.post("", &sent).await;
        assert_eq!((answer.status, answer.expression().as_str()), (status, place), "{sent}: {}", answer.text);
        assert!(answer.issue()["diagnostics"].as_str().is_some_and(|words| words.len() > 15), "{}", answer.text);
    }
    assert_eq!(server.rows().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_transaction_and_no_batch_is_refused_at_the_base() {
    let server = Server::start().await;
    for (body, place) in [
        (r#"{"resourceType":"Patient"}"#, "Bundle.resourceType"),
        (r#"{"resourceType":"Bundle"}"#, "Bundle.type"),
        (r#"{"resourceType":"Bundle","type":"collection"}"#, "Bundle.type"),
        (r#"{"resourceType":"Bundle","type":"transaction","entry":{}}"#, "Bundle.entry"),
        (r#"{"resourceType":"Bundle","type":"transaction","entry":[],"entry":[]}"#, "Bundle.entry"),
        (r#"{"resourceType":"Bundle","type":"transaction","type":"batch"}"#, "Bundle.type"),
        (r#"[]"#, "Bundle"),
        ("", "Bundle"),
        (
            r#"{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient"}"#,
            "Bundle.entry[0]",
        ),
    ] {
        let answer = server.post("", body).await;
        assert_eq!((answer.status, answer.expression().as_str()), (400, place), "{body}: {}", answer.text);
    }
    let broken = r#"{"resourceType":"Bundle","type":"transaction","entry":[{"resource":
        {"resourceType":"Patient","active":tru},"request":{"method":"POST","url":"Patient"}}]}"#;
    let answer = server.post("", broken).await.expect(400);
    assert_eq!(answer.expression(), "Bundle.entry[0].resource.active");
    assert!(answer.issue()["diagnostics"].as_str().unwrap().starts_with("Line 2, column "), "{}", answer.text);
    let twice = broken.replace("tru}", "true,\"active\":true}");
    assert_eq!(server.post("", twice).await.expect(400).expression(), "Bundle.entry[0].resource.active");
    assert_eq!(server.rows().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_without_entries_succeeds() {
    let server = Server::start().await;
    for body in [json!({"resourceType": "Bundle", "type": "transaction"}), transaction([])] {
        let answer = server.post("", body).await.expect(200);
        assert_eq!(answer.json(), json!({"resourceType": "Bundle", "type": "transaction-response"}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_entries_or_deeper_nesting_than_the_limit_are_refused_with_the_limit() {
    let settings = [("BRASA_BUNDLE_ENTRIES_MAX", "3"), ("BRASA_JSON_DEPTH_MAX", "12")];
    let server = Server::start_with(&settings).await;
    let entries = |count| vec![post(json!({"resourceType": "Patient"})); count];
    server.transact(entries(3)).await.expect(200);
    let before = server.rows().await;
    for kind in ["transaction", "batch"] {
        let refused = server.post("", crate::support::bundle::bundle(kind, entries(4))).await.expect(413);
        assert_eq!(refused.expression(), "Bundle.entry");
        assert!(refused.issue()["diagnostics"].as_str().unwrap().contains('3'), "{}", refused.text);
    }
    let deep = format!("{}1{}", "[".repeat(20), "]".repeat(20));
    let text = transaction(entries(1)).to_string().replace("\"Patient\"}", &format!("\"Patient\",\"x\":{deep}}}"));
    let refused = server.post("", text).await.expect(413);
    assert!(refused.issue()["diagnostics"].as_str().unwrap().contains("12 levels"), "{}", refused.text);
    assert_eq!(server.rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_posted_to_its_type_is_stored_as_a_resource_whatever_it_holds() {
    let server = Server::start().await;
    for kind in ["collection", "document", "transaction", "batch"] {
        let sent = crate::support::bundle::bundle(kind, [post_as("urn:uuid:1", observation("urn:uuid:2"))]);
        let stored = server.post("Bundle", &sent).await.expect(201);
        let read = server.get(&format!("Bundle/{}", stored.id())).await.expect(200).json();
        assert_eq!((&read["type"], &read["entry"]), (&sent["type"], &sent["entry"]));
        let made = server.transact([post(sent.clone())]).await.expect(200).made();
        assert_eq!(server.get(&made[0]).await.expect(200).json()["entry"], sent["entry"], "as an entry, too");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_on_the_same_resources_in_opposite_order_all_happen() {
    let server = Server::start().await;
    let both = |turn: usize| {
        let mut entries: Vec<Value> =
            ["a", "b"].map(|id| put(json!({"resourceType": "Patient", "id": id, "active": true}))).to_vec();
        entries.rotate_left(turn % 2);
        entries
    };
    let answers = futures_util::future::join_all((0..8).map(|turn| server.transact(both(turn)))).await;
    for answer in answers {
        answer.expect(200);
    }
    for id in ["a", "b"] {
        assert_eq!(server.get(&format!("Patient/{id}")).await.expect(200).header("etag"), Some("W/\"8\""));
    }
}
