//! Whether the process lives, whether it can serve, and where to go from here.

use super::State;
use super::respond::{Form, Layout, refusal};
use super::told::Told;
use crate::config::Mode;
use crate::error::{Error, Kind};
use actix_web::{HttpRequest, HttpResponse, web};

/// Liveness knows nothing of the database: restarting this process would not mend it.
pub async fn health(request: HttpRequest) -> HttpResponse {
    let told = Told::of(&request).for_interaction("health");
    told.tell(&request, HttpResponse::Ok().json(serde_json::json!({ "status": "alive" })))
}

/// Readiness: the coordinator answers and the server is not stopping. A lost worker takes only its patients away.
pub async fn ready(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let told = Told::of(&request).for_interaction("ready");
    let answer = readiness(&state).await;
    told.tell(&request, answer)
}

async fn readiness(state: &State) -> HttpResponse {
    let waiting = |reason: &str| {
        HttpResponse::ServiceUnavailable()
            .insert_header((actix_web::http::header::RETRY_AFTER, "1"))
            .json(serde_json::json!({ "status": "not ready", "reason": reason }))
    };
    if state.is_draining() {
        return waiting("the server is stopping");
    }
    let context = std::sync::Arc::clone(&state.context);
    match state.runtime.spawn(async move { crate::interaction::ping(&context).await }).await {
        Ok(Ok(())) => HttpResponse::Ok().json(serde_json::json!({ "status": "ready" })),
        _ => waiting("the database does not answer"),
    }
}

/// What stands at the root.
pub async fn front(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let told = Told::of(&request).for_interaction("front");
    let mut answer = serde_json::json!({
        "name": "Brasa",
        "mode": state.mode.word(),
        "version": env!("CARGO_PKG_VERSION"),
        "fhir": "/fhir",
        "capabilities": "/fhir/metadata",
        "health": "/health",
        "ready": "/ready",
    });
    if state.mode == Mode::Demo
        && let Some(members) = answer.as_object_mut()
    {
        let notice = "A demonstration: anybody can log in. Store nothing about real people.";
        members.insert("notice".to_owned(), notice.into());
    }
    told.tell(&request, HttpResponse::Ok().json(answer))
}

/// What an address that is only read says to every other method.
pub async fn only_read(request: HttpRequest) -> HttpResponse {
    let told = Told::of(&request);
    let error = Error::new(Kind::MethodNotAllowed, "This is only read.");
    let form = Form { id: &told.id, layout: Layout::default(), base: "" };
    let response = refusal(&form, &error, Some("GET, HEAD"));
    told.tell(&request, response)
}
