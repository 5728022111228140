//! Giving an answer or a refusal its HTTP form: status, headers, body.

use super::negotiate::FHIR_JSON;
use crate::error::{Error, Kind};
use crate::fhir::instant::to_http_date;
use crate::fhir::json::parse;
use crate::fhir::outcome::outcome_of;
use crate::interaction::response::Response;
use crate::telemetry::RequestId;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpResponse, HttpResponseBuilder};

/// How the client wants its answer.
pub struct Form<'a> {
    pub id: &'a RequestId,
    pub pretty: bool,
    pub base: &'a str,
}

pub fn answer(form: &Form<'_>, response: Response) -> HttpResponse {
    let mut builder = start(response.status);
    if let Some(version) = response.version {
        builder.insert_header((ETAG, format!("W/\"{version}\"")));
    }
    if let Some(time) = response.last_modified {
        builder.insert_header((LAST_MODIFIED, to_http_date(time)));
    }
    if let Some(location) = response.location {
        builder.insert_header((LOCATION, format!("{}/{location}", form.base)));
    }
    for header in response.headers {
        builder.insert_header(header);
    }
    finish(builder, response.body, form.pretty)
}

/// A refusal as an OperationOutcome that carries the request's id.
pub fn refusal(form: &Form<'_>, error: &Error, allowed: Option<&str>) -> HttpResponse {
    let mut builder = start(error.kind.status());
    if let Kind::Busy { retry_after_seconds } | Kind::TooManyRequests { retry_after_seconds } = error.kind {
        builder.insert_header((RETRY_AFTER, retry_after_seconds.to_string()));
    }
    // RFC 6750, section 3.1: an error is named to who showed a token, and to nobody else.
    let challenge = match error.kind {
        Kind::Unauthorized => Some("Bearer realm=\"brasa\""),
        Kind::InvalidToken => Some("Bearer realm=\"brasa\", error=\"invalid_token\""),
        _ => None,
    };
    if let Some(challenge) = challenge {
        builder.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static(challenge)));
    }
    if let Some(allowed) = allowed {
        builder.insert_header((actix_web::http::header::ALLOW, allowed));
    }
    finish(builder, Some(outcome_of(Some(form.id.as_str()), error.told()).to_bytes()), form.pretty)
}

fn start(status: u16) -> HttpResponseBuilder {
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
}

fn finish(mut builder: HttpResponseBuilder, body: Option<Vec<u8>>, pretty: bool) -> HttpResponse {
    let Some(body) = body else { return builder.finish() };
    builder.insert_header((CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON)));
    let laid_out = if pretty { parse(&body, usize::MAX).ok() } else { None };
    builder.body(laid_out.map_or(body, |json| json.to_pretty_bytes()))
}
