//! The FHIR read and vread interactions. <https://hl7.org/fhir/R4/http.html#read>

use super::Context;
use super::audit::patients_of;
use super::request::Request;
use super::response::Response;
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Id, VersionId};
use crate::fhir::resource::Resource;
use crate::fhir::subset::{Subset, subset};
use crate::search::query::part_of_one;
use crate::store::{Reader, Stored, missing};

const PARAMETERS: &[&str] = &["_format", "_pretty", "_summary", "_elements"];

pub async fn current(
    context: &Context,
    reader: Reader<'_>,
    request: &Request,
    resource_type: ResourceType,
    id: &Id,
) -> Result<Response> {
    let part = part(request, resource_type)?;
    let found = reader.current(resource_type, id).await?;
    let stored = found.ok_or_else(|| missing(resource_type))?;
    respond(context, request, stored, part.as_ref())
}

pub async fn version(
    context: &Context,
    reader: Reader<'_>,
    request: &Request,
    resource_type: ResourceType,
    id: &Id,
    version: &str,
) -> Result<Response> {
    let part = part(request, resource_type)?;
    let missing = || Error::not_found(format!("There is no such version of a {resource_type} with this id."));
    let version = VersionId::parse(version).ok_or_else(missing)?;
    let stored = reader.version(resource_type, id, version).await?.ok_or_else(missing)?;
    respond(context, request, stored, part.as_ref())
}

/// How much of it is asked for; `None`: all.
fn part(request: &Request, resource_type: ResourceType) -> Result<Option<Subset>> {
    request.refuse_unknown(PARAMETERS)?;
    part_of_one(resource_type, request.parameter("_summary")?, request.parameter("_elements")?)
}

/// A part of what is stored, as JSON.
pub fn part_of(stored: &Stored, part: &Subset) -> Result<Vec<u8>> {
    let whole = stored.body.as_deref().unwrap_or_default();
    let resource = Resource::read(whole, 0..whole.len(), usize::MAX).map_err(Error::internal)?;
    Ok(subset(resource.object(), stored.resource_type, part).to_bytes())
}

fn respond(context: &Context, request: &Request, mut stored: Stored, part: Option<&Subset>) -> Result<Response> {
    if stored.body.is_none() {
        let message = format!("This {} was deleted. Its history has the versions before.", stored.resource_type);
        return Err(Error::new(Kind::Gone, message));
    }
    let patients = patients_of(context, [&stored]);
    let response = match request.conditions.is_unchanged(stored.version_id, stored.last_updated) {
        true => Response::not_modified(&stored),
        false => {
            if let Some(part) = part {
                stored.body = Some(part_of(&stored, part)?);
            }
            Response::of_version(stored)
        }
    };
    Ok(Response { patients, ..response })
}
