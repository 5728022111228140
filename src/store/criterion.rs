//! Locks on criteria: of two requests that create, update or delete what meets one criterion, the second looks when the
//! first has written. They are held on the coordinator, wherever the resources are and whichever server asks.

use super::Store;
use super::node::Connection;
use super::sqlstate::{Failure, Phase};
use crate::auth::Grant;
use crate::error::Result;

const LOCK: &str = include_str!("../../sql/statements/criterion/lock.sql");
const UNLOCK: &str = "SELECT pg_advisory_unlock_all()";

/// Connections that hold locks or wait for them. They have a pool of their own: who holds a lock needs other connections
/// to go on, and must not find them all taken by those who wait for it.
pub(super) const CONNECTIONS_MAX: usize = 8;

/// Locks that are held until they are released; dropped, they go with their connection.
pub struct CriterionLock {
    connection: Connection,
}

impl Store {
    /// Waits until nobody else holds one of the locks. A key is a hash of the criterion. Whoever may call the store may
    /// hold one: it shows nothing.
    pub async fn lock_criteria(&self, _: &Grant, mut keys: Vec<i64>) -> Result<CriterionLock> {
        // In one order, so that two that want the same ones do not wait for each other.
        keys.sort_unstable();
        keys.dedup();
        let connection = self.locks.connect().await.map_err(Failure::into_error)?;
        connection.hold();
        for key in keys {
            let lock = async { Ok(connection.client()?.execute(LOCK, &[&key]).await?) };
            connection.within(Phase::Statement, lock).await.map_err(Failure::into_error)?;
        }
        Ok(CriterionLock { connection })
    }
}

impl CriterionLock {
    pub async fn release(self) {
        if self.connection.run(UNLOCK, Phase::Statement).await.is_ok() {
            self.connection.release();
        }
    }
}
