//! `brasa policy explain` against what the server really answers.

use super::program::command;
use super::{at, make_user, server, token};
use crate::support::Server;
use serde_json::{Value, json};

/// The exit code and what was printed.
async fn explain(server: &Server, words: &[&str]) -> (Option<i32>, String) {
    let output = command(&server.database.url(), &[]).args(["policy", "explain"]).args(words).output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_explained_is_what_is_answered() {
    let server = server().await;
    let root = token(&server, "root").await;
    let root = server.as_user(&root);
    for (username, role, link) in [
        ("ana", "patient", json!({"patient": "p1"})),
        ("soto", "practitioner", json!({"practitioner": "d"})),
        ("lost", "patient", Value::Null),
    ] {
        let id = make_user(&server, &root, username, role).await;
        if !link.is_null() {
            root.send("PATCH", &at(&server, &format!("users/{id}")), link).await.expect(200);
        }
    }
    let doctor = token(&server, "soto").await;
    for id in ["p1", "p2"] {
        let patient = json!({"resourceType": "Patient", "id": id});
        let address = format!("{}/Patient/{id}", server.base);
        server.as_user(&doctor).send("PUT", &address, patient).await.expect(201);
    }
    for (user, method, url, words) in [
        ("ana", "GET", "Patient/p1", "filter: what is about Patient/p1"),
        ("ana", "GET", "Patient/p2", "not within the filter"),
        ("ana", "GET", "Observation", "row: patient | rs | about the patient | clinical"),
        ("ana", "GET", "Observation/_history", "only where all of it may be seen"),
        ("ana", "DELETE", "Patient/p1", "no row of the table"),
        ("ana", "GET", "_history", "filter: all"),
        ("lost", "GET", "Patient", "filter: nothing"),
        ("lost", "GET", "ValueSet", "filter: all"),
        ("soto", "GET", "Patient/p2", "row: practitioner | cruds | all | clinical"),
        ("soto", "GET", "AuditEvent", "no row of the table"),
        ("soto", "POST", "$reindex", "for administrators"),
        ("root", "GET", "Patient/p1", "no row of the table"),
        ("root", "GET", "$reindex", "for administrators"),
        ("root", "GET", "metadata", "open to everybody"),
    ] {
        let (code, said) = explain(&server, &[user, method, url]).await;
        assert!(said.contains(words), "{user} {method} {url}: {said}");
        let session = token(&server, user).await;
        let answer = server.as_user(&session).send(method, &format!("{}/{url}", server.base), Value::Null).await;
        // A type that is closed is refused; what is not within a filter is not there.
        let is_allowed = ![403, 404].contains(&answer.status);
        assert_eq!(code, Some(i32::from(!is_allowed)), "{user} {method} {url}: {}, {said}", answer.status);
        assert!(said.ends_with(if is_allowed { "ALLOWED\n" } else { "DENIED\n" }), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn duties_scopes_and_a_disabled_account_are_taken_into_account() {
    let server = server().await;
    let root = token(&server, "root").await;
    let root = server.as_user(&root);
    let id = make_user(&server, &root, "soto", "practitioner").await;
    let path = at(&server, &format!("users/{id}"));
    root.send("PATCH", &path, json!({"practitioner": "d"})).await.expect(200);
    let scopes = ["soto", "GET", "Observation", "--scopes", "user/Observation.rs?category=laboratory openid"];
    let (code, said) = explain(&server, &scopes).await;
    assert!(code == Some(0) && said.contains("filter: what the search `category=laboratory` finds"), "{said}");
    assert!(said.contains("'openid' is no scope"), "{said}");
    assert_eq!(explain(&server, &["soto", "POST", "Observation", "--scopes", "user/Observation.rs"]).await.0, Some(1));
    let role = json!({"resourceType": "PractitionerRole", "id": "desk", "practitioner": {"reference": "Practitioner/d"},
        "code": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/practitioner-role", "code": "receptionist"}]}]});
    let address = format!("{}/PractitionerRole/desk", server.base);
    root.send("PUT", &address, role).await.expect(201);
    let (code, said) = explain(&server, &["soto", "GET", "Observation"]).await;
    assert!(code == Some(1) && said.contains("with the duties: receptionist"), "{said}");
    assert_eq!(explain(&server, &["soto", "GET", "Appointment"]).await.0, Some(0));
    root.send("PATCH", &path, json!({"disabled": true})).await.expect(200);
    let (code, said) = explain(&server, &["soto", "GET", "Appointment"]).await;
    assert!(code == Some(1) && said.contains("disabled"), "{said}");
    for wrong in [["nobody", "GET", "Patient"], ["soto", "GET", "Nothing"], ["soto", "BREW", "Patient"]] {
        let (code, said) = explain(&server, &wrong).await;
        assert_eq!(code, Some(2), "{said}");
    }
}
