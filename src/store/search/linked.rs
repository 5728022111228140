//! Chains and `_has`: inside one patient's record they are part of the statement; elsewhere the resources at the far end
//! are found first, up to a bound. Beyond it, what lies in one record as a rule is looked for there alone, and the answer
//! says so.

use super::driver::{DateRange, Driver};
use super::order::Order;
use super::run::{Run, is_settled};
use super::scope::Scope;
use super::statement::{self, Planned};
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::{ResourceType, in_patient_compartment};
use crate::search::clause::{Chain, Clause, Has, Link, Predicate, SystemMatch};
use futures_util::future::BoxFuture;

/// Resources at the far end of a chain, up to which it is followed over several records (resources).
const LINKED_MAX: usize = 1_000;

impl Run<'_> {
    /// The conditions with every chain answered that cannot be part of the page's statement.
    pub(super) async fn resolve_all(&mut self, conditions: &[Clause], scope: &Scope) -> Result<Vec<Clause>> {
        let mut resolved = Vec::with_capacity(conditions.len());
        for clause in conditions {
            resolved.push(self.resolve(clause, scope).await?);
        }
        Ok(resolved)
    }

    fn resolve<'a>(&'a mut self, clause: &'a Clause, scope: &'a Scope) -> BoxFuture<'a, Result<Clause>> {
        Box::pin(async move {
            if is_settled(clause) {
                return Ok(clause.clone());
            }
            Ok(match clause {
                Clause::Not(inner) => self.resolve(inner, scope).await?.negated(),
                Clause::Any(clauses) => Clause::any(self.resolve_all(clauses, scope).await?),
                Clause::All(clauses) => Clause::all(self.resolve_all(clauses, scope).await?),
                Clause::Chain(chain) => self.chain(chain, scope).await?,
                Clause::Has(has) => self.has(has, scope).await?,
                Clause::Match(_) | Clause::Pending(_) => clause.clone(),
            })
        })
    }

    async fn chain(&mut self, chain: &Chain, scope: &Scope) -> Result<Clause> {
        let mut alternatives = Vec::new();
        let mut inside = Vec::new();
        for (target, condition) in &chain.targets {
            let condition = self.resolve(condition, scope).await?;
            if condition.is_never() {
                continue;
            }
            let together = are_together(chain.source, *target, &chain.links);
            if together && matches!(scope, Scope::Patient(_)) {
                inside.push((*target, condition));
                continue;
            }
            match self.selves(*target, &condition).await? {
                Some(selves) => alternatives.extend(tokens(&chain.links, &selves)),
                None if together => {
                    self.within_records |= *target != ResourceType::PATIENT;
                    inside.push((*target, condition));
                }
                None => return Err(too_many(*target)),
            }
        }
        if !inside.is_empty() {
            alternatives.push(Clause::Chain(Chain { targets: inside, ..chain.clone() }));
        }
        Ok(Clause::any(alternatives))
    }

    /// The self-hashes of all resources of a type that meet a condition; `None`: they are too many.
    async fn selves(&mut self, target: ResourceType, condition: &Clause) -> Result<Option<Vec<i64>>> {
        let planned = anywhere(target, condition);
        let sql = statement::selves(&planned, rows_max())?;
        let rows = self.query("far end of a chain", None, &sql).await?;
        let selves: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        Ok((selves.len() <= LINKED_MAX).then_some(selves))
    }

    async fn has(&mut self, has: &Has, scope: &Scope) -> Result<Clause> {
        let condition = self.resolve(&has.condition, scope).await?;
        if condition.is_never() {
            return Ok(condition);
        }
        let together = are_together(has.source, has.target, &has.links);
        let inside = || Clause::Has(Has { condition: Box::new(condition.clone()), ..has.clone() });
        if together && matches!(scope, Scope::Patient(_)) {
            return Ok(inside());
        }
        let mut selves = Vec::new();
        for link in &has.links {
            let planned = anywhere(has.source, &condition);
            let sql = statement::tokens(&planned, vec![link.param], rows_max())?;
            let rows = self.query("far end of _has", None, &sql).await?;
            if rows.len() > LINKED_MAX {
                if !together {
                    return Err(too_many(has.source));
                }
                self.within_records |= has.target != ResourceType::PATIENT;
                return Ok(inside());
            }
            selves.extend(rows.iter().map(|row| row.get::<_, i64>(0) ^ link.hash));
        }
        Ok(Clause::Match(Predicate::SelfIn(selves)))
    }
}

fn anywhere<'a>(resource_type: ResourceType, condition: &'a Clause) -> Planned<'a> {
    Planned {
        types: vec![resource_type.as_str()],
        conditions: std::slice::from_ref(condition),
        order: Order::new(&[], true),
        driver: Driver::Planner,
        dates: DateRange::default(),
    }
}

/// Whether the two ends of a link are in one patient's record, so that a join within the shard finds them.
fn are_together(source: ResourceType, target: ResourceType, links: &[Link]) -> bool {
    if target == ResourceType::PATIENT {
        return links.iter().all(|link| link.decides_home);
    }
    source != ResourceType::PATIENT && in_patient_compartment(source) && in_patient_compartment(target)
}

fn tokens<'a>(links: &'a [Link], selves: &'a [i64]) -> impl Iterator<Item = Clause> + 'a {
    links.iter().flat_map(move |link| {
        let token = |own: &i64| Predicate::Token {
            token: own ^ link.hash,
            system: SystemMatch::Any,
            only: link.only,
            identifier: None,
        };
        selves.iter().map(token).map(Clause::Match)
    })
}

fn rows_max() -> i64 {
    i64::try_from(LINKED_MAX + 1).unwrap_or(i64::MAX)
}

fn too_many(resource_type: ResourceType) -> Error {
    let message = format!(
        "The chained condition is met by more than {LINKED_MAX} resources of the type {resource_type}. \
        Narrow it, or search for them first and then for what refers to them."
    );
    Error::new(Kind::TooCostly, message)
}
