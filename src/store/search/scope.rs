//! Where the matches of a search can be: in one patient's record, at known ids, or anywhere.

use super::Search;
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::search::clause::{Clause, IdentifierText, Predicate};
use crate::store::Identifier;

/// Ids up to which a search goes to the places of its ids instead of all shards.
pub const IDS_MAX: usize = 100;

/// Identifiers up to which their table is asked for each.
const IDENTIFIERS_MAX: usize = 10;

/// Where matches can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// In this patient's record, or in another one as a member of this one.
    Patient(Id),
    /// Resources with these ids.
    Ids(Vec<(ResourceType, Id)>),
    Anywhere,
}

impl Scope {
    pub fn of(search: &Search<'_>) -> Scope {
        if let Some(patient) = search.conditions.iter().find_map(patient_of) {
            return Scope::Patient(patient.clone());
        }
        let [resource_type] = search.types else { return Scope::Anywhere };
        let ids = search.conditions.iter().filter_map(ids_of).min_by_key(Vec::len);
        match ids.filter(|ids| ids.len() <= IDS_MAX) {
            Some(ids) => Scope::Ids(ids.into_iter().map(|id| (*resource_type, id.clone())).collect()),
            None => Scope::Anywhere,
        }
    }
}

/// The business identifiers of which every match has one, where they have a table of their own.
pub fn identifiers_of(search: &Search<'_>) -> Option<Vec<IdentifierText>> {
    let [resource_type] = search.types else { return None };
    let is_kept = Identifier::is_kept_for(*resource_type);
    search.conditions.iter().filter(|_| is_kept).find_map(identifiers_in)
}

fn identifiers_in(clause: &Clause) -> Option<Vec<IdentifierText>> {
    match clause {
        Clause::Match(Predicate::Token { identifier: Some(identifier), .. }) => Some(vec![(**identifier).clone()]),
        Clause::Any(clauses) if clauses.len() <= IDENTIFIERS_MAX => {
            let all: Option<Vec<_>> = clauses.iter().map(identifiers_in).collect();
            all.map(|all| all.concat())
        }
        _ => None,
    }
}

/// The patient in whose record every match of the clause is.
fn patient_of(clause: &Clause) -> Option<&Id> {
    match clause {
        Clause::Match(Predicate::Reference { target: (ResourceType::PATIENT, id), home: true, .. }) => Some(id),
        Clause::All(clauses) => clauses.iter().find_map(patient_of).or_else(|| the_patient(clauses)),
        Clause::Any(clauses) => {
            let mut patients = clauses.iter().map(patient_of);
            let first = patients.next().flatten()?;
            patients.all(|other| other == Some(first)).then_some(first)
        }
        _ => None,
    }
}

/// The patient whose own resource is asked for: it is in its own record.
fn the_patient(clauses: &[Clause]) -> Option<&Id> {
    let is_patient = |clause: &Clause| *clause == Clause::Match(Predicate::Type(ResourceType::PATIENT));
    clauses.iter().any(is_patient).then_some(())?;
    clauses.iter().find_map(|clause| match clause {
        Clause::Match(Predicate::Id(id)) => Some(id),
        _ => None,
    })
}

/// The ids that a match can have.
fn ids_of(clause: &Clause) -> Option<Vec<&Id>> {
    match clause {
        Clause::Match(Predicate::Id(id)) => Some(vec![id]),
        Clause::Any(clauses) => {
            let ids: Option<Vec<Vec<&Id>>> = clauses.iter().map(ids_of).collect();
            ids.map(|ids| ids.into_iter().flatten().collect())
        }
        Clause::All(clauses) => clauses.iter().filter_map(ids_of).min_by_key(Vec::len),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    fn subject(patient: &str, home: bool) -> Clause {
        Clause::Match(Predicate::Reference { token: 1, target: (ResourceType::PATIENT, id(patient)), home, only: None })
    }

    fn scope(conditions: &[Clause]) -> Scope {
        let types = [ResourceType::OBSERVATION];
        Scope::of(&Search { types: &types, conditions, sort: &[], page: None, count: 1 })
    }

    #[test]
    fn a_reference_that_decides_the_home_names_the_record() {
        assert_eq!(scope(&[subject("a", true)]), Scope::Patient(id("a")));
        assert_eq!(scope(&[subject("a", false)]), Scope::Anywhere);
        assert_eq!(scope(&[Clause::Any(vec![subject("a", true), subject("a", true)])]), Scope::Patient(id("a")));
        assert_eq!(scope(&[Clause::Any(vec![subject("a", true), subject("b", true)])]), Scope::Anywhere);
        assert_eq!(scope(&[Clause::Not(Box::new(subject("a", true)))]), Scope::Anywhere);
    }

    #[test]
    fn ids_name_their_places() {
        let ids = Clause::Any(vec![Clause::Match(Predicate::Id(id("x"))), Clause::Match(Predicate::Id(id("y")))]);
        let expected = vec![(ResourceType::OBSERVATION, id("x")), (ResourceType::OBSERVATION, id("y"))];
        assert_eq!(scope(&[ids]), Scope::Ids(expected));
    }
}
