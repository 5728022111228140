//! The one write path: locks what is there, checks the conditions, builds the versions, commits them together.

mod standing;
mod version;

pub use standing::check;

use super::audit;
use super::parameters::Known;
use super::profiles::{self, Looked};
use super::request::{Precondition, Request, Return};
use super::response::{Response, location};
use super::{Context, body_resource, refusal};
use crate::auth::Grant;
use crate::auth::policy::Permission;
use crate::error::{Error, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id, Place, VersionId};
use crate::fhir::instant::to_millisecond;
use crate::fhir::invalid::Invalid;
use crate::fhir::outcome::{Issue, outcome};
use crate::fhir::resource::Resource;
use crate::search::custom;
use crate::search::entry::Entries;
use crate::search::registry::CustomDefinition;
use crate::store::{NewVersion, Previous, Reader, Scope, Standing, Stored, Write, WriteFailure, missing};
use crate::validate::profile::Wanted;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use standing::must_stand;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;
use version::{Next, claims_id, deletion, identifiers, method};

/// How often a transaction that lost a race is tried before the client is told. Each round somebody wins, so a handful
/// of rivals for one resource all come through.
const ATTEMPTS_MAX: u32 = 20;
/// The longest pause between two attempts (ms).
const PAUSE_MS_MAX: u64 = 100;

/// Versions built before other requests get their turn on this thread; one takes some ten microseconds.
pub const BUILDS_BETWEEN_YIELDS: usize = 64;

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// A new resource under an id that the server made.
    Create,
    /// The next version, or the first under an id of the client's.
    Put,
    /// The next version, made from the current one, which must be there.
    Patch,
    Delete,
}

impl Intent {
    /// What it takes to change what stands there.
    fn permission(self) -> Permission {
        match self {
            Intent::Create => Permission::Create,
            Intent::Put | Intent::Patch => Permission::Update,
            Intent::Delete => Permission::Delete,
        }
    }
}

/// What is to happen to one resource. The resource itself is handed over when its version is built: a Bundle of many
/// thousand entries is never in memory as trees.
#[derive(Debug, Clone)]
pub struct Change {
    pub resource_type: ResourceType,
    pub id: Id,
    pub intent: Intent,
    pub precondition: Precondition,
    /// Where it will live, to find the node to write on; `None` for a deletion, which stays where it is, and for a
    /// patch, which seldom moves it.
    pub home: Option<Compartment>,
    /// Where a refusal points at: `Bundle.entry[3]`, or nothing for a request of its own.
    pub place: Option<String>,
}

impl Change {
    pub fn new(resource_type: ResourceType, id: Id, intent: Intent, home: Option<Compartment>) -> Change {
        Change { resource_type, id, intent, precondition: Precondition::None, home, place: None }
    }

    fn at(&self, error: Error) -> Error {
        match &self.place {
            Some(place) => error.within(place),
            None => error,
        }
    }
}

/// What became of one change.
#[derive(Debug)]
pub struct Written {
    pub resource_type: ResourceType,
    pub id: Id,
    /// `None`: there was nothing to delete.
    pub version: Option<(VersionId, DateTime<Utc>)>,
    /// Whether it came into being, for the first time or again after a deletion.
    pub created: bool,
    /// Whether something was stored, and with it the record of the access.
    pub stored: bool,
    /// The stored JSON, when it was asked for.
    pub body: Option<Vec<u8>>,
}

/// Reads that belong to a transaction and see its writes.
pub trait After: Send + Sync {
    fn run<'r>(&'r self, reader: Reader<'r>) -> BoxFuture<'r, Result<()>>;
}

/// Makes the resource of the change at a position, from what stands there now, as it was locked, if it needs that.
/// Called again when a lost race is repeated.
pub type Source<'a> = &'a (dyn Fn(usize, Option<Resource>) -> Result<Resource> + Send + Sync + 'a);

/// Everything that one transaction is made of.
pub struct Work<'a> {
    pub changes: &'a [Change],
    pub resource: Source<'a>,
    pub keep_bodies: bool,
    pub after: Option<&'a dyn After>,
    pub receipt: Option<&'a str>,
}

/// Writes one change of a request of its own, whose body is the resource, and answers it.
pub async fn one(
    context: &Context,
    grant: &Grant,
    request: &Request,
    change: Change,
    resource: Option<Resource>,
    receipt: Option<&str>,
) -> Result<Response> {
    let resource_type = change.resource_type;
    // Handed over the first time; a repeated race reads the body again instead of keeping a copy for it.
    let at_hand = Mutex::new(resource);
    let source = |_, _| match at_hand.lock().ok().and_then(|mut resource| resource.take()) {
        Some(resource) => Ok(resource),
        None => body_resource(context, request, resource_type),
    };
    one_from(context, grant, request, change, &source, receipt).await
}

