//! Keys: those by which programs come in, and those that sign tokens.

use super::{AccountState, AccountTables, statements};
use crate::error::Result;
use crate::store::statement::Statement;
use chrono::{DateTime, Utc};
use tokio_postgres::Row;

statements! {
    ADD = "add_key";
    LIST = "keys";
    FIND = "key";
    TOUCH = "touch_key";
    REVOKE = "revoke_key";
    ADD_FIRST_SIGNING_KEY = "add_first_signing_key";
    ROTATE_SIGNING_KEY = "rotate_signing_key";
    SIGNING_KEYS = "signing_keys";
    SET_ID_KEY = "set_id_key";
}

/// A key as its owner sees it.
#[derive(Debug, Clone)]
pub struct KeyRow {
    pub id: String,
    pub name: String,
    pub scopes: String,
    pub created: DateTime<Utc>,
    pub expires: Option<DateTime<Utc>>,
    pub last_used: Option<DateTime<Utc>>,
}

/// What a key is worth now, and whose it is.
#[derive(Debug, Clone)]
pub struct KeyState {
    pub account: AccountState,
    /// It is neither revoked nor out of date, and the account is not disabled.
    pub valid: bool,
    pub hash: Vec<u8>,
    pub scopes: String,
    /// Its use was not noted for a minute.
    pub stale: bool,
}

/// A key that signs tokens.
pub struct SigningKeyRow {
    pub id: String,
    pub pkcs8: Vec<u8>,
    /// Its companion for id tokens, as PKCS #8.
    pub id_key: Option<Vec<u8>>,
    pub created: DateTime<Utc>,
    pub retired: Option<DateTime<Utc>>,
    pub verifies: bool,
}

impl AccountTables {
    /// `None`: the account has `count_max` keys already.
    pub async fn add_key(&self, account: &str, new: &KeyRow, hash: &[u8], count_max: i64) -> Result<Option<KeyRow>> {
        let row =
            self.ask_one(ADD, &[&new.id, &account, &new.name, &hash, &new.scopes, &new.expires, &count_max]).await?;
        Ok(row.map(|row| key(&row)))
    }

    /// Those that are not revoked, the newest first.
    pub async fn keys(&self, account: &str) -> Result<Vec<KeyRow>> {
        Ok(self.ask(LIST, &[&account]).await?.iter().map(key).collect())
    }

    pub async fn key(&self, id: &str) -> Result<Option<KeyState>> {
        let row = self.ask_one(FIND, &[&id]).await?;
        Ok(row.map(|row| KeyState {
            account: super::state(&row),
            valid: row.get("valid"),
            hash: row.get("hash"),
            scopes: row.get("scopes"),
            stale: row.get("stale"),
        }))
    }

    pub async fn touch_key(&self, id: &str) -> Result<()> {
        self.ask(TOUCH, &[&id]).await.map(drop)
    }

    /// Whether the account had such a key.
    pub async fn revoke_key(&self, id: &str, account: &str) -> Result<bool> {
        Ok(self.ask_one(REVOKE, &[&id, &account]).await?.is_some())
    }

    /// Does nothing when there is one.
    pub async fn add_first_signing_key(&self, id: &str, pkcs8: &[u8]) -> Result<()> {
        self.ask(ADD_FIRST_SIGNING_KEY, &[&id, &pkcs8]).await.map(drop)
    }

    /// The key signs from now on, the one before no longer.
    pub async fn rotate_signing_key(&self, id: &str, pkcs8: &[u8]) -> Result<()> {
        self.ask(ROTATE_SIGNING_KEY, &[&id, &pkcs8]).await.map(drop)
    }

    /// Does nothing when it has one.
    pub async fn set_id_key(&self, id: &str, id_key: &[u8]) -> Result<()> {
        self.ask(SET_ID_KEY, &[&id, &id_key]).await.map(drop)
    }

    /// The newest first: all of them, or those that sign or still verify. `overlap_seconds`: for how long they do.
    pub async fn signing_keys(&self, all: bool, overlap_seconds: i64) -> Result<Vec<SigningKeyRow>> {
        let rows = self.ask(SIGNING_KEYS, &[&all, &overlap_seconds]).await?;
        let signing_key = |row: &Row| SigningKeyRow {
            id: row.get("id"),
            pkcs8: row.get("pkcs8"),
            id_key: row.get("id_key"),
            created: row.get("created"),
            retired: row.get("retired"),
            verifies: row.get("verifies"),
        };
        Ok(rows.iter().map(signing_key).collect())
    }
}

fn key(row: &Row) -> KeyRow {
    KeyRow {
        id: row.get("id"),
        name: row.get("name"),
        scopes: row.get("scopes"),
        created: row.get("created"),
        expires: row.get("expires"),
        last_used: row.get("last_used"),
    }
}
