//! The FHIR update interaction, which also creates under an id of the client's. <https://hl7.org/fhir/R4/http.html#update>

use super::request::{COMMON_PARAMETERS, Request};
use super::response::Response;
use super::write::{self, Change, Intent};
use super::{Context, body_resource};
use crate::auth::Grant;
use crate::error::{Error, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::resource::Resource;

pub async fn answer(
    context: &Context,
    grant: &Grant,
    request: &Request,
    resource_type: ResourceType,
    id: &Id,
    receipt: Option<&str>,
) -> Result<Response> {
    request.refuse_unknown(COMMON_PARAMETERS)?;
    let resource = body_resource(context, request, resource_type)?;
    check_id(&resource, id).map_err(|error| error.within(resource_type.as_str()))?;
    let residence = resource.residence(id, context.own_base.as_deref());
    let mut change = Change::new(resource_type, id.clone(), Intent::Put, Some(residence.home));
    change.precondition = request.conditions.precondition()?;
    write::one(context, grant, request, change, Some(resource), receipt).await
}

/// The body must name the id of the address.
pub fn check_id(resource: &Resource, id: &Id) -> Result<()> {
    match resource.id()? {
        Some(named) if named == *id => Ok(()),
        Some(_) => Err(Error::invalid("The id in the body is not the id in the address.").at("id")),
        None => Err(Error::invalid("An update's body names its id, the same as in the address.").at("id")),
    }
}
