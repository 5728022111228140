//! The FHIR read and vread interactions. <https://hl7.org/fhir/R4/http.html#read>

use super::Context;
use super::audit::patients_of;
use super::request::{COMMON_PARAMETERS, Request};
use super::response::Response;
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Id, VersionId};
use crate::store::{Reader, Stored, missing};

pub async fn current(
    context: &Context,
    reader: Reader<'_>,
    request: &Request,
    resource_type: ResourceType,
    id: &Id,
) -> Result<Response> {
    request.refuse_unknown(COMMON_PARAMETERS)?;
    let found = reader.current(resource_type, id).await?;
    let stored = found.ok_or_else(|| missing(resource_type))?;
    respond(context, request, stored)
}

pub async fn version(
    context: &Context,
    reader: Reader<'_>,
    request: &Request,
    resource_type: ResourceType,
    id: &Id,
    version: &str,
) -> Result<Response> {
    request.refuse_unknown(COMMON_PARAMETERS)?;
    let missing = || Error::not_found(format!("There is no such version of a {resource_type} with this id."));
    let version = VersionId::parse(version).ok_or_else(missing)?;
    let stored = reader.version(resource_type, id, version).await?.ok_or_else(missing)?;
    respond(context, request, stored)
}

fn respond(context: &Context, request: &Request, stored: Stored) -> Result<Response> {
    if stored.body.is_none() {
        let message = format!("This {} was deleted. Its history has the versions before.", stored.resource_type);
        return Err(Error::new(Kind::Gone, message));
    }
    let patients = patients_of(context, [&stored]);
    let response = match request.conditions.is_unchanged(stored.version_id, stored.last_updated) {
        true => Response::not_modified(&stored),
        false => Response::of_version(stored),
    };
    Ok(Response { patients, ..response })
}
