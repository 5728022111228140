//! Patches as entries of a Bundle: a FHIRPath Patch is the entry's resource, a JSON Patch comes in a Binary.
//!
//! R4 names only FHIRPath Patch for Bundles; JSON Patch in a Binary is how R5 and other servers have it.
//! <https://hl7.org/fhir/R5/http.html#patch>

use super::super::binary::held;
use super::super::patch::{JSON_PATCH, Patch, is_resource};
use super::conditional::{Conditionals, is_conditional};
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::json::Json;
use crate::fhir::resource::Resource;
use bytes::Bytes;
use std::collections::HashSet;
use std::ops::Range;

/// Levels of JSON in a patch and in the Binary around one. The bound on bodies was looked at when the Bundle was read.
const DEPTH_MAX: usize = 256;

/// The patch document in an entry's resource. Faults of the Binary point into it, faults of the patch do not.
pub fn document(text: &Bytes, span: Range<usize>) -> Result<Bytes> {
    let within = |error: Error| error.within("resource");
    let resource = Resource::read(text, span.clone(), DEPTH_MAX).map_err(|invalid| within(invalid.into()))?;
    if resource.resource_type() == ResourceType::PARAMETERS {
        return Ok(text.slice(span));
    }
    let decoded = decoded(&resource).map_err(within)?;
    if is_resource(&decoded) {
        return Err(Error::invalid("A JSON Patch is an array of operations; this is an object.").at("patch"));
    }
    Ok(Bytes::from(decoded))
}

/// What a Binary holds.
fn decoded(binary: &Resource) -> Result<Vec<u8>> {
    if binary.resource_type() != ResourceType::BINARY {
        let message =
            format!("A patch is a Parameters resource, or comes in a Binary with the contentType {JSON_PATCH}.");
        return Err(Error::not_supported(message).at("resourceType"));
    }
    let content_type = binary.object().get_str("contentType").unwrap_or_default();
    let name = content_type.split(';').next().unwrap_or_default().trim();
    if !name.eq_ignore_ascii_case(JSON_PATCH) {
        let message = format!("Of patches in a Binary, only {JSON_PATCH} is read here.");
        return Err(Error::new(Kind::UnsupportedMediaType, message).at("contentType"));
    }
    held(binary.object()).ok_or_else(|| Error::invalid("The patch is expected here as base64.").at("data"))
}

/// Notes the conditional references that a patch brings along, each with its first place.
pub fn note_conditionals(patch: &Patch, place: &str, conditionals: &mut Conditionals) {
    for (number, name, text) in texts_of(patch) {
        if name == "reference" && is_conditional(text) {
            conditionals.entry(text.to_owned()).or_insert_with(|| format!("{place}.patch[{number}].value"));
        }
    }
}

/// Every text that a patch brings along.
pub fn texts(patch: &Patch) -> HashSet<String> {
    texts_of(patch).into_iter().map(|(_, _, text)| text.to_owned()).collect()
}

/// The texts of a patch's values: the operation's number, the member that the text stands in, and the text.
fn texts_of(patch: &Patch) -> Vec<(usize, &str, &str)> {
    let patch = match patch {
        Patch::Json(patch) => patch,
        Patch::FhirPath(patch) => return patch.texts(),
    };
    let mut texts = Vec::new();
    for (number, path, value) in patch.values() {
        let member = path.tokens().last().map_or("", |token| token.as_str());
        collect(value, member, &mut |member, text| texts.push((number, member, text)));
    }
    texts
}

fn collect<'p>(value: &'p Json, member: &'p str, found: &mut impl FnMut(&'p str, &'p str)) {
    match value {
        Json::String(text) => found(member, text),
        Json::Array(items) => items.iter().for_each(|item| collect(item, member, found)),
        Json::Object(object) => object.iter().for_each(|(name, value)| collect(value, name, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}
