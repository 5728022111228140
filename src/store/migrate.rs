//! Brings the database's tables to the version that this binary needs, one server at a time.

use super::node::Node;
use super::sqlstate::Failure;
use crate::error::{Error, Result};
use std::sync::Arc;
use tokio_postgres::Client;

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

const CITUS_STATE: &str = include_str!("../../sql/citus/statements/state.sql");

/// Runs the migrations that are missing; on Citus also distributes what they made, over so many shards.
pub async fn migrate(node: &Arc<Node>, citus_shards: Option<u32>) -> Result<()> {
    let mut connection = node.connect().await.map_err(Failure::into_error)?;
    // The lock and the settings belong to this session: it ends here instead of going back to the pool.
    connection.hold();
    let client = connection.client_mut().ok_or_else(|| Error::internal("no connection"))?;
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.map_err(fault)?;
    tables::migrations::runner().run_async(client).await.map_err(Error::internal)?;
    if let Some(shards) = citus_shards {
        distribute(client, shards).await?;
    }
    Ok(())
}

async fn distribute(client: &mut Client, shards: u32) -> Result<()> {
    let shards = shards.to_string();
    client.execute("SELECT set_config('citus.shard_count', $1, false)", &[&shards]).await.map_err(fault)?;
    let mut runner = distribution::migrations::runner();
    runner.set_migration_table_name("citus_schema_history");
    runner.run_async(client).await.map_err(Error::internal)?;
    Ok(())
}

fn fault(fault: tokio_postgres::Error) -> Error {
    Error::internal(super::sqlstate::cause(&fault))
}
