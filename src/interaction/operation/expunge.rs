//! `$expunge`: removes a patient's whole record, or a resource, or old versions of it, for good. For administrators.
//!
//! It goes on from where it was when it is asked again, and says what went: how many of which type, and a hash over it.

use super::input::{Input, field, parameters};
use crate::audit::record::{Access, What};
use crate::auth::{self, Grant};
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id, VersionId};
use crate::fhir::json::{Json, Object};
use crate::interaction::request::Request;
use crate::interaction::response::Response;
use crate::interaction::route::Level;
use crate::interaction::{Context, profiles};
use crate::store::{Expunged, Extent, expunge_hex, missing};

const EVERYTHING: &str = "expungeEverything";
const DELETED: &str = "expungeDeletedResources";
const PREVIOUS: &str = "expungePreviousVersions";
/// Resources that one request removes when it does not say (resources), and at most.
const LIMIT: u32 = 1_000;
const LIMIT_MAX: u32 = 10_000;

/// What is gone so far, and whether more would go.
struct Done {
    removed: Expunged,
    complete: bool,
}

pub async fn answer(context: &Context, grant: &Grant, request: &Request, level: &Level) -> Result<Response> {
    grant.demand_administration()?;
    let known: &[&str] = match level {
        Level::Version(..) => &[],
        Level::Type(_) | Level::System => &[DELETED, "limit"],
        Level::Instance(..) => &[EVERYTHING, DELETED, PREVIOUS, "limit"],
    };
    let input = Input::read(context, request, known)?;
    let limit = input.number("limit", 1)?.unwrap_or(LIMIT);
    if limit > LIMIT_MAX {
        let message = format!("One request removes at most {LIMIT_MAX} resources. Ask again for the rest.");
        return Err(Error::new(Kind::TooCostly, message).at("limit"));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let expunging = Expunging { context, server: auth::of_server(), asker: grant, request, limit };
    let done = match level {
        Level::Version(of, id, version) => expunging.version(*of, id, version).await?,
        Level::Type(of) => {
            demand_one(&input, &[DELETED])?;
            expunging.deleted(*of).await?
        }
        Level::System => return Err(Error::not_supported("Name a type, a resource or a version.")),
        Level::Instance(of, id) => match demand_one(&input, &[EVERYTHING, DELETED, PREVIOUS])? {
            EVERYTHING if *of == ResourceType::PATIENT => expunging.record(id).await?,
            EVERYTHING => expunging.resource(*of, id, Extent::Everything).await?,
            DELETED => expunging.resource(*of, id, Extent::IfDeleted).await?,
            _ => expunging.resource(*of, id, Extent::PreviousVersions).await?,
        },
    };
    // What happens to a SearchParameter is noticed like any change of one.
    if level.resource_type() == Some(ResourceType::SEARCH_PARAMETER) {
        context.parameters.sync(&context.store).await?;
    }
    if level.resource_type().is_some_and(profiles::is_kept) {
        context.profiles.forget();
    }
    Ok(Response::of_body(200, told(&done).to_bytes()))
}

/// What cannot be undone is said in so many words.
fn demand_one(input: &Input, names: &'static [&'static str]) -> Result<&'static str> {
    let mut asked = None;
    for name in names {
        if input.flag(name)? && asked.replace(*name).is_some() {
            let message = format!("Say one of {} at a time.", names.join(", "));
            return Err(Error::invalid(message).at(*name));
        }
    }
    let message = || format!("What is removed is gone for good. Say what: {} as true.", names.join(" or "));
    asked.ok_or_else(|| Error::invalid(message()).at(names.first().copied().unwrap_or_default()))
}

struct Expunging<'a> {
    context: &'a Context,
    /// An administrator removes what may not be read: nothing of it is shown.
    server: Grant,
    asker: &'a Grant,
    request: &'a Request,
    limit: usize,
}

