//! The token, introspection and revocation endpoints: forms in, JSON out, errors in OAuth's words.
//! <https://www.rfc-editor.org/rfc/rfc6749#section-3.2>

use crate::account::Accounts;
use crate::account::oauth::{Asker, Fault, Granted, Result, ShownClient};
use crate::auth::smart::address::Addresses;
use crate::error::{Error, Kind};
use crate::http::fhir::header;
use crate::http::{State, auth, base, body};
use crate::interaction::Context;
use crate::interaction::request::form_urlencoded;
use crate::telemetry::{RequestId, log_failure};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderValue, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::sync::Arc;

/// A form with an assertion and a token in it (bytes).
const BYTES_MAX: usize = 64 * 1024;

/// Which of the three is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    Token,
    Introspect,
    Revoke,
}

/// A form, each of whose fields stands once.
struct Form {
    fields: Vec<(String, String)>,
    authorization: Option<String>,
}

/// The answer, and the access token that it gives.
pub async fn answer(
    endpoint: Endpoint,
    request: &HttpRequest,
    payload: web::Payload,
    state: &web::Data<State>,
    id: &RequestId,
) -> (HttpResponse, Option<String>) {
    let mut came_in = None;
    let mut response = match answer_one(endpoint, request, payload, state).await {
        Ok(Some(body)) => {
            came_in = body.get("access_token").and_then(Value::as_str).map(str::to_owned);
            HttpResponse::Ok().json(body)
        }
        Ok(None) => HttpResponse::Ok().finish(),
        Err(fault) => refused(request, &fault, id),
    };
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    (response, came_in)
}

fn refused(request: &HttpRequest, fault: &Fault, id: &RequestId) -> HttpResponse {
    let (status, code, why) = match fault {
        Fault::Refused { code: "invalid_client", why } => (401, "invalid_client", why.as_str()),
        Fault::Refused { code, why } => (400, *code, why.as_str()),
        Fault::Failed(error) => (error.kind.status(), word(error.kind), error.message.as_str()),
    };
    if let (Fault::Failed(error), true) = (fault, status >= 500) {
        log_failure(id, error.cause.as_deref().unwrap_or(&error.message));
    }
    let mut builder = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    if let Fault::Failed(Error { kind: Kind::Busy { retry_after_seconds }, .. }) = fault {
        builder.insert_header((RETRY_AFTER, retry_after_seconds.to_string()));
    }
    if status == 405 {
        builder.insert_header((ALLOW, HeaderValue::from_static("POST")));
    }
    if status == 401 {
        let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_bearer = shown.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"));
        let scheme = if is_bearer { "Bearer realm=\"brasa\"" } else { "Basic realm=\"brasa\"" };
        builder.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static(scheme)));
    }
    builder.json(json!({"error": code, "error_description": why}))
}

/// OAuth's word for what it has no better one for.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Unauthorized | Kind::InvalidToken => "invalid_token",
        kind if kind.status() == 503 => "temporarily_unavailable",
        kind if kind.status() >= 500 => "server_error",
        _ => "invalid_request",
    }
}

async fn answer_one(
    endpoint: Endpoint,
    request: &HttpRequest,
    payload: web::Payload,
    state: &web::Data<State>,
) -> Result<Option<Value>> {
    let addresses = Addresses::of(&base::base(state, request, "/fhir")?);
    let accounts = auth::accounts(state)?;
    let in_flight = Arc::clone(&state.requests).try_acquire_owned();
    let in_flight = in_flight.map_err(|_| Error::busy(1).caused_by("BRASA_REQUESTS_IN_FLIGHT_MAX is reached"))?;
    if request.method() != "POST" {
        return Err(Error::new(Kind::MethodNotAllowed, "Ask by POST.").into());
    }
    let content_type = header(request, CONTENT_TYPE)?.unwrap_or_default().to_ascii_lowercase();
    if content_type.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
        return Err(Fault::invalid_request("Send application/x-www-form-urlencoded."));
    }
    let authorization = header(request, AUTHORIZATION)?;
    let body = body::read(state, request, payload, BYTES_MAX).await?;
    let text = std::str::from_utf8(&body.bytes).map_err(|_| Error::invalid("The body is not UTF-8."))?;
    let form = Form { fields: form_urlencoded(text)?, authorization };
    form.check()?;
    let context = Arc::clone(&state.context);
    // A task of its own: a client that goes away does not stop in the middle of what it began.
    let task = actix_web::rt::spawn(async move {
        let answered = match endpoint {
            Endpoint::Token => form.token(&accounts, &addresses).await.map(Some),
            Endpoint::Introspect => form.introspect(&context, &accounts, &addresses).await.map(Some),
            Endpoint::Revoke => form.revoke(&context, &accounts, &addresses).await.map(|()| None),
        };
        drop(in_flight);
        answered
    });
    task.await.map_err(|_| Error::internal("the request's task ended before its answer"))?
}

