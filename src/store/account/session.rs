//! Sessions: a log-in and the refresh tokens that follow from it.

use super::{AccountState, AccountTables, statements};
use crate::error::Result;
use crate::store::statement::Statement;
use chrono::{DateTime, Utc};
use tokio_postgres::Row;

statements! {
    START = "start_session";
    FIND = "session";
    ROTATE = "rotate_session";
    END = "end_session";
    LIST = "sessions";
}

/// A log-in.
#[derive(Debug)]
pub struct NewSession<'a> {
    pub id: &'a str,
    pub account: &'a str,
    /// Makes each refresh token out of the one before.
    pub secret: &'a [u8],
    /// The hash of the first refresh token.
    pub refresh: &'a [u8],
    /// What the client says of itself.
    pub client: &'a str,
    pub life_seconds: i64,
}

/// What a session is worth now, and whose it is.
#[derive(Debug, Clone)]
pub struct SessionState {
    pub account: AccountState,
    /// It has not ended, and the account is not disabled.
    pub valid: bool,
    pub created: DateTime<Utc>,
    pub expires: DateTime<Utc>,
    /// `None`: it is a person's own.
    pub client: Option<ClientContext>,
    pub secret: Vec<u8>,
    /// Hashes of the refresh token in use and of the one before.
    pub refresh: Vec<u8>,
    pub previous: Option<Vec<u8>>,
    /// Whether the one before was replaced just now.
    pub grace: bool,
}

/// Which client has a session, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientContext {
    pub id: String,
    pub scopes: String,
    /// Of the launch context.
    pub patient: Option<String>,
}

/// A session as its owner sees it.
#[derive(Debug, Clone)]
pub struct SessionRow {
    pub id: String,
    /// The name that a registered client has, or what the program said of itself.
    pub client: String,
    /// Of a registered client.
    pub client_id: Option<String>,
    pub scopes: Option<String>,
    pub created: DateTime<Utc>,
    pub expires: DateTime<Utc>,
    pub last_used: DateTime<Utc>,
}

impl AccountTables {
    /// When it expires; `None`: the account is gone or disabled.
    pub async fn start_session(&self, new: &NewSession<'_>) -> Result<Option<DateTime<Utc>>> {
        let row = self
            .ask_one(START, &[&new.id, &new.account, &new.secret, &new.refresh, &new.client, &new.life_seconds])
            .await?;
        Ok(row.map(|row| row.get("expires")))
    }

    pub async fn session(&self, id: &str) -> Result<Option<SessionState>> {
        let row = self.ask_one(FIND, &[&id]).await?;
        Ok(row.map(|row| SessionState {
            account: super::state(&row),
            valid: row.get("valid"),
            created: row.get("created"),
            expires: row.get("expires"),
            client: client(&row),
            secret: row.get("secret"),
            refresh: row.get("refresh"),
            previous: row.get("previous"),
            grace: row.get("grace"),
        }))
    }

    /// Puts the next refresh token in the place of the one in use; false: another request did so first.
    pub async fn rotate_session(&self, id: &str, current: &[u8], next: &[u8]) -> Result<bool> {
        Ok(self.ask_one(ROTATE, &[&id, &current, &next]).await?.is_some())
    }

    /// Whether the account had such a session.
    pub async fn end_session(&self, id: &str, account: &str) -> Result<bool> {
        Ok(self.ask_one(END, &[&id, &account]).await?.is_some())
    }

    /// The sessions that go on, the newest first.
    pub async fn sessions(&self, account: &str, count: i64) -> Result<Vec<SessionRow>> {
        let rows = self.ask(LIST, &[&account, &count]).await?;
        let session = |row: &Row| SessionRow {
            id: row.get("id"),
            client: row.get("client"),
            client_id: row.get("client_id"),
            scopes: row.get("scopes"),
            created: row.get("created"),
            expires: row.get("expires"),
            last_used: row.get("last_used"),
        };
        Ok(rows.iter().map(session).collect())
    }
}

fn client(row: &Row) -> Option<ClientContext> {
    let id: Option<String> = row.get("client_id");
    // Without scopes it may do nothing; the table does not let that happen.
    let scopes = |scopes: Option<String>| scopes.unwrap_or_default();
    id.map(|id| ClientContext { id, scopes: scopes(row.get("scopes")), patient: row.get("context") })
}
