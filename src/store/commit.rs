//! The one way to write: versions, their homes, members and identifiers commit together or not at all.

use super::body::EncodedBody;
use super::identifier::Identifier;
use super::node::Connection;
use super::read::{Reader, Stored};
use super::sqlstate::{Failure, Phase};
use super::statement::{
    ARCHIVE, LOCK_CURRENT, MOVE_HISTORY, REMOVE_CURRENT, REMOVE_HISTORY, REMOVE_IDENTIFIER, REMOVE_MEMBER, REPLACE,
    SET_HOME, SET_RECEIPT,
};
use super::{Nodes, Store};
use crate::auth::{Filter, Grant};
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id, Place, VersionId};
use chrono::{DateTime, Utc};
use deadpool_postgres::ClientWrapper;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use tokio_postgres::types::ToSql;

/// Statements sent before their answers are awaited. Enough to hide the round trip, few enough to keep order cheap.
const PIPELINE_LENGTH: usize = 30;
/// Rows of one INSERT. One statement of many rows costs a fraction of many statements; sizes are few so that the
/// prepared ones are met again.
const ROWS_MAX: usize = 128;

/// A version to be stored.
#[derive(Debug, Clone)]
pub struct NewVersion {
    pub resource_type: ResourceType,
    pub id: Id,
    pub compartment: Compartment,
    pub version_id: VersionId,
    pub last_updated: DateTime<Utc>,
    /// POST, PUT or DELETE.
    pub method: &'static str,
    /// `None`: a deletion.
    pub body: Option<EncodedBody>,
    /// Patients besides the one whose compartment this is.
    pub members: Vec<Id>,
    pub identifiers: Vec<Identifier>,
}

/// What the version that is superseded left beside its own row.
#[derive(Debug, Clone)]
pub struct Previous {
    pub compartment: Compartment,
    pub version_id: VersionId,
    pub members: Vec<Id>,
    pub identifiers: Vec<Identifier>,
}

/// One change to one resource.
#[derive(Debug, Clone)]
pub struct Write {
    pub version: NewVersion,
    pub previous: Option<Previous>,
    /// The id was chosen by a client, so `resource_home` must guard it against a second one elsewhere.
    pub claims_id: bool,
}

/// Why nothing was written.
#[derive(Debug)]
pub enum WriteFailure {
    /// Another writer was faster: look at the current versions again and repeat the whole transaction.
    Raced(Error),
    Refused(Error),
}

impl From<Failure> for WriteFailure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Raced(error) => WriteFailure::Raced(error),
            other => WriteFailure::Refused(other.into_error()),
        }
    }
}

impl From<Error> for WriteFailure {
    fn from(error: Error) -> Self {
        WriteFailure::Refused(error)
    }
}

/// What a transaction will touch: it runs on the node that owns all of it, or on the coordinator.
pub struct Scope {
    pub compartments: Vec<String>,
}

/// A transaction under way. Dropped without commit, it closes its connection and nothing is written.
pub struct Transaction<'a> {
    store: &'a Store,
    grant: &'a Grant,
    connection: Connection,
    begun: bool,
}

impl Store {
    /// Takes a connection for a transaction. BEGIN goes out with the first statement.
    pub async fn transaction<'a>(&'a self, grant: &'a Grant, scope: Scope) -> Result<Transaction<'a>> {
        let Filter::Everything = grant.filter();
        let connection = self.nodes.connect_to_all(scope.compartments.iter().map(String::as_str)).await;
        let connection = connection.map_err(Failure::into_error)?;
        Ok(Transaction { store: self, grant, connection, begun: false })
    }
}

