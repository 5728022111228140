//! One line in the log for each request, and its id in the answer.

use crate::telemetry::{RequestId, RequestLine, log_request};
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use std::time::Instant;

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of a request while it is answered.
pub struct Told {
    pub id: RequestId,
    pub interaction: Option<&'static str>,
    pub resource_type: Option<&'static str>,
    started: Instant,
}

impl Told {
    /// Starts the request's clock and takes its id, or makes one.
    pub fn of(request: &HttpRequest) -> Told {
        let id = RequestId::from_client(request.headers().get(X_REQUEST_ID).map(HeaderValue::as_bytes));
        Told { id, interaction: None, resource_type: None, started: Instant::now() }
    }

    pub fn for_interaction(self, name: &'static str) -> Told {
        Told { interaction: Some(name), ..self }
    }

    /// Writes the line and hands the answer on.
    pub fn tell(self, request: &HttpRequest, mut response: HttpResponse) -> HttpResponse {
        if let Ok(id) = HeaderValue::from_str(self.id.as_str()) {
            response.headers_mut().insert(X_REQUEST_ID, id);
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