impl Form {
    fn check(&self) -> Result<()> {
        let twice = |name: &String| self.fields.iter().filter(|(known, _)| known == name).count() > 1;
        match self.fields.iter().map(|(name, _)| name).find(|name| twice(name)) {
            Some(name) => Err(Fault::invalid_request(format!("{name} is given twice."))),
            None => Ok(()),
        }
    }

    /// An empty field is as good as none.
    fn text(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    fn needed(&self, name: &str) -> Result<&str> {
        self.text(name).ok_or_else(|| Fault::invalid_request(format!("{name} is needed.")))
    }

    async fn token(&self, accounts: &Accounts, addresses: &Addresses) -> Result<Value> {
        let grant_type = self.needed("grant_type")?;
        let shown = self.shown()?;
        let client = match (grant_type, self.text("refresh_token")) {
            ("refresh_token", Some(token)) if shown.is_nothing() => accounts.public_holder(token).await?,
            _ => accounts.identify(&shown, &addresses.token()).await?,
        };
        let granted = match grant_type {
            "authorization_code" => {
                let proof = (self.needed("code")?, self.needed("redirect_uri")?, self.needed("code_verifier")?);
                accounts.exchange(&client, proof, addresses).await?
            }
            "refresh_token" => {
                accounts.refresh_client(&client, self.needed("refresh_token")?, self.text("scope")).await?
            }
            "client_credentials" => accounts.serve(&client, self.needed("scope")?).await?,
            _ => {
                let why = "grant_type is one of authorization_code, refresh_token, client_credentials.";
                return Err(Fault::Refused { code: "unsupported_grant_type", why: why.to_owned() });
            }
        };
        Ok(told(&granted))
    }

    async fn introspect(&self, context: &Context, accounts: &Accounts, addresses: &Addresses) -> Result<Value> {
        let asker = self.asker(context, accounts, addresses).await?;
        if let Asker::Client(client) = &asker
            && client.secret.is_none()
            && client.jwks.is_none()
        {
            let why = "A public client cannot show who it is, and so is not told what tokens are worth.";
            return Err(Fault::Refused { code: "unauthorized_client", why: why.to_owned() });
        }
        accounts.introspect(&asker, self.needed("token")?, addresses).await
    }

    async fn revoke(&self, context: &Context, accounts: &Accounts, addresses: &Addresses) -> Result<()> {
        let asker = self.asker(context, accounts, addresses).await?;
        accounts.revoke(&asker, self.needed("token")?).await
    }

    /// Whoever shows a token or a key, or else a client.
    async fn asker(&self, context: &Context, accounts: &Accounts, addresses: &Addresses) -> Result<Asker> {
        let header = self.authorization.as_deref();
        let is_bearer =
            header.and_then(|header| header.get(..7)).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer "));
        if is_bearer {
            return Ok(Asker::Caller(Box::new(accounts.authenticate(&context.store, header).await?)));
        }
        Ok(Asker::Client(Box::new(accounts.identify(&self.shown()?, &addresses.token()).await?)))
    }

    fn shown(&self) -> Result<ShownClient> {
        let text = |name: &str| self.text(name).map(str::to_owned);
        let basic = match self.authorization.as_deref() {
            None => None,
            Some(header) => {
                let why = "Authorization is not Basic with a client's id and secret.";
                Some(basic(header).ok_or_else(|| Fault::invalid_request(why))?)
            }
        };
        Ok(ShownClient {
            basic,
            id: text("client_id"),
            secret: text("client_secret"),
            assertion_type: text("client_assertion_type"),
            assertion: text("client_assertion"),
        })
    }
}

/// Id and secret, each encoded as in a form. <https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1>
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, rest) = header.split_once(' ')?;
    let bytes = STANDARD.decode(rest.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |text: &str| Some(percent_decode_str(&text.replace('+', " ")).decode_utf8().ok()?.into_owned());
    Some((decoded(id)?, decoded(secret)?))
}

fn told(granted: &Granted) -> Value {
    let mut body = json!({
        "access_token": granted.access,
        "token_type": "Bearer",
        "expires_in": granted.expires_in_seconds,
        "scope": granted.scopes,
        "refresh_token": granted.refresh,
        "id_token": granted.id_token,
        "patient": granted.patient,
    });
    if let Some(members) = body.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    body
}
