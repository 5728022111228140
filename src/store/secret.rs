//! Secrets that all servers on one database share: made by a migration, read at the start.

use super::node::Node;
use super::sqlstate::{Failure, Phase};
use crate::error::{Error, Result};
use std::sync::Arc;

const READ: &str = include_str!("../../sql/statements/secret/read.sql");

/// The secret under a name (32 bytes).
pub(super) async fn read(node: &Arc<Node>, name: &str) -> Result<[u8; 32]> {
    let connection = node.connect().await.map_err(Failure::into_error)?;
    let read = async { Ok(connection.client()?.query_one(READ, &[&name]).await?) };
    let row = connection.within(Phase::Statement, read).await.map_err(Failure::into_error)?;
    row.get::<_, &[u8]>("bytes").try_into().map_err(|_| Error::internal("a secret of the database has another length"))
}
