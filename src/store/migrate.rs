//! Brings the database's tables to the version that this binary needs, one server at a time.

use super::node::Node;
use super::sqlstate::Failure;
use crate::error::{Error, Result};
use chrono::Utc;
use refinery::{Migration, Runner, Target};
use std::sync::Arc;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

mod tables {
    refinery::embed_migrations!("sql/migrations");
}

mod distribution {
    refinery::embed_migrations!("sql/citus/migrations");
}

/// Held while migrating, so that servers that start together take turns. The number only has to be Brasa's own.
const LOCK: i64 = 0x0062_7261_7361;

/// Whether the database has the Citus extension; makes it where the server was started with Citus loaded, or where
/// `demanded`.
pub async fn citus_is_offered(node: &Arc<Node>, demanded: bool) -> Result<bool> {
    let mut connection = node.connect().await.map_err(Failure::into_error)?;
    let client = connection.client_mut().ok_or_else(|| Error::internal("no connection"))?;
    let row = client.query_one(CITUS_STATE, &[]).await.map_err(fault)?;
    let (made, loaded): (bool, bool) = (row.get("made"), row.get("loaded"));
    if !made && (loaded || demanded) {
        client.batch_execute("CREATE EXTENSION IF NOT EXISTS citus").await.map_err(fault)?;
    }
    Ok(made || loaded || demanded)
}

const NOTE: &str = include_str!("../../sql/statements/migration/note.sql");
const CITUS_NOTE: &str = include_str!("../../sql/citus/statements/note_migration.sql");
const CITUS_STATE: &str = include_str!("../../sql/citus/statements/state.sql");

/// Runs the migrations that are missing; on Citus also distributes what they made, over so many shards.
pub async fn migrate(node: &Arc<Node>, citus_shards: Option<u32>) -> Result<()> {
    let mut connection = node.connect().await.map_err(Failure::into_error)?;
    // The lock and the settings belong to this session: it ends here instead of going back to the pool.
    connection.hold();
    let client = connection.client_mut().ok_or_else(|| Error::internal("no connection"))?;
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.map_err(fault)?;
    run(client, tables::migrations::runner, NOTE).await?;
    if let Some(shards) = citus_shards {
        distribute(client, shards).await?;
    }
    Ok(())
}

async fn distribute(client: &mut Client, shards: u32) -> Result<()> {
    let shards = shards.to_string();
    client.execute("SELECT set_config('citus.shard_count', $1, false)", &[&shards]).await.map_err(fault)?;
    let runner = || {
        let mut runner = distribution::migrations::runner();
        runner.set_migration_table_name("citus_schema_history");
        runner
    };
    run(client, runner, CITUS_NOTE).await
}

/// Runs what is missing, each migration in a transaction and each of its statements by itself: of a text with several,
/// Citus sends the whole to a worker for the first. refinery keeps the book and says what does not fit it.
async fn run(client: &mut Client, runner: impl Fn() -> Runner, note: &str) -> Result<()> {
    // Makes the table of the book, and stops at a migration that is not the one which was applied.
    runner().set_target(Target::Version(0)).run_async(client).await.map_err(Error::internal)?;
    let applied = runner().get_applied_migrations_async(client).await.map_err(Error::internal)?;
    let is_missing = |one: &&Migration| !applied.iter().any(|known| known.version() == one.version());
    let mut missing: Vec<Migration> = runner().get_migrations().iter().filter(is_missing).cloned().collect();
    missing.sort_by_key(Migration::version);
    for migration in missing {
        let failed = |error| Error::internal(format!("{migration}: {}", super::sqlstate::cause(&error)));
        let transaction = client.transaction().await.map_err(failed)?;
        for statement in statements(migration.sql().unwrap_or_default()) {
            transaction.batch_execute(statement).await.map_err(failed)?;
        }
        let (now, checksum) = (Utc::now().to_rfc3339(), migration.checksum().to_string());
        let values: [&(dyn ToSql + Sync); 4] = [&migration.version(), &migration.name(), &now, &checksum];
        transaction.execute(note, &values).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
    }
    Ok(())
}

/// The statements of a migration: each ends with a semicolon at the end of a line.
fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.split_inclusive(";\n").filter(|statement| statement.contains(';'))
}

fn fault(fault: tokio_postgres::Error) -> Error {
    Error::internal(super::sqlstate::cause(&fault))
}
