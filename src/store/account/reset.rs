//! Links by which a password is set: of each only the hash of its token is stored.

use super::{AccountTables, statements};
use crate::error::Result;
use crate::store::statement::Statement;

statements! {
    ADD = "add_reset";
    HAS = "has_reset";
    USE = "use_reset";
    WITHDRAW = "withdraw_reset";
}

/// Whose password was set by a link.
#[derive(Debug, Clone)]
pub struct ResetOwner {
    pub id: String,
    /// Folded.
    pub username: String,
}

impl AccountTables {
    /// False: the account has no e-mail address, is disabled, or had `hourly_max` links within an hour.
    pub async fn add_reset(&self, hash: &[u8], account: &str, life_seconds: i64, hourly_max: i64) -> Result<bool> {
        Ok(self.ask_one(ADD, &[&hash, &account, &life_seconds, &hourly_max]).await?.is_some())
    }

    /// Whether the link may still be used.
    pub async fn has_reset(&self, hash: &[u8]) -> Result<bool> {
        Ok(self.ask_one(HAS, &[&hash]).await?.is_some_and(|row| row.get("found")))
    }

    /// Sets the hash of a new password and ends all links and sessions of the account; `None`: the link may not be used.
    pub async fn use_reset(&self, hash: &[u8], password: &str) -> Result<Option<ResetOwner>> {
        let row = self.ask_one(USE, &[&hash, &password]).await?;
        Ok(row.map(|row| ResetOwner { id: row.get("id"), username: row.get("username") }))
    }

    /// For a link that could not be sent.
    pub async fn withdraw_reset(&self, hash: &[u8]) -> Result<()> {
        self.ask(WITHDRAW, &[&hash]).await.map(drop)
    }
}
