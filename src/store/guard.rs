//! What a grant lets be seen: for a search a condition on each type, for a version at hand a look at it.
//!
//! Where everything may be seen nothing is added, and costs nothing.

use super::Store;
use super::commit::{Locked, Write, WriteFailure};
use super::read::{Reader, Stored};
use super::search::Search;
use crate::auth::Grant;
use crate::auth::membership::subject_parameters;
use crate::auth::policy::Permission;
use crate::auth::sight::Sight;
use crate::error::{Error, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::resource::Resource;
use crate::search::clause::{Clause, Predicate};
use crate::search::entry::Entries;
use crate::search::evaluate::{Fact, World, matches};
use crate::search::extract::extract;
use crate::search::form::form_urlencoded;
use crate::search::query::{Question, Scope, parse};
use crate::search::registry::{ParameterKind, Registry};
use std::collections::HashMap;
use std::sync::Arc;

/// What rights are read against: the parameters of R4, whatever was added to them.
pub struct Rights {
    registry: Arc<Registry>,
    /// The configured address of this server; references that start with it are local ones.
    own_base: Option<String>,
}

impl Rights {
    pub fn new(own_base: Option<String>) -> Rights {
        Rights { registry: Registry::standard(), own_base }
    }

    /// This server's own address, where it was told it.
    pub(super) fn own_base(&self) -> Option<&str> {
        self.own_base.as_deref()
    }

    /// The hash of each branch by which a resource that can be about a patient refers to others, by its parameter.
    pub fn references(&self, types: &[ResourceType]) -> HashMap<i32, i64> {
        let parameters = types.iter().flat_map(|of| self.registry.parameters(*of));
        let references = parameters.filter(|parameter| parameter.kind == ParameterKind::Reference);
        references.flat_map(|parameter| &parameter.branches).map(|branch| (branch.param, branch.hash)).collect()
    }

    /// What a search of a type asks, where all of it can be said of one resource by itself.
    fn found(&self, resource_type: ResourceType, text: &str) -> Option<Clause> {
        let parameters = form_urlencoded(text).ok()?;
        let question = Question {
            scope: &Scope::Type(resource_type),
            parameters: &parameters,
            registry: &self.registry,
            strict: true,
            now_us: chrono::Utc::now().timestamp_micros(),
            base: self.own_base.as_deref(),
            base_is_guessed: false,
            count_default: 1,
            count_max: 1,
        };
        let query = parse(&question).ok()?;
        // Words about the answer, such as `_count`, restrict nothing.
        let restricts = !query.clauses.is_empty() && query.clauses.len() == parameters.len();
        let clause = Clause::all(query.clauses);
        (restricts && is_of_one_resource(&clause)).then_some(clause)
    }

    /// What makes a resource of a type one that is about a patient.
    pub fn about(&self, resource_type: ResourceType, patient: &Id) -> Clause {
        if resource_type == ResourceType::PATIENT {
            let is_patient = Clause::Match(Predicate::Type(ResourceType::PATIENT));
            return Clause::All(vec![is_patient, Clause::Match(Predicate::Id(patient.clone()))]);
        }
        let by = |code: &str| self.found(resource_type, &format!("{code}=Patient/{patient}"));
        Clause::any(subject_parameters(resource_type).filter_map(by).collect())
    }

    /// `referred_to`: the resources to which a patient's record leads.
    fn clause(&self, sight: &Sight, resource_type: ResourceType, referred_to: &HashMap<Id, Vec<i64>>) -> Clause {
        let each = |sights: &[Sight]| -> Vec<Clause> {
            sights.iter().map(|sight| self.clause(sight, resource_type, referred_to)).collect()
        };
        match sight {
            Sight::All => Clause::All(Vec::new()),
            Sight::None => nothing(),
            Sight::About(patient) => self.about(resource_type, patient),
            Sight::ReferredToBy(patient) => match referred_to.get(patient) {
                Some(selves) if !selves.is_empty() => Clause::Match(Predicate::SelfIn(selves.clone())),
                _ => nothing(),
            },
            // A scope that cannot be read opens nothing.
            Sight::Found(text) => self.found(resource_type, text).unwrap_or_else(nothing),
            Sight::Each(sights) => {
                let clauses = each(sights);
                if clauses.iter().any(Clause::is_never) { nothing() } else { Clause::all(clauses) }
            }
            Sight::Any(sights) => Clause::any(each(sights).into_iter().filter(|clause| !clause.is_never()).collect()),
        }
    }
}

/// What nothing meets.
fn nothing() -> Clause {
    Clause::Any(Vec::new())
}

/// Whether a clause can be told from a resource alone: none that leads to others or waits for the database.
fn is_of_one_resource(clause: &Clause) -> bool {
    match clause {
        Clause::Match(_) => true,
        Clause::Not(inner) => is_of_one_resource(inner),
        Clause::Any(clauses) | Clause::All(clauses) => clauses.iter().all(is_of_one_resource),
        Clause::Chain(_) | Clause::Has(_) | Clause::Pending(_) => false,
    }
}

/// The patients whose records must be known to say what a sight opens.
fn records_of(sight: &Sight) -> Vec<&Id> {
    match sight {
        Sight::ReferredToBy(patient) => vec![patient],
        Sight::Each(sights) | Sight::Any(sights) => sights.iter().flat_map(records_of).collect(),
        Sight::All | Sight::None | Sight::About(_) | Sight::Found(_) => Vec::new(),
    }
}

/// What resources of some types must meet to be used in one way.
pub struct Visible {
    conditions: HashMap<ResourceType, Clause>,
}

impl Visible {
    /// A type that was not asked about is not seen.
    pub fn condition(&self, resource_type: ResourceType) -> Clause {
        self.conditions.get(&resource_type).cloned().unwrap_or_else(nothing)
    }

    pub fn shows(&self, resource_type: ResourceType) -> bool {
        self.conditions.get(&resource_type).is_some_and(|condition| !condition.is_never())
    }

    /// What a resource must meet that is of one of these types.
    pub fn of_any(&self, types: &[ResourceType]) -> Clause {
        let conditions: Vec<Clause> = types.iter().map(|of| self.condition(*of)).collect();
        match conditions.as_slice() {
            [only] => return only.clone(),
            several if several.iter().all(Clause::is_always) => return Clause::All(Vec::new()),
            _ => {}
        }
        let of_type = |(of, condition): (&ResourceType, Clause)| {
            let is_of_type = || Clause::Match(Predicate::Type(*of));
            match &condition {
                always if always.is_always() => is_of_type(),
                // Entries of a reference tell the type themselves.
                Clause::Match(Predicate::Reference { only: Some(only), .. }) if only == of => condition,
                _ => Clause::all(vec![is_of_type(), condition]),
            }
        };
        let seen = types.iter().zip(conditions).filter(|(_, condition)| !condition.is_never());
        Clause::any(seen.map(of_type).collect())
    }

    fn admits(&self, fact: &Fact<'_>) -> bool {
        matches(&self.condition(fact.resource_type), fact, &World::default())
    }
}

/// A resource that a change is about, as its caller may see it.
#[derive(Debug, Clone)]
pub enum Standing {
    /// There never was one.
    Absent,
    Current(Box<Locked>),
    /// It may not be changed so, or there is none: for this caller that is the same.
    Hidden,
}

pub fn forbidden(permission: Permission, resource_type: ResourceType) -> Error {
    let verb = match permission {
        Permission::Create => "create",
        Permission::Read => "read",
        Permission::Update => "change",
        Permission::Delete => "delete",
        Permission::Search => "search for",
    };
    Error::forbidden(format!("This account may not {verb} resources of the type {resource_type}."))
}

impl Reader<'_> {
    /// The first resources of a type that a search finds which the server makes for itself, such as the PractitionerRoles
    /// of an account.
    pub async fn found_by(&self, resource_type: ResourceType, search: &str, count: usize) -> Result<Vec<Stored>> {
        let clause = self.store.rights.found(resource_type, search);
        let conditions = [clause.ok_or_else(|| Error::internal("a search of the server's own cannot be read"))?];
        let search = Search { types: &[resource_type], conditions: &conditions, sort: &[], page: None, count };
        let found = self.search(&search).await?;
        Ok(found.hits.into_iter().map(|hit| hit.stored).collect())
    }

    /// What resources of these types must meet to be used so.
    pub(super) async fn visible(&self, permission: Permission, types: &[ResourceType]) -> Result<Visible> {
        let sights: Vec<(ResourceType, Sight)> =
            types.iter().map(|of| (*of, self.grant.sight(permission, *of))).collect();
        let mut referred_to = HashMap::new();
        for patient in sights.iter().flat_map(|(_, sight)| records_of(sight)) {
            if !referred_to.contains_key(patient) {
                referred_to.insert(patient.clone(), Box::pin(self.referred_to_by(patient)).await?);
            }
        }
        let rights = &self.store.rights;
        let condition = |(of, sight): (ResourceType, Sight)| (of, rights.clause(&sight, of, &referred_to));
        Ok(Visible { conditions: sights.into_iter().map(condition).collect() })
    }

    /// Whether all of a type may be used so. Refuses where nothing of it may.
    pub(super) fn sees_all(&self, permission: Permission, resource_type: ResourceType) -> Result<bool> {
        match self.grant.sight(permission, resource_type) {
            Sight::All => Ok(true),
            Sight::None => Err(forbidden(permission, resource_type)),
            _ => Ok(false),
        }
    }

    /// Those versions that may be used so. Deletions say nothing of whom they are about: they may be used where all may.
    pub(super) async fn retain_visible(&self, permission: Permission, versions: Vec<Stored>) -> Result<Vec<Stored>> {
        let mut types: Vec<ResourceType> = versions.iter().map(|stored| stored.resource_type).collect();
        types.sort_unstable();
        types.dedup();
        if types.iter().all(|of| self.grant.sight(permission, *of) == Sight::All) {
            return Ok(versions);
        }
        let visible = Box::pin(self.visible(permission, &types)).await?;
        let mut seen = Vec::with_capacity(versions.len());
        for stored in versions {
            if self.store.shows(&visible, &stored)? {
                seen.push(stored);
            }
        }
        Ok(seen)
    }
}

