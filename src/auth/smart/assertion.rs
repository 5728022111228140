//! What a client signs to show who it is. <https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html>

use crate::auth::token::{Audience, Refusal};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

/// The algorithms that are read, each with a kind of key of its own.
pub const ALGORITHMS: &[&str] = &["RS384", "ES384", "EdDSA"];
/// It is for one use now: so far ahead it may end at most (s).
const LIFE_MAX_S: i64 = 300;
/// How far two clocks may be apart (s).
const LEEWAY_S: i64 = 30;
const BYTES_MAX: usize = 8 * 1024;
const JTI_BYTES_MAX: usize = 500;
/// A key set has so many keys at most.
const KEYS_MAX: usize = 20;
/// RSA with fewer is refused (bits).
const RSA_BITS_MIN: usize = 2048;

/// A time that is not a number, or a missing claim, refuses it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    jti: String,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    iat: Option<i64>,
}

/// What an assertion must say to be this client's, for this server, now.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub client: &'a str,
    /// The address of the token endpoint.
    pub audience: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

/// An assertion that is right, unless it was shown before.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    pub jti: String,
    /// Seconds since 1970.
    pub exp: i64,
}

/// Whose it says that it is; nothing is believed of it yet.
pub fn client_of(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Subject {
        sub: String,
    }
    (text.len() <= BYTES_MAX).then(|| insecure_decode_claims::<Subject>(text).ok()).flatten().map(|claims| claims.sub)
}

/// Reads an assertion with the keys that the client was registered with. `kid` only names one of these; `jku`, `jwk` and
/// certificates are not looked at, and what kind of key it is decides about the algorithm.
pub fn verify(keys: &JwkSet, text: &str, expected: Expected<'_>) -> Result<Shown, Refusal> {
    if text.len() > BYTES_MAX {
        return Err(Refusal::Malformed);
    }
    let header = decode_header(text).map_err(|_| Refusal::Malformed)?;
    if header.typ.as_deref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) || header.crit.is_some() {
        return Err(Refusal::Header);
    }
    let key = header.kid.as_deref().and_then(|id| find(keys, id)).ok_or(Refusal::UnknownKey)?;
    let algorithm = algorithm_of(key).ok_or(Refusal::UnknownKey)?;
    if header.alg != algorithm {
        return Err(Refusal::Header);
    }
    let key = DecodingKey::from_jwk(key).map_err(|_| Refusal::UnknownKey)?;
    // Of the library only the signature is asked, as for tokens.
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let read = decode::<Claims>(text, &key, &validation).map_err(|fault| match fault.kind() {
        jsonwebtoken::errors::ErrorKind::InvalidSignature => Refusal::Signature,
        _ => Refusal::Claims,
    })?;
    check(read.claims, expected)
}

fn check(claims: Claims, expected: Expected<'_>) -> Result<Shown, Refusal> {
    if claims.jti.is_empty() || claims.jti.len() > JTI_BYTES_MAX {
        return Err(Refusal::Claims);
    }
    if claims.iss != expected.client || claims.sub != expected.client {
        return Err(Refusal::Issuer);
    }
    if !claims.aud.has(expected.audience) {
        return Err(Refusal::Audience);
    }
    if claims.exp.saturating_add(LEEWAY_S) <= expected.now {
        return Err(Refusal::Expired);
    }
    let latest = expected.now.saturating_add(LEEWAY_S);
    let is_early = claims.nbf.is_some_and(|from| from > latest) || claims.iat.is_some_and(|made| made > latest);
    if is_early || claims.exp > latest.saturating_add(LIFE_MAX_S) {
        return Err(Refusal::Early);
    }
    Ok(Shown { jti: claims.jti, exp: claims.exp })
}

fn find<'a>(keys: &'a JwkSet, id: &str) -> Option<&'a Jwk> {
    keys.keys.iter().find(|key| key.common.key_id.as_deref() == Some(id))
}

/// The one algorithm of a key; `None`: a kind of key that is not read here. What the key says of itself counts only where it
/// does not contradict.
fn algorithm_of(key: &Jwk) -> Option<Algorithm> {
    let algorithm = match &key.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS384,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => Algorithm::ES384,
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        _ => return None,
    };
    let says = key.common.key_algorithm.map(|says| says.to_string());
    says.is_none_or(|says| says == format!("{algorithm:?}")).then_some(algorithm)
}

/// A key set that a client can be registered with: public keys of the three kinds, each with a `kid` of its own.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub fn read_keys(text: &str) -> Result<JwkSet, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|_| "The key set is not JSON.".to_owned())?;
    let listed = value.get("keys").and_then(serde_json::Value::as_array);
    let listed = listed.ok_or("A key set is an object with `keys`.")?;
    let private = ["d", "p", "q", "dp", "dq", "qi", "k"];
    if listed.iter().any(|key| private.iter().any(|member| key.get(member).is_some())) {
        return Err(
            "The key set holds a private key: nobody else must have it. Make another pair and send the public half."
                .to_owned(),
        );
    }
    let set: JwkSet = serde_json::from_value(value).map_err(|_| "The key set is not as RFC 7517 has it.".to_owned())?;
    if set.keys.is_empty() || set.keys.len() > KEYS_MAX {
        return Err(format!("A key set has 1 to {KEYS_MAX} keys."));
    }
    for (at, key) in set.keys.iter().enumerate() {
        let id = key.common.key_id.as_deref().filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| format!("Key {at} has no `kid`."))?;
        if set.keys.iter().filter(|other| other.common.key_id.as_deref() == Some(id)).count() > 1 {
            return Err(format!("Two keys have the `kid` {id}."));
        }
        let is_read = algorithm_of(key).is_some() && DecodingKey::from_jwk(key).is_ok() && is_long(key);
        if !is_read {
            let kinds = ALGORITHMS.join(", ");
            return Err(format!("The key {id} is none for {kinds}; RSA has at least {RSA_BITS_MIN} bits."));
        }
    }
    Ok(set)
}

fn is_long(key: &Jwk) -> bool {
    let AlgorithmParameters::RSA(rsa) = &key.algorithm else { return true };
    URL_SAFE_NO_PAD.decode(&rsa.n).is_ok_and(|n| n.len() * 8 >= RSA_BITS_MIN)
}
