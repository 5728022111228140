//! Logging in with a password, and what happens to those who guess.

use super::{PASSWORD, at, log_in, make_user, post, server, server_with, text, token, try_log_in};
use crate::support::{Answer, Server};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_password_gives_tokens_by_json_and_by_form() {
    let server = server().await;
    let json = try_log_in(&server, "root", PASSWORD).await.expect(200);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = format!("username=root&password={}", PASSWORD.replace(' ', "+"));
    let form = server.send("POST", &at(&server, "login"), &form, body).await.expect(200);
    for answer in [json, form] {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let tokens = answer.json();
        assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(900)));
        assert!(!text(&tokens["refresh_token"]).is_empty());
        let me = server.as_user(&text(&tokens["access_token"])).get(&at(&server, "me")).await.expect(200).json();
        assert_eq!((&me["username"], &me["role"], &me["patient"]), (&json!("root"), &json!("admin"), &json!(null)));
    }
    // However the name is typed.
    try_log_in(&server, "ROOT", PASSWORD).await.expect(200);
    server.each_is_recorded().await;
}

#[tokio::test]
async fn a_wrong_password_and_no_account_are_the_same_answer() {
    let server = server().await;
    let wrong = try_log_in(&server, "root", "not it").await.expect(401);
    let nobody = try_log_in(&server, "nobody", "not it").await.expect(401);
    assert_eq!(wrong.issue(), nobody.issue());
    assert_eq!(wrong.issue()["code"], "login");
    assert!(wrong.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")));
    server.each_is_recorded().await;
}

#[tokio::test]
async fn each_wrong_password_makes_the_next_attempt_wait_longer_and_nobody_for_good() {
    let server = server().await;
    for username in ["root", "nobody"] {
        let mut failed = None;
        for wait in [0, 1, 2] {
            failed = Some(after_a_wait(&server, username, "not it", 401, failed.map(|failed| (failed, wait))).await);
        }
        // The true owner waits like everybody else, then comes in, and the count is forgotten.
        if username == "root" {
            after_a_wait(&server, username, PASSWORD, 200, failed.map(|failed| (failed, 4))).await;
            log_in(&server, username).await;
        }
    }
    server.each_is_recorded().await;
}

/// Tries until it is not too soon, and says when that attempt was sent. After a failure (when it was sent) that takes as many
/// seconds, and each refusal until then says how many at most. A slow machine may only make it longer.
async fn after_a_wait(
    server: &Server,
    username: &str,
    password: &str,
    status: u16,
    failed: Option<(Instant, u64)>,
) -> Instant {
    let started = Instant::now();
    loop {
        let sent = Instant::now();
        let answer = try_log_in(server, username, password).await;
        if answer.status != 429 {
            answer.expect(status);
            let waited = failed.is_none_or(|(failed, wait)| failed.elapsed() >= Duration::from_secs(wait));
            assert!(waited, "{username}: too early after {failed:?}");
            return sent;
        }
        assert_eq!(answer.issue()["code"], "throttled");
        let (left, wait) = (seconds_left(&answer), failed.map_or(0, |(_, wait)| wait));
        assert!((1..=wait).contains(&left), "{username}: {left} s are left of {wait}");
        assert!(started.elapsed() < Duration::from_secs(60), "an attempt is refused for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn seconds_left(refused: &Answer) -> u64 {
    refused.header("retry-after").unwrap().parse().unwrap()
}

#[tokio::test]
async fn of_many_guesses_at_once_only_a_few_are_tried() {
    let server = server().await;
    try_log_in(&server, "root", "not it").await.expect(401);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let guesses = futures_util::future::join_all((0..12).map(|_| try_log_in(&server, "root", "nor this"))).await;
    let tried = guesses.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(tried, 1, "after a failure one guess has the turn");
    server.each_is_recorded().await;
}

#[tokio::test]
async fn what_a_log_in_does_not_know_is_refused_by_name() {
    let server = server().await;
    let more = json!({"username": "root", "password": PASSWORD, "role": "admin"});
    let refused = post(&server, "login", more).await.expect(400);
    assert!(refused.text.contains("role"), "{}", refused.text);
    let missing = post(&server, "login", json!({"username": "root"})).await.expect(400);
    assert!(missing.text.contains("password"), "{}", missing.text);
    server.send("POST", &at(&server, "login"), &[("content-type", "text/plain")], "{}").await.expect(415);
    let json = [("content-type", "application/json")];
    server.send("POST", &at(&server, "login"), &json, vec![b' '; 65 * 1024]).await.expect(413);
    let wrong = server.get(&at(&server, "login")).await.expect(405);
    assert_eq!(wrong.header("allow"), Some("POST"));
    server.get(&at(&server, "nothing")).await.expect(404);
}

#[tokio::test]
async fn a_stranger_who_asks_to_be_admin_becomes_a_patient_without_a_record() {
    let server = server_with(&[("BRASA_REGISTRATION", "on")]).await;
    let wanted = json!({"username": "Ana", "password": PASSWORD, "role": "admin", "patient": "p1"});
    let made = post(&server, "register", wanted).await.expect(201).json();
    assert_eq!((&made["role"], &made["patient"]), (&json!("patient"), &json!(null)));
    let ana = token(&server, "ana").await;
    let me = server.as_user(&ana).get(&at(&server, "me")).await.expect(200).json();
    assert_eq!((&me["role"], &me["patient"]), (&json!("patient"), &json!(null)));
    server.as_user(&ana).get(&at(&server, "users")).await.expect(403);
    post(&server, "register", json!({"username": "ANA", "password": PASSWORD})).await.expect(409);
    let short = post(&server, "register", json!({"username": "eva", "password": "short"})).await.expect(400);
    assert_eq!(short.expression(), "password");
    let server_owned = json!({"username": "eva", "password": PASSWORD, "disabled": false});
    assert!(post(&server, "register", server_owned).await.expect(400).text.contains("disabled"));
    server.each_is_recorded().await;
}

#[tokio::test]
async fn nobody_registers_where_registration_is_off() {
    let server = server().await;
    post(&server, "register", json!({"username": "ana", "password": PASSWORD})).await.expect(403);
    server.each_is_recorded().await;
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it_and_ends_the_other_sessions() {
    let server = server().await;
    let root = token(&server, "root").await;
    make_user(&server, &server.as_user(&root), "eva", "practitioner").await;
    let (here, elsewhere) = (token(&server, "eva").await, token(&server, "eva").await);
    let change = |old: &str| json!({"old_password": old, "new_password": "another long one"});
    let eva = server.as_user(&here);
    eva.send("POST", &at(&server, "password/change"), change("not it")).await.expect(403);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    eva.send("POST", &at(&server, "password/change"), change(PASSWORD)).await.expect(204);
    eva.get(&at(&server, "me")).await.expect(200);
    server.as_user(&elsewhere).get(&at(&server, "me")).await.expect(401);
    try_log_in(&server, "eva", PASSWORD).await.expect(401);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    try_log_in(&server, "eva", "another long one").await.expect(200);
    server.each_is_recorded().await;
}

#[tokio::test]
async fn without_accounts_there_is_nothing_to_log_in_to() {
    let server = Server::start().await;
    try_log_in(&server, "root", PASSWORD).await.expect(404);
    server.get(&format!("{}/.well-known/jwks.json", server.root)).await.expect(404);
    server.get("Patient").await.expect(200);
}

#[tokio::test]
async fn an_account_that_was_brought_along_logs_in_and_its_hash_is_replaced() {
    let server = server().await;
    let root = token(&server, "root").await;
    make_user(&server, &server.as_user(&root), "eva", "practitioner").await;
    let behind = server.database.connect().await;
    // "U*U" of the reference implementation of bcrypt.
    let bcrypt = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    behind.execute("UPDATE account SET password = $1 WHERE username = 'eva'", &[&bcrypt]).await.unwrap();
    for _ in 0..2 {
        try_log_in(&server, "eva", "U*U").await.expect(200);
        let row = behind.query_one("SELECT password FROM account WHERE username = 'eva'", &[]).await.unwrap();
        assert!(row.get::<_, &str>("password").starts_with("$argon2id$"));
    }
    server.each_is_recorded().await;
}