/// Writes one change of a request of its own and answers it.
pub async fn one_from(
    context: &Context,
    grant: &Grant,
    request: &Request,
    change: Change,
    resource: Source<'_>,
    receipt: Option<&str>,
) -> Result<Response> {
    let returns = request.prefer.returns.unwrap_or(Return::Representation);
    let work = Work {
        changes: std::slice::from_ref(&change),
        resource,
        keep_bodies: returns == Return::Representation,
        after: None,
        receipt,
    };
    let written = apply(context, grant, &work).await?.pop();
    let written = written.ok_or_else(|| Error::internal("a change was not answered"))?;
    Ok(respond(&written, change.intent, returns))
}

/// The answer to one write, by what the client prefers.
pub fn respond(written: &Written, intent: Intent, returns: Return) -> Response {
    let (version, last_modified) = written.version.unzip();
    let deleted = intent == Intent::Delete;
    let said = || {
        let verb = if deleted {
            "deleted"
        } else if written.created {
            "created"
        } else {
            "updated"
        };
        let diagnostics = match version {
            Some(version) => format!("{}/{} was {verb}, version {version}.", written.resource_type, written.id),
            None => "There was nothing to delete.".to_owned(),
        };
        let issue =
            Issue { severity: "information", code: "informational", diagnostics: &diagnostics, expression: None };
        outcome(None, &issue).to_bytes()
    };
    let body = match returns {
        Return::Minimal => None,
        Return::Representation => written.body.clone(),
        Return::OperationOutcome => Some(said()),
    };
    let status = match (deleted, written.created) {
        (true, _) if body.is_none() => 204,
        (false, true) => 201,
        (true | false, _) => 200,
    };
    let location = version.filter(|_| !deleted).map(|version| location(written.resource_type, &written.id, version));
    let is_outcome = returns == Return::OperationOutcome;
    let recorded = written.stored;
    Response { status, body, is_outcome, version, last_modified, location, recorded, ..Response::default() }
}

/// Writes all changes or none. A race that another writer won is repeated from the start, a few times.
pub async fn apply(context: &Context, grant: &Grant, work: &Work<'_>) -> Result<Vec<Written>> {
    let mut attempt = 1;
    let mut looked = context.profiles.looked();
    loop {
        match attempt_once(context, grant, work, &looked).await {
            // Looked for when the transaction is over: nobody waits for a connection while holding one.
            Ok(Attempt::Lacks(missed)) => context.profiles.look_for(context, missed, &mut looked).await?,
            Ok(Attempt::Done(written, parameters_changed)) => {
                if work.changes.iter().any(|change| profiles::is_kept(change.resource_type)) {
                    context.profiles.forget();
                }
                if parameters_changed && let Err(error) = context.parameters.sync(&context.store).await {
                    // It will be looked for again.
                    tracing::warn!(cause = error.cause.as_deref(), "could not read the search parameters");
                }
                return Ok(written);
            }
            Err(WriteFailure::Refused(error)) => return Err(error),
            Err(WriteFailure::RefusedAt(resource_type, id, error)) => {
                let is_meant = |change: &&Change| change.resource_type == resource_type && change.id == id;
                return Err(match work.changes.iter().find(is_meant) {
                    Some(change) => change.at(error),
                    None => error,
                });
            }
            Err(WriteFailure::Raced(error)) if attempt >= ATTEMPTS_MAX => return Err(error),
            Err(WriteFailure::Raced(_)) => {
                let jitter_ms = rand::random_range(0..(10 * u64::from(attempt)).min(PAUSE_MS_MAX));
                tokio::time::sleep(Duration::from_millis(jitter_ms)).await;
                attempt += 1;
            }
        }
    }
}

/// What came of an attempt that nobody refused.
enum Attempt {
    /// What was written, and whether the search parameters of this server change with it.
    Done(Vec<Written>, bool),
    /// Nothing yet: first these profiles must be looked for.
    Lacks(BTreeSet<Wanted>),
}

