//! The profiles, value sets and code systems that are stored, as far as checks have asked for them.
//!
//! The resources are the truth. What was read of them is kept until one of these types changes, which each server looks
//! for itself every few seconds (docs/decisions/0024-profiles.md).

use super::{Context, canonical};
use crate::auth;
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::json::Json;
use crate::fhir::resource::Resource;
use crate::store::{Store, TypeVersions};
use crate::validate::profile::{self, Against, Definition, Found, Held, Kind as Sort, Shelf, Wanted};
use chrono::Utc;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is kept of definitions, by the length of their JSON (bytes); beyond it those go that were used longest ago.
const KEPT_BYTES_MAX: usize = 128 << 20;
/// What an entry costs besides (bytes): also one that says that there is nothing.
const ENTRY_BYTES: usize = 512;
/// Definitions that one request may have looked for (definitions).
const LOOKED_FOR_MAX: usize = 2_000;
/// Of these at once.
const AT_ONCE: usize = 4;

/// Which profiles writes are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// None.
    Off,
    /// Those that a resource claims, as far as they are known.
    Claimed,
    /// Those that a resource claims, which must be known.
    Required,
}

pub struct Profiles {
    demand: Demand,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    entries: HashMap<Wanted, Entry>,
    bytes: usize,
    /// Grows with each use.
    clock: u64,
    /// Grows when what was kept is forgotten: what was read before is not entered any more.
    generation: u64,
    /// What the types' versions were before anything was read.
    versions: Option<Versions>,
}

type Versions = [TypeVersions; 3];

struct Entry {
    found: Found,
    bytes: usize,
    used: u64,
}

/// What one request works with: what is kept, and what it has looked for itself, which nobody takes from it.
pub struct Looked<'p> {
    profiles: &'p Profiles,
    own: HashMap<Wanted, Found>,
}

impl Shelf for Looked<'_> {
    fn find(&self, wanted: &Wanted) -> Found {
        self.own.get(wanted).cloned().unwrap_or_else(|| self.profiles.kept().find(wanted))
    }
}

impl Kept {
    fn find(&mut self, wanted: &Wanted) -> Found {
        self.clock += 1;
        match self.entries.get_mut(wanted) {
            Some(entry) => {
                entry.used = self.clock;
                entry.found.clone()
            }
            None => Found::NotYet,
        }
    }

    fn enter(&mut self, wanted: Wanted, found: Found, bytes: usize) {
        self.clock += 1;
        let bytes = bytes + ENTRY_BYTES;
        if let Some(before) = self.entries.insert(wanted, Entry { found, bytes, used: self.clock }) {
            self.bytes -= before.bytes;
        }
        self.bytes += bytes;
        if self.bytes <= KEPT_BYTES_MAX {
            return;
        }
        // Half goes at once, so that this is not done again for each that comes.
        let mut by_use: Vec<(u64, Wanted)> =
            self.entries.iter().map(|(wanted, one)| (one.used, wanted.clone())).collect();
        by_use.sort_unstable();
        for (_, wanted) in by_use {
            if self.bytes <= KEPT_BYTES_MAX / 2 {
                return;
            }
            if let Some(gone) = self.entries.remove(&wanted) {
                self.bytes -= gone.bytes;
            }
        }
    }
}

