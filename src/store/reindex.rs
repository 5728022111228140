//! Writing the index of stored resources again, a piece at a time, under the lock of each resource's row.

use super::Store;
use super::index::{self, Indexed, REMOVALS};
use super::node::{Connection, Parameters};
use super::operation::{Frame, Operation, PIPELINE_LENGTH, insert_rows, owned, run};
use super::sqlstate::{Failure, Phase};
use super::statement::{
    COUNT_FOR_INDEX, COUNT_UNINDEXED, LIST_FOR_INDEX, LIST_UNINDEXED, LOCK_FOR_INDEX, SET_INDEX, Statement,
};
use crate::auth::Grant;
use crate::error::{Error, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id};
use crate::fhir::resource::Resource;
use crate::search::entry::Entries;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio_postgres::Row;

/// Resources whose rows are locked together (resources): some 50 ms.
const LOCKED_MAX: usize = 200;
/// Transactions under way at once: the work goes on beside what clients ask for.
const TRANSACTIONS_AT_ONCE: usize = 2;
/// The longest count of a job's resources. Without it there is no percentage.
const COUNT_PATIENCE: Duration = Duration::from_secs(300);
/// Who holds a resource's lock for longer is in no hurry, and neither is this. Without it the wait would end at the node's
/// deadline, for which the node would be left alone.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '2s'";

/// A resource to be indexed, where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub compartment: Compartment,
    pub resource_type: ResourceType,
    pub id: Id,
    pub last_updated: DateTime<Utc>,
}

/// What the index holds of resources.
pub trait Indexer: Sync {
    fn entries(&self, resource: &Resource) -> Entries;
    /// The number of a resource that has none yet.
    fn key(&self) -> i64;
}

/// A resource's row, locked, and what will be in the index.
struct Locked<'a> {
    listed: &'a Listed,
    had_key: bool,
    key: i64,
    entries: Entries,
    /// Whether the row itself holds something else.
    differs: bool,
    failed: bool,
}

impl Store {
    /// The next resources of a type after `after`, in the order of their versions' times.
    pub async fn list_for_index(
        &self,
        grant: &Grant,
        resource_type: ResourceType,
        after: Option<&Listed>,
        count: i64,
    ) -> Result<Vec<Listed>> {
        grant.demand_everything()?;
        let time = after.map_or(DateTime::UNIX_EPOCH, |after| after.last_updated);
        let (compartment, id) = after.map_or(("", ""), |after| (after.compartment.as_str(), after.id.as_str()));
        let parameters: Parameters = &[&resource_type.as_str(), &time, &compartment, &id, &count];
        listed(&self.on_all_shards(LIST_FOR_INDEX, parameters).await?)
    }

    /// Resources that were stored before there was an index.
    pub async fn list_unindexed(&self, grant: &Grant, count: i64) -> Result<Vec<Listed>> {
        grant.demand_everything()?;
        listed(&self.on_all_shards(LIST_UNINDEXED, &[&count]).await?)
    }

