//! Access tokens of an OpenID Connect provider outside: read by its published keys, never by what a token says of its key.
//! <https://www.rfc-editor.org/rfc/rfc9068>

use super::role::Role;
use super::token::{Audience, Refusal};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// How far two clocks may be apart (s).
const LEEWAY_S: i64 = 30;
/// A longer one is no token (bytes).
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// The longest name that a provider may give (bytes).
const NAME_BYTES_MAX: usize = 255;

/// Where in a token the role and the links stand: names, with dots between them where they are nested, and what the
/// provider calls the roles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    pub role: String,
    pub patient: String,
    pub practitioner: String,
    /// The provider's word for each role; a word that is missing here must be the role's own.
    pub words: BTreeMap<String, String>,
}

/// What a token must say to be taken.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub audience: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

/// Somebody whom the provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub subject: String,
    /// What people call it.
    pub name: String,
    pub role: Option<Role>,
    pub patient: Option<String>,
    pub practitioner: Option<String>,
    /// The program that asks, as the provider names it.
    pub client: Option<String>,
    /// As it stands in the token.
    pub scope: Option<String>,
}

/// Whether a token says that this provider made it; nothing is believed of it yet.
pub fn is_of(issuer: &str, token: &str) -> bool {
    #[derive(Deserialize)]
    struct Said {
        iss: String,
    }
    let Ok(said) = jsonwebtoken::dangerous::insecure_decode::<Said>(token) else { return false };
    token.len() <= TOKEN_BYTES_MAX && said.claims.iss == issuer
}

/// The key that a token names.
pub fn key_id(token: &str) -> Option<String> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    decode_header(token).ok()?.kid
}

/// Who it is, if one of these keys signed it for this server.
pub fn verify(keys: &JwkSet, token: &str, expected: Expected<'_>, mapping: &Mapping) -> Result<Person, Refusal> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Refusal::Malformed);
    }
    let header = decode_header(token).map_err(|_| Refusal::Malformed)?;
    let is_access = header
        .typ
        .as_deref()
        .is_none_or(|typ| ["jwt", "at+jwt", "application/at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known)));
    if !is_access || header.crit.is_some() {
        return Err(Refusal::Header);
    }
    let jwk = header.kid.as_deref().and_then(|id| keys.find(id)).ok_or(Refusal::UnknownKey)?;
    if !algorithms(jwk).contains(&header.alg) {
        return Err(Refusal::Header);
    }
    let key = DecodingKey::from_jwk(jwk).map_err(|_| Refusal::UnknownKey)?;
    // Of the library only the signature is asked: what it finds missing in claims it would not always refuse.
    let mut validation = Validation::new(header.alg);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let read = decode::<Value>(token, &key, &validation).map_err(|fault| match fault.kind() {
        jsonwebtoken::errors::ErrorKind::InvalidSignature => Refusal::Signature,
        _ => Refusal::Claims,
    })?;
    check(&read.claims, expected)?;
    person(&read.claims, mapping)
}

/// What a key may sign: its kind decides, and its `alg` where it has one. Never a secret's.
fn algorithms(jwk: &Jwk) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    if jwk.common.public_key_use.as_ref().is_some_and(|used| *used != PublicKeyUse::Signature) {
        return Vec::new();
    }
    let of_kind = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => vec![ES256],
            EllipticCurve::P384 => vec![ES384],
            _ => Vec::new(),
        },
        AlgorithmParameters::OctetKeyPair(_) => vec![EdDSA],
        _ => Vec::new(),
    };
    match jwk.common.key_algorithm {
        Some(named) => of_kind.into_iter().filter(|one| named.to_string() == format!("{one:?}")).collect(),
        None => of_kind,
    }
}

/// The claims that decide whether the token counts; each is required.
#[derive(Deserialize)]
struct Frame {
    iss: String,
    aud: Audience,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nbf: Option<i64>,
}

fn check(claims: &Value, expected: Expected<'_>) -> Result<(), Refusal> {
    let frame = Frame::deserialize(claims).map_err(|_| Refusal::Claims)?;
    if frame.iss != expected.issuer {
        return Err(Refusal::Issuer);
    }
    if !frame.aud.has(expected.audience) {
        return Err(Refusal::Audience);
    }
    if frame.exp.saturating_add(LEEWAY_S) <= expected.now {
        return Err(Refusal::Expired);
    }
    let latest = expected.now.saturating_add(LEEWAY_S);
    if frame.iat > latest || frame.nbf.is_some_and(|from| from > latest) {
        return Err(Refusal::Early);
    }
    Ok(())
}

fn person(claims: &Value, mapping: &Mapping) -> Result<Person, Refusal> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let subject = text("sub").filter(|subject| subject.len() <= NAME_BYTES_MAX).ok_or(Refusal::Claims)?;
    let link = |path: &str| at(claims, path).and_then(Value::as_str).map(|id| id.rsplit('/').next().unwrap_or(id));
    let name = ["preferred_username", "email", "name"].into_iter().find_map(text).unwrap_or(subject);
    Ok(Person {
        subject: subject.to_owned(),
        name: name.chars().take(NAME_BYTES_MAX).collect(),
        role: role(at(claims, &mapping.role), mapping),
        patient: link(&mapping.patient).map(str::to_owned),
        practitioner: link(&mapping.practitioner).map(str::to_owned),
        client: text("client_id").or_else(|| text("azp")).map(str::to_owned),
        scope: text("scope").map(str::to_owned),
    })
}

