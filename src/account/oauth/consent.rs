//! A client sends a person here; the person logs in, says what the client may do, and goes back with a code.
//! <https://hl7.org/fhir/smart-app-launch/app-launch.html#obtain-authorization-code>

use super::client::BACKEND;
use super::launch::Launch;
use crate::account::{Accounts, authenticate, secret};
use crate::auth::Grant;
use crate::auth::role::Role;
use crate::auth::smart::address::Addresses;
use crate::auth::smart::redirect::RedirectUri;
use crate::auth::smart::{challenge, wish};
use crate::auth::token;
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::store::{AccountRow, ClientRow, NewCode, Store};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use serde::{Deserialize, Serialize};

/// How long a code is good for (s).
const CODE_SECONDS: i64 = 60;
/// How long a person may look at the question (s).
const TICKET_SECONDS: i64 = 600;
const TICKET_TYPE: &str = "brasa-consent+jwt";
/// `state` and `nonce` are so long at most (bytes).
const VALUE_BYTES_MAX: usize = 2_000;
/// What means something here; each may stand once.
const PARAMETERS: &[&str] = &[
    "response_type",
    "response_mode",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "aud",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "prompt",
    "launch",
    "request",
    "request_uri",
];

/// What a client asks of a person, after it was found to be in order.
pub struct Request {
    pub client: ClientRow,
    pub redirect: RedirectUri,
    /// Those that can be given.
    pub scopes: Vec<String>,
    state: String,
    challenge: String,
    nonce: Option<String>,
    /// The person who started the app, and the patient for whom.
    launch: Option<Launch>,
    digest: String,
}

/// Why nobody is asked.
pub enum Rejection {
    /// No such client: the browser is sent nowhere.
    UnknownClient,
    /// The address is not one of the client's: the browser is sent nowhere.
    UnknownRedirect,
    /// The browser is sent back to the client with the reason.
    Redirect(String),
    Failed(Error),
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Rejection {
        Rejection::Failed(error)
    }
}

/// A person who has logged in to be asked.
pub struct Person {
    pub username: String,
    /// By which the answer is known to come from this person, in this browser.
    pub ticket: String,
    pub record: Record,
}

/// Whose record the client gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// It asks for none.
    NotAsked,
    /// The person's own.
    Own,
    /// One that the person names.
    Named,
    /// The one for whom the person started the app.
    Launched,
    /// The account of a patient is not linked to a record.
    Missing,
    /// Somebody else started the app.
    Others,
}

/// What a person has ticked.
#[derive(Default)]
pub struct Ticked {
    pub ticket: String,
    pub scopes: Vec<String>,
    /// The id of a patient.
    pub patient: String,
}

/// What becomes of an answer.
pub enum Consent {
    /// The browser is sent back to the client.
    Redirect(String),
    /// The person named no patient, or none that may be seen.
    NoPatient(Person),
    /// It took too long, or this is another browser: log in again.
    Stale,
}

#[derive(Serialize, Deserialize)]
struct Ticket {
    sub: String,
    exp: i64,
    /// The question that the person was asked.
    request: String,
    /// The browser in which the person logged in.
    browser: String,
}

impl Request {
    /// Back to the client: the person does not want to.
    pub fn denied(&self) -> String {
        self.error("access_denied", "The person did not consent.")
    }

    /// Whose record these scopes are about when this person gives them.
    fn record(&self, account: &AccountRow, scopes: &[String]) -> Record {
        if self.launch.as_ref().is_some_and(|launch| launch.sub != account.id) {
            return Record::Others;
        }
        if !wish::is_about_a_patient(scopes) {
            return Record::NotAsked;
        }
        match (Role::parse(&account.role), &account.patient, &self.launch) {
            (Some(Role::Patient), None, _) => Record::Missing,
            (_, _, Some(_)) => Record::Launched,
            (Some(Role::Patient), Some(_), None) => Record::Own,
            _ => Record::Named,
        }
    }

    /// The patient for whom a person started the app.
    pub fn launched_for(&self) -> Option<&str> {
        self.launch.as_ref().map(|launch| launch.patient.as_str())
    }

    fn error(&self, code: &str, why: &str) -> String {
        error(&self.redirect, Some(&self.state), code, why)
    }
}

