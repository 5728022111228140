//! The pages that a person sees, and the headers that keep them to themselves.

use super::words::Words;
use crate::account::oauth::{Browser, Person, Record, Request};
use crate::error::{Error, Result};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER, SET_COOKIE,
    X_FRAME_OPTIONS,
};
use askama::Template;

/// Where the style sheet of all pages comes from.
pub const STYLE: &str = include_str!("../../../templates/style.css");
/// A browser keeps its cookie as long as the longest question is open (s).
const COOKIE_SECONDS: u32 = 3600;

#[derive(Template)]
#[template(path = "log_in.html")]
struct LogIn<'a> {
    words: &'a Words,
    client: &'a str,
    question: &'a str,
    mark: String,
    message: Option<String>,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'a> {
    words: &'a Words,
    client: &'a str,
    question: &'a str,
    mark: String,
    ticket: &'a str,
    username: &'a str,
    scopes: Vec<Scope<'a>>,
    names_patient: bool,
    own_record: bool,
    launched: Option<&'a str>,
    place: String,
    message: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "failed.html")]
struct Failed<'a> {
    words: &'a Words,
    message: &'a str,
    id: &'a str,
}

struct Scope<'a> {
    word: &'a str,
    sentence: String,
}

/// What all pages about one question have in common.
pub struct Page<'a> {
    pub words: &'static Words,
    pub request: &'a Request,
    /// The client's question as it came, for the forms to bring along.
    pub question: &'a str,
    pub browser: &'a Browser,
    /// Whether cookies travel encrypted only.
    pub is_https: bool,
}

impl Page<'_> {
    pub fn log_in(&self, status: u16, message: Option<String>) -> Result<HttpResponse> {
        let page = LogIn {
            words: self.words,
            client: &self.request.client.name,
            question: self.question,
            mark: self.browser.mark(),
            message,
        };
        self.finish(status, &page)
    }

    /// `message`: what was wrong with the answer before.
    pub fn consent(&self, person: &Person, message: Option<&str>) -> Result<HttpResponse> {
        let scope = |word: &'_ String| self.words.sentence(word);
        let scopes = self.request.scopes.iter();
        let page = Consent {
            words: self.words,
            client: &self.request.client.name,
            question: self.question,
            mark: self.browser.mark(),
            ticket: &person.ticket,
            username: &person.username,
            scopes: scopes.map(|word| Scope { word, sentence: scope(word) }).collect(),
            names_patient: person.record == Record::Named,
            own_record: person.record == Record::Own,
            launched: self.request.launched_for().filter(|_| person.record == Record::Launched),
            place: self.request.redirect.policy_source(),
            message,
        };
        self.finish(if message.is_some() { 400 } else { 200 }, &page)
    }

    fn finish(&self, status: u16, page: &impl Template) -> Result<HttpResponse> {
        let mut response = html(status, self.words, page, Some(&self.request.redirect.policy_source()))?;
        let cookie = set_cookie(self.browser, self.is_https);
        let cookie = HeaderValue::from_str(&cookie).map_err(Error::internal)?;
        response.headers_mut().insert(SET_COOKIE, cookie);
        Ok(response)
    }
}

/// A page for whoever cannot be sent anywhere. `retry_after_seconds`: when to try again.
pub fn failed(
    status: u16,
    words: &'static Words,
    message: &str,
    id: &str,
    retry_after_seconds: Option<u32>,
) -> HttpResponse {
    let page = html(status, words, &Failed { words, message, id }, None);
    let mut response = page.unwrap_or_else(|_| HttpResponse::InternalServerError().finish());
    if let Some(seconds) = retry_after_seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Sends the browser back to the client, always by GET.
pub fn redirect(to: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, to)).finish()
}

/// A page without scripts, in no frame, whose forms lead to this server and, by way of it, to the client.
fn html(status: u16, words: &Words, page: &impl Template, leads_to: Option<&str>) -> Result<HttpResponse> {
    let text = page.render().map_err(Error::internal)?;
    let forms = leads_to.map_or_else(|| "'none'".to_owned(), |to| format!("'self' {to}"));
    let policy =
        format!("default-src 'none'; style-src 'self'; form-action {forms}; frame-ancestors 'none'; base-uri 'none'");
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut builder = HttpResponse::build(status);
    builder.insert_header((CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")));
    builder.insert_header((CONTENT_LANGUAGE, HeaderValue::from_static(words.language)));
    builder.insert_header((CONTENT_SECURITY_POLICY, policy));
    builder.insert_header((X_FRAME_OPTIONS, HeaderValue::from_static("DENY")));
    Ok(builder.body(text))
}

/// Over https no page of another host under the same domain can set a cookie of this name.
pub fn cookie_name(is_https: bool) -> &'static str {
    if is_https { "__Host-brasa-authorize" } else { "brasa-authorize" }
}

fn set_cookie(browser: &Browser, is_https: bool) -> String {
    let (name, secure) = (cookie_name(is_https), if is_https { "; Secure" } else { "" });
    format!("{name}={}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax{secure}", browser.cookie())
}
