//! What the trial stores: resources of Synthea's Bundles with the tokens that Brasa's own expressions find in them.

use brasa::fhir::json::parse;
use brasa::fhir::resource::Resource;
use brasa::search::extract::extract;
use brasa::search::registry::Registry;
use brasa::store::body::Codec;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A resource as the tables hold it.
pub struct Record {
    /// One for each file: a file is a patient's record.
    pub compartment: String,
    pub resource_type: String,
    pub id: String,
    pub key: i64,
    pub date: i64,
    /// As long as the stored body, its bytes without meaning.
    pub body: Vec<u8>,
    pub tokens: Vec<Token>,
}

#[derive(Clone)]
pub struct Token {
    pub token: i64,
    pub param: i32,
    pub system: Option<i32>,
    pub code: Option<String>,
}

impl Token {
    pub fn is_reference(&self) -> bool {
        self.code.is_none()
    }

    /// The token that stands in an array for the value with its system.
    pub fn with_system(&self, system: i32) -> i64 {
        self.token.rotate_left(17) ^ i64::from(system).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64)
    }
}

/// The files of a folder in the order of their names.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}

/// Reads files; numbers what it reads.
pub struct Reader {
    registry: Arc<Registry>,
    codec: Codec,
    next: i64,
}

impl Reader {
    /// `first`: the first number given.
    pub fn new(first: i64) -> Reader {
        Reader { registry: Registry::standard(), codec: Codec::new(true), next: first }
    }

    /// The resources of a Bundle, of patient `number`.
    pub fn read(&mut self, file: &Path, number: usize) -> Vec<Record> {
        let text = std::fs::read(file).unwrap();
        let bundle = parse(&text, 100).unwrap();
        let entries = bundle.as_object().unwrap().get("entry").unwrap().items();
        entries.iter().map(|entry| self.record(entry.as_object().unwrap().get("resource").unwrap(), number)).collect()
    }

    fn record(&mut self, json: &brasa::fhir::json::Json, number: usize) -> Record {
        let resource = Resource::from_json(json.clone()).unwrap();
        let entries = extract(&self.registry, &resource, None);
        let tokens = entries.tokens.into_iter().map(|entry| Token {
            token: entry.token,
            param: entry.param,
            system: entry.system,
            code: entry.code.map(|code| code.to_string()),
        });
        self.next += 1;
        let compartment = format!("0f{number:014}");
        Record {
            resource_type: resource.resource_type().as_str().to_owned(),
            id: format!("{compartment}.{:013}", self.next),
            compartment,
            key: self.next,
            date: entries.date.map_or(i64::MIN, |span| span.low),
            body: noise(self.codec.encode(&json.to_bytes()).unwrap().size(), self.next as u64),
            tokens: tokens.collect(),
        }
    }
}

/// Bytes that do not compress.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}
