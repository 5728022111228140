//! The FHIR patch interaction, with JSON Patch or FHIRPath Patch: the next version is made from the current one.
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
use crate::fhir::json_patch;
use crate::fhir::resource::Resource;
use crate::fhirpath;

/// The content type of a JSON Patch.
pub const JSON_PATCH: &str = "application/json-patch+json";

/// The content type of a FHIRPath Patch, which is a Parameters resource.
pub const FHIRPATH_PATCH: &str = "application/fhir+json";

/// A patch of either kind.
pub enum Patch {
    Json(json_patch::Patch),
    FhirPath(fhirpath::patch::Patch),
}

/// What a patch has made, and what must be known of it.
struct Outcome {
    document: Json,
    /// Whether it says anything of the narrative.
    names_text: bool,
    /// Whether it changes more than `meta`.
    changes_content: bool,
}

impl Patch {
    fn apply(&self, document: Json, depth_max: usize) -> Result<Outcome> {
        match self {
            Patch::Json(patch) => Ok(Outcome {
                document: patch.apply(document, depth_max)?,
                names_text: patch.names("text"),
                changes_content: patch.changes_beyond(&["meta"]),
            }),
            Patch::FhirPath(patch) => {
                let patched = patch.apply(document, depth_max)?;
                Ok(Outcome {
                    names_text: patched.touched.contains("text"),
                    changes_content: patched.touched.iter().any(|member| member != "meta"),
                    document: patched.document,
                })
            }
        }
    }
}

/// Whether a body begins as a resource does, and so is a FHIRPath Patch: a JSON Patch is an array.
pub fn is_resource(body: &[u8]) -> bool {
    body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

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
        return Err(Error::invalid("A patch was expected in the body, which is empty.").at("patch"));
    }
    Ok(match is_resource(body) {
        true => Patch::FhirPath(fhirpath::patch::Patch::read(body, limits.json_depth_max)?),
        false => Patch::Json(json_patch::Patch::read(body, limits.json_depth_max)?),
    })
}

/// The resource after the patch. It must be as good as one that an update brings: R4 has the outcome processed as one.
pub fn apply(limits: &Limits, patch: &Patch, standing: Option<Resource>, id: &Id) -> Result<Resource> {
    let standing = standing.ok_or_else(|| Error::internal("there is nothing to patch"))?;
    let resource_type = standing.resource_type();
    let mut outcome = patch.apply(standing.into_json(), limits.json_depth_max)?;
    settle_narrative(&mut outcome, resource_type)?;
    let text = outcome.document.to_bytes();
    drop(outcome);
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
fn settle_narrative(outcome: &mut Outcome, resource_type: ResourceType) -> Result<()> {
    let is_settled = outcome.names_text || !outcome.changes_content;
    let Json::Object(object) = &mut outcome.document else { return Ok(()) };
    let Some(narrative) = object.get("text") else { return Ok(()) };
    if is_settled {
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
                Replace or remove it in the same patch; a JSON Patch may also test /text.";
            Err(Error::new(Kind::Unprocessable, message).at(format!("{resource_type}.text")))
        }
    }
}
