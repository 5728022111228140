//! The authorization endpoint: what is in order is asked of a person, in two steps without a script.
//! <https://www.rfc-editor.org/rfc/rfc6749#section-3.1>

use super::page::{self, Page, cookie_name, redirect};
use super::words::Words;
use crate::account::Accounts;
use crate::account::oauth::{Browser, Consent, Record, Rejection, Request, Ticked};
use crate::auth::smart::address::Addresses;
use crate::error::{Error, Kind, Result};
use crate::http::fhir::header;
use crate::http::told::Told;
use crate::http::{State, auth, base, body};
use crate::interaction::Context;
use crate::interaction::request::form_urlencoded;
use crate::telemetry::{RequestId, log_failure};
use actix_web::http::header::{ACCEPT_LANGUAGE, ALLOW, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use std::sync::Arc;

/// A question, or a form with one in it (bytes).
const BYTES_MAX: usize = 32 * 1024;

/// One step of a person's way.
struct Step {
    addresses: Addresses,
    words: &'static Words,
    /// What the browser brought from before.
    browser: Option<Browser>,
    /// The client's question as it was asked.
    question: String,
    /// What a form of this server's own brings; empty: the question comes from the client.
    form: Vec<(String, String)>,
    /// The browser says that the form was sent by a page elsewhere.
    is_from_elsewhere: bool,
}

/// Answers with a page or a redirect, whatever happens.
pub async fn answer(
    request: &HttpRequest,
    payload: web::Payload,
    state: &web::Data<State>,
    told: &mut Told,
) -> HttpResponse {
    let accepted = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let words = Words::preferred(accepted.unwrap_or_default());
    match answer_one(request, payload, state, words, told).await {
        Ok(response) => response,
        Err(error) => failed(&error, words, &told.id),
    }
}

fn failed(error: &Error, words: &'static Words, id: &RequestId) -> HttpResponse {
    let status = error.kind.status();
    if status >= 500 {
        log_failure(id, error.cause.as_deref().unwrap_or(&error.message));
    }
    let message = if status >= 500 { words.server_failed } else { words.unreadable };
    let retry_after_seconds = match error.kind {
        Kind::Busy { retry_after_seconds } | Kind::TooManyRequests { retry_after_seconds } => Some(retry_after_seconds),
        _ => None,
    };
    let mut response =
        page::failed(status, words, &format!("{message} {}", error.message), id.as_str(), retry_after_seconds);
    if error.kind == Kind::MethodNotAllowed {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

async fn answer_one(
    request: &HttpRequest,
    payload: web::Payload,
    state: &web::Data<State>,
    words: &'static Words,
    told: &mut Told,
) -> Result<HttpResponse> {
    let addresses = Addresses::of(&base::base(state, request, "/fhir")?);
    let accounts = auth::accounts(state)?;
    let in_flight = Arc::clone(&state.requests).try_acquire_owned();
    let in_flight = in_flight.map_err(|_| Error::busy(1).caused_by("BRASA_REQUESTS_IN_FLIGHT_MAX is reached"))?;
    let (question, form) = asked(request, payload, state).await?;
    let is_https = addresses.base().starts_with("https://");
    let elsewhere = |site: &str| !["same-origin", "none"].contains(&site);
    let step = Step {
        browser: cookie(request, cookie_name(is_https)).and_then(|value| Browser::read(&value)),
        is_from_elsewhere: header(request, HeaderName::from_static("sec-fetch-site"))?
            .as_deref()
            .is_some_and(elsewhere),
        addresses,
        words,
        question,
        form,
    };
    if !step.value("username").is_empty() && state.context.store.has_trail() {
        // Whom somebody tries to be is told also where that fails.
        told.agent = accounts.agent_named(step.value("username")).await?;
    }
    let (context, id) = (Arc::clone(&state.context), told.id.as_str().to_owned());
    // A task of its own: whoever goes away after a wrong password has failed all the same.
    let task = actix_web::rt::spawn(async move {
        let answered = step.answer(&context, &accounts, &id).await;
        drop(in_flight);
        answered
    });
    task.await.map_err(|_| Error::internal("the request's task ended before its answer"))?
}

/// The question, and the form that it came in.
async fn asked(request: &HttpRequest, payload: web::Payload, state: &State) -> Result<(String, Vec<(String, String)>)> {
    match request.method().as_str() {
        "GET" => return Ok((request.query_string().to_owned(), Vec::new())),
        "POST" => {}
        _ => return Err(Error::new(Kind::MethodNotAllowed, "GET, POST.")),
    }
    let content_type = header(request, CONTENT_TYPE)?.unwrap_or_default().to_ascii_lowercase();
    if content_type.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
        return Err(Error::new(Kind::UnsupportedMediaType, "application/x-www-form-urlencoded."));
    }
    let body = body::read(state, request, payload, BYTES_MAX).await?;
    let text = std::str::from_utf8(&body.bytes).map_err(|_| Error::invalid("UTF-8."))?;
    let form = form_urlencoded(text)?;
    // Without a mark it is no form of ours: a client may ask by POST, too.
    if !form.iter().any(|(name, _)| name == "mark") {
        return Ok((text.to_owned(), Vec::new()));
    }
    let question = form.iter().find(|(name, _)| name == "request").map(|(_, value)| value.clone());
    Ok((question.unwrap_or_default(), form))
}

fn cookie(request: &HttpRequest, name: &str) -> Option<String> {
    let lines = request.headers().get_all(COOKIE).filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

impl Step {
    async fn answer(self, context: &Context, accounts: &Accounts, id: &str) -> Result<HttpResponse> {
        let parameters = form_urlencoded(&self.question)?;
        let request = match accounts.consider(&parameters, &self.addresses).await {
            Ok(request) => request,
            Err(Rejection::Redirect(to)) => return Ok(redirect(&to)),
            Err(Rejection::UnknownClient) => {
                return Ok(page::failed(400, self.words, self.words.unknown_client, id, None));
            }
            Err(Rejection::UnknownRedirect) => {
                return Ok(page::failed(400, self.words, self.words.unknown_redirect, id, None));
            }
            Err(Rejection::Failed(error)) => return Err(error),
        };
        let fresh = match &self.browser {
            Some(_) => None,
            None => Some(Browser::fresh()?),
        };
        let browser = self.browser.as_ref().or(fresh.as_ref()).ok_or_else(|| Error::internal("no browser"))?;
        let is_https = self.addresses.base().starts_with("https://");
        let page = Page { words: self.words, request: &request, question: &self.question, browser, is_https };
        if self.form.is_empty() {
            return page.log_in(200, None);
        }
        let is_own = browser.has_mark(self.value("mark")) && !self.is_from_elsewhere;
        if !is_own {
            return page.log_in(403, Some(self.words.stale.to_owned()));
        }
        match (self.value("decision"), self.value("ticket")) {
            ("deny", _) => Ok(redirect(&request.denied())),
            (_, "") => self.log_in(accounts, &request, &page).await,
            (_, _) => self.consent(context, accounts, &request, &page).await,
        }
    }

    fn value(&self, name: &str) -> &str {
        self.form.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    async fn log_in(&self, accounts: &Accounts, request: &Request, page: &Page<'_>) -> Result<HttpResponse> {
        let password = self.value("password").to_owned();
        let met = accounts.meet(request, self.value("username"), password, &page.browser.binding()).await;
        match met {
            Ok(person) if person.record == Record::Missing => page.log_in(403, Some(self.words.no_record.to_owned())),
            Ok(person) if person.record == Record::Others => page.log_in(403, Some(self.words.not_yours.to_owned())),
            Ok(person) => page.consent(&person, None),
            Err(error) => match error.kind {
                Kind::Unauthorized => page.log_in(403, Some(self.words.wrong.to_owned())),
                Kind::TooManyRequests { retry_after_seconds } => {
                    page.log_in(429, Some(format!("{} {retry_after_seconds}", self.words.wait)))
                }
                _ => Err(error),
            },
        }
    }

    async fn consent(
        &self,
        context: &Context,
        accounts: &Accounts,
        request: &Request,
        page: &Page<'_>,
    ) -> Result<HttpResponse> {
        let scopes = self.form.iter().filter(|(name, _)| name == "scope").map(|(_, value)| value.clone());
        let ticked = Ticked {
            ticket: self.value("ticket").to_owned(),
            scopes: scopes.collect(),
            patient: self.value("patient").to_owned(),
        };
        match accounts.consent(&context.store, request, ticked, &page.browser.binding()).await? {
            Consent::Redirect(to) => Ok(redirect(&to)),
            Consent::NoPatient(person) => page.consent(&person, Some(self.words.no_patient)),
            Consent::Stale => page.log_in(403, Some(self.words.stale.to_owned())),
        }
    }
}
