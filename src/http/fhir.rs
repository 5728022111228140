//! FHIR over HTTP: turns a request into the one value that interactions understand, and its answer back.

use super::auth::authenticated;
use super::negotiate::{
    Brought, Format, accepted, brought, check_content_type, check_form, check_patch, is_resource_of_fhir,
    needs_no_preflight, wants_bare,
};
use super::respond::{Form, Layout, answer, refusal};
use super::told::Told;
use super::{State, base, body, trail};
use crate::audit::record::What;
use crate::auth::agent::Agent;
use crate::auth::{self, Grant};
use crate::error::{Error, Kind, Result};
use crate::fhir::xml;
use crate::interaction::request::{Conditions, Method, Prefer, Request, form_urlencoded};
use crate::interaction::response::Response;
use crate::interaction::route::{Interaction, route};
use crate::interaction::{binary, handle};
use crate::telemetry::log_failure;
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use std::sync::Arc;

/// The reason for which an administrator opens clinical data.
const X_BREAK_GLASS: HeaderName = HeaderName::from_static("x-break-glass");
/// From where a browser says that a page's request comes. <https://www.w3.org/TR/fetch-metadata/>
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The resource by which access to a Binary is decided, where the body is what it holds.
const X_SECURITY_CONTEXT: HeaderName = HeaderName::from_static("x-security-context");
/// A longer body keeps a thread busy for some milliseconds (bytes).
const SHORT_BODY_BYTES_MAX: usize = 64 << 10;
/// The addresses under which FHIR is served; the longer one first.
const PREFIXES: &[&str] = &["/fhir/R4", "/fhir"];

