//! Where profiles, value sets and code systems are found: whoever asks brings them along, and is told which are missing.
//!
//! This room does no I/O. A check that meets a definition nobody looked for yet goes on without it and notes it; the
//! caller looks for it and checks again.

use super::allowance::Allowance;
use super::canonical::without_version;
use super::codes::{CodeSystem, ValueSet};
use super::model::Profile;
use super::read;
use crate::fhir::definitions::ResourceType;
use crate::fhir::json::{Json, parse};
use crate::fhir::resource::Resource;
use smol_str::SmolStr;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

/// What a canonical address is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Profile,
    ValueSet,
    CodeSystem,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Profile, Kind::ValueSet, Kind::CodeSystem];

    pub fn resource_type(self) -> ResourceType {
        match self {
            Kind::Profile => ResourceType::STRUCTURE_DEFINITION,
            Kind::ValueSet => ResourceType::VALUE_SET,
            Kind::CodeSystem => ResourceType::CODE_SYSTEM,
        }
    }
}

/// A definition by its canonical address, with or without a version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Wanted {
    pub kind: Kind,
    pub canonical: SmolStr,
}

/// A definition, read.
#[derive(Debug)]
pub enum Definition {
    Profile(Box<Profile>),
    /// A StructureDefinition that nothing can be checked against, and why.
    Unusable(String),
    ValueSet(ValueSet),
    CodeSystem(CodeSystem),
}

impl Definition {
    /// What it takes besides what its JSON says (bytes).
    pub fn pattern_bytes(&self) -> usize {
        match self {
            Definition::Profile(profile) => profile.pattern_bytes,
            Definition::Unusable(_) | Definition::ValueSet(_) | Definition::CodeSystem(_) => 0,
        }
    }

    pub fn read(kind: Kind, resource: &Resource) -> Definition {
        match kind {
            Kind::Profile => of_profile(read::read(resource.object())),
            Kind::ValueSet => Definition::ValueSet(ValueSet::read(resource.object())),
            Kind::CodeSystem => Definition::CodeSystem(CodeSystem::read(resource.object())),
        }
    }
}

fn of_profile(read: Result<Profile, String>) -> Definition {
    read.map_or_else(Definition::Unusable, |profile| Definition::Profile(Box::new(profile)))
}

/// What is known of an address.
#[derive(Debug, Clone)]
pub enum Found {
    Here(Arc<Definition>),
    Absent,
    /// Nobody has looked yet.
    NotYet,
}

/// All that was looked for.
pub trait Shelf {
    fn find(&self, wanted: &Wanted) -> Found;
}

/// A shelf with nothing on it.
pub struct Empty;

impl Shelf for Empty {
    fn find(&self, _: &Wanted) -> Found {
        Found::Absent
    }
}

/// A shelf, a note of what was missed, and what may still be spent.
pub struct Desk<'s> {
    shelf: &'s dyn Shelf,
    missed: RefCell<BTreeSet<Wanted>>,
    pub allowance: Allowance,
}

impl<'s> Desk<'s> {
    pub fn of(shelf: &'s dyn Shelf) -> Desk<'s> {
        Desk { shelf, missed: RefCell::default(), allowance: Allowance::default() }
    }

    pub fn find(&self, kind: Kind, canonical: &str) -> Found {
        let own = OWN.iter().find(|(url, _)| kind == Kind::Profile && *url == without_version(canonical));
        if let Some((_, own)) = own {
            return Found::Here(Arc::clone(own));
        }
        let wanted = Wanted { kind, canonical: SmolStr::new(canonical) };
        let found = self.shelf.find(&wanted);
        if let Found::NotYet = found {
            self.missed.borrow_mut().insert(wanted);
        }
        found
    }

    pub fn into_missed(self) -> BTreeSet<Wanted> {
        self.missed.into_inner()
    }
}

/// R4's two profiles of Quantity, which its own snapshots name nearly everywhere.
/// <https://hl7.org/fhir/R4/datatypes.html#Quantity>
static OWN: LazyLock<Vec<(&'static str, Arc<Definition>)>> = LazyLock::new(|| {
    let simple = r#"{"path":"Quantity"},{"path":"Quantity.comparator","max":"0"}"#;
    let money = r#"{"path":"Quantity","constraint":[{"key":"mqty-1","severity":"error",
        "human":"There SHALL be a code if there is a value and it SHALL be an expression of currency",
        "expression":"(code.exists() or value.empty()) and (system.empty() or system = 'urn:iso:std:iso:4217')"}]}"#;
    let all = [
        ("http://hl7.org/fhir/StructureDefinition/SimpleQuantity", simple),
        ("http://hl7.org/fhir/StructureDefinition/MoneyQuantity", money),
    ];
    all.into_iter().map(|(url, elements)| (url, Arc::new(own(url, elements)))).collect()
});

fn own(url: &str, elements: &str) -> Definition {
    let head = format!(r#""url":"{url}","type":"Quantity","derivation":"constraint""#);
    let text = format!(r#"{{{head},"snapshot":{{"element":[{elements}]}}}}"#);
    let read = match parse(text.as_bytes(), 16) {
        Ok(Json::Object(object)) => read::read(&object),
        _ => Err("it cannot be read".to_owned()),
    };
    of_profile(read)
}
