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
                    Err(Refused::Ignorable(_)) => {}
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