impl<'a> Transaction<'a> {
    /// Reads that see what this transaction wrote.
    pub fn reader(&self) -> Reader<'_> {
        Reader::inside(self.store, self.grant, &self.connection)
    }

    /// Locks the current versions of these resources until the end and returns them; `None` for one that never existed.
    /// Locks are taken in the order of the keys, so that two transactions cannot wait for each other.
    pub async fn lock(
        &mut self,
        keys: &[(ResourceType, Id)],
    ) -> std::result::Result<Vec<Option<Stored>>, WriteFailure> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.begin().await?;
        let this = &*self;
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_by_key(|&position| keys.get(position));
        let mut locked = vec![None; keys.len()];
        for chunk in order.chunks(PIPELINE_LENGTH) {
            let mut answers = Vec::with_capacity(chunk.len());
            for (resource_type, id) in chunk.iter().filter_map(|&position| keys.get(position)) {
                answers.push(this.lock_one(*resource_type, id));
            }
            for (&position, found) in chunk.iter().zip(join_all(answers).await) {
                if let Some(slot) = locked.get_mut(position) {
                    *slot = found?;
                }
            }
        }
        Ok(locked)
    }

    async fn lock_one(
        &self,
        resource_type: ResourceType,
        id: &Id,
    ) -> std::result::Result<Option<Stored>, WriteFailure> {
        let place = Place::of(resource_type, id);
        if let Some(found) = self.lock_at(resource_type, id, place.compartment()).await? {
            return Ok(Some(found));
        }
        match self.reader().home_beyond(&place, resource_type, id).await? {
            Some(home) => self.lock_at(resource_type, id, &home).await,
            None => Ok(None),
        }
    }

    async fn lock_at(
        &self,
        resource_type: ResourceType,
        id: &Id,
        at: &Compartment,
    ) -> std::result::Result<Option<Stored>, WriteFailure> {
        let parameters: [&(dyn ToSql + Sync); 3] = [&at.as_str(), &resource_type.as_str(), &id.as_str()];
        match self.connection.query_opt(LOCK_CURRENT, &parameters).await? {
            Some(row) => Ok(Some(self.reader().stored(resource_type, id.clone(), at.clone(), &row).await?)),
            None => Ok(None),
        }
    }

    async fn begin(&mut self) -> std::result::Result<(), Failure> {
        if !self.begun {
            self.connection.hold();
            self.connection.run("BEGIN", Phase::Statement).await?;
            self.begun = true;
        }
        Ok(())
    }

    /// Stages the writes without committing them, for reads that must see them; `commit_changes` with nothing ends it.
    pub async fn stage(&mut self, writes: &[Write], receipt: Option<&str>) -> std::result::Result<(), WriteFailure> {
        self.begin().await?;
        let operations = operations(&self.store.nodes, writes, receipt);
        run(&self.connection, &operations).await?;
        Ok(())
    }

    /// Writes and commits. Either all of it is stored when this returns `Ok`, or nothing is, or the error says that
    /// nobody knows. `receipt`: the key under which `brasa load` notes that this piece is stored.
    pub async fn commit_changes(
        mut self,
        writes: &[Write],
        receipt: Option<&str>,
    ) -> std::result::Result<(), WriteFailure> {
        let operations = operations(&self.store.nodes, writes, receipt);
        let single = operations.len() == 1 && !self.begun;
        if !single && !operations.is_empty() {
            self.begin().await?;
        }
        self.connection.hold();
        // One statement outside a transaction commits by itself.
        let phase = if single { Phase::Commit } else { Phase::Statement };
        let mut outcome = run_in(&self.connection, &operations, phase).await;
        if outcome.is_ok() && self.begun {
            outcome = self.connection.run("COMMIT", Phase::Commit).await;
        }
        match outcome {
            Ok(()) => {
                self.connection.release();
                Ok(())
            }
            Err(failure) => self.after_failure(failure, writes).await,
        }
    }

    /// An unknown outcome is looked up: what can be read is stored.
    async fn after_failure(self, failure: Failure, writes: &[Write]) -> std::result::Result<(), WriteFailure> {
        let (store, grant) = (self.store, self.grant);
        if self.begun && !matches!(failure, Failure::NodeDown(_)) {
            // The server knows that the transaction failed; ending it keeps the connection.
            if self.connection.run("ROLLBACK", Phase::Statement).await.is_ok() {
                self.connection.release();
            }
        } else if !self.begun && !matches!(failure, Failure::NodeDown(_)) {
            self.connection.release();
        }
        drop(self.connection);
        let error = match failure {
            Failure::Raced(error) => return Err(WriteFailure::Raced(error)),
            other => other.into_error(),
        };
        if error.kind != Kind::UnknownOutcome {
            return Err(WriteFailure::Refused(error));
        }
        match writes.first() {
            Some(write) if is_stored(store, grant, &write.version).await => Ok(()),
            _ => Err(WriteFailure::Refused(error)),
        }
    }

    /// Gives the transaction up: nothing of it is written.
    pub async fn roll_back(self) {
        if self.begun && self.connection.run("ROLLBACK", Phase::Statement).await.is_ok() {
            self.connection.release();
        }
    }
}

/// Whether exactly this version can be read now. All writes of a transaction commit together, so one stands for all.
async fn is_stored(store: &Store, grant: &Grant, version: &NewVersion) -> bool {
    let found = store.reader(grant).version(version.resource_type, &version.id, version.version_id).await;
    matches!(found, Ok(Some(found)) if found.last_updated == version.last_updated && found.method == version.method)
}

