//! Access tokens: signed here, read here. <https://www.rfc-editor.org/rfc/rfc9068>

use super::key::Keys;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The type in the header, so that no other token passes for an access token.
const TYPE: &str = "at+jwt";
/// How far two clocks may be apart (s).
const LEEWAY_S: i64 = 30;
/// A longer one is no token of ours (bytes).
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// What an access token says. Each is required; a time that is not a number, or a missing claim, refuses the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: Audience,
    /// The account.
    pub sub: String,
    /// Seconds since 1970.
    pub exp: i64,
    pub iat: i64,
    /// The token's own number.
    pub jti: String,
    pub client_id: String,
    /// The session that it belongs to: ending the session ends the token.
    pub sid: String,
    /// SMART's scopes; `None`: whatever the account may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The patient of SMART's launch context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
}

/// For whom a token is. RFC 7519 allows one and several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    pub fn has(&self, wanted: &str) -> bool {
        match self {
            Audience::One(one) => one == wanted,
            Audience::Several(all) => all.iter().any(|one| one == wanted),
        }
    }
}

/// What a token must say to be ours.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub audience: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

/// Why a token is refused: for the log. The client learns only that the token is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Malformed,
    /// The header's type, algorithm or critical extensions.
    Header,
    UnknownKey,
    Signature,
    /// A claim is missing or of the wrong kind.
    Claims,
    Expired,
    /// Made in the future.
    Early,
    Issuer,
    Audience,
}

/// Signs an access token with the newest key.
pub fn sign(keys: &Keys, claims: &Claims) -> crate::error::Result<String> {
    seal(keys, TYPE, claims)
}

/// Signs anything with the newest key. `typ` keeps one purpose from passing for another.
pub fn seal(keys: &Keys, typ: &str, claims: &impl Serialize) -> crate::error::Result<String> {
    let key = keys.newest();
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(typ.to_owned());
    header.kid = Some(key.id().to_owned());
    encode(&header, claims, key.signing()).map_err(crate::error::Error::internal)
}

/// Which of our keys a token says that it was signed with; nothing is believed of it yet.
pub fn key_id(token: &str) -> Option<String> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    decode_header(token).ok()?.kid
}

/// Reads an access token.
pub fn verify(keys: &Keys, token: &str, expected: Expected<'_>) -> Result<Claims, Refusal> {
    let claims: Claims = open(keys, TYPE, token)?;
    check(&claims, expected)?;
    Ok(claims)
}

/// Reads what [`seal`] made for this purpose; whether it still counts is for its claims to say. Nothing in its header says which key or which algorithm to trust: `kid` only names one of ours, and
/// each of ours has one algorithm. `jku`, `jwk`, `x5u` and `x5c` are not looked at.
pub fn open<T: DeserializeOwned>(keys: &Keys, typ: &str, token: &str) -> Result<T, Refusal> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Refusal::Malformed);
    }
    let header = decode_header(token).map_err(|_| Refusal::Malformed)?;
    let is_ours = header.typ.as_deref().is_some_and(|said| said.eq_ignore_ascii_case(typ))
        && header.alg == Algorithm::EdDSA
        && header.crit.is_none();
    if !is_ours {
        return Err(Refusal::Header);
    }
    let key = header.kid.as_deref().and_then(|id| keys.find(id)).ok_or(Refusal::UnknownKey)?;
    // Of the library only the signature is asked: what it finds missing in claims it would not always refuse.
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let read = decode::<T>(token, key.verifying(), &validation).map_err(|fault| match fault.kind() {
        jsonwebtoken::errors::ErrorKind::InvalidSignature => Refusal::Signature,
        _ => Refusal::Claims,
    })?;
    Ok(read.claims)
}

