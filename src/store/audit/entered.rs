//! Numbers that were given out and must be decided: committed, never, or nobody knows.

use super::{Doubtful, Numbered, Trail, of_writes};
use crate::audit::record::{Access, Hash};
use crate::auth::Grant;
use crate::error::Result;
use crate::store::Store;
use crate::store::commit::Write;
use crate::store::operation::Row;
use std::sync::Arc;
use std::time::Instant;

/// Numbers of records that are being written. Dropped before anything was sent that can commit, they never came to be;
/// dropped afterwards, nobody knows.
pub(in crate::store) struct Entered {
    trail: Arc<Trail>,
    numbers: Vec<(i64, i64, Hash)>,
    may_commit: bool,
}

/// Rows to be written, and their numbers.
pub(in crate::store) struct AuditRows {
    pub rows: Vec<Row>,
    pub entered: Entered,
}

impl Store {
    /// The records of some writes, to be committed with them. `None`: nobody is told of them.
    pub(in crate::store) fn enter_writes(&self, grant: &Grant, writes: &[Write]) -> Result<Option<AuditRows>> {
        self.enter_accesses(grant, &of_writes(writes))
    }

    /// As [`Store::enter_writes`], of accesses that commit with something else.
    pub(in crate::store) fn enter_accesses(&self, grant: &Grant, accesses: &[Access]) -> Result<Option<AuditRows>> {
        let Some(trail) = self.trail.as_ref().filter(|_| grant.origin().is_some()) else { return Ok(None) };
        let (numbered, entered) = trail.enter(grant, accesses)?;
        Ok(Some(AuditRows { rows: numbered.into_iter().map(Numbered::into_row).collect(), entered }))
    }
}

impl Entered {
    pub(super) fn new(trail: Arc<Trail>) -> Entered {
        Entered { trail, numbers: Vec::new(), may_commit: false }
    }

    pub(super) fn push(&mut self, number: i64, at_us: i64) {
        self.numbers.push((number, at_us, Hash::default()));
    }

    pub(super) fn hashed(&mut self, number: i64, hash: Hash) {
        if let Some(last) = self.numbers.last_mut().filter(|last| last.0 == number) {
            last.2 = hash;
        }
    }

    /// They are committed.
    pub fn committed(mut self) {
        let numbers = std::mem::take(&mut self.numbers);
        let mut state = self.trail.state();
        for (number, _, hash) in numbers {
            state.chain.decide(number, Some(hash));
        }
    }

    /// From now on what was sent may commit, whether or not somebody waits for it.
    pub fn sending(&mut self) {
        self.may_commit = true;
    }

    /// They are not committed, and never will be.
    pub fn refused(mut self) {
        self.may_commit = false;
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let numbers = std::mem::take(&mut self.numbers);
        if numbers.is_empty() {
            return;
        }
        let mut state = self.trail.state();
        if self.may_commit {
            let noticed = Instant::now();
            let doubtful = numbers.into_iter().map(|(number, at_us, hash)| Doubtful { number, at_us, hash, noticed });
            state.doubtful.extend(doubtful);
            return;
        }
        for (number, ..) in numbers {
            state.chain.decide(number, None);
        }
    }
}
