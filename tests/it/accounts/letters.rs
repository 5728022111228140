//! Letters: over a real SMTP server with TLS, and as the files that the other tests read.

use super::{PASSWORD, at, post, server_with, text, token, try_log_in};
use crate::support::smtp::{self, SmtpServer};
use crate::support::{Server, User};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// What links begin with, whatever a request says.
pub const ROOT: &str = "https://records.example";
pub const BASE: &str = "https://records.example/fhir";

/// A server that writes its letters into a folder.
pub async fn with_folder(folder: &Path, extra: &[(&str, &str)]) -> Server {
    let mut settings = vec![("BRASA_BASE_URL", BASE), ("BRASA_MAIL_DIR", folder.to_str().unwrap())];
    settings.extend_from_slice(extra);
    server_with(&settings).await
}

/// Makes an account with [`PASSWORD`] and an e-mail address; its id.
pub async fn make_reachable(server: &Server, admin: &User<'_>, username: &str, role: &str) -> String {
    let email = format!("{username}@example.org");
    let body = json!({"username": username, "password": PASSWORD, "role": role, "email": email});
    text(&admin.send("POST", &at(server, "users"), body).await.expect(201).json()["id"])
}

/// The letters in a folder, the oldest first, decoded; waits until there are so many.
pub async fn letters(folder: &Path, count: usize) -> Vec<String> {
    let started = Instant::now();
    loop {
        let found = letters_now(folder);
        if found.len() >= count {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(120), "{} letters of {count}", found.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub fn letters_now(folder: &Path) -> Vec<String> {
    let mut files: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "eml"));
    files.sort();
    let texts = files.iter().map(|file| quoted_printable(&std::fs::read_to_string(file).unwrap()));
    // One that is being written is there before its text.
    texts.filter(|text| !text.is_empty()).collect()
}

/// <https://www.rfc-editor.org/rfc/rfc2045#section-6.7>
fn quoted_printable(text: &str) -> String {
    let text = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match (first, code) {
            (b'=', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The token of the first link in a letter, after checking where the link leads.
pub fn token_in(letter: &str) -> String {
    let start = format!("{ROOT}/auth/password/reset?token=");
    let rest = letter.split_once(&start).unwrap_or_else(|| panic!("no link: {letter}")).1;
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect()
}

/// The settings for a mail server.
fn over_smtp(mail: &SmtpServer, scheme: &str) -> (String, String) {
    let ca = mail.authority.root.display();
    let url = |host: &str| format!("{scheme}://{}:p%40ss%20w%3Ard@{host}:{}?ca={ca}", smtp::USER, mail.port);
    (url("localhost"), url("127.0.0.1"))
}

async fn set_by_letter(server: &Server, letter: &Value, username: &str) {
    let link = token_in(letter["body"].as_str().unwrap());
    let body = json!({"token": link, "new_password": "a night by the sea"});
    post(server, "password/reset", body).await.expect(204);
    try_log_in(server, username, "a night by the sea").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_set_by_a_letter_that_went_out_encrypted_by_starttls() {
    let Some(mut mail) = SmtpServer::start("starttls").await else { return };
    let (url, _) = over_smtp(&mail, "smtp");
    let settings =
        [("BRASA_BASE_URL", BASE), ("BRASA_SMTP_URL", &url), ("BRASA_MAIL_FROM", "Brasa <no-reply@records.example>")];
    let server = server_with(&settings).await;
    let root = token(&server, "root").await;
    make_reachable(&server, &server.as_user(&root), "ana", "patient").await;
    post(&server, "password/forgot", json!({"username": "ana"})).await.expect(202);
    let letter = mail.letter().await;
    assert_eq!((&letter["encrypted"], &letter["authenticated"]), (&json!(true), &json!(true)), "{letter}");
    assert_eq!((&letter["from"], &letter["to"]), (&json!("no-reply@records.example"), &json!(["ana@example.org"])));
    assert_eq!(letter["subject"], "A new password");
    set_by_letter(&server, &letter, "ana").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_invited_chooses_the_password_by_a_letter_that_went_out_encrypted_from_the_start() {
    let Some(mut mail) = SmtpServer::start("implicit").await else { return };
    let (_, url) = over_smtp(&mail, "smtps");
    let settings =
        [("BRASA_BASE_URL", BASE), ("BRASA_SMTP_URL", &url), ("BRASA_MAIL_FROM", "no-reply@records.example")];
    let server = server_with(&settings).await;
    let root = token(&server, "root").await;
    let bearer = format!("Bearer {root}");
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("accept-language", "es-CL")];
    let invite = json!({"username": "eva", "role": "practitioner", "email": "eva@example.org", "invite": true});
    let made = server.send("POST", &at(&server, "users"), &headers, invite.to_string()).await.expect(201).json();
    assert_eq!((&made["has_password"], &made["email"]), (&json!(false), &json!("eva@example.org")));
    try_log_in(&server, "eva", "").await.expect(401);
    let letter = mail.letter().await;
    assert_eq!((&letter["encrypted"], &letter["subject"]), (&json!(true), &json!("Su cuenta")), "{letter}");
    let body = letter["body"].as_str().unwrap();
    assert!(body.find("contraseña").unwrap() < body.find("password,").unwrap(), "{body}");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    set_by_letter(&server, &letter, "eva").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_letter_goes_to_a_server_whose_certificate_is_not_trusted() {
    let Some(mut mail) = SmtpServer::start("starttls").await else { return };
    let other = crate::support::authority::Authority::make();
    let (url, _) = over_smtp(&mail, "smtp");
    let foreign = url.replace(&mail.authority.root.display().to_string(), &other.root.display().to_string());
    let settings = |url: &str| {
        let pairs =
            [("BRASA_BASE_URL", BASE), ("BRASA_SMTP_URL", url), ("BRASA_MAIL_FROM", "no-reply@records.example")];
        pairs.map(|(name, value)| (name, value.to_owned()))
    };
    let start = async |url: &str| {
        let pairs = settings(url);
        server_with(&pairs.each_ref().map(|(name, value)| (*name, value.as_str()))).await
    };
    let deaf = start(&foreign).await;
    let root = token(&deaf, "root").await;
    make_reachable(&deaf, &deaf.as_user(&root), "eva", "patient").await;
    post(&deaf, "password/forgot", json!({"username": "eva"})).await.expect(202);
    // Given up: the link is gone, as if it had not been made.
    let client = deaf.database.connect().await;
    let started = Instant::now();
    let count = async || client.query_one("SELECT count(*) FROM password_reset", &[]).await.unwrap().get::<_, i64>(0);
    let mut was_there = false;
    while !was_there || count().await > 0 {
        was_there |= count().await > 0;
        assert!(started.elapsed() < Duration::from_secs(120), "it is tried three times");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The only letter that comes is that of a server which trusts it.
    let server = start(&url).await;
    let root = token(&server, "root").await;
    make_reachable(&server, &server.as_user(&root), "ana", "patient").await;
    post(&server, "password/forgot", json!({"username": "ana"})).await.expect(202);
    assert_eq!(mail.letter().await["to"], json!(["ana@example.org"]));
}
