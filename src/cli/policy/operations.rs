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
        Code::Versions => Vec::new(),
    }
}

/// What is to be known besides.
pub fn told(operation: Code, _level: &Level) -> Option<String> {
    let told = match operation {
        Code::Everything => "What is not within a filter is not among the entries.",
        Code::MetaAdd | Code::MetaDelete => "Labels are changed by whoever may update the resource.",
        Code::Meta | Code::Versions => return None,
    };
    Some(told.to_owned())
}
