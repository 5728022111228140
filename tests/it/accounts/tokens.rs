//! Access tokens: those that are taken, the many that are not, and the keys that sign them.

use super::{at, log_in, server, settings, text, token};
use crate::support::Server;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brasa::auth::key::Key;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// Makes tokens with the server's own key, as nobody else could.
pub struct Forge {
    key: Key,
    claims: Value,
}

impl Forge {
    async fn of(server: &Server) -> Forge {
        Forge::of_token(server, &token(server, "root").await).await
    }

    /// Makes others of this one.
    pub async fn of_token(server: &Server, token: &str) -> Forge {
        let behind = server.database.connect().await;
        let row = behind.query_one("SELECT id, pkcs8 FROM signing_key", &[]).await.unwrap();
        let key = Key::from_pkcs8(row.get("id"), row.get("pkcs8")).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        Forge { key, claims: serde_json::from_slice(&claims).unwrap() }
    }

    fn header(&self) -> Header {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(self.key.id().to_owned());
        header
    }

    fn with_header(&self, change: impl Fn(&mut Header), key: &EncodingKey) -> String {
        let mut header = self.header();
        change(&mut header);
        encode(&header, &self.claims, key).unwrap()
    }

    pub fn with_claims(&self, change: impl Fn(&mut Value)) -> String {
        let mut claims = self.claims.clone();
        change(&mut claims);
        encode(&self.header(), &claims, self.key.signing()).unwrap()
    }
}

async fn status(server: &Server, token: &str) -> u16 {
    server.as_user(token).get(&at(server, "me")).await.status
}

#[tokio::test]
async fn a_token_is_for_the_configured_address() {
    let server = super::server_with(&[("BRASA_BASE_URL", "https://fhir.example.org/fhir")]).await;
    let forge = Forge::of(&server).await;
    for name in ["iss", "aud"] {
        assert_eq!(forge.claims[name], "https://fhir.example.org/fhir");
    }
    assert_eq!(status(&server, &forge.with_claims(|claims| claims["aud"] = json!("urn:brasa"))).await, 401);
    server.each_is_recorded().await;
}

#[tokio::test]
async fn a_token_with_scopes_or_another_client_is_none_of_a_persons_own_session() {
    let server = server().await;
    let forge = Forge::of(&server).await;
    assert_eq!(status(&server, &forge.with_claims(|_| ())).await, 200);
    assert_eq!(status(&server, &forge.with_claims(|claims| claims["scope"] = json!("user/*.rs"))).await, 401);
    assert_eq!(status(&server, &forge.with_claims(|claims| claims["client_id"] = json!("other"))).await, 401);
    server.each_is_recorded().await;
}

#[tokio::test]
async fn a_token_whose_header_chooses_for_itself_is_refused() {
    let server = server().await;
    let forge = Forge::of(&server).await;
    let ours = forge.key.signing();
    assert_eq!(status(&server, &forge.with_header(|_| (), ours)).await, 200);
    let public = text(&forge.key.jwk()["x"]);
    let secret = EncodingKey::from_secret(&URL_SAFE_NO_PAD.decode(&public).unwrap()).unwrap();
    let foreign = Key::generate().unwrap();
    let unsigned = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(json!({"alg": "none", "typ": "at+jwt", "kid": forge.key.id()}).to_string()),
        URL_SAFE_NO_PAD.encode(forge.claims.to_string())
    );
    for (what, token) in [
        ("alg none", unsigned),
        ("signed with the public key", forge.with_header(|header| header.alg = Algorithm::HS256, &secret)),
        ("unknown key", forge.with_header(|header| header.kid = Some("other".into()), ours)),
        ("no key", forge.with_header(|header| header.kid = None, ours)),
        ("typ JWT", forge.with_header(|header| header.typ = Some("JWT".into()), ours)),
        ("foreign key", forge.with_header(|_| (), foreign.signing())),
    ] {
        assert_eq!(status(&server, &token).await, 401, "{what}");
    }
    server.each_is_recorded().await;
}

