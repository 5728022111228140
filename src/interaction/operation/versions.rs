//! `$versions`: which versions of FHIR are spoken here. <https://hl7.org/fhir/R4/capabilitystatement-operation-versions.html>

use super::input::{Input, field, parameters};
use crate::error::Result;
use crate::fhir::json::Json;
use crate::interaction::Context;
use crate::interaction::request::Request;
use crate::interaction::response::Response;

/// As `fhirVersion` in a media type has it.
const VERSION: &str = "4.0";

pub fn answer(context: &Context, request: &Request) -> Result<Response> {
    Input::read(context, request, &[])?;
    let told = ["version", "default"].map(|name| field(name, "valueCode", Json::string(VERSION)));
    Ok(Response::of_body(200, parameters(told.to_vec()).to_bytes()))
}
