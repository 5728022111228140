//! The tables of accounts: who they are, and how often a password for them was wrong. Sessions, keys and clients are beside this file.

mod client;
mod key;
mod reset;
mod session;

pub use client::{ClientChange, ClientRow, CodeRow, NewCode};
pub use key::{KeyRow, KeyState, SigningKeyRow};
pub use reset::ResetOwner;
pub use session::{ClientContext, NewSession, SessionRow, SessionState};

use super::Store;
use super::node::{Node, Parameters};
use super::sqlstate::Failure;
use super::statement::Statement;
use crate::auth::Grant;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use tokio_postgres::Row;

macro_rules! statements {
    ($($constant:ident = $name:literal;)*) => {
        $(const $constant: Statement = Statement {
            name: concat!("account/", $name),
            sql: include_str!(concat!("../../../sql/statements/account/", $name, ".sql")),
        };)*
    };
}
use statements;

statements! {
    ADD = "add";
    ADD_FIRST_ADMIN = "add_first_admin";
    HAS_ADMIN = "has_admin";
    BY_USERNAME = "by_username";
    BY_ID = "by_id";
    BY_EMAIL = "by_email";
    LIST = "list";
    CHANGE = "change";
    SET_PASSWORD = "set_password";
    REPLACE_HASH = "replace_hash";
    MAY_TRY = "may_try";
    NOTE_FAILURE = "note_failure";
    FORGET_FAILURES = "forget_failures";
    TIDY_FAILURES = "tidy_failures";
    TIDY_SESSIONS = "tidy_sessions";
    TIDY_CODES = "tidy_codes";
    TIDY_ASSERTIONS = "tidy_assertions";
    TIDY_RESETS = "tidy_resets";
}

/// The accounts of this database. Only the server itself has them: what a caller may do with them is decided before.
pub struct AccountTables {
    node: Arc<Node>,
}

/// An account, with the hash of its password.
#[derive(Debug, Clone)]
pub struct AccountRow {
    pub id: String,
    /// Folded.
    pub username: String,
    pub password: Option<String>,
    pub role: String,
    pub patient: Option<String>,
    pub practitioner: Option<String>,
    /// Where its mail goes.
    pub email: Option<String>,
    pub disabled: bool,
    pub created: DateTime<Utc>,
    pub changed: DateTime<Utc>,
}

/// What an account may be used for, as a session or a key of it finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountState {
    pub id: String,
    pub username: String,
    pub role: String,
    pub patient: Option<String>,
    pub practitioner: Option<String>,
    pub email: Option<String>,
}

impl AccountRow {
    /// What it may be used for.
    pub fn state(&self) -> AccountState {
        AccountState {
            id: self.id.clone(),
            username: self.username.clone(),
            role: self.role.clone(),
            patient: self.patient.clone(),
            practitioner: self.practitioner.clone(),
            email: self.email.clone(),
        }
    }
}

/// An account to be made.
#[derive(Debug)]
pub struct NewAccount<'a> {
    pub id: &'a str,
    pub username: &'a str,
    pub password: Option<&'a str>,
    pub role: &'a str,
    pub patient: Option<&'a str>,
    pub practitioner: Option<&'a str>,
    pub email: Option<&'a str>,
}

/// What an administrator changes; `None` leaves it as it is. Of a link and an address the inner `None` takes it away.
#[derive(Debug, Default)]
pub struct AccountChange<'a> {
    pub role: Option<&'a str>,
    pub disabled: Option<bool>,
    pub patient: Option<Option<&'a str>>,
    pub practitioner: Option<Option<&'a str>>,
    pub email: Option<Option<&'a str>>,
    /// The hash.
    pub password: Option<&'a str>,
}

impl Store {
    pub fn accounts(&self, grant: &Grant) -> Result<AccountTables> {
        grant.demand_everything()?;
        Ok(AccountTables { node: Arc::clone(self.nodes.coordinator()) })
    }
}

impl AccountTables {
    async fn ask(&self, statement: Statement, parameters: Parameters<'_>) -> Result<Vec<Row>> {
        let connection = self.node.connect().await.map_err(Failure::into_error)?;
        connection.query(statement, parameters).await.map_err(Failure::into_error)
    }

    async fn ask_one(&self, statement: Statement, parameters: Parameters<'_>) -> Result<Option<Row>> {
        Ok(self.ask(statement, parameters).await?.pop())
    }

    /// `None`: the user name is taken.
    pub async fn add(&self, new: &NewAccount<'_>) -> Result<Option<AccountRow>> {
        let parameters: Parameters =
            &[&new.id, &new.username, &new.password, &new.role, &new.patient, &new.practitioner, &new.email];
        Ok(self.ask_one(ADD, parameters).await?.map(|row| account(&row)))
    }

