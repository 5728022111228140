//! What administrators do with accounts, that nobody else does it, and what is open to everybody.

use super::{PASSWORD, at, becomes, log_in, make_user, server, text, token, try_log_in};
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
    server.each_is_recorded().await;
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
    server.each_is_recorded().await;
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
    server.each_is_recorded().await;
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
        server.get_with("Patient", &[("authorization", "Bearer ")]).await,
        server.get(&at(&server, "me")).await,
        server.get(&at(&server, "users")).await,
    ] {
        let refused = refused.expect(401);
        assert_eq!(refused.issue()["code"], "login");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"brasa\""));
        assert_eq!(refused.header("cache-control"), Some("no-store"));
    }
    server.each_is_recorded().await;
}

#[tokio::test]
async fn whoever_shows_a_credential_that_is_worth_nothing_is_told_that_it_is_the_credential() {
    let server = server().await;
    let ended = token(&server, "root").await;
    server.as_user(&ended).send("POST", &at(&server, "logout"), Value::Null).await.expect(204);
    for shown in [ended.as_str(), "no.such.token", "brasa_no_key", "x"] {
        for answer in [server.as_user(shown).get("Patient").await, server.as_user(shown).get(&at(&server, "me")).await]
        {
            let challenge = answer.expect(401).header("www-authenticate").map(str::to_owned);
            assert_eq!(challenge.as_deref(), Some("Bearer realm=\"brasa\", error=\"invalid_token\""), "{shown}");
        }
    }
    // A wrong password is no token.
    let wrong = try_log_in(&server, "root", "not it").await.expect(401);
    assert_eq!(wrong.header("www-authenticate"), Some("Bearer realm=\"brasa\""));
    server.each_is_recorded().await;
}

#[tokio::test]
async fn of_two_administrators_who_demote_each_other_at_once_one_remains() {
    let server = server().await;
    let root = token(&server, "root").await;
    let id = |token: String| {
        let server = &server;
        async move { text(&server.as_user(&token).get(&at(server, "me")).await.expect(200).json()["id"]) }
    };
    let first = id(root.clone()).await;
    let second = make_user(&server, &server.as_user(&root), "second", "admin").await;
    let client = server.database.connect().await;
    let change = include_str!("../../../sql/statements/account/change.sql");
    let none: Option<&str> = None;
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(server.database.connect().await);
    }
    for round in 0..20 {
        // The statement itself, so that both are under way at once; every second time with a lock that makes both wait.
        let demote = async |client: &tokio_postgres::Client, id: &str| {
            let is_disabled = (round % 4 == 3).then_some(true);
            let role = is_disabled.is_none().then_some("auditor");
            client
                .query(change, &[&id, &role, &is_disabled, &false, &none, &false, &none, &none, &false, &none])
                .await
                .unwrap()
                .len()
        };
        let barrier = async {
            if round % 2 == 1 {
                client.batch_execute("BEGIN; SELECT FROM account ORDER BY id FOR UPDATE").await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                client.batch_execute("COMMIT").await.unwrap();
            }
        };
        let (one, other, ()) = tokio::join!(demote(&others[0], &second), demote(&others[1], &first), barrier);
        assert_eq!(one + other, 1, "round {round}");
        let admins = "SELECT count(*) FROM account WHERE role = 'admin' AND NOT disabled";
        assert_eq!(client.query_one(admins, &[]).await.unwrap().get::<_, i64>(0), 1);
        client.batch_execute("UPDATE account SET role = 'admin', disabled = false").await.unwrap();
    }
    server.each_is_recorded().await;
}

