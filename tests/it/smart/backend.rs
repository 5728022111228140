//! Backend services, and assertions that are not what they should be.

use super::{App, Hospital, hospital};
use crate::accounts::{at, text};
use crate::support::Answer;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A key pair of a client.
struct Pair {
    signing: EncodingKey,
    algorithm: Algorithm,
    jwk: Value,
}

fn pair(algorithm: Algorithm, id: &str) -> Pair {
    let signing = match algorithm {
        Algorithm::RS384 => {
            let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
            let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
            // What PKCS #8 puts around PKCS #1, which is what is read, has 26 bytes for a key of this size.
            EncodingKey::from_rsa_der(&der.as_ref()[26..])
        }
        Algorithm::ES384 => {
            let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new()).unwrap();
            EncodingKey::from_ec_der(der.as_ref())
        }
        // The library makes no key set's form of these; the server does, of its own.
        _ => {
            let key = brasa::auth::key::Key::generate().unwrap();
            let mut jwk = key.jwk();
            jwk["kid"] = json!(id);
            return Pair { signing: key.signing().clone(), algorithm, jwk };
        }
    };
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&signing, algorithm).unwrap()).unwrap();
    jwk["kid"] = json!(id);
    Pair { signing, algorithm, jwk }
}

impl Pair {
    fn header(&self) -> Header {
        let mut header = Header::new(self.algorithm);
        header.kid = self.jwk["kid"].as_str().map(str::to_owned);
        header
    }

    fn sign(&self, claims: &Value) -> String {
        encode(&self.header(), claims, &self.signing).unwrap()
    }
}

impl Hospital {
    async fn service(&self, keys: &[&Pair], scopes: &str) -> App {
        let me = self
            .server
            .as_user(&crate::accounts::token(&self.server, "ruiz").await)
            .get(&at(&self.server, "me"))
            .await
            .json();
        let keys: Vec<&Value> = keys.iter().map(|pair| &pair.jwk).collect();
        self.register(json!({"name": "Laboratory", "kind": "backend", "scopes": scopes, "jwks": {"keys": keys},
            "account": me["id"]}))
            .await
    }

    fn claims(&self, app: &App, jti: &str) -> Value {
        json!({"iss": app.id, "sub": app.id, "aud": at(&self.server, "token"), "exp": Utc::now().timestamp() + 200,
            "jti": jti})
    }

