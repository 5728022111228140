//! Forgotten passwords and invitations, and those who attack them.

use super::letters::{BASE, ROOT, letters, letters_now, make_reachable, token_in, with_folder};
use super::{PASSWORD, at, log_in, post, server, server_with, text, token, try_log_in};
use crate::support::{Answer, Server};
use serde_json::{Value, json};

const NEW: &str = "a night by the sea";

async fn forgot(server: &Server, username: &str) -> Answer {
    post(server, "password/forgot", json!({ "username": username })).await
}

async fn reset(server: &Server, token: &str, new: &str) -> Answer {
    post(server, "password/reset", json!({"token": token, "new_password": new})).await
}

/// A server, its folder of letters, and the account `ana` of a patient with an address.
async fn with_ana() -> (Server, tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let server = with_folder(folder.path(), &[]).await;
    let root = token(&server, "root").await;
    let id = make_reachable(&server, &server.as_user(&root), "ana", "patient").await;
    (server, folder, id)
}

#[tokio::test]
async fn a_link_sets_a_password_once_and_ends_all_sessions_and_the_other_links() {
    let (server, folder, _) = with_ana().await;
    let session = log_in(&server, "ana").await;
    let key = json!({"name": "laboratory", "scopes": "user/*.rs"});
    let key = server.as_user(&text(&session["access_token"])).send("POST", &at(&server, "keys"), key).await.expect(201);
    for _ in 0..2 {
        forgot(&server, "ANA").await.expect(202);
    }
    let links: Vec<String> = letters(folder.path(), 2).await.iter().map(|letter| token_in(letter)).collect();
    // A password that is refused uses nothing up.
    assert_eq!(reset(&server, &links[0], "short").await.expect(400).expression(), "new_password");
    reset(&server, &links[0], NEW).await.expect(204);
    for link in &links {
        assert_eq!(reset(&server, link, "another long one").await.expect(400).expression(), "token");
    }
    server.as_user(&text(&session["access_token"])).get(&at(&server, "me")).await.expect(401);
    post(&server, "refresh", json!({"refresh_token": session["refresh_token"]})).await.expect(401);
    try_log_in(&server, "ana", NEW).await.expect(200);
    try_log_in(&server, "ana", PASSWORD).await.expect(401);
    // Keys are programs' own: they are revoked by themselves, as after any change of the password.
    server.as_user(&text(&key.json()["key"])).get(&at(&server, "me")).await.expect(200);
}

#[tokio::test]
async fn of_many_who_use_one_link_at_once_one_sets_the_password() {
    let (server, folder, _) = with_ana().await;
    forgot(&server, "ana").await.expect(202);
    let link = token_in(&letters(folder.path(), 1).await[0]);
    let words: Vec<String> = (0..6).map(|n| format!("a night by the sea {n}")).collect();
    let answers = futures_util::future::join_all(words.iter().map(|word| reset(&server, &link, word))).await;
    let set: Vec<usize> = (0..6).filter(|n| answers[*n].status == 204).collect();
    assert_eq!(set.len(), 1, "{answers:?}");
    try_log_in(&server, "ana", &words[set[0]]).await.expect(200);
}

#[tokio::test]
async fn the_answer_does_not_tell_whether_there_is_such_an_account() {
    let (server, folder, _) = with_ana().await;
    let root = token(&server, "root").await;
    let unreachable = json!({"username": "eva", "password": PASSWORD, "role": "patient"});
    server.as_user(&root).send("POST", &at(&server, "users"), unreachable).await.expect(201);
    let mut answers = Vec::new();
    for name in ["ana", "ana@example.org", "eva", "nobody", "nobody@example.org"] {
        let answer = forgot(&server, name).await.expect(202);
        answers.push((answer.text.clone(), answer.header("content-type").map(str::to_owned)));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0.is_empty()), "{answers:?}");
    // By name and by address, and nobody else.
    let written = letters(folder.path(), 2).await;
    assert!(written.iter().all(|letter| letter.contains("To: ana@example.org")), "{written:?}");
    forgot(&server, "ana").await.expect(202);
    assert_eq!(letters(folder.path(), 3).await.len(), 3, "what came before it has been done by now");
}