impl Store {
    /// Why a caller may not store this resource under this id, in a way that needs these rights, going by its content alone:
    /// nothing is looked up of what stands there.
    pub async fn refusal_to_store(
        &self,
        grant: &Grant,
        permissions: &[Permission],
        id: &Id,
        resource: &Resource,
    ) -> Result<Option<Error>> {
        let entries = extract(&self.rights.registry, resource, self.rights.own_base.as_deref());
        let fact = Fact {
            resource_type: resource.resource_type(),
            id: id.as_str(),
            last_updated_us: chrono::Utc::now().timestamp_micros(),
            entries: &entries,
        };
        refusal_of_content(&self.reader(grant), permissions, &fact).await
    }

    pub(super) fn shows(&self, visible: &Visible, stored: &Stored) -> Result<bool> {
        if visible.condition(stored.resource_type).is_always() {
            return Ok(true);
        }
        let Some(body) = &stored.body else { return Ok(false) };
        let resource = Resource::read(body, 0..body.len(), usize::MAX).map_err(Error::internal)?;
        let entries = extract(&self.rights.registry, &resource, self.rights.own_base.as_deref());
        Ok(visible.admits(&fact(stored, &entries)))
    }
}

fn fact<'a>(stored: &'a Stored, entries: &'a Entries) -> Fact<'a> {
    Fact {
        resource_type: stored.resource_type,
        id: stored.id.as_str(),
        last_updated_us: stored.last_updated.timestamp_micros(),
        entries,
    }
}

