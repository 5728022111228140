//! What administrators do with accounts, that nobody else does it, and what is open to everybody.

use super::{PASSWORD, at, log_in, make_user, server, text, token, try_log_in};
use crate::support::Server;
use serde_json::{Value, json};

#[tokio::test]
async fn only_an_administrator_sees_makes_and_changes_accounts() {
    let server = server().await;
    let root = token(&server, "root").await;
    let root = server.as_user(&root);
    for role in ["practitioner", "patient", "auditor"] {
        let id = make_user(&server, &root, role, role).await;
        let session = token(&server, role).await;
        let user = server.as_user(&session);
        user.get(&at(&server, "users")).await.expect(403);
        let wanted = json!({"username": "friend", "password": PASSWORD, "role": "admin"});
        user.send("POST", &at(&server, "users"), wanted).await.expect(403);
        user.send("PATCH", &at(&server, &format!("users/{id}")), json!({"role": "admin"})).await.expect(403);
    }
    let listed = root.get(&at(&server, "users")).await.expect(200);
    let names: Vec<String> =
        listed.json()["users"].as_array().unwrap().iter().map(|user| text(&user["username"])).collect();
    assert_eq!(names, ["auditor", "patient", "practitioner", "root"]);
    assert!(!listed.text.contains("argon2id"));
    let after = root.get(&at(&server, "users?after=patient")).await.expect(200).json();
    assert_eq!(after["users"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_account_is_linked_unlinked_disabled_and_given_a_password() {
    let server = server().await;
    let root = token(&server, "root").await;
    let root = server.as_user(&root);
    let id = make_user(&server, &root, "ana", "patient").await;
    let path = at(&server, &format!("users/{id}"));
    let change = async |body: Value| root.send("PATCH", &path, body).await;
    assert_eq!(change(json!({"patient": "p1"})).await.expect(200).json()["patient"], "p1");
    assert_eq!(change(json!({"disabled": false})).await.expect(200).json()["patient"], "p1");
    assert_eq!(change(json!({"patient": null})).await.expect(200).json()["patient"], Value::Null);
    let session = token(&server, "ana").await;
    change(json!({"password": "quite another one"})).await.expect(200);
    server.as_user(&session).get(&at(&server, "me")).await.expect(401);
    try_log_in(&server, "ana", "quite another one").await.expect(200);
    change(json!({"disabled": true})).await.expect(200);
    try_log_in(&server, "ana", "quite another one").await.expect(401);
    for (body, named) in [
        (json!({"role": "superuser"}), "role"),
        (json!({"patient": "../x"}), "patient"),
        (json!({"username": "other"}), "username"),
        (json!({"id": "other"}), "id"),
        (json!({"created": "2020-01-01T00:00:00Z"}), "created"),
    ] {
        assert!(change(body).await.expect(400).text.contains(named), "{named}");
    }
    root.send("PATCH", &at(&server, "users/nobody"), json!({"disabled": true})).await.expect(404);
    let again = json!({"username": "ANA", "password": PASSWORD, "role": "patient"});
    root.send("POST", &at(&server, "users"), again).await.expect(409);
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let server = server().await;
    let root = token(&server, "root").await;
    let root = server.as_user(&root);
    let me = text(&root.get(&at(&server, "me")).await.json()["id"]);
    let path = at(&server, &format!("users/{me}"));
    for body in [json!({"disabled": true}), json!({"role": "auditor"})] {
        root.send("PATCH", &path, body).await.expect(409);
    }
    make_user(&server, &root, "second", "admin").await;
    root.send("PATCH", &path, json!({"role": "auditor"})).await.expect(200);
}

#[tokio::test]
async fn without_a_token_only_what_the_server_can_do_is_told() {
    let server = server().await;
    server.get("metadata").await.expect(200);
    let patient = json!({"resourceType": "Patient"});
    for refused in [
        server.get("Patient").await,
        server.get("Patient/p1").await,
        server.get("_history").await,
        server.post("Patient", &patient).await,
        server.post("", json!({"resourceType": "Bundle", "type": "batch"})).await,
        server.delete("Patient/p1").await,
        server.get_with("Patient", &[("authorization", "Basic cm9vdDpyb290")]).await,
        server.get_with("Patient", &[("authorization", "Bearer")]).await,
        server.get(&at(&server, "me")).await,
        server.get(&at(&server, "users")).await,
    ] {
        let refused = refused.expect(401);
        assert_eq!(refused.issue()["code"], "login");
        assert!(refused.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")));
        assert_eq!(refused.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn until_the_store_takes_a_grant_records_are_closed_to_every_account() {
    let server = server().await;
    let root = token(&server, "root").await;
    for role in ["practitioner", "patient", "auditor", "admin"] {
        make_user(&server, &server.as_user(&root), role, role).await;
        let session = token(&server, role).await;
        let bearer = format!("Bearer {session}");
        let authorization = [("authorization", bearer.as_str())];
        for path in ["Patient", "Patient/p1", "Patient/p1/_history", "_history"] {
            server.get_with(path, &authorization).await.expect(403);
        }
        let patient = json!({"resourceType": "Patient", "id": "p1"});
        server.put_with("Patient/p1", &authorization, &patient).await.expect(403);
        server.post_with("Patient", &authorization, &patient).await.expect(403);
        let write = json!({"resource": patient, "request": {"method": "PUT", "url": "Patient/p1"}});
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [write]});
        server.post_with("", &authorization, bundle).await.expect(403);
        server.send("DELETE", "Patient/p1", &authorization, "").await.expect(403);
        let reindexes = server.send("POST", "$reindex", &authorization, "").await.status;
        assert_eq!(reindexes == 403, role != "admin", "{role}: {reindexes}");
    }
    let behind = server.database.connect().await;
    let count: i64 = behind.query_one("SELECT count(*) AS count FROM resource", &[]).await.unwrap().get("count");
    assert_eq!(count, 0);
}

#[tokio::test]
async fn whoever_sends_no_token_is_refused_before_the_body_is_read() {
    let server = server().await;
    let host = server.root.trim_start_matches("http://").to_owned();
    // The body never comes; the answer does.
    let request = format!(
        "POST /fhir/Patient HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/fhir+json\r\nContent-Length: 100000\r\n\r\n"
    );
    let mut stream = server.dial().await;
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    let read = tokio::io::AsyncReadExt::read_exact(&mut stream, &mut head);
    tokio::time::timeout(std::time::Duration::from_secs(10), read).await.expect("an answer").unwrap();
    assert_eq!(&head, b"HTTP/1.1 401");
}

#[tokio::test]
async fn every_answer_is_safe_to_be_opened_in_a_browser() {
    let server = server().await;
    let root = log_in(&server, "root").await;
    let root = server.as_user(&text(&root["access_token"]));
    let jwks = format!("{}/.well-known/jwks.json", server.root);
    for answer in [
        server.get("metadata").await,
        server.get("Patient").await,
        server.get(&server.root.clone()).await,
        server.get(&format!("{}/health", server.root)).await,
        server.get(&jwks).await,
        root.get(&at(&server, "me")).await,
    ] {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("content-security-policy"), Some("default-src 'none'; frame-ancestors 'none'"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
}

#[tokio::test]
async fn a_second_start_changes_no_administrator_and_a_start_without_one_says_so() {
    let server = server().await;
    let database = server.stop().await;
    let other = [("BRASA_AUTH", "on"), ("BRASA_ADMIN_USERNAME", "second"), ("BRASA_ADMIN_PASSWORD", PASSWORD)];
    let server = Server::on(database, &other).await;
    log_in(&server, "root").await;
    try_log_in(&server, "second", PASSWORD).await.expect(401);
    let without = Server::start_with(&[("BRASA_AUTH", "on")]).await;
    try_log_in(&without, "root", PASSWORD).await.expect(401);
}
