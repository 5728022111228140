//! From one parameter to the condition that it makes on each type searched. <https://hl7.org/fhir/R4/search.html#all>

use super::refused::Refused;
use super::{Question, code, each_of, of_each, split_modifier, text};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::search::clause::{Clause, Pending, Predicate};
use crate::search::kind::escape::{split, unescape};
use crate::search::kind::{self, Asked, date};
use crate::search::registry::{Parameter, Registry};
use crate::search::{filter, registry};
use std::cell::Cell;
use std::sync::Arc;

/// At most this many alternatives may stand in a search, all parameters taken together (values).
pub const ALTERNATIVES_MAX: usize = 1_000;

/// At most this many comparisons may come out of a search, whose chains lead to many types each (comparisons).
const COMPARISONS_MAX: usize = 10_000;

/// They make the same condition on every type.
const OF_EVERY_TYPE: &[&str] =
    &["_id", "_lastUpdated", "_list", "_tag", "_profile", "_security", "_source", "_text", "_content"];

/// Makes conditions of parameters, and counts them.
#[derive(Debug)]
pub(in crate::search) struct Compiler<'a> {
    pub registry: &'a Registry,
    pub asked: Asked<'a>,
    alternatives: Cell<usize>,
    comparisons: Cell<usize>,
}

impl<'a> Compiler<'a> {
    pub fn new(question: &Question<'a>) -> Compiler<'a> {
        Compiler {
            registry: question.registry,
            asked: Asked { base: question.base, base_is_guessed: question.base_is_guessed, now: question.now_us },
            alternatives: Cell::new(0),
            comparisons: Cell::new(0),
        }
    }

    /// The condition of a parameter on all types; none: every type.
    pub(super) fn clause(&self, types: &[ResourceType], name: &str, value: &str) -> Result<Clause, Refused> {
        if name == "_filter" {
            // What is left of a filter without a parameter that is not known would be another filter.
            return over(&each_of(types), |on| filter::parse(self, on, value)).map_err(Refused::always);
        }
        let values = split(value, ',');
        self.count_alternatives(values.len())?;
        let mut types = each_of(types);
        if OF_EVERY_TYPE.contains(&code(name)) {
            types.truncate(1);
        }
        over(&types, |on| self.compile(on, name, &values, 0))
    }

    /// The condition of a name that may be chained, on one type.
    pub(super) fn compile(
        &self,
        on: ResourceType,
        name: &str,
        values: &[&str],
        links: usize,
    ) -> Result<Clause, Refused> {
        if let Some(name) = name.strip_prefix("_has:") {
            return self.has(on, name, values, links);
        }
        match name.split_once('.') {
            Some((head, rest)) => self.chain(on, head, links, &|target| self.compile(target, rest, values, links + 1)),
            None => self.leaf(on, name, values),
        }
    }

    /// The condition of a name without a chain.
    pub fn leaf(&self, on: ResourceType, name: &str, values: &[&str]) -> Result<Clause, Refused> {
        let (code, modifier) = split_modifier(name);
        self.count_comparisons(values.len())?;
        let read: fn(&str, &str, &Self) -> Result<Clause, Refused> = match code {
            "_id" => |_, value, _| id(value),
            "_lastUpdated" => |_, value, compiler| last_updated(value, compiler.asked.now),
            "_list" => |_, value, _| list(value),
            "_text" | "_content" => |code, value, compiler| text::parse(compiler.registry, code, value),
            _ => return self.parameter(on, code, modifier, values),
        };
        if let Some(modifier) = modifier.filter(|modifier| (code, *modifier) != ("_id", "not")) {
            return Err(Refused::modifier(code, modifier));
        }
        let alternatives = values.iter().map(|value| read(code, value, self)).collect::<Result<_, _>>()?;
        let clause = Clause::any(alternatives);
        Ok(if modifier.is_some() { clause.negated() } else { clause })
    }

    fn parameter(
        &self,
        on: ResourceType,
        code: &str,
        modifier: Option<&str>,
        values: &[&str],
    ) -> Result<Clause, Refused> {
        let parameter = self.known(on, code)?;
        kind::parse_all(parameter, modifier, values, &self.asked)
            .map_err(|refusal| Refused::of(refusal, code, &values.join(",")))
    }

    /// A parameter that something can be found by.
    pub fn known(&self, on: ResourceType, code: &str) -> Result<&'a Arc<Parameter>, Refused> {
        known(self.registry, on, code)
    }

