//! The FHIR patch interaction, with JSON Patch: the next version is made from the current one.
//! <https://hl7.org/fhir/R4/http.html#patch>
//!
//! The patch is applied to the version that the write path has locked, so of two at once neither is lost.

use super::request::{COMMON_PARAMETERS, Request};
use super::response::Response;
use super::write::{self, Change, Intent};
use super::{Context, Limits, placed};
use crate::auth::Grant;
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::invalid::Invalid;
use crate::fhir::json::Json;
use crate::fhir::json_patch::Patch;
use crate::fhir::resource::Resource;

/// The content type of a JSON Patch.
pub const JSON_PATCH: &str = "application/json-patch+json";

pub async fn answer(
    context: &Context,
    grant: &Grant,
    request: &Request,
    resource_type: ResourceType,
    id: &Id,
    receipt: Option<&str>,
) -> Result<Response> {
    request.refuse_unknown(COMMON_PARAMETERS)?;
    of_id(context, grant, request, resource_type, id, receipt).await
}

/// Patches the resource of an id, wherever the id comes from: the address, or a search.
pub async fn of_id(
    context: &Context,
    grant: &Grant,
    request: &Request,
    resource_type: ResourceType,
    id: &Id,
    receipt: Option<&str>,
) -> Result<Response> {
    let patch = read(&context.limits, &request.body)?;
    let mut change = Change::new(resource_type, id.clone(), Intent::Patch, None);
    change.precondition = request.conditions.precondition()?;
    let source = |_, standing| apply(&context.limits, &patch, standing, id);
    write::one_from(context, grant, request, change, &source, receipt).await
}

/// Reads the patch in a body.
pub fn read(limits: &Limits, body: &[u8]) -> Result<Patch> {
    if body.is_empty() {
        return Err(Error::invalid("A JSON Patch was expected in the body, which is empty.").at("patch"));
    }
    Ok(Patch::read(body, limits.json_depth_max)?)
}

/// The resource after the patch. It must be as good as one that an update brings: R4 has the outcome processed as one.
pub fn apply(limits: &Limits, patch: &Patch, standing: Option<Resource>, id: &Id) -> Result<Resource> {
    let standing = standing.ok_or_else(|| Error::internal("there is nothing to patch"))?;
    let resource_type = standing.resource_type();
    let mut document = patch.apply(standing.into_json(), limits.json_depth_max)?;
    settle_narrative(patch, resource_type, &mut document)?;
    let text = document.to_bytes();
    drop(document);
    if text.len() > limits.resource_bytes_max {
        let bytes_max = limits.resource_bytes_max;
        let message = format!("The patch makes the resource larger than {bytes_max} bytes, the most that is kept.");
        return Err(Error::new(Kind::TooLarge, message).at("patch"));
    }
    let faulty = |invalid: Invalid| {
        let message = format!("After the patch: {}", invalid.message);
        placed(resource_type, Invalid { message, ..invalid })
    };
    // Read like a body, within the same bounds: one that could not be read again would be stuck for good.
    let resource = Resource::read(&text, 0..text.len(), limits.json_depth_max).map_err(faulty)?;
    if resource.resource_type() != resource_type {
        let message = "A patch cannot change the type of a resource.";
        return Err(Error::invalid(message).at(format!("{resource_type}.resourceType")));
    }
    if resource.id().map_err(faulty)?.as_ref() != Some(id) {
        return Err(Error::invalid("A patch cannot change the id of a resource.").at(format!("{resource_type}.id")));
    }
    super::check(limits.validation, &resource, "After the patch: ")
        .map_err(|error| error.within(resource_type.as_str()))?;
    Ok(resource)
}

/// R4 wants no narrative that is unsafe after a patch: one that tells what is no longer so. One that was made from the
/// content is left out, for it can be made again. Another one tells things of its own; who patches beside it must say
/// that he knows it. <https://hl7.org/fhir/R4/narrative.html#Narrative>
fn settle_narrative(patch: &Patch, resource_type: ResourceType, document: &mut Json) -> Result<()> {
    let Json::Object(object) = document else { return Ok(()) };
    let Some(narrative) = object.get("text") else { return Ok(()) };
    if patch.names("text") || !patch.changes_beyond(&["meta"]) {
        return Ok(());
    }
    match narrative.as_object().and_then(|narrative| narrative.get_str("status")) {
        Some("empty") => Ok(()),
        Some("generated") => {
            object.remove("text");
            Ok(())
        }
        _ => {
            let message = "The narrative was not generated from the content alone, and may be wrong after this patch. \
                Replace, remove or test /text in the same patch.";
            Err(Error::new(Kind::Unprocessable, message).at(format!("{resource_type}.text")))
        }
    }
}
