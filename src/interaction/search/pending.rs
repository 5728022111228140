//! What a search asks that only stored resources can say: the members of a ValueSet or a List.

use super::value_set::{self, Members};
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::json::{Json, parse};
use crate::fhir::reference::Target;
use crate::interaction::Context;
use crate::search::clause::{Chain, Clause, Has, Pending, Predicate};
use crate::search::hash::self_hash;
use crate::search::kind::token;
use crate::search::query::Query;
use crate::store::Reader;
use futures_util::future::BoxFuture;

/// Entries of a List up to which a search follows it.
const LIST_ENTRIES_MAX: usize = 10_000;

/// The conditions of a query without anything pending. What cannot be settled is refused with its parameter's name.
pub async fn settle(context: &Context, reader: Reader<'_>, query: &Query) -> Result<Vec<Clause>> {
    let mut settled = Vec::with_capacity(query.clauses.len());
    for (clause, place) in query.clauses.iter().zip(&query.places) {
        let of_place = |error: Error| if error.kind.status() < 500 { error.at(place) } else { error };
        settled.extend(each(context, reader, std::slice::from_ref(clause)).await.map_err(of_place)?);
    }
    Ok(settled)
}

async fn each(context: &Context, reader: Reader<'_>, clauses: &[Clause]) -> Result<Vec<Clause>> {
    let mut settled = Vec::with_capacity(clauses.len());
    for clause in clauses {
        settled.push(if is_pending(clause) { one(context, reader, clause).await? } else { clause.clone() });
    }
    Ok(settled)
}

fn is_pending(clause: &Clause) -> bool {
    match clause {
        Clause::Match(_) => false,
        Clause::Not(inner) => is_pending(inner),
        Clause::Any(clauses) | Clause::All(clauses) => clauses.iter().any(is_pending),
        Clause::Chain(chain) => chain.targets.iter().any(|(_, condition)| is_pending(condition)),
        Clause::Has(has) => is_pending(&has.condition),
        Clause::Pending(_) => true,
    }
}

fn one<'a>(context: &'a Context, reader: Reader<'a>, clause: &'a Clause) -> BoxFuture<'a, Result<Clause>> {
    Box::pin(async move {
        Ok(match clause {
            Clause::Match(_) => clause.clone(),
            Clause::Not(inner) => Clause::Not(Box::new(one(context, reader, inner).await?)),
            Clause::Any(clauses) => Clause::Any(each(context, reader, clauses).await?),
            Clause::All(clauses) => Clause::All(each(context, reader, clauses).await?),
            Clause::Chain(chain) => {
                let mut targets = Vec::with_capacity(chain.targets.len());
                for (target, condition) in &chain.targets {
                    targets.push((*target, one(context, reader, condition).await?));
                }
                Clause::Chain(Chain { targets, ..chain.clone() })
            }
            Clause::Has(has) => {
                let condition = Box::new(one(context, reader, &has.condition).await?);
                Clause::Has(Has { condition, ..has.clone() })
            }
            Clause::Pending(Pending::InList(id)) => in_list(reader, id).await?,
            Clause::Pending(Pending::InValueSet { branches, value_set }) => {
                let members = value_set::members(context, reader, value_set).await?;
                in_value_set(branches, &members)
            }
        })
    })
}

async fn in_list(reader: Reader<'_>, id: &Id) -> Result<Clause> {
    let list = reader.current(ResourceType::LIST, id).await?.and_then(|stored| stored.body);
    let list = list.ok_or_else(|| Error::invalid(format!("There is no List with the id '{id}'.")))?;
    let list = parse(&list, usize::MAX)?;
    let entries = list.as_object().and_then(|list| list.get("entry")).map(Json::items).unwrap_or_default();
    if entries.len() > LIST_ENTRIES_MAX {
        let message = format!("This List has more than {LIST_ENTRIES_MAX} entries, too many to search by.");
        return Err(Error::new(Kind::TooCostly, message));
    }
    let member = |entry: &Json| {
        let entry = entry.as_object()?;
        if matches!(entry.get("deleted"), Some(Json::Bool(true))) {
            return None;
        }
        match Target::parse(entry.get("item")?.as_object()?.get_str("reference")?, None) {
            Target::Local { resource_type, id, .. } => Some(self_hash(resource_type.as_str(), id.as_str())),
            _ => None,
        }
    };
    Ok(Clause::Match(Predicate::SelfIn(entries.iter().filter_map(member).collect())))
}

fn in_value_set(branches: &[(i64, i32)], members: &Members) -> Clause {
    let mut alternatives = Vec::new();
    for (hash, param) in branches {
        for (system, codes) in &members.codes {
            alternatives.push(token::members(*hash, system.as_deref(), codes.iter().map(String::as_str)));
        }
        for system in &members.systems {
            let system = token::system_hash(system);
            alternatives.push(Clause::Match(Predicate::InSystem { param: *param, system }));
        }
    }
    Clause::any(alternatives)
}
