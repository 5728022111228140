//! Accounts: logging in and staying so, tokens, keys, and who may administer, on a real server.

mod administration;
mod demo;
mod explain;
pub mod keys;
mod letters;
mod log_in;
mod outside;
mod passwords;
pub mod program;
mod sessions;
pub mod tokens;

use crate::support::{Answer, Server, User};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub const PASSWORD: &str = "a walk in the rain";

/// A change on another server acts within five seconds of that server's; a slow machine may take longer to ask.
const ACTS_WITHIN: Duration = Duration::from_secs(30);

/// A server with accounts and the administrator `root`.
pub async fn server() -> Server {
    server_with(&[]).await
}

pub async fn server_with(extra: &[(&str, &str)]) -> Server {
    Server::start_with(&settings(extra)).await
}

pub fn settings<'a>(extra: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut settings = vec![("BRASA_AUTH", "on"), ("BRASA_ADMIN_USERNAME", "root"), ("BRASA_ADMIN_PASSWORD", PASSWORD)];
    settings.extend_from_slice(extra);
    settings
}

/// The whole address of something under `/auth`.
pub fn at(server: &Server, path: &str) -> String {
    format!("{}/auth/{path}", server.root)
}

pub async fn post(server: &Server, path: &str, body: Value) -> Answer {
    server.send("POST", &at(server, path), &[("content-type", "application/json")], body.to_string()).await
}

pub async fn try_log_in(server: &Server, username: &str, password: &str) -> Answer {
    post(server, "login", json!({"username": username, "password": password})).await
}

/// The tokens of a log-in.
pub async fn log_in(server: &Server, username: &str) -> Value {
    try_log_in(server, username, PASSWORD).await.expect(200).json()
}

pub async fn token(server: &Server, username: &str) -> String {
    text(&log_in(server, username).await["access_token"])
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Makes an account with [`PASSWORD`]; its id.
pub async fn make_user(server: &Server, admin: &User<'_>, username: &str, role: &str) -> String {
    let body = json!({"username": username, "password": PASSWORD, "role": role});
    text(&admin.send("POST", &at(server, "users"), body).await.expect(201).json()["id"])
}

/// Waits until `asked` answers with the status; fails when that does not come about.
pub async fn becomes(status: u16, asked: impl AsyncFn() -> Answer) -> Answer {
    let started = Instant::now();
    loop {
        let waited = started.elapsed();
        let answer = asked().await;
        if answer.status == status {
            return answer;
        }
        assert!(waited < ACTS_WITHIN, "still {} after {waited:?}: {}", answer.status, answer.text);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