/// How a write uses what stood there, and what it puts there.
fn uses(write: &Write) -> (Permission, &'static [Permission]) {
    let stood = write.previous.as_ref().is_some_and(|previous| previous.stands);
    match (write.version.method, stood) {
        ("POST", _) => (Permission::Create, &[Permission::Create]),
        ("DELETE", _) => (Permission::Delete, &[]),
        // An update that creates needs the right to do either.
        ("PUT", false) => (Permission::Update, &[Permission::Update, Permission::Create]),
        _ => (Permission::Update, &[Permission::Update]),
    }
}

/// Refuses writes that the grant does not cover: of what stands there, and of what will.
pub(super) async fn check_writes(
    reader: &Reader<'_>,
    grant: &Grant,
    writes: &[Write],
) -> std::result::Result<(), WriteFailure> {
    if grant.is_everything() {
        return Ok(());
    }
    for write in writes {
        let version = &write.version;
        let of = version.resource_type;
        let (on_previous, on_next) = uses(write);
        let refused = |permission| WriteFailure::RefusedAt(of, version.id.clone(), forbidden(permission, of));
        let hidden = || WriteFailure::RefusedAt(of, version.id.clone(), missing(of));
        let fact = |entries| Fact {
            resource_type: of,
            id: version.id.as_str(),
            last_updated_us: version.last_updated.timestamp_micros(),
            entries,
        };
        for permission in on_next.iter().chain([&on_previous]) {
            if grant.sight(*permission, of) == Sight::None {
                return Err(refused(*permission));
            }
        }
        let visible = reader.visible(on_previous, &[of]).await?;
        if !visible.condition(of).is_always() {
            // Under an id of the client's nothing is made by who may not see whether it is taken.
            let previous = write.previous.as_ref().filter(|previous| previous.stands);
            let is_seen = previous.is_some_and(|previous| visible.admits(&fact(&previous.entries)));
            if !is_seen && on_previous != Permission::Create {
                return Err(hidden());
            }
        }
        if let Some(refusal) = refusal_of_content(reader, on_next, &fact(&version.entries)).await? {
            return Err(WriteFailure::RefusedAt(of, version.id.clone(), refusal));
        }
    }
    Ok(())
}

/// Why a resource with this content may not be stored in one of these ways.
async fn refusal_of_content(reader: &Reader<'_>, permissions: &[Permission], fact: &Fact<'_>) -> Result<Option<Error>> {
    let of = fact.resource_type;
    for permission in permissions {
        if !reader.visible(*permission, &[of]).await?.admits(fact) {
            let message =
                format!("This account may not store this {of}: it is not about whom, or by whom, it must be.");
            return Ok(Some(Error::forbidden(message)));
        }
    }
    Ok(None)
}

/// What is said of what is not there and of what may not be seen.
pub fn missing(resource_type: ResourceType) -> Error {
    Error::not_found(format!("There is no {resource_type} with this id."))
}

/// What a change finds, for a caller who does not see all of the type.
pub(super) async fn standing(
    reader: &Reader<'_>,
    permission: Permission,
    resource_type: ResourceType,
    found: Option<Locked>,
) -> Result<Standing> {
    let visible = Box::pin(reader.visible(permission, &[resource_type])).await?;
    Ok(match found {
        Some(locked) if reader.store.shows(&visible, &locked.stored)? => Standing::Current(Box::new(locked)),
        _ => Standing::Hidden,
    })
}
