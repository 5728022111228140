//! Codes and tokens in the wrong hands, used twice, or asked for more than they are.

use super::{App, REDIRECT, SCOPES, VERIFIER, basic, hospital};
use crate::accounts::tokens::Forge;
use crate::accounts::{at, log_in, post, text};
use serde_json::{Value, json};

#[tokio::test]
async fn a_code_works_once_and_its_second_use_ends_the_session() {
    let hospital = hospital().await;
    let app = hospital.app("public").await;
    let code = hospital.code(&app).await;
    let given = hospital.exchange(&app, &code).await.expect(200).json();
    assert_eq!(hospital.reads(&given["access_token"], "Patient/p1").await, 200);
    assert_eq!(hospital.exchange(&app, &code).await.expect(400).json()["error"], "invalid_grant");
    assert_eq!(hospital.reads(&given["access_token"], "Patient/p1").await, 401);
    hospital.refresh(&app, &given["refresh_token"], "").await.expect(400);
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn of_many_that_show_a_code_at_once_none_keeps_a_session() {
    let hospital = hospital().await;
    let app = hospital.app("public").await;
    let code = hospital.code(&app).await;
    let answers = futures_util::future::join_all((0..6).map(|_| hospital.exchange(&app, &code))).await;
    let given: Vec<Value> = answers.iter().filter(|one| one.status == 200).map(|one| one.json()).collect();
    assert!(given.len() <= 1, "{}", given.len());
    for one in given {
        assert_eq!(hospital.reads(&one["access_token"], "Patient/p1").await, 401);
    }
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn a_code_is_of_use_only_to_its_client_at_its_address_with_its_verifier() {
    let hospital = hospital().await;
    let (app, other) = (hospital.app("public").await, hospital.app("public").await);
    let another_verifier = VERIFIER.replace('d', "e");
    let challenge = super::challenge(VERIFIER);
    for (client, redirect, verifier) in [
        (&app, REDIRECT, another_verifier.as_str()),
        (&app, REDIRECT, challenge.as_str()),
        (&app, "https://app.example.org/callback", VERIFIER),
        (&other, REDIRECT, VERIFIER),
    ] {
        let code = hospital.code(&app).await;
        let pairs = [
            ("grant_type", "authorization_code"),
            ("client_id", client.id.as_str()),
            ("code", code.as_str()),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        assert_eq!(hospital.token(&[], &pairs).await.expect(400).json()["error"], "invalid_grant", "{verifier}");
        // It was in the wrong hands.
        hospital.exchange(&app, &code).await.expect(400);
    }
    let code = hospital.code(&app).await;
    let pairs = [
        ("grant_type", "authorization_code"),
        ("client_id", app.id.as_str()),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
    ];
    assert_eq!(hospital.token(&[], &pairs).await.expect(400).json()["error"], "invalid_request", "no verifier");
    let twice = [pairs.as_slice(), &[("code", "x")]].concat();
    assert_eq!(hospital.token(&[], &twice).await.expect(400).json()["error"], "invalid_request");
    for wrong in ["", "x", &"A".repeat(43)] {
        hospital.exchange(&app, wrong).await.expect(400);
    }
    hospital.exchange(&app, &code).await.expect(200);
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn a_code_that_is_out_of_date_or_was_stored_elsewhere_is_useless() {
    let hospital = hospital().await;
    let app = hospital.app("confidential").await;
    let code = hospital.code(&app).await;
    let behind = hospital.server.database.connect().await;
    let stored: String = behind
        .query_one("SELECT c::text || a::text AS text FROM client c, authorization_code a", &[])
        .await
        .unwrap()
        .get("text");
    assert!(!stored.contains(&code) && !stored.contains(app.secret.as_deref().unwrap()));
    behind.execute("UPDATE authorization_code SET expires = now() - interval '1 second'", &[]).await.unwrap();
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let shown = basic(&app);
    let refused = hospital.token(&[("authorization", shown.as_str())], &pairs).await.expect(400);
    assert_eq!(refused.json()["error"], "invalid_grant");
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn a_refresh_gives_no_more_and_to_nobody_else() {
    let hospital = hospital().await;
    let (app, other) = (hospital.app("public").await, hospital.app("public").await);
    let given = hospital.tokens(&app).await;
    let token = &given["refresh_token"];
    for wider in ["patient/*.rs", "patient/Observation.cruds", "user/*.rs", "openid profile", "system/*.cruds"] {
        assert_eq!(hospital.refresh(&app, token, wider).await.expect(400).json()["error"], "invalid_scope", "{wider}");
    }
    assert_eq!(hospital.refresh(&other, token, "").await.expect(400).json()["error"], "invalid_grant");
    // A public client may leave out its name; one that has a secret may not.
    let nameless = async |token: &Value| {
        hospital.token(&[], &[("grant_type", "refresh_token"), ("refresh_token", token.as_str().unwrap())]).await
    };
    for wrong in [json!("x"), json!("x.y"), given["access_token"].clone()] {
        nameless(&wrong).await.expect(401);
    }
    // A person's own refresh gives all that the person may: an app does not come in there, nor a person here.
    post(&hospital.server, "refresh", json!({"refresh_token": token})).await.expect(401);
    let own = log_in(&hospital.server, "ana").await;
    nameless(&own["refresh_token"]).await.expect(401);
    assert_eq!(hospital.refresh(&app, &own["refresh_token"], "").await.expect(400).json()["error"], "invalid_grant");
    post(&hospital.server, "refresh", json!({"refresh_token": own["refresh_token"]})).await.expect(200);
    let less = hospital.refresh(&app, token, "patient/Patient.r").await.expect(200).json();
    assert_eq!(less["scope"], "patient/Patient.r");
    assert_eq!(hospital.reads(&less["access_token"], "Patient/p1").await, 200);
    assert_eq!(hospital.reads(&less["access_token"], "Observation/o-p1").await, 403);
    // Less for one token; the session stays what it was.
    assert_eq!(hospital.refresh(&app, &less["refresh_token"], "").await.expect(200).json()["scope"], SCOPES);
    // The first one again, when it is two back: somebody has a copy.
    hospital.refresh(&app, token, "").await.expect(400);
    assert_eq!(hospital.reads(&less["access_token"], "Patient/p1").await, 401);
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn a_token_is_told_about_and_ended_by_those_whose_it_is() {
    let hospital = hospital().await;
    let (app, other) = (hospital.app("confidential").await, hospital.app("confidential").await);
    let tokens = async |app: &App| {
        let code = hospital.code(app).await;
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        hospital.token(&[("authorization", &basic(app))], &pairs).await.expect(200).json()
    };
    let given = tokens(&app).await;
    let access = text(&given["access_token"]);
    let nameless = [("grant_type", "refresh_token"), ("refresh_token", given["refresh_token"].as_str().unwrap())];
    hospital.token(&[], &nameless).await.expect(401);
    let ask = async |header: &str, path: &str, token: &str| {
        hospital.post(path, &[("authorization", header)], &[("token", token)]).await
    };
    let said = ask(&basic(&app), "introspect", &access).await.expect(200).json();
    for (name, value) in [
        ("active", json!(true)),
        ("client_id", json!(app.id)),
        ("scope", json!(SCOPES)),
        ("patient", json!("p1")),
        ("username", Value::Null),
        ("fhirUser", json!(format!("{}/Patient/p1", hospital.server.base))),
    ] {
        assert_eq!(said[name], value, "{said}");
    }
    let ana = format!("Bearer {}", crate::accounts::token(&hospital.server, "ana").await);
    let ruiz = format!("Bearer {}", crate::accounts::token(&hospital.server, "ruiz").await);
    let nothing = json!({"active": false});
    for (who, token) in
        [(basic(&other), access.as_str()), (ruiz.clone(), &access), (basic(&app), "x"), (basic(&app), "x.y")]
    {
        assert_eq!(ask(&who, "introspect", token).await.expect(200).json(), nothing);
        ask(&who, "revoke", token).await.expect(200);
    }
    let own = ask(&ana, "introspect", &access).await.expect(200).json();
    assert_eq!((&own["active"], &own["username"]), (&json!(true), &json!("ana")));
    let refresh = text(&given["refresh_token"]);
    assert_eq!(ask(&basic(&app), "introspect", &refresh).await.expect(200).json()["active"], true);
    let public = hospital.app("public").await;
    hospital.post("introspect", &[], &[("client_id", &public.id), ("token", &access)]).await.expect(400);
    hospital.post("introspect", &[], &[("token", &access)]).await.expect(401);

    ask(&basic(&app), "revoke", &refresh).await.expect(200);
    assert_eq!(hospital.reads(&given["access_token"], "Patient/p1").await, 401);
    assert_eq!(ask(&basic(&app), "introspect", &access).await.expect(200).json(), nothing);
    let given = tokens(&app).await;
    // An app's token speaks for itself alone.
    let apps = format!("Bearer {}", text(&given["access_token"]));
    let own = crate::accounts::token(&hospital.server, "ana").await;
    assert_eq!(ask(&apps, "introspect", &own).await.expect(200).json(), nothing);
    ask(&ana, "revoke", &text(&given["access_token"])).await.expect(200);
    assert_eq!(hospital.reads(&given["access_token"], "Patient/p1").await, 401);
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn a_client_that_is_disabled_narrowed_or_removed_is_out_at_once() {
    let hospital = hospital().await;
    let admin = hospital.server.as_user(&hospital.root);
    let change = async |app: &App, method: &str, body: Value| {
        admin.send(method, &at(&hospital.server, &format!("clients/{}", app.id)), body).await
    };
    for (method, body, is_there) in [
        ("PATCH", json!({"disabled": true}), false),
        ("PATCH", json!({"scopes": "patient/Patient.r"}), true),
        ("DELETE", Value::Null, false),
    ] {
        let app = hospital.app("public").await;
        let given = hospital.tokens(&app).await;
        let code = hospital.code(&app).await;
        change(&app, method, body.clone()).await;
        assert_eq!(hospital.reads(&given["access_token"], "Patient/p1").await, 401, "{body}");
        assert_ne!(hospital.refresh(&app, &given["refresh_token"], "").await.status, 200, "{body}");
        assert_ne!(hospital.exchange(&app, &code).await.status, 200, "{body}");
        assert_eq!(hospital.ask(&hospital.question(&app, &[])).await.status == 200, is_there, "{body}");
    }
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn a_token_of_a_clients_session_is_that_clients_and_has_scopes() {
    let hospital = hospital().await;
    let (app, other) = (hospital.app("public").await, hospital.app("public").await);
    let given = hospital.tokens(&app).await;
    let forge = Forge::of_token(&hospital.server, given["access_token"].as_str().unwrap()).await;
    let status = async |change: &dyn Fn(&mut Value)| {
        hospital.reads(&json!(forge.with_claims(|claims| change(claims))), "Patient/p1").await
    };
    assert_eq!(status(&|_| ()).await, 200);
    // Without scopes it would be the person.
    assert_eq!(status(&|claims| drop(claims.as_object_mut().unwrap().remove("scope"))).await, 401);
    assert_eq!(status(&|claims| claims["client_id"] = json!(other.id)).await, 401);
    assert_eq!(status(&|claims| claims["client_id"] = json!("brasa")).await, 401);
    // Whose record it is about the session says.
    assert_eq!(status(&|claims| claims["patient"] = json!("p2")).await, 200);
    hospital.server.each_is_recorded().await;
}