impl Expunging<'_> {
    /// A patient's whole record, the Patient last.
    async fn record(&self, patient: &Id) -> Result<Done> {
        let at = Compartment::of_patient(patient);
        let mut removed = Expunged::default();
        let mut count = 0;
        loop {
            let mut listed = self.context.store.list_record(&self.server, patient).await?;
            if listed.is_empty() {
                if removed.is_nothing() {
                    return Err(missing(ResourceType::PATIENT));
                }
                return Ok(Done { removed, complete: true });
            }
            if count >= self.limit {
                return Ok(Done { removed, complete: false });
            }
            listed.truncate(self.limit - count);
            count += listed.len();
            removed.extend(self.step(&at, &listed, Extent::Everything).await?);
        }
    }

    async fn resource(&self, of: ResourceType, id: &Id, extent: Extent) -> Result<Done> {
        let current = self.context.store.reader(&self.server).current(of, id).await?.ok_or_else(|| missing(of))?;
        let removed = self.step(&current.compartment, &[(of, id.clone())], extent).await?;
        Ok(Done { removed, complete: true })
    }

    async fn version(&self, of: ResourceType, id: &Id, version: &str) -> Result<Done> {
        let missing_version = || Error::not_found(format!("There is no such version of a {of} with this id."));
        let version = VersionId::parse(version).ok_or_else(missing_version)?;
        let current = self.context.store.reader(&self.server).current(of, id).await?.ok_or_else(missing_version)?;
        if current.version_id == version {
            let message = format!("This is the current version. Expunge {of}/{id} as a whole, or update it first.");
            return Err(Error::new(Kind::Unprocessable, message));
        }
        let removed = self.step(&current.compartment, &[(of, id.clone())], Extent::Version(version.0)).await?;
        if removed.is_nothing() { Err(missing_version()) } else { Ok(Done { removed, complete: true }) }
    }

    /// Deleted resources of a type, with all their versions.
    async fn deleted(&self, of: ResourceType) -> Result<Done> {
        let count = i64::try_from(self.limit).unwrap_or(i64::MAX).saturating_add(1);
        let listed = self.context.store.list_deleted(&self.server, of, count).await?;
        let mut removed = Expunged::default();
        for (at, id) in listed.iter().take(self.limit) {
            removed.extend(self.step(at, &[(of, id.clone())], Extent::IfDeleted).await?);
        }
        Ok(Done { removed, complete: listed.len() <= self.limit })
    }

    async fn step(&self, at: &Compartment, resources: &[(ResourceType, Id)], extent: Extent) -> Result<Expunged> {
        let named = match self.request.interaction.resource_type() {
            Some(of) => of.as_str().to_owned(),
            None => String::new(),
        };
        let told = |removed: &Expunged| {
            let patients = at.patient().iter().map(Id::to_string).collect();
            let only = match resources {
                [(_, id)] => Some(id.to_string()),
                _ => at.patient().map(|patient| patient.to_string()),
            };
            let what = What {
                resource_type: Some(named.clone()),
                id: only,
                removed: Some(summary(removed)),
                ..What::default()
            };
            Access { interaction: "operation".to_owned(), what, patients, status: 200 }
        };
        self.context.store.expunge((&self.server, self.asker), at, resources, extent, &told).await
    }
}

/// In one line, for the audit: `Observation 12/14, Patient 1/3 (resources/versions), sha256 …`.
fn summary(removed: &Expunged) -> String {
    let counts = removed.counts.iter().map(|(name, (resources, versions))| format!("{name} {resources}/{versions}"));
    let counts: Vec<String> = counts.collect();
    format!("{} (resources/versions), sha256 {}", counts.join(", "), expunge_hex(&removed.hash()))
}

fn told(done: &Done) -> Object {
    let number =
        |name: &str, count: u64| field(name, "valueDecimal", Json::from(i64::try_from(count).unwrap_or(i64::MAX)));
    let total = |of: fn(&(u64, u64)) -> u64| done.removed.counts.values().map(of).sum();
    let mut fields = vec![
        field("complete", "valueBoolean", Json::Bool(done.complete)),
        number("resources", total(|counts| counts.0)),
        number("versions", total(|counts| counts.1)),
        field("sha256", "valueString", Json::string(expunge_hex(&done.removed.hash()))),
    ];
    for (name, (resources, versions)) in &done.removed.counts {
        let parts = vec![
            field("type", "valueCode", Json::string(name)),
            number("resources", *resources),
            number("versions", *versions),
        ];
        fields.push(Json::Object(Object::new().with_str("name", "removed").with("part", Json::Array(parts))));
    }
    parameters(fields)
}