/// A statement with its parameters, owned so that many can be under way.
struct Operation {
    sql: String,
    parameters: Vec<Box<dyn ToSql + Sync + Send>>,
    /// How many rows it must change; any other number is a fault.
    changes: Option<u64>,
}

impl Operation {
    fn new(sql: &str, parameters: Vec<Box<dyn ToSql + Sync + Send>>) -> Self {
        Operation { sql: sql.to_owned(), parameters, changes: None }
    }

    async fn execute(
        &self,
        client: &ClientWrapper,
        prepared: tokio_postgres::Statement,
    ) -> std::result::Result<u64, tokio_postgres::Error> {
        let mut parameters: Vec<&(dyn ToSql + Sync)> = Vec::with_capacity(self.parameters.len());
        for parameter in &self.parameters {
            parameters.push(&**parameter);
        }
        client.execute(&prepared, &parameters).await
    }
}

macro_rules! owned {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value) as Box<dyn ToSql + Sync + Send>),*] };
}

async fn run(connection: &Connection, operations: &[Operation]) -> std::result::Result<(), Failure> {
    run_in(connection, operations, Phase::Statement).await
}

/// Sends the operations in order, a pipeline's length at a time.
async fn run_in(connection: &Connection, operations: &[Operation], phase: Phase) -> std::result::Result<(), Failure> {
    for chunk in operations.chunks(PIPELINE_LENGTH) {
        let sent = connection.within(phase, async {
            let client = connection.client()?;
            let mut answers = Vec::with_capacity(chunk.len());
            for operation in chunk {
                answers.push(operation.execute(client, client.prepare_cached(&operation.sql).await?));
            }
            let mut changed = Vec::with_capacity(chunk.len());
            for answer in join_all(answers).await {
                changed.push(answer?);
            }
            Ok(changed)
        });
        let changed = sent.await?;
        let as_expected =
            chunk.iter().zip(&changed).all(|(operation, rows)| operation.changes.is_none_or(|n| n == *rows));
        if !as_expected {
            return Err(Failure::Other(Error::internal("a locked version was not the one that was written over")));
        }
    }
    Ok(())
}

/// The statements that make the writes, in an order that keeps each row's archive before its replacement.
fn operations(nodes: &Nodes, writes: &[Write], receipt: Option<&str>) -> Vec<Operation> {
    let mut operations = Vec::new();
    for write in writes {
        if let Some(previous) = &write.previous {
            supersede(&mut operations, &write.version, previous);
        }
    }
    let stays = |write: &&Write| write.previous.as_ref().is_none_or(|p| p.compartment != write.version.compartment);
    insert_rows(&mut operations, nodes, "resource (compartment, type, id, version_id, last_updated, method, body)", {
        writes.iter().filter(stays).map(|write| resource_row(&write.version)).collect()
    });
    let claims = writes.iter().filter(|write| write.claims_id);
    insert_rows(&mut operations, nodes, "resource_home (id, type, compartment)", {
        claims.map(|Write { version, .. }| row(version.id.as_str(), home_row(version))).collect()
    });
    insert_rows(&mut operations, nodes, "compartment_member (compartment, type, id, home)", {
        writes.iter().flat_map(new_members).collect()
    });
    insert_rows(&mut operations, nodes, "identifier_home (key, system_hash, type, id)", {
        writes.iter().flat_map(new_identifiers).collect()
    });
    if let Some(key) = receipt {
        operations.push(Operation::new(SET_RECEIPT.sql, owned![key.to_owned(), Utc::now()]));
    }
    operations
}

