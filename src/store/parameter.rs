//! What the servers on one database tell each other of custom search parameters: how far the index is for each, and which
//! of them every server knows.

use super::Store;
use super::node::Parameters;
use super::sqlstate::Failure;
use super::statement::{
    DOUBT_PARAMETERS, ENTER_SERVER, FORGET_PARAMETER, LEAVE_SERVER, NOTE_PARAMETER, PARAMETER_BODIES, PARAMETER_COPIES,
    PARAMETER_STATES, REPORT_SERVER, SERVERS_BEHIND, Statement, TYPE_VERSIONS,
};
use crate::auth::Grant;
use crate::error::{Error, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use chrono::{DateTime, Utc};
use std::time::Duration;
use tokio_postgres::Row;

/// More SearchParameter resources than this are not looked at (resources). R4's own are 1,400.
const RESOURCES_MAX: i64 = 100_000;

/// How long work that nobody waits for waits for all shards.
const PATIENCE: Duration = Duration::from_secs(30);

/// How far the index is for one custom search parameter.
#[derive(Debug, Clone)]
pub struct ParameterState {
    /// The id of the SearchParameter resource.
    pub id: String,
    /// Of what is indexed.
    pub hash: i64,
    pub made: DateTime<Utc>,
    pub complete: bool,
    /// Resources that its job has gone through, and how many there are.
    pub done: i64,
    pub total: Option<i64>,
}

/// How many resources of a type there are, how many versions of them, and when the last was written: changes with every
/// write of one.
pub type TypeVersions = (i64, i64, Option<DateTime<Utc>>);

impl Store {
    /// The database's time and the custom search parameters that are noted. A resource that is read afterwards is at least
    /// as new.
    pub async fn parameter_states(&self) -> Result<(DateTime<Utc>, Vec<ParameterState>)> {
        let rows = self.on_coordinator(PARAMETER_STATES, &[]).await?;
        let now = rows.first().map(|row| row.get("now")).ok_or_else(|| Error::internal("the database has no time"))?;
        let state = |row: &Row| {
            Some(ParameterState {
                id: row.get::<_, Option<String>>("id")?,
                hash: row.get("hash"),
                made: row.get("made"),
                complete: row.get("complete"),
                done: row.get::<_, Option<i64>>("done").unwrap_or_default(),
                total: row.get("total"),
            })
        };
        Ok((now, rows.iter().filter_map(state).collect()))
    }

    pub async fn type_versions(&self, resource_type: ResourceType) -> Result<TypeVersions> {
        let rows = self.on_all_shards(TYPE_VERSIONS, &[&resource_type.as_str()]).await?;
        let row = rows.first().ok_or_else(|| Error::internal("a count has no row"))?;
        Ok((row.get("resources"), row.get("versions"), row.get("latest")))
    }

    /// The ids and bodies of all SearchParameter resources.
    pub async fn parameter_bodies(&self, grant: &Grant) -> Result<Vec<(Id, Vec<u8>)>> {
        grant.demand_everything()?;
        let parameters: Parameters = &[&ResourceType::SEARCH_PARAMETER.as_str(), &RESOURCES_MAX];
        let rows = self.on_all_shards(PARAMETER_BODIES, parameters).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let id = Id::parse(row.get("id")).map_err(Error::internal)?;
            found.push((id, self.decode(row.get("body")).await?));
        }
        Ok(found)
    }

    /// The ids and bodies of the custom search parameters that are noted: all that are answered are among them.
    pub async fn parameter_copies(&self) -> Result<Vec<(Id, Vec<u8>)>> {
        let rows = self.on_coordinator(PARAMETER_COPIES, &[]).await?;
        let copy = |row: &Row| Ok((Id::parse(row.get("id")).map_err(Error::internal)?, row.get("definition")));
        rows.iter().map(copy).collect()
    }

    /// Notes a search parameter that is new, or whose expression is; `before`: the hash that it is noted with.
    pub async fn note_parameter(&self, id: &str, hash: i64, before: Option<i64>, body: &[u8]) -> Result<()> {
        self.on_coordinator(NOTE_PARAMETER, &[&id, &hash, &before, &body]).await.map(drop)
    }

    pub async fn forget_parameter(&self, state: &ParameterState) -> Result<()> {
        self.on_coordinator(FORGET_PARAMETER, &[&state.id, &state.hash, &state.made]).await.map(drop)
    }

    /// Begins again with the search parameters that were noted after this time; whether there are any.
    pub async fn doubt_parameters(&self, since: DateTime<Utc>) -> Result<bool> {
        Ok(!self.on_coordinator(DOUBT_PARAMETERS, &[&since]).await?.is_empty())
    }

    pub async fn enter_server(&self, server: i64) -> Result<()> {
        self.on_coordinator(ENTER_SERVER, &[&server]).await.map(drop)
    }

    /// This server is alive, and knows the search parameters of this time. False: it was taken for dead.
    pub async fn report_server(&self, server: i64, synced: Option<DateTime<Utc>>) -> Result<bool> {
        Ok(!self.on_coordinator(REPORT_SERVER, &[&server, &synced]).await?.is_empty())
    }

    pub async fn leave_server(&self, server: i64) -> Result<()> {
        self.on_coordinator(LEAVE_SERVER, &[&server]).await.map(drop)
    }

    /// How many servers may not know yet what was noted before this time.
    pub async fn servers_behind(&self, time: DateTime<Utc>) -> Result<i64> {
        let rows = self.on_coordinator(SERVERS_BEHIND, &[&time]).await?;
        Ok(rows.first().map_or(0, |row| row.get("servers")))
    }

    /// Runs a statement on the coordinator, or the only node.
    pub(super) async fn on_coordinator(&self, statement: Statement, parameters: Parameters<'_>) -> Result<Vec<Row>> {
        let connection = self.nodes.coordinator().connect().await.map_err(Failure::into_error)?;
        connection.query(statement, parameters).await.map_err(Failure::into_error)
    }

    /// Runs a statement on the node that owns a compartment.
    pub(super) async fn in_compartment(
        &self,
        compartment: &str,
        statement: Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>> {
        let connection = self.nodes.connect_to(compartment).await.map_err(Failure::into_error)?;
        connection.query(statement, parameters).await.map_err(Failure::into_error)
    }

    /// Runs a statement that asks every shard, for work that nobody waits for.
    pub(super) async fn on_all_shards(&self, statement: Statement, parameters: Parameters<'_>) -> Result<Vec<Row>> {
        let rows = self.on_all_shards_within(PATIENCE, statement, parameters).await?;
        rows.ok_or_else(|| Error::busy(1).caused_by("a part of the database does not answer"))
    }

    /// `None`: it took longer. Not under the node's deadline, which would take the coordinator for broken and leave it
    /// alone for a while: a worker that is frozen must not cost others their answers.
    pub(super) async fn on_all_shards_within(
        &self,
        patience: Duration,
        statement: Statement,
        parameters: Parameters<'_>,
    ) -> Result<Option<Vec<Row>>> {
        let connection = self.nodes.coordinator().connect().await.map_err(Failure::into_error)?;
        connection.hold();
        match tokio::time::timeout(patience, connection.query_unbounded(statement, parameters)).await {
            Ok(rows) => {
                let rows = rows.map_err(Failure::into_error)?;
                connection.release();
                Ok(Some(rows))
            }
            Err(_) => Ok(None),
        }
    }
}