/// The one role that a word, or a list of words, stands for. Of whom several are told nothing is known: rights do not add
/// up by what a provider happens to list.
fn role(said: Option<&Value>, mapping: &Mapping) -> Option<Role> {
    let words: Vec<&str> = match said? {
        Value::String(word) => vec![word],
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let known = |word: &&str| mapping.words.get(*word).map_or(Role::parse(word), |mapped| Role::parse(mapped));
    let mut roles: Vec<Role> = Vec::new();
    for role in words.iter().filter_map(known) {
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    match roles.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

/// A claim by its path. A claim whose own name has dots (an address) comes first.
fn at<'c>(claims: &'c Value, path: &str) -> Option<&'c Value> {
    claims.get(path).or_else(|| path.split('.').try_fold(claims, |part, name| part.get(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::key::Key;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    const ISSUER: &str = "https://login.example.org/realms/hospital";
    const AUDIENCE: &str = "https://fhir.example.org/fhir";
    const NOW: i64 = 1_800_000_000;

    fn mapping() -> Mapping {
        Mapping {
            role: "realm_access.roles".into(),
            patient: "patient".into(),
            practitioner: "fhirUser".into(),
            words: BTreeMap::from([("clinician".into(), "practitioner".into())]),
        }
    }

    fn claims() -> Value {
        json!({"iss": ISSUER, "aud": ["account", AUDIENCE], "sub": "u1", "exp": NOW + 300, "iat": NOW - 10,
            "preferred_username": "soto", "azp": "app", "scope": "openid profile",
            "realm_access": {"roles": ["offline_access", "clinician"]}, "fhirUser": "Practitioner/d1"})
    }

    fn set(key: &Key) -> JwkSet {
        serde_json::from_value(json!({"keys": [key.jwk()]})).unwrap()
    }

    fn signed(key: &Key, change: impl FnOnce(&mut Header, &mut Value)) -> String {
        let (mut header, mut claims) = (Header::new(Algorithm::EdDSA), claims());
        header.kid = Some(key.id().to_owned());
        change(&mut header, &mut claims);
        encode(&header, &claims, key.signing()).unwrap()
    }

    fn read(key: &Key, token: &str) -> Result<Person, Refusal> {
        verify(&set(key), token, Expected { issuer: ISSUER, audience: AUDIENCE, now: NOW }, &mapping())
    }

    #[test]
    fn a_person_is_who_the_claims_say_under_the_names_that_are_configured() {
        let key = Key::generate().unwrap();
        let token = signed(&key, |_, _| {});
        let person = read(&key, &token).unwrap();
        assert_eq!((person.subject.as_str(), person.name.as_str()), ("u1", "soto"));
        assert_eq!((person.role, person.practitioner.as_deref()), (Some(Role::Practitioner), Some("d1")));
        assert_eq!((person.patient, person.client.as_deref()), (None, Some("app")));
        assert!(is_of(ISSUER, &token) && !is_of("https://other.example.org", &token) && !is_of(ISSUER, "x"));
        assert_eq!(key_id(&token).as_deref(), Some(key.id()));
    }

    #[test]
    fn no_role_and_several_roles_are_none() {
        let key = Key::generate().unwrap();
        let role =
            |roles: Value| read(&key, &signed(&key, |_, claims| claims["realm_access"]["roles"] = roles)).unwrap().role;
        assert_eq!(role(json!(["clinician", "practitioner"])), Some(Role::Practitioner));
        assert_eq!(role(json!("auditor")), Some(Role::Auditor));
        for none in [json!([]), json!(["nurse"]), json!(["patient", "clinician"]), json!({"admin": true}), json!(1)] {
            assert_eq!(role(none.clone()), None, "{none}");
        }
    }

    #[test]
    fn what_is_not_signed_for_this_server_and_now_is_refused() {
        let key = Key::generate().unwrap();
        let with =
            |change: &dyn Fn(&mut Header, &mut Value)| read(&key, &signed(&key, |h, c| change(h, c))).unwrap_err();
        assert_eq!(with(&|_, claims| claims["iss"] = json!("https://other.example.org")), Refusal::Issuer);
        assert_eq!(with(&|_, claims| claims["aud"] = json!("account")), Refusal::Audience);
        assert_eq!(with(&|_, claims| claims["exp"] = json!(NOW - 31)), Refusal::Expired);
        assert_eq!(with(&|_, claims| claims["iat"] = json!(NOW + 31)), Refusal::Early);
        assert_eq!(with(&|_, claims| claims["nbf"] = json!(NOW + 31)), Refusal::Early);
        assert_eq!(with(&|header, _| header.typ = Some("logout+jwt".into())), Refusal::Header);
        assert_eq!(with(&|header, _| header.kid = Some("another".into())), Refusal::UnknownKey);
        assert_eq!(with(&|header, _| header.kid = None), Refusal::UnknownKey);
        for name in ["iss", "aud", "exp", "iat", "sub"] {
            let without = |_: &mut Header, claims: &mut Value| _ = claims.as_object_mut().unwrap().remove(name);
            assert_eq!(with(&without), Refusal::Claims, "{name}");
        }
        for name in ["exp", "iat"] {
            assert_eq!(with(&|_, claims| claims[name] = json!((NOW + 10).to_string())), Refusal::Claims, "{name}");
        }
        let other = Key::generate().unwrap();
        let forged = signed(&other, |header, _| header.kid = Some(key.id().to_owned()));
        assert_eq!(read(&key, &forged), Err(Refusal::Signature));
        // A secret that is the public key's text.
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(key.id().to_owned());
        let secret = EncodingKey::from_secret(key.jwk()["x"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(read(&key, &encode(&header, &claims(), &secret).unwrap()), Err(Refusal::Header));
        assert_eq!(read(&key, "x.y.z"), Err(Refusal::Malformed));
        assert_eq!(read(&key, &"x".repeat(TOKEN_BYTES_MAX + 1)), Err(Refusal::Malformed));
    }
}
