//! The one way to write: versions, their homes, members and identifiers commit together or not at all.

use super::Store;
use super::audit::{AuditRows, Entered};
use super::body::EncodedBody;
use super::guard::{self, Standing};
use super::identifier::Identifier;
use super::node::Connection;
use super::operation::{Frame, Operation, PIPELINE_LENGTH, can_commit_at_once, insert_rows, operations, run};
use super::read::{Effort, Reader, Stored};
use super::sqlstate::{Failure, Phase};
use super::statement::{INSERT_AUDIT, LOCK_CURRENT};
use crate::auth::Grant;
use crate::auth::policy::Permission;
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id, Place, VersionId};
use crate::search::entry::Entries;
use chrono::{DateTime, Utc};
use futures_util::future::{join, join_all};
use std::time::Instant;
use tokio_postgres::types::ToSql;

/// Writes whose statements are made at a time: made all at once, those of a large Bundle would take its size several
/// times over (writes).
const WRITES_AT_ONCE: usize = 1_000;

/// A version to be stored.
#[derive(Debug, Clone)]
pub struct NewVersion {
    pub resource_type: ResourceType,
    pub id: Id,
    pub compartment: Compartment,
    pub version_id: VersionId,
    pub last_updated: DateTime<Utc>,
    /// POST, PUT, PATCH or DELETE.
    pub method: &'static str,
    /// `None`: a deletion.
    pub body: Option<EncodedBody>,
    /// Patients besides the one whose compartment this is.
    pub members: Vec<Id>,
    pub identifiers: Vec<Identifier>,
    /// The number under which the index knows the resource, the same for all its versions.
    pub key: i64,
    /// What the index will hold of it.
    pub entries: Entries,
}

/// What the version that is superseded left beside its own row.
#[derive(Debug, Clone)]
pub struct Previous {
    pub compartment: Compartment,
    pub version_id: VersionId,
    /// Whether it is a version, and no deletion.
    pub stands: bool,
    pub members: Vec<Id>,
    pub identifiers: Vec<Identifier>,
    /// `None`: a row from before the index.
    pub key: Option<i64>,
    pub entries: Entries,
}

/// One change to one resource.
#[derive(Debug, Clone)]
pub struct Write {
    pub version: NewVersion,
    pub previous: Option<Previous>,
    /// The id was chosen by a client, so `resource_home` must guard it against a second one elsewhere.
    pub claims_id: bool,
}

/// A current version that is locked, and its key in the index.
#[derive(Debug, Clone)]
pub struct Locked {
    pub stored: Stored,
    pub key: Option<i64>,
}

/// Why nothing was written.
#[derive(Debug)]
pub enum WriteFailure {
    /// Another writer was faster: look at the current versions again and repeat the whole transaction.
    Raced(Error),
    Refused(Error),
    /// As `Refused`, for what is written to this resource.
    RefusedAt(ResourceType, Id, Error),
}

impl From<Failure> for WriteFailure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Raced(error) => WriteFailure::Raced(error),
            other => WriteFailure::Refused(other.into_error()),
        }
    }
}

impl From<Error> for WriteFailure {
    fn from(error: Error) -> Self {
        WriteFailure::Refused(error)
    }
}

/// What a transaction will touch: it runs on the node that owns all of it, or on the coordinator.
pub struct Scope {
    pub compartments: Vec<String>,
}

/// A transaction under way. Dropped without commit, it closes its connection and nothing is written.
pub struct Transaction<'a> {
    store: &'a Store,
    grant: &'a Grant,
    connection: Connection,
    begun: bool,
    /// What is sent from now on may commit.
    committing: bool,
    /// Past it, nothing more is sent and nothing is written.
    ends: Instant,
    /// One of the versions that were staged: to look up whether a commit of unknown outcome happened.
    witness: Option<NewVersion>,
    /// The records that will commit with it. Last of all: they are void only when the connection is gone.
    entered: Vec<Entered>,
}

impl Store {
    /// Whether a resource could be changed so: found out by locking it for that and letting it go.
    pub async fn probe(
        &self,
        grant: &Grant,
        resource_type: ResourceType,
        id: &Id,
        permission: Permission,
    ) -> Result<Standing> {
        let compartments = vec![Place::of(resource_type, id).compartment().as_str().to_owned()];
        let mut transaction = self.transaction(grant, Scope { compartments }).await?;
        let locked = transaction.lock(&[(resource_type, id.clone(), permission)]).await;
        transaction.roll_back().await;
        match locked {
            Ok(locked) => Ok(locked.into_iter().next().unwrap_or(Standing::Absent)),
            Err(WriteFailure::Refused(error) | WriteFailure::RefusedAt(.., error) | WriteFailure::Raced(error)) => {
                Err(error)
            }
        }
    }

