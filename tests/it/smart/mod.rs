//! SMART App Launch and OAuth: apps that come in for a person, services that come in by themselves, and those who try to.

mod attack;
mod authorize;
mod backend;
mod browser;
mod flow;
mod launch;
mod register;

use crate::accounts::{PASSWORD, at, make_user, server, text, token};
use crate::support::{Answer, Server};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
pub const REDIRECT: &str = "https://app.example.org/callback?kept=1";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// What an app comes back with must be what it sent, whatever it is.
pub const STATE: &str = "a b&c=d+é'\"";
pub const SCOPES: &str =
    "openid fhirUser launch/patient offline_access patient/Observation.rs patient/Patient.r user/Organization.rs";

/// A hospital with two patients: `ana` is the first one, `ruiz` treats both.
pub struct Hospital {
    pub server: Server,
    /// The administrator's token.
    pub root: String,
}

/// A registered client.
#[derive(Clone)]
pub struct App {
    pub id: String,
    pub secret: Option<String>,
}

pub async fn hospital() -> Hospital {
    let server = server().await;
    let root = token(&server, "root").await;
    let admin = server.as_user(&root);
    for (name, role, link) in
        [("ana", "patient", json!({"patient": "p1"})), ("ruiz", "practitioner", json!({"practitioner": "d"}))]
    {
        let id = make_user(&server, &admin, name, role).await;
        admin.send("PATCH", &at(&server, &format!("users/{id}")), link).await.expect(200);
    }
    let ruiz = token(&server, "ruiz").await;
    for id in ["p1", "p2"] {
        let patient = json!({"resourceType": "Patient", "id": id});
        let seen = json!({"resourceType": "Observation", "id": format!("o-{id}"), "status": "final",
            "code": {"text": "x"}, "subject": {"reference": format!("Patient/{id}")}});
        for (path, body) in [(format!("Patient/{id}"), patient), (format!("Observation/o-{id}"), seen)] {
            server.as_user(&ruiz).send("PUT", &format!("{}/{path}", server.base), body).await.expect(201);
        }
    }
    Hospital { server, root }
}

pub fn form(pairs: &[(&str, &str)]) -> String {
    let encoded =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect::<Vec<_>>().join("&")
}

pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// A parameter of an address, decoded.
pub fn parameter(address: &str, name: &str) -> Option<String> {
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let pairs = brasa::search::form::form_urlencoded(query).unwrap();
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// The value of a hidden field.
pub fn hidden(page: &str, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&field).unwrap_or_else(|| panic!("no {name}: {page}"));
    rest.split('"').next().unwrap().to_owned()
}

/// Basic's header for a client.
pub fn basic(app: &App) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", app.id, app.secret.as_deref().unwrap_or_default())))
}

impl Hospital {
    pub async fn register(&self, wanted: Value) -> App {
        let made = self.server.as_user(&self.root).send("POST", &at(&self.server, "clients"), wanted).await;
        let made = made.expect(201).json();
        App { id: text(&made["client_id"]), secret: made["client_secret"].as_str().map(str::to_owned) }
    }

    pub async fn app(&self, kind: &str) -> App {
        self.register(json!({"name": "Growth <chart>", "kind": kind, "redirect_uris": [REDIRECT], "scopes": SCOPES}))
            .await
    }

    /// What an app asks, with some of it another way; an empty value leaves the parameter out.
    pub fn question(&self, app: &App, changed: &[(&str, &str)]) -> String {
        let challenge = challenge(VERIFIER);
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", app.id.as_str()),
            ("redirect_uri", REDIRECT),
            ("scope", SCOPES),
            ("state", STATE),
            ("aud", self.server.base.as_str()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("nonce", "n-1"),
        ];
        for (name, value) in changed {
            match pairs.iter_mut().find(|(known, _)| known == name) {
                Some(pair) => pair.1 = value,
                None => pairs.push((name, value)),
            }
        }
        pairs.retain(|(_, value)| !value.is_empty());
        form(&pairs)
    }

    pub async fn ask(&self, question: &str) -> Answer {
        self.server.get(&at(&self.server, &format!("authorize?{question}"))).await
    }

    /// Sends a form of the authorization page.
    pub async fn fill(&self, cookie: &str, pairs: &[(&str, &str)]) -> Answer {
        let headers = [FORM, ("cookie", cookie)];
        self.server.send("POST", &at(&self.server, "authorize"), &headers, form(pairs)).await
    }

    pub async fn visit(&self, question: &str) -> Visit<'_> {
        let page = self.ask(question).await.expect(200);
        let cookie = page.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        Visit { hospital: self, cookie, mark: hidden(&page.text, "mark"), question: question.to_owned() }
    }

    /// Where the browser is sent after a person logged in and allowed these scopes.
    pub async fn consent(&self, question: &str, username: &str, scopes: &str, patient: &str) -> String {
        let visit = self.visit(question).await;
        let page = visit.log_in(username, PASSWORD).await.expect(200);
        visit
            .allow(&hidden(&page.text, "ticket"), scopes, patient)
            .await
            .expect(303)
            .header("location")
            .unwrap()
            .to_owned()
    }

    /// A code for [`SCOPES`] of `ana`.
    pub async fn code(&self, app: &App) -> String {
        let back = self.consent(&self.question(app, &[]), "ana", SCOPES, "").await;
        parameter(&back, "code").unwrap_or_else(|| panic!("no code: {back}"))
    }

    pub async fn token(&self, headers: &[(&str, &str)], pairs: &[(&str, &str)]) -> Answer {
        self.post("token", headers, pairs).await
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], pairs: &[(&str, &str)]) -> Answer {
        let mut all = vec![FORM];
        all.extend_from_slice(headers);
        self.server.send("POST", &at(&self.server, path), &all, form(pairs)).await
    }

    pub async fn exchange(&self, app: &App, code: &str) -> Answer {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("client_id", app.id.as_str()),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.token(&[], &pairs).await
    }

    /// The tokens of an app that `ana` gave all that it asked for.
    pub async fn tokens(&self, app: &App) -> Value {
        self.exchange(app, &self.code(app).await).await.expect(200).json()
    }

    pub async fn refresh(&self, app: &App, token: &Value, scope: &str) -> Answer {
        let pairs = [
            ("grant_type", "refresh_token"),
            ("client_id", app.id.as_str()),
            ("refresh_token", token.as_str().unwrap()),
            ("scope", scope),
        ];
        self.token(&[], &pairs).await
    }

    /// The status of a read with a token.
    pub async fn reads(&self, token: &Value, path: &str) -> u16 {
        self.server.as_user(token.as_str().unwrap()).get(path).await.status
    }
}

/// A person before the page, in one browser.
pub struct Visit<'a> {
    hospital: &'a Hospital,
    pub cookie: String,
    pub mark: String,
    pub question: String,
}

impl Visit<'_> {
    pub async fn log_in(&self, username: &str, password: &str) -> Answer {
        let pairs = [
            ("request", self.question.as_str()),
            ("mark", self.mark.as_str()),
            ("username", username),
            ("password", password),
            ("decision", "log-in"),
        ];
        self.hospital.fill(&self.cookie, &pairs).await
    }

    pub async fn allow(&self, ticket: &str, scopes: &str, patient: &str) -> Answer {
        let mut pairs = vec![
            ("request", self.question.as_str()),
            ("mark", self.mark.as_str()),
            ("ticket", ticket),
            ("patient", patient),
            ("decision", "allow"),
        ];
        pairs.extend(scopes.split(' ').map(|scope| ("scope", scope)));
        self.hospital.fill(&self.cookie, &pairs).await
    }
}
