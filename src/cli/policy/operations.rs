//! What each operation needs of the table of rights, for `brasa policy explain`.

use crate::auth::policy::Permission::{self, Read, Search, Update};
use crate::fhir::definitions::{ResourceType, in_patient_compartment};
use crate::interaction::operation::Code;
use crate::interaction::route::Level;

/// As of an interaction: all of these, each for one type at least of those that it names.
pub fn needs(operation: Code, level: &Level) -> Vec<(Permission, Vec<ResourceType>)> {
    let of = level.resource_type();
    match operation {
        Code::Everything => {
            let of = of.unwrap_or(ResourceType::PATIENT);
            vec![(Read, vec![of]), (Search, ResourceType::all().filter(|of| in_patient_compartment(*of)).collect())]
        }
        Code::Meta => of.map(|of| vec![(Read, vec![of])]).unwrap_or_default(),
        Code::MetaAdd | Code::MetaDelete => of.map(|of| vec![(Read, vec![of]), (Update, vec![of])]).unwrap_or_default(),
        Code::Lastn | Code::Stats => vec![(Search, vec![ResourceType::OBSERVATION])],
        Code::Document => vec![(Read, vec![ResourceType::COMPOSITION])],
        Code::Summary => {
            let types = |names: &[&str]| names.iter().filter_map(|name| ResourceType::parse(name)).collect();
            let medications = types(&["MedicationStatement", "MedicationRequest"]);
            let required = [types(&["Condition"]), types(&["AllergyIntolerance"]), medications];
            let searched = required.into_iter().map(|types: Vec<ResourceType>| (Search, types));
            std::iter::once((Read, vec![ResourceType::PATIENT])).chain(searched).collect()
        }
        // A resource that is brought along is nobody's yet.
        Code::Validate => match (level, of) {
            (Level::Instance(..), Some(of)) => vec![(Read, vec![of])],
            _ => Vec::new(),
        },
        Code::Expunge | Code::Versions => Vec::new(),
    }
}

/// What is to be known besides.
pub fn told(operation: Code, _level: &Level) -> Option<String> {
    let told = match operation {
        Code::Everything | Code::Summary => "What is not within a filter is not among the entries.",
        Code::Document => {
            "It is refused where something that it must hold is not within a filter; to store it needs the right to create a Bundle."
        }
        Code::MetaAdd | Code::MetaDelete => "Labels are changed by whoever may update the resource.",
        Code::Lastn | Code::Stats => "Observations that are not within the filter do not count.",
        Code::Expunge => "It is for administrators who logged in themselves, without scopes.",
        Code::Validate => {
            "What the caller brings along may be looked at by everybody who is known; what is stored by whoever may read it, and mode=update and mode=delete need those rights."
        }
        Code::Meta | Code::Versions => return None,
    };
    Some(told.to_owned())
}
