//! The FHIR create interaction: the server gives the id. <https://hl7.org/fhir/R4/http.html#create>

use super::request::{COMMON_PARAMETERS, Request};
use super::response::Response;
use super::write::{self, Change, Intent};
use super::{Context, body_resource};
use crate::auth::Grant;
use crate::error::Result;
use crate::fhir::definitions::ResourceType;

pub async fn answer(
    context: &Context,
    grant: &Grant,
    request: &Request,
    resource_type: ResourceType,
    receipt: Option<&str>,
) -> Result<Response> {
    request.conditions.refuse_if_none_exist()?;
    request.refuse_unknown(COMMON_PARAMETERS)?;
    let resource = body_resource(context, request, resource_type)?;
    let patients = resource.patients(context.own_base.as_deref());
    let id = context.minter.id(resource_type, patients.first());
    let residence = resource.residence(&id, context.own_base.as_deref());
    let change = Change::new(resource_type, id, Intent::Create, Some(residence.home));
    write::one(context, grant, request, change, Some(resource), receipt).await
}