#[tokio::test]
async fn a_link_begins_with_the_configured_address_whatever_the_request_says() {
    let (server, folder, _) = with_ana().await;
    let headers = [
        ("content-type", "application/json"),
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "host=evil.example"),
        ("origin", "https://evil.example"),
    ];
    let body = json!({"username": "ana"}).to_string();
    server.send("POST", &at(&server, "password/forgot"), &headers, body).await.expect(202);
    let letter = letters(folder.path(), 1).await.remove(0);
    assert!(!letter.contains("evil") && !letter.contains("127.0.0.1"), "{letter}");
    assert_eq!(letter.matches(&format!("{ROOT}/auth/password/reset?token=")).count(), 2, "{letter}");
}

#[tokio::test]
async fn a_link_that_is_out_of_date_or_thought_of_sets_nothing() {
    let (server, folder, _) = with_ana().await;
    forgot(&server, "ana").await.expect(202);
    let link = token_in(&letters(folder.path(), 1).await[0]);
    for wrong in ["", "x", &link.to_lowercase(), &format!("{link}A"), link.get(1..).unwrap(), "' OR true --"] {
        assert_eq!(reset(&server, wrong, NEW).await.expect(400).expression(), "token", "{wrong}");
    }
    let client = server.database.connect().await;
    // Both times are asked of the clock, one after the other.
    let sql = "SELECT expires - created BETWEEN '29 minutes 59 seconds' AND '30 minutes 1 second' FROM password_reset";
    let row = client.query_one(sql, &[]).await.unwrap();
    assert!(row.get::<_, bool>(0), "half an hour");
    client.execute("UPDATE password_reset SET expires = clock_timestamp() - interval '1 second'", &[]).await.unwrap();
    assert_eq!(reset(&server, &link, NEW).await.expect(400).expression(), "token");
    try_log_in(&server, "ana", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_link_is_no_credential_and_a_credential_no_link() {
    let (server, folder, _) = with_ana().await;
    let session = log_in(&server, "ana").await;
    let access = text(&session["access_token"]);
    let key = json!({"name": "laboratory", "scopes": "user/*.rs"});
    let key = server.as_user(&access).send("POST", &at(&server, "keys"), key).await.expect(201).json();
    forgot(&server, "ana").await.expect(202);
    let link = token_in(&letters(folder.path(), 1).await[0]);
    for shown in [link.clone(), format!("brasa_{link}"), format!("brasa_{}_{link}", text(&key["id"]))] {
        server.as_user(&shown).get(&at(&server, "me")).await.expect(401);
        server.as_user(&shown).get("Patient").await.expect(401);
    }
    post(&server, "refresh", json!({ "refresh_token": link })).await.expect(401);
    for credential in [&access, &text(&session["refresh_token"]), &text(&key["key"])] {
        assert_eq!(reset(&server, credential, NEW).await.expect(400).expression(), "token");
    }
    // Nor is what is stored: of a link only the hash is.
    let client = server.database.connect().await;
    let hash: Vec<u8> = client.query_one("SELECT hash FROM password_reset", &[]).await.unwrap().get(0);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    reset(&server, &hex, NEW).await.expect(400);
    reset(&server, &link, NEW).await.expect(204);
}

#[tokio::test]
async fn whoever_asks_on_and_on_fills_no_mailbox_and_is_told_to_wait() {
    let (server, folder, _) = with_ana().await;
    let mut refused = None;
    for asked in 0..40 {
        let answer = forgot(&server, if asked % 2 == 0 { "ana" } else { "ana@example.org" }).await;
        if answer.status == 429 {
            refused = Some((asked, answer));
            break;
        }
        answer.expect(202);
    }
    let (asked, answer) = refused.expect("an address may not ask for ever");
    assert!(asked >= 20 && answer.issue()["code"] == "throttled", "{asked}: {}", answer.text);
    assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    // Of all that was asked, the account gets three letters within an hour, from whichever server.
    letters(folder.path(), 3).await;
    let root = token(&server, "root").await;
    make_reachable(&server, &server.as_user(&root), "eva", "patient").await;
    let elsewhere = tempfile::tempdir().unwrap();
    let settings = [("BRASA_BASE_URL", BASE), ("BRASA_MAIL_DIR", elsewhere.path().to_str().unwrap())];
    let second = Server::on(server.database.clone(), &super::settings(&settings)).await;
    for name in ["ana", "eva"] {
        forgot(&second, name).await.expect(202);
    }
    let written = letters(elsewhere.path(), 1).await;
    assert!(written.len() == 1 && written[0].contains("To: eva@example.org"), "{written:?}");
    assert_eq!(letters_now(folder.path()).len(), 3);
}

#[tokio::test]
async fn a_link_goes_with_the_address_the_password_and_the_account() {
    let (server, folder, id) = with_ana().await;
    let root = token(&server, "root").await;
    let root = server.as_user(&root);
    let change = async |body: Value| root.send("PATCH", &at(&server, &format!("users/{id}")), body).await.expect(200);
    let client = server.database.connect().await;
    let link = async |count: usize| {
        let age = "UPDATE password_reset SET created = created - interval '2 hours'";
        client.execute(age, &[]).await.unwrap();
        forgot(&server, "ana").await.expect(202);
        token_in(letters(folder.path(), count).await.last().unwrap())
    };
    for (position, body) in
        [json!({"email": "other@example.org"}), json!({"password": "one of the office"}), json!({"disabled": true})]
            .into_iter()
            .enumerate()
    {
        let link = link(position + 1).await;
        change(body.clone()).await;
        assert_eq!(reset(&server, &link, NEW).await.expect(400).expression(), "token", "{body}");
    }
    assert!(letters_now(folder.path())[1].contains("To: other@example.org"));
    change(json!({"disabled": false, "email": "third@example.org"})).await;
    let link = link(4).await;
    assert!(letters_now(folder.path())[3].contains("To: third@example.org"));
    reset(&server, &link, NEW).await.expect(204);
    // A disabled account gets no letter: the next one is another's.
    change(json!({"disabled": true})).await;
    make_reachable(&server, &root, "ben", "patient").await;
    for username in ["ana", "ben"] {
        forgot(&server, username).await.expect(202);
    }
    assert!(letters(folder.path(), 5).await[4].contains("To: ben@example.org"));
    assert_eq!(change(json!({"email": null})).await.json()["email"], Value::Null);
}

#[tokio::test]
async fn only_who_has_an_address_and_no_password_is_invited_and_only_by_an_administrator() {
    let (server, folder, _) = with_ana().await;
    let root = token(&server, "root").await;
    let ana = token(&server, "ana").await;
    let wanted = |email: Value, password: Value| json!({"username": "eva", "role": "patient", "invite": true, "email": email, "password": password});
    let invite = async |who: &str, body: Value| server.as_user(who).send("POST", &at(&server, "users"), body).await;
    let address = json!("eva@example.org");
    invite(&ana, wanted(address.clone(), Value::Null)).await.expect(403);
    assert_eq!(invite(&root, wanted(Value::Null, Value::Null)).await.expect(400).expression(), "email");
    assert_eq!(invite(&root, wanted(address.clone(), json!(PASSWORD))).await.expect(400).expression(), "password");
    for wrong in ["eva", "eva@", "eva@example.org, x@example.org", "eva@example.org\r\nBcc: x@example.org"] {
        assert_eq!(invite(&root, wanted(json!(wrong), Value::Null)).await.expect(400).expression(), "email", "{wrong}");
    }
    invite(&root, wanted(address.clone(), Value::Null)).await.expect(201);
    invite(&root, wanted(address, Value::Null)).await.expect(409);
    let letter = letters(folder.path(), 1).await.remove(0);
    assert!(
        letter.contains("user name is eva") && letter.contains(&format!("{ROOT}/auth/password/forgot")),
        "{letter}"
    );
    reset(&server, &token_in(&letter), NEW).await.expect(204);
    let session = try_log_in(&server, "eva", NEW).await.expect(200).json();
    let me = server.as_user(&text(&session["access_token"])).get(&at(&server, "me")).await.expect(200).json();
    assert_eq!((&me["email"], &me["role"]), (&json!("eva@example.org"), &json!("patient")));
}

#[tokio::test]
async fn without_mail_or_an_address_of_its_own_a_server_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mail = folder.path().to_str().unwrap();
    for (server, missing) in [
        (server().await, "BRASA_SMTP_URL"),
        (server_with(&[("BRASA_BASE_URL", BASE)]).await, "BRASA_SMTP_URL"),
        (server_with(&[("BRASA_MAIL_DIR", mail)]).await, "BRASA_BASE_URL"),
    ] {
        for name in ["root", "nobody"] {
            let refused = forgot(&server, name).await.expect(501);
            assert!(refused.issue()["diagnostics"].as_str().unwrap().contains(missing), "{}", refused.text);
        }
        let root = token(&server, "root").await;
        let invite = json!({"username": "eva", "role": "patient", "email": "eva@example.org", "invite": true});
        server.as_user(&root).send("POST", &at(&server, "users"), invite).await.expect(501);
        let users = server.as_user(&root).get(&at(&server, "users")).await.expect(200);
        assert!(!users.text.contains("eva"), "{}", users.text);
    }
    assert!(letters_now(folder.path()).is_empty());
}

#[tokio::test]
async fn a_browser_without_scripts_goes_from_the_link_to_a_new_password() {
    let (server, folder, _) = with_ana().await;
    let form = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "text/html,application/xhtml+xml;q=0.9"),
        ("accept-language", "es-MX,es;q=0.9"),
    ];
    let page = server.get(&at(&server, "password/forgot")).await.expect(200);
    assert!(page.text.contains("action=\"forgot\"") && page.text.contains("lang=\"en\""), "{}", page.text);
    let asked =
        server.send("POST", &at(&server, "password/forgot"), &form, "username=ana%40example.org").await.expect(202);
    assert!(asked.text.contains("va en camino"), "{}", asked.text);
    let link = token_in(&letters(folder.path(), 1).await[0]);
    let address = at(&server, &format!("password/reset?token={link}"));
    for _ in 0..2 {
        // Whoever only looks, such as a mail program, uses nothing up.
        let page = server.get_with(&address, &form[2..]).await.expect(200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(
            (page.header("cache-control"), page.header("referrer-policy")),
            (Some("no-store"), Some("no-referrer"))
        );
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("script"), "{policy}");
        assert!(page.text.contains("lang=\"es\"") && page.text.contains(&link) && !page.text.contains("<script"));
    }
    let send = async |password: &str, again: &str| {
        let body = format!("token={link}&new_password={password}&new_password_again={again}");
        server.send("POST", &at(&server, "password/reset"), &form, body).await
    };
    assert!(send("short", "short").await.expect(400).text.contains("al menos 8"));
    let differ = send("a+night+by+the+sea", "a+night+by+the+see").await.expect(400);
    assert!(differ.text.contains("distintas") && differ.text.contains("<form"), "{}", differ.text);
    let done = send("a+night+by+the+sea", "a+night+by+the+sea").await.expect(200);
    assert!(done.text.contains("quedó puesta") && !done.text.contains(&link), "{}", done.text);
    let again = send("a+night+by+the+sea", "a+night+by+the+sea").await.expect(400);
    assert!(again.text.contains("no es válido") && !again.text.contains("<form"), "{}", again.text);
    try_log_in(&server, "ana", NEW).await.expect(200);
    let injected = server.get(&at(&server, "password/reset?token=%22%3E%3Cscript%3E")).await.expect(200);
    assert!(!injected.text.contains("<script"), "{}", injected.text);
}