async fn attempt_once(
    context: &Context,
    grant: &Grant,
    work: &Work<'_>,
    looked: &Looked<'_>,
) -> std::result::Result<Attempt, WriteFailure> {
    let now = to_millisecond(Utc::now());
    // Held until the commit: a search parameter is filled only when no write is under way that does not know it.
    let known = context.parameters.known();
    let (writes, written, definitions) = (Vec::new(), Vec::new(), Vec::new());
    let missed = BTreeSet::new();
    let mut builder = Builder { context, work, known: &known, looked, now, writes, written, definitions, missed };
    let to_lock: Vec<usize> =
        (0..).zip(work.changes).filter(|(_, change)| change.intent != Intent::Create).map(|(n, _)| n).collect();
    let mut transaction = context.store.transaction(grant, scope(work.changes)).await?;
    let keys: Vec<(ResourceType, Id, Permission)> = to_lock
        .iter()
        .filter_map(|&position| work.changes.get(position))
        .map(|change| (change.resource_type, change.id.clone(), change.intent.permission()))
        .collect();
    let locked = transaction.lock(&keys).await?;
    let built = builder.build_all(&to_lock, locked).await.and_then(|()| builder.check_parameters());
    let Builder { writes, written, missed, .. } = builder;
    let parameters_changed = match built {
        Ok(changed) => changed,
        Err(error) => {
            transaction.roll_back().await;
            return Err(error.into());
        }
    };
    if !missed.is_empty() {
        transaction.roll_back().await;
        return Ok(Attempt::Lacks(missed));
    }
    if let Some(after) = work.after {
        transaction.stage(&writes, work.receipt).await?;
        if let Err(error) = after.run(transaction.reader()).await {
            transaction.roll_back().await;
            return Err(error.into());
        }
    }
    let staged = work.after.is_some();
    let (writes, receipt) = if staged { (&[][..], None) } else { (&writes[..], work.receipt) };
    transaction.commit_changes(writes, receipt).await?;
    Ok(Attempt::Done(written, parameters_changed))
}

/// The compartments that a transaction will touch, as far as they are known before it starts.
fn scope(changes: &[Change]) -> Scope {
    let mut compartments = Vec::with_capacity(changes.len());
    for change in changes {
        let home =
            change.home.clone().unwrap_or_else(|| Place::of(change.resource_type, &change.id).compartment().clone());
        compartments.push(home.as_str().to_owned());
    }
    compartments.sort_unstable();
    compartments.dedup();
    Scope { compartments }
}

/// Builds the versions of one attempt.
struct Builder<'a> {
    context: &'a Context,
    work: &'a Work<'a>,
    known: &'a Known,
    looked: &'a Looked<'a>,
    now: DateTime<Utc>,
    writes: Vec<Write>,
    written: Vec<Written>,
    /// What SearchParameter resources among them add, each with the position of its change.
    definitions: Vec<(usize, CustomDefinition)>,
    /// Profiles and what they lead to that nobody has looked for yet.
    missed: BTreeSet<Wanted>,
}

