//! Web pages of other origins: those that are listed may use the server from a browser, and no others.

use crate::support::{Answer, Server};
use serde_json::json;

const OWN: &str = "https://app.example.org";
const OTHER: &str = "https://evil.example";

async fn preflight(server: &Server, path: &str, origin: &str, method: &str, headers: &str) -> Answer {
    let asked =
        [("origin", origin), ("access-control-request-method", method), ("access-control-request-headers", headers)];
    server.send("OPTIONS", &format!("{}{path}", server.root), &asked, "").await
}

#[tokio::test]
async fn a_page_of_a_listed_origin_may_ask_everywhere_and_sees_what_it_needs() {
    let listed = format!("{OWN}, http://localhost:5173");
    let server = Server::start_with(&[("BRASA_CORS_ORIGINS", &listed), ("BRASA_AUTH", "on")]).await;
    for path in ["/fhir/Patient", "/fhir", "/auth/login", "/auth/users/x", "/.well-known/jwks.json", "/fhir/metadata"] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let sent = "authorization, content-type, if-match, if-none-exist, prefer, x-request-id";
            let told = preflight(&server, path, OWN, method, sent).await.expect(200);
            assert_eq!(told.header("access-control-allow-origin"), Some(OWN), "{path} {method}");
            assert!(told.header("x-request-id").is_some(), "{path} {method}");
            assert!(told.header("access-control-allow-methods").unwrap().contains(method), "{path} {method}");
            assert!(told.header("access-control-allow-headers").unwrap().to_lowercase().contains("if-none-exist"));
            assert_eq!(told.header("access-control-allow-credentials"), None);
            assert!(told.header("vary").unwrap().to_lowercase().contains("origin"));
        }
    }
    for (path, status) in
        [("/fhir/metadata", 200), ("/fhir/Patient", 401), ("/auth/me", 401), ("/.well-known/jwks.json", 200)]
    {
        let answer = server.get_with(&format!("{}{path}", server.root), &[("origin", OWN)]).await.expect(status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(OWN), "{path}: a page can read refusals, too");
        let seen = answer.header("access-control-expose-headers").unwrap().to_lowercase();
        for name in ["etag", "location", "content-location", "x-request-id", "retry-after"] {
            assert!(seen.split(',').any(|word| word.trim() == name), "{name} is not in {seen}");
        }
    }
}

#[tokio::test]
async fn a_page_of_another_origin_is_told_nothing_and_a_program_without_one_is_not_asked() {
    let server = Server::start_with(&[("BRASA_CORS_ORIGINS", OWN)]).await;
    for origin in [
        OTHER,
        "null",
        "http://app.example.org",
        "https://app.example.org.evil.example",
        "https://app.example.org:8443",
    ] {
        let refused = preflight(&server, "/fhir/Patient", origin, "POST", "content-type").await;
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (400, None), "{origin}");
        assert!(refused.header("x-request-id").is_some(), "{origin}");
        let read = server.get_with("metadata", &[("origin", origin)]).await;
        assert_eq!(read.header("access-control-allow-origin"), None, "{origin}");
    }
    let sent = preflight(&server, "/fhir/Patient", OWN, "POST", "x-own-header").await;
    assert_eq!(sent.status, 400, "a header that nothing here reads");
    let made = server.post("Patient", json!({"resourceType": "Patient"})).await.expect(201);
    assert_eq!(made.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn without_the_setting_no_page_of_another_origin_may_ask_and_with_a_star_each_may() {
    let server = Server::start().await;
    let told = preflight(&server, "/fhir/Patient", OWN, "GET", "authorization").await;
    assert_eq!((told.status, told.header("access-control-allow-origin")), (405, None));
    assert_eq!(server.get_with("metadata", &[("origin", OWN)]).await.header("access-control-allow-origin"), None);
    let open = Server::start_with(&[("BRASA_CORS_ORIGINS", "*")]).await;
    let told = preflight(&open, "/fhir/Patient", OTHER, "GET", "authorization").await.expect(200);
    assert_eq!(told.header("access-control-allow-origin"), Some("*"));
    let read = open.get_with("metadata", &[("origin", OTHER)]).await.expect(200);
    assert_eq!(read.header("access-control-allow-origin"), Some("*"));
}