fn error(redirect: &RedirectUri, state: Option<&str>, code: &str, why: &str) -> String {
    let mut parameters = vec![("error", code), ("error_description", why)];
    parameters.extend(state.map(|state| ("state", state)));
    redirect.with(&parameters)
}

/// The value of a parameter that stands once.
fn once<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut values = parameters.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
    values.next().filter(|value| values.next().is_none() && !value.is_empty())
}

impl Accounts {
    /// Whether a client may ask this. Where to send the browser is settled first: until it is, it is sent nowhere.
    pub async fn consider(
        &self,
        parameters: &[(String, String)],
        addresses: &Addresses,
    ) -> std::result::Result<Request, Rejection> {
        let id = once(parameters, "client_id").ok_or(Rejection::UnknownClient)?;
        let client = self.tables.client(id).await?.filter(|row| !row.disabled && row.kind != BACKEND);
        let client = client.ok_or(Rejection::UnknownClient)?;
        let wanted = once(parameters, "redirect_uri").ok_or(Rejection::UnknownRedirect)?;
        let registered = client.redirect_uris.iter().find(|uri| *uri == wanted);
        let redirect = registered.and_then(|uri| RedirectUri::parse(uri)).ok_or(Rejection::UnknownRedirect)?;
        let state = once(parameters, "state").filter(|state| state.len() <= VALUE_BYTES_MAX);
        let back = |(code, why): (&str, &str)| Rejection::Redirect(error(&redirect, state, code, why));
        check(parameters, addresses).map_err(back)?;
        let launch = match once(parameters, "launch") {
            Some(text) => {
                let why =
                    ("invalid_request", "launch is not one of this app's, or is out of date. Start the app again.");
                Some(self.read_launch(text, &client.id).await?.ok_or_else(|| back(why))?)
            }
            None => None,
        };
        let mut scopes = wish::of_person(wish::within(once(parameters, "scope").unwrap_or_default(), &client.scopes));
        // Nobody started the app: there is no context to give.
        scopes.retain(|word| word != "launch" || launch.is_some());
        if scopes.is_empty() {
            return Err(back(("invalid_scope", "None of these scopes can be given to this client.")));
        }
        let text = |name: &str| once(parameters, name).map(str::to_owned);
        let (state, challenge) = (state.unwrap_or_default().to_owned(), text("code_challenge").unwrap_or_default());
        let digest = serde_json::to_vec(parameters).map_err(Error::internal)?;
        let digest = URL_SAFE_NO_PAD.encode(secret::hash(&digest));
        Ok(Request { redirect, scopes, state, challenge, nonce: text("nonce"), launch, digest, client })
    }

    /// Whoever knows the password, to be asked. `browser`: what the answer must come with, too.
    ///
    /// # Errors
    /// As a log-in's.
    pub async fn meet(&self, request: &Request, username: &str, password: String, browser: &str) -> Result<Person> {
        let account = self.known(username, password).await?;
        let ticket = Ticket {
            sub: account.id.clone(),
            exp: Utc::now().timestamp().saturating_add(TICKET_SECONDS),
            request: request.digest.clone(),
            browser: browser.to_owned(),
        };
        let ticket = token::seal(&self.ring.keys(), TICKET_TYPE, &ticket)?;
        Ok(Person { record: request.record(&account, &request.scopes), username: account.username, ticket })
    }

    /// Takes the answer: a code for what was ticked of what was asked.
    pub async fn consent(&self, store: &Store, request: &Request, ticked: Ticked, browser: &str) -> Result<Consent> {
        let Some(account) = self.person_of(request, &ticked.ticket, browser).await? else { return Ok(Consent::Stale) };
        let is_ticked = |scope: &&String| ticked.scopes.contains(scope);
        let scopes: Vec<String> = request.scopes.iter().filter(is_ticked).cloned().collect();
        if scopes.is_empty() {
            return Ok(Consent::Redirect(request.denied()));
        }
        let patient = match request.record(&account, &scopes) {
            Record::NotAsked => None,
            Record::Own => account.patient.clone(),
            Record::Launched => request.launch.as_ref().map(|launch| launch.patient.clone()),
            Record::Missing | Record::Others => return Ok(Consent::Redirect(request.denied())),
            Record::Named => match self.patient_of(store, &account, ticked.patient.trim()).await? {
                Some(patient) => Some(patient),
                None => {
                    let record = Record::Named;
                    return Ok(Consent::NoPatient(Person {
                        username: account.username,
                        ticket: ticked.ticket,
                        record,
                    }));
                }
            },
        };
        self.code(request, &account, &scopes.join(" "), patient.as_deref()).await.map(Consent::Redirect)
    }