impl Builder<'_> {
    /// `locked`: what was found for the changes at the positions `to_lock`.
    async fn build_all(&mut self, to_lock: &[usize], locked: Vec<Standing>) -> Result<()> {
        let mut found = to_lock.iter().zip(locked).peekable();
        for (position, change) in self.work.changes.iter().enumerate() {
            if position % BUILDS_BETWEEN_YIELDS == BUILDS_BETWEEN_YIELDS - 1 {
                tokio::task::yield_now().await;
            }
            let current = found.next_if(|(at, _)| **at == position).map_or(Standing::Absent, |(_, current)| current);
            self.build(position, change, current).map_err(|error| change.at(error))?;
        }
        Ok(())
    }

    fn build(&mut self, position: usize, change: &Change, current: Standing) -> Result<()> {
        if change.resource_type == ResourceType::AUDIT_EVENT && self.context.store.has_trail() {
            return Err(audit::never_written());
        }
        let (current, key) = match current {
            Standing::Absent => (None, None),
            Standing::Current(locked) => (Some(locked.stored), locked.key),
            Standing::Hidden => return Err(missing(change.resource_type)),
        };
        if change.intent == Intent::Patch {
            // Before the precondition: what is not there is missed whatever version the client names (RFC 9110, 13.2.1).
            must_stand(change.resource_type, current.as_ref())?;
        }
        check(change.precondition, current.as_ref())?;
        let exists = current.as_ref().is_some_and(|current| current.body.is_some());
        let (resource_type, id) = (change.resource_type, change.id.clone());
        if change.intent == Intent::Delete && !exists {
            let version = current.map(|current| (current.version_id, current.last_updated));
            self.written.push(Written { resource_type, id, version, created: false, stored: false, body: None });
            return Ok(());
        }
        let version_id = current.as_ref().map_or(VersionId::FIRST, |current| current.version_id.next());
        // A clock that was set back must not put a version before the one it follows.
        let last_updated = current.as_ref().map_or(self.now, |current| self.now.max(current.last_updated));
        let next = Next { version_id, last_updated, key: key.unwrap_or_else(|| self.context.minter.key()) };
        let (previous, standing) = current.map(|current| self.previous(current, key)).transpose()?.unzip();
        let (version, body) = match change.intent {
            Intent::Delete => (deletion(change, previous.as_ref(), next)?, None),
            Intent::Create | Intent::Put | Intent::Patch => self.version(position, change, next, standing.flatten())?,
        };
        let claims_id = previous.is_none() && claims_id(change.intent, &version);
        self.writes.push(Write { version, previous, claims_id });
        let version = Some((version_id, last_updated));
        self.written.push(Written { resource_type, id, version, created: !exists, stored: true, body });
        Ok(())
    }

    fn version(
        &mut self,
        position: usize,
        change: &Change,
        next: Next,
        standing: Option<Resource>,
    ) -> Result<(NewVersion, Option<Vec<u8>>)> {
        let Next { version_id, last_updated, key } = next;
        let mut resource = (self.work.resource)(position, standing)?;
        if change.resource_type == ResourceType::SEARCH_PARAMETER {
            let definition = custom::read(&resource).map_err(|fault| in_parameter(change, fault))?;
            self.definitions.extend(definition.map(|definition| (position, definition)));
        }
        self.hold_to_profiles(change, &resource)?;
        resource.stamp(&change.id, version_id, last_updated);
        let residence = resource.residence(&change.id, self.context.own_base.as_deref());
        let json = resource.to_bytes();
        let version = NewVersion {
            resource_type: change.resource_type,
            id: change.id.clone(),
            compartment: residence.home,
            version_id,
            last_updated,
            method: method(change.intent),
            body: Some(self.context.store.encode(&json)?),
            members: residence.members,
            identifiers: identifiers(&resource),
            key,
            entries: self.context.entries(&self.known.registry, &resource),
        };
        Ok((version, self.work.keep_bodies.then_some(json)))
    }

    /// Refuses what breaks a profile that it claims, where writes are held to these.
    fn hold_to_profiles(&mut self, change: &Change, resource: &Resource) -> Result<()> {
        let Some(held) = self.context.profiles.demand(self.looked, resource) else { return Ok(()) };
        if !held.missed.is_empty() {
            self.missed.extend(held.missed);
            return Ok(());
        }
        let before = if change.intent == Intent::Patch { "After the patch: " } else { "" };
        refusal(held.report, before).map_err(|error| error.within(body_of(change)))
    }

    /// Whether the search parameters of this server change. Refused is what could not be used beside the others.
    fn check_parameters(&self) -> Result<bool> {
        let is_parameter = |change: &&Change| change.resource_type == ResourceType::SEARCH_PARAMETER;
        let written: Vec<&Id> = self.work.changes.iter().filter(is_parameter).map(|change| &change.id).collect();
        let (positions, definitions): (Vec<usize>, Vec<CustomDefinition>) = self.definitions.iter().cloned().unzip();
        if definitions.is_empty() {
            return Ok(!written.is_empty() && self.known.has_any(&written));
        }
        self.known.check(&written, &definitions).map_err(|(number, fault)| {
            let change = positions.get(number).and_then(|position| self.work.changes.get(*position));
            change
                .map_or_else(|| Error::internal("a search parameter is lost"), |c| c.at(in_parameter(c, fault.clone())))
        })?;
        Ok(true)
    }

    /// What the current version left beside its own row, read from its body, and the resource that was read.
    fn previous(&self, current: Stored, key: Option<i64>) -> Result<(Previous, Option<Resource>)> {
        let read = |body: &Vec<u8>| Resource::read(body, 0..body.len(), usize::MAX).map_err(Error::internal);
        let standing = current.body.as_ref().map(read).transpose()?;
        let (members, identifiers, entries) = match &standing {
            None => (Vec::new(), Vec::new(), Entries::default()),
            Some(resource) => {
                let residence = resource.residence(&current.id, self.context.own_base.as_deref());
                (residence.members, identifiers(resource), self.context.entries(&self.known.registry, resource))
            }
        };
        let Stored { compartment, version_id, .. } = current;
        let stands = standing.is_some();
        Ok((Previous { compartment, version_id, stands, members, identifiers, key, entries }, standing))
    }
}

/// A fault of a SearchParameter, at its place in the request's body or in the entry.
fn in_parameter(change: &Change, fault: Invalid) -> Error {
    Error::from(fault).within(body_of(change))
}

/// What the places in a change's resource are told from.
fn body_of(change: &Change) -> &'static str {
    if change.place.is_some() { "resource" } else { change.resource_type.as_str() }
}
