//! The keys that sign tokens, as all servers on one database share them.

use super::secret;
use crate::auth;
use crate::auth::id_key::IdKey;
use crate::auth::key::{Key, Keys};
use crate::error::{Error, Result};
use crate::store::{AccountTables, Store};
use chrono::{DateTime, Utc};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// How long a key that was replaced still verifies: the longest life of a token (BRASA_TOKEN_SECONDS, 3600 at most), the
/// minute in which another server may still sign with it, and the difference of clocks (s).
const OVERLAP_SECONDS: i64 = 3600 + 120 + 30;
/// A token of an unknown key makes the keys be read again, at most so often.
const REREAD: Duration = Duration::from_secs(1);
/// Who signs something else than tokens looks so often for a newer key.
const SIGNER_READS_EVERY: Duration = Duration::from_secs(60);

/// The keys as this server last read them.
pub struct Ring {
    keys: RwLock<Arc<Keys>>,
    read: Mutex<Instant>,
}

impl Ring {
    pub async fn open(tables: &AccountTables) -> Result<Ring> {
        let keys = match load(tables).await? {
            Some(keys) => keys,
            None => {
                let key = Key::generate()?;
                tables.add_first_signing_key(key.id(), key.pkcs8()).await?;
                // Not the one made here: another server may have been faster.
                load(tables).await?.ok_or_else(|| Error::internal("the database has no key that signs tokens"))?
            }
        };
        Ok(Ring { keys: RwLock::new(Arc::new(keys)), read: Mutex::new(Instant::now()) })
    }

    pub fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the keys again.
    pub async fn read(&self, tables: &AccountTables) -> Result<()> {
        if let Some(keys) = load(tables).await? {
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
            *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        Ok(())
    }

    /// The keys with this one among them, if it is a key of ours: another server may have made it a moment ago.
    pub async fn with(&self, tables: &AccountTables, id: &str) -> Result<Arc<Keys>> {
        let known = self.keys();
        if known.find(id).is_some() || !self.may_reread() {
            return Ok(known);
        }
        self.read(tables).await?;
        Ok(self.keys())
    }

    fn is_older_than(&self, age: Duration) -> bool {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).elapsed() > age
    }

    fn may_reread(&self) -> bool {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let may = read.elapsed() >= REREAD;
        if may {
            *read = Instant::now();
        }
        may
    }
}

/// `None`: there is none yet.
async fn load(tables: &AccountTables) -> Result<Option<Keys>> {
    let mut rows = tables.signing_keys(false, OVERLAP_SECONDS).await?;
    if let Some(bare) = rows.first().filter(|row| row.id_key.is_none()) {
        let made = tokio::task::spawn_blocking(IdKey::generate).await.map_err(Error::internal)??;
        tables.set_id_key(&bare.id, &made).await?;
        // Not the one made here: another server may have been faster.
        rows = tables.signing_keys(false, OVERLAP_SECONDS).await?;
    }
    let mut keys = Vec::new();
    for row in rows {
        let key = Key::from_pkcs8(row.id, row.pkcs8)?;
        keys.push(match row.id_key {
            Some(id_key) => key.with_id_key(IdKey::from_pkcs8(&id_key)?),
            None => key,
        });
    }
    let mut keys = keys.into_iter();
    Ok(keys.next().map(|newest| Keys::new(newest, keys.collect())))
}

/// One key, for the operator.
pub struct KeyLine {
    pub id: String,
    pub created: DateTime<Utc>,
    pub retired: Option<DateTime<Utc>>,
    /// Whether tokens that it signed are still taken.
    pub verifies: bool,
}

/// All keys that ever signed tokens here, the newest first.
pub async fn list_keys(store: &Store) -> Result<Vec<KeyLine>> {
    let rows = store.accounts(&auth::of_server())?.signing_keys(true, OVERLAP_SECONDS).await?;
    let line = |row: crate::store::SigningKeyRow| KeyLine {
        id: row.id,
        created: row.created,
        retired: row.retired,
        verifies: row.verifies,
    };
    Ok(rows.into_iter().map(line).collect())
}

/// Makes a new key, which signs from now on; running servers take it up within a minute. The answer is its id.
pub async fn rotate_keys(store: &Store) -> Result<String> {
    let key = Key::generate()?;
    store.accounts(&auth::of_server())?.rotate_signing_key(key.id(), key.pkcs8()).await?;
    Ok(key.id().to_owned())
}

/// The key that signs, as it is now, for who signs something else than tokens.
pub struct Signer {
    tables: AccountTables,
    ring: Ring,
}

impl Signer {
    pub async fn open(store: &Store) -> Result<Signer> {
        let tables = store.accounts(&auth::of_server())?;
        let ring = Ring::open(&tables).await?;
        Ok(Signer { tables, ring })
    }

    /// At most a minute old: a key that was rotated signs no longer than that.
    pub async fn keys(&self) -> Result<Arc<Keys>> {
        if self.ring.is_older_than(SIGNER_READS_EVERY) {
            self.ring.read(&self.tables).await?;
        }
        Ok(self.ring.keys())
    }
}

/// All keys that ever signed here: what was signed long ago is verified, too.
pub async fn all_keys(store: &Store) -> Result<Keys> {
    let rows = store.accounts(&auth::of_server())?.signing_keys(true, OVERLAP_SECONDS).await?;
    let keys: Vec<Key> = rows.into_iter().map(|row| Key::from_pkcs8(row.id, row.pkcs8)).collect::<Result<_>>()?;
    let mut keys = keys.into_iter();
    let newest = keys.next().ok_or_else(|| Error::not_found("There is no key yet: nothing was signed."))?;
    Ok(Keys::new(newest, keys.collect()))
}

/// A number for a token that no other token has.
pub fn token_id() -> Result<String> {
    secret::id()
}
