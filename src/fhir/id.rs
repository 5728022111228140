//! Logical ids, version ids and the compartment they lead to. <https://hl7.org/fhir/R4/datatypes.html#id>

use super::definitions::{ResourceType, in_patient_compartment};
use super::invalid::{Invalid, Result};
use smol_str::{SmolStr, format_smolstr};
use std::fmt;

/// The longest logical id (characters).
pub const ID_LENGTH_MAX: usize = 64;

/// The length of what the server appends to a patient's id to name one of that patient's resources (characters).
pub const SUFFIX_LENGTH: usize = 13;

/// A logical id: 1 to 64 of `A-Z a-z 0-9 - .`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(SmolStr);

impl Id {
    pub fn parse(text: &str) -> Result<Id> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if text.is_empty() || text.len() > ID_LENGTH_MAX || !text.bytes().all(allowed) {
            return Err(Invalid::syntax(
                "An id is 1 to 64 characters from A-Z, a-z, 0-9, '-' and '.'; this is not one.".to_owned(),
            ));
        }
        Ok(Id(SmolStr::new(text)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The patient's id that a server-made id carries before its last dot, if it has that form.
    fn carried_patient(&self) -> Option<&str> {
        let (patient, suffix) = self.0.rsplit_once('.')?;
        (!patient.is_empty() && suffix.len() == SUFFIX_LENGTH && suffix.bytes().all(is_suffix_byte)).then_some(patient)
    }

    /// Whether a patient with this id can be carried by the ids of its resources.
    pub fn can_be_carried(&self) -> bool {
        self.0.len() + 1 + SUFFIX_LENGTH <= ID_LENGTH_MAX
    }
}

/// The alphabet of server-made ids: Crockford's base 32 in lower case (no i, l, o, u).
pub const SUFFIX_ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn is_suffix_byte(byte: u8) -> bool {
    SUFFIX_ALPHABET.contains(&byte)
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A version's number: 1, 2, 3 … without gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionId(pub i64);

impl VersionId {
    pub const FIRST: VersionId = VersionId(1);

    /// Reads a version id of this server. Any other well-formed id names no version here: `None`.
    pub fn parse(text: &str) -> Option<VersionId> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        text.parse().ok().filter(|_| plain).map(VersionId)
    }

    pub fn next(self) -> VersionId {
        VersionId(self.0 + 1)
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a resource lives: the patient's id for what is in that patient's compartment, `Type/id` for all else.
/// It is the distribution column of every clinical table. `/` cannot occur in an id, so the two never meet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Compartment(SmolStr);

impl Compartment {
    pub fn of_patient(patient: &Id) -> Compartment {
        Compartment(patient.0.clone())
    }

    /// The place of a resource outside every patient's compartment.
    pub fn alone(resource_type: ResourceType, id: &Id) -> Compartment {
        Compartment(format_smolstr!("{resource_type}/{id}"))
    }

    /// As the database stored it.
    pub fn from_stored(text: &str) -> Compartment {
        Compartment(SmolStr::new(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The patient whose compartment it is.
    pub fn patient(&self) -> Option<Id> {
        Id::parse(&self.0).ok()
    }
}

/// What an id alone says about where its resource lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It can only be there: Patients, and types that are in no patient's compartment.
    Certain(Compartment),
    /// It is there if this server made the id and the subject was never changed; otherwise `resource_home` knows.
    Likely(Compartment),
}

impl Place {
    pub fn of(resource_type: ResourceType, id: &Id) -> Place {
        if resource_type == ResourceType::PATIENT {
            return Place::Certain(Compartment::of_patient(id));
        }
        if !in_patient_compartment(resource_type) {
            return Place::Certain(Compartment::alone(resource_type, id));
        }
        Place::Likely(match id.carried_patient() {
            Some(patient) => Compartment(SmolStr::new(patient)),
            None => Compartment::alone(resource_type, id),
        })
    }

    pub fn compartment(&self) -> &Compartment {
        match self {
            Place::Certain(compartment) | Place::Likely(compartment) => compartment,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(resource_type: &str, id: &str) -> Place {
        Place::of(ResourceType::parse(resource_type).unwrap(), &Id::parse(id).unwrap())
    }

    #[test]
    fn ids_follow_the_datatype() {
        for good in ["a", "A-1.b", &"x".repeat(64)] {
            assert!(Id::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a/b", "a_b", "é", "a b", &"x".repeat(65)] {
            assert!(Id::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn version_ids_are_positive_numbers_without_leading_zero() {
        assert_eq!(VersionId::parse("12"), Some(VersionId(12)));
        for other in ["0", "01", "-1", "+1", "1.0", "", "x", "99999999999999999999"] {
            assert_eq!(VersionId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn an_id_carries_its_patient_when_the_server_made_it() {
        let carried = place("Observation", "p.1.0123456789abc");
        assert_eq!(carried, Place::Likely(Compartment::from_stored("p.1")));
        assert_eq!(place("Observation", "p.short"), Place::Likely(Compartment::from_stored("Observation/p.short")));
        assert_eq!(place("Patient", "p.0123456789abc"), Place::Certain(Compartment::from_stored("p.0123456789abc")));
        let shared = place("Practitioner", "p.0123456789abc");
        assert_eq!(shared, Place::Certain(Compartment::from_stored("Practitioner/p.0123456789abc")));
    }
}