    /// Does nothing when there is an administrator, or somebody has the name.
    pub async fn add_first_admin(&self, id: &str, username: &str, password: &str) -> Result<()> {
        self.ask(ADD_FIRST_ADMIN, &[&id, &username, &password]).await.map(drop)
    }

    /// Whether there is an account that can administer.
    pub async fn has_admin(&self) -> Result<bool> {
        Ok(self.ask_one(HAS_ADMIN, &[]).await?.is_some_and(|row| row.get("found")))
    }

    pub async fn by_username(&self, username: &str) -> Result<Option<AccountRow>> {
        Ok(self.ask_one(BY_USERNAME, &[&username]).await?.map(|row| account(&row)))
    }

    pub async fn by_id(&self, id: &str) -> Result<Option<AccountRow>> {
        Ok(self.ask_one(BY_ID, &[&id]).await?.map(|row| account(&row)))
    }

    /// At most `count` accounts with this e-mail address, in upper or lower case.
    pub async fn by_email(&self, email: &str, count: i64) -> Result<Vec<AccountRow>> {
        Ok(self.ask(BY_EMAIL, &[&email, &count]).await?.iter().map(account).collect())
    }

    /// At most `count` accounts whose names come after `after`.
    pub async fn list(&self, after: &str, count: i64) -> Result<Vec<AccountRow>> {
        Ok(self.ask(LIST, &[&after, &count]).await?.iter().map(account).collect())
    }

    /// `None`: there is no such account, or nobody could administer any more.
    pub async fn change(&self, id: &str, change: &AccountChange<'_>) -> Result<Option<AccountRow>> {
        let (patient, practitioner) = (change.patient.flatten(), change.practitioner.flatten());
        let (sets_email, email) = (change.email.is_some(), change.email.flatten());
        let (sets_patient, sets_practitioner) = (change.patient.is_some(), change.practitioner.is_some());
        let parameters: Parameters = &[
            &id,
            &change.role,
            &change.disabled,
            &sets_patient,
            &patient,
            &sets_practitioner,
            &practitioner,
            &change.password,
            &sets_email,
            &email,
        ];
        Ok(self.ask_one(CHANGE, parameters).await?.map(|row| account(&row)))
    }

    /// Sets a new hash and ends all sessions but `session`; false: the password is no longer the one of `before`.
    pub async fn set_password(&self, id: &str, hash: &str, before: &str, session: Option<&str>) -> Result<bool> {
        Ok(self.ask_one(SET_PASSWORD, &[&id, &hash, &before, &session]).await?.is_some())
    }

    /// The same password, stored in a better way.
    pub async fn replace_hash(&self, id: &str, hash: &str, before: &str) -> Result<()> {
        self.ask(REPLACE_HASH, &[&id, &hash, &before]).await.map(drop)
    }

    /// Takes the turn to try a password for the user name with this hash; else the seconds to wait for the next one.
    pub async fn may_try(&self, username: &[u8]) -> Result<std::result::Result<(), u32>> {
        let row = self.ask_one(MAY_TRY, &[&username]).await?.ok_or_else(|| Error::internal("a count has no row"))?;
        let wait: i32 = row.get("wait");
        let is_free = row.get("taken") || !row.get::<_, bool>("known");
        Ok(if is_free { Ok(()) } else { Err(u32::try_from(wait).unwrap_or(1)) })
    }

    pub async fn note_failure(&self, username: &[u8]) -> Result<()> {
        self.ask(NOTE_FAILURE, &[&username]).await.map(drop)
    }

    pub async fn forget_failures(&self, username: &[u8]) -> Result<()> {
        self.ask(FORGET_FAILURES, &[&username]).await.map(drop)
    }

    /// Removes what is too old to matter.
    pub async fn tidy(&self) -> Result<()> {
        for statement in [TIDY_FAILURES, TIDY_SESSIONS, TIDY_CODES, TIDY_ASSERTIONS, TIDY_RESETS] {
            self.ask(statement, &[]).await?;
        }
        Ok(())
    }
}

fn account(row: &Row) -> AccountRow {
    AccountRow {
        id: row.get("id"),
        username: row.get("username"),
        password: row.get("password"),
        role: row.get("role"),
        patient: row.get("patient"),
        practitioner: row.get("practitioner"),
        email: row.get("email"),
        disabled: row.get("disabled"),
        created: row.get("created"),
        changed: row.get("changed"),
    }
}

fn state(row: &Row) -> AccountState {
    AccountState {
        id: row.get("id"),
        username: row.get("username"),
        role: row.get("role"),
        patient: row.get("patient"),
        practitioner: row.get("practitioner"),
        email: row.get("email"),
    }
}
