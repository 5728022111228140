//! The FHIR create interaction: the server gives the id. <https://hl7.org/fhir/R4/http.html#create>

use super::conditional::{self, Criterion};
use super::request::{COMMON_PARAMETERS, Request};
use super::response::Response;
use super::write::{self, Change, Intent};
use super::{Context, body_resource};
use crate::auth::Grant;
use crate::error::Result;
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::Resource;

pub async fn answer(
    context: &Context,
    grant: &Grant,
    request: &Request,
    resource_type: ResourceType,
    receipt: Option<&str>,
) -> Result<Response> {
    request.refuse_unknown(COMMON_PARAMETERS)?;
    if let Some(text) = &request.conditions.if_none_exist {
        let criterion = Criterion::if_none_exist(resource_type, text)?;
        return conditional::create(context, grant, request, &criterion, receipt).await;
    }
    let resource = body_resource(context, request, resource_type)?;
    new(context, grant, request, resource_type, resource, receipt).await
}

/// Creates the resource that was read from the body.
pub async fn new(
    context: &Context,
    grant: &Grant,
    request: &Request,
    resource_type: ResourceType,
    resource: Resource,
    receipt: Option<&str>,
) -> Result<Response> {
    let patients = resource.patients(context.own_base.as_deref());
    let id = context.minter.id(resource_type, patients.first());
    let residence = resource.residence(&id, context.own_base.as_deref());
    let change = Change::new(resource_type, id, Intent::Create, Some(residence.home));
    write::one(context, grant, request, change, Some(resource), receipt).await
}
