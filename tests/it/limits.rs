//! How often one account, one key or one address may ask.

use crate::accounts::{PASSWORD, at, make_user, post, server_with, text, token, try_log_in};
use crate::support::{Answer, Server};
use serde_json::json;

/// Thirty at once, then one a second, which is the least that can be set: of two hundred at once, some are refused on the
/// slowest machine that a test waits for.
const TIGHT: &[(&str, &str)] = &[("BRASA_REQUESTS_PER_SECOND_MAX", "1"), ("BRASA_REQUESTS_BURST_MAX", "30")];

/// Asks at once so many times; how many were let through, and a refusal if there was one.
async fn flood(ask: impl AsyncFn() -> Answer, times: usize) -> (usize, Option<Answer>) {
    let answers = futures_util::future::join_all((0..times).map(|_| ask())).await;
    let mut through = 0;
    let mut refused = None;
    for answer in answers {
        match answer.status {
            429 => refused = Some(answer),
            _ => through += 1,
        }
    }
    (through, refused)
}

fn is_throttled(refused: Option<Answer>) {
    let refused = refused.expect("not all come through");
    assert_eq!(refused.issue()["code"], "throttled");
    assert!((1..=60).contains(&refused.header("retry-after").unwrap().parse::<u32>().unwrap()));
    assert!(refused.text.contains("BRASA_REQUESTS_PER_SECOND_MAX=1 "), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_and_a_key_each_have_a_bound_and_do_not_take_anothers() {
    let server = server_with(TIGHT).await;
    let root = token(&server, "root").await;
    let root = server.as_user(&root);
    for name in ["eva", "ana"] {
        make_user(&server, &root, name, "practitioner").await;
    }
    let (eva, ana) = (token(&server, "eva").await, token(&server, "ana").await);
    let again = token(&server, "eva").await;
    let key = json!({"name": "laboratory", "scopes": "user/*.rs"});
    let key = server.as_user(&eva).send("POST", &at(&server, "keys"), key).await.expect(201).json();
    let key = text(&key["key"]);
    let asks = |token: String| {
        let server = &server;
        async move || server.as_user(&token).get(&format!("{}/Patient", server.base)).await
    };
    let (through, refused) = flood(asks(eva.clone()), 200).await;
    assert!((25..150).contains(&through), "{through} of 200");
    is_throttled(refused);
    // The other session is of the same account; the key and the other account are not.
    let (through, refused) = flood(asks(again), 200).await;
    assert!(through < 150, "{through} of 200");
    is_throttled(refused);
    server.as_user(&key).get(&format!("{}/Patient", server.base)).await.expect(200);
    server.as_user(&ana).get(&at(&server, "me")).await.expect(200);
    let (through, refused) = flood(asks(key), 200).await;
    assert!((20..150).contains(&through), "{through} of 200");
    is_throttled(refused);
    server.as_user(&ana).get(&at(&server, "me")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_shows_nothing_or_what_is_worth_nothing_counts_by_the_address_and_keeps_nobody_else_out() {
    let server = server_with(TIGHT).await;
    let root = token(&server, "root").await;
    let guess = async || server.as_user("no.such.token").get(&format!("{}/Patient", server.base)).await;
    let (_, refused) = flood(guess, 200).await;
    is_throttled(refused);
    let (through, refused) = flood(async || server.get("metadata").await, 200).await;
    assert!(through < 150, "{through} of 200");
    is_throttled(refused);
    // From the same address, whoever is known goes on; and so do probes.
    server.as_user(&root).get(&at(&server, "me")).await.expect(200);
    server.get(&format!("{}/health", server.root)).await.expect(200);
    // Nobody believes a stranger who names another address.
    let forged = async || server.get_with("metadata", &[("x-forwarded-for", "203.0.113.77")]).await;
    is_throttled(flood(forged, 200).await.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_that_is_believed_addresses_are_those_that_it_tells() {
    let mut settings = TIGHT.to_vec();
    settings.push(("BRASA_TRUSTED_PROXIES", "127.0.0.1"));
    let server = server_with(&settings).await;
    let from = |address: &'static str| {
        let server = &server;
        async move || server.get_with("metadata", &[("x-forwarded-for", address)]).await
    };
    is_throttled(flood(from("203.0.113.1"), 200).await.1);
    // What the client writes itself stands in front, and is not read.
    is_throttled(flood(from("198.51.100.9, 203.0.113.1"), 200).await.1);
    from("203.0.113.2")().await.expect(200);
}

#[tokio::test]
async fn strangers_register_so_many_accounts_from_one_address_and_no_more() {
    let server = server_with(&[("BRASA_REGISTRATION", "on"), ("BRASA_REGISTRATIONS_PER_HOUR_MAX", "3")]).await;
    let register = async |name: &str| post(&server, "register", json!({"username": name, "password": PASSWORD})).await;
    for name in ["one", "two", "three"] {
        register(name).await.expect(201);
    }
    let refused = register("four").await.expect(429);
    assert_eq!(refused.issue()["code"], "throttled");
    assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() > 60);
    try_log_in(&server, "four", PASSWORD).await.expect(401);
    try_log_in(&server, "three", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn in_development_there_is_no_bound() {
    let server = Server::start().await;
    assert!(flood(async || server.get("metadata").await, 300).await.1.is_none());
}
