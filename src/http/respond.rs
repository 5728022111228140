//! Giving an answer or a refusal its HTTP form: status, headers, body.

use super::negotiate::Format;
use crate::error::{Error, Kind};
use crate::fhir::instant::to_http_date;
use crate::fhir::json::{Json, parse};
use crate::fhir::outcome::outcome_of;
use crate::fhir::xml;
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
    pub layout: Layout,
    pub base: &'a str,
}

/// How a body is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layout {
    pub format: Format,
    /// In lines, for people.
    pub pretty: bool,
}

pub fn answer(form: &Form<'_>, response: Response) -> HttpResponse {
    let is_fhir = response.content_type.is_none();
    let written = |body| if is_fhir { written(form.layout, body) } else { Ok(body) };
    let body = match response.body.map(written).transpose() {
        Ok(body) => body,
        Err(fault) => {
            let message = format!("This cannot be written as XML: {fault} Ask for application/fhir+json.");
            return refusal(form, &Error::new(Kind::NotAcceptable, message), None);
        }
    };
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
    match response.content_type.as_deref().map(HeaderValue::from_str) {
        Some(content_type) => {
            let unknown = HeaderValue::from_static("application/octet-stream");
            builder.insert_header((CONTENT_TYPE, content_type.unwrap_or(unknown)));
            builder.body(body.unwrap_or_default())
        }
        None => finish(builder, body, form.layout.format),
    }
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
    let outcome = outcome_of(Some(form.id.as_str()), error.told()).to_bytes();
    match written(form.layout, outcome.clone()) {
        Ok(body) => finish(builder, Some(body), form.layout.format),
        Err(_) => finish(builder, Some(outcome), Format::Json),
    }
}

fn start(status: u16) -> HttpResponseBuilder {
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
}

/// A body as the client wants it; it comes as compact JSON.
fn written(layout: Layout, body: Vec<u8>) -> crate::fhir::invalid::Result<Vec<u8>> {
    match (layout.format, layout.pretty) {
        (Format::Json, false) => Ok(body),
        (Format::Json, true) => Ok(parse(&body, usize::MAX)?.to_pretty_bytes()),
        (Format::Xml, pretty) => match parse(&body, usize::MAX)? {
            Json::Object(resource) => xml::write(&resource, pretty),
            _ => Ok(body),
        },
    }
}

fn finish(mut builder: HttpResponseBuilder, body: Option<Vec<u8>>, format: Format) -> HttpResponse {
    let Some(body) = body else { return builder.finish() };
    builder.insert_header((CONTENT_TYPE, HeaderValue::from_static(format.content_type())));
    builder.body(body)
}
