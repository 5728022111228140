//! The operations by name: at which levels each is there, and whether it changes what is stored.
//! <https://hl7.org/fhir/R4/operations.html>

use crate::fhir::definitions::ResourceType;
use crate::interaction::route::Level;

/// An operation that this server has, besides `$reindex` and `$accesses`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Everything,
    Meta,
    MetaAdd,
    MetaDelete,
    Versions,
}

impl Operation {
    pub const ALL: [Operation; 5] =
        [Operation::Everything, Operation::Meta, Operation::MetaAdd, Operation::MetaDelete, Operation::Versions];

    /// As in an address: `$everything`.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Everything => "$everything",
            Operation::Meta => "$meta",
            Operation::MetaAdd => "$meta-add",
            Operation::MetaDelete => "$meta-delete",
            Operation::Versions => "$versions",
        }
    }

    pub fn parse(name: &str) -> Option<Operation> {
        Operation::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// Whether it changes what is stored, so that nothing but a POST asks for it.
    pub fn affects_state(self) -> bool {
        matches!(self, Operation::MetaAdd | Operation::MetaDelete)
    }

    /// Whether everybody may ask for it, as for `metadata`: who cannot log in yet must find out how.
    pub fn is_open(self) -> bool {
        self == Operation::Versions
    }

    /// Whether it is there for what the address names.
    pub fn is_at(self, level: &Level) -> bool {
        match (self, level) {
            (Operation::Everything, Level::Type(of) | Level::Instance(of, _)) => {
                *of == ResourceType::PATIENT || *of == ResourceType::ENCOUNTER && matches!(level, Level::Instance(..))
            }
            (Operation::Meta, _) | (Operation::MetaAdd | Operation::MetaDelete, Level::Instance(..)) => true,
            (Operation::Versions, level) => *level == Level::System,
            _ => false,
        }
    }

    /// Where it is there, in words for a refusal.
    pub fn whereabouts(self) -> &'static str {
        match self {
            Operation::Everything => "Patient/[id]/$everything, Patient/$everything or Encounter/[id]/$everything",
            Operation::Meta => "$meta, [type]/$meta, [type]/[id]/$meta or [type]/[id]/_history/[version]/$meta",
            Operation::MetaAdd => "[type]/[id]/$meta-add",
            Operation::MetaDelete => "[type]/[id]/$meta-delete",
            Operation::Versions => "$versions",
        }
    }
}