    fn count_alternatives(&self, count: usize) -> Result<(), Refused> {
        self.alternatives.set(self.alternatives.get() + count);
        if self.alternatives.get() > ALTERNATIVES_MAX {
            let message = format!("A search may have at most {ALTERNATIVES_MAX} alternatives in all its parameters.");
            return Err(Refused::too_costly(message));
        }
        Ok(())
    }

    pub fn count_comparisons(&self, count: usize) -> Result<(), Refused> {
        self.comparisons.set(self.comparisons.get() + count);
        if self.comparisons.get() > COMPARISONS_MAX {
            let message = format!(
                "This search would compare more than {COMPARISONS_MAX} times. Ask for fewer values or types, and name \
                the types that chains lead to, as in 'subject:Patient.name'."
            );
            return Err(Refused::too_costly(message));
        }
        Ok(())
    }
}

pub(super) fn known<'r>(registry: &'r Registry, on: ResourceType, code: &str) -> Result<&'r Arc<Parameter>, Refused> {
    let parameter = registry.parameter(on, code);
    let unknown = || Refused::ignorable(format!("'{code}' is not a search parameter of {on}."));
    let parameter: &Arc<registry::Parameter> = parameter.ok_or_else(unknown)?;
    if parameter.branches.is_empty() {
        return Err(Refused::ignorable(format!("'{code}' of {on} has no expression that could be searched.")));
    }
    if let Some(percent) = parameter.unfinished {
        let reason =
            format!("The search parameter '{code}' of {on} is being indexed ({percent} %) and not answered yet.");
        return Err(Refused::Unfinished(reason));
    }
    Ok(parameter)
}

/// One condition where all types have the same, otherwise each type with its own.
fn over(
    types: &[ResourceType],
    compile: impl FnMut(ResourceType) -> Result<Clause, Refused>,
) -> Result<Clause, Refused> {
    let clauses = of_each(types, compile)?;
    if let Some((first, rest)) = clauses.split_first()
        && rest.iter().all(|clause| clause == first)
    {
        return Ok(first.clone());
    }
    let typed = |(on, clause): (&ResourceType, Clause)| Clause::All(vec![Clause::Match(Predicate::Type(*on)), clause]);
    Ok(Clause::Any(types.iter().zip(clauses).map(typed).collect()))
}

fn id(value: &str) -> Result<Clause, Refused> {
    let id = Id::parse(&unescape(value)).map_err(|invalid| Refused::value("_id", value, invalid.message))?;
    Ok(Clause::Match(Predicate::Id(id)))
}

fn last_updated(value: &str, now_us: i64) -> Result<Clause, Refused> {
    let bounds = date::bounds(value, now_us).map_err(|refusal| Refused::of(refusal, "_lastUpdated", value))?;
    Ok(Clause::any(bounds.into_iter().map(|bounds| Clause::Match(Predicate::LastUpdated(bounds))).collect()))
}

/// Members of a List. <https://hl7.org/fhir/R4/search.html#list>
fn list(value: &str) -> Result<Clause, Refused> {
    if value.starts_with('$') {
        return Err(Refused::not_supported(format!("'_list={value}': only lists that are stored can be searched by.")));
    }
    let id = value.strip_prefix("List/").unwrap_or(value);
    let id = Id::parse(id).map_err(|invalid| Refused::value("_list", value, invalid.message))?;
    Ok(Clause::Pending(Pending::InList(id)))
}
