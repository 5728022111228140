//! The API described by itself: the OpenAPI document, Swagger UI to try it in, and pages to read. Nothing of it is loaded from elsewhere.

mod files;
mod kept;
mod reference;
mod words;

use super::openapi;
use super::respond::{Form, Layout, refusal};
use super::told::Told;
use super::{State, base};
use crate::account::Language;
use crate::error::{Error, Kind, Result};
use crate::interaction::capabilities::{Stamp, Surface};
use crate::interaction::request::form_urlencoded;
use crate::telemetry::log_failure;
use actix_web::http::header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE, HeaderValue, VARY};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use kept::Kept;
use std::sync::{Arc, Mutex};

/// A server is reached by a few names; whoever makes up more only makes it write the document again.
const DOCUMENTS_MAX: usize = 4;

/// What Swagger UI needs: its own scripts, its style (which has a picture inside), and this server.
const POLICY_OF_UI: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// The pages to read have no script.
const POLICY_OF_REFERENCE: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The document as it was last written, by the address that it was asked at.
#[derive(Default)]
pub struct Documents(Mutex<Vec<(String, Stamp, Arc<Kept>)>>);

impl Documents {
    fn of(&self, state: &State, base: &str) -> Result<Arc<Kept>> {
        let context = &state.context;
        let mut documents = self.0.lock().map_err(|_| Error::internal("a document could not be written"))?;
        documents.retain(|(_, stamp, _)| stamp.is_current(context));
        if let Some((_, _, kept)) = documents.iter().find(|(of, _, _)| of == base) {
            return Ok(Arc::clone(kept));
        }
        let stamp = Stamp::now(context);
        let document = openapi::document(&Surface::of(context), state.accounts.is_some(), base);
        let text = serde_json::to_vec(&document).map_err(Error::internal)?;
        let kept = Arc::new(Kept::new("application/json", text));
        documents.truncate(DOCUMENTS_MAX - 1);
        documents.insert(0, (base.to_owned(), stamp, Arc::clone(&kept)));
        Ok(kept)
    }
}

/// What can be asked for here.
enum Asked {
    Document,
    Ui,
    UiFile(String),
    Reference,
    ReferencePage(String),
}

pub async fn document(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    answer(request, state, Asked::Document, "openapi").await
}

pub async fn ui(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    answer(request, state, Asked::Ui, "docs").await
}

pub async fn ui_file(request: HttpRequest, state: web::Data<State>, name: web::Path<String>) -> HttpResponse {
    answer(request, state, Asked::UiFile(name.into_inner()), "docs").await
}

pub async fn reference(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    answer(request, state, Asked::Reference, "reference").await
}

pub async fn reference_page(request: HttpRequest, state: web::Data<State>, name: web::Path<String>) -> HttpResponse {
    answer(request, state, Asked::ReferencePage(name.into_inner()), "reference").await
}

async fn answer(request: HttpRequest, state: web::Data<State>, asked: Asked, word: &'static str) -> HttpResponse {
    let told = Told::of(&request).for_interaction(word);
    let response = answer_one(&request, &state, asked).await.unwrap_or_else(|error| {
        if error.kind.status() >= 500 {
            log_failure(&told.id, error.cause.as_deref().unwrap_or(&error.message));
        }
        let allowed = (error.kind == Kind::MethodNotAllowed).then_some("GET, HEAD");
        refusal(&Form { id: &told.id, layout: Layout::default(), base: "" }, &error, allowed)
    });
    told.tell(&request, response)
}

async fn answer_one(request: &HttpRequest, state: &web::Data<State>, asked: Asked) -> Result<HttpResponse> {
    if !state.docs {
        return Err(Error::not_found("There is no documentation here: this server was started with BRASA_DOCS=off."));
    }
    if !["GET", "HEAD"].contains(&request.method().as_str()) {
        return Err(Error::new(Kind::MethodNotAllowed, "This is only read."));
    }
    state.limits.request_from(request)?;
    let base = base::base(state, request, "/fhir")?;
    let language = language(request)?;
    // Writing it takes a moment, which other requests of this thread shall not wait for.
    let moved = state.clone();
    let done = web::block(move || page(&moved, &asked, &base, language)).await;
    let page = done.map_err(|_| Error::internal("a page's task ended before its answer"))??;
    Ok(page.respond(request))
}

/// What is shown, and how it may be kept.
struct Page {
    kept: Arc<Kept>,
    policy: Option<&'static str>,
    language: Option<Language>,
}

impl Page {
    fn respond(self, request: &HttpRequest) -> HttpResponse {
        let mut response = self.kept.respond(request, self.policy);
        if let Some(language) = self.language {
            let headers = response.headers_mut();
            headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(words::code(language)));
            headers.append(VARY, HeaderValue::from_static("accept-language"));
        }
        response
    }
}

fn page(state: &State, asked: &Asked, base: &str, language: Language) -> Result<Page> {
    let of_people = |text: String, policy| Page {
        kept: Arc::new(Kept::new("text/html; charset=utf-8", text.into_bytes())),
        policy: Some(policy),
        language: Some(language),
    };
    let file = |kept| Page { kept, policy: None, language: None };
    match asked {
        Asked::Document => Ok(file(state.documents.of(state, base)?)),
        Asked::Ui => {
            let words = words::of(language);
            let page =
                Ui { words, base, has_accounts: state.accounts.is_some(), groups: reference::groups(state, base) };
            Ok(of_people(page.render().map_err(Error::internal)?, POLICY_OF_UI))
        }
        Asked::UiFile(name) if name.ends_with(".json") => {
            let (mut surface, slug) = (Surface::of(&state.context), name.trim_end_matches(".json"));
            let document = openapi::group(&mut surface, state.accounts.is_some(), base, slug);
            let document = document.ok_or_else(|| Error::not_found("There is no such group."))?;
            let text = serde_json::to_vec(&document).map_err(Error::internal)?;
            Ok(file(Arc::new(Kept::new("application/json", text))))
        }
        Asked::UiFile(name) => {
            let kept = files::of_ui(name).ok_or_else(|| Error::not_found("There is no such file."))?;
            // The window in which somebody logged in hands the code on by a script of its own.
            let policy =
                name.ends_with(".html").then_some("default-src 'none'; script-src 'self'; frame-ancestors 'none'");
            Ok(Page { policy, ..file(kept) })
        }
        Asked::Reference => Ok(of_people(reference::index(state, base, language)?, POLICY_OF_REFERENCE)),
        Asked::ReferencePage(name) => match files::of_reference(name) {
            Some(kept) => Ok(file(kept)),
            None => Ok(of_people(reference::page(state, base, language, name)?, POLICY_OF_REFERENCE)),
        },
    }
}

#[derive(Template)]
#[template(path = "docs/ui.html")]
struct Ui<'a> {
    words: &'a words::Words,
    base: &'a str,
    has_accounts: bool,
    /// Name and part of the address of each.
    groups: Vec<(String, String)>,
}

/// What the reader chose, and what the browser says otherwise.
fn language(request: &HttpRequest) -> Result<Language> {
    let chosen = form_urlencoded(request.query_string())?.into_iter().find(|(name, _)| name == "lang");
    match chosen.as_ref().map(|(_, language)| language.as_str()) {
        Some("en") => Ok(Language::English),
        Some("es") => Ok(Language::Spanish),
        Some(_) => Err(Error::invalid("The pages are in en and es.").at("lang")),
        None => {
            let accepted = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
            Ok(Language::accepted(accepted))
        }
    }
}
