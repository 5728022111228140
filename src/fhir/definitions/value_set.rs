//! The value sets that elements of R4 require their codes to be from. <https://hl7.org/fhir/R4/terminologies.html#required>

use super::table;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A required value set: a list of codes, or what a grammar or another register says.
#[derive(Debug)]
pub struct ValueSet {
    /// `administrative-gender`, or a whole address where it is not HL7's own.
    pub name: &'static str,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// In the order of the codes, for the binary search.
    Listed(Vec<(&'static str, &'static str)>),
    /// `type/subtype`, with or without parameters. <https://www.rfc-editor.org/rfc/rfc6838#section-4.2>
    MediaTypes,
    /// Three letters; which of them are in use changes without FHIR. <https://www.iso.org/iso-4217-currency-codes.html>
    Currencies,
    /// Every expression of UCUM. <https://ucum.org/ucum>
    Units,
    /// Nothing here knows its codes.
    Unknown,
}

const UCUM: &str = "http://unitsofmeasure.org";
/// The longest expression of UCUM that is looked at (bytes).
const UNIT_BYTES_MAX: usize = 256;

static VALUE_SETS: LazyLock<HashMap<&'static str, ValueSet>> = LazyLock::new(load);

/// The value set of this name, or one of which nothing is known.
pub fn value_set(name: &'static str) -> &'static ValueSet {
    static UNKNOWN: ValueSet = ValueSet { name: "", content: Content::Unknown };
    VALUE_SETS.get(name).unwrap_or(&UNKNOWN)
}

fn load() -> HashMap<&'static str, ValueSet> {
    let mut listed: HashMap<&'static str, Vec<(&'static str, &'static str)>> = HashMap::new();
    for row in table::value_sets().flatten() {
        let codes = row.codes.split('|').map(|code| (code, row.system));
        listed.entry(row.name).or_default().extend(codes);
    }
    let mut sets: HashMap<_, _> = listed
        .into_iter()
        .map(|(name, mut codes)| {
            codes.sort_unstable();
            (name, ValueSet { name, content: Content::Listed(codes) })
        })
        .collect();
    let by_grammar =
        [("mimetypes", Content::MediaTypes), ("currencies", Content::Currencies), ("ucum-units", Content::Units)];
    for (name, content) in by_grammar {
        sets.insert(name, ValueSet { name, content });
    }
    sets
}

impl ValueSet {
    /// The embedded value set of this name.
    pub fn named(name: &str) -> Option<&'static ValueSet> {
        VALUE_SETS.get(name)
    }

    /// Whether a code is in it, of a system where one is named; `None`: nothing here knows.
    pub fn contains(&self, system: Option<&str>, code: &str) -> Option<bool> {
        match &self.content {
            Content::Listed(codes) => {
                let start = codes.partition_point(|(listed, _)| *listed < code);
                let mut equal = codes.iter().skip(start).take_while(|(listed, _)| *listed == code);
                Some(equal.any(|(_, of)| system.is_none_or(|system| system == *of)))
            }
            Content::MediaTypes => Some(is_media_type(code)),
            Content::Currencies => Some(code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())),
            Content::Units => Some(system.is_none_or(|system| system == UCUM) && is_unit(code)),
            Content::Unknown => None,
        }
    }

    /// Some of its codes, for a message: all when there are few.
    pub fn examples(&self) -> String {
        const SHOWN: usize = 12;
        match &self.content {
            Content::Listed(codes) => {
                let shown: Vec<&str> = codes.iter().take(SHOWN).map(|(code, _)| *code).collect();
                let more = if codes.len() > SHOWN { " …" } else { "" };
                format!("{}{more}", shown.join(", "))
            }
            Content::MediaTypes => "type/subtype, such as text/plain".to_owned(),
            Content::Currencies => "three letters, such as EUR".to_owned(),
            Content::Units => "units of UCUM, such as mg/dL".to_owned(),
            Content::Unknown => String::new(),
        }
    }
}

fn is_unit(code: &str) -> bool {
    code.len() <= UNIT_BYTES_MAX && octofhir_ucum::validate(code).is_ok()
}

fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&byte);
        !name.is_empty() && name.len() <= 127 && name.bytes().all(is_allowed)
    };
    let name = text.split(';').next().unwrap_or_default().trim_end();
    // R4's own examples use the short forms of FHIR's formats and of DICOM, too.
    name.split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
        || ["xml", "json", "ttl", "jsonp"].contains(&name)
}
