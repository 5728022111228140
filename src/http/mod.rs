//! The only room with actix-web: addresses, headers, bodies under their limits, and errors as OperationOutcomes.

mod auth;
mod base;
mod body;
mod bucket;
mod client;
mod cors;
mod docs;
mod encoding;
mod fhir;
mod health;
mod limit;
mod negotiate;
mod oauth;
mod openapi;
mod respond;
mod told;
mod trail;

pub use cors::{cors, preflight_is_told};
pub use encoding::no_encoding_is_refused;

use crate::account::Accounts;
use crate::config::{BaseUrl, Mode, Settings};
use crate::interaction::Context;
use actix_web::web;
use limit::Limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Bodies are counted in pieces of this many bytes against the bound on all of them.
const BODY_PIECE_BYTES: usize = 1024;

/// What every handler works with.
pub struct State {
    pub context: Arc<Context>,
    /// `None`: BRASA_AUTH=off, and everybody may do everything.
    accounts: Option<Arc<Accounts>>,
    /// Where Bundles run: not on a thread that reads sockets.
    runtime: Handle,
    base_url: Option<BaseUrl>,
    mode: Mode,
    /// The host names that a request may be addressed to when no base address is configured.
    listen_host: String,
    body_bytes_max: usize,
    body_idle: Duration,
    bodies: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    limits: Limits,
    /// Whether the documentation is shown.
    docs: bool,
    documents: docs::Documents,
    draining: AtomicBool,
}

impl State {
    pub fn new(context: Arc<Context>, accounts: Option<Arc<Accounts>>, settings: &Settings, runtime: Handle) -> State {
        State {
            context,
            accounts,
            runtime,
            base_url: settings.base_url.clone(),
            mode: settings.mode,
            listen_host: settings.listen.ip().to_string(),
            body_bytes_max: settings.body_bytes_max,
            body_idle: settings.body_idle,
            bodies: Arc::new(Semaphore::new(settings.bodies_in_flight_bytes_max / BODY_PIECE_BYTES)),
            requests: Arc::new(Semaphore::new(settings.requests_in_flight_max)),
            limits: Limits::new(settings),
            docs: settings.docs,
            documents: docs::Documents::default(),
            draining: AtomicBool::new(false),
        }
    }

    /// From now on the server says that it is not ready, while what is under way ends.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// Every address of the server.
pub fn routes(config: &mut web::ServiceConfig) {
    for document in oauth::DOCUMENTS {
        config
            .route(document, web::get().to(oauth::configuration))
            .route(document, web::head().to(oauth::configuration))
            .route(document, web::route().to(health::only_read));
    }
    let accounts = web::scope("/auth")
        .route("/authorize", web::route().to(oauth::authorize))
        .route("/token", web::route().to(oauth::token))
        .route("/introspect", web::route().to(oauth::introspect))
        .route("/revoke", web::route().to(oauth::revoke))
        .route("/style.css", web::get().to(oauth::style))
        .route("/style.css", web::head().to(oauth::style))
        .route("/style.css", web::route().to(health::only_read))
        .default_service(web::route().to(auth::any));
    config
        .route("/", web::get().to(health::front))
        .route("/", web::head().to(health::front))
        .route("/", web::route().to(health::only_read))
        .route("/health", web::get().to(health::health))
        .route("/health", web::head().to(health::health))
        .route("/health", web::route().to(health::only_read))
        .route("/ready", web::get().to(health::ready))
        .route("/ready", web::head().to(health::ready))
        .route("/ready", web::route().to(health::only_read))
        .route("/.well-known/jwks.json", web::get().to(auth::jwks))
        .route("/.well-known/jwks.json", web::head().to(auth::jwks))
        .route("/.well-known/jwks.json", web::route().to(health::only_read))
        .route("/openapi.json", web::route().to(docs::document))
        .route("/docs", web::route().to(docs::ui))
        .route("/docs/{name}", web::route().to(docs::ui_file))
        .route("/redoc", web::route().to(docs::reference))
        .route("/redoc/{name}", web::route().to(docs::reference_page))
        .service(accounts)
        .default_service(web::route().to(fhir::any));
}
