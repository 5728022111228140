//! A demonstration says that it is one, and its accounts do not get into production.

use super::{PASSWORD, at, make_user, post, text, token, try_log_in};
use crate::support::Server;
use crate::support::database::TestDatabase;
use brasa::app::Application;
use brasa::config::Settings;
use serde_json::json;
use std::sync::Mutex;

const DEMO: &[(&str, &str)] = &[("BRASA_AUTH", "on"), ("BRASA_MODE", "demo")];
const ACCOUNTS: [(&str, &str, &str); 4] = [
    ("admin", "admin123", "admin"),
    ("medico", "medico123", "practitioner"),
    ("paciente", "paciente123", "patient"),
    ("auditor", "auditor123", "auditor"),
];

/// Starts on a database; what the start says, and the refusal if it is one.
async fn start(database: &TestDatabase, extra: &[(&str, &str)]) -> (Vec<String>, Option<String>) {
    let url = database.url();
    let mut values = vec![("BRASA_LISTEN", "127.0.0.1:0"), ("BRASA_DATABASE_URL", url.as_str()), ("BRASA_AUTH", "on")];
    values.push(("BRASA_SHARD_COUNT", "4"));
    values.extend_from_slice(extra);
    let look_up =
        |name: &str| values.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let settings = Settings::from_env(look_up).unwrap();
    let said = Mutex::new(Vec::new());
    let built = Application::build(&settings, |sentence| said.lock().unwrap().push(sentence.to_owned())).await;
    (said.into_inner().unwrap(), built.err().map(|error| error.message))
}

const PRODUCTION: &[(&str, &str)] =
    &[("BRASA_MODE", "production"), ("BRASA_BASE_URL", "https://fhir.example.org/fhir")];

#[tokio::test]
async fn a_demonstration_has_four_accounts_and_their_records_and_says_what_it_is_in_each_answer() {
    let server = Server::start_with(DEMO).await;
    for (username, password, role) in ACCOUNTS {
        let tokens = try_log_in(&server, username, password).await.expect(200).json();
        let me = server.as_user(&text(&tokens["access_token"])).get(&at(&server, "me")).await.expect(200);
        assert_eq!(me.json()["role"], role);
    }
    let tokens = try_log_in(&server, "paciente", "paciente123").await.expect(200).json();
    let patient = server.as_user(&text(&tokens["access_token"]));
    let own = format!("{}/Observation?_include=Observation:performer", server.base);
    let found = patient.get(&own).await.expect(200).json();
    let types: Vec<String> =
        found["entry"].as_array().unwrap().iter().map(|entry| text(&entry["resource"]["resourceType"])).collect();
    assert_eq!(types.iter().filter(|of| *of == "Observation").count(), 3, "{types:?}");
    assert!(types.contains(&"Practitioner".to_owned()), "{types:?}");
    let front = server.get(&server.root.clone()).await.expect(200);
    assert_eq!(front.json()["mode"], "demo");
    assert!(text(&front.json()["notice"]).contains("demonstration"));
    for answer in [
        front,
        server.get("metadata").await,
        server.get("Patient").await,
        server.get(&at(&server, "nothing")).await,
        server.get(&format!("{}/health", server.root)).await,
    ] {
        assert_eq!(answer.header("x-brasa-mode"), Some("demo"), "{}", answer.text);
    }
    // Once more, it changes nothing that is there.
    let changed = json!({"resourceType": "Patient", "id": "demo-patient", "gender": "male"});
    let tokens = try_log_in(&server, "medico", "medico123").await.expect(200).json();
    let doctor = text(&tokens["access_token"]);
    let address = format!("{}/Patient/demo-patient", server.base);
    server.as_user(&doctor).send("PUT", &address, changed).await.expect(200);
    let again = Server::on(server.stop().await, DEMO).await;
    let read = again.as_user(&doctor).get(&format!("{}/Patient/demo-patient", again.base)).await.expect(200);
    assert_eq!(read.json()["gender"], "male");
}

#[tokio::test]
async fn what_is_no_demonstration_does_not_say_so_and_has_none_of_its_accounts() {
    let server = super::server().await;
    assert_eq!(server.get(&server.root.clone()).await.json()["mode"], "development");
    assert_eq!(server.get("metadata").await.header("x-brasa-mode"), None);
    for (username, password, _) in ACCOUNTS {
        try_log_in(&server, username, password).await.expect(401);
    }
}

#[tokio::test]
async fn production_does_not_start_beside_an_account_whose_password_everybody_knows() {
    let server = Server::start_with(DEMO).await;
    let tokens = try_log_in(&server, "admin", "admin123").await.expect(200).json();
    let access = text(&tokens["access_token"]);
    let admin = server.as_user(&access);
    let users = admin.get(&at(&server, "users")).await.json();
    // One has a password of its own by now, and one cannot be used at present.
    for user in users["users"].as_array().unwrap() {
        let path = at(&server, &format!("users/{}", text(&user["id"])));
        match user["username"].as_str().unwrap() {
            "medico" => drop(admin.send("PATCH", &path, json!({"password": PASSWORD})).await.expect(200)),
            "auditor" => drop(admin.send("PATCH", &path, json!({"disabled": true})).await.expect(200)),
            _ => {}
        }
    }
    let refusal = start(&server.database, PRODUCTION).await.1.expect("it is refused");
    assert!(refusal.contains("admin, paciente, auditor.") && !refusal.contains("medico"), "{refusal}");
    assert!(!refusal.contains("123"), "{refusal}");
    // The administrator's own last: that ends the session.
    for user in users["users"].as_array().unwrap().iter().rev() {
        let path = at(&server, &format!("users/{}", text(&user["id"])));
        admin.send("PATCH", &path, json!({"password": PASSWORD})).await.expect(200);
    }
    let (said, refusal) = start(&server.database, PRODUCTION).await;
    assert_eq!(refusal, None);
    assert!(said.iter().any(|sentence| sentence.contains("BRASA_SMTP_URL is not set")), "{said:?}");
    assert!(said.iter().all(|sentence| !sentence.contains("DEMONSTRATION")), "{said:?}");
}

#[tokio::test]
async fn a_database_with_accounts_of_its_own_is_no_place_for_a_demonstration() {
    let server = super::server().await;
    let root = token(&server, "root").await;
    make_user(&server, &server.as_user(&root), "admin", "admin").await;
    let refusal = start(&server.database, &[("BRASA_MODE", "demo")]).await.1.expect("it is refused");
    assert!(refusal.starts_with("BRASA_MODE=demo is refused"), "{refusal}");
    try_log_in(&server, "medico", "medico123").await.expect(401);
    let empty = TestDatabase::make().await;
    let (said, refusal) = start(&empty, &[("BRASA_MODE", "demo")]).await;
    assert_eq!(refusal, None);
    assert!(said[0].starts_with("DEMONSTRATION"), "before all else: {said:?}");
    post(&server, "login", json!({"username": "root", "password": PASSWORD})).await.expect(200);
}
