//! An app is launched, a person consents, and the app has what was allowed: as the guide has it.

use super::{App, SCOPES, STATE, basic, challenge, hidden, hospital, parameter};
use crate::accounts::{PASSWORD, at, text};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};

#[tokio::test]
async fn a_patients_app_gets_the_patients_record_and_no_more() {
    let hospital = hospital().await;
    let app = hospital.app("public").await;
    let back = hospital.consent(&hospital.question(&app, &[]), "ana", SCOPES, "").await;
    assert!(back.starts_with("https://app.example.org/callback?kept=1&code="), "{back}");
    assert_eq!(parameter(&back, "state").as_deref(), Some(STATE));
    let answer = hospital.exchange(&app, &parameter(&back, "code").unwrap()).await.expect(200);
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), (Some("no-store"), Some("no-cache")));
    let given = answer.json();
    assert_eq!(
        (&given["token_type"], &given["scope"], &given["patient"]),
        (&json!("Bearer"), &json!(SCOPES), &json!("p1"))
    );
    assert_eq!(given["expires_in"], 900);
    let access = &given["access_token"];
    for (path, status) in [
        ("Patient/p1", 200),
        ("Observation/o-p1", 200),
        ("Observation?patient=p1", 200),
        ("Organization", 200),
        ("Patient/p2", 404),
        ("Observation/o-p2", 404),
        ("Condition?patient=p1", 403),
        ("Patient?_id=p1", 403),
    ] {
        assert_eq!(hospital.reads(access, path).await, status, "{path}");
    }
    // The person's own business stays the person's.
    let app_of_ana = hospital.server.as_user(access.as_str().unwrap());
    for path in ["sessions", "keys", "users", "clients"] {
        app_of_ana.get(&at(&hospital.server, path)).await.expect(403);
    }
    app_of_ana.send("POST", &at(&hospital.server, "logout"), Value::Null).await.expect(403);
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn an_id_token_says_who_it_is_to_whom() {
    let hospital = hospital().await;
    let app = hospital.app("public").await;
    let given = hospital.tokens(&app).await;
    let jwks = hospital.server.get(&format!("{}/.well-known/jwks.json", hospital.server.root)).await.json();
    let key = jwks["keys"].as_array().unwrap().iter().find(|key| key["alg"] == "RS256").unwrap();
    let key = DecodingKey::from_rsa_components(key["n"].as_str().unwrap(), key["e"].as_str().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[&app.id]);
    validation.set_issuer(&[&hospital.server.base]);
    let claims = decode::<Value>(given["id_token"].as_str().unwrap(), &key, &validation).unwrap().claims;
    assert_eq!(claims["fhirUser"], format!("{}/Patient/p1", hospital.server.base));
    assert_eq!(claims["nonce"], "n-1");
    // It is for the app: here it opens nothing.
    assert_eq!(hospital.reads(&given["id_token"], "Patient/p1").await, 401);
    let back = hospital.consent(&hospital.question(&app, &[]), "ana", "patient/Patient.r", "").await;
    let without = hospital.exchange(&app, &parameter(&back, "code").unwrap()).await.expect(200).json();
    assert!(without.get("id_token").is_none() && without.get("refresh_token").is_none(), "{without}");
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn what_a_person_does_not_tick_is_not_given() {
    let hospital = hospital().await;
    let app = hospital.app("public").await;
    let ticked = "patient/Patient.r user/*.cruds patient/Observation.cruds";
    let back = hospital.consent(&hospital.question(&app, &[]), "ana", ticked, "").await;
    let given = hospital.exchange(&app, &parameter(&back, "code").unwrap()).await.expect(200).json();
    assert_eq!(given["scope"], "patient/Patient.r", "what was not asked cannot be ticked");
    assert_eq!(hospital.reads(&given["access_token"], "Patient/p1").await, 200);
    assert_eq!(hospital.reads(&given["access_token"], "Observation/o-p1").await, 403);
    let nothing = hospital.consent(&hospital.question(&app, &[]), "ana", "system/*.rs", "").await;
    assert_eq!(parameter(&nothing, "error").as_deref(), Some("access_denied"));
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn what_was_registered_bounds_what_is_asked_in_words_of_both_versions() {
    let hospital = hospital().await;
    let app = hospital.app("public").await;
    let asked = "patient/*.read patient/Observation.read patient/Condition.rs user/*.* system/*.rs nonsense";
    let question = hospital.question(&app, &[("scope", asked)]);
    let page = hospital.visit(&question).await.log_in("ana", PASSWORD).await.expect(200);
    let offered: Vec<&str> =
        page.text.split("name=\"scope\" value=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(
        offered,
        ["patient/Observation.rs", "patient/Patient.r", "patient/Observation.read", "user/Organization.rs"]
    );
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn a_practitioner_names_the_patient_whom_the_app_sees() {
    let hospital = hospital().await;
    let app = hospital.app("public").await;
    let question = hospital.question(&app, &[]);
    let visit = hospital.visit(&question).await;
    let page = visit.log_in("ruiz", PASSWORD).await.expect(200);
    assert!(page.text.contains("name=\"patient\""), "{}", page.text);
    let ticket = hidden(&page.text, "ticket");
    for nobody in ["", "p3", "../p2", "d"] {
        let again = visit.allow(&ticket, SCOPES, nobody).await.expect(400);
        assert!(again.text.contains("role=\"alert\""), "{}", again.text);
    }
    let back = visit.allow(&ticket, SCOPES, "p2").await.expect(303);
    let code = parameter(back.header("location").unwrap(), "code").unwrap();
    let given = hospital.exchange(&app, &code).await.expect(200).json();
    assert_eq!(given["patient"], "p2");
    for (path, status) in [("Observation/o-p2", 200), ("Observation/o-p1", 404), ("Patient/p1", 404)] {
        assert_eq!(hospital.reads(&given["access_token"], path).await, status, "{path}");
    }
    // For scopes that are about nobody no patient is needed.
    let back = visit.allow(&ticket, "user/Organization.rs", "").await.expect(303);
    assert!(parameter(back.header("location").unwrap(), "code").is_some());
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn an_app_goes_on_as_long_as_its_session_which_its_person_sees_and_ends() {
    let hospital = hospital().await;
    let app = hospital.app("public").await;
    let given = hospital.tokens(&app).await;
    let next = hospital.refresh(&app, &given["refresh_token"], "").await.expect(200).json();
    assert_eq!((&next["scope"], &next["patient"]), (&json!(SCOPES), &json!("p1")));
    assert_ne!(next["refresh_token"], given["refresh_token"]);
    assert_eq!(hospital.reads(&next["access_token"], "Patient/p1").await, 200);
    let ana = crate::accounts::token(&hospital.server, "ana").await;
    let ana = hospital.server.as_user(&ana);
    let sessions = ana.get(&at(&hospital.server, "sessions")).await.expect(200).json();
    let apps = sessions["sessions"].as_array().unwrap().iter().find(|one| one["client_id"] == json!(app.id)).unwrap();
    assert_eq!((&apps["client"], &apps["scopes"]), (&json!("Growth <chart>"), &json!(SCOPES)));
    ana.send("DELETE", &at(&hospital.server, &format!("sessions/{}", text(&apps["id"]))), Value::Null)
        .await
        .expect(204);
    assert_eq!(hospital.reads(&next["access_token"], "Patient/p1").await, 401);
    hospital.refresh(&app, &next["refresh_token"], "").await.expect(400);
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn a_confidential_app_shows_its_secret_either_way() {
    let hospital = hospital().await;
    let app = hospital.app("confidential").await;
    let secret = app.secret.clone().unwrap();
    let pairs = |code: &str| {
        let redirect = super::REDIRECT.to_owned();
        vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", redirect),
            ("code_verifier", super::VERIFIER.to_owned()),
        ]
    };
    let send = async |header: &str, extra: &[(&str, &str)], code: &str| {
        let mut all = pairs(code);
        all.extend(extra.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let headers = [("authorization", header)];
        hospital.token(if header.is_empty() { &[] } else { &headers }, &all).await
    };
    let code = hospital.code(&app).await;
    let wrong = App { secret: Some("guessed".into()), ..app.clone() };
    for (header, extra) in [
        (String::new(), vec![("client_id", app.id.as_str())]),
        (String::new(), vec![("client_id", app.id.as_str()), ("client_secret", "guessed")]),
        (basic(&wrong), vec![]),
        (basic(&app), vec![("client_id", "another")]),
    ] {
        let refused = send(&header, &extra, &code).await.expect(401);
        assert_eq!(refused.json()["error"], "invalid_client");
        assert!(refused.header("www-authenticate").is_some_and(|value| value.starts_with("Basic")));
    }
    send(&basic(&app), &[("client_secret", &secret)], &code).await.expect(400);
    // Whoever is not the client has not used the code up.
    send(&basic(&app), &[], &code).await.expect(200);
    let code = hospital.code(&app).await;
    send("", &[("client_id", &app.id), ("client_secret", &secret)], &code).await.expect(200);
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn what_the_server_says_of_itself_is_so() {
    let hospital = hospital().await;
    let server = &hospital.server;
    let said = server.get(".well-known/smart-configuration").await.expect(200).json();
    for path in ["/.well-known/smart-configuration", "/fhir/R4/.well-known/smart-configuration"] {
        assert_eq!(server.get(&format!("{}{path}", server.root)).await.expect(200).json(), said);
    }
    assert_eq!((&said["issuer"], &said["code_challenge_methods_supported"]), (&json!(server.base), &json!(["S256"])));
    for name in
        ["authorization_endpoint", "token_endpoint", "introspection_endpoint", "revocation_endpoint", "jwks_uri"]
    {
        let there = server.get(said[name].as_str().unwrap()).await;
        assert!([200, 400, 405].contains(&there.status), "{name}: {}", there.status);
    }
    let statement = server.get("metadata").await.expect(200).json();
    let security = &statement["rest"][0]["security"];
    assert_eq!(security["service"][0]["coding"][0]["code"], "SMART-on-FHIR");
    let uris = security["extension"][0]["extension"].as_array().unwrap();
    let uri = |name: &str| uris.iter().find(|one| one["url"] == name).unwrap()["valueUri"].clone();
    assert_eq!(
        (uri("authorize"), uri("token")),
        (said["authorization_endpoint"].clone(), said["token_endpoint"].clone())
    );
    let open = crate::support::Server::start().await;
    open.get(".well-known/smart-configuration").await.expect(404);
    assert!(open.get("metadata").await.expect(200).json()["rest"][0].get("security").is_none());
    assert_eq!(challenge(super::VERIFIER), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    server.each_is_recorded().await;
}
