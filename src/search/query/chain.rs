//! Conditions on what a resource refers to, and on what refers to it: chains and `_has`. <https://hl7.org/fhir/R4/search.html#chaining>

use super::condition::Compiler;
use super::refused::Refused;
use super::{each_of, split_modifier};
use crate::error::Kind;
use crate::fhir::definitions::ResourceType;
use crate::search::clause::{Chain, Clause, Has};
use crate::search::registry::{Parameter, ParameterKind};
use std::sync::Arc;

/// At most this many references may lie between the type searched and the condition (references).
pub const LINKS_MAX: usize = 4;

impl Compiler<'_> {
    /// `head` is `subject` or `subject:Patient`; `condition` is made for each type that it can lead to. Types that lack
    /// what the condition asks for are left out as long as one has it.
    pub fn chain(
        &self,
        on: ResourceType,
        head: &str,
        links: usize,
        condition: &dyn Fn(ResourceType) -> Result<Clause, Refused>,
    ) -> Result<Clause, Refused> {
        check_length(links)?;
        let (code, target) = split_modifier(head);
        let parameter = self.reference(on, code)?;
        let mut conditions = Vec::new();
        let mut refused = None;
        for target in targets(parameter, target)? {
            // Every type counts, also one where the rest leads nowhere: to find that out is the work.
            self.count_comparisons(1)?;
            match condition(target) {
                Ok(clause) => conditions.push((target, clause)),
                Err(Refused::Error(error)) if error.kind == Kind::TooCostly => return Err(Refused::Error(error)),
                // Left out, its resources would be missing from the answer without a word.
                Err(refusal @ Refused::Unfinished(_)) => return Err(refusal),
                // A value that one of the types cannot read tells more than a parameter that another lacks.
                Err(refusal) => {
                    let tells_more = refused.is_none() || matches!(refusal, Refused::Error(_));
                    refused = if tells_more { Some(refusal) } else { refused };
                }
            }
        }
        match refused {
            Some(refusal) if conditions.is_empty() => Err(refusal),
            _ => {
                let links = parameter.branches.iter().map(|branch| branch.link()).collect();
                Ok(Clause::Chain(Chain { source: on, links, targets: conditions }))
            }
        }
    }

    /// `name` is `Observation:patient:code`, whose last part may be a chain or begin with `_has` again.
    pub(super) fn has(&self, on: ResourceType, name: &str, values: &[&str], links: usize) -> Result<Clause, Refused> {
        let mut parts = name.splitn(3, ':');
        let (Some(source), Some(code), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            let form = "'_has' is written with a type, its reference and a condition: '_has:Observation:patient:code'.";
            return Err(Refused::ignorable(form));
        };
        self.referring(on, source, code, links, &|source| self.compile(source, rest, values, links + 1))
    }

    /// `condition` is made for the resources of the type `source` that refer by `code`.
    pub fn referring(
        &self,
        on: ResourceType,
        source: &str,
        code: &str,
        links: usize,
        condition: &dyn Fn(ResourceType) -> Result<Clause, Refused>,
    ) -> Result<Clause, Refused> {
        check_length(links)?;
        let unknown = || Refused::ignorable(format!("'{source}' in '_has' is not a resource type."));
        let source = ResourceType::parse(source).ok_or_else(unknown)?;
        let parameter = self.reference(source, code)?;
        if !leads_to(parameter, on) {
            return Err(Refused::ignorable(format!("'{code}' of {source} does not lead to {on}.")));
        }
        self.count_comparisons(1)?;
        let condition = Box::new(condition(source)?);
        let links = parameter.branches.iter().map(|branch| branch.link()).collect();
        Ok(Clause::Has(Has { target: on, source, links, condition }))
    }

    fn reference(&self, on: ResourceType, code: &str) -> Result<&Arc<Parameter>, Refused> {
        let parameter = self.known(on, code)?;
        if parameter.kind != ParameterKind::Reference {
            return Err(Refused::ignorable(format!("'{code}' of {on} is not a reference: no chain can go over it.")));
        }
        Ok(parameter)
    }
}

pub(super) fn leads_to(parameter: &Parameter, target: ResourceType) -> bool {
    parameter.targets.is_empty() || parameter.targets.contains(&target)
}

fn targets(parameter: &Parameter, named: Option<&str>) -> Result<Vec<ResourceType>, Refused> {
    let Some(name) = named else { return Ok(each_of(&parameter.targets)) };
    let target = ResourceType::parse(name).filter(|target| leads_to(parameter, *target));
    let refused =
        || Refused::ignorable(format!("'{}' of {} does not lead to '{name}'.", parameter.code, parameter.base));
    Ok(vec![target.ok_or_else(refused)?])
}

fn check_length(links: usize) -> Result<(), Refused> {
    if links < LINKS_MAX {
        return Ok(());
    }
    Err(Refused::too_costly(format!("A chain may go over at most {LINKS_MAX} references.")))
}
