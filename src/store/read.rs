//! Reading versions: by id, by version, and where an id lives that does not tell.

use super::Store;
use super::node::{Connection, Parameters};
use super::search::sql::Sql;
use super::search::{Step, Trace};
use super::sqlstate::Failure;
use super::statement::{FIND_HOME, FIND_RECEIPT, READ_CURRENT, READ_VERSION, Statement};
use crate::auth::Grant;
use crate::auth::policy::Permission;
use crate::error::Result;
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id, Place, VersionId};
use chrono::{DateTime, Utc};
use std::time::Instant;
use tokio_postgres::Row;

/// One version as it is stored. `body` is JSON, or `None` for a deletion.
#[derive(Debug, Clone)]
pub struct Stored {
    pub resource_type: ResourceType,
    pub id: Id,
    pub compartment: Compartment,
    pub version_id: VersionId,
    pub last_updated: DateTime<Utc>,
    /// The HTTP method that made this version: POST, PUT, PATCH or DELETE.
    pub method: String,
    pub body: Option<Vec<u8>>,
}

/// How an id is looked for that may be in another place than the likeliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// As few statements as find it.
    AsNeeded,
    /// As many as could be needed, whatever is found: for who may not see everything, what is not there must take as long
    /// as what may not be seen.
    Even,
}

impl Effort {
    /// Whether nothing more is to be asked.
    pub fn is_enough(self, place: &Place, is_found: bool) -> bool {
        matches!(place, Place::Certain(_)) || is_found && self == Effort::AsNeeded
    }

    /// Where to look next.
    pub fn next(self, home: Option<Compartment>, place: &Place) -> Option<Compartment> {
        home.or_else(|| (self == Effort::Even).then(|| place.compartment().clone()))
    }
}