/// What must happen to the current version before the next one is in its place.
fn supersede(operations: &mut Vec<Operation>, version: &NewVersion, previous: &Previous) {
    let (old, type_name, id) =
        (previous.compartment.as_str().to_owned(), version.resource_type.as_str(), version.id.as_str().to_owned());
    let moved = previous.compartment != version.compartment;
    let once = |mut operation: Operation| {
        operation.changes = Some(1);
        operation
    };
    let archive = owned![old.clone(), type_name, id.clone(), version.last_updated];
    operations.push(once(Operation::new(ARCHIVE.sql, archive)));
    if moved {
        let new = version.compartment.as_str().to_owned();
        operations.push(Operation::new(MOVE_HISTORY.sql, owned![old.clone(), type_name, id.clone(), new.clone()]));
        operations.push(Operation::new(REMOVE_HISTORY.sql, owned![old.clone(), type_name, id.clone()]));
        let remove = owned![old, type_name, id.clone(), previous.version_id.0];
        operations.push(once(Operation::new(REMOVE_CURRENT.sql, remove)));
        operations.push(Operation::new(SET_HOME.sql, owned![id.clone(), type_name, new]));
    } else {
        let body = version.body.as_ref().map(|body| body.0.clone());
        let replace = owned![
            old,
            type_name,
            id.clone(),
            version.version_id.0,
            version.last_updated,
            version.method,
            body,
            previous.version_id.0
        ];
        operations.push(once(Operation::new(REPLACE.sql, replace)));
    }
    for member in previous.members.iter().filter(|member| moved || !version.members.contains(member)) {
        let parameters = owned![member.as_str().to_owned(), type_name, id.clone()];
        operations.push(Operation::new(REMOVE_MEMBER.sql, parameters));
    }
    for gone in previous.identifiers.iter().filter(|identifier| !version.identifiers.contains(identifier)) {
        let parameters = owned![gone.key(version.resource_type), gone.system_hash(), type_name, id.clone()];
        operations.push(Operation::new(REMOVE_IDENTIFIER.sql, parameters));
    }
}

/// A row to insert: the value of its distribution column, and all its values.
struct Row {
    distribution: String,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

fn row(distribution: &str, values: Vec<Box<dyn ToSql + Sync + Send>>) -> Row {
    Row { distribution: distribution.to_owned(), values }
}

fn resource_row(version: &NewVersion) -> Row {
    let values = owned![
        version.compartment.as_str().to_owned(),
        version.resource_type.as_str(),
        version.id.as_str().to_owned(),
        version.version_id.0,
        version.last_updated,
        version.method,
        version.body.as_ref().map(|body| body.0.clone()),
    ];
    row(version.compartment.as_str(), values)
}

fn home_row(version: &NewVersion) -> Vec<Box<dyn ToSql + Sync + Send>> {
    let (id, compartment) = (version.id.as_str().to_owned(), version.compartment.as_str().to_owned());
    owned![id, version.resource_type.as_str(), compartment]
}

fn new_members(write: &Write) -> Vec<Row> {
    let Write { version, previous, .. } = write;
    let known = previous.as_ref().filter(|previous| previous.compartment == version.compartment);
    let is_new = |member: &&Id| known.is_none_or(|previous| !previous.members.contains(member));
    let rows = version.members.iter().filter(is_new).map(|member| {
        let (type_name, id) = (version.resource_type.as_str(), version.id.as_str().to_owned());
        let home = version.compartment.as_str().to_owned();
        row(member.as_str(), owned![member.as_str().to_owned(), type_name, id, home])
    });
    rows.collect()
}

fn new_identifiers(write: &Write) -> Vec<Row> {
    let Write { version, previous, .. } = write;
    let is_new =
        |identifier: &&Identifier| previous.as_ref().is_none_or(|previous| !previous.identifiers.contains(identifier));
    let rows = version.identifiers.iter().filter(is_new).map(|identifier| {
        let key = identifier.key(version.resource_type);
        let (type_name, id) = (version.resource_type.as_str(), version.id.as_str().to_owned());
        row(&key, owned![key.clone(), identifier.system_hash(), type_name, id])
    });
    rows.collect()
}

/// INSERTs of several rows each; on Citus the rows of one statement belong to one shard, so that it is one task.
fn insert_rows(operations: &mut Vec<Operation>, nodes: &Nodes, target: &str, rows: Vec<Row>) {
    let mut by_shard: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for row in rows {
        by_shard.entry(nodes.shard_of(&row.distribution)).or_default().push(row);
    }
    for mut rows in by_shard.into_values() {
        while !rows.is_empty() {
            // The largest power of two that fits: few different statements, each prepared once a connection.
            let size = 1 << rows.len().min(ROWS_MAX).ilog2();
            let rest = rows.split_off(size);
            operations.push(insert(target, std::mem::replace(&mut rows, rest)));
        }
    }
}

fn insert(target: &str, rows: Vec<Row>) -> Operation {
    let mut sql = format!("INSERT INTO {target} VALUES ");
    let mut parameters = Vec::new();
    for (position, row) in rows.into_iter().enumerate() {
        sql.push_str(if position > 0 { ", (" } else { "(" });
        for (column, value) in row.values.into_iter().enumerate() {
            parameters.push(value);
            if column > 0 {
                sql.push_str(", ");
            }
            sql.push('$');
            sql.push_str(&parameters.len().to_string());
        }
        sql.push(')');
    }
    Operation { sql, parameters, changes: None }
}