#[tokio::test]
async fn each_account_reaches_what_its_role_and_link_open() {
    let server = server().await;
    let root = token(&server, "root").await;
    let mut tokens = std::collections::BTreeMap::new();
    for role in ["practitioner", "patient", "auditor", "admin"] {
        let id = make_user(&server, &server.as_user(&root), role, role).await;
        if role == "patient" {
            let link = json!({"patient": "p1"});
            server.as_user(&root).send("PATCH", &at(&server, &format!("users/{id}")), link).await.expect(200);
        }
        tokens.insert(role, format!("Bearer {}", token(&server, role).await));
    }
    let ask = async |role: &str, method: &str, path: &str, body: Value| {
        let headers = [("authorization", tokens[role].as_str()), ("content-type", "application/fhir+json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        server.send(method, path, &headers, body).await
    };
    for id in ["p1", "p2"] {
        let patient = json!({"resourceType": "Patient", "id": id});
        let seen = json!({"resourceType": "Observation", "id": format!("o-{id}"), "status": "final", "code": {"text": "x"},
            "subject": {"reference": format!("Patient/{id}")}});
        ask("admin", "PUT", &format!("Patient/{id}"), patient.clone()).await.expect(403);
        ask("practitioner", "PUT", &format!("Patient/{id}"), patient).await.expect(201);
        ask("practitioner", "PUT", &format!("Observation/o-{id}"), seen).await.expect(201);
    }
    for (role, path, status) in [
        ("patient", "Patient/p1", 200),
        ("patient", "Patient/p2", 404),
        ("patient", "Patient/nobody", 404),
        ("patient", "Observation/o-p1/_history", 200),
        ("patient", "Observation/o-p2", 404),
        ("patient", "Observation/o-p2/_history", 404),
        ("patient", "Observation/_history", 403),
        ("practitioner", "Patient/p2", 200),
        ("practitioner", "AuditEvent", 403),
        ("auditor", "AuditEvent", 200),
        ("auditor", "Patient/p1", 403),
        ("admin", "Patient/p1", 403),
        ("admin", "Organization", 200),
    ] {
        let answer = ask(role, "GET", path, Value::Null).await;
        assert_eq!(answer.status, status, "{role} {path}: {}", answer.text);
    }
    let found = ask("patient", "GET", "Observation?_total=accurate", Value::Null).await.expect(200).json();
    assert_eq!((&found["total"], &found["entry"][0]["resource"]["id"]), (&json!(1), &json!("o-p1")));
    for path in ["Patient/p1", "Observation/o-p1", "Observation/o-p2"] {
        let refused = ask("patient", "DELETE", path, Value::Null).await;
        assert_eq!(refused.status, 403, "{path}: {}", refused.text);
    }
    server.each_is_recorded().await;
}

#[tokio::test]
async fn a_practitioners_duties_narrow_the_role_as_long_as_they_are_in_force() {
    let server = server().await;
    let root = token(&server, "root").await;
    let root = server.as_user(&root);
    let id = make_user(&server, &root, "soto", "practitioner").await;
    let link = json!({"practitioner": "d"});
    root.send("PATCH", &at(&server, &format!("users/{id}")), link).await.expect(200);
    let soto = format!("Bearer {}", token(&server, "soto").await);
    let headers = [("authorization", soto.as_str())];
    let role = |active: bool| {
        json!({"resourceType": "PractitionerRole", "id": "desk", "active": active,
            "practitioner": {"reference": "Practitioner/d"},
            "code": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/practitioner-role", "code": "receptionist"}]}]})
    };
    server.get_with("Observation", &headers).await.expect(200);
    let at_root = format!("{}/fhir/PractitionerRole/desk", server.root);
    root.send("PUT", &at_root, role(true)).await.expect(201);
    becomes(403, async || server.get_with("Observation", &headers).await).await;
    server.get_with("Appointment", &headers).await.expect(200);
    // With the duty go its rights; those of the bare role do not come back.
    root.send("PUT", &at_root, role(false)).await.expect(200);
    becomes(403, async || server.get_with("Appointment", &headers).await).await;
    server.get_with("Observation", &headers).await.expect(403);
    server.each_is_recorded().await;
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
