//! Conditional interactions: create, update, patch and delete of what a search finds. <https://hl7.org/fhir/R4/http.html#cond-update>

use crate::support::bundle::{bundle, entry, observation, patient, post, post_as, put, transaction, with};
use crate::support::{Answer, FHIR_JSON, Server};
use futures_util::future::join_all;
use serde_json::{Value, json};

async fn count(server: &Server, search: &str) -> u64 {
    let separator = if search.contains('?') { '&' } else { '?' };
    let answer = server.get(&format!("{search}{separator}_summary=count")).await.expect(200);
    answer.json()["total"].as_u64().unwrap()
}

async fn create(server: &Server, condition: &str, resource: &Value) -> Answer {
    server.post_with("Patient", &[("if-none-exist", condition)], resource).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_parallel_creates_with_one_identifier_one_creates() {
    let server = Server::start().await;
    // Some clients escape the value, some the whole header, some leave the system out: all mean the same resource.
    let spellings = [
        "identifier=urn:test|one",
        "identifier=urn%3Atest%7Cone",
        "identifier%3Durn%3Atest%7Cone",
        "identifier=one",
        "Patient?identifier=urn:test|one",
    ];
    let body = patient("one");
    let creates = (0..50).map(|number| create(&server, spellings[number % spellings.len()], &body));
    let answers = join_all(creates).await;
    let created: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(created.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    assert_eq!(count(&server, "Patient").await, 1);
    for answer in &answers {
        assert!([200, 201].contains(&answer.status), "{}", answer.text);
        assert_eq!(answer.header("location"), created[0].header("location"));
        assert_eq!(answer.header("etag"), Some("W/\"1\""));
        assert_eq!(answer.id(), created[0].id());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_transactions_and_servers_create_one_resource_for_one_condition() {
    let server = Server::start().await;
    let second = Server::on(server.database.clone(), &[]).await;
    let bundles = (0..20).map(|number| {
        let made = post_as("urn:uuid:1", patient("one"));
        let entries = [with(made, "ifNoneExist", "identifier=urn:test|one"), post(observation("urn:uuid:1"))];
        if number % 2 == 0 { server.post("", transaction(entries)) } else { second.post("", transaction(entries)) }
    });
    for answer in join_all(bundles).await {
        answer.expect(200);
    }
    assert_eq!(count(&server, "Patient").await, 1);
    assert_eq!(count(&server, "Observation?patient:Patient.identifier=urn:test|one").await, 20);
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_finds_several_or_is_not_understood_creates_nothing() {
    let server = Server::start().await;
    for _ in 0..2 {
        server.post("Patient", patient("twice")).await.expect(201);
    }
    for (condition, status) in [
        ("identifier=urn:test|twice", 412),
        ("identifier=twice&_format=json", 412),
        ("color=red", 400),
        ("identifier:unheard=x", 400),
        ("birthdate=yesterday", 400),
        ("Observation?code=x", 400),
        ("identifier", 400),
        ("_format=json", 400),
        ("_count=1", 400),
        ("identifier=%ff", 400),
    ] {
        let refused = create(&server, condition, &patient("new")).await.expect(status);
        assert_eq!(refused.expression(), "http.if-none-exist", "{condition}");
    }
    assert_eq!(count(&server, "Patient").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_is_returned_as_the_client_prefers() {
    let server = Server::start().await;
    let id = create(&server, "identifier=a", &patient("a")).await.expect(201).id();
    for (preference, kind) in [
        ("return=minimal", None),
        ("return=representation", Some("Patient")),
        ("return=OperationOutcome", Some("OperationOutcome")),
    ] {
        let headers = [("if-none-exist", "identifier=a"), ("prefer", preference)];
        let answer = server.post_with("Patient", &headers, patient("a")).await.expect(200);
        assert!(answer.header("location").is_some_and(|at| at.ends_with(&format!("Patient/{id}/_history/1"))));
        let got = (!answer.text.is_empty()).then(|| answer.json()["resourceType"].as_str().unwrap().to_owned());
        assert_eq!(got.as_deref(), kind, "{preference}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conditional_update_creates_or_updates_and_minds_the_id() {
    let server = Server::start().await;
    let named = |id: &str, value: &str| {
        let mut resource = patient(value);
        resource["id"] = id.into();
        resource
    };
    // None found, no id: created under the server's id. Once more: updated.
    let made = server.put("Patient?identifier=urn:test|a", patient("a")).await.expect(201).id();
    let again = server.put("Patient?identifier=urn:test|a", patient("a")).await.expect(200);
    assert_eq!((again.id(), again.header("etag")), (made.clone(), Some("W/\"2\"")));
    // With the id of what is found: updated; with another one: refused.
    server.put("Patient?identifier=urn:test|a", named(&made, "a")).await.expect(200);
    let refused = server.put("Patient?identifier=urn:test|a", named("other", "a")).await.expect(400);
    assert_eq!(refused.expression(), "Patient.id");
    // None found, an id that is free: created under it; one that is taken: refused.
    assert_eq!(server.put("Patient?identifier=urn:test|b", named("b", "b")).await.expect(201).id(), "b");
    let refused = server.put("Patient?identifier=urn:test|c", named("b", "c")).await.expect(409);
    assert_eq!(refused.expression(), "Patient.id");
    server.post("Patient", patient("a")).await.expect(201);
    server.put("Patient?identifier=urn:test|a", patient("a")).await.expect(412);
    server.put_with("Patient?identifier=urn:test|b", &[("if-match", "W/\"7\"")], patient("b")).await.expect(412);
    server.put_with("Patient?identifier=urn:test|b", &[("if-match", "W/\"1\"")], patient("b")).await.expect(200);
    server.put_with("Patient?identifier=urn:test|d", &[("if-match", "W/\"1\"")], patient("d")).await.expect(412);
    server.put("Patient?color=red", patient("d")).await.expect(400);
    assert_eq!(count(&server, "Patient").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conditional_patch_patches_the_one_that_is_found() {
    let server = Server::start().await;
    server.post("Patient", patient("a")).await.expect(201);
    let patch = json!([{"op": "add", "path": "/active", "value": true}]).to_string();
    let send = |search: &'static str| {
        server.send("PATCH", search, &[("content-type", "application/json-patch+json")], patch.clone())
    };
    assert_eq!(send("Patient?identifier=a").await.expect(200).json()["active"], true);
    send("Patient?identifier=b").await.expect(404);
    server.post("Patient", patient("a")).await.expect(201);
    send("Patient?identifier=a").await.expect(412);
    assert_eq!(count(&server, "Patient?active=true").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conditional_delete_deletes_one_and_several_only_where_that_is_allowed() {
    let careful = Server::start().await;
    for value in ["a", "b", "b"] {
        careful.post("Patient", patient(value)).await.expect(201);
    }
    careful.delete("Patient?identifier=a").await.expect(204);
    careful.delete("Patient?identifier=a").await.expect(204);
    careful.delete("Patient?identifier=b").await.expect(412);
    careful.delete("Patient?color=red").await.expect(400);
    careful.delete("Patient?_format=json").await.expect(400);
    assert_eq!(count(&careful, "Patient").await, 2);

    let bold = Server::on(careful.stop().await, &[("BRASA_CONDITIONAL_DELETES_MAX", "3")]).await;
    for value in ["c", "c", "c", "c"] {
        bold.post("Patient", patient(value)).await.expect(201);
    }
    bold.delete("Patient?identifier=c").await.expect(412);
    assert_eq!(count(&bold, "Patient").await, 6);
    let told =
        bold.send("DELETE", "Patient?identifier=b", &[("prefer", "return=OperationOutcome")], "").await.expect(200);
    assert!(told.text.contains("2 resources were deleted"), "{}", told.text);
    assert_eq!(count(&bold, "Patient").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditional_entries_of_a_transaction_come_to_what_their_criteria_find() {
    let server = Server::start().await;
    let stands = server.post("Patient", patient("stands")).await.expect(201).id();
    let gone = server.post("Patient", patient("gone")).await.expect(201).id();
    let kept = server.post("Patient", patient("kept")).await.expect(201).id();
    let conditional =
        |search: &str, resource: Value| json!({"resource": resource, "request": {"method": "PUT", "url": search}});
    let mut update = conditional("Patient?identifier=urn:test|kept", patient("kept"));
    update["resource"]["active"] = true.into();
    update["fullUrl"] = "urn:uuid:kept".into();
    let answer = server
        .transact([
            with(post_as("urn:uuid:1", patient("stands")), "ifNoneExist", "identifier=urn:test|stands"),
            with(post_as("urn:uuid:2", patient("new")), "ifNoneExist", "identifier=urn:test|new"),
            post(observation("urn:uuid:1")),
            post(observation("urn:uuid:2")),
            update,
            post(observation("urn:uuid:kept")),
            entry("DELETE", "Patient?identifier=urn:test|gone"),
            entry("DELETE", "Patient?identifier=urn:test|nobody"),
            entry("GET", "Patient?active=true"),
        ])
        .await
        .expect(200);
    assert_eq!(answer.statuses(), [200, 201, 201, 201, 200, 201, 204, 204, 200]);
    let found = answer.entries();
    assert_eq!(found[8]["resource"]["entry"][0]["resource"]["id"], kept.as_str(), "a search sees the writes");
    for (id, observed) in [(&stands, 1), (&kept, 1)] {
        assert_eq!(count(&server, &format!("Observation?patient={id}")).await, observed);
    }
    server.get(&format!("Patient/{gone}")).await.expect(410);
    assert_eq!(count(&server, "Patient").await, 3);

    let twice = || with(post(patient("x")), "ifNoneExist", "identifier=x");
    let refused = server.post("", transaction([twice(), twice()])).await.expect(400);
    assert_eq!(refused.expression(), "Bundle.entry[1]");
    let both = [entry("DELETE", &format!("Patient/{kept}")), conditional("Patient?identifier=kept", patient("kept"))];
    assert_eq!(server.post("", transaction(both)).await.expect(400).expression(), "Bundle.entry[1]");
}

#[tokio::test(flavor = "multi_thread")]
async fn conditional_entries_of_a_batch_stand_each_for_itself() {
    let server = Server::start().await;
    let entries = [
        with(post(patient("a")), "ifNoneExist", "identifier=urn:test|a"),
        json!({"resource": patient("b"), "request": {"method": "PUT", "url": "Patient?identifier=urn:test|b"}}),
        entry("DELETE", "Patient?identifier=urn:test|c"),
        with(post(patient("d")), "ifNoneExist", "color=red"),
    ];
    let answer = server.post("", bundle("batch", entries)).await.expect(200);
    assert_eq!(answer.statuses(), [201, 201, 204, 400]);
    let place = &answer.entries()[3]["response"]["outcome"]["issue"][0]["expression"][0];
    assert_eq!(place, "Bundle.entry[3].request.ifNoneExist");
}

#[tokio::test(flavor = "multi_thread")]
async fn conditional_references_find_by_any_search_what_is_stored_or_in_the_bundle() {
    let server = Server::start().await;
    let doctor = |family: &str| json!({"resourceType": "Practitioner", "name": [{"family": family}], "active": true});
    server
        .put("Practitioner/ruiz", json!({"resourceType": "Practitioner", "id": "ruiz", "name": [{"family": "Ruíz"}]}))
        .await
        .expect(201);
    let seen = |reference: &str| {
        let mut seen = observation("Patient/p");
        seen["performer"] = json!([{"reference": reference}]);
        post(seen)
    };
    let one = put(json!({"resourceType": "Patient", "id": "p"}));
    let answer = server
        .transact([
            one,
            seen("Practitioner?name=ruiz"),
            seen("Practitioner?family=Soto&active=true"),
            post(doctor("Soto")),
        ])
        .await;
    let made = answer.expect(200).made();
    for (number, doctor) in [(1, "Practitioner/ruiz"), (2, made[3].as_str())] {
        assert_eq!(server.get(&made[number]).await.expect(200).json()["performer"][0]["reference"], doctor);
    }
    server.transact([seen("Practitioner?name=soto"), post(doctor("Soto"))]).await.expect(412);
    let refused = server
        .send("POST", "", &[("content-type", FHIR_JSON)], transaction([seen("Practitioner?color=red")]).to_string())
        .await;
    assert_eq!(refused.expect(400).expression(), "Bundle.entry[0].resource.performer[0].reference");
}
