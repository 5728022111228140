//! The keys that sign id tokens: RSA, since apps need understand no other algorithm than RS256.
//! <https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-identity-data>

use crate::error::{Error, Result};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Value, json};
use std::fmt;

/// One key pair. It signs nothing that is believed here.
pub struct IdKey {
    id: String,
    pair: KeyPair,
    jwk: Value,
}

impl IdKey {
    /// A fresh one, as it is stored. Takes a core for some tenths of a second.
    pub fn generate() -> Result<Vec<u8>> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(Error::internal)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(Error::internal)?;
        Ok(der.as_ref().to_vec())
    }

    /// One that was stored. Its id is the thumbprint of its public half (RFC 7638).
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<IdKey> {
        let pair = KeyPair::from_pkcs8(pkcs8).map_err(Error::internal)?;
        let public = DecodingKey::from_rsa_der(pair.public_key().as_ref());
        let jwk = Jwk::from_decoding_key(&public, Some(Algorithm::RS256)).map_err(Error::internal)?;
        let id = jwk.thumbprint(ThumbprintHash::SHA256).map_err(Error::internal)?;
        let AlgorithmParameters::RSA(rsa) = jwk.algorithm else { return Err(Error::internal("not an RSA key")) };
        let jwk = json!({"kty": "RSA", "n": rsa.n, "e": rsa.e, "kid": id, "use": "sig", "alg": "RS256"});
        Ok(IdKey { id, pair, jwk })
    }

    /// The public half. <https://www.rfc-editor.org/rfc/rfc7517>
    pub fn jwk(&self) -> Value {
        self.jwk.clone()
    }

    /// A signed token of these claims. Not by `jsonwebtoken`, which reads no key as it is stored here (PKCS #8 without PEM).
    pub fn sign(&self, claims: &Value) -> Result<String> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({"alg": "RS256", "typ": "JWT", "kid": self.id})), part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
        signed.map_err(Error::internal)?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Says which key it is, and nothing of what it is.
impl fmt::Debug for IdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{Validation, decode};

    #[test]
    fn what_is_signed_is_verified_by_the_public_half_alone() {
        let key = IdKey::from_pkcs8(&IdKey::generate().unwrap()).unwrap();
        let token = key.sign(&json!({"sub": "7", "exp": 4_000_000_000_i64, "aud": "app"})).unwrap();
        let read = |jwk: Value, token: &str| {
            let jwk: Jwk = serde_json::from_value(jwk).unwrap();
            let mut validation = Validation::new(Algorithm::RS256);
            validation.set_audience(&["app"]);
            decode::<Value>(token, &DecodingKey::from_jwk(&jwk).unwrap(), &validation).map(|read| read.claims)
        };
        assert_eq!(read(key.jwk(), &token).unwrap()["sub"], "7");
        assert!(key.jwk().get("d").is_none());
        let other = IdKey::from_pkcs8(&IdKey::generate().unwrap()).unwrap();
        assert!(read(other.jwk(), &token).is_err());
    }
}
