//! FHIR over HTTP: turns a request into the one value that interactions understand, and its answer back.

use super::negotiate::{check_accept, check_content_type};
use super::respond::{Form, X_REQUEST_ID, answer, refusal};
use super::{State, base, body};
use crate::error::{Error, Kind, Result};
use crate::interaction::request::{Conditions, Method, Prefer, Request};
use crate::interaction::response::Response;
use crate::interaction::route::route;
use crate::interaction::{form_urlencoded, handle};
use crate::telemetry::{RequestId, RequestLine, log_failure, log_request};
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};
use std::sync::Arc;
use std::time::Instant;

/// The addresses under which FHIR is served; the longer one first.
const PREFIXES: &[&str] = &["/fhir/R4", "/fhir"];

/// What the log says of a request.
#[derive(Default)]
struct Told {
    interaction: Option<&'static str>,
    resource_type: Option<&'static str>,
}

pub async fn any(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> HttpResponse {
    let started = Instant::now();
    let id = RequestId::from_client(request.headers().get(X_REQUEST_ID).map(|id| id.as_bytes()));
    let query = form_urlencoded(request.query_string());
    let pretty = query.iter().any(|(name, value)| name == "_pretty" && value == "true");
    let mut told = Told::default();
    let prefix = prefix_of(request.path()).unwrap_or_default();
    let (base, answered) = match base::base(&state, &request, prefix) {
        Ok(base) => {
            let answered = answer_one(&state, &request, payload, query, &base, &mut told).await;
            (base, answered)
        }
        Err(error) => (String::new(), Err(error)),
    };
    let form = Form { id: &id, pretty, base: &base };
    let response = match answered {
        Ok(response) => answer(&form, response),
        Err(error) => {
            if error.kind.status() >= 500 {
                log_failure(&id, error.cause.as_deref().unwrap_or(&error.message));
            }
            let allowed = (error.kind == Kind::MethodNotAllowed).then(|| allowed_methods(request.path(), prefix));
            refusal(&form, &error, allowed.as_deref())
        }
    };
    let response_bytes = match response.body().size() {
        BodySize::Sized(length) => length,
        BodySize::None | BodySize::Stream => 0,
    };
    log_request(&RequestLine {
        id: &id,
        method: request.method().as_str(),
        interaction: told.interaction.unwrap_or("none"),
        resource_type: told.resource_type,
        status: response.status().as_u16(),
        duration: started.elapsed(),
        response_bytes,
    });
    response
}

async fn answer_one(
    state: &web::Data<State>,
    request: &HttpRequest,
    payload: web::Payload,
    query: Vec<(String, String)>,
    base: &str,
    told: &mut Told,
) -> Result<Response> {
    let in_flight = Arc::clone(&state.requests).try_acquire_owned();
    let in_flight = in_flight.map_err(|_| Error::busy(1).caused_by("BRASA_REQUESTS_IN_FLIGHT_MAX is reached"))?;
    let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let format = query.iter().find(|(name, _)| name == "_format").map(|(_, value)| value.as_str());
    let path = prefix_of(request.path()).and_then(|prefix| request.path().strip_prefix(prefix));
    let path = path.ok_or_else(|| Error::not_found("There is nothing at this address. FHIR is served under /fhir."))?;
    let method = Method::parse(request.method().as_str());
    let method = method.ok_or_else(|| Error::new(Kind::MethodNotAllowed, "FHIR does not use this method."))?;
    let interaction = route(method, path, request.query_string())?;
    told.interaction = Some(interaction.name());
    told.resource_type = interaction.resource_type().map(|resource_type| resource_type.as_str());
    check_accept(format, header(ACCEPT))?;
    let writes = matches!(method, Method::Post | Method::Put | Method::Patch);
    if writes {
        check_content_type(header(CONTENT_TYPE))?;
    }
    let body = body::read(state, request, payload).await?;
    let own = |name: HeaderName| header(name).map(str::to_owned);
    let conditions = Conditions {
        if_match: own(IF_MATCH),
        if_none_match: own(IF_NONE_MATCH),
        if_modified_since: own(IF_MODIFIED_SINCE),
        if_none_exist: own(HeaderName::from_static("if-none-exist")),
    };
    let prefer = header(HeaderName::from_static("prefer")).map(Prefer::parse).unwrap_or_default();
    let asked = Request { interaction, query, conditions, prefer, base: base.to_owned(), body: body.bytes.clone() };
    let context = Arc::clone(&state.context);
    // A task of its own: a client that goes away does not cut a write in the middle, and a fault stays in its request.
    let work = state.runtime.spawn(async move {
        let answered = handle(&context, &asked).await;
        drop((body, in_flight));
        answered
    });
    work.await.map_err(|fault| Error::internal(format!("the request's task ended early: {fault}")))?
}

/// The prefix of an address under FHIR.
fn prefix_of(path: &str) -> Option<&'static str> {
    let under = |prefix: &&str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    PREFIXES.iter().copied().find(|prefix| under(prefix))
}

/// The methods that mean something at an address, for `Allow`.
fn allowed_methods(path: &str, prefix: &str) -> String {
    let path = path.strip_prefix(prefix).unwrap_or(path);
    let names = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    let allowed =
        names.iter().copied().filter(|name| Method::parse(name).is_some_and(|method| route(method, path, "").is_ok()));
    allowed.collect::<Vec<_>>().join(", ")
}
