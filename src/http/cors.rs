//! Which web pages may use this server from a browser. <https://fetch.spec.whatwg.org/#http-cors-protocol>

use super::told::{Told, X_REQUEST_ID};
use crate::config::Origins;
use actix_cors::Cors;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_LOCATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::middleware::{Condition, Next};

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// How long a browser need not ask again (s).
const REMEMBERED_SECONDS: usize = 3600;

/// What a browser asks before a page may ask has its line in the log and its id, too: no handler of ours sees it.
pub async fn preflight_is_told(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if request.method() != Method::OPTIONS {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    }
    let told = Told::of(request.request()).for_interaction("preflight");
    let (request, response) = next.call(request).await?.into_parts();
    let response = response.map_into_boxed_body();
    // What is no question of a browser came to a handler, which told of it.
    let response = match response.headers().contains_key(X_REQUEST_ID) {
        true => response,
        false => told.tell(&request, response),
    };
    Ok(ServiceResponse::new(request, response))
}

/// Pages show a token, never a cookie: credentials in the browser's sense are not allowed, to nobody.
pub fn cors(origins: Option<&Origins>) -> Condition<Cors> {
    let own = ["if-none-exist", "prefer", "x-request-id", "x-security-context"].map(HeaderName::from_static);
    let sent = [ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH];
    let seen = [CONTENT_LOCATION, ETAG, LAST_MODIFIED, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE];
    let told = ["x-request-id", "x-brasa-mode", "x-security-context"].map(HeaderName::from_static);
    let cors = Cors::default()
        .allowed_methods(METHODS)
        .allowed_headers(sent.into_iter().chain(own))
        .expose_headers(seen.iter().chain(&told))
        .max_age(REMEMBERED_SECONDS);
    let cors = match origins {
        None => cors,
        Some(Origins::Any) => cors.allow_any_origin().send_wildcard(),
        Some(Origins::Listed(listed)) => listed.iter().fold(cors, |cors, origin| cors.allowed_origin(origin.as_str())),
    };
    Condition::new(origins.is_some(), cors)
}
