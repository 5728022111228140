//! The database that the settings name: a server of the operator's, or the embedded one.

use super::embedded::{EmbeddedPostgres, Role};
use super::tls::Tls;
use crate::config::{DatabaseUrl, Encryption, Mode, Settings};
use crate::error::{Error, Result};
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::Host;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long to wait for a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A way to the database, and the embedded server when there is one.
pub struct Database {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
    embedded: Option<EmbeddedPostgres>,
}

impl Database {
    /// Finds or starts the database. `role`: whether an embedded one is this process's own, or a guest's.
    pub async fn open(settings: &Settings, role: Role, progress: impl Fn(&str) + Send + Sync) -> Result<Database> {
        let (mut config, encryption, embedded) = match &settings.database_url {
            Some(url) => {
                let (config, encryption) = read(url, settings.mode)?;
                (config, encryption, None)
            }
            None => {
                let embedded = EmbeddedPostgres::start(&settings.data_dir, role, progress).await;
                let embedded = embedded.map_err(|fault| Error::invalid(fault.to_string()))?;
                // By its socket, which PostgreSQL never encrypts.
                (embedded.config(), Encryption::Off, Some(embedded))
            }
        };
        let tls = Tls::new(&encryption)?;
        config.connect_timeout(CONNECT_TIMEOUT).ssl_mode(tls.mode);
        if config.get_application_name().is_none() {
            config.application_name("brasa");
        }
        Ok(Database { config, tls: tls.connect, embedded })
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

fn read(url: &DatabaseUrl, mode: Mode) -> Result<(Config, Encryption)> {
    let (address, encryption) = url.parts().map_err(Error::invalid)?;
    let refused =
        |_| Error::invalid("BRASA_DATABASE_URL cannot be read. It looks like postgres://user:password@host:5432/name.");
    let config: Config = address.parse().map_err(refused)?;
    let is_certain = matches!(encryption, Encryption::Required | Encryption::Verified { .. });
    if mode == Mode::Production && !is_certain && !stays_here(&config) {
        let message = format!(
            "BRASA_DATABASE_URL ({url}) is refused in production: records and the database's password would go over the \
            network as they are. Add sslmode=verify-full, with sslrootcert=FILE where the server's authority is your own."
        );
        return Err(Error::invalid(message));
    }
    Ok((config, encryption))
}

/// Whether the database is on this machine, by all its addresses.
fn stays_here(config: &Config) -> bool {
    let is_local = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            let address = name.parse::<std::net::IpAddr>();
            name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
        }
    };
    match config.get_hostaddrs() {
        [] => config.get_hosts().iter().all(is_local),
        addresses => addresses.iter().all(std::net::IpAddr::is_loopback),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str, mode: Mode) -> Result<Encryption> {
        read(&DatabaseUrl::parse(text).unwrap(), mode).map(|(_, encryption)| encryption)
    }

    #[test]
    fn production_takes_no_database_elsewhere_without_encryption() {
        for text in [
            "postgres://a:s3cret@db/x",
            "postgres://a:s3cret@db/x?sslmode=disable",
            "postgres://a:s3cret@db/x?sslmode=prefer",
            "postgres://a:s3cret@127.0.0.1,db/x",
            "host=localhost hostaddr=192.0.2.7 user=a password=s3cret",
        ] {
            let refusal = verdict(text, Mode::Production).unwrap_err().message;
            assert!(refusal.contains("verify-full") && !refusal.contains("s3cret"), "{text}: {refusal}");
            verdict(text, Mode::Development).unwrap();
        }
        for text in [
            "postgres://a:s3cret@db/x?sslmode=require",
            "postgres://a:s3cret@db/x?sslmode=verify-full",
            "postgres://a:s3cret@127.0.0.1/x",
            "postgres://a:s3cret@localhost/x",
            "postgres://a@%2Frun%2Fpostgresql/x",
            "host=/run/postgresql user=a",
        ] {
            verdict(text, Mode::Production).unwrap();
        }
    }
}
