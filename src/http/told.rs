//! One line in the log for each request, its id in the answer, and the headers that keep every answer safe in a browser.

use crate::telemetry::{RequestId, RequestLine, log_request};
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse};
use std::time::Instant;

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Nothing that a server of data answers is a page: a browser that shows it all the same runs and loads nothing of it.
const SAFE: &[(HeaderName, &str)] = &[
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (REFERRER_POLICY, "no-referrer"),
];

/// What is known of a request while it is answered.
pub struct Told {
    pub id: RequestId,
    pub interaction: Option<&'static str>,
    pub resource_type: Option<&'static str>,
    /// The answer is for whoever asked: nobody keeps a copy of it.
    pub is_private: bool,
    started: Instant,
}

impl Told {
    /// Starts the request's clock and takes its id, or makes one.
    pub fn of(request: &HttpRequest) -> Told {
        let id = RequestId::from_client(request.headers().get(X_REQUEST_ID).map(HeaderValue::as_bytes));
        Told { id, interaction: None, resource_type: None, is_private: false, started: Instant::now() }
    }

    pub fn for_interaction(self, name: &'static str) -> Told {
        Told { interaction: Some(name), ..self }
    }

    /// Writes the line and hands the answer on.
    pub fn tell(self, request: &HttpRequest, mut response: HttpResponse) -> HttpResponse {
        if let Ok(id) = HeaderValue::from_str(self.id.as_str()) {
            response.headers_mut().insert(X_REQUEST_ID, id);
        }
        for (name, value) in SAFE {
            // A page has a policy of its own.
            if !response.headers().contains_key(name) {
                response.headers_mut().insert(name.clone(), HeaderValue::from_static(value));
            }
        }
        if self.is_private {
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        let response_bytes = match response.body().size() {
            BodySize::Sized(length) => length,
            BodySize::None | BodySize::Stream => 0,
        };
        log_request(&RequestLine {
            id: &self.id,
            method: request.method().as_str(),
            interaction: self.interaction.unwrap_or("none"),
            resource_type: self.resource_type,
            status: response.status().as_u16(),
            duration: self.started.elapsed(),
            response_bytes,
        });
        response
    }
}
