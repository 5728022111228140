//! The paging token: where a page begins, unreadable to the client and good for its own query only.

use aes_gcm_siv::aead::{Aead, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Key, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// The form of the token: a token of another form is not opened.
const VERSION: u8 = 1;

/// Where a page begins: right behind a resource's sort keys, or right before them.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub direction: Direction,
    /// One value for each sort key of the query, and whatever makes the order total behind them.
    pub key: Vec<PageValue>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Next,
    Previous,
}

/// The value of one sort key.
#[derive(Debug, Clone, PartialEq)]
pub enum PageValue {
    Null,
    Int(i64),
    Float(f64),
    Text(String),
}

/// Encrypts and signs a payload for one query. Equal arguments give equal tokens.
///
/// A payload beyond the cipher's bound (64 GiB) would give an empty token, which opens to nothing.
pub fn seal(secret: &[u8; 32], query_fingerprint: &[u8], payload: &[u8]) -> String {
    let sealed = cipher(secret, query_fingerprint).encrypt(&Nonce::default(), payload).unwrap_or_default();
    URL_SAFE_NO_PAD.encode([&[VERSION], sealed.as_slice()].concat())
}

/// The payload of a token that [`seal`] made with the same secret for the same query; `None` for any other text.
pub fn open(secret: &[u8; 32], query_fingerprint: &[u8], token: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (&VERSION, sealed) = bytes.split_first()? else {
        return None;
    };
    cipher(secret, query_fingerprint).decrypt(&Nonce::default(), sealed).ok()
}

/// A key for each query: it binds the token to the query. With AES-GCM-SIV the constant nonce shows only that two
/// payloads of one query are equal, which two equal links show anyway. <https://www.rfc-editor.org/rfc/rfc8452>
fn cipher(secret: &[u8; 32], query_fingerprint: &[u8]) -> Aes256GcmSiv {
    let mut hasher = Sha256::new();
    hasher.update(b"brasa paging token");
    hasher.update([VERSION]);
    hasher.update(secret);
    hasher.update(query_fingerprint);
    let key: [u8; 32] = hasher.finalize().into();
    Aes256GcmSiv::new(&Key::<Aes256GcmSiv>::from(key))
}

impl Page {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![match self.direction {
            Direction::Next => 0,
            Direction::Previous => 1,
        }];
        for value in &self.key {
            value.encode(&mut bytes);
        }
        bytes
    }

    /// `None` for bytes that [`Page::encode`] did not make.
    pub fn decode(bytes: &[u8]) -> Option<Page> {
        let (direction, mut rest) = bytes.split_first()?;
        let direction = match direction {
            0 => Direction::Next,
            1 => Direction::Previous,
            _ => return None,
        };
        let mut key = Vec::new();
        while !rest.is_empty() {
            key.push(PageValue::decode(&mut rest)?);
        }
        Some(Page { direction, key })
    }
}

impl PageValue {
    fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            PageValue::Null => bytes.push(0),
            PageValue::Int(value) => {
                bytes.push(1);
                bytes.extend(value.to_le_bytes());
            }
            PageValue::Float(value) => {
                bytes.push(2);
                bytes.extend(value.to_le_bytes());
            }
            PageValue::Text(value) => {
                bytes.push(3);
                // Columns of the index are far shorter than 4 GiB.
                bytes.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
                bytes.extend(value.as_bytes());
            }
        }
    }

    fn decode(rest: &mut &[u8]) -> Option<PageValue> {
        let [tag] = take(rest)?;
        match tag {
            0 => Some(PageValue::Null),
            1 => Some(PageValue::Int(i64::from_le_bytes(take(rest)?))),
            2 => Some(PageValue::Float(f64::from_le_bytes(take(rest)?))),
            3 => {
                let length = usize::try_from(u32::from_le_bytes(take(rest)?)).ok()?;
                let (text, behind) = rest.split_at_checked(length)?;
                *rest = behind;
                Some(PageValue::Text(str::from_utf8(text).ok()?.to_owned()))
            }
            _ => None,
        }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [7; 32];

    fn page() -> Page {
        use PageValue::{Float, Int, Null, Text};
        let key = vec![Null, Int(i64::MIN), Int(0), Float(-1.5), Text(String::new()), Text("pérez".to_owned())];
        Page { direction: Direction::Previous, key }
    }

    #[test]
    fn a_page_comes_back_as_it_was_sealed() {
        let token = seal(&SECRET, b"query", &page().encode());
        assert_eq!(Page::decode(&open(&SECRET, b"query", &token).unwrap()), Some(page()));
        assert_eq!(token, seal(&SECRET, b"query", &page().encode()));
    }

    #[test]
    fn a_token_stands_in_an_address_without_escapes_and_says_nothing_readable() {
        let token = seal(&SECRET, b"query", &page().encode());
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
        assert!(!bytes.windows(4).any(|window| window == b"rez\0" || window == b"\xc3\xa9re"));
    }

    #[test]
    fn a_token_opens_for_its_own_query_and_secret_only() {
        let token = seal(&SECRET, b"query", b"payload");
        assert_eq!(open(&SECRET, b"query", &token).as_deref(), Some(b"payload".as_slice()));
        assert_eq!(open(&SECRET, b"other query", &token), None);
        assert_eq!(open(&[8; 32], b"query", &token), None);
    }

    #[test]
    fn a_token_with_any_bit_changed_does_not_open() {
        let token = URL_SAFE_NO_PAD.decode(seal(&SECRET, b"query", b"payload")).unwrap();
        for bit in 0..token.len() * 8 {
            let mut changed = token.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&SECRET, b"query", &URL_SAFE_NO_PAD.encode(changed)), None, "{bit}");
        }
    }

    #[test]
    fn garbage_is_no_token() {
        for garbage in ["", "A", "AQ", "not base64!", "AQAAAAAAAAAAAAAAAAAAAAAAAAAA", "%41"] {
            assert_eq!(open(&SECRET, b"query", garbage), None, "{garbage}");
        }
    }

    #[test]
    fn a_payload_cut_short_or_with_an_unknown_tag_is_no_page() {
        let whole = page().encode();
        let cut = (0..whole.len()).filter(|&length| Page::decode(&whole[..length]) == Some(page())).count();
        assert_eq!(cut, 0);
        for bytes in [&[2][..], &[0, 9], &[0, 1, 0], &[0, 3, 255, 255, 255, 255, 1], &[0, 3, 1, 0, 0, 0, 0xff]] {
            assert_eq!(Page::decode(bytes), None, "{bytes:?}");
        }
    }
}
