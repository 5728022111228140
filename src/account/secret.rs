//! What cannot be guessed: ids, refresh tokens and keys. Only hashes of them are stored.

use crate::error::{Error, Result};
use aws_lc_rs::{constant_time, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// How every key begins, so that programs that look for lost secrets find it.
pub const KEY_PREFIX: &str = "brasa_";
/// Of the random part of tokens and keys (bytes).
const VALUE_BYTES: usize = 32;
/// Of what shows that a refresh token was made here (bytes).
const TAG_BYTES: usize = 16;

pub fn random() -> Result<[u8; VALUE_BYTES]> {
    let mut bytes = [0; VALUE_BYTES];
    rand::fill(&mut bytes).map_err(Error::internal)?;
    Ok(bytes)
}

/// A fresh id: 128 bits in hexadecimal.
pub fn id() -> Result<String> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(Error::internal)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

pub fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Takes as long whatever the bytes are.
pub fn are_equal(one: &[u8], other: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(one, other).is_ok()
}

fn mac(secret: &[u8], purpose: &[u8], value: &[u8]) -> [u8; VALUE_BYTES] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
    context.update(purpose);
    context.update(value);
    let mut bytes = [0; VALUE_BYTES];
    bytes.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
    bytes
}

/// What a client shows to go on with a session: the session's id, the token's value, and a tag by which one that was made
/// here is told from one that somebody thought of. So only a true token that was used before ends a session.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    pub session: String,
    value: [u8; VALUE_BYTES],
    tag: Vec<u8>,
}

impl RefreshToken {
    /// The first one of a session.
    pub fn first(session: &str, secret: &[u8]) -> Result<RefreshToken> {
        Ok(RefreshToken::of(session, secret, random()?))
    }

    fn of(session: &str, secret: &[u8], value: [u8; VALUE_BYTES]) -> RefreshToken {
        let tag = mac(secret, b"tag", &value).into_iter().take(TAG_BYTES).collect();
        RefreshToken { session: session.to_owned(), value, tag }
    }

    /// The one that takes its place. Always the same, so that a client that missed the answer can ask again; and nobody who
    /// reads the database finds it, since the token itself is not there.
    pub fn next(&self, secret: &[u8]) -> RefreshToken {
        RefreshToken::of(&self.session, secret, mac(secret, b"next", &self.value))
    }

    pub fn is_true(&self, secret: &[u8]) -> bool {
        are_equal(&RefreshToken::of(&self.session, secret, self.value).tag, &self.tag)
    }

    /// What is stored of it.
    pub fn hash(&self) -> [u8; 32] {
        hash(&self.value)
    }

    pub fn parse(text: &str) -> Option<RefreshToken> {
        let (session, rest) = text.split_once('.')?;
        let bytes = URL_SAFE_NO_PAD.decode(rest).ok().filter(|bytes| bytes.len() == VALUE_BYTES + TAG_BYTES)?;
        let (value, tag) = bytes.split_at(VALUE_BYTES);
        Some(RefreshToken { session: session.to_owned(), value: value.try_into().ok()?, tag: tag.to_vec() })
    }

    pub fn text(&self) -> String {
        let bytes: Vec<u8> = self.value.iter().chain(&self.tag).copied().collect();
        format!("{}.{}", self.session, URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// What a program shows: the key's id and its value.
pub struct ApiKey {
    pub id: String,
    value: String,
}

impl ApiKey {
    pub fn make() -> Result<ApiKey> {
        Ok(ApiKey { id: id()?, value: URL_SAFE_NO_PAD.encode(random()?) })
    }

    pub fn parse(text: &str) -> Option<ApiKey> {
        let (id, value) = text.strip_prefix(KEY_PREFIX)?.split_once('_')?;
        Some(ApiKey { id: id.to_owned(), value: value.to_owned() })
    }

    pub fn text(&self) -> String {
        format!("{KEY_PREFIX}{}_{}", self.id, self.value)
    }

    pub fn hash(&self) -> [u8; 32] {
        hash(self.value.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_has_one_successor_and_is_told_from_one_that_was_thought_of() {
        let secret = random().unwrap();
        let first = RefreshToken::first("s1", &secret).unwrap();
        let read = RefreshToken::parse(&first.text()).unwrap();
        assert!(read == first && read.is_true(&secret));
        assert!(read.next(&secret) == first.next(&secret) && first.next(&secret) != first);
        assert_ne!(first.next(&secret).hash(), first.hash());
        let other = random().unwrap();
        assert!(!read.is_true(&other) && read.next(&other) != read.next(&secret));
        for text in ["", ".", "s1", "s1.", "s1.AAAA", &format!("{}A", first.text())] {
            assert!(RefreshToken::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_key_is_read_as_it_was_written() {
        for _ in 0..100 {
            let key = ApiKey::make().unwrap();
            let read = ApiKey::parse(&key.text()).unwrap();
            assert_eq!((read.id.as_str(), read.hash()), (key.id.as_str(), key.hash()));
        }
        for text in ["", "brasa_", "brasa_abc", "other_abc_def"] {
            assert!(ApiKey::parse(text).is_none(), "{text}");
        }
    }
}
