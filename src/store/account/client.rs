//! Clients: the programs that act for people and for themselves, the codes by which they get sessions, and their assertions.

use super::{AccountTables, NewSession, statements};
use crate::error::Result;
use crate::store::statement::Statement;
use chrono::{DateTime, Utc};
use tokio_postgres::Row;

statements! {
    ADD = "add_client";
    FIND = "client";
    LIST = "clients";
    CHANGE = "change_client";
    REMOVE = "remove_client";
    ADD_CODE = "add_code";
    FIND_CODE = "code";
    SPOIL_CODE = "spoil_code";
    REDEEM_CODE = "redeem_code";
    START_SESSION = "start_client_session";
    NOTE_ASSERTION = "note_assertion";
}

/// A client as it is registered.
#[derive(Debug, Clone)]
pub struct ClientRow {
    pub id: String,
    pub name: String,
    /// `public`, `confidential` or `backend`.
    pub kind: String,
    pub redirect_uris: Vec<String>,
    /// The most that it may be given.
    pub scopes: String,
    /// The hash of its secret.
    pub secret: Option<Vec<u8>>,
    /// The key set that its assertions are signed with.
    pub jwks: Option<String>,
    /// Whom a backend service acts for.
    pub account: Option<String>,
    pub disabled: bool,
    pub created: DateTime<Utc>,
    pub changed: DateTime<Utc>,
}

/// What is changed; `None` leaves it as it is.
#[derive(Debug, Default)]
pub struct ClientChange<'a> {
    pub name: Option<&'a str>,
    pub redirect_uris: Option<&'a [String]>,
    pub scopes: Option<&'a str>,
    pub jwks: Option<&'a str>,
    pub disabled: Option<bool>,
}

/// A consent.
#[derive(Debug)]
pub struct NewCode<'a> {
    pub hash: &'a [u8],
    pub client: &'a str,
    pub account: &'a str,
    pub redirect_uri: &'a str,
    pub challenge: &'a str,
    pub scopes: &'a str,
    pub patient: Option<&'a str>,
    pub nonce: Option<&'a str>,
    pub life_seconds: i64,
}

/// A consent that was given.
#[derive(Debug, Clone)]
pub struct CodeRow {
    pub client: String,
    pub account: String,
    pub redirect_uri: String,
    pub challenge: String,
    pub scopes: String,
    pub patient: Option<String>,
    pub nonce: Option<String>,
    /// The one that was made of it.
    pub session: Option<String>,
    /// It was not used and is not out of date.
    pub valid: bool,
}

impl AccountTables {
    pub async fn add_client(&self, new: &ClientRow) -> Result<Option<ClientRow>> {
        let row = self
            .ask_one(
                ADD,
                &[&new.id, &new.name, &new.kind, &new.redirect_uris, &new.scopes, &new.secret, &new.jwks, &new.account],
            )
            .await?;
        Ok(row.map(|row| client(&row)))
    }

    pub async fn client(&self, id: &str) -> Result<Option<ClientRow>> {
        Ok(self.ask_one(FIND, &[&id]).await?.map(|row| client(&row)))
    }

    /// At most `count` clients whose ids come after `after`.
    pub async fn clients(&self, after: &str, count: i64) -> Result<Vec<ClientRow>> {
        Ok(self.ask(LIST, &[&after, &count]).await?.iter().map(client).collect())
    }

    pub async fn change_client(&self, id: &str, change: &ClientChange<'_>) -> Result<Option<ClientRow>> {
        let row = self
            .ask_one(
                CHANGE,
                &[&id, &change.name, &change.redirect_uris, &change.scopes, &change.jwks, &change.disabled],
            )
            .await?;
        Ok(row.map(|row| client(&row)))
    }

    /// Whether there was one.
    pub async fn remove_client(&self, id: &str) -> Result<bool> {
        Ok(self.ask_one(REMOVE, &[&id]).await?.is_some())
    }

    /// Whether it is kept: the client and the account are there and not disabled.
    pub async fn add_code(&self, new: &NewCode<'_>) -> Result<bool> {
        let row = self
            .ask_one(
                ADD_CODE,
                &[
                    &new.hash,
                    &new.client,
                    &new.account,
                    &new.redirect_uri,
                    &new.challenge,
                    &new.scopes,
                    &new.patient,
                    &new.nonce,
                    &new.life_seconds,
                ],
            )
            .await?;
        Ok(row.is_some())
    }

    pub async fn code(&self, hash: &[u8]) -> Result<Option<CodeRow>> {
        Ok(self.ask_one(FIND_CODE, &[&hash]).await?.map(|row| code(&row)))
    }

    /// Nobody can use it any more.
    pub async fn spoil_code(&self, hash: &[u8]) -> Result<()> {
        self.ask(SPOIL_CODE, &[&hash]).await.map(drop)
    }

    /// When the session that the code becomes expires; `None`: the code is used, or somebody is gone.
    pub async fn redeem_code(&self, hash: &[u8], new: &NewSession<'_>) -> Result<Option<DateTime<Utc>>> {
        let row = self.ask_one(REDEEM_CODE, &[&hash, &new.id, &new.secret, &new.refresh, &new.life_seconds]).await?;
        Ok(row.map(|row| row.get("expires")))
    }

    /// A session for the account that a client acts for: the account and when it expires. `new.account` is not looked at.
    pub async fn start_client_session(
        &self,
        client: &str,
        scopes: &str,
        new: &NewSession<'_>,
    ) -> Result<Option<(String, DateTime<Utc>)>> {
        let row = self
            .ask_one(START_SESSION, &[&new.id, &client, &new.secret, &new.refresh, &scopes, &new.life_seconds])
            .await?;
        Ok(row.map(|row| (row.get("account"), row.get("expires"))))
    }

    /// Whether the client shows it for the first time. `expires`: seconds since 1970.
    pub async fn note_assertion(&self, client: &str, hash: &[u8], expires: i64) -> Result<bool> {
        Ok(self.ask_one(NOTE_ASSERTION, &[&client, &hash, &expires]).await?.is_some())
    }
}

fn client(row: &Row) -> ClientRow {
    ClientRow {
        id: row.get("id"),
        name: row.get("name"),
        kind: row.get("kind"),
        redirect_uris: row.get("redirect_uris"),
        scopes: row.get("scopes"),
        secret: row.get("secret"),
        jwks: row.get("jwks"),
        account: row.get("account"),
        disabled: row.get("disabled"),
        created: row.get("created"),
        changed: row.get("changed"),
    }
}

fn code(row: &Row) -> CodeRow {
    CodeRow {
        client: row.get("client"),
        account: row.get("account"),
        redirect_uri: row.get("redirect_uri"),
        challenge: row.get("challenge"),
        scopes: row.get("scopes"),
        patient: row.get("patient"),
        nonce: row.get("nonce"),
        session: row.get("session"),
        valid: row.get("valid"),
    }
}
