//! People whom an OpenID Connect provider outside knows: a real one, in a process of its own (`tests/e2e/oidc.mjs`).

use super::{at, becomes, settings};
use crate::support::node::{folder, node, not_tested};
use crate::support::{Answer, Server};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const AUDIENCE: &str = "https://fhir.example.org/fhir";

/// A provider that runs until it is dropped.
struct Provider {
    _process: Child,
    address: String,
}

/// `None`: it cannot run here, and that was said.
async fn provider() -> Option<Provider> {
    let Some(node) = node().await else {
        not_tested("an OpenID Connect provider outside");
        return None;
    };
    let mut command = Command::new(node);
    command.arg("oidc.mjs").current_dir(folder()).stdin(Stdio::piped()).stdout(Stdio::piped());
    // It warns that it is no provider for more than tests.
    command.stderr(Stdio::null()).kill_on_drop(true);
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let address = lines.next_line().await.unwrap().expect("the provider says where it is");
    Some(Provider { _process: process, address })
}

impl Provider {
    /// An access token of a client for an audience, as the provider gives it.
    async fn token(&self, server: &Server, client: &str, audience: &str, scope: &str) -> String {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let body = format!(
            "grant_type=client_credentials&client_id={client}&client_secret={client}-secret&resource={audience}&scope={scope}"
        );
        let answer = server.send("POST", &format!("{}/token", self.address), &form, body).await.expect(200);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    fn settings(&self) -> Vec<(&str, &str)> {
        settings(&[
            ("BRASA_OIDC_ISSUER", &self.address),
            ("BRASA_OIDC_AUDIENCE", AUDIENCE),
            ("BRASA_OIDC_ROLE_CLAIM", "realm_access.roles"),
            ("BRASA_OIDC_ROLES", "clinician=practitioner"),
        ])
    }
}

fn observation(id: &str, patient: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "x"},
        "subject": {"reference": format!("Patient/{patient}")}})
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_a_provider_outside_knows_comes_in_with_the_role_and_the_link_of_the_token() {
    let Some(provider) = provider().await else { return };
    let server = Server::start_with(&provider.settings()).await;
    let soto = provider.token(&server, "soto", AUDIENCE, "").await;
    let doctor = server.as_user(&soto);
    for (id, patient) in [("o1", "p1"), ("o2", "p2")] {
        let body = json!({"resourceType": "Patient", "id": patient});
        doctor.send("PUT", &format!("Patient/{patient}"), body).await.expect(201);
        doctor.send("PUT", &format!("Observation/{id}"), observation(id, patient)).await.expect(201);
    }
    let me = doctor.get(&at(&server, "me")).await.expect(200).json();
    assert_eq!(
        (&me["username"], &me["role"], &me["practitioner"]),
        (&json!("soto"), &json!("practitioner"), &json!("d1"))
    );
    assert_eq!(me["session"], Value::Null);

    let ana = provider.token(&server, "ana", AUDIENCE, "").await;
    let ana = server.as_user(&ana);
    ana.get("Observation/o1").await.expect(200);
    ana.get("Observation/o2").await.expect(404);
    assert!([403, 404].contains(&ana.send("PUT", "Observation/o1", observation("o1", "p1")).await.status));
    let accesses = ana.get("Patient/p1/$accesses").await.expect(200);
    assert!(accesses.text.contains("\"name\":\"soto\""), "{}", accesses.text);

    // No role, or several of which nobody says which one counts: nothing is open.
    for client in ["nobody", "greedy"] {
        let token = provider.token(&server, client, AUDIENCE, "").await;
        server.as_user(&token).get("Observation/o1").await.expect(403);
        server.as_user(&token).get(&at(&server, "users")).await.expect(403);
    }
    // Scopes about resources narrow what the role may.
    let narrow = provider.token(&server, "soto", AUDIENCE, "user/Observation.rs").await;
    server.as_user(&narrow).get("Observation/o1").await.expect(200);
    server.as_user(&narrow).get("Patient/p1").await.expect(403);
    server.as_user(&narrow).send("PUT", "Observation/o1", observation("o1", "p1")).await.expect(403);
    // Its own accounts come in all the same, and nobody from outside speaks for one.
    super::log_in(&server, "root").await;
    doctor.send("POST", &at(&server, "keys"), json!({"name": "x", "scopes": "user/*.rs"})).await.expect(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_for_others_and_of_others_open_nothing() {
    let Some(provider) = provider().await else { return };
    let server = Server::start_with(&provider.settings()).await;
    let elsewhere = provider.token(&server, "soto", "https://other.example.org/fhir", "").await;
    let good = provider.token(&server, "soto", AUDIENCE, "").await;
    let (start, signature) = good.rsplit_once('.').unwrap();
    let forged = format!("{start}.{}", signature.chars().rev().collect::<String>());
    for token in [&elsewhere, &forged] {
        let refused: Answer = server.as_user(token).get("Patient").await.expect(401);
        assert_eq!(refused.issue()["code"], "login");
    }
    server.as_user(&good).get("Patient").await.expect(200);
    // A server that was not told of the provider does not know its tokens.
    let other = Server::start_with(&settings(&[])).await;
    other.as_user(&good).get("Patient").await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away_keeps_out_its_own_people_only() {
    let Some(provider) = provider().await else { return };
    let server = Server::start_with(&provider.settings()).await;
    let token = provider.token(&server, "soto", AUDIENCE, "").await;
    drop(provider);
    let refused = becomes(503, async || server.as_user(&token).get("Patient").await).await;
    assert!(refused.header("retry-after").is_some() && !refused.text.contains("127.0.0.1"), "{}", refused.text);
    super::log_in(&server, "root").await;
    server.get("metadata").await.expect(200);
}
