//! Keys by which programs come in: shown once, bounded by their scopes, revoked at once.

use super::{at, becomes, log_in, make_user, server, settings, text, token};
use crate::support::Server;
use brasa::account::Accounts;
use brasa::app::Engine;
use brasa::auth::policy::Permission;
use brasa::auth::sight::Sight;
use brasa::config::Settings;
use brasa::fhir::definitions::ResourceType;
use brasa::fhir::id::Id;
use brasa::store::embedded::Role;
use serde_json::{Value, json};

#[tokio::test]
async fn a_key_is_shown_once_and_does_nothing_after_it_is_revoked() {
    let server = server().await;
    let root = token(&server, "root").await;
    let root = server.as_user(&root);
    let wanted = json!({"name": "laboratory", "scopes": "user/Observation.rs"});
    let made = root.send("POST", &at(&server, "keys"), wanted).await.expect(201);
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let (key, id) = (text(&made.json()["key"]), text(&made.json()["id"]));
    assert!(key.starts_with("brasa_"), "{key}");
    let (_, value) = key.trim_start_matches("brasa_").split_once('_').unwrap();
    let listed = root.get(&at(&server, "keys")).await.expect(200);
    assert_eq!(listed.json()["keys"][0]["name"], "laboratory");
    assert!(!listed.text.contains(value));
    let behind = server.database.connect().await;
    let stored: String = behind.query_one("SELECT k::text AS text FROM api_key k", &[]).await.unwrap().get("text");
    assert!(!stored.contains(value));

    let me = server.as_user(&key).get(&at(&server, "me")).await.expect(200).json();
    assert_eq!((&me["username"], &me["scopes"]), (&json!("root"), &json!("user/Observation.rs")));
    let used = root.get(&at(&server, "keys")).await.expect(200).json();
    assert!(used["keys"][0]["last_used"].is_string());
    for wrong in
        [format!("{key}x"), format!("brasa_{id}_"), "brasa_".to_owned(), format!("brasa_{}_{value}", "0".repeat(32))]
    {
        server.as_user(&wrong).get(&at(&server, "me")).await.expect(401);
    }
    root.send("DELETE", &at(&server, &format!("keys/{id}")), Value::Null).await.expect(204);
    server.as_user(&key).get(&at(&server, "me")).await.expect(401);
    root.send("DELETE", &at(&server, &format!("keys/{id}")), Value::Null).await.expect(404);
    server.each_is_recorded().await;
}

#[tokio::test]
async fn a_key_of_an_administrator_does_not_administer_nor_speak_for_its_owner() {
    let server = server().await;
    let root = token(&server, "root").await;
    let wanted = json!({"name": "all", "scopes": "system/*.cruds user/*.cruds"});
    let made = server.as_user(&root).send("POST", &at(&server, "keys"), wanted.clone()).await.expect(201).json();
    let key = text(&made["key"]);
    let key = server.as_user(&key);
    for path in ["users", "sessions", "keys"] {
        key.get(&at(&server, path)).await.expect(403);
    }
    key.send("POST", &at(&server, "keys"), wanted).await.expect(403);
    key.send("POST", &at(&server, "logout"), Value::Null).await.expect(403);
    let change = json!({"old_password": super::PASSWORD, "new_password": "another long one"});
    key.send("POST", &at(&server, "password/change"), change).await.expect(403);
    server.each_is_recorded().await;
}

#[tokio::test]
async fn a_key_without_scopes_that_are_understood_is_not_made() {
    let server = server().await;
    let root = token(&server, "root").await;
    let root = server.as_user(&root);
    for (wanted, place) in [
        (json!({"name": "x", "scopes": ""}), "scopes"),
        (json!({"name": "x", "scopes": "openid"}), "scopes"),
        (json!({"name": "x", "scopes": "user/Observation.rs  user/Patient.r"}), "scopes"),
        (json!({"name": " ", "scopes": "user/*.rs"}), "name"),
        (json!({"name": "x", "scopes": "user/*.rs", "expires": "2020-01-01T00:00:00Z"}), "expires"),
        (json!({"name": "x", "scopes": "user/*.rs", "expires": "tomorrow"}), "expires"),
    ] {
        let refused = root.send("POST", &at(&server, "keys"), wanted.clone()).await.expect(400);
        assert_eq!(refused.expression(), place, "{wanted}");
    }
    let owned = json!({"name": "x", "scopes": "user/*.rs", "account": "other"});
    assert!(root.send("POST", &at(&server, "keys"), owned).await.expect(400).text.contains("account"));
    server.each_is_recorded().await;
}

