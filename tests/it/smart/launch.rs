//! A person starts an app for the patient who is open.

use super::{App, Hospital, REDIRECT, hidden, hospital, parameter};
use crate::accounts::{PASSWORD, at, text, token};
use crate::support::Answer;
use serde_json::json;

const SCOPES: &str = "launch openid fhirUser patient/Observation.rs";

impl Hospital {
    async fn starts(&self, app: &App, username: &str, patient: &str) -> Answer {
        let session = token(&self.server, username).await;
        let wanted = json!({"client_id": app.id, "patient": patient});
        self.server.as_user(&session).send("POST", &at(&self.server, "launches"), wanted).await
    }

    async fn launched(&self) -> App {
        self.register(json!({"name": "Dosage", "kind": "public", "redirect_uris": [REDIRECT], "scopes": SCOPES})).await
    }
}

#[tokio::test]
async fn an_app_that_a_person_starts_sees_the_patient_who_is_open() {
    let hospital = hospital().await;
    let app = hospital.launched().await;
    let launch = text(&hospital.starts(&app, "ruiz", "p2").await.expect(201).json()["launch"]);
    let question = hospital.question(&app, &[("launch", &launch), ("scope", SCOPES)]);
    let visit = hospital.visit(&question).await;
    let page = visit.log_in("ruiz", PASSWORD).await.expect(200);
    assert!(page.text.contains("<strong>p2</strong>") && !page.text.contains("name=\"patient\""), "{}", page.text);
    // Another patient cannot be slipped in.
    let back = visit.allow(&hidden(&page.text, "ticket"), SCOPES, "p1").await.expect(303);
    let code = parameter(back.header("location").unwrap(), "code").unwrap();
    let given = hospital.exchange(&app, &code).await.expect(200).json();
    assert_eq!((&given["patient"], &given["scope"]), (&json!("p2"), &json!(SCOPES)));
    for (path, status) in [("Observation/o-p2", 200), ("Observation/o-p1", 404)] {
        assert_eq!(hospital.reads(&given["access_token"], path).await, status, "{path}");
    }
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn a_launch_is_of_one_person_one_app_and_a_moment() {
    let hospital = hospital().await;
    let (app, other) = (hospital.launched().await, hospital.launched().await);
    let launch = text(&hospital.starts(&app, "ruiz", "p2").await.expect(201).json()["launch"]);
    let question = hospital.question(&app, &[("launch", &launch), ("scope", SCOPES)]);
    // Somebody else was sent the link.
    let page = hospital.visit(&question).await.log_in("ana", PASSWORD).await.expect(403);
    assert!(page.text.contains("Somebody else started this app"), "{}", page.text);
    let session = token(&hospital.server, "ruiz").await;
    for (client, wrong) in [(&other, launch.as_str()), (&app, "x"), (&app, &session), (&app, &format!("{launch}x"))] {
        let sent = hospital.ask(&hospital.question(client, &[("launch", wrong), ("scope", SCOPES)])).await.expect(303);
        assert_eq!(parameter(sent.header("location").unwrap(), "error").as_deref(), Some("invalid_request"));
    }
    // It is no credential, and without it there is no context to give.
    assert_eq!(hospital.reads(&json!(launch), "Patient/p2").await, 401);
    let page = hospital.visit(&hospital.question(&app, &[("scope", SCOPES)])).await.log_in("ruiz", PASSWORD).await;
    assert!(!page.expect(200).text.contains("value=\"launch\""));
    // Nobody starts an app for a patient whom that one may not see, nor one that is not started so.
    assert_eq!(hospital.starts(&app, "ana", "p2").await.expect(400).expression(), "patient");
    assert_eq!(hospital.starts(&app, "ruiz", "p3").await.expect(400).expression(), "patient");
    let unstarted = hospital.app("public").await;
    assert_eq!(hospital.starts(&unstarted, "ruiz", "p2").await.expect(400).expression(), "client_id");
    let key = json!({"name": "x", "scopes": "user/*.rs"});
    let made = hospital.server.as_user(&session).send("POST", &at(&hospital.server, "keys"), key).await.expect(201);
    let key = text(&made.json()["key"]);
    let wanted = json!({"client_id": app.id, "patient": "p2"});
    hospital.server.as_user(&key).send("POST", &at(&hospital.server, "launches"), wanted).await.expect(403);
    hospital.server.each_is_recorded().await;
}
