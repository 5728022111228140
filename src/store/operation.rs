//! The statements that make a list of writes, in order, and sending them in a pipeline.

use super::Nodes;
use super::commit::{NewVersion, Previous, Write};
use super::identifier::Identifier;
use super::index;
use super::node::Connection;
use super::sqlstate::{Failure, Phase};
use super::statement::{
    ARCHIVE, INSERT_HOME, INSERT_IDENTIFIER, INSERT_MEMBER, INSERT_RESOURCE, Insert, MOVE_HISTORY, REMOVE_CURRENT,
    REMOVE_HISTORY, REMOVE_IDENTIFIER, REMOVE_MEMBER, REPLACE, SET_HOME, SET_RECEIPT,
};
use crate::error::Error;
use crate::fhir::id::Id;
use chrono::Utc;
use deadpool_postgres::ClientWrapper;
use futures_util::future::{join_all, join3};
use std::collections::BTreeMap;
use std::time::Instant;
use tokio_postgres::types::ToSql;

/// Statements sent before their answers are awaited: enough to hide the round trip. Not more than 30, up to which
/// `join_all` polls, and so sends, strictly in order.
pub(super) const PIPELINE_LENGTH: usize = 30;
/// Rows of one INSERT. One statement of many rows costs a fraction of many statements.
const ROWS_MAX: usize = 128;
/// Up to so many rows go out as one INSERT; beyond, sizes are powers of two, so that prepared ones are met again.
const EXACT_ROWS_MAX: usize = 32;

/// A statement with its parameters, owned so that many can be under way.
pub(super) struct Operation {
    sql: String,
    parameters: Vec<Box<dyn ToSql + Sync + Send>>,
    /// How many rows it must change; any other number is a fault.
    changes: Option<u64>,
}

impl Operation {
    pub fn new(sql: &str, parameters: Vec<Box<dyn ToSql + Sync + Send>>) -> Self {
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

/// Values of any types, boxed.
macro_rules! owned {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value) as Box<dyn tokio_postgres::types::ToSql + Sync + Send>),*] };
}
pub(super) use owned;

/// What goes out in front of the first operation and behind the last, in the same flight.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Frame {
    pub begin: bool,
    pub commit: bool,
}

/// Whether COMMIT may follow in the same flight: one flight is enough, and no answer has to be looked at before.
pub(super) fn can_commit_at_once(operations: &[Operation]) -> bool {
    operations.len() <= PIPELINE_LENGTH && operations.iter().all(|operation| operation.changes.is_none())
}

/// Sends the operations in order, a pipeline's length at a time, and none after `ends`. A failed statement makes the
/// COMMIT behind it a ROLLBACK.
pub(super) async fn run(
    connection: &Connection,
    operations: &[Operation],
    frame: Frame,
    phase: Phase,
    ends: Instant,
) -> std::result::Result<(), Failure> {
    let flights = operations.chunks(PIPELINE_LENGTH).len();
    for (flight, chunk) in operations.chunks(PIPELINE_LENGTH).enumerate() {
        if Instant::now() > ends {
            let late = Error::busy(1).caused_by("the transaction takes longer than BRASA_TRANSACTION_DEADLINE_MS");
            return Err(Failure::Other(late));
        }
        let sent = connection.within(phase, async {
            let client = connection.client()?;
            let mut answers = Vec::with_capacity(chunk.len());
            for operation in chunk {
                answers.push(operation.execute(client, client.prepare_cached(&operation.sql).await?));
            }
            let begin = framed(client, "BEGIN", frame.begin && flight == 0);
            let commit = framed(client, "COMMIT", frame.commit && flight + 1 == flights);
            // Polled, and so sent, in this order.
            let (begun, answers, committed) = join3(begin, join_all(answers), commit).await;
            begun?;
            let mut changed = Vec::with_capacity(chunk.len());
            for answer in answers {
                changed.push(answer?);
            }
            committed?;
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

async fn framed(client: &ClientWrapper, sql: &str, really: bool) -> std::result::Result<(), tokio_postgres::Error> {
    if really { client.batch_execute(sql).await } else { Ok(()) }
}

/// The statements that make the writes, in an order that keeps each row's archive before its replacement.
pub(super) fn operations(nodes: &Nodes, writes: &[Write], receipt: Option<&str>) -> Vec<Operation> {
    let mut operations = Vec::new();
    for write in writes {
        if let Some(previous) = &write.previous {
            supersede(&mut operations, &write.version, previous);
        }
    }
    let stays = |write: &&Write| write.previous.as_ref().is_none_or(|p| p.compartment != write.version.compartment);
    let resources = writes.iter().filter(stays).map(|write| resource_row(&write.version)).collect();
    insert_rows(&mut operations, nodes, INSERT_RESOURCE, resources);
    for (target, rows) in index::rows(writes) {
        insert_rows(&mut operations, nodes, target, rows);
    }
    let claims = writes.iter().filter(|write| write.claims_id);
    let homes = claims.map(|Write { version, .. }| row(version.id.as_str(), home_row(version))).collect();
    insert_rows(&mut operations, nodes, INSERT_HOME, homes);
    insert_rows(&mut operations, nodes, INSERT_MEMBER, writes.iter().flat_map(new_members).collect());
    insert_rows(&mut operations, nodes, INSERT_IDENTIFIER, writes.iter().flat_map(new_identifiers).collect());
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
    for statement in index::removals(version, previous) {
        let parameters = owned![old.clone(), Vec::from_iter(previous.key)];
        operations.push(Operation::new(statement.sql, parameters));
    }
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
            previous.version_id.0,
            version.key,
            index::self_of(version.resource_type, &version.id),
            index::date(&version.entries),
            index::date_high(&version.entries),
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
pub(super) struct Row {
    distribution: String,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

pub(super) fn row(distribution: &str, values: Vec<Box<dyn ToSql + Sync + Send>>) -> Row {
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
        version.key,
        index::self_of(version.resource_type, &version.id),
        index::date(&version.entries),
        index::date_high(&version.entries),
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
pub(super) fn insert_rows(operations: &mut Vec<Operation>, nodes: &Nodes, target: Insert, rows: Vec<Row>) {
    let mut by_shard: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for row in rows {
        by_shard.entry(nodes.shard_of(&row.distribution)).or_default().push(row);
    }
    for mut rows in by_shard.into_values() {
        while !rows.is_empty() {
            let size = match rows.len() {
                few @ ..=EXACT_ROWS_MAX => few,
                many => 1 << many.min(ROWS_MAX).ilog2(),
            };
            let rest = rows.split_off(size);
            operations.push(insert(target, std::mem::replace(&mut rows, rest)));
        }
    }
}

fn insert(target: Insert, rows: Vec<Row>) -> Operation {
    let sql = target.sql(rows.len());
    let parameters = rows.into_iter().flat_map(|row| row.values).collect();
    Operation { sql, parameters, changes: None }
}
