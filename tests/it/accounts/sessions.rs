//! Sessions: refresh tokens that rotate, logging out, and what acts on another server's word.

use super::{at, becomes, log_in, make_user, post, server, settings, text, token};
use crate::support::{Answer, Server};
use serde_json::{Value, json};

async fn refresh(server: &Server, tokens: &Value) -> Answer {
    post(server, "refresh", json!({"refresh_token": tokens["refresh_token"]})).await
}

#[tokio::test]
async fn a_refresh_token_gives_the_next_and_the_same_again_to_who_missed_the_answer() {
    let server = server().await;
    let first = log_in(&server, "root").await;
    let second = refresh(&server, &first).await.expect(200).json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    server.as_user(&text(&second["access_token"])).get(&at(&server, "me")).await.expect(200);
    let again = refresh(&server, &first).await.expect(200).json();
    assert_eq!(again["refresh_token"], second["refresh_token"]);
    refresh(&server, &second).await.expect(200);
    server.each_is_recorded().await;
}

#[tokio::test]
async fn of_many_refreshes_at_once_each_gets_the_same_successor() {
    let server = server().await;
    let first = log_in(&server, "root").await;
    let answers = futures_util::future::join_all((0..6).map(|_| refresh(&server, &first))).await;
    let next: Vec<Value> = answers.into_iter().map(|one| one.expect(200).json()["refresh_token"].clone()).collect();
    assert!(next.iter().all(|token| *token == next[0]), "{next:?}");
    server.each_is_recorded().await;
}

#[tokio::test]
async fn a_refresh_token_that_is_used_again_later_ends_the_session() {
    let server = server().await;
    let first = log_in(&server, "root").await;
    let second = refresh(&server, &first).await.expect(200).json();
    let third = refresh(&server, &second).await.expect(200).json();
    // Not the one before, but the one before that: somebody kept a copy.
    refresh(&server, &first).await.expect(401);
    refresh(&server, &third).await.expect(401);
    server.as_user(&text(&third["access_token"])).get(&at(&server, "me")).await.expect(401);

    // The one before, when the grace is over.
    let first = log_in(&server, "root").await;
    let second = refresh(&server, &first).await.expect(200).json();
    let behind = server.database.connect().await;
    behind.execute("UPDATE session SET replaced = replaced - interval '11 seconds'", &[]).await.unwrap();
    refresh(&server, &first).await.expect(401);
    refresh(&server, &second).await.expect(401);
    server.each_is_recorded().await;
}

#[tokio::test]
async fn a_refresh_token_that_somebody_thought_of_ends_no_session() {
    let server = server().await;
    let tokens = log_in(&server, "root").await;
    let token = text(&tokens["refresh_token"]);
    let (session, _) = token.split_once('.').unwrap();
    let thought_of = format!("{session}.{}", "A".repeat(64));
    for wrong in [thought_of.as_str(), "", "x", "x.y", &format!("{token}AAAA"), &text(&tokens["access_token"])] {
        post(&server, "refresh", json!({"refresh_token": wrong})).await.expect(401);
    }
    refresh(&server, &tokens).await.expect(200);
    server.each_is_recorded().await;
}

#[tokio::test]
async fn nothing_that_is_stored_logs_anybody_in() {
    let server = server().await;
    let tokens = log_in(&server, "root").await;
    let behind = server.database.connect().await;
    let row = behind.query_one("SELECT s::text || a::text AS text FROM session s, account a", &[]).await.unwrap();
    let stored: String = row.get("text");
    let (_, value) = tokens["refresh_token"].as_str().unwrap().split_once('.').unwrap();
    for secret in [value, super::PASSWORD, tokens["access_token"].as_str().unwrap()] {
        assert!(!stored.contains(secret));
    }
    server.each_is_recorded().await;
}

#[tokio::test]
async fn logging_out_makes_both_tokens_useless() {
    let server = server().await;
    let tokens = log_in(&server, "root").await;
    let root = server.as_user(&text(&tokens["access_token"]));
    root.send("POST", &at(&server, "logout"), Value::Null).await.expect(204);
    root.get(&at(&server, "me")).await.expect(401);
    refresh(&server, &tokens).await.expect(401);
    server.each_is_recorded().await;
}

#[tokio::test]
async fn an_owner_sees_the_sessions_and_ends_one() {
    let server = server().await;
    let (one, other) = (token(&server, "root").await, token(&server, "root").await);
    let (one, other) = (server.as_user(&one), server.as_user(&other));
    let listed = one.get(&at(&server, "sessions")).await.expect(200).json();
    let listed = listed["sessions"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    let theirs = listed.iter().find(|session| session["is_this_one"] == false).unwrap();
    let path = at(&server, &format!("sessions/{}", text(&theirs["id"])));
    one.send("DELETE", &path, Value::Null).await.expect(204);
    other.get(&at(&server, "me")).await.expect(401);
    one.get(&at(&server, "me")).await.expect(200);
    one.send("DELETE", &path, Value::Null).await.expect(404);
    server.each_is_recorded().await;
}

#[tokio::test]
async fn nobody_ends_the_session_of_somebody_else() {
    let server = server().await;
    let root = token(&server, "root").await;
    make_user(&server, &server.as_user(&root), "eva", "practitioner").await;
    let eva = token(&server, "eva").await;
    let session = text(&server.as_user(&root).get(&at(&server, "me")).await.json()["session"]);
    let path = at(&server, &format!("sessions/{session}"));
    server.as_user(&eva).send("DELETE", &path, Value::Null).await.expect(404);
    server.as_user(&root).get(&at(&server, "me")).await.expect(200);
    server.each_is_recorded().await;
}

#[tokio::test]
async fn what_changes_on_one_server_acts_on_the_other_within_five_seconds() {
    let one = server().await;
    let other = Server::on(one.database.clone(), &settings(&[])).await;
    let root = token(&one, "root").await;
    let root = one.as_user(&root);
    let eva = make_user(&one, &root, "eva", "practitioner").await;
    let (first, second) = (token(&other, "eva").await, token(&other, "eva").await);
    let (leaves, stays) = (other.as_user(&first), other.as_user(&second));
    for user in [&leaves, &stays] {
        user.get(&at(&other, "me")).await.expect(200);
    }
    one.as_user(&first).send("POST", &at(&one, "logout"), Value::Null).await.expect(204);
    becomes(401, async || leaves.get(&at(&other, "me")).await).await;

    stays.get(&at(&other, "users")).await.expect(403);
    let user = at(&one, &format!("users/{eva}"));
    root.send("PATCH", &user, json!({"role": "admin"})).await.expect(200);
    becomes(200, async || stays.get(&at(&other, "users")).await).await;
    root.send("PATCH", &user, json!({"role": "auditor"})).await.expect(200);
    becomes(403, async || stays.get(&at(&other, "users")).await).await;

    root.send("PATCH", &user, json!({"disabled": true})).await.expect(200);
    becomes(401, async || stays.get(&at(&other, "me")).await).await;
}

#[tokio::test]
async fn a_session_ends_with_its_time() {
    let server = server().await;
    let tokens = log_in(&server, "root").await;
    let behind = server.database.connect().await;
    behind.execute("UPDATE session SET expires = now()", &[]).await.unwrap();
    let root = server.as_user(&text(&tokens["access_token"]));
    becomes(401, async || root.get(&at(&server, "me")).await).await;
    refresh(&server, &tokens).await.expect(401);
    server.each_is_recorded().await;
}
