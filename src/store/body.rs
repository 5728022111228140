//! How a resource's body is kept: zstd with a trained dictionary, or plain JSON for those who read bodies with SQL.
//!
//! The first byte says who wrote it: `{` is JSON itself; 1 to 122 is zstd with the dictionary of that number. On
//! Synthea's resources that is a fifth of the bytes (docs/decisions/0003-bodies.md).

use crate::error::{Error, Result};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::RwLock;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

/// zstd's level: 3 compresses a resource in about 2 µs; higher levels cost more than they save on bodies of 1 KB.
const LEVEL: i32 = 3;

/// The number of the dictionary that ships in the binary.
pub const SHIPPED: u8 = 1;
static SHIPPED_BYTES: &[u8] = include_bytes!("../../definitions/dictionary-1.zstd");

/// The highest number of a dictionary: the byte after it, `{`, marks plain JSON.
pub const NUMBER_MAX: u8 = b'{' - 1;

/// No body is larger when read back (bytes): a bound against a damaged row, above any body that is accepted.
const DECODED_BYTES_MAX: usize = 1 << 30;

/// A body as the database keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedBody(pub(super) Vec<u8>);

impl EncodedBody {
    /// As it is stored (bytes).
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

struct Dictionary {
    encoder: EncoderDictionary<'static>,
    decoder: DecoderDictionary<'static>,
}

impl Dictionary {
    /// Leaked on purpose: dictionaries are few, and a body may need any of them until the process ends.
    fn leaked(bytes: &[u8]) -> &'static Self {
        let encoder = EncoderDictionary::copy(bytes, LEVEL);
        Box::leak(Box::new(Dictionary { encoder, decoder: DecoderDictionary::copy(bytes) }))
    }
}

/// Writes and reads bodies. Dictionaries can be added while it is in use.
pub struct Codec {
    /// `None`: plain JSON.
    writes_with: RwLock<Option<u8>>,
    dictionaries: RwLock<HashMap<u8, &'static Dictionary>>,
}

// A context is a hundred kilobytes and takes longer to make than a body takes to compress: one for each thread.
thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

impl Codec {
    /// `compressed`: whether new bodies are written with zstd.
    pub fn new(compressed: bool) -> Self {
        let shipped = Dictionary::leaked(SHIPPED_BYTES);
        Codec {
            writes_with: RwLock::new(compressed.then_some(SHIPPED)),
            dictionaries: RwLock::new(HashMap::from([(SHIPPED, shipped)])),
        }
    }

    /// Adds a trained dictionary; new bodies are written with the highest number.
    pub fn add(&self, number: u8, bytes: &[u8]) {
        let dictionary = Dictionary::leaked(bytes);
        if let Ok(mut dictionaries) = self.dictionaries.write() {
            dictionaries.insert(number, dictionary);
        }
        if let Ok(mut writes_with) = self.writes_with.write() {
            *writes_with = writes_with.map(|current| current.max(number));
        }
    }

    pub fn encode(&self, json: &[u8]) -> Result<EncodedBody> {
        let number = self.writes_with.read().map_err(Error::internal)?;
        let Some(number) = *number else { return Ok(EncodedBody(json.to_vec())) };
        let dictionary =
            self.dictionary(number).ok_or_else(|| Error::internal("the dictionary to write with is lost"))?;
        let compressed = COMPRESSOR.with_borrow_mut(|slot| {
            let compressor = match slot {
                Some(compressor) => compressor,
                None => slot.insert(Compressor::new(LEVEL)?),
            };
            compressor.set_prepared_dictionary(&dictionary.encoder)?;
            compressor.compress(json)
        });
        let compressed = compressed.map_err(Error::internal)?;
        let mut body = Vec::with_capacity(compressed.len() + 1);
        body.push(number);
        body.extend_from_slice(&compressed);
        Ok(EncodedBody(body))
    }

    /// Reads a body back. `Err` with the number of the dictionary when it is not known here (yet).
    pub fn decode(&self, body: &[u8]) -> std::result::Result<Vec<u8>, Undecodable> {
        let (&number, compressed) = body.split_first().ok_or(Undecodable::Damaged)?;
        if number == b'{' {
            return Ok(body.to_vec());
        }
        let dictionary = self.dictionary(number).ok_or(Undecodable::UnknownDictionary(number))?;
        let size = Decompressor::upper_bound(compressed).filter(|&size| size <= DECODED_BYTES_MAX);
        let size = size.ok_or(Undecodable::Damaged)?;
        let decompressed = DECOMPRESSOR.with_borrow_mut(|slot| {
            let decompressor = match slot {
                Some(decompressor) => decompressor,
                None => slot.insert(Decompressor::new()?),
            };
            decompressor.set_prepared_dictionary(&dictionary.decoder)?;
            decompressor.decompress(compressed, size)
        });
        decompressed.map_err(|_: std::io::Error| Undecodable::Damaged)
    }

    pub fn knows(&self, number: u8) -> bool {
        self.dictionary(number).is_some()
    }

    fn dictionary(&self, number: u8) -> Option<&'static Dictionary> {
        self.dictionaries.read().ok()?.get(&number).copied()
    }
}

/// Why a stored body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecodable {
    UnknownDictionary(u8),
    Damaged,
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"resourceType":"Observation","status":"final","valueQuantity":{"value":1.00}}"#;

    #[test]
    fn a_body_comes_back_as_it_was_and_is_smaller_in_between() {
        let codec = Codec::new(true);
        let encoded = codec.encode(BODY).unwrap();
        assert!(encoded.0.len() < BODY.len());
        assert_eq!(encoded.0.first(), Some(&SHIPPED));
        assert_eq!(codec.decode(&encoded.0).unwrap(), BODY);
    }

    #[test]
    fn plain_json_is_stored_as_it_is_and_read_by_any_codec() {
        let encoded = Codec::new(false).encode(BODY).unwrap();
        assert_eq!(encoded.0, BODY);
        assert_eq!(Codec::new(true).decode(&encoded.0).unwrap(), BODY);
    }

    #[test]
    fn a_body_of_an_unknown_dictionary_names_its_number_and_a_damaged_one_is_no_panic() {
        let codec = Codec::new(true);
        assert_eq!(codec.decode(&[9, 1, 2, 3]), Err(Undecodable::UnknownDictionary(9)));
        assert_eq!(codec.decode(&[]), Err(Undecodable::Damaged));
        assert_eq!(codec.decode(&[SHIPPED, 1, 2, 3]), Err(Undecodable::Damaged));
        let mut cut = codec.encode(BODY).unwrap().0;
        cut.truncate(cut.len() - 3);
        assert_eq!(codec.decode(&cut), Err(Undecodable::Damaged));
    }

    #[test]
    fn an_added_dictionary_is_written_with_from_then_on_and_older_bodies_stay_readable() {
        let codec = Codec::new(true);
        let before = codec.encode(BODY).unwrap();
        codec.add(2, SHIPPED_BYTES);
        let after = codec.encode(BODY).unwrap();
        assert_eq!(after.0.first(), Some(&2));
        assert_eq!(codec.decode(&before.0).unwrap(), BODY);
        assert_eq!(codec.decode(&after.0).unwrap(), BODY);
    }
}
