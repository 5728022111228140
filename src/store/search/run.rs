//! Running a search: first what others must tell, then where it goes, then one statement for the page.

use super::driver::{DateRange, Driver, Frequency, choose, date_range, inside, needs_frequencies};
use super::entries::{LONG_SPAN_US, push_limits};
use super::frequency;
use super::order::Order;
use super::scope::{IDS_MAX, Scope, identifiers_of};
use super::sql::Sql;
use super::statement::{self, Planned};
use super::{Search, unpack};
use crate::error::{Error, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id, Place};
use crate::search::clause::{Clause, Limit, Limits};
use crate::search::page::{Direction, PageValue};
use crate::store::read::{Reader, Stored};
use crate::store::statement::FIND_MEMBER_HOMES;
use futures_util::future::join_all;
use tokio_postgres::Row;

/// Matches up to which an estimate counts them.
const COUNTED_MAX: i64 = 10_000;

/// A page of matches.
#[derive(Debug, Default)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// Whether more follow in the direction of the page.
    pub more: bool,
    /// The patient's record that the search was limited to.
    pub record: Option<Compartment>,
    /// A chain was followed inside each record only, so that references from one record into another are not seen.
    pub within_records: bool,
}

/// How many resources match.
#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    pub matches: i64,
    /// As in [`Found`].
    pub within_records: bool,
}

/// A match and its place in the order.
#[derive(Debug)]
pub struct Hit {
    pub stored: Stored,
    pub key: Vec<PageValue>,
}

/// A search under way.
pub(super) struct Run<'r> {
    pub reader: Reader<'r>,
    /// As in [`Found`].
    pub within_records: bool,
}

impl Reader<'_> {
    /// One page of a search.
    pub async fn search(&self, search: &Search<'_>) -> Result<Found> {
        let guarded = Box::pin(self.guarded(search)).await?;
        let search = &guarded.search(search);
        // On the heap: searches are made from deep inside others, of ValueSets that name ValueSets.
        Box::pin(Run::of(*self).page(search)).await
    }

    /// How many resources match in all.
    pub async fn count(&self, search: &Search<'_>) -> Result<Count> {
        let guarded = Box::pin(self.guarded(search)).await?;
        let search = &guarded.search(search);
        let mut run = Run::of(*self);
        let matches = run.count(search, statement::count).await?;
        Ok(Count { matches, within_records: run.within_records })
    }

    /// About how many resources match: few are counted, of many a part that stands for the whole.
    pub async fn estimate(&self, search: &Search<'_>) -> Result<Count> {
        let guarded = Box::pin(self.guarded(search)).await?;
        let search = &guarded.search(search);
        let mut run = Run::of(*self);
        let mut matches = run.count(search, |sql, planned| statement::count_up_to(sql, planned, COUNTED_MAX)).await?;
        if matches >= COUNTED_MAX {
            let sampled = run.count(search, statement::sample).await?;
            matches = sampled.saturating_mul(statement::SAMPLED_ONE_IN).max(matches);
        }
        Ok(Count { matches, within_records: run.within_records })
    }
}

impl<'r> Run<'r> {
    pub(super) fn of(reader: Reader<'r>) -> Self {
        Run { reader, within_records: false }
    }
}

