//! Profiles and what they lead to, found among the stored resources by their canonical address.

use super::{WELL, issues, needed, patient, profile, sentences};
use crate::accounts;
use crate::support::Server;
use crate::support::bundle::put;
use serde_json::{Value, json};
use std::time::Duration;

/// How long another server may take to see a change; each looks every five seconds, and machines may be slow.
const SEEN_WITHIN_SECONDS: u32 = 60;

async fn store(server: &Server, resource: &Value) {
    let path = format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
    let answer = server.put(&path, resource).await;
    assert!([200, 201].contains(&answer.status), "{path}: {}", answer.text);
}

async fn told(server: &Server, profile: &str, resource: &Value) -> Vec<String> {
    issues(&server.post(&format!("Patient/$validate?profile={profile}"), resource).await.expect(200))
}

fn nobody() -> Value {
    let mut nobody = patient("x", json!({}));
    nobody.as_object_mut().unwrap().remove("meta");
    nobody
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_profile_is_checked_whether_it_is_named_or_claimed_and_a_change_of_it_is_seen_at_once() {
    let server = Server::start().await;
    let unknown = server.post("Patient/$validate?profile=http://p/named", nobody()).await.expect(200);
    assert_eq!(issues(&unknown), ["warning not-found Patient"]);
    assert!(sentences(&unknown).contains("http://p/named"));
    store(&server, &profile("named", "Patient", &[needed("Patient.name")])).await;
    assert_eq!(told(&server, "http://p/named", &nobody()).await, ["error required Patient.name"]);
    let answer = server.post("Patient/$validate", patient("named", json!({}))).await.expect(200);
    assert_eq!(issues(&answer), ["error required Patient.name"]);
    assert!(sentences(&answer).contains("http://p/named"));
    let good = patient("named", json!({"name": [{"family": "x"}]}));
    assert_eq!(issues(&server.post("Patient/$validate", &good).await.expect(200)), [WELL]);
    // What is stored, too, and by mode=profile.
    let mut stored = nobody();
    stored["id"] = json!("p");
    store(&server, &stored).await;
    for path in
        ["Patient/p/$validate?profile=http://p/named", "Patient/p/$validate?profile=http://p/named&mode=profile"]
    {
        assert_eq!(issues(&server.get(path).await.expect(200)), ["error required Patient.name"]);
    }
    store(&server, &profile("named", "Patient", &[needed("Patient.birthDate")])).await;
    assert_eq!(told(&server, "http://p/named", &nobody()).await, ["error required Patient.birthDate"]);
    server.delete("StructureDefinition/named").await.expect(204);
    assert_eq!(told(&server, "http://p/named", &nobody()).await, ["warning not-found Patient"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_the_one_that_is_named_and_without_one_the_highest_in_use() {
    let server = Server::start().await;
    for (id, version, status, path) in [
        ("a", "1.9.0", "active", "Patient.gender"),
        ("b", "1.10.0", "active", "Patient.birthDate"),
        ("c", "2.0.0", "retired", "Patient.photo"),
    ] {
        let mut one = profile("versions", "Patient", &[needed(path)]);
        one["id"] = json!(id);
        one["version"] = json!(version);
        one["status"] = json!(status);
        store(&server, &one).await;
    }
    for (canonical, place) in [
        ("http://p/versions", "Patient.birthDate"),
        ("http://p/versions|1.9.0", "Patient.gender"),
        ("http://p/versions|2.0.0", "Patient.photo"),
    ] {
        assert_eq!(told(&server, canonical, &nobody()).await, [format!("error required {place}")], "{canonical}");
    }
    assert_eq!(told(&server, "http://p/versions|3", &nobody()).await, ["warning not-found Patient"]);
    // A release is above its ballots, and above all that were written after it.
    let newer = (0..25).map(|number| (format!("n{number}"), format!("3.0.0-ballot.{number}"), "Patient.gender"));
    let release = ("release".to_owned(), "3.0.0".to_owned(), "Patient.photo");
    let all: Vec<Value> = std::iter::once(release)
        .chain(newer)
        .map(|(id, version, path)| {
            let mut one = profile("versions", "Patient", &[needed(path)]);
            (one["id"], one["version"]) = (json!(id), json!(version));
            put(one)
        })
        .collect();
    server.transact(all).await.expect(200);
    assert_eq!(told(&server, "http://p/versions", &nobody()).await, ["error required Patient.photo"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_was_expunged_and_made_again_is_seen_here_at_once_and_by_another_server_soon() {
    let one = Server::start().await;
    let other = Server::on(one.database.clone(), &[]).await;
    store(&one, &profile("again", "Patient", &[needed("Patient.name")])).await;
    for server in [&one, &other] {
        assert_eq!(told(server, "http://p/again", &nobody()).await, ["error required Patient.name"]);
    }
    one.post("StructureDefinition/again/$expunge?expungeEverything=true", "").await.expect(200);
    assert_eq!(told(&one, "http://p/again", &nobody()).await, ["warning not-found Patient"]);
    // As many resources and versions as before.
    store(&one, &profile("again", "Patient", &[needed("Patient.gender")])).await;
    let mut waited = 0;
    while told(&other, "http://p/again", &nobody()).await != ["error required Patient.gender"] {
        assert!(waited < SEEN_WITHIN_SECONDS, "not seen after {waited} s");
        waited += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_with_too_many_regular_expressions_is_not_checked_and_says_so() {
    let server = Server::start().await;
    let constraint = |number: usize| {
        json!({"key": format!("x-{number}"), "severity": "error", "human": "x", "source": "http://p/patterns",
            "expression": format!("family.empty() or family.matches('^[a-z]{{{number}}}$')")})
    };
    let with = |count: usize| {
        let constraints: Vec<Value> = (0..count).map(constraint).collect();
        let mut name = needed("Patient.name");
        name["constraint"] = json!(constraints);
        profile("patterns", "Patient", &[name])
    };
    store(&server, &with(100)).await;
    assert_eq!(told(&server, "http://p/patterns", &nobody()).await, ["error required Patient.name"]);
    store(&server, &with(1_000)).await;
    let answer = server.post("Patient/$validate?profile=http://p/patterns", nobody()).await.expect(200);
    assert!(sentences(&answer).contains("regular expressions"), "{}", answer.text);
    assert!(!answer.text.contains("required"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_profile_leads_to_is_found_where_the_resource_has_it() {
    let server = Server::start().await;
    store(
        &server,
        &json!({"resourceType": "ValueSet", "id": "v", "url": "http://v/colours", "status": "active",
        "compose": {"include": [{"system": "http://c/colours"}]}}),
    )
    .await;
    store(
        &server,
        &json!({"resourceType": "CodeSystem", "id": "c", "url": "http://c/colours", "status": "active",
        "content": "complete", "concept": [{"code": "red"}]}),
    )
    .await;
    store(
        &server,
        &profile(
            "colour",
            "Extension",
            &[
                json!({"path": "Extension.url", "min": 1, "max": "1", "fixedUri": "http://p/colour"}),
                json!({"path": "Extension.value[x]", "min": 1, "max": "1", "type": [{"code": "Coding"}],
            "binding": {"strength": "required", "valueSet": "http://v/colours"}}),
            ],
        ),
    )
    .await;
    store(
        &server,
        &profile(
            "coloured",
            "Patient",
            &[
                json!({"path": "Patient.extension", "min": 0, "max": "*",
            "slicing": {"discriminator": [{"type": "value", "path": "url"}], "rules": "open"}}),
                json!({"path": "Patient.extension", "sliceName": "colour", "min": 1, "max": "1",
            "type": [{"code": "Extension", "profile": ["http://p/colour"]}]}),
                json!({"path": "Patient.maritalStatus", "min": 0, "max": "1",
            "binding": {"strength": "extensible", "valueSet": "http://v/nowhere"}}),
            ],
        ),
    )
    .await;
    let of = |code: &str| {
        patient(
            "coloured",
            json!({"extension": [
        {"url": "http://p/colour", "valueCoding": {"system": "http://c/colours", "code": code}}]}),
        )
    };
    assert_eq!(issues(&server.post("Patient/$validate", of("red")).await), [WELL]);
    let answer = server.post("Patient/$validate", of("blue")).await;
    assert_eq!(issues(&answer), ["error code-invalid Patient.extension[0].value"]);
    assert!(sentences(&answer).contains("http://v/colours"));
    let mut married = of("red");
    married["maritalStatus"] = json!({"coding": [{"system": "s", "code": "m"}]});
    let answer = server.post("Patient/$validate", married).await;
    assert_eq!(issues(&answer), ["information not-supported Patient.maritalStatus"]);
    assert!(sentences(&answer).contains("http://v/nowhere"));
    // The system gets another code: what was read of it is forgotten.
    store(
        &server,
        &json!({"resourceType": "CodeSystem", "id": "c", "url": "http://c/colours", "status": "active",
        "content": "complete", "concept": [{"code": "red"}, {"code": "blue"}]}),
    )
    .await;
    assert_eq!(issues(&server.post("Patient/$validate", of("blue")).await), [WELL]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_another_server_stored_is_seen_soon() {
    let one = Server::start().await;
    let other = Server::on(one.database.clone(), &[]).await;
    store(&one, &profile("shared", "Patient", &[needed("Patient.name")])).await;
    assert_eq!(told(&other, "http://p/shared", &nobody()).await, ["error required Patient.name"]);
    store(&one, &profile("shared", "Patient", &[needed("Patient.gender")])).await;
    assert_eq!(told(&one, "http://p/shared", &nobody()).await, ["error required Patient.gender"]);
    let mut waited = 0;
    while told(&other, "http://p/shared", &nobody()).await != ["error required Patient.gender"] {
        assert!(waited < SEEN_WITHIN_SECONDS, "not seen after {waited} s");
        waited += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_profiles_is_held_to_them_and_the_looking_is_nobodys_access() {
    let server = accounts::server_with(&[("BRASA_AUDIT", "on"), ("BRASA_PROFILES", "claimed")]).await;
    let root = accounts::token(&server, "root").await;
    let admin = server.as_user(&root);
    accounts::make_user(&server, &admin, "doctor", "practitioner").await;
    accounts::make_user(&server, &admin, "auditor", "auditor").await;
    let doctor = server.as_user(&accounts::token(&server, "doctor").await);
    let auditor = server.as_user(&accounts::token(&server, "auditor").await);
    admin
        .send("PUT", "StructureDefinition/named", profile("named", "Patient", &[needed("Patient.name")]))
        .await
        .expect(201);
    let refused = doctor.send("POST", "Patient", patient("named", json!({}))).await.expect(422);
    assert_eq!(issues(&refused), ["error required Patient.name"]);
    for user in [&admin, &doctor, &auditor] {
        let answer = user.send("POST", "Patient/$validate", patient("named", json!({}))).await.expect(200);
        assert_eq!(issues(&answer), ["error required Patient.name"]);
    }
    server.each_is_recorded().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_profiles_are_too_many_for_one_check() {
    let server = Server::start().await;
    let claimed: Vec<String> = (0..3_000).map(|number| format!("http://p/none-{number}")).collect();
    let mut patient = nobody();
    patient["meta"] = json!({"profile": claimed});
    let refused = server.post("Patient/$validate", patient).await.expect(400);
    assert_eq!(refused.issue()["code"], "too-costly");
}