#[tokio::test]
async fn a_key_ends_with_its_time_and_with_its_account() {
    let server = server().await;
    let root = token(&server, "root").await;
    let root = server.as_user(&root);
    let eva = make_user(&server, &root, "eva", "practitioner").await;
    let session = token(&server, "eva").await;
    let wanted = json!({"name": "x", "scopes": "user/*.rs", "expires": "2100-01-01T00:00:00Z"});
    let made = server.as_user(&session).send("POST", &at(&server, "keys"), wanted).await.expect(201).json();
    let key = text(&made["key"]);
    let key = server.as_user(&key);
    key.get(&at(&server, "me")).await.expect(200);
    let behind = server.database.connect().await;
    behind.execute("UPDATE api_key SET expires = now() - interval '1 second'", &[]).await.unwrap();
    becomes(401, async || key.get(&at(&server, "me")).await).await;
    behind.execute("UPDATE api_key SET expires = NULL", &[]).await.unwrap();
    key.get(&at(&server, "me")).await.expect(200);
    root.send("PATCH", &at(&server, &format!("users/{eva}")), json!({"disabled": true})).await.expect(200);
    key.get(&at(&server, "me")).await.expect(401);
    server.each_is_recorded().await;
}

/// The accounts of a server's database, to ask what a header opens.
pub async fn accounts(server: &Server) -> (Engine, Accounts) {
    let url = server.database.url();
    let wanted = settings(&[("BRASA_DATABASE_URL", &url)]);
    let find = |name: &str| wanted.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
    let settings = Settings::from_env(find).unwrap();
    let engine = Engine::open(&settings, Role::Attach, |_: &str| {}).await.unwrap_or_else(|error| panic!("{error:?}"));
    let accounts = Accounts::open(&engine.context.store, &settings, |_: &str| {}).await.unwrap();
    (engine, accounts)
}

#[tokio::test]
async fn a_grant_is_what_the_account_may_within_the_scopes_of_the_key() {
    let server = server().await;
    let root = token(&server, "root").await;
    let root = server.as_user(&root);
    let linked = make_user(&server, &root, "ana", "patient").await;
    let path = at(&server, &format!("users/{linked}"));
    root.send("PATCH", &path, json!({"patient": "p1"})).await.expect(200);
    make_user(&server, &root, "eva", "patient").await;
    make_user(&server, &root, "ruiz", "practitioner").await;
    let (engine, accounts) = accounts(&server).await;
    let sight = async |header: String, permission, name: &str| {
        let caller = accounts.authenticate(&engine.context.store, Some(&format!("Bearer {header}"))).await.unwrap();
        let grant = caller.grant;
        assert!(!grant.is_everything());
        grant.sight(permission, ResourceType::parse(name).unwrap())
    };
    let ana = text(&log_in(&server, "ana").await["access_token"]);
    let own = Sight::About(Id::parse("p1").unwrap());
    assert_eq!(sight(ana.clone(), Permission::Read, "Observation").await, own);
    let eva = token(&server, "eva").await;
    assert_eq!(sight(eva, Permission::Read, "Observation").await, Sight::None, "no link, no record");
    let ruiz = token(&server, "ruiz").await;
    assert_eq!(sight(ruiz.clone(), Permission::Read, "Observation").await, Sight::All);
    for (token, seen) in [(ana, own), (ruiz, Sight::All)] {
        let wanted = json!({"name": "x", "scopes": "user/Observation.rs"});
        let made = server.as_user(&token).send("POST", &at(&server, "keys"), wanted).await.expect(201).json();
        let key = text(&made["key"]);
        assert_eq!(sight(key.clone(), Permission::Read, "Observation").await, seen);
        assert_eq!(sight(key.clone(), Permission::Read, "Condition").await, Sight::None);
        assert_eq!(sight(key, Permission::Delete, "Observation").await, Sight::None);
    }
    engine.close().await.unwrap();
    server.each_is_recorded().await;
}
