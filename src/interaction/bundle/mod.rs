//! Bundles posted to the base: a transaction happens as a whole, a batch entry by entry. <https://hl7.org/fhir/R4/http.html#transaction>

mod batch;
mod conditional;
mod links;
mod patches;
mod plan;
mod rewrite;
mod settle;
mod transaction;

use super::Context;
use super::request::{Conditions, Method, Request, Return, form_urlencoded};
use super::response::Response;
use super::route::{Interaction, route};
use crate::auth::Grant;
use crate::error::{Error, Result};
use crate::fhir::bundle::{Bundle, BundleWriter, Entry};
use crate::fhir::instant::to_instant;
use crate::fhir::json::{Object, parse};

pub async fn answer(context: &Context, grant: &Grant, request: &Request, receipt: Option<&str>) -> Result<Response> {
    let limits = context.limits;
    let bundle = Bundle::read(&request.body, limits.json_depth_max, limits.bundle_entries_max)?;
    match bundle.kind.as_deref() {
        Some("transaction") => {
            let response = transaction::answer(context, grant, request, &bundle, receipt).await?;
            Ok(Response { interaction: Some("transaction"), recorded: true, ..response })
        }
        Some("batch") => {
            let response = batch::answer(context, grant, request, &bundle).await?;
            Ok(Response { interaction: Some("batch"), recorded: true, ..response })
        }
        Some(_) => {
            let message = "Only a transaction or a batch is processed here. To store a Bundle, POST it to Bundle.";
            Err(Error::invalid(message).at("Bundle.type"))
        }
        None => Err(Error::invalid("A Bundle says its type: transaction or batch.").at("Bundle.type")),
    }
}

/// The request of an entry by the same grammar as HTTP's. Its faults point inside the entry.
pub fn entry_request(outer: &Request, entry: &Entry) -> Result<Request> {
    let Some(asked) = &entry.request else {
        return Err(
            Error::invalid("An entry of a transaction or batch has a request with method and url.").at("request")
        );
    };
    let missing = |name: &str| Error::invalid("This member is required.").at(format!("request.{name}"));
    let method = asked.method.as_deref().ok_or_else(|| missing("method"))?;
    let method = Method::parse(method).ok_or_else(|| {
        Error::invalid("A method is one of GET, HEAD, POST, PUT, PATCH, DELETE.").at("request.method")
    })?;
    let url = asked.url.as_deref().ok_or_else(|| missing("url"))?;
    let relative = url.strip_prefix(&outer.base).unwrap_or(url).trim_start_matches('/');
    let (path, query) = relative.split_once('?').unwrap_or((relative, ""));
    let interaction = route(method, path, query).map_err(|error| error.at("request.url"))?;
    if interaction == Interaction::Bundle {
        let message =
            "An entry cannot ask for a transaction or a batch of its own. To store a Bundle, POST it to Bundle.";
        return Err(Error::invalid(message).at("request.url"));
    }
    let body = match (&interaction, &entry.resource) {
        (
            Interaction::Create(_)
            | Interaction::Update(..)
            | Interaction::ConditionalUpdate(_)
            | Interaction::Operation(..),
            Some(span),
        ) => outer.body.slice(span.clone()),
        (Interaction::Patch(..) | Interaction::ConditionalPatch(_), Some(span)) => {
            patches::document(&outer.body, span.clone())?
        }
        (interaction, None) if interaction.needs_resource() => {
            return Err(Error::invalid("This request needs a resource.").at("resource"));
        }
        _ => bytes::Bytes::new(),
    };
    let own = |text: &Option<smol_str::SmolStr>| text.as_ref().map(|text| text.to_string());
    let conditions = Conditions {
        if_match: own(&asked.if_match),
        if_none_match: own(&asked.if_none_match),
        if_modified_since: own(&asked.if_modified_since),
        if_none_exist: own(&asked.if_none_exist),
    };
    let query = form_urlencoded(query).map_err(|error| error.at("request.url"))?;
    let (prefer, base) = (outer.prefer, outer.base.clone());
    Ok(Request { interaction, query, conditions, prefer, base, body, id: outer.id.clone() })
}

fn asks_for_head(entry: &Entry) -> bool {
    entry.request.as_ref().is_some_and(|request| request.method.as_deref() == Some("HEAD"))
}

/// A refusal of an entry: what HTTP has as a header is a member of the entry's request.
fn naming_members(error: Error) -> Error {
    let members = [
        ("http.if-match", "request.ifMatch"),
        ("http.if-none-match", "request.ifNoneMatch"),
        ("http.if-none-exist", "request.ifNoneExist"),
    ];
    error.relocated(|place| {
        let named = members.iter().find_map(|(header, member)| Some((place.strip_suffix(header)?, *member)));
        named.map_or(place.clone(), |(before, member)| format!("{before}{member}"))
    })
}

/// Writes the answer to one entry. What a write has to say goes into the response, what was read is the resource.
fn write_entry(writer: &mut BundleWriter, response: &Response) -> Result<()> {
    let mut members = entry_response(response);
    let resource = match &response.body {
        Some(outcome) if response.is_outcome => {
            members = members.with("outcome", parse(outcome, usize::MAX)?);
            None
        }
        body => body.as_deref(),
    };
    writer.entry(None, resource, &Object::new().with("response", members.into()));
    Ok(())
}

/// The `response` of an entry. <https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.response>
fn entry_response(response: &Response) -> Object {
    let mut members = Object::new().with_str("status", status_text(response.status));
    if let Some(location) = &response.location {
        members = members.with_str("location", location);
    }
    if let Some(version) = response.version {
        members = members.with_str("etag", format!("W/\"{version}\""));
    }
    if let Some(time) = response.last_modified {
        members = members.with_str("lastModified", to_instant(time));
    }
    members
}

/// What a write's entry brings back: nothing but its response, unless the client asked for more.
fn returns(request: &Request) -> Return {
    request.prefer.returns.unwrap_or(Return::Minimal)
}

/// FHIR wants the code and lets the words follow.
fn status_text(status: u16) -> String {
    let words = match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        _ => return status.to_string(),
    };
    format!("{status} {words}")
}