    /// Takes a connection for a transaction. BEGIN goes out with the first statement.
    pub async fn transaction<'a>(&'a self, grant: &'a Grant, scope: Scope) -> Result<Transaction<'a>> {
        let connection = self.nodes.connect_to_all(scope.compartments.iter().map(String::as_str)).await;
        let connection = connection.map_err(Failure::into_error)?;
        let ends = Instant::now() + self.transaction_deadline;
        Ok(Transaction {
            store: self,
            grant,
            connection,
            begun: false,
            committing: false,
            ends,
            witness: None,
            entered: Vec::new(),
        })
    }
}

impl<'a> Transaction<'a> {
    /// Reads that see what this transaction wrote.
    pub fn reader(&self) -> Reader<'_> {
        Reader::inside(self.store, self.grant, &self.connection)
    }

    /// Locks the current versions of these resources until the end and returns them, as the grant shows them to who will
    /// change them so.
    /// Locks are taken in the order of the keys, so that two transactions seldom wait for each other; where they do,
    /// the database ends one of them and it is repeated.
    pub async fn lock(
        &mut self,
        keys: &[(ResourceType, Id, Permission)],
    ) -> std::result::Result<Vec<Standing>, WriteFailure> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let begin = !std::mem::replace(&mut self.begun, true);
        self.connection.hold();
        let this = &*self;
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_by_key(|&position| keys.get(position));
        let mut locked = vec![Standing::Absent; keys.len()];
        for (number, chunk) in order.chunks(PIPELINE_LENGTH).enumerate() {
            let mut answers = Vec::with_capacity(chunk.len());
            for (resource_type, id, permission) in chunk.iter().filter_map(|&position| keys.get(position)) {
                answers.push(this.lock_one(*resource_type, id, *permission));
            }
            // BEGIN goes out with the first locks, in front of them: one round trip less.
            let first = begin && number == 0;
            let (begun, found) = join(this.send_begin(first), join_all(answers)).await;
            begun?;
            for (&position, found) in chunk.iter().zip(found) {
                if let Some(slot) = locked.get_mut(position) {
                    *slot = found?;
                }
            }
        }
        Ok(locked)
    }

    async fn lock_one(
        &self,
        resource_type: ResourceType,
        id: &Id,
        permission: Permission,
    ) -> std::result::Result<Standing, WriteFailure> {
        let refused = |error| WriteFailure::RefusedAt(resource_type, id.clone(), error);
        let sees_all = self.reader().sees_all(permission, resource_type).map_err(refused)?;
        let effort = if sees_all { Effort::AsNeeded } else { Effort::Even };
        let place = Place::of(resource_type, id);
        let mut found = self.lock_at(resource_type, id, place.compartment()).await?;
        if !effort.is_enough(&place, found.is_some()) {
            let home = self.reader().home_beyond(&place, resource_type, id).await?;
            if let Some(home) = effort.next(home, &place) {
                found = found.or(self.lock_at(resource_type, id, &home).await?);
            }
        }
        if sees_all {
            return Ok(found.map_or(Standing::Absent, |locked| Standing::Current(Box::new(locked))));
        }
        guard::standing(&self.reader(), permission, resource_type, found).await.map_err(refused)
    }

    async fn lock_at(
        &self,
        resource_type: ResourceType,
        id: &Id,
        at: &Compartment,
    ) -> std::result::Result<Option<Locked>, WriteFailure> {
        let parameters: [&(dyn ToSql + Sync); 3] = [&at.as_str(), &resource_type.as_str(), &id.as_str()];
        match self.connection.query_opt(LOCK_CURRENT, &parameters).await? {
            Some(row) => {
                let stored = self.reader().stored(resource_type, id.clone(), at.clone(), &row).await?;
                Ok(Some(Locked { stored, key: row.get("key") }))
            }
            None => Ok(None),
        }
    }

    async fn send_begin(&self, really: bool) -> std::result::Result<(), Failure> {
        if really { self.connection.run("BEGIN", Phase::Statement).await } else { Ok(()) }
    }

    async fn begin(&mut self) -> std::result::Result<(), Failure> {
        if !self.begun {
            self.connection.hold();
            self.connection.run("BEGIN", Phase::Statement).await?;
            self.begun = true;
        }
        Ok(())
    }

    /// Stages the writes without committing them, for reads that must see them; `commit_changes` with nothing ends it.
    pub async fn stage(&mut self, writes: &[Write], receipt: Option<&str>) -> std::result::Result<(), WriteFailure> {
        guard::check_writes(&self.reader(), self.grant, writes).await?;
        self.send(writes, receipt).await?;
        self.witness = writes.first().map(|write| write.version.clone());
        Ok(())
    }

    /// Sends the writes inside a transaction, a piece at a time.
    async fn send(&mut self, writes: &[Write], receipt: Option<&str>) -> std::result::Result<(), Failure> {
        self.begin().await?;
        let pieces = writes.len().div_ceil(WRITES_AT_ONCE).max(1);
        for number in 0..pieces {
            let piece = writes.chunks(WRITES_AT_ONCE).nth(number).unwrap_or_default();
            let operations = self.operations(piece, receipt.filter(|_| number + 1 == pieces))?;
            run(&self.connection, &operations, Frame::default(), Phase::Statement, self.ends).await?;
        }
        Ok(())
    }

    /// Writes and commits. Either all of it is stored when this returns `Ok`, or nothing is, or the error says that
    /// nobody knows. `receipt`: the key under which `brasa load` notes that this piece is stored.
    pub async fn commit_changes(
        mut self,
        writes: &[Write],
        receipt: Option<&str>,
    ) -> std::result::Result<(), WriteFailure> {
        if let Err(refusal) = guard::check_writes(&self.reader(), self.grant, writes).await {
            self.roll_back().await;
            return Err(refusal);
        }
        self.committing = true;
        self.entered.iter_mut().for_each(Entered::sending);
        let outcome = match writes.len() {
            ..=WRITES_AT_ONCE => self.commit_few(writes, receipt).await,
            _ => match self.send(writes, receipt).await {
                Ok(()) => self.connection.run("COMMIT", Phase::Commit).await,
                Err(failure) => Err(failure),
            },
        };
        match outcome {
            Ok(()) => {
                self.connection.release();
                self.entered.drain(..).for_each(Entered::committed);
                Ok(())
            }
            Err(failure) => self.after_failure(failure, writes).await,
        }
    }

    /// The statements of some writes, and those of their records.
    fn operations(&mut self, writes: &[Write], receipt: Option<&str>) -> std::result::Result<Vec<Operation>, Failure> {
        let mut operations = operations(&self.store.nodes, writes, receipt);
        if let Some(AuditRows { rows, mut entered }) =
            self.store.enter_writes(self.grant, writes).map_err(Failure::Other)?
        {
            insert_rows(&mut operations, &self.store.nodes, INSERT_AUDIT, rows);
            if self.committing {
                entered.sending();
            }
            self.entered.push(entered);
        }
        Ok(operations)
    }

    /// As few flights as can be: BEGIN goes out with the first statements, and COMMIT, where no answer decides about it.
    async fn commit_few(&mut self, writes: &[Write], receipt: Option<&str>) -> std::result::Result<(), Failure> {
        let operations = self.operations(writes, receipt)?;
        self.connection.hold();
        // One statement outside a transaction commits by itself.
        let single = operations.len() == 1 && !self.begun;
        let begin = !single && !operations.is_empty() && !std::mem::replace(&mut self.begun, true);
        let at_once = self.begun && !operations.is_empty() && can_commit_at_once(&operations);
        let phase = if single || at_once { Phase::Commit } else { Phase::Statement };
        run(&self.connection, &operations, Frame { begin, commit: at_once }, phase, self.ends).await?;
        if self.begun && !at_once { self.connection.run("COMMIT", Phase::Commit).await } else { Ok(()) }
    }

    /// An unknown outcome is looked up: what can be read is stored.
    async fn after_failure(mut self, failure: Failure, writes: &[Write]) -> std::result::Result<(), WriteFailure> {
        let (store, grant) = (self.store, self.grant);
        if self.begun && !matches!(failure, Failure::NodeDown(_)) {
            // The server knows that the transaction failed; ending it keeps the connection.
            if self.connection.run("ROLLBACK", Phase::Statement).await.is_ok() {
                self.connection.release();
            }
        } else if !self.begun && !matches!(failure, Failure::NodeDown(_)) {
            self.connection.release();
        }
        let entered = std::mem::take(&mut self.entered);
        drop(self.connection);
        let (raced, error) = match failure {
            Failure::Raced(error) => (true, error),
            other => (false, other.into_error()),
        };
        if error.kind != Kind::UnknownOutcome {
            entered.into_iter().for_each(Entered::refused);
            return Err(if raced { WriteFailure::Raced(error) } else { WriteFailure::Refused(error) });
        }
        // Whether or not the version is found now, its records are looked for when nothing can come any more.
        drop(entered);
        match writes.first().map(|write| &write.version).or(self.witness.as_ref()) {
            Some(version) if is_stored(store, grant, version).await => Ok(()),
            _ => Err(WriteFailure::Refused(error)),
        }
    }

    /// Gives the transaction up: nothing of it is written.
    pub async fn roll_back(mut self) {
        self.entered.drain(..).for_each(Entered::refused);
        if self.begun && self.connection.run("ROLLBACK", Phase::Statement).await.is_ok() {
            self.connection.release();
        }
    }
}

/// Whether exactly this version can be read now. All writes of a transaction commit together, so one stands for all.
async fn is_stored(store: &Store, grant: &Grant, version: &NewVersion) -> bool {
    let found =
        store.reader(grant).any_version(version.resource_type, &version.id, version.version_id, Effort::AsNeeded).await;
    let Ok(Some(found)) = found else { return false };
    let ours = match &version.body {
        Some(body) => store.decode(&body.0).await.ok(),
        None => None,
    };
    found.last_updated == version.last_updated && found.method == version.method && found.body == ours
}