impl Profiles {
    pub fn new(demand: Demand) -> Profiles {
        Profiles { demand, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request begins with.
    pub fn looked(&self) -> Looked<'_> {
        Looked { profiles: self, own: HashMap::new() }
    }

    /// Holds what is about to be written to the profiles that it claims. `None`: it need not be held to any.
    pub fn demand(&self, looked: &Looked<'_>, resource: &Resource) -> Option<Held> {
        // Nearly always nothing is claimed.
        if self.demand == Demand::Off || !profile::claims_any(resource) {
            return None;
        }
        Some(hold(looked, resource, &[], self.demand == Demand::Required))
    }

    /// Forgets what was read: something of it was written.
    pub fn forget(&self) {
        let mut kept = self.kept();
        *kept = Kept { generation: kept.generation + 1, ..Kept::default() };
    }

    /// Looks whether another server's clients have changed something. A step that may be repeated at any time.
    pub async fn sync(&self, store: &Store) -> Result<()> {
        let Some(before) = self.kept().versions else { return Ok(()) };
        if versions(store).await? != before {
            self.forget();
        }
        Ok(())
    }

    /// Looks for definitions that a check missed.
    ///
    /// # Errors
    /// More than a bound, and what the database says.
    pub async fn look_for(&self, context: &Context, missed: BTreeSet<Wanted>, looked: &mut Looked<'_>) -> Result<()> {
        if looked.own.len() + missed.len() > LOOKED_FOR_MAX {
            let message = format!(
                "The profiles lead to more than {LOOKED_FOR_MAX} definitions, which is too many for one check."
            );
            return Err(Error::new(Kind::TooCostly, message));
        }
        let generation = self.begin(&context.store).await?;
        let one = |wanted: Wanted| async move {
            let (found, bytes) = read(context, &wanted).await?;
            Ok::<_, Error>((wanted, found, bytes))
        };
        let all: Vec<_> = stream::iter(missed).map(one).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut kept = self.kept();
        for (wanted, found, bytes) in all {
            if kept.generation == generation {
                kept.enter(wanted.clone(), found.clone(), bytes);
            }
            looked.own.insert(wanted, found);
        }
        Ok(())
    }

    /// Notes what the versions are before anything is read, so that a change after that shows.
    async fn begin(&self, store: &Store) -> Result<u64> {
        let (generation, is_begun) = {
            let kept = self.kept();
            (kept.generation, kept.versions.is_some())
        };
        if !is_begun {
            let versions = versions(store).await?;
            let mut kept = self.kept();
            if kept.generation == generation {
                kept.versions.get_or_insert(versions);
            }
        }
        Ok(generation)
    }
}

/// Whether resources of this type are kept here.
pub fn is_kept(resource_type: ResourceType) -> bool {
    Sort::ALL.iter().any(|sort| sort.resource_type() == resource_type)
}

async fn versions(store: &Store) -> Result<Versions> {
    let [one, two, three] = Sort::ALL.map(|sort| store.type_versions(sort.resource_type()));
    Ok([one.await?, two.await?, three.await?])
}

/// With the server's own right: a profile is a rule of the server, which holds for those, too, who may not read it.
async fn read(context: &Context, wanted: &Wanted) -> Result<(Found, usize)> {
    let grant = auth::of_server();
    let reader = context.store.reader(&grant);
    let found = canonical::find(context, reader, wanted.kind.resource_type(), &wanted.canonical).await?;
    let Some((object, bytes)) = found else { return Ok((Found::Absent, 0)) };
    let resource = Resource::from_json(Json::Object(object)).map_err(Error::internal)?;
    let definition = Definition::read(wanted.kind, &resource);
    let bytes = bytes + definition.pattern_bytes();
    Ok((Found::Here(Arc::new(definition)), bytes))
}

/// Holds a resource to the profiles that it claims and to those that are named, with what is known so far.
fn hold(looked: &Looked<'_>, resource: &Resource, named: &[String], must_be_known: bool) -> Held {
    profile::hold(resource, &Against { shelf: looked, named, must_be_known, now: Some(Utc::now().fixed_offset()) })
}

/// Holds a resource to the profiles that it claims and to those that are named, and looks for what that takes.
pub async fn review(context: &Context, resource: &Resource, named: &[String]) -> Result<crate::validate::Report> {
    let mut looked = context.profiles.looked();
    loop {
        let held = hold(&looked, resource, named, false);
        if held.missed.is_empty() {
            return Ok(held.report);
        }
        context.profiles.look_for(context, held.missed, &mut looked).await?;
    }
}
