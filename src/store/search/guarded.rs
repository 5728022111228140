//! Searches in which what may not be seen does not exist: each node that a search touches gets its condition.

use super::Search;
use super::driver::{DateRange, Driver};
use super::order::Order;
use super::run::Run;
use super::statement::{self, Planned};
use crate::auth::membership::can_be_about_a_patient;
use crate::auth::policy::Permission;
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id};
use crate::search::clause::Clause;
use crate::search::guard::guard;
use crate::store::guard::forbidden;
use crate::store::read::Reader;
use std::collections::BTreeSet;

/// Resources to which one patient's record may lead (references).
const REFERRED_TO_MAX: usize = 20_000;

/// The types and conditions of a search, with what its grant adds; `None`: it adds nothing.
pub(super) struct Guarded {
    changed: Option<(Vec<ResourceType>, Vec<Clause>)>,
}

impl Guarded {
    pub fn search<'a>(&'a self, search: &Search<'a>) -> Search<'a> {
        match &self.changed {
            Some((types, conditions)) => Search { types, conditions, ..*search },
            None => *search,
        }
    }
}

impl Reader<'_> {
    pub(super) async fn guarded(&self, search: &Search<'_>) -> Result<Guarded> {
        if self.grant.is_everything() {
            return Ok(Guarded { changed: None });
        }
        let searched: Vec<ResourceType> = match search.types {
            [] => ResourceType::all().collect(),
            named => named.to_vec(),
        };
        let mut touched: BTreeSet<ResourceType> = searched.iter().copied().collect();
        search.conditions.iter().for_each(|condition| note_types(condition, &mut touched));
        let touched: Vec<ResourceType> = touched.into_iter().collect();
        let visible = self.visible(Permission::Search, &touched).await?;
        let types: Vec<ResourceType> = searched.iter().copied().filter(|of| visible.shows(*of)).collect();
        let mut conditions: Vec<Clause> =
            search.conditions.iter().map(|condition| guard(condition, &|of| visible.condition(of))).collect();
        match (types.as_slice(), searched.as_slice()) {
            // Of this type something may be seen, but there is nothing yet: a patient's record that leads nowhere.
            ([], [only]) if !self.sees_all(Permission::Search, *only)? => conditions.push(Clause::Any(Vec::new())),
            ([], [first, ..]) => return Err(forbidden(Permission::Search, *first)),
            (types, _) => conditions.push(visible.of_any(types)),
        }
        conditions.retain(|condition| !condition.is_always());
        let types = if types.is_empty() { searched } else { types };
        Ok(Guarded { changed: Some((types, conditions)) })
    }

    /// The resources to which something leads that is about a patient, by their self-hashes.
    pub(in crate::store) async fn referred_to_by(&self, patient: &Id) -> Result<Vec<i64>> {
        let rights = &self.store.rights;
        let types: Vec<ResourceType> = ResourceType::all().filter(|of| can_be_about_a_patient(*of)).collect();
        let about = Clause::any(types.iter().map(|of| rights.about(*of, patient)).collect());
        let mut run = Run::of(*self);
        let home = Compartment::of_patient(patient).as_str().to_owned();
        let places = run.with_members(home, &[]).await?;
        let planned = Planned {
            types: Vec::new(),
            conditions: std::slice::from_ref(&about),
            order: Order::new(&[], false),
            driver: Driver::Compartments(places),
            dates: DateRange::default(),
        };
        let links = rights.references(&types);
        let rows_max = i64::try_from(REFERRED_TO_MAX).unwrap_or(i64::MAX).saturating_add(1);
        let sql = statement::references(&planned, links.keys().copied().collect(), rows_max)?;
        let rows = run.query("what a record refers to", planned.driver.single(), &sql).await?;
        if rows.len() > REFERRED_TO_MAX {
            let message = format!(
                "This patient's record refers to more than {REFERRED_TO_MAX} resources: too many to tell which of the shared ones may be seen."
            );
            return Err(Error::new(Kind::TooCostly, message));
        }
        let own = |row: &tokio_postgres::Row| Some(links.get(&row.get::<_, i32>(0))? ^ row.get::<_, i64>(1));
        Ok(rows.iter().filter_map(own).collect())
    }
}

/// The types that chains and `_has` lead to.
fn note_types(clause: &Clause, types: &mut BTreeSet<ResourceType>) {
    match clause {
        Clause::Match(_) | Clause::Pending(_) => {}
        Clause::Not(inner) => note_types(inner, types),
        Clause::Any(clauses) | Clause::All(clauses) => clauses.iter().for_each(|clause| note_types(clause, types)),
        Clause::Chain(chain) => {
            for (target, condition) in &chain.targets {
                types.insert(*target);
                note_types(condition, types);
            }
        }
        Clause::Has(has) => {
            types.insert(has.source);
            note_types(&has.condition, types);
        }
    }
}