    async fn code(
        &self,
        request: &Request,
        account: &AccountRow,
        scopes: &str,
        patient: Option<&str>,
    ) -> Result<String> {
        let code = URL_SAFE_NO_PAD.encode(secret::random()?);
        let new = NewCode {
            hash: &secret::hash(code.as_bytes()),
            client: &request.client.id,
            account: &account.id,
            redirect_uri: request.redirect.as_str(),
            challenge: &request.challenge,
            scopes,
            patient,
            nonce: request.nonce.as_deref(),
            life_seconds: CODE_SECONDS,
        };
        match self.tables.add_code(&new).await? {
            true => Ok(request.redirect.with(&[("code", &code), ("state", &request.state)])),
            false => Ok(request.denied()),
        }
    }

    async fn person_of(&self, request: &Request, ticket: &str, browser: &str) -> Result<Option<AccountRow>> {
        let keys = match token::key_id(ticket) {
            Some(id) => self.ring.with(&self.tables, &id).await?,
            None => return Ok(None),
        };
        let Ok(ticket) = token::open::<Ticket>(&keys, TICKET_TYPE, ticket) else { return Ok(None) };
        let is_same = ticket.request == request.digest
            && secret::are_equal(ticket.browser.as_bytes(), browser.as_bytes())
            && ticket.exp > Utc::now().timestamp();
        let account = if is_same { self.tables.by_id(&ticket.sub).await? } else { None };
        Ok(account.filter(|account| !account.disabled))
    }

    async fn patient_of(&self, store: &Store, account: &AccountRow, id: &str) -> Result<Option<String>> {
        let grant = authenticate::grant_of(store, account.state()).await?;
        self.seen_patient(store, &grant, id).await
    }

    /// The patient with this id, if that one may be seen.
    pub(super) async fn seen_patient(&self, store: &Store, grant: &Grant, id: &str) -> Result<Option<String>> {
        let Ok(id) = Id::parse(id) else { return Ok(None) };
        match store.reader(grant).current(ResourceType::PATIENT, &id).await {
            Ok(found) => Ok(found.filter(|stored| stored.body.is_some()).map(|_| id.to_string())),
            // Who may see no patient at all sees none of this id.
            Err(error) if error.kind == Kind::Forbidden => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What must be right besides client and address; else OAuth's word and a sentence.
fn check(
    parameters: &[(String, String)],
    addresses: &Addresses,
) -> std::result::Result<(), (&'static str, &'static str)> {
    let invalid = |why| Err(("invalid_request", why));
    let is_given = |name: &str| parameters.iter().any(|(known, _)| known == name);
    let text = |name: &str| once(parameters, name);
    if PARAMETERS.iter().any(|name| parameters.iter().filter(|(known, _)| known == name).count() > 1) {
        return invalid("A parameter is given twice.");
    }
    if is_given("request") || is_given("request_uri") {
        return Err(("request_not_supported", "Send the parameters themselves."));
    }
    if text("response_type") != Some("code") {
        return Err(("unsupported_response_type", "Only response_type=code is answered."));
    }
    if text("response_mode").is_some_and(|mode| mode != "query") {
        return invalid("Only response_mode=query is answered.");
    }
    if text("state").is_none_or(|state| state.len() > VALUE_BYTES_MAX) {
        return invalid(
            "state is needed, of 1 to 2000 bytes: by it the app knows that the answer is to its own question.",
        );
    }
    if text("nonce").is_some_and(|nonce| nonce.len() > VALUE_BYTES_MAX) {
        return invalid("nonce has at most 2000 bytes.");
    }
    if !text("aud").is_some_and(|aud| addresses.is_audience(aud)) {
        return invalid("aud is needed and must be this server's FHIR endpoint.");
    }
    if text("code_challenge_method") != Some("S256") || !text("code_challenge").is_some_and(challenge::is_challenge) {
        return invalid("code_challenge is needed, with code_challenge_method=S256.");
    }
    match text("prompt") {
        Some("none") => Err(("login_required", "Nobody is logged in here; a person must be asked.")),
        _ => Ok(()),
    }
}
