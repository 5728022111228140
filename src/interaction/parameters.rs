//! The search parameters that this server knows now: R4's own and those of active SearchParameter resources.
//!
//! The resources are the truth; each server reads them again when one has changed, and tells the others what it knows
//! (docs/decisions/0011-custom-search-parameters.md).

use crate::auth::{self, Grant};
use crate::error::{Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::invalid::Invalid;
use crate::fhir::resource::Resource;
use crate::search::custom;
use crate::search::registry::{CustomDefinition, Registry};
use crate::store::{ParameterState, Store, TypeVersions};
use chrono::{DateTime, Utc};
use smol_str::SmolStr;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use tokio::sync::Mutex;

/// A SearchParameter resource that adds something.
#[derive(Debug, Clone, PartialEq)]
pub struct Custom {
    pub id: Id,
    pub definition: CustomDefinition,
    /// Of what is indexed.
    hash: i64,
}

/// What is known at one time.
#[derive(Debug)]
pub struct Known {
    pub registry: Arc<Registry>,
    custom: Vec<Custom>,
}

impl Known {
    pub fn custom(&self) -> &[Custom] {
        &self.custom
    }

    /// Whether one of these SearchParameter resources adds something.
    pub fn has_any(&self, ids: &[&Id]) -> bool {
        self.custom.iter().any(|custom| ids.contains(&&custom.id))
    }

    /// Those of the noted search parameters (id, hash of what is indexed) that are known here, and the types that they add
    /// something to.
    pub fn types_of<'n>(&self, noted: &'n [(String, i64)]) -> (Vec<(&'n str, i64)>, Vec<ResourceType>) {
        let (mut known, mut types) = (Vec::new(), Vec::new());
        for (id, hash) in noted {
            let custom = self.custom.iter().find(|custom| custom.id.as_str() == id && custom.hash == *hash);
            if let Some(custom) = custom {
                known.push((id.as_str(), *hash));
                types.extend_from_slice(&custom.definition.bases);
            }
        }
        types.sort_unstable();
        types.dedup();
        (known, types)
    }

    /// Whether these definitions can stand beside what other SearchParameter resources add.
    ///
    /// # Errors
    /// The position of the first that cannot, and why.
    pub fn check(
        &self,
        written: &[&Id],
        definitions: &[CustomDefinition],
    ) -> std::result::Result<(), (usize, Invalid)> {
        let others = self.custom.iter().filter(|custom| !written.contains(&&custom.id));
        let mut all: Vec<CustomDefinition> = others.map(|custom| custom.definition.clone()).collect();
        let before = all.len();
        all.extend_from_slice(definitions);
        let (_, faults) = Registry::standard().with_custom(&all);
        match faults.into_iter().find_map(|(position, fault)| Some((position.checked_sub(before)?, fault))) {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }
}

/// The search parameters, replaced as a whole when some of them change.
pub struct Parameters {
    /// What is known without any SearchParameter resource.
    own: Arc<Registry>,
    known: RwLock<Arc<Known>>,
    looking: Mutex<Looking>,
    /// The number of this server among those on its database.
    server: i64,
    /// Those of which the log says already that a resource is too large for them.
    exceeded: std::sync::Mutex<HashSet<SmolStr>>,
}

#[derive(Default)]
struct Looking {
    versions: Option<TypeVersions>,
    custom: Vec<Read>,
    /// What a write that is under way may still use.
    former: Vec<Weak<Known>>,
    /// The time whose search parameters every write of this server uses.
    synced: Option<DateTime<Utc>>,
}

/// A SearchParameter resource that adds something, as it was read.
struct Read {
    custom: Custom,
    body: Vec<u8>,
}

impl Parameters {
    /// `own`: what is known without any SearchParameter resource.
    pub fn new(own: Arc<Registry>) -> Parameters {
        let known = Known { registry: Arc::clone(&own), custom: Vec::new() };
        Parameters {
            own,
            known: RwLock::new(Arc::new(known)),
            looking: Mutex::default(),
            server: rand::random_range(1..=i64::MAX),
            exceeded: std::sync::Mutex::default(),
        }
    }

    /// A resource has not all entries of this parameter, whose expression takes too many steps there. The log says it once.
    pub fn tell_exceeded(&self, url: &SmolStr) {
        let is_new = self.exceeded.lock().unwrap_or_else(PoisonError::into_inner).insert(url.clone());
        if is_new {
            tracing::warn!(%url, "a search parameter takes too many steps in a resource, which is not found by all of it");
        }
    }

    /// What is known now. A write holds it until it is committed: only then the others are told that this server uses
    /// what is newer.
    pub fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first look, before anything is written.
    pub async fn open(&self, store: &Store) -> Result<()> {
        // What is added from now on waits for this server.
        store.enter_server(self.server).await?;
        let noted = read_all(store.parameter_copies().await?).await;
        let definitions = noted.iter().map(|read| read.custom.clone()).collect();
        self.install(definitions, &mut self.looking.lock().await.former);
        match self.sync(store).await {
            // A part of the database is down. What is answered is known, and what is added waits.
            Err(error) if matches!(error.kind, Kind::Busy { .. }) => {
                tracing::warn!(cause = error.cause.as_deref(), "could not read the search parameters");
                Ok(())
            }
            answer => answer,
        }
    }

    /// Looks what has changed, and tells the others. A step that may be repeated at any time.
    pub async fn sync(&self, store: &Store) -> Result<()> {
        let mut looking = self.looking.lock().await;
        let grant = auth::of_server();
        // What was noted in the first round is known since before the second.
        for _ in 0..2 {
            let looked = self.look(store, &grant, &mut looking).await;
            let is_settled = looking.former.iter().all(|known| known.strong_count() == 0);
            let synced = looked.as_ref().ok().map(|looked| looked.time).filter(|_| is_settled);
            let was_dead = !store.report_server(self.server, synced).await?;
            let looked = looked?;
            let again = if was_dead { self.rise(store, &mut looking).await? } else { looked.noted };
            looking.synced = synced.or(looking.synced);
            if !again {
                break;
            }
        }
        Ok(())
    }

    /// This server goes: nobody waits for it.
    pub async fn leave(&self, store: &Store) -> Result<()> {
        store.leave_server(self.server).await
    }

    /// The others took this server for dead, and went on without it: its writes may lack what was added meanwhile.
    async fn rise(&self, store: &Store, looking: &mut Looking) -> Result<bool> {
        store.enter_server(self.server).await?;
        let Some(synced) = looking.synced else { return Ok(true) };
        if store.doubt_parameters(synced).await? {
            tracing::warn!("this server was out of touch while search parameters were added: they are indexed again");
        }
        Ok(true)
    }

    async fn look(&self, store: &Store, grant: &Grant, looking: &mut Looking) -> Result<Looked> {
        let (time, states) = store.parameter_states().await?;
        let versions = store.type_versions(ResourceType::SEARCH_PARAMETER).await?;
        if looking.versions != Some(versions) {
            looking.custom = read_all(store.parameter_bodies(grant).await?).await;
            looking.versions = Some(versions);
        }
        let noted = note(store, &looking.custom, &states).await?;
        let states: HashMap<&str, &ParameterState> = states.iter().map(|state| (state.id.as_str(), state)).collect();
        let with_state = |Read { custom, .. }: &Read| {
            let state = states.get(custom.id.as_str()).filter(|state| state.hash == custom.hash);
            let definition = CustomDefinition { unfinished: unfinished(state.copied()), ..custom.definition.clone() };
            Custom { definition, ..custom.clone() }
        };
        self.install(looking.custom.iter().map(with_state).collect(), &mut looking.former);
        Ok(Looked { time, noted })
    }

    fn install(&self, custom: Vec<Custom>, former: &mut Vec<Weak<Known>>) {
        former.retain(|known| known.strong_count() > 0);
        if self.known().custom == custom {
            return;
        }
        let definitions: Vec<_> = custom.iter().map(|custom| custom.definition.clone()).collect();
        let (registry, _) = self.own.with_custom(&definitions);
        let known = Arc::new(Known { registry: Arc::new(registry), custom });
        let before = std::mem::replace(&mut *self.known.write().unwrap_or_else(PoisonError::into_inner), known);
        former.push(Arc::downgrade(&before));
    }
}

struct Looked {
    /// What was committed before is known now.
    time: DateTime<Utc>,
    /// Something was noted, so that another look is worth while.
    noted: bool,
}

/// So many percent are done; `None`: all.
fn unfinished(state: Option<&ParameterState>) -> Option<u8> {
    let Some(state) = state else { return Some(0) };
    let percent = (100 * state.done).checked_div(state.total.unwrap_or_default()).unwrap_or_default();
    (!state.complete).then_some(u8::try_from(percent.clamp(0, 99)).unwrap_or_default())
}

/// What SearchParameter resources add. Those that cannot be used are left out: they were stored before this server
/// checked them, or two that exclude each other were stored at once.
async fn read_all(bodies: Vec<(Id, Vec<u8>)>) -> Vec<Read> {
    let mut all = Vec::new();
    for (number, (id, body)) in bodies.into_iter().enumerate() {
        if number % super::write::BUILDS_BETWEEN_YIELDS == 0 {
            tokio::task::yield_now().await;
        }
        match Resource::read(&body, 0..body.len(), usize::MAX).and_then(|resource| custom::read(&resource)) {
            Ok(definition) => {
                all.extend(definition.map(|definition| Read { custom: Custom { id, definition, hash: 0 }, body }))
            }
            // It defines a search and is no patient's: the log may say what is wrong with it.
            Err(fault) => tracing::warn!(fault = %fault, "an active SearchParameter is not used"),
        }
    }
    // Ids that servers make grow with time: the older one stays.
    all.sort_unstable_by(|one, other| one.custom.id.as_str().cmp(other.custom.id.as_str()));
    let definitions: Vec<_> = all.iter().map(|read| read.custom.definition.clone()).collect();
    let (registry, faults) = Registry::standard().with_custom(&definitions);
    for (_, fault) in &faults {
        tracing::warn!(fault = %fault, "an active SearchParameter is not used");
    }
    for read in &mut all {
        read.custom.hash = registry.index_hash(&read.custom.definition);
    }
    let is_used = |position: &usize| !faults.iter().any(|(faulty, _)| faulty == position);
    all.into_iter().enumerate().filter(|(position, _)| is_used(position)).map(|(_, read)| read).collect()
}

/// Notes what is new and forgets what is gone. The states were read first, so that the resources are at least as new.
async fn note(store: &Store, all: &[Read], states: &[ParameterState]) -> Result<bool> {
    let mut noted = false;
    for Read { custom, body } in all {
        let state = states.iter().find(|state| state.id == custom.id.as_str());
        if state.is_none_or(|state| state.hash != custom.hash) {
            store.note_parameter(custom.id.as_str(), custom.hash, state.map(|state| state.hash), body).await?;
            noted = true;
        }
    }
    for state in states.iter().filter(|state| !all.iter().any(|read| read.custom.id.as_str() == state.id)) {
        store.forget_parameter(state).await?;
    }
    Ok(noted)
}
