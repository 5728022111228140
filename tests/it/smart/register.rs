//! Registering clients: by administrators, and only what can be kept to.

use super::{REDIRECT, SCOPES, hospital};
use crate::accounts::{at, token};
use serde_json::{Value, json};

#[tokio::test]
async fn only_an_administrator_registers_sees_and_changes_clients() {
    let hospital = hospital().await;
    let server = &hospital.server;
    let app = hospital.app("confidential").await;
    let path = at(server, &format!("clients/{}", app.id));
    let wanted = json!({"name": "x", "kind": "public", "redirect_uris": [REDIRECT], "scopes": SCOPES});
    for name in ["ana", "ruiz"] {
        let session = token(server, name).await;
        let user = server.as_user(&session);
        for (method, path, body) in [
            ("GET", at(server, "clients"), Value::Null),
            ("POST", at(server, "clients"), wanted.clone()),
            ("GET", path.clone(), Value::Null),
            ("PATCH", path.clone(), json!({"disabled": true})),
            ("DELETE", path.clone(), Value::Null),
        ] {
            user.send(method, &path, body).await.expect(403);
        }
    }
    let admin = server.as_user(&hospital.root);
    let listed = admin.get(&at(server, "clients")).await.expect(200);
    assert_eq!(listed.json()["clients"][0]["has_secret"], true);
    assert!(!listed.text.contains(app.secret.as_deref().unwrap()), "a secret is shown once");
    let renamed = admin.send("PATCH", &path, json!({"name": "Other"})).await.expect(200).json();
    assert_eq!((&renamed["name"], &renamed["scopes"]), (&json!("Other"), &json!(SCOPES)));
    admin.send("DELETE", &path, Value::Null).await.expect(204);
    for method in ["GET", "DELETE"] {
        admin.send(method, &path, Value::Null).await.expect(404);
    }
    server.each_is_recorded().await;
}

#[tokio::test]
async fn a_client_that_could_not_be_held_to_its_bounds_is_not_registered() {
    let hospital = hospital().await;
    let admin = hospital.server.as_user(&hospital.root);
    let me = admin.get(&at(&hospital.server, "me")).await.json()["id"].clone();
    let app = json!({"name": "x", "kind": "public", "redirect_uris": [REDIRECT], "scopes": SCOPES});
    let ed = json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let service =
        json!({"name": "x", "kind": "backend", "scopes": "system/*.rs", "jwks": {"keys": [ed.clone()]}, "account": me});
    let mut private = ed.clone();
    private["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let mut nameless = ed.clone();
    nameless.as_object_mut().unwrap().remove("kid");
    let rsa = json!({"kty": "RSA", "kid": "r", "e": "AQAB", "n": "w7Zdfmece8iaB0kiTY8pCtiBtzbptJmP28nSWwtdjRu0f2GFpajvWE4VhfJAjEsOcwYzay7XGN0b-X84BfC8hmCTOj2b2eHT7NsZegFPKRUQzJ9wW8ipn_aDJWMGDuB1XyqT1E7DYqjUCEOD1b4FLpy_xPn6oV_TYOfQ9fZdbE5HGxJUzekuGcOKqOQ8M7wfYHhHHLxGpQVgL0apWuP2gDDOdTtpuld4D2LK1MZK99s9gaSjRHE8JDb1Z4IGhEcEyzkxswVdPndUWzfvWBBWXWxtSUvQGBRkuy1BHOa4sP6FKjWEeeF7gm7UMs2Nm2QUgNZw6xvEDGaLk4KASdIxRQ"});
    let secret = json!({"kty": "oct", "kid": "o", "k": "c2VjcmV0"});
    let long: String = "x".repeat(101);
    let change = |of: &Value, name: &str, value: Value| {
        let mut wanted = of.clone();
        wanted[name] = value;
        wanted
    };
    let mut wrong = vec![
        (change(&app, "name", json!(" ")), "name"),
        (change(&app, "name", json!(long)), "name"),
        (change(&app, "kind", json!("trusted")), "kind"),
        (change(&app, "scopes", json!("")), "scopes"),
        (change(&app, "scopes", json!("everything")), "scopes"),
        (change(&app, "scopes", json!("system/*.rs")), "scopes"),
        (change(&app, "redirect_uris", json!([])), "redirect_uris"),
        (change(&app, "account", me.clone()), "account"),
        (change(&app, "jwks", json!({"keys": [ed]})), "jwks"),
        (change(&service, "scopes", json!("user/*.rs")), "scopes"),
        (change(&service, "account", json!("nobody")), "account"),
        (change(&service, "account", Value::Null), "account"),
        (change(&service, "jwks", Value::Null), "jwks"),
        (change(&service, "redirect_uris", json!([REDIRECT])), "redirect_uris"),
    ];
    for uri in
        ["http://app.example.org/", "https://app.example.org/#x", "javascript:alert(1)", "https://*.example.org/"]
    {
        wrong.push((change(&app, "redirect_uris", json!([REDIRECT, uri])), "redirect_uris"));
    }
    for keys in
        [json!([]), json!([private]), json!([nameless]), json!([secret]), json!([ed, ed]), json!("https://x/jwks")]
    {
        wrong.push((change(&service, "jwks", json!({"keys": keys})), "jwks"));
    }
    for (wanted, place) in wrong {
        let refused = admin.send("POST", &at(&hospital.server, "clients"), wanted.clone()).await;
        assert_eq!((refused.status, refused.expression().as_str()), (400, place), "{wanted}: {}", refused.text);
    }
    admin.send("POST", &at(&hospital.server, "clients"), change(&app, "secret", json!("mine"))).await.expect(400);
    admin
        .send("POST", &at(&hospital.server, "clients"), change(&service, "jwks", json!({"keys": [rsa]})))
        .await
        .expect(201);
    admin.send("POST", &at(&hospital.server, "clients"), service).await.expect(201);
    hospital.server.each_is_recorded().await;
}
