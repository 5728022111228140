//! OAuth and SMART over HTTP: what the server says of it, the pages for people, and the endpoints for programs.
//! <https://hl7.org/fhir/smart-app-launch/>

mod authorize;
mod page;
mod token;
mod words;

use super::told::Told;
use super::{State, auth, base};
use crate::auth::smart::address::Addresses;
use crate::auth::smart::discovery;
use crate::error::Result;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use token::Endpoint;

/// Where the document stands: beside the endpoints of FHIR and at the root.
pub const DOCUMENTS: &[&str] = &[
    "/.well-known/smart-configuration",
    "/fhir/.well-known/smart-configuration",
    "/fhir/R4/.well-known/smart-configuration",
    "/.well-known/openid-configuration",
    "/fhir/.well-known/openid-configuration",
    "/fhir/R4/.well-known/openid-configuration",
];

/// What the server says of its log-in and consent.
pub async fn configuration(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let told = Told::of(&request).for_interaction("smart-configuration");
    let document = || -> Result<serde_json::Value> {
        let base = base::base(&state, &request, "/fhir")?;
        auth::accounts(&state)?;
        Ok(discovery::document(&Addresses::of(&base)))
    };
    let response = match document() {
        Ok(document) => HttpResponse::Ok().json(document),
        Err(error) => auth::refused(&request, &told, &error),
    };
    told.tell(&request, response)
}

pub async fn style(request: HttpRequest) -> HttpResponse {
    let told = Told::of(&request).for_interaction("style");
    let response = HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")))
        .body(page::STYLE);
    told.tell(&request, response)
}

pub async fn authorize(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> HttpResponse {
    let mut told = told(&request, "authorize");
    let response = authorize::answer(&request, payload, &state, &mut told).await;
    // The page alone is nobody's access.
    let is_page = request.method() == Method::GET && response.status() == StatusCode::OK;
    let response = match is_page {
        false => recorded(&request, &state, &mut told, response, None).await,
        true => response,
    };
    told.tell(&request, response)
}

pub async fn token(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> HttpResponse {
    answered(Endpoint::Token, "token", request, payload, state).await
}

pub async fn introspect(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> HttpResponse {
    answered(Endpoint::Introspect, "introspect", request, payload, state).await
}

pub async fn revoke(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> HttpResponse {
    answered(Endpoint::Revoke, "revoke", request, payload, state).await
}

async fn answered(
    endpoint: Endpoint,
    name: &'static str,
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    let mut told = told(&request, name);
    let (response, came_in) = token::answer(endpoint, &request, payload, &state, &told.id).await;
    let response = recorded(&request, &state, &mut told, response, came_in.as_deref()).await;
    told.tell(&request, response)
}

/// What cannot be recorded is not answered.
async fn recorded(
    request: &HttpRequest,
    state: &State,
    told: &mut Told,
    response: HttpResponse,
    came_in: Option<&str>,
) -> HttpResponse {
    let status = match tells_of_an_error(&response) {
        true => StatusCode::FORBIDDEN,
        false => response.status(),
    };
    match auth::note_access(state, request, told, status.as_u16(), came_in).await {
        Err(error) if !status.is_client_error() && !status.is_server_error() => auth::refused(request, told, &error),
        _ => response,
    }
}

/// Whether the app is sent an error instead of a code: refused, though its status is that of a redirect.
fn tells_of_an_error(response: &HttpResponse) -> bool {
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let query = location.and_then(|address| address.split_once('?')).map_or("", |(_, query)| query);
    query.split('&').any(|pair| pair.starts_with("error="))
}

fn told(request: &HttpRequest, interaction: &'static str) -> Told {
    let mut told = Told::of(request).for_interaction(interaction);
    told.is_private = true;
    told
}
