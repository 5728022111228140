//! Accounts over HTTP: logging in and staying so, keys, and the accounts themselves for administrators.

mod answer;
mod asked;
mod client;
mod page;

use super::respond::{Form, Layout, refusal};
use super::told::Told;
use super::{State, base, body, trail};
use crate::account::{Accounts, Caller, Language};
use crate::audit::record::What;
use crate::error::{Error, Kind, Result};
use crate::http::fhir::header;
use crate::telemetry::log_failure;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, USER_AGENT,
};
use actix_web::{HttpRequest, HttpResponse, web};
use answer::{Answered, Body, answer};
pub(super) use asked::schemas;
use asked::{Asked, LogIn};
use std::sync::Arc;

/// A body holds some words (bytes).
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    LogIn,
    Refresh,
    LogOut,
    Me,
    Register,
    ChangePassword,
    /// The page on which a link is asked for.
    AskForLink,
    Forgot,
    /// The page to which a link leads.
    ChoosePassword,
    Reset,
    Sessions,
    EndSession,
    Keys,
    MakeKey,
    RevokeKey,
    Users,
    MakeUser,
    ChangeUser,
    Clients,
    MakeClient,
    Client,
    ChangeClient,
    RemoveClient,
    Launch,
}

/// Method, address under `/auth/`, what it is, and its name in the log. `{}` is an id.
const ENDPOINTS: &[(&str, &str, Endpoint, &str)] = &[
    ("POST", "login", Endpoint::LogIn, "log-in"),
    ("POST", "refresh", Endpoint::Refresh, "refresh"),
    ("POST", "logout", Endpoint::LogOut, "log-out"),
    ("GET", "me", Endpoint::Me, "me"),
    ("POST", "register", Endpoint::Register, "register"),
    ("POST", "password/change", Endpoint::ChangePassword, "change-password"),
    ("GET", "password/forgot", Endpoint::AskForLink, "ask-for-link"),
    ("POST", "password/forgot", Endpoint::Forgot, "forgot-password"),
    ("GET", "password/reset", Endpoint::ChoosePassword, "choose-password"),
    ("POST", "password/reset", Endpoint::Reset, "reset-password"),
    ("GET", "sessions", Endpoint::Sessions, "sessions"),
    ("DELETE", "sessions/{}", Endpoint::EndSession, "end-session"),
    ("GET", "keys", Endpoint::Keys, "keys"),
    ("POST", "keys", Endpoint::MakeKey, "make-key"),
    ("DELETE", "keys/{}", Endpoint::RevokeKey, "revoke-key"),
    ("GET", "users", Endpoint::Users, "users"),
    ("POST", "users", Endpoint::MakeUser, "make-user"),
    ("PATCH", "users/{}", Endpoint::ChangeUser, "change-user"),
    ("GET", "clients", Endpoint::Clients, "clients"),
    ("POST", "clients", Endpoint::MakeClient, "make-client"),
    ("GET", "clients/{}", Endpoint::Client, "client"),
    ("PATCH", "clients/{}", Endpoint::ChangeClient, "change-client"),
    ("DELETE", "clients/{}", Endpoint::RemoveClient, "remove-client"),
    ("POST", "launches", Endpoint::Launch, "launch"),
];

impl Endpoint {
    /// What works for whoever has not logged in yet.
    fn is_open(self) -> bool {
        matches!(
            self,
            Endpoint::LogIn
                | Endpoint::Refresh
                | Endpoint::Register
                | Endpoint::AskForLink
                | Endpoint::Forgot
                | Endpoint::ChoosePassword
                | Endpoint::Reset
        )
    }
}

/// Every address: the method, the path under `/auth/` with `{}` for an id, its name, and whether it is asked without logging in.
pub(super) fn endpoints() -> impl Iterator<Item = (&'static str, &'static str, &'static str, bool)> {
    ENDPOINTS.iter().map(|(method, path, endpoint, name)| (*method, *path, *name, endpoint.is_open()))
}

