//! Conditions and preferences of a request: If-Match, If-None-Match, If-Modified-Since, Prefer. <https://hl7.org/fhir/R4/http.html#concurrency>

use crate::support::{Answer, Server};
use serde_json::{Value, json};

fn patient() -> Value {
    json!({"resourceType": "Patient", "id": "p"})
}

/// A server with `Patient/p` in its second version.
async fn with_second_version() -> Server {
    let server = Server::start().await;
    server.put("Patient/p", patient()).await.expect(201);
    server.put("Patient/p", patient()).await.expect(200);
    server
}

async fn version(server: &Server) -> String {
    server.get("Patient/p").await.header("etag").unwrap_or_default().to_owned()
}

#[track_caller]
fn refused_at(answer: Answer, status: u16, place: &str) {
    assert_eq!((answer.status, answer.expression().as_str()), (status, place), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_with_another_version_than_the_current_one_is_refused_with_412() {
    let server = with_second_version().await;
    for stale in ["W/\"1\"", "\"1\"", "1", "W/\"3\"", "W/\"02\"", "W/\"two\""] {
        let refused = server.put_with("Patient/p", &[("if-match", stale)], patient()).await;
        assert_eq!(refused.issue()["code"], "conflict", "{stale}");
        refused_at(refused, 412, "http.if-match");
    }
    assert_eq!(version(&server).await, "W/\"2\"", "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_with_the_current_version_happens_whatever_the_form_of_the_tag() {
    let server = with_second_version().await;
    for (form, next) in [("W/\"2\"", "W/\"3\""), ("\"3\"", "W/\"4\""), ("4", "W/\"5\""), ("*", "W/\"6\"")] {
        let updated = server.put_with("Patient/p", &[("if-match", form)], patient()).await.expect(200);
        assert_eq!(updated.header("etag"), Some(next), "{form}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_updates_with_the_same_version_only_one_happens() {
    let server = with_second_version().await;
    let puts = (0..8).map(|_| server.put_with("Patient/p", &[("if-match", "W/\"2\"")], patient()));
    let answers = futures_util::future::join_all(puts).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    assert_eq!(version(&server).await, "W/\"3\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn if_match_does_not_create() {
    let server = Server::start().await;
    for tag in ["W/\"1\"", "*"] {
        let refused = server.put_with("Patient/p", &[("if-match", tag)], patient()).await;
        refused_at(refused, 412, "http.if-match");
    }
    server.get("Patient/p").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_obeys_if_match() {
    let server = with_second_version().await;
    let refused = server.send("DELETE", "Patient/p", &[("if-match", "W/\"1\"")], "").await;
    refused_at(refused, 412, "http.if-match");
    server.get("Patient/p").await.expect(200);
    server.send("DELETE", "Patient/p", &[("if-match", "W/\"2\"")], "").await.expect(204);
    server.get("Patient/p").await.expect(410);
    let refused = server.put_with("Patient/p", &[("if-match", "W/\"3\"")], patient()).await;
    refused_at(refused, 412, "http.if-match");
}

#[tokio::test(flavor = "multi_thread")]
async fn if_none_match_star_on_an_update_creates_or_is_refused() {
    let server = Server::start().await;
    let only_new = [("if-none-match", "*")];
    server.put_with("Patient/p", &only_new, patient()).await.expect(201);
    let refused = server.put_with("Patient/p", &only_new, patient()).await;
    refused_at(refused, 412, "http.if-none-match");
    assert_eq!(version(&server).await, "W/\"1\"");
    server.delete("Patient/p").await.expect(204);
    let again = server.put_with("Patient/p", &only_new, patient()).await.expect(201);
    assert_eq!(again.header("etag"), Some("W/\"3\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_cannot_be_read_stops_the_write() {
    let server = with_second_version().await;
    for unreadable in ["W/\"2", "", "W/\"2\", W/\"3\"", "W/\"\"", "W/\"é\""] {
        let refused = server.put_with("Patient/p", &[("if-match", unreadable)], patient()).await;
        refused_at(refused, 400, "http.if-match");
        let refused = server.send("DELETE", "Patient/p", &[("if-match", unreadable)], "").await;
        refused_at(refused, 400, "http.if-match");
    }
    let refused = server.put_with("Patient/p", &[("if-match", "W/\"2\""), ("if-match", "W/\"9\"")], patient()).await;
    refused_at(refused, 400, "http.if-match");
    let refused = server.put_with("Patient/p", &[("if-none-match", "W/\"2\"")], patient()).await;
    refused_at(refused, 400, "http.if-none-match");
    let both = [("if-match", "W/\"2\""), ("if-none-match", "*")];
    refused_at(server.put_with("Patient/p", &both, patient()).await, 400, "http.if-none-match");
    assert_eq!(version(&server).await, "W/\"2\"", "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_a_version_that_the_client_has_is_answered_with_304() {
    let server = with_second_version().await;
    for path in ["Patient/p", "Patient/p/_history/2"] {
        for held in ["W/\"2\"", "\"2\"", "2", "*", "W/\"1\", W/\"2\""] {
            let unchanged = server.get_with(path, &[("if-none-match", held)]).await.expect(304);
            assert_eq!((unchanged.text.as_str(), unchanged.header("etag")), ("", Some("W/\"2\"")), "{path} {held}");
            assert!(unchanged.header("last-modified").is_some());
        }
        let two = [("if-none-match", "W/\"7\""), ("if-none-match", "W/\"2\"")];
        server.get_with(path, &two).await.expect(304);
        for other in ["W/\"1\"", "W/\"22\"", "W/\"x\""] {
            assert_eq!(
                server.get_with(path, &[("if-none-match", other)]).await.expect(200).id(),
                "p",
                "{path} {other}"
            );
        }
    }
    server.get_with("Patient/p/_history/1", &[("if-none-match", "W/\"2\"")]).await.expect(200);
    let head = server.send("HEAD", "Patient/p", &[("if-none-match", "W/\"2\"")], "").await;
    head.expect(304);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_is_304_unless_modified_since() {
    let server = with_second_version().await;
    let at = server.get("Patient/p").await.header("last-modified").unwrap().to_owned();
    let since = |date: &str| [("if-modified-since", date.to_owned())];
    for path in ["Patient/p", "Patient/p/_history/2"] {
        for (date, status) in [
            (at.as_str(), 304),
            ("Sat, 06 Nov 2094 08:49:37 GMT", 304),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 200),
            ("the day before yesterday", 200),
        ] {
            let [(name, value)] = since(date);
            server.get_with(path, &[(name, &value)]).await.expect(status);
        }
        // The tag is the finer of the two: with it, the date is not looked at.
        let both = [("if-none-match", "W/\"1\""), ("if-modified-since", at.as_str())];
        server.get_with(path, &both).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_resource_is_410_and_not_304() {
    let server = with_second_version().await;
    server.delete("Patient/p").await.expect(204);
    server.get_with("Patient/p", &[("if-none-match", "W/\"3\"")]).await.expect(410);
}

/// Sends with a preference and returns the answer, whose headers must be there whatever was preferred.
async fn preferring(server: &Server, preference: &str, method: &str, path: &str, status: u16) -> Answer {
    let headers = [("prefer", preference), ("content-type", "application/fhir+json")];
    let answer = server.send(method, path, &headers, patient().to_string()).await.expect(status);
    if method != "DELETE" {
        assert!(["etag", "last-modified", "location"].iter().all(|name| answer.header(name).is_some()), "{answer:?}");
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_returns_what_the_client_prefers() {
    let server = Server::start().await;
    for (method, path, status) in [("POST", "Patient", 201), ("PUT", "Patient/p", 201), ("PUT", "Patient/p", 200)] {
        let minimal = preferring(&server, "return=minimal", method, path, status).await;
        assert_eq!(minimal.text, "", "{method}");
        server.delete("Patient/p").await;
        if status == 200 {
            server.put("Patient/p", patient()).await.expect(201);
        }
        let whole = preferring(&server, "return=representation", method, path, status).await;
        assert_eq!(whole.json()["resourceType"], "Patient", "{method}");
        if status == 201 {
            server.delete("Patient/p").await;
        }
        let told = preferring(&server, "return=OperationOutcome", method, path, status).await.json();
        assert_eq!(
            (&told["resourceType"], &told["issue"][0]["severity"]),
            (&json!("OperationOutcome"), &json!("information"))
        );
    }
    let whole = preferring(&server, "respond-async, return=everything", "POST", "Patient", 201).await;
    assert_eq!(whole.json()["resourceType"], "Patient", "without a preference that is understood: the resource");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_returns_what_the_client_prefers() {
    let server = Server::start().await;
    for (preference, status) in
        [("return=minimal", 204), ("return=representation", 204), ("return=OperationOutcome", 200)]
    {
        server.put("Patient/p", patient()).await.expect(201);
        let deleted = preferring(&server, preference, "DELETE", "Patient/p", status).await;
        if status == 204 {
            assert_eq!(deleted.text, "", "{preference}");
        } else {
            assert_eq!(deleted.json()["resourceType"], "OperationOutcome");
        }
    }
}