/// Reads under a grant; inside a transaction when it was made by one.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub(super) store: &'a Store,
    pub(super) grant: &'a Grant,
    inside: Option<&'a Connection>,
    trace: Option<&'a Trace>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(store: &'a Store, grant: &'a Grant) -> Self {
        Reader { store, grant, inside: None, trace: None }
    }

    pub(super) fn inside(store: &'a Store, grant: &'a Grant, connection: &'a Connection) -> Self {
        Reader { store, grant, inside: Some(connection), trace: None }
    }

    /// Whose eyes it reads with.
    pub fn grant(&self) -> &'a Grant {
        self.grant
    }

    /// Keeps account of its statements.
    #[must_use]
    pub fn traced(self, trace: &'a Trace) -> Self {
        Reader { trace: Some(trace), ..self }
    }

    /// The current version, which may be a deletion. `None`: never existed, or may not be seen.
    pub async fn current(&self, resource_type: ResourceType, id: &Id) -> Result<Option<Stored>> {
        if self.sees_all(Permission::Read, resource_type)? {
            return self.any_current(resource_type, id, Effort::AsNeeded).await;
        }
        let found = self.any_current(resource_type, id, Effort::Even).await?;
        self.seen(resource_type, found).await
    }

    /// One version, current or superseded. It is seen by whom may see it and what the resource is now.
    pub async fn version(&self, resource_type: ResourceType, id: &Id, version: VersionId) -> Result<Option<Stored>> {
        if self.sees_all(Permission::Read, resource_type)? {
            return self.any_version(resource_type, id, version, Effort::AsNeeded).await;
        }
        let found = self.any_version(resource_type, id, version, Effort::Even).await?;
        let found = self.seen(resource_type, found).await?;
        let current = self.current(resource_type, id).await?;
        Ok(found.filter(|_| current.is_some()))
    }

    /// What may be seen is asked whether or not there is something.
    async fn seen(&self, resource_type: ResourceType, found: Option<Stored>) -> Result<Option<Stored>> {
        let visible = Box::pin(self.visible(Permission::Read, &[resource_type])).await?;
        match found {
            Some(found) => Ok(self.store.shows(&visible, &found)?.then_some(found)),
            None => Ok(None),
        }
    }

    /// The current version, whoever may see it.
    async fn any_current(&self, resource_type: ResourceType, id: &Id, effort: Effort) -> Result<Option<Stored>> {
        let place = Place::of(resource_type, id);
        let found = self.current_at(resource_type, id, place.compartment()).await?;
        if effort.is_enough(&place, found.is_some()) {
            return Ok(found);
        }
        let beyond = match effort.next(self.home_beyond(&place, resource_type, id).await?, &place) {
            Some(home) => self.current_at(resource_type, id, &home).await?,
            None => None,
        };
        Ok(found.or(beyond))
    }

    /// One version, whoever may see it.
    pub(super) async fn any_version(
        &self,
        resource_type: ResourceType,
        id: &Id,
        version: VersionId,
        effort: Effort,
    ) -> Result<Option<Stored>> {
        let place = Place::of(resource_type, id);
        let found = self.version_at(resource_type, id, version, place.compartment()).await?;
        if effort.is_enough(&place, found.is_some()) {
            return Ok(found);
        }
        let beyond = match effort.next(self.home_beyond(&place, resource_type, id).await?, &place) {
            Some(home) => self.version_at(resource_type, id, version, &home).await?,
            None => None,
        };
        Ok(found.or(beyond))
    }

    /// The compartment that `resource_home` names for an id that does not tell its place for certain.
    pub(super) async fn home_beyond(
        &self,
        place: &Place,
        resource_type: ResourceType,
        id: &Id,
    ) -> Result<Option<Compartment>> {
        if let Place::Certain(_) = place {
            return Ok(None);
        }
        let rows = self.query(id.as_str(), FIND_HOME, &[&id.as_str(), &resource_type.as_str()]).await?;
        // It may name the place where nothing was found a moment ago: the resource has just come back there.
        Ok(rows.first().map(|row| Compartment::from_stored(row.get("compartment"))))
    }

    /// Whether `brasa load` has stored the piece with this key.
    pub async fn has_receipt(&self, key: &str) -> Result<bool> {
        self.grant.demand_everything()?;
        Ok(!self.query(key, FIND_RECEIPT, &[&key]).await?.is_empty())
    }

    async fn current_at(&self, resource_type: ResourceType, id: &Id, at: &Compartment) -> Result<Option<Stored>> {
        let parameters: Parameters = &[&at.as_str(), &resource_type.as_str(), &id.as_str()];
        let mut rows = self.query(at.as_str(), READ_CURRENT, parameters).await?;
        match rows.pop() {
            Some(row) => Ok(Some(self.stored(resource_type, id.clone(), at.clone(), &row).await?)),
            None => Ok(None),
        }
    }

    async fn version_at(
        &self,
        resource_type: ResourceType,
        id: &Id,
        version: VersionId,
        at: &Compartment,
    ) -> Result<Option<Stored>> {
        let parameters: Parameters = &[&at.as_str(), &resource_type.as_str(), &id.as_str(), &version.0];
        let mut rows = self.query(at.as_str(), READ_VERSION, parameters).await?;
        match rows.pop() {
            Some(row) => Ok(Some(self.stored(resource_type, id.clone(), at.clone(), &row).await?)),
            None => Ok(None),
        }
    }

    /// Runs a statement on the node that owns `value`, a value of the distribution column.
    pub(super) async fn query(
        &self,
        value: &str,
        statement: Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>> {
        let Some(trace) = self.trace else { return self.run(value, statement, parameters).await };
        let started = Instant::now();
        let rows = self.run(value, statement, parameters).await?;
        let took = started.elapsed();
        let connection = self.store.nodes.connect_to(value).await.map_err(Failure::into_error)?;
        let plan = connection.explain(statement, parameters).await.map_err(Failure::into_error)?;
        let (purpose, text) = (statement.name, statement.sql.trim().to_owned());
        trace.note(Step { purpose, statement: text, runnable: None, rows: rows.len(), took, shards: None, plan });
        Ok(rows)
    }

    async fn run(&self, value: &str, statement: Statement, parameters: Parameters<'_>) -> Result<Vec<Row>> {
        if let Some(connection) = self.inside {
            return connection.query(statement, parameters).await.map_err(Failure::into_error);
        }
        let connection = self.store.nodes.connect_to(value).await.map_err(Failure::into_error)?;
        match connection.query(statement, parameters).await {
            Ok(rows) => Ok(rows),
            // A pooled connection may have died while it was idle (the database restarted, a worker came back): a read
            // is repeated once, through the coordinator, which knows best.
            Err(Failure::NodeDown(_)) => {
                drop(connection);
                let connection = self.store.nodes.coordinator().connect().await.map_err(Failure::into_error)?;
                connection.query(statement, parameters).await.map_err(Failure::into_error)
            }
            Err(failure) => Err(failure.into_error()),
        }
    }

    /// Runs a statement of a search: on the node that owns `value`, or over all shards. There it is planned for its
    /// values each time, since how frequent they are decides the plan; on one shard it is planned once.
    pub(super) async fn query_sql(&self, purpose: &'static str, value: Option<&str>, sql: &Sql) -> Result<Vec<Row>> {
        let Some(trace) = self.trace else { return self.run_sql(value, sql).await };
        let started = Instant::now();
        let rows = self.run_sql(value, sql).await?;
        let took = started.elapsed();
        let plan = self.run_sql(value, &sql.explained()).await?;
        let plan = plan.iter().map(|row| row.get(0)).collect();
        let (statement, runnable) = (sql.text().to_owned(), Some(sql.runnable()));
        trace.note(Step { purpose, statement, runnable, rows: rows.len(), took, shards: None, plan });
        Ok(rows)
    }

    async fn run_sql(&self, value: Option<&str>, sql: &Sql) -> Result<Vec<Row>> {
        if let Some(connection) = self.inside {
            return connection.query_sql(sql, value.is_some()).await.map_err(Failure::into_error);
        }
        let nodes = &self.store.nodes;
        let connection = match value {
            Some(value) => nodes.connect_to(value).await,
            None => nodes.coordinator().connect().await,
        };
        let connection = connection.map_err(Failure::into_error)?;
        match connection.query_sql(sql, value.is_some()).await {
            Err(Failure::NodeDown(_)) => {
                drop(connection);
                let connection = nodes.coordinator().connect().await.map_err(Failure::into_error)?;
                connection.query_sql(sql, value.is_some()).await.map_err(Failure::into_error)
            }
            answer => answer.map_err(Failure::into_error),
        }
    }

    /// Runs a statement that asks every shard.
    pub(super) async fn query_all(&self, statement: Statement, parameters: Parameters<'_>) -> Result<Vec<Row>> {
        if let Some(connection) = self.inside {
            return connection.query(statement, parameters).await.map_err(Failure::into_error);
        }
        let connection = self.store.nodes.coordinator().connect().await.map_err(Failure::into_error)?;
        connection.query(statement, parameters).await.map_err(Failure::into_error)
    }

    pub(super) async fn stored(
        &self,
        resource_type: ResourceType,
        id: Id,
        compartment: Compartment,
        row: &Row,
    ) -> Result<Stored> {
        let body = match row.get::<_, Option<&[u8]>>("body") {
            Some(body) => Some(self.store.decode(body).await?),
            None => None,
        };
        Ok(Stored {
            resource_type,
            id,
            compartment,
            version_id: VersionId(row.get("version_id")),
            last_updated: row.get("last_updated"),
            method: row.get("method"),
            body,
        })
    }
}