pub async fn any(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> HttpResponse {
    let mut told = Told::of(&request);
    told.is_private = state.accounts.is_some();
    let mut layout = Layout::default();
    let prefix = prefix_of(request.path()).unwrap_or_default();
    let (base, answered) = match base::base(&state, &request, prefix) {
        Ok(base) => {
            let answered = answer_one(&state, &request, payload, &mut layout, &base, &mut told).await;
            (base, answered)
        }
        Err(error) => (String::new(), Err(error)),
    };
    let id = told.id.clone();
    let form = Form { id: &id, layout, base: &base };
    let response = match answered {
        Ok(response) => {
            told.interaction = response.interaction.or(told.interaction);
            answer(&form, response)
        }
        Err(error) => {
            if error.kind.status() >= 500 {
                log_failure(&told.id, error.cause.as_deref().unwrap_or(&error.message));
            }
            note_refusal(&state, &request, &mut told, error.kind.status()).await;
            let allowed = (error.kind == Kind::MethodNotAllowed).then(|| allowed_methods(&request, prefix));
            refusal(&form, &error, allowed.as_deref())
        }
    };
    told.tell(&request, response)
}

/// Records what was refused before it came to the interaction, which records itself. Nothing was shown: a refusal is
/// answered even where its record cannot be written.
async fn note_refusal(state: &State, request: &HttpRequest, told: &mut Told, status: u16) {
    if told.is_recorded {
        return;
    }
    let query = request.uri().path_and_query().map(|address| address.as_str().to_owned());
    let resource_type = told.resource_type.map(str::to_owned);
    let what = What { resource_type, query, ..What::default() };
    let grant = told.grant.take();
    if let Err(error) = trail::note(state, request, told, grant, status, what).await {
        log_failure(&told.id, error.cause.as_deref().unwrap_or(&error.message));
    }
}

/// `layout`: becomes what the client wants, also where the answer is a refusal.
async fn answer_one(
    state: &web::Data<State>,
    request: &HttpRequest,
    payload: web::Payload,
    layout: &mut Layout,
    base: &str,
    told: &mut Told,
) -> Result<Response> {
    let mut query = form_urlencoded(request.query_string())?;
    layout.pretty = is_pretty(&query);
    let in_flight = Arc::clone(&state.requests).try_acquire_owned();
    let in_flight = in_flight.map_err(|_| Error::busy(1).caused_by("BRASA_REQUESTS_IN_FLIGHT_MAX is reached"))?;
    let header = |name: HeaderName| header(request, name);
    let path = prefix_of(request.path()).and_then(|prefix| request.path().strip_prefix(prefix));
    let path = path.ok_or_else(|| Error::not_found("There is nothing at this address. FHIR is served under /fhir."))?;
    let method = Method::parse(request.method().as_str());
    let method = method.ok_or_else(|| Error::new(Kind::MethodNotAllowed, "FHIR does not use this method."))?;
    let interaction = route(method, path, request.query_string())?;
    told.interaction = Some(interaction.name());
    told.resource_type = interaction.resource_type().map(|resource_type| resource_type.as_str());
    // Before anything else is said of the request, and before its body is read.
    let grant = grant_for(state, request, &interaction, told).await?;
    told.grant = Some(grant.clone());
    let is_search = matches!(interaction, Interaction::Search(_));
    let has_form = is_search && method == Method::Post;
    let accept = header(ACCEPT)?;
    // A form may say more about the format; all else is refused before its body is read.
    let is_bare = wants_bare(&interaction, format_of(&query), accept.as_deref());
    if !has_form && !is_bare {
        layout.format = accepted(format_of(&query), accept.as_deref())?;
    }
    // An operation may have no body; one that has no use for it refuses it.
    let is_operation = matches!(interaction, Interaction::Reindex(_) | Interaction::Operation(..));
    let writes = matches!(method, Method::Post | Method::Put | Method::Patch) && !is_search && !is_operation;
    let content_type = header(CONTENT_TYPE)?;
    let brought = brought(&interaction, content_type.as_deref());
    check_body(&interaction, content_type.as_deref(), writes && brought != Brought::Bare)?;
    if brought == Brought::Bare {
        check_site(request, content_type.as_deref())?;
    }
    let conditions = conditions(request)?;
    let prefer = header(HeaderName::from_static("prefer"))?.as_deref().map(Prefer::parse).unwrap_or_default();
    let mut body = body::read(state, request, payload, state.body_bytes_max).await?;
    let has_resource = writes || (is_operation && !body.bytes.is_empty());
    if brought == Brought::Bare || brought == Brought::Either && !is_resource_of_fhir(&body.bytes) {
        body.bytes = in_a_binary(&interaction, body.bytes.clone(), content_type, header(X_SECURITY_CONTEXT)?).await?;
    } else if check_body(&interaction, content_type.as_deref(), has_resource)? == Format::Xml {
        body.bytes = from_xml(body.bytes.clone(), state.context.limits.json_depth_max).await?;
    } else {
        check_patch(&interaction, content_type.as_deref(), &body.bytes)?;
    }
    if has_form {
        check_form(header(CONTENT_TYPE)?.as_deref(), !body.bytes.is_empty())?;
        let form = std::str::from_utf8(&body.bytes).map_err(|_| Error::invalid("The body is not UTF-8."))?;
        query.extend(form_urlencoded(form)?);
        layout.pretty = is_pretty(&query);
        layout.format = accepted(format_of(&query), accept.as_deref())?;
    }
    let (base, id) = (base.to_owned(), told.id.to_string());
    let asked = Request { interaction, query, conditions, prefer, base, body: body.bytes.clone(), id };
    let context = Arc::clone(&state.context);
    let is_long = matches!(asked.interaction, Interaction::Bundle) || asked.body.len() > SHORT_BODY_BYTES_MAX;
    told.is_recorded = true;
    let work = async move {
        let answered = handle(&context, &grant, &asked).await;
        drop((body, in_flight));
        answered.map(|response| if is_bare { binary::bare(response) } else { response })
    };
    in_its_own_task(state, is_long, work).await
}

/// A client that goes away does not cut a write in the middle, and a fault stays in its request.
async fn in_its_own_task(
    state: &State,
    is_long: bool,
    work: impl Future<Output = Result<Response>> + Send + 'static,
) -> Result<Response> {
    // What may keep a thread busy for long leaves this one to the sockets; for all else the way to another thread and back costs
    // more than it saves (docs/PERFORMANCE.md).
    let task = if is_long { state.runtime.spawn(work) } else { actix_web::rt::spawn(work) };
    // Not the fault's own text: a panic may quote what it tripped over.
    task.await.map_err(|fault| {
        Error::internal(if fault.is_panic() {
            "the request's task panicked"
        } else {
            "the request's task was cancelled"
        })
    })?
}

/// A page may send plain text to any server without asking it first: one of another site stores nothing with it.
fn check_site(request: &HttpRequest, content_type: Option<&str>) -> Result<()> {
    let site = header(request, SEC_FETCH_SITE)?;
    let is_foreign = matches!(site.as_deref(), Some("cross-site" | "same-site"));
    if is_foreign && needs_no_preflight(content_type) {
        return Err(Error::forbidden("A page of another site does not write here unasked."));
    }
    Ok(())
}

/// Before a body is read that must be there; of one that need not be, when it is.
fn check_body(interaction: &Interaction, content_type: Option<&str>, is_there: bool) -> Result<Format> {
    if is_there { check_content_type(interaction, content_type) } else { Ok(Format::Json) }
}

/// What came as it is, as the resource that holds it.
async fn in_a_binary(
    interaction: &Interaction,
    body: Bytes,
    content_type: Option<String>,
    security: Option<String>,
) -> Result<Bytes> {
    let id = match interaction {
        Interaction::Update(_, id) => Some(id.clone()),
        _ => None,
    };
    let content_type = content_type.unwrap_or_default();
    let made = web::block(move || binary::holding(&body, &content_type, id.as_ref(), security.as_deref()));
    Ok(Bytes::from(made.await.map_err(Error::internal)?))
}

/// The same resource as JSON, as which all else knows it.
async fn from_xml(xml: Bytes, depth_max: usize) -> Result<Bytes> {
    if xml.is_empty() {
        return Ok(xml);
    }
    // Not on a thread that serves sockets.
    let read = web::block(move || xml::read(&xml, depth_max).map(|json| Bytes::from(json.to_bytes())));
    Ok(read.await.map_err(Error::internal)??)
}

fn conditions(request: &HttpRequest) -> Result<Conditions> {
    Ok(Conditions {
        if_match: header(request, IF_MATCH)?,
        if_none_match: header(request, IF_NONE_MATCH)?,
        if_modified_since: header(request, IF_MODIFIED_SINCE)?,
        if_none_exist: header(request, HeaderName::from_static("if-none-exist"))?,
    })
}

/// What whoever sent the request may do. What the server can do at all (`metadata`, and the definitions that it names) is
/// open to everybody: a client reads there how to log in.
async fn grant_for(state: &State, request: &HttpRequest, interaction: &Interaction, told: &mut Told) -> Result<Grant> {
    told.is_recorded = interaction.is_open();
    let of_origin = |grant: Grant, agent, told: &Told| match state.context.store.has_trail() {
        true => grant.asked_by(trail::origin(state, request, told, agent)),
        false => grant,
    };
    let Some(accounts) = state.accounts.as_ref().filter(|_| !told.is_recorded) else {
        state.limits.request_from(request)?;
        return Ok(of_origin(auth::without_accounts(), Agent::default(), told));
    };
    let mut caller = authenticated(state, request, accounts).await?;
    if let Some(reason) = header(request, X_BREAK_GLASS)? {
        // Refused, it is told of the one who tried.
        told.grant = Some(of_origin(caller.grant.clone(), caller.agent.clone(), told));
        caller.break_glass(&reason)?;
    }
    Ok(of_origin(caller.grant, caller.agent, told))
}

fn is_pretty(parameters: &[(String, String)]) -> bool {
    parameters.iter().any(|(name, value)| name == "_pretty" && value == "true")
}

fn format_of(parameters: &[(String, String)]) -> Option<&str> {
    parameters.iter().find(|(name, _)| name == "_format").map(|(_, value)| value.as_str())
}

/// A header's value, its lines joined as RFC 9110 has it. One that cannot be read is refused: a condition that is
/// ignored would let a write happen that the client wanted stopped.
pub(super) fn header(request: &HttpRequest, name: HeaderName) -> Result<Option<String>> {
    let mut lines = Vec::new();
    for value in request.headers().get_all(&name) {
        let unreadable = |_| Error::invalid("This header holds more than ASCII.").at(format!("http.{name}"));
        lines.push(value.to_str().map_err(unreadable)?);
    }
    Ok((!lines.is_empty()).then(|| lines.join(", ")))
}

/// The prefix of an address under FHIR.
fn prefix_of(path: &str) -> Option<&'static str> {
    let under = |prefix: &&str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    PREFIXES.iter().copied().find(|prefix| under(prefix))
}

/// The methods that mean something at an address, for `Allow`: some need a query.
fn allowed_methods(request: &HttpRequest, prefix: &str) -> String {
    let path = request.path().strip_prefix(prefix).unwrap_or(request.path());
    let means = |method| route(method, path, request.query_string()).is_ok();
    let names = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    let allowed: Vec<&str> = names.into_iter().filter(|name| Method::parse(name).is_some_and(means)).collect();
    allowed.join(", ")
}
