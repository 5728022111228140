//! What of a version follows from what was there and what is asked for. <https://hl7.org/fhir/R4/http.html#versions>

use super::{Change, Intent};
use crate::error::{Error, Result};
use crate::fhir::id::{Place, VersionId};
use crate::fhir::resource::Resource;
use crate::search::entry::Entries;
use crate::store::{Identifier, NewVersion, Previous};
use chrono::{DateTime, Utc};

/// What the next version of a resource is called.
#[derive(Clone, Copy)]
pub struct Next {
    pub version_id: VersionId,
    pub last_updated: DateTime<Utc>,
    pub key: i64,
}

/// The method that history tells.
pub fn method(intent: Intent) -> &'static str {
    match intent {
        Intent::Create => "POST",
        Intent::Put => "PUT",
        Intent::Patch => "PATCH",
        Intent::Delete => "DELETE",
    }
}

pub fn deletion(change: &Change, current: Option<&Previous>, next: Next) -> Result<NewVersion> {
    let current = current.ok_or_else(|| Error::internal("there is nothing to delete"))?;
    Ok(NewVersion {
        resource_type: change.resource_type,
        id: change.id.clone(),
        compartment: current.compartment.clone(),
        version_id: next.version_id,
        last_updated: next.last_updated,
        method: method(Intent::Delete),
        body: None,
        members: Vec::new(),
        identifiers: Vec::new(),
        key: next.key,
        entries: Entries::default(),
    })
}

/// Whether the first version of an id is noted in `resource_home`: ids of the client's, which two clients could choose
/// for two patients at once, and ids that do not tell where their resource lives (the patient's own is too long).
pub fn claims_id(intent: Intent, version: &NewVersion) -> bool {
    match Place::of(version.resource_type, &version.id) {
        Place::Certain(_) => false,
        Place::Likely(place) => intent == Intent::Put || place != version.compartment,
    }
}

pub fn identifiers(resource: &Resource) -> Vec<Identifier> {
    if !Identifier::is_kept_for(resource.resource_type()) {
        return Vec::new();
    }
    let own = |(system, value): (&str, &str)| Identifier { system: system.to_owned(), value: value.to_owned() };
    resource.identifiers().into_iter().map(own).collect()
}