fn check(claims: &Claims, expected: Expected<'_>) -> Result<(), Refusal> {
    let is_empty = [&claims.sub, &claims.jti, &claims.sid, &claims.client_id].into_iter().any(String::is_empty);
    if is_empty || claims.exp <= claims.iat {
        return Err(Refusal::Claims);
    }
    if claims.exp.saturating_add(LEEWAY_S) <= expected.now {
        return Err(Refusal::Expired);
    }
    if claims.iat > expected.now.saturating_add(LEEWAY_S) {
        return Err(Refusal::Early);
    }
    if claims.iss != expected.issuer {
        return Err(Refusal::Issuer);
    }
    if !claims.aud.has(expected.audience) {
        return Err(Refusal::Audience);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::key::Key;
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::EncodingKey;
    use serde_json::{Value, json};

    const NOW: i64 = 1_800_000_000;
    const EXPECTED: Expected<'_> = Expected { issuer: "https://brasa", audience: "https://brasa/fhir", now: NOW };

    fn claims() -> Value {
        json!({"iss": "https://brasa", "aud": "https://brasa/fhir", "sub": "7", "exp": NOW + 900, "iat": NOW, "jti": "a",
            "client_id": "brasa", "sid": "s"})
    }

    fn header(key: &Key) -> Header {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(key.id().to_owned());
        header
    }

    fn keys() -> Keys {
        Keys::new(Key::generate().unwrap(), Vec::new())
    }

    #[test]
    fn a_token_that_was_signed_here_is_read_and_so_is_one_of_the_key_before() {
        let old = Key::generate().unwrap();
        let again = Key::from_pkcs8(old.id().to_owned(), old.pkcs8().to_vec()).unwrap();
        let wanted: Claims = serde_json::from_value(claims()).unwrap();
        let token = sign(&Keys::new(old, Vec::new()), &wanted).unwrap();
        let rotated = Keys::new(Key::generate().unwrap(), vec![again]);
        assert_eq!(verify(&rotated, &token, EXPECTED), Ok(wanted));
        assert_eq!(verify(&keys(), &token, EXPECTED), Err(Refusal::UnknownKey));
    }

    #[test]
    fn a_claim_that_is_missing_wrong_or_of_another_kind_refuses_the_token() {
        let keys = keys();
        let verdict = |change: &dyn Fn(&mut Value)| {
            let mut claims = claims();
            change(&mut claims);
            let token = encode(&header(keys.newest()), &claims, keys.newest().signing()).unwrap();
            verify(&keys, &token, EXPECTED).map(|_| ())
        };
        assert_eq!(verdict(&|_| ()), Ok(()));
        for name in ["iss", "aud", "sub", "exp", "iat", "jti", "client_id", "sid"] {
            assert_eq!(
                verdict(&|claims| drop(claims.as_object_mut().unwrap().remove(name))),
                Err(Refusal::Claims),
                "{name}"
            );
            assert_eq!(verdict(&|claims| claims[name] = Value::Null), Err(Refusal::Claims), "{name}");
        }
        for (name, value, refusal) in [
            ("exp", json!((NOW + 900).to_string()), Refusal::Claims),
            ("exp", json!(NOW as f64 + 0.5), Refusal::Claims),
            ("exp", json!(NOW - 31), Refusal::Claims),
            ("iat", json!("0"), Refusal::Claims),
            ("iat", json!(NOW + 31), Refusal::Early),
            ("sub", json!(""), Refusal::Claims),
            ("sub", json!(7), Refusal::Claims),
            ("iss", json!("https://brasa/"), Refusal::Issuer),
            ("aud", json!("https://brasa"), Refusal::Audience),
            ("aud", json!([]), Refusal::Audience),
            ("aud", json!({"https://brasa/fhir": 1}), Refusal::Claims),
        ] {
            assert_eq!(verdict(&|claims| claims[name] = value.clone()), Err(refusal), "{name} {value}");
        }
        assert_eq!(verdict(&|claims| claims["aud"] = json!(["x", "https://brasa/fhir"])), Ok(()));
        let past = |claims: &mut Value| {
            claims["iat"] = json!(NOW - 1_000);
            claims["exp"] = json!(NOW - 31);
        };
        assert_eq!(verdict(&past), Err(Refusal::Expired));
    }

    #[test]
    fn the_header_does_not_choose_the_algorithm_nor_the_key() {
        let keys = keys();
        let public = keys.newest().jwk();
        let verdict = |header: Header, key: &EncodingKey| {
            verify(&keys, &encode(&header, &claims(), key).unwrap(), EXPECTED).map(|_| ())
        };
        let ours = keys.newest().signing();
        let with = |change: &dyn Fn(&mut Header)| {
            let mut header = header(keys.newest());
            change(&mut header);
            header
        };
        assert_eq!(verdict(with(&|header| header.typ = Some("JWT".into())), ours), Err(Refusal::Header));
        assert_eq!(verdict(with(&|header| header.typ = None), ours), Err(Refusal::Header));
        assert_eq!(verdict(with(&|header| header.crit = Some(vec!["exp".into()])), ours), Err(Refusal::Header));
        assert_eq!(verdict(with(&|header| header.kid = None), ours), Err(Refusal::UnknownKey));
        assert_eq!(verdict(with(&|header| header.kid = Some("../x".into())), ours), Err(Refusal::UnknownKey));
        // Our public key taken for a shared secret, and a key that the header brings along.
        let secret = EncodingKey::from_secret(public["x"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(verdict(with(&|header| header.alg = Algorithm::HS256), &secret), Err(Refusal::Header));
        let foreign = Key::generate().unwrap();
        let brought = with(&|header| {
            header.jwk = serde_json::from_value(foreign.jwk()).ok();
            header.jku = Some("https://attacker/jwks.json".into());
            header.x5u = Some("https://attacker/x".into());
        });
        assert_eq!(verdict(brought, foreign.signing()), Err(Refusal::Signature));
    }

    #[test]
    fn what_is_no_token_and_one_that_was_changed_are_refused() {
        let keys = keys();
        let token = sign(&keys, &serde_json::from_value(claims()).unwrap()).unwrap();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
        let (_, rest) = token.split_once('.').unwrap();
        for text in ["", ".", "..", "a.b.c", "Bearer", &format!("{none}.{rest}"), &"a".repeat(9_000)] {
            assert_eq!(verify(&keys, text, EXPECTED), Err(Refusal::Malformed), "{text}");
        }
        let mut parts: Vec<&str> = token.split('.').collect();
        let mut other = claims();
        other["sub"] = json!("8");
        let other = URL_SAFE_NO_PAD.encode(other.to_string());
        parts[1] = &other;
        assert_eq!(verify(&keys, &parts.join("."), EXPECTED), Err(Refusal::Signature));
        parts[2] = "";
        assert!(verify(&keys, &parts.join("."), EXPECTED).is_err());
    }
}