#[tokio::test]
async fn a_token_with_other_claims_is_refused() {
    let server = server().await;
    let forge = Forge::of(&server).await;
    assert_eq!(status(&server, &forge.with_claims(|_| ())).await, 200);
    for name in ["iss", "aud", "sub", "exp", "iat", "jti", "client_id", "sid"] {
        let token = forge.with_claims(|claims| drop(claims.as_object_mut().unwrap().remove(name)));
        assert_eq!(status(&server, &token).await, 401, "{name} is missing");
    }
    let exp = forge.claims["exp"].as_i64().unwrap();
    for (name, value) in [
        ("iss", json!("https://elsewhere")),
        ("aud", json!("https://elsewhere")),
        ("exp", json!(exp.to_string())),
        ("exp", json!(exp - 2_000)),
        ("iat", json!(exp + 1_000)),
        ("sub", json!("another account")),
        ("sid", json!("another session")),
    ] {
        assert_eq!(status(&server, &forge.with_claims(|claims| claims[name] = value.clone())).await, 401, "{name}");
    }
    server.each_is_recorded().await;
}

#[tokio::test]
async fn what_a_token_says_of_a_role_is_not_believed() {
    let server = server().await;
    let forge = Forge::of(&server).await;
    let behind = server.database.connect().await;
    behind.execute("UPDATE account SET role = 'auditor'", &[]).await.unwrap();
    let token = forge.with_claims(|claims| claims["role"] = json!("admin"));
    let me = server.as_user(&token).get(&at(&server, "me")).await.expect(200).json();
    assert_eq!(me["role"], "auditor");
    server.as_user(&token).get(&at(&server, "users")).await.expect(403);
    server.each_is_recorded().await;
}

#[tokio::test]
async fn no_other_token_passes_for_an_access_token() {
    let server = server().await;
    let tokens = log_in(&server, "root").await;
    for token in [text(&tokens["refresh_token"]), "x".to_owned(), "a.b.c".to_owned(), "x".repeat(5_000)] {
        assert_eq!(status(&server, &token).await, 401);
    }
    server.each_is_recorded().await;
}

#[tokio::test]
async fn a_new_key_signs_on_every_server_and_the_old_one_still_verifies() {
    let one = server().await;
    let other = Server::on(one.database.clone(), &settings(&[])).await;
    let old = token(&one, "root").await;
    let jwks = async |server: &Server| server.get(&format!("{}/.well-known/jwks.json", server.root)).await.expect(200);
    let published = jwks(&one).await.json();
    // Each has a companion for id tokens.
    assert_eq!(published["keys"].as_array().unwrap().len(), 2);
    assert_eq!(published["keys"][0]["kid"], kid(&old), "two servers, one key");
    let (engine, _) = super::keys::accounts(&one).await;
    let made = brasa::account::rotate_keys(&engine.context.store).await.unwrap();
    // A third server knows it from the start, and the first two learn of it by a token that it signed.
    let third = Server::on(one.database.clone(), &settings(&[])).await;
    let new = token(&third, "root").await;
    assert_eq!(kid(&new), made.as_str());
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    for server in [&one, &other, &third] {
        assert_eq!(status(server, &new).await, 200);
        assert_eq!(status(server, &old).await, 200);
        let published = jwks(server).await;
        assert_eq!(published.json()["keys"].as_array().unwrap().len(), 4);
        assert!(published.json()["keys"].as_array().unwrap().iter().all(|key| key.get("d").is_none()));
    }
    assert_eq!(kid(&token(&one, "root").await), made.as_str());
    let listed = brasa::account::list_keys(&engine.context.store).await.unwrap();
    assert!(listed[0].id == made && listed[0].retired.is_none() && listed[1].retired.is_some() && listed[1].verifies);
    engine.close().await.unwrap();
}

fn kid(token: &str) -> Value {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].clone()
}