/// The rows of an address, and the id in it.
fn rows(path: &str) -> (Vec<&'static (&'static str, &'static str, Endpoint, &'static str)>, &str) {
    let rest = path.strip_prefix("/auth/").unwrap_or_default();
    let (folder, id) = rest.rsplit_once('/').unwrap_or((rest, ""));
    let named = |pattern: &str| match pattern.strip_suffix("/{}") {
        Some(place) => place == folder && !id.is_empty(),
        None => pattern == rest,
    };
    (ENDPOINTS.iter().filter(|row| named(row.1)).collect(), id)
}

pub async fn any(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> HttpResponse {
    let mut told = Told::of(&request);
    told.is_private = true;
    let answered = answer_one(&state, &request, payload, &mut told).await;
    let answered = recorded(&state, &request, &mut told, answered).await;
    let response = match answered {
        Ok(answered) => {
            let status = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut builder = HttpResponse::build(status);
            match answered.body {
                Body::Nothing => builder.finish(),
                Body::Json(body) => builder.json(body),
                Body::Page(page) => builder
                    .insert_header((CONTENT_SECURITY_POLICY, page::content_security_policy()))
                    .content_type("text/html; charset=utf-8")
                    .body(page),
            }
        }
        Err(error) => refused(&request, &told, &error),
    };
    told.tell(&request, response)
}

/// Records it, whoever it was. What cannot be recorded is not answered.
async fn recorded(
    state: &State,
    request: &HttpRequest,
    told: &mut Told,
    answered: Result<Answered>,
) -> Result<Answered> {
    let status = answered.as_ref().map_or_else(|error| error.kind.status(), |answered| answered.status);
    let came_in = answered.as_ref().ok().and_then(|answered| match &answered.body {
        Body::Json(body) => body.get("access_token")?.as_str(),
        Body::Nothing | Body::Page(_) => None,
    });
    match (note_access(state, request, told, status, came_in).await, answered) {
        (Err(error), Ok(_)) => Err(error),
        (_, answered) => answered,
    }
}

/// Records what was asked about accounts. `came_in`: the access token that was answered with, which tells who it is.
pub(super) async fn note_access(
    state: &State,
    request: &HttpRequest,
    told: &mut Told,
    status: u16,
    came_in: Option<&str>,
) -> Result<()> {
    if !state.context.store.has_trail() {
        return Ok(());
    }
    if let (Some(token), Some(accounts)) = (came_in, &state.accounts) {
        told.agent = accounts.agent_of(token).await?;
    }
    let agent = std::mem::take(&mut told.agent);
    let grant = crate::auth::of_nobody().asked_by(trail::origin(state, request, told, agent));
    trail::note(state, request, told, Some(grant), status, What::default()).await
}

pub(super) fn refused(request: &HttpRequest, told: &Told, error: &Error) -> HttpResponse {
    if error.kind.status() >= 500 {
        log_failure(&told.id, error.cause.as_deref().unwrap_or(&error.message));
    }
    let allowed = || rows(request.path()).0.iter().map(|row| row.0).collect::<Vec<_>>().join(", ");
    let allowed = (error.kind == Kind::MethodNotAllowed).then(allowed);
    refusal(&Form { id: &told.id, layout: Layout::default(), base: "" }, error, allowed.as_deref())
}

async fn answer_one(
    state: &web::Data<State>,
    request: &HttpRequest,
    payload: web::Payload,
    told: &mut Told,
) -> Result<Answered> {
    // The same care as for FHIR: no page elsewhere reaches this by pointing a name of its own at this address.
    base::base(state, request, "")?;
    let accounts = accounts(state)?;
    let in_flight = Arc::clone(&state.requests).try_acquire_owned();
    let in_flight = in_flight.map_err(|_| Error::busy(1).caused_by("BRASA_REQUESTS_IN_FLIGHT_MAX is reached"))?;
    let (rows, id) = rows(request.path());
    if rows.is_empty() {
        return Err(Error::not_found("There is nothing at this address."));
    }
    let row = rows.iter().find(|row| row.0 == request.method().as_str());
    let row = row.ok_or_else(|| Error::new(Kind::MethodNotAllowed, "This method means nothing here."))?;
    let (endpoint, name) = (row.2, row.3);
    told.interaction = Some(name);
    let caller = caller(state, request, &accounts, endpoint).await?;
    if let Some(caller) = &caller {
        told.agent = caller.agent.clone();
    }
    let body = body::read(state, request, payload, BODY_BYTES_MAX).await?;
    // What cannot be read of these two asks for nothing.
    let said = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let content_type = header(request, CONTENT_TYPE)?;
    let is_form = content_type.as_deref().is_some_and(|name| name.starts_with("application/x-www-form-urlencoded"));
    let asked = Asked {
        endpoint,
        caller,
        id: id.to_owned(),
        query: request.query_string().to_owned(),
        content_type,
        // Not `header`: whatever a client says of itself is no reason to refuse it.
        client: said(USER_AGENT).unwrap_or_default().to_owned(),
        language: Language::accepted(said(ACCEPT_LANGUAGE)),
        wants_page: is_form && said(ACCEPT).is_some_and(|accepted| accepted.contains("text/html")),
        body: body.bytes.clone(),
    };
    if let (Endpoint::LogIn, true) = (endpoint, state.context.store.has_trail()) {
        // Whom somebody tries to be is told also where that fails.
        if let Ok(LogIn { username, .. }) = asked.json_or_form() {
            told.agent = accounts.agent_named(&username).await?;
        }
    }
    let context = Arc::clone(&state.context);
    // A task of its own, as for FHIR: whoever goes away after a wrong password has failed all the same.
    let task = actix_web::rt::spawn(async move {
        let answered = answer(&context, &accounts, asked).await;
        drop((body, in_flight));
        answered
    });
    task.await.map_err(|_| Error::internal("the request's task ended before its answer"))?
}

/// Who asks, counted against the bounds on how often; `None` where nobody need have logged in.
async fn caller(
    state: &State,
    request: &HttpRequest,
    accounts: &Accounts,
    endpoint: Endpoint,
) -> Result<Option<Caller>> {
    match endpoint {
        Endpoint::Forgot => state.limits.link(request)?,
        Endpoint::Register => state.limits.registration(request)?,
        _ => {}
    }
    if endpoint.is_open() {
        state.limits.request_from(request)?;
        return Ok(None);
    }
    authenticated(state, request, accounts).await.map(Some)
}

/// Whoever shows a credential counts by it, and who shows none, or one that is worth nothing, by the address.
pub(super) async fn authenticated(state: &State, request: &HttpRequest, accounts: &Accounts) -> Result<Caller> {
    let shown = header(request, AUTHORIZATION)?;
    match accounts.authenticate(&state.context.store, shown.as_deref()).await {
        Ok(caller) => state.limits.request_of(&caller).map(|()| caller),
        Err(error) => {
            state.limits.request_from(request)?;
            Err(error)
        }
    }
}

pub(super) fn accounts(state: &State) -> Result<Arc<Accounts>> {
    let none = || Error::not_found("This server knows no accounts: it was started with BRASA_AUTH=off.");
    state.accounts.as_ref().map(Arc::clone).ok_or_else(none)
}

/// The keys by which others verify the tokens of this server. <https://www.rfc-editor.org/rfc/rfc7517>
pub async fn jwks(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let told = Told::of(&request).for_interaction("keys-of-tokens");
    let response = match accounts(&state) {
        Ok(accounts) => HttpResponse::Ok().insert_header((CACHE_CONTROL, "public, max-age=60")).json(accounts.jwks()),
        Err(error) => refused(&request, &told, &error),
    };
    told.tell(&request, response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_found_and_no_other() {
        for (method, pattern, endpoint, name) in ENDPOINTS {
            let path = format!("/auth/{}", pattern.replace("{}", "x1"));
            let (found, id) = rows(&path);
            assert!(found.iter().any(|row| row.0 == *method && row.2 == *endpoint), "{path}");
            assert!(!pattern.ends_with("{}") || id == "x1", "{path}");
            assert!(crate::audit::event::OF_ACCOUNTS.contains(name), "{name} is no word of the audit");
        }
        for path in ["/auth/", "/auth", "/auth/logins", "/auth/users/", "/auth/me/x1", "/auth/keys/a/b", "/auth//login"]
        {
            assert!(rows(path).0.is_empty(), "{path}");
        }
    }
}
