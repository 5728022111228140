//! The FHIR capabilities interaction: what this server does, made from what it does. <https://hl7.org/fhir/R4/http.html#capabilities>

mod statement;
mod surface;

pub use surface::{OF_SYSTEM, SearchParameter, Surface, TypeSurface};

use super::Context;
use super::operations::Operation;
use super::request::{COMMON_PARAMETERS, Request};
use super::response::Response;
use crate::error::{Error, Result};
use crate::fhir::json::{Json, Object};

/// What can be asked for, and the word for it; the first one is answered when nothing is said.
pub const MODES: &[&str] = &["full", "normative", "terminology"];

pub fn answer(context: &Context, request: &Request) -> Result<Response> {
    request.refuse_unknown(&[COMMON_PARAMETERS, &["mode"]].concat())?;
    let statement = match request.parameter("mode")?.unwrap_or("full") {
        "full" => statement::statement(context, request, false),
        "normative" => statement::statement(context, request, true),
        "terminology" => terminology(request),
        _ => return Err(Error::invalid(format!("A mode is one of {}.", MODES.join(", "))).at("mode")),
    };
    Ok(Response::of_body(200, statement.to_bytes()))
}

/// What is done with code systems and value sets: nothing is expanded, validated or translated, and so nothing is declared
/// but how codes are searched for. <https://hl7.org/fhir/R4/terminologycapabilities.html>
fn terminology(request: &Request) -> Object {
    statement::head("TerminologyCapabilities", request)
        .with_str(
            "description",
            "A search by :in and :not-in knows stored ValueSets that have an expansion or list their codes. There is no \
                operation on code systems or value sets.",
        )
        .with("lockedDate", Json::Bool(false))
}

/// The definition of an operation that only this server has. It is open to everybody, as the CapabilityStatement is.
pub fn definition(context: &Context, request: &Request, operation: &Operation) -> Result<Response> {
    request.refuse_unknown(COMMON_PARAMETERS)?;
    if !surface::is_there(context, operation) {
        return Err(Error::not_found(format!("${} is not switched on at this server.", operation.code)));
    }
    Ok(Response::of_body(200, operation.to_resource(&request.base).to_bytes()))
}
