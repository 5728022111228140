//! Chains and `_has`: inside one patient's record they are part of the statement; elsewhere the resources at the far end
//! are found first, up to a bound. Beyond it, what lies in one record as a rule is looked for there alone, and the answer
//! says so.

use super::driver::{DateRange, Driver, selects_in_record};
use super::order::Order;
use super::run::{Run, is_settled};
use super::scope::Scope;
use super::statement::{self, Planned};
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::{ResourceType, in_patient_compartment};
use crate::search::clause::{Chain, Clause, Has, Link, Predicate, SystemMatch};
use futures_util::future::BoxFuture;
use std::collections::BTreeSet;

/// Resources at the far end of a chain, up to which it is followed over several records (resources).
const LINKED_MAX: usize = 1_000;
/// Resources that refer to those, up to which it is asked to what (resources).
const LINKING_MAX: usize = 10_000;

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
        let planned = Box::pin(self.anywhere(target, condition)).await?;
        let sql = statement::selves(&planned, one_more(LINKED_MAX))?;
        let rows = self.query("far end of a chain", None, &sql).await?;
        let selves: BTreeSet<i64> = rows.iter().filter_map(|row| row.get::<_, Option<i64>>(0)).collect();
        Ok((rows.len() <= LINKED_MAX).then(|| selves.into_iter().collect()))
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
        // Of a patient a look into the record misses nothing, and with a token it is quick.
        let in_record = together && has.target == ResourceType::PATIENT;
        let is_quick = in_record && condition.conjunction().iter().any(selects_in_record);
        let rows_max = if is_quick { LINKED_MAX } else { LINKING_MAX };
        let planned = Box::pin(self.anywhere(has.source, &condition)).await?;
        let mut selves = BTreeSet::new();
        for link in &has.links {
            let sql = statement::tokens(&planned, link.param, one_more(rows_max))?;
            let rows = self.query("far end of _has", None, &sql).await?;
            let tokens = rows.iter().filter_map(|row| row.get::<_, Option<Vec<i64>>>(0)).flatten();
            selves.extend(tokens.map(|token| token ^ link.hash));
            if rows.len() > rows_max || selves.len() > LINKED_MAX {
                if !together {
                    return Err(too_many(has.source));
                }
                self.within_records |= !in_record;
                return Ok(inside());
            }
        }
        Ok(Clause::Match(Predicate::SelfIn(selves.into_iter().collect())))
    }

    /// A search for the resources of a type that meet a condition, wherever they are.
    async fn anywhere<'a>(&mut self, resource_type: ResourceType, condition: &'a Clause) -> Result<Planned<'a>> {
        let mut planned = Planned {
            types: vec![resource_type.as_str()],
            conditions: condition.conjunction(),
            order: Order::new(&[], true),
            driver: Driver::Page,
            dates: DateRange::default(),
        };
        planned.driver = self.driver(&planned).await?;
        planned.dates = self.dates(&planned).await?;
        Ok(planned)
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

fn one_more(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX).saturating_add(1)
}

fn too_many(resource_type: ResourceType) -> Error {
    let message = format!(
        "The chained condition is met by too many resources of the type {resource_type}: at most {LINKED_MAX} are \
        followed, and at most {LINKING_MAX} that refer to them. \
        Narrow it, or search for them first and then for what refers to them."
    );
    Error::new(Kind::TooCostly, message)
}
