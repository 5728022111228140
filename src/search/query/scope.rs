//! Where is searched: the system, a type or a compartment. <https://hl7.org/fhir/R4/compartmentdefinition.html>

use super::condition::Compiler;
use super::refused::Refused;
use crate::error::{Error, Result};
use crate::fhir::definitions::{ResourceType, compartment_parameters, in_compartment};
use crate::fhir::id::Id;
use crate::search::clause::{Clause, Predicate};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    System,
    Type(ResourceType),
    Compartment {
        compartment: ResourceType,
        id: Id,
        /// `None`: `*`.
        inner: Option<ResourceType>,
    },
}

impl Scope {
    /// As in an address: `Patient/x/Observation`; of the system nothing.
    pub fn path(&self) -> String {
        match self {
            Scope::System => String::new(),
            Scope::Type(resource_type) => resource_type.to_string(),
            Scope::Compartment { compartment, id, inner } => {
                format!("{compartment}/{id}/{}", inner.map_or("*", ResourceType::as_str))
            }
        }
    }

    /// What keeps a search of these types inside the compartment.
    pub(super) fn clause(&self, compiler: &Compiler<'_>, types: &[ResourceType]) -> Result<Option<Clause>> {
        let Scope::Compartment { compartment, id, .. } = self else { return Ok(None) };
        let mut alternatives = Vec::new();
        for inner in types {
            if inner == compartment {
                let own = [Predicate::Type(*compartment), Predicate::Id(id.clone())];
                alternatives.push(Clause::All(own.into_iter().map(Clause::Match).collect()));
            }
            for code in compartment_parameters(*compartment, *inner) {
                // The branches of a type's parameters are the type's own, so that none needs to be named beside them.
                match compiler.leaf(*inner, &format!("{code}:{compartment}"), &[id.as_str()]) {
                    Ok(clause) => push_new(&mut alternatives, clause),
                    // A parameter that is no longer known finds nothing.
                    Err(Refused::Ignorable(_) | Refused::Unfinished(_)) => {}
                    Err(Refused::Error(error)) => return Err(error),
                }
            }
        }
        Ok(Some(Clause::any(alternatives)))
    }
}

/// Two parameters may share a branch, as `patient` and `subject` do.
fn push_new(alternatives: &mut Vec<Clause>, clause: Clause) {
    let clauses = if let Clause::Any(clauses) = clause { clauses } else { vec![clause] };
    for clause in clauses {
        if !alternatives.contains(&clause) {
            alternatives.push(clause);
        }
    }
}

/// The types that are searched; none: every one.
pub(super) fn types(scope: &Scope, parameters: &[(String, String)]) -> Result<Vec<ResourceType>> {
    let named = parameters.iter().find(|(name, value)| name == "_type" && !value.is_empty());
    match scope {
        Scope::Type(resource_type) => Ok(vec![*resource_type]),
        Scope::System => named.map_or(Ok(Vec::new()), |(_, value)| read(value)),
        Scope::Compartment { compartment, inner, .. } => match (inner, named) {
            (Some(inner), _) => Ok(vec![inside(*compartment, *inner)?]),
            (None, Some((_, value))) => {
                let inside = |inner| inside(*compartment, inner).map_err(|error| error.at("_type"));
                read(value)?.into_iter().map(inside).collect()
            }
            (None, None) => {
                let all: Vec<_> = ResourceType::all().filter(|inner| in_compartment(*compartment, *inner)).collect();
                if all.is_empty() { Err(outside(*compartment, "*")) } else { Ok(all) }
            }
        },
    }
}

fn inside(compartment: ResourceType, inner: ResourceType) -> Result<ResourceType> {
    if in_compartment(compartment, inner) { Ok(inner) } else { Err(outside(compartment, inner.as_str())) }
}

fn outside(compartment: ResourceType, inner: &str) -> Error {
    Error::not_found(format!("There is no compartment of {compartment} that holds {inner}."))
}

fn read(value: &str) -> Result<Vec<ResourceType>> {
    let mut types = Vec::new();
    for name in value.split(',') {
        let unknown = || Error::invalid(format!("'{name}' in '_type' is not a resource type.")).at("_type");
        let resource_type = ResourceType::parse(name).ok_or_else(unknown)?;
        if !types.contains(&resource_type) {
            types.push(resource_type);
        }
    }
    Ok(types)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, clause, find, refused, ward};
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_compartment_holds_what_any_of_its_parameters_leads_to() {
        let world = ward();
        assert_eq!(find("Patient/b/Observation", &world), ["Observation/2", "Observation/3"]);
        assert_eq!(find("Patient/b/Observation?code=1234-5", &world), ["Observation/3"]);
        assert_eq!(find("Device/d/Observation", &world), ["Observation/4"]);
        assert_eq!(find("Patient/x/Observation", &world), [""; 0]);
    }

    #[test]
    fn a_compartment_holds_its_own_resource() {
        let world = ward();
        assert_eq!(find("Patient/a/Patient", &world), ["Patient/a"]);
        assert_eq!(find("Patient/a/*", &world), ["Patient/a", "Observation/1", "Condition/c"]);
        assert_eq!(find("Patient/a/*?_type=Condition,Patient", &world), ["Patient/a", "Condition/c"]);
        assert_eq!(find("Patient/a/*?_id=1", &world), ["Observation/1"]);
        assert_eq!(find("Device/d/Device", &world), ["Device/d"]);
    }

    #[test]
    fn the_record_of_a_patient_is_told_by_each_reference() {
        let Clause::Any(each) = clause("Patient/a/Observation") else { panic!() };
        let is_home = |one: &Clause| matches!(one, Clause::Match(Predicate::Reference { home: true, .. }));
        assert!(each.len() == 2 && each.iter().all(is_home), "{each:?}");
    }

    #[test]
    fn what_the_compartment_does_not_hold_is_not_found() {
        for text in ["Patient/a/Medication", "Device/d/Patient", "Organization/o/*", "Organization/o/Patient"] {
            assert_eq!(refused(text).kind, Kind::NotFound, "{text}");
        }
        let error = refused("Patient/a/*?_type=Observation,Medication");
        assert_eq!((error.kind, error.expression.as_deref()), (Kind::NotFound, Some("_type")));
    }

    #[test]
    fn a_compartment_of_all_types_is_searched_by_what_all_have() {
        let query = ask("Patient/a/*?_tag=x&_lastUpdated=gt2020");
        assert!(query.types.len() > 60 && query.clauses.len() == 3);
    }
}
