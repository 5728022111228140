//! The keys that sign tokens: Ed25519, the newest signs, those before it still verify.
//! <https://www.rfc-editor.org/rfc/rfc8037>

use super::id_key::IdKey;
use crate::error::{Error, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt;

/// One key pair.
pub struct Key {
    id: String,
    pkcs8: Vec<u8>,
    /// The public half as a key set writes it.
    x: String,
    signing: EncodingKey,
    verifying: DecodingKey,
    /// Signs id tokens; `None`: not made yet.
    id_key: Option<IdKey>,
}

impl Key {
    /// A fresh one. Its id is the thumbprint of its public half (RFC 7638), so that no two keys share one.
    pub fn generate() -> Result<Key> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(Error::internal)?;
        let mut key = Key::from_pkcs8(String::new(), document.as_ref().to_vec())?;
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, key.x));
        key.id = URL_SAFE_NO_PAD.encode(thumbprint);
        Ok(key)
    }

    /// One that was stored.
    pub fn from_pkcs8(id: String, pkcs8: Vec<u8>) -> Result<Key> {
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(Error::internal)?;
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let verifying = DecodingKey::from_ed_components(&x).map_err(Error::internal)?;
        Ok(Key { id, signing: EncodingKey::from_ed_der(&pkcs8), verifying, x, pkcs8, id_key: None })
    }

    /// The same key with its companion for id tokens.
    #[must_use]
    pub fn with_id_key(self, id_key: IdKey) -> Key {
        Key { id_key: Some(id_key), ..self }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn id_key(&self) -> Option<&IdKey> {
        self.id_key.as_ref()
    }

    /// The private half, to be stored and shown to nobody.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    pub fn signing(&self) -> &EncodingKey {
        &self.signing
    }

    pub fn verifying(&self) -> &DecodingKey {
        &self.verifying
    }

    /// The public half. <https://www.rfc-editor.org/rfc/rfc7517>
    pub fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": self.x, "kid": self.id, "use": "sig", "alg": "EdDSA"})
    }
}

/// Says which key it is, and nothing of what it is.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// All keys of a server.
#[derive(Debug)]
pub struct Keys {
    newest: Key,
    before: Vec<Key>,
}

impl Keys {
    /// `before`: those whose tokens may still be in use.
    pub fn new(newest: Key, before: Vec<Key>) -> Keys {
        Keys { newest, before }
    }

    pub fn newest(&self) -> &Key {
        &self.newest
    }

    pub fn find(&self, id: &str) -> Option<&Key> {
        std::iter::once(&self.newest).chain(&self.before).find(|key| key.id == id)
    }

    /// The key set that `/.well-known/jwks.json` answers with.
    pub fn jwks(&self) -> Value {
        let all = || std::iter::once(&self.newest).chain(&self.before);
        let keys: Vec<Value> = all().map(Key::jwk).chain(all().filter_map(Key::id_key).map(IdKey::jwk)).collect();
        json!({ "keys": keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_set_has_every_public_half_and_no_private_one() {
        let keys = Keys::new(Key::generate().unwrap(), vec![Key::generate().unwrap()]);
        let jwks = keys.jwks();
        let listed = jwks["keys"].as_array().unwrap();
        assert_eq!(listed.len(), 2);
        assert_ne!(listed[0]["kid"], listed[1]["kid"]);
        for key in listed {
            assert!(key.get("d").is_none());
            assert_eq!(keys.find(key["kid"].as_str().unwrap()).unwrap().jwk(), *key);
        }
        let private = URL_SAFE_NO_PAD.encode(keys.newest().pkcs8());
        assert!(!jwks.to_string().contains(&private) && !format!("{keys:?}").contains(&private));
        assert!(Key::from_pkcs8("x".into(), b"no key".to_vec()).is_err());
    }
}