    async fn assert(&self, assertion: &str, scope: &str) -> Answer {
        let pairs = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", TYPE),
            ("client_assertion", assertion),
            ("scope", scope),
        ];
        self.token(&[], &pairs).await
    }

    async fn refuses(&self, assertion: String, why: &str) {
        let answer = self.assert(&assertion, "system/Patient.r").await;
        assert_eq!((answer.status, &answer.json()["error"]), (401, &json!("invalid_client")), "{why}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_backend_service_comes_in_for_its_account_within_its_scopes() {
    let hospital = hospital().await;
    let pairs = [pair(Algorithm::RS384, "r"), pair(Algorithm::ES384, "e"), pair(Algorithm::EdDSA, "d")];
    let app = hospital.service(&pairs.each_ref(), "system/Observation.rs system/Patient.r").await;
    for (at, pair) in pairs.iter().enumerate() {
        let assertion = pair.sign(&hospital.claims(&app, &format!("j{at}")));
        let given = hospital.assert(&assertion, "system/*.cruds user/*.rs openid").await.expect(200).json();
        assert_eq!(given["scope"], "system/Observation.rs system/Patient.r", "{:?}", pair.algorithm);
        assert_eq!(given["expires_in"], 300);
        assert!(given.get("refresh_token").is_none());
        for (path, status) in [("Patient/p1", 200), ("Patient/p2", 200), ("Observation/o-p1", 200), ("Condition", 403)]
        {
            assert_eq!(hospital.reads(&given["access_token"], path).await, status, "{path}");
        }
        // Its own token shows nobody.
        hospital.assert(given["access_token"].as_str().unwrap(), "system/Patient.r").await.expect(401);
    }
    let refused =
        hospital.assert(&pairs[0].sign(&hospital.claims(&app, "n")), "user/*.rs patient/*.rs").await.expect(400);
    assert_eq!(refused.json()["error"], "invalid_scope");
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn an_assertion_counts_once_on_all_servers() {
    let hospital = hospital().await;
    let key = pair(Algorithm::ES384, "e");
    let app = hospital.service(&[&key], "system/Patient.r").await;
    let other = crate::support::Server::on(
        hospital.server.database.clone(),
        &[("BRASA_AUTH", "on"), ("BRASA_ADMIN_USERNAME", "root"), ("BRASA_ADMIN_PASSWORD", crate::accounts::PASSWORD)],
    )
    .await;
    let mut claims = hospital.claims(&app, "once");
    claims["aud"] = json!([at(&hospital.server, "token"), at(&other, "token")]);
    let assertion = key.sign(&claims);
    hospital.assert(&assertion, "system/Patient.r").await.expect(200);
    assert_eq!(hospital.assert(&assertion, "system/Patient.r").await.expect(401).json()["error"], "invalid_client");
    let elsewhere = Hospital { server: other, root: hospital.root.clone() };
    elsewhere.assert(&assertion, "system/Patient.r").await.expect(401);
    // The number again, in another assertion.
    claims["exp"] = json!(Utc::now().timestamp() + 100);
    elsewhere.assert(&key.sign(&claims), "system/Patient.r").await.expect(401);
    let at_once = key.sign(&hospital.claims(&app, "many"));
    let answers = futures_util::future::join_all((0..5).map(|_| hospital.assert(&at_once, "system/Patient.r"))).await;
    assert_eq!(answers.iter().filter(|one| one.status == 200).count(), 1);
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn an_assertion_that_is_not_the_clients_own_for_this_server_and_now_shows_nobody() {
    let hospital = hospital().await;
    let (key, foreign) = (pair(Algorithm::RS384, "r"), pair(Algorithm::RS384, "r"));
    let app = hospital.service(&[&key], "system/Patient.r").await;
    let other = hospital.service(&[&foreign], "system/Patient.r").await;
    let now = Utc::now().timestamp();
    for (name, value) in [
        ("exp", json!(now - 31)),
        ("exp", json!(now + 400)),
        ("exp", json!((now + 200).to_string())),
        ("exp", Value::Null),
        ("aud", json!(hospital.server.base)),
        ("aud", json!("https://other.example.org/auth/token")),
        ("aud", json!([])),
        ("iss", json!(other.id)),
        ("iss", Value::Null),
        ("sub", json!("nobody")),
        ("jti", json!("")),
        ("jti", Value::Null),
        ("nbf", json!(now + 100)),
    ] {
        let mut claims = hospital.claims(&app, "a");
        claims[name] = value.clone();
        hospital.refuses(key.sign(&claims), &format!("{name} {value}")).await;
    }
    let claims = hospital.claims(&app, "b");
    hospital.refuses(foreign.sign(&claims), "another's key of the same kid").await;
    hospital.refuses("x".to_owned(), "no assertion").await;
    hospital.refuses(crate::accounts::token(&hospital.server, "ruiz").await, "an access token").await;
    // Nothing of this has used the number up.
    hospital.assert(&key.sign(&claims), "system/Patient.r").await.expect(200);
    let as_secret = [
        ("grant_type", "client_credentials"),
        ("client_id", app.id.as_str()),
        ("client_secret", "x"),
        ("scope", "system/Patient.r"),
    ];
    hospital.token(&[], &as_secret).await.expect(401);
    let alone = [("grant_type", "client_credentials"), ("client_id", app.id.as_str()), ("scope", "system/Patient.r")];
    hospital.token(&[], &alone).await.expect(401);
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn an_assertion_chooses_neither_its_key_nor_its_algorithm() {
    let hospital = hospital().await;
    let (key, foreign) = (pair(Algorithm::RS384, "r"), pair(Algorithm::RS384, "r"));
    let ec = pair(Algorithm::ES384, "e");
    let app = hospital.service(&[&key, &ec], "system/Patient.r").await;
    let claims = hospital.claims(&app, "b");
    let with = |change: &dyn Fn(&mut Header)| {
        let mut header = key.header();
        change(&mut header);
        header
    };
    let signed = |header: Header| encode(&header, &claims, &key.signing).unwrap();
    hospital.refuses(signed(with(&|header| header.kid = None)), "no kid").await;
    hospital.refuses(signed(with(&|header| header.kid = Some("x".into()))), "no such kid").await;
    hospital.refuses(signed(with(&|header| header.kid = Some("e".into()))), "another key's kid").await;
    hospital.refuses(signed(with(&|header| header.alg = Algorithm::RS256)), "another algorithm").await;
    hospital.refuses(signed(with(&|header| header.typ = Some("at+jwt".into()))), "another purpose").await;
    let brought = with(&|header| {
        header.jwk = serde_json::from_value(foreign.jwk.clone()).ok();
        header.jku = Some("https://attacker.example.org/jwks.json".into());
    });
    hospital.refuses(encode(&brought, &claims, &foreign.signing).unwrap(), "a key that it brings along").await;
    // The public key taken for a shared secret, and no signature at all.
    let modulus = key.jwk["n"].as_str().unwrap();
    let secret = EncodingKey::from_secret(modulus.as_bytes()).unwrap();
    hospital.refuses(encode(&with(&|header| header.alg = Algorithm::HS384), &claims, &secret).unwrap(), "HS384").await;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for algorithm in ["none", "None", "HS256"] {
        let none = format!("{}.{}.", part(&json!({"alg": algorithm, "typ": "JWT", "kid": "r"})), part(&claims));
        hospital.refuses(none, algorithm).await;
    }
    hospital.assert(&key.sign(&claims), "system/Patient.r").await.expect(200);
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn only_a_backend_service_comes_in_by_itself_and_as_long_as_its_account_may() {
    let hospital = hospital().await;
    let public = hospital.app("public").await;
    let alone = [("grant_type", "client_credentials"), ("client_id", public.id.as_str()), ("scope", "system/*.rs")];
    assert_eq!(hospital.token(&[], &alone).await.expect(400).json()["error"], "unauthorized_client");
    let password = [("grant_type", "password"), ("client_id", public.id.as_str()), ("username", "ana")];
    assert_eq!(hospital.token(&[], &password).await.expect(400).json()["error"], "unsupported_grant_type");
    let key = pair(Algorithm::EdDSA, "d");
    let app = hospital.service(&[&key], "system/*.rs").await;
    // Nobody is asked to consent for it.
    hospital.ask(&hospital.question(&app, &[])).await.expect(400);
    let given = hospital.assert(&key.sign(&hospital.claims(&app, "1")), "system/*.rs").await.expect(200).json();
    let admin = hospital.server.as_user(&hospital.root);
    let users = admin.get(&at(&hospital.server, "users")).await.json();
    let ruiz = users["users"].as_array().unwrap().iter().find(|one| one["username"] == "ruiz").unwrap();
    let path = at(&hospital.server, &format!("users/{}", text(&ruiz["id"])));
    admin.send("PATCH", &path, json!({"disabled": true})).await.expect(200);
    assert_eq!(hospital.reads(&given["access_token"], "Patient/p1").await, 401);
    hospital.assert(&key.sign(&hospital.claims(&app, "2")), "system/*.rs").await.expect(401);
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn what_is_out_of_date_is_removed_and_the_rest_stays() {
    let hospital = hospital().await;
    let key = pair(Algorithm::EdDSA, "d");
    let app = hospital.service(&[&key], "system/*.rs").await;
    let public = hospital.app("public").await;
    hospital.code(&public).await;
    let old = hospital.assert(&key.sign(&hospital.claims(&app, "old")), "system/*.rs").await.expect(200).json();
    let behind = hospital.server.database.connect().await;
    for table in ["authorization_code", "client_assertion", "session"] {
        // Sessions of people stay a month, those of services a day.
        behind.execute(&format!("UPDATE {table} SET expires = now() - interval '2 days'"), &[]).await.unwrap();
    }
    hospital.code(&public).await;
    let new = hospital.assert(&key.sign(&hospital.claims(&app, "new")), "system/*.rs").await.expect(200).json();
    let (engine, accounts) = crate::accounts::keys::accounts(&hospital.server).await;
    for _ in 0..2 {
        accounts.step().await.unwrap();
        for (table, left) in [
            ("authorization_code", 1_i64),
            ("client_assertion", 1),
            ("session WHERE client_id IS NOT NULL", 1),
            ("session WHERE client_id IS NULL AND expires < now()", 3),
        ] {
            let counted = behind.query_one(&format!("SELECT count(*) AS left FROM {table}"), &[]).await.unwrap();
            assert_eq!(counted.get::<_, i64>("left"), left, "{table}");
        }
    }
    assert_eq!(hospital.reads(&old["access_token"], "Patient/p1").await, 401);
    assert_eq!(hospital.reads(&new["access_token"], "Patient/p1").await, 200);
    engine.close().await.unwrap();
    hospital.server.each_is_recorded().await;
}
