//! The FHIR delete interaction: the resource is gone, its history stays. <https://hl7.org/fhir/R4/http.html#delete>

use super::Context;
use super::request::{COMMON_PARAMETERS, Request};
use super::response::Response;
use super::write::{self, Change, Intent};
use crate::auth::Grant;
use crate::error::Result;
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;

pub async fn answer(
    context: &Context,
    grant: &Grant,
    request: &Request,
    resource_type: ResourceType,
    id: &Id,
) -> Result<Response> {
    request.refuse_unknown(COMMON_PARAMETERS)?;
    let mut change = Change::new(resource_type, id.clone(), Intent::Delete, None);
    change.precondition = request.conditions.precondition()?;
    write::one(context, grant, request, change, None, None).await
}
