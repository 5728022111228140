//! The jobs that write the index again: which there are, how far each is, and whose turn it is to work on them.

use super::Store;
use super::node::{Connection, Parameters};
use super::reindex::Listed;
use super::sqlstate::{Failure, Phase};
use super::statement::{
    END_JOB, JOBS, MAKE_JOB, MAKE_JOB_FOR_PARAMETERS, NOTE_PLACE, REINDEX_DUE, START_JOB, TAKE_TURN,
};
use crate::error::{Error, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id};
use chrono::{DateTime, Utc};
use tokio_postgres::Row;

/// When PostgreSQL finds out that the other end of a session is gone: within a minute.
const KEEPALIVE: &str = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3";

#[derive(Debug, Clone)]
pub struct ReindexJob {
    pub id: i64,
    /// What it is for, in words.
    pub scope: String,
    pub types: Vec<ResourceType>,
    /// Only resources that were stored before there was an index.
    pub unindexed: bool,
    pub made: DateTime<Utc>,
    pub started: Option<DateTime<Utc>>,
    pub updated: Option<DateTime<Utc>>,
    pub ended: Option<DateTime<Utc>>,
    /// The last resource that is done.
    pub place: Option<Listed>,
    pub done: i64,
    /// Of those that are done: could not be read, and are not in the index.
    pub failed: i64,
    pub total: Option<i64>,
}

/// What is to do.
#[derive(Debug)]
pub struct Due {
    /// The first job that has not ended.
    pub job: Option<i64>,
    /// The SearchParameters that wait for a job, each with the hash of what is indexed.
    pub parameters: Vec<(String, i64)>,
}

/// The right to work on jobs. One server has it, as long as its connection lasts.
pub struct Turn {
    connection: Connection,
}

impl Store {
    pub async fn reindex_due(&self) -> Result<Due> {
        let rows = self.on_coordinator(REINDEX_DUE, &[]).await?;
        let row = rows.first().ok_or_else(|| Error::internal("what is due has no row"))?;
        let ids = row.get::<_, Option<Vec<String>>>("ids").unwrap_or_default();
        let hashes = row.get::<_, Option<Vec<i64>>>("hashes").unwrap_or_default();
        Ok(Due { job: row.get("job"), parameters: ids.into_iter().zip(hashes).collect() })
    }

    /// A new job, at the end of the row; its number.
    pub async fn make_job(&self, scope: &str, types: &[ResourceType], unindexed: bool) -> Result<i64> {
        let rows = self.on_coordinator(MAKE_JOB, &[&scope, &names(types), &unindexed]).await?;
        rows.first().map(|row| row.get("id")).ok_or_else(|| Error::internal("a job was not made"))
    }

    /// A job for those of these search parameters that wait for one.
    pub async fn make_job_for_parameters(&self, types: &[ResourceType], parameters: &[(&str, i64)]) -> Result<()> {
        let scope = "custom search parameters";
        let (ids, hashes): (Vec<&str>, Vec<i64>) = parameters.iter().copied().unzip();
        self.on_coordinator(MAKE_JOB_FOR_PARAMETERS, &[&scope, &names(types), &ids, &hashes]).await.map(drop)
    }

    pub async fn job(&self, number: i64) -> Result<Option<ReindexJob>> {
        let rows = self.on_coordinator(JOBS, &[&Some(number), &1_i64]).await?;
        Ok(rows.first().map(read))
    }

    /// The newest jobs, the newest first.
    pub async fn jobs(&self, count: i64) -> Result<Vec<ReindexJob>> {
        Ok(self.on_coordinator(JOBS, &[&None::<i64>, &count]).await?.iter().map(read).collect())
    }

    /// The turn, unless another server has it.
    pub async fn take_turn(&self) -> Result<Option<Turn>> {
        let connection = self.nodes.coordinator().connect().await.map_err(Failure::into_error)?;
        // The lock is the session's: it ends with the turn instead of going back to the pool.
        connection.hold();
        // A server that vanished without a word does not keep the turn for the two hours that the kernel would wait.
        connection.run(KEEPALIVE, Phase::Statement).await.map_err(Failure::into_error)?;
        let taken = connection.query(TAKE_TURN, &[]).await.map_err(Failure::into_error)?;
        let taken = taken.first().is_some_and(|row| row.get("taken"));
        Ok(taken.then_some(Turn { connection }))
    }
}

/// What is noted of a job goes over the session that holds the lock: a server that lost its turn notes nothing more.
impl Turn {
    pub async fn start(&self, job: i64, total: Option<i64>) -> Result<()> {
        self.connection.query(START_JOB, &[&job, &total]).await.map(drop).map_err(Failure::into_error)
    }

    pub async fn note(&self, job: &ReindexJob) -> Result<()> {
        let place = job.place.as_ref();
        let (of_type, time) = place.map(|place| (place.resource_type.as_str(), place.last_updated)).unzip();
        let (compartment, id) = place.map(|place| (place.compartment.as_str(), place.id.as_str())).unzip();
        let noted: Parameters = &[&job.id, &of_type, &time, &compartment, &id, &job.done, &job.failed];
        self.connection.query(NOTE_PLACE, noted).await.map(drop).map_err(Failure::into_error)
    }

    /// The job has ended, and the search parameters that waited for it are complete.
    pub async fn end(&self, job: i64) -> Result<()> {
        self.connection.query(END_JOB, &[&job]).await.map(drop).map_err(Failure::into_error)
    }
}

fn names(types: &[ResourceType]) -> Vec<&'static str> {
    types.iter().map(|one| one.as_str()).collect()
}

fn read(row: &Row) -> ReindexJob {
    let types: Vec<&str> = row.get("types");
    let place = |name: &str| row.get::<_, Option<&str>>(name);
    let listed = match (place("place_type"), place("place_compartment"), place("place_id"), row.get("place_time")) {
        (Some(resource_type), Some(compartment), Some(id), Some(last_updated)) => {
            ResourceType::parse(resource_type).zip(Id::parse(id).ok()).map(|(resource_type, id)| Listed {
                compartment: Compartment::from_stored(compartment),
                resource_type,
                id,
                last_updated,
            })
        }
        _ => None,
    };
    ReindexJob {
        id: row.get("id"),
        scope: row.get("scope"),
        types: types.into_iter().filter_map(ResourceType::parse).collect(),
        unindexed: row.get("unindexed"),
        made: row.get("made"),
        started: row.get("started"),
        updated: row.get("updated"),
        ended: row.get("ended"),
        place: listed,
        done: row.get("done"),
        failed: row.get("failed"),
        total: row.get("total"),
    }
}
