//! The database that the settings name: a server of the operator's, or the embedded one.

use super::embedded::{EmbeddedPostgres, Role};
use crate::config::Settings;
use crate::error::{Error, Result};
use std::time::Duration;

/// How long to wait for a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A way to the database, and the embedded server when there is one.
pub struct Database {
    pub(super) config: tokio_postgres::Config,
    embedded: Option<EmbeddedPostgres>,
}

impl Database {
    /// Finds or starts the database. `role`: whether an embedded one is this process's own, or a guest's.
    pub async fn open(settings: &Settings, role: Role, progress: impl Fn(&str) + Send + Sync) -> Result<Database> {
        let (mut config, embedded) = match &settings.database_url {
            Some(url) => {
                let config = url.reveal().parse::<tokio_postgres::Config>();
                let refused = |_| {
                    Error::invalid(
                        "BRASA_DATABASE_URL cannot be read. It looks like postgres://user:password@host:5432/name.",
                    )
                };
                (config.map_err(refused)?, None)
            }
            None => {
                let embedded = EmbeddedPostgres::start(&settings.data_dir, role, progress).await;
                let embedded = embedded.map_err(|fault| Error::invalid(fault.to_string()))?;
                (embedded.config(), Some(embedded))
            }
        };
        config.connect_timeout(CONNECT_TIMEOUT).application_name("brasa");
        Ok(Database { config, embedded })
    }

    /// One step of care for the embedded server: starts it again after it was killed.
    pub async fn revive(&self) -> Result<()> {
        let Some(embedded) = &self.embedded else { return Ok(()) };
        embedded.revive().await.map(|_| ()).map_err(Error::internal)
    }

    /// Stops the embedded server, if it is this process's own.
    pub async fn close(self) -> Result<()> {
        match self.embedded {
            Some(embedded) => embedded.stop().await.map_err(Error::internal),
            None => Ok(()),
        }
    }
}