    /// How many resources of these types there are, or of all that have no key; `None` when counting took too long.
    pub async fn count_for_index(&self, types: &[&str], unindexed: bool) -> Result<Option<i64>> {
        let (statement, parameters): (Statement, Parameters<'_>) =
            if unindexed { (COUNT_UNINDEXED, &[]) } else { (COUNT_FOR_INDEX, &[&types]) };
        let rows = self.on_all_shards_within(COUNT_PATIENCE, statement, parameters).await?.unwrap_or_default();
        Ok(rows.first().map(|row| row.get("resources")))
    }

    /// Writes the index rows of these resources again, from their current versions. A resource that was moved or removed
    /// meanwhile is left out: who moved it wrote its rows. How many could not be read; they are not in the index then.
    pub async fn reindex(&self, grant: &Grant, resources: &[Listed], indexer: &dyn Indexer) -> Result<usize> {
        grant.demand_everything()?;
        let mut by_shard: BTreeMap<i64, Vec<&Listed>> = BTreeMap::new();
        for one in resources {
            by_shard.entry(self.nodes.shard_of(one.compartment.as_str())).or_default().push(one);
        }
        let mut groups: Vec<Vec<&Listed>> = Vec::new();
        for mut shard in by_shard.into_values() {
            // In the order in which writers lock, so that the two seldom wait for each other.
            shard.sort_unstable_by_key(|one| (one.resource_type, &one.id));
            groups.extend(shard.chunks(LOCKED_MAX).map(<[_]>::to_vec));
        }
        let (mut waiting, mut running, mut failed) = (groups.iter(), FuturesUnordered::new(), 0);
        loop {
            while running.len() < TRANSACTIONS_AT_ONCE
                && let Some(group) = waiting.next()
            {
                running.push(self.reindex_group(group, indexer));
            }
            let Some(group) = running.next().await else { break };
            failed += group.map_err(Failure::into_error)?;
        }
        Ok(failed)
    }

    /// One transaction on one node.
    async fn reindex_group(&self, group: &[&Listed], indexer: &dyn Indexer) -> std::result::Result<usize, Failure> {
        let connection = self.nodes.connect_to_all(group.iter().map(|one| one.compartment.as_str())).await?;
        connection.hold();
        connection.run(BEGIN, Phase::Statement).await?;
        let mut locked = Vec::with_capacity(group.len());
        for flight in group.chunks(PIPELINE_LENGTH) {
            let mut answers = Vec::with_capacity(flight.len());
            for one in flight {
                answers.push(lock(&connection, one));
            }
            for (listed, row) in flight.iter().zip(join_all(answers).await) {
                if let Some(row) = row? {
                    locked.push(self.read_locked(listed, &row, indexer).await.map_err(Failure::Other)?);
                }
            }
            tokio::task::yield_now().await;
        }
        let operations = self.index_operations(&locked);
        let ends = Instant::now() + self.transaction_deadline;
        run(&connection, &operations, Frame::default(), Phase::Statement, ends).await?;
        connection.run("COMMIT", Phase::Commit).await?;
        connection.release();
        Ok(locked.iter().filter(|one| one.failed).count())
    }

    async fn read_locked<'a>(&self, listed: &'a Listed, row: &Row, indexer: &dyn Indexer) -> Result<Locked<'a>> {
        let entries = match row.get::<_, Option<&[u8]>>("body") {
            None => Some(Entries::default()),
            Some(body) => {
                let json = self.decode(body).await.ok();
                let resource = json.and_then(|json| Resource::read(&json, 0..json.len(), usize::MAX).ok());
                resource.map(|resource| indexer.entries(&resource))
            }
        };
        let failed = entries.is_none();
        let entries = entries.unwrap_or_default();
        let key: Option<i64> = row.get("key");
        let is = (key.is_some(), row.get("self"), row.get("date"), row.get("date_high"));
        let self_hash = index::self_of(listed.resource_type, &listed.id);
        let differs = is != (true, Some(self_hash), index::date(&entries), index::date_high(&entries));
        let had_key = key.is_some();
        Ok(Locked { listed, had_key, key: key.unwrap_or_else(|| indexer.key()), entries, differs, failed })
    }

    /// Removes the rows that are there and writes those that should be.
    fn index_operations(&self, locked: &[Locked<'_>]) -> Vec<Operation> {
        let mut operations = Vec::new();
        let mut keys: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for one in locked.iter().filter(|one| one.had_key) {
            keys.entry(one.listed.compartment.as_str()).or_default().push(one.key);
        }
        for (compartment, keys) in keys {
            for statement in REMOVALS {
                operations.push(Operation::new(statement.sql, owned![compartment.to_owned(), keys.clone()]));
            }
        }
        for one in locked.iter().filter(|one| one.differs) {
            let Listed { compartment, resource_type, id, .. } = one.listed;
            let row = owned![
                compartment.as_str().to_owned(),
                resource_type.as_str(),
                id.as_str().to_owned(),
                one.key,
                index::self_of(*resource_type, id),
                index::date(&one.entries),
                index::date_high(&one.entries),
            ];
            operations.push(Operation::new(SET_INDEX.sql, row));
        }
        let indexed = locked.iter().map(|one| Indexed {
            compartment: one.listed.compartment.as_str(),
            key: one.key,
            entries: &one.entries,
        });
        for (target, rows) in index::all_rows(indexed) {
            insert_rows(&mut operations, &self.nodes, target, rows);
        }
        operations
    }
}

async fn lock(connection: &Connection, one: &Listed) -> std::result::Result<Option<Row>, Failure> {
    let parameters: Parameters = &[&one.compartment.as_str(), &one.resource_type.as_str(), &one.id.as_str()];
    connection.query_opt(LOCK_FOR_INDEX, parameters).await
}

fn listed(rows: &[Row]) -> Result<Vec<Listed>> {
    let read = |row: &Row| {
        let unknown = || Error::internal("a stored resource has an unknown type");
        Ok(Listed {
            compartment: Compartment::from_stored(row.get("compartment")),
            resource_type: ResourceType::parse(row.get("type")).ok_or_else(unknown)?,
            id: Id::parse(row.get("id")).map_err(Error::internal)?,
            last_updated: row.get("last_updated"),
        })
    };
    rows.iter().map(read).collect()
}
