//! The head of a chain, signed, to be kept outside the database: a JWS that any JOSE tool reads with the server's key set.
//! <https://www.rfc-editor.org/rfc/rfc7515>

use super::record::Hash;
use crate::auth::key::Keys;
use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

/// What a signed head is called in its header, so that it is no token and no token is one.
const TYPE: &str = "audit-head";

/// A head as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub writer: String,
    /// The seal's number.
    pub seal: i64,
    /// The number of its last record.
    pub last: i64,
    /// base64url.
    pub head: String,
    /// When it was sealed (seconds since 1970 UTC).
    pub iat: i64,
}

impl Head {
    pub fn new(writer: &str, seal: i64, last: i64, head: &Hash, iat: i64) -> Head {
        Head { writer: writer.to_owned(), seal, last, head: URL_SAFE_NO_PAD.encode(head), iat }
    }

    /// `None`: it is no hash.
    pub fn hash(&self) -> Option<Hash> {
        URL_SAFE_NO_PAD.decode(&self.head).ok()?.try_into().ok()
    }
}

pub fn sign(keys: &Keys, head: &Head) -> Result<String> {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(keys.newest().id().to_owned());
    encode(&header, head, keys.newest().signing()).map_err(Error::internal)
}

/// Reads a head that was kept; `None`: none of these keys has signed it so.
pub fn read(keys: &Keys, text: &str) -> Option<Head> {
    let header = decode_header(text).ok()?;
    if header.typ.as_deref() != Some(TYPE) || header.alg != Algorithm::EdDSA {
        return None;
    }
    let key = keys.find(header.kid.as_deref()?)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    Some(decode::<Head>(text, key.verifying(), &validation).ok()?.claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::key::Key;

    #[test]
    fn a_kept_head_is_read_if_the_server_signed_it_as_a_head() {
        let keys = Keys::new(Key::generate().unwrap(), Vec::new());
        let head = Head::new("w1", 3, 120, &[7; 32], 1_790_000_000);
        let signed = sign(&keys, &head).unwrap();
        assert_eq!(read(&keys, &signed), Some(head.clone()));
        assert_eq!(head.hash(), Some([7; 32]));
        let others = Keys::new(Key::generate().unwrap(), Vec::new());
        assert_eq!(read(&others, &signed), None);
        let (start, end) = signed.rsplit_once('.').unwrap();
        let flipped: String = end.chars().rev().collect();
        for bad in [format!("{start}.{flipped}"), "nothing".to_owned(), String::new()] {
            assert_eq!(read(&keys, &bad), None);
        }
        // What the same key signed for another purpose is no head.
        let token = encode(&Header::new(Algorithm::EdDSA), &head, keys.newest().signing()).unwrap();
        assert_eq!(read(&keys, &token), None);
    }
}