impl Run<'_> {
    async fn page(&mut self, search: &Search<'_>) -> Result<Found> {
        let scope = self.scope(search).await?;
        let conditions = self.resolve_all(search.conditions, &scope).await?;
        // Citus refuses a statement in which it finds out that nothing can match; so do chains leave such conditions out.
        if conditions.iter().any(Clause::is_never) {
            return Ok(Found::default());
        }
        let order = Order::new(search.sort, search.types.len() == 1);
        let types = search.type_names();
        let wanted = i64::try_from(search.count).unwrap_or(i64::MAX).saturating_add(1);
        let mut planned =
            Planned { types, conditions: &conditions, order, driver: Driver::Page, dates: DateRange::default() };
        let mut record = None;
        let rows = match scope {
            Scope::Patient(patient) => {
                let home = record.insert(Compartment::of_patient(&patient)).as_str().to_owned();
                self.page_of_patient(search, &mut planned, home, wanted).await?
            }
            Scope::Ids(ids) => {
                if let [(ResourceType::PATIENT, patient)] = ids.as_slice() {
                    record = Some(Compartment::of_patient(patient));
                }
                planned.driver = Driver::Compartments(self.places(&ids).await?);
                self.page_in(search, &planned, wanted).await?
            }
            Scope::Anywhere => {
                planned.driver = self.driver(&planned).await?;
                planned.dates = self.dates(&planned).await?;
                self.page_in(search, &planned, wanted).await?
            }
        };
        Ok(Found { record, within_records: self.within_records, ..self.found(search, &planned.order, rows).await? })
    }

    /// Where matches can be. On Citus a business identifier is looked up in its own table, on one shard; there the
    /// resource is known by its id, on one shard again. On one database the index of tokens is as near.
    async fn scope(&mut self, search: &Search<'_>) -> Result<Scope> {
        let scope = Scope::of(search);
        let (Scope::Anywhere, [resource_type], true) = (&scope, search.types, self.reader.store.on_citus()) else {
            return Ok(scope);
        };
        let Some(identifiers) = identifiers_of(search) else { return Ok(scope) };
        let count = i64::try_from(IDS_MAX).unwrap_or(i64::MAX).saturating_add(1);
        let mut ids = Vec::new();
        for identifier in &identifiers {
            let (system, value) = (identifier.system.as_deref(), identifier.value.as_str());
            ids.extend(self.reader.any_with_identifier(*resource_type, system, value, count).await?);
        }
        ids.sort_unstable();
        ids.dedup();
        if ids.len() > IDS_MAX {
            return Ok(scope);
        }
        Ok(Scope::Ids(ids.into_iter().map(|id| (*resource_type, id)).collect()))
    }

    /// A patient's record is one shard; resources of other records that belong to this patient, too, are rare.
    async fn page_of_patient(
        &mut self,
        search: &Search<'_>,
        planned: &mut Planned<'_>,
        home: String,
        wanted: i64,
    ) -> Result<Vec<Row>> {
        planned.driver = inside(planned.conditions, vec![home.clone()]);
        let sql = statement::page_of_record(planned, search.page, wanted, &home)?;
        let mut rows = self.query("page", Some(&home), &sql).await?;
        let compartment = planned.order.columns();
        let homes: Vec<String> = rows.first().map(|row| row.get(compartment + 2)).unwrap_or_default();
        if homes.is_empty() {
            rows.retain(|row| row.get::<_, Option<&str>>(compartment).is_some());
            return Ok(rows);
        }
        planned.driver = inside(planned.conditions, [vec![home], homes].concat());
        self.page_in(search, planned, wanted).await
    }

    async fn page_in(&mut self, search: &Search<'_>, planned: &Planned<'_>, wanted: i64) -> Result<Vec<Row>> {
        if planned.driver.is_nowhere() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::default();
        statement::page(&mut sql, planned, search.page, wanted)?;
        self.query("page", planned.driver.single(), &sql).await
    }

    async fn count(
        &mut self,
        search: &Search<'_>,
        statement: impl Fn(&mut Sql, &Planned<'_>) -> Result<()>,
    ) -> Result<i64> {
        let scope = self.scope(search).await?;
        let conditions = self.resolve_all(search.conditions, &scope).await?;
        if conditions.iter().any(Clause::is_never) {
            return Ok(0);
        }
        let order = Order::new(&[], search.types.len() == 1);
        let (types, dates) = (search.type_names(), DateRange::default());
        let mut record = None;
        let driver = match scope {
            Scope::Patient(patient) => {
                let home = record.insert(Compartment::of_patient(&patient)).as_str().to_owned();
                inside(&conditions, vec![home])
            }
            Scope::Ids(ids) => Driver::Compartments(self.places(&ids).await?),
            Scope::Anywhere => Driver::Planner,
        };
        let mut planned = Planned { types, conditions: &conditions, order, driver, dates };
        if let Some(home) = record.as_ref().map(Compartment::as_str) {
            let sql = statement::count_in_record(&planned, home, &statement)?;
            let rows = self.query("count", Some(home), &sql).await?;
            let row = rows.first().ok_or_else(|| Error::internal("a count has no row"))?;
            let homes: Vec<String> = row.get(1);
            if homes.is_empty() {
                return Ok(row.get(0));
            }
            planned.driver = inside(&conditions, [vec![home.to_owned()], homes].concat());
        }
        if planned.driver.is_nowhere() {
            return Ok(0);
        }
        if let Some((all, repeated)) = statement::count_token(&planned)? {
            let all = self.number(None, &all).await?;
            return Ok(match repeated {
                Some(repeated) => all - self.number(None, &repeated).await?,
                None => all,
            });
        }
        let mut sql = Sql::default();
        statement(&mut sql, &planned)?;
        self.number(planned.driver.single(), &sql).await
    }

    async fn number(&mut self, at: Option<&str>, sql: &Sql) -> Result<i64> {
        let rows = self.query("count", at, sql).await?;
        Ok(rows.first().map_or(0, |row| row.get(0)))
    }

    pub(super) async fn with_members(&mut self, home: String, types: &[&'static str]) -> Result<Vec<String>> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&home, &types];
        let rows = self.reader.query(&home, FIND_MEMBER_HOMES, &parameters).await?;
        let homes = rows.iter().map(|row| row.get("home"));
        Ok(homes.chain([home.clone()]).collect())
    }

    /// The compartments in which resources with these ids can be.
    pub(super) async fn places(&mut self, ids: &[(ResourceType, Id)]) -> Result<Vec<String>> {
        let mut places = Vec::with_capacity(ids.len());
        let mut uncertain = Vec::new();
        for (resource_type, id) in ids {
            let place = Place::of(*resource_type, id);
            places.push(place.compartment().as_str().to_owned());
            if matches!(place, Place::Likely(_)) {
                uncertain.push(id.as_str().to_owned());
            }
        }
        if !uncertain.is_empty() {
            let alone = match uncertain.as_slice() {
                [one] => Some(one.clone()),
                _ => None,
            };
            let mut sql = Sql::new("SELECT h.compartment FROM resource_home h WHERE h.id = ");
            match &alone {
                Some(id) => sql.bind(id.as_str()),
                None => sql.push("ANY(").bind(uncertain).push(")"),
            };
            let rows = self.query("homes of ids", alone.as_deref(), &sql).await?;
            places.extend(rows.iter().map(|row| row.get::<_, String>(0)));
        }
        places.sort_unstable();
        places.dedup();
        Ok(places)
    }

    /// The driver of a search over all shards; asks how frequent its conditions are where that decides.
    pub(super) async fn driver(&mut self, planned: &Planned<'_>) -> Result<Driver> {
        let conditions = planned.conditions;
        if !needs_frequencies(conditions, &planned.order) {
            let unknown = vec![Some(Frequency::Frequent { since: 0 }); conditions.len()];
            return Ok(choose(conditions, &unknown, &planned.order));
        }
        let statements = frequency::statements(conditions, &planned.types)?;
        let reader = self.reader;
        let asked = statements.iter().map(|statement| async move {
            let Some(statement) = statement else { return Ok(None) };
            if let Some(known) = reader.store.frequencies.get(statement) {
                return Ok(Some(known));
            }
            let rows = reader.query_sql("how frequent a condition is", None, statement).await?;
            let frequency = frequency::of_dates(rows.iter().map(|row| row.get(0)).collect());
            reader.store.frequencies.note(statement, frequency);
            Ok(Some(frequency))
        });
        let frequencies: Result<Vec<Option<Frequency>>> = join_all(asked).await.into_iter().collect();
        Ok(choose(conditions, &frequencies?, &planned.order))
    }

    /// The range of dates with its beginning moved to the earliest long span that reaches into it.
    pub(super) async fn dates(&mut self, planned: &Planned<'_>) -> Result<DateRange> {
        let range = date_range(planned.conditions);
        let (Some(reaching), [resource_type]) = (range.reaching, planned.types.as_slice()) else {
            return Ok(if planned.types.len() == 1 { range } else { DateRange::default() });
        };
        let mut sql = Sql::new("SELECT r.date FROM resource r WHERE r.type = ");
        sql.bind(*resource_type).push(" AND r.body IS NOT NULL AND r.date_high - r.date > 2764800000000");
        let high = Limits { from: Some(Limit { value: reaching, inclusive: true }), to: None };
        push_limits(&mut sql, &high, "r", ".date_high");
        // In the order of their index: the planner takes a third of all spans to be long, and would read the table.
        sql.push(" ORDER BY r.date_high LIMIT 1000");
        let rows = self.query("long spans", None, &sql).await?;
        let earliest = rows.iter().map(|row| row.get::<_, i64>(0)).min();
        let from = match earliest {
            // Too many to know the earliest.
            Some(_) if rows.len() >= 1_000 => None,
            Some(earliest) => range.from.map(|from| from.min(earliest)),
            None => range.from,
        };
        debug_assert!(range.from.is_none_or(|from| reaching - from <= LONG_SPAN_US || from > i64::MIN));
        Ok(DateRange { from, ..range })
    }

    pub(super) async fn query(&mut self, purpose: &'static str, at: Option<&str>, sql: &Sql) -> Result<Vec<Row>> {
        self.reader.query_sql(purpose, at, sql).await
    }

    async fn found(&self, search: &Search<'_>, order: &Order, rows: Vec<Row>) -> Result<Found> {
        let more = rows.len() > search.count;
        let mut hits: Vec<Hit> = Vec::with_capacity(rows.len());
        for row in rows.iter().take(search.count) {
            let compartment = Compartment::from_stored(row.get(order.columns()));
            let Some(packed) = row.get::<_, Option<&[u8]>>(order.columns() + 1) else { continue };
            let stored = unpack(self.reader, compartment, packed).await?;
            hits.push(Hit { stored, key: order.key_of(row) });
        }
        // One token may stand twice on a resource (in two systems): its rows lie side by side.
        hits.dedup_by(|a, b| a.stored.id == b.stored.id && a.stored.resource_type == b.stored.resource_type);
        if search.page.is_some_and(|page| page.direction == Direction::Previous) {
            hits.reverse();
        }
        Ok(Found { hits, more, ..Found::default() })
    }
}

/// What is known about a clause before it runs.
pub(super) fn is_settled(clause: &Clause) -> bool {
    match clause {
        Clause::Chain(_) | Clause::Has(_) => false,
        Clause::Not(inner) => is_settled(inner),
        Clause::Any(clauses) | Clause::All(clauses) => clauses.iter().all(is_settled),
        Clause::Match(_) | Clause::Pending(_) => true,
    }
}
