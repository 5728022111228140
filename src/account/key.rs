//! Keys by which programs act for an account: shown once, stored as hashes, never more than their scopes.

use super::Accounts;
use super::authenticate::Caller;
use super::secret::ApiKey;
use crate::auth::scope::ResourceScope;
use crate::error::{Error, Result};
use crate::store::KeyRow;
use chrono::{DateTime, Utc};

/// So many keys an account may have.
const COUNT_MAX: i64 = 100;
const NAME_CHARS_MAX: usize = 100;
const SCOPES_BYTES_MAX: usize = 2_000;

/// A key to be made.
pub struct NewKey {
    /// By which its owner knows it.
    pub name: String,
    /// SMART's scopes.
    pub scopes: String,
    pub expires: Option<DateTime<Utc>>,
}

/// A key and, this once, what is to be shown.
pub struct MadeKey {
    pub row: KeyRow,
    pub text: String,
}

impl Accounts {
    pub async fn make_key(&self, caller: &Caller, new: NewKey) -> Result<MadeKey> {
        caller.demand_session()?;
        let name = new.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(Error::invalid(format!("A key's name has 1 to {NAME_CHARS_MAX} characters.")).at("name"));
        }
        check_scopes(&new.scopes)?;
        let now = Utc::now();
        if new.expires.is_some_and(|expires| expires <= now) {
            return Err(Error::invalid("The key would be out of date at once.").at("expires"));
        }
        let key = ApiKey::make()?;
        let row = KeyRow {
            id: key.id.clone(),
            name,
            scopes: new.scopes,
            created: now,
            expires: new.expires,
            last_used: None,
        };
        let row = self.tables.add_key(&caller.account.id, &row, &key.hash(), COUNT_MAX).await?;
        let full = || Error::conflict(format!("An account has at most {COUNT_MAX} keys. Revoke one."));
        Ok(MadeKey { row: row.ok_or_else(full)?, text: key.text() })
    }

    /// The caller's keys that are not revoked.
    pub async fn keys(&self, caller: &Caller) -> Result<Vec<KeyRow>> {
        caller.demand_session()?;
        self.tables.keys(&caller.account.id).await
    }

    pub async fn revoke_key(&self, caller: &Caller, id: &str) -> Result<()> {
        caller.demand_session()?;
        let revoked = self.tables.revoke_key(id, &caller.account.id).await?;
        self.live.forget();
        if revoked { Ok(()) } else { Err(Error::not_found("You have no such key.")) }
    }
}

/// A scope that is not understood would give no right, and its owner would wonder why.
fn check_scopes(scopes: &str) -> Result<()> {
    let wrong = |message: String| Err(Error::invalid(message).at("scopes"));
    if scopes.len() > SCOPES_BYTES_MAX {
        return wrong(format!("The scopes have at most {SCOPES_BYTES_MAX} bytes."));
    }
    if scopes.is_empty() {
        return wrong("A key needs scopes, such as `user/Observation.rs user/Patient.r`.".to_owned());
    }
    match scopes.split(' ').find(|scope| ResourceScope::parse(scope).is_none()) {
        None => Ok(()),
        Some(scope) => wrong(format!("'{scope}' is no scope; one looks like `user/Observation.rs`.")),
    }
}
