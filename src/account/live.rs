//! What sessions and keys are worth, remembered for some seconds: every request asks, and the database need not.

use crate::auth::role::Duty;
use crate::store::{AccountState, ClientContext};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer of the database is trusted. What changes on another server acts within this time.
const LIFE: Duration = Duration::from_secs(4);
/// At most so many are remembered.
const COUNT_MAX: usize = 20_000;

/// A session or a key, valid when it was read.
#[derive(Debug)]
pub struct Credential {
    pub account: AccountState,
    /// Of a practitioner's account, as [`Access::duties`](crate::auth::access::Access::duties).
    pub duties: Option<Vec<Duty>>,
    /// Of a key: its hash and its scopes.
    pub key: Option<(Vec<u8>, String)>,
    /// Of a session that a client has.
    pub client: Option<ClientContext>,
}

#[derive(Default)]
pub struct Live {
    known: Mutex<HashMap<String, (Instant, Arc<Credential>)>>,
}

impl Live {
    pub fn find(&self, id: &str) -> Option<Arc<Credential>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(id).filter(|(read, _)| read.elapsed() < LIFE).map(|(_, credential)| Arc::clone(credential))
    }

    /// `read`: before the database was asked, so that what it says is never older than it seems.
    pub fn note(&self, id: &str, read: Instant, credential: Arc<Credential>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= COUNT_MAX {
            known.retain(|_, (read, _)| read.elapsed() < LIFE);
        }
        if known.len() < COUNT_MAX {
            known.insert(id.to_owned(), (read, credential));
        }
    }

    /// After a change on this server: all are asked for anew. Which sessions an account has is not known here.
    pub fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
