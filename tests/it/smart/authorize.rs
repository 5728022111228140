//! The authorization endpoint and its pages: who is asked, where nobody is sent, and what a page keeps to itself.

use super::{REDIRECT, SCOPES, STATE, Visit, hidden, hospital, parameter};
use crate::accounts::{PASSWORD, at, make_user};
use serde_json::json;

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_registered() {
    let hospital = hospital().await;
    let app = hospital.app("public").await;
    for elsewhere in [
        "https://attacker.example.org/",
        "https://app.example.org/callback",
        "https://app.example.org/callback?kept=1&more=2",
        "https://app.example.org/callback?kept=1#x",
        "https://app.example.org/CALLBACK?kept=1",
        "https://app.example.org:443/callback?kept=1",
        "https://app.example.org@attacker.example.org/callback?kept=1",
        "https://app.example.org.attacker.example.org/callback?kept=1",
        "//attacker.example.org/",
        "javascript:alert(1)",
        "",
    ] {
        let refused = hospital.ask(&hospital.question(&app, &[("redirect_uri", elsewhere)])).await.expect(400);
        assert_eq!(refused.header("location"), None, "{elsewhere}");
        assert!(refused.header("content-security-policy").unwrap().contains("form-action 'none'"));
    }
    let twice = format!("{}&redirect_uri=https%3A%2F%2Fattacker.example.org", hospital.question(&app, &[]));
    assert_eq!(hospital.ask(&twice).await.expect(400).header("location"), None);
    for unknown in ["", "nobody"] {
        let refused = hospital.ask(&hospital.question(&app, &[("client_id", unknown)])).await.expect(400);
        assert_eq!(refused.header("location"), None, "{unknown}");
    }
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn what_else_is_wrong_is_told_to_the_app_with_its_state() {
    let hospital = hospital().await;
    let app = hospital.app("public").await;
    for (changed, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", ""), "unsupported_response_type"),
        (("response_mode", "fragment"), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("aud", "https://other.example.org/fhir"), "invalid_request"),
        (("aud", ""), "invalid_request"),
        (("scope", "system/*.rs"), "invalid_scope"),
        (("scope", ""), "invalid_scope"),
        (("prompt", "none"), "login_required"),
        (("launch", "123"), "invalid_request"),
        (("request", "a.b.c"), "request_not_supported"),
    ] {
        let sent = hospital.ask(&hospital.question(&app, &[changed])).await.expect(303);
        let back = sent.header("location").unwrap();
        assert!(back.starts_with(REDIRECT), "{back}");
        assert_eq!(parameter(back, "error").as_deref(), Some(error), "{changed:?}");
        assert_eq!(parameter(back, "state").as_deref(), Some(STATE), "{changed:?}");
    }
    // Without its state an app could not tell whose answer it is.
    let sent = hospital.ask(&hospital.question(&app, &[("state", "")])).await.expect(303);
    let back = sent.header("location").unwrap();
    assert_eq!((parameter(back, "error").as_deref(), parameter(back, "state")), (Some("invalid_request"), None));
    let twice = format!("{}&scope=openid", hospital.question(&app, &[]));
    let sent = hospital.ask(&twice).await.expect(303);
    assert_eq!(parameter(sent.header("location").unwrap(), "error").as_deref(), Some("invalid_request"));
    // Where the app asks by POST it is the same.
    let posted =
        hospital.fill("", &[("client_id", &app.id), ("redirect_uri", REDIRECT), ("state", "s")]).await.expect(303);
    assert_eq!(parameter(posted.header("location").unwrap(), "error").as_deref(), Some("unsupported_response_type"));
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn a_page_is_in_no_frame_runs_nothing_and_shows_names_as_they_are() {
    let hospital = hospital().await;
    let app = hospital.app("public").await;
    let question = hospital.question(&app, &[("state", "\"><script>alert(1)</script>")]);
    let visit = hospital.visit(&question).await;
    let log_in = hospital.ask(&question).await.expect(200);
    let wrong = visit.log_in("ana", "a wrong password").await.expect(403);
    let consent = visit.log_in("ana\"><script>", PASSWORD).await.expect(403);
    for page in [log_in, wrong, consent] {
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
        assert_eq!(
            page.header("content-security-policy"),
            Some(
                "default-src 'none'; style-src 'self'; form-action 'self' https://app.example.org; \
                frame-ancestors 'none'; base-uri 'none'"
            )
        );
        assert_eq!(
            (page.header("cache-control"), page.header("referrer-policy")),
            (Some("no-store"), Some("no-referrer"))
        );
        assert!(page.text.contains("Growth &#60;chart&#62;"), "{}", page.text);
        assert!(!page.text.contains("<script") && !page.text.contains(PASSWORD), "{}", page.text);
    }
    let spanish = at(&hospital.server, &format!("authorize?{question}"));
    let spanish =
        hospital.server.get_with(&spanish, &[("accept-language", "es-CO,es;q=0.9,en;q=0.1")]).await.expect(200);
    assert!(spanish.text.contains("<html lang=\"es\">") && spanish.text.contains("Contraseña"), "{}", spanish.text);
    let style = hospital.server.get(&at(&hospital.server, "style.css")).await.expect(200);
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn a_form_that_another_page_sends_does_nothing() {
    let hospital = hospital().await;
    let app = hospital.app("public").await;
    let question = hospital.question(&app, &[]);
    let visit = hospital.visit(&question).await;
    let page = visit.log_in("ana", PASSWORD).await.expect(200);
    let ticket = hidden(&page.text, "ticket");
    let other = hospital.visit(&question).await;
    // A mark without its cookie, another browser's cookie, another browser's mark.
    for (cookie, mark) in [("", visit.mark.as_str()), (&other.cookie, &visit.mark), (&visit.cookie, &other.mark)] {
        let forged = Visit { cookie: cookie.to_owned(), mark: mark.to_owned(), question: question.clone(), ..visit };
        forged.log_in("ana", PASSWORD).await.expect(403);
        forged.allow(&ticket, SCOPES, "").await.expect(403);
    }
    // A ticket goes with the browser that it was made in, with its question, and is nothing else.
    other.allow(&ticket, SCOPES, "").await.expect(403);
    let wider = hospital.question(&app, &[("scope", "patient/Patient.r"), ("state", "other")]);
    Visit { question: wider, cookie: visit.cookie.clone(), mark: visit.mark.clone(), ..visit }
        .allow(&ticket, "patient/Patient.r", "")
        .await
        .expect(403);
    let token = crate::accounts::token(&hospital.server, "ana").await;
    visit.allow(&token, SCOPES, "").await.expect(403);
    assert_eq!(hospital.reads(&json!(ticket), "Patient/p1").await, 401);
    let pairs =
        [("request", question.as_str()), ("mark", &visit.mark), ("ticket", &ticket), ("scope", "patient/Patient.r")];
    let headers = [super::FORM, ("cookie", visit.cookie.as_str()), ("sec-fetch-site", "cross-site")];
    let sent = hospital.server.send("POST", &at(&hospital.server, "authorize"), &headers, super::form(&pairs)).await;
    sent.expect(403);
    visit.allow(&ticket, SCOPES, "").await.expect(303);
    hospital.server.each_is_recorded().await;
}

#[tokio::test]
async fn who_may_not_log_in_or_does_not_want_to_gives_no_code() {
    let hospital = hospital().await;
    let app = hospital.app("public").await;
    let question = hospital.question(&app, &[]);
    let visit = hospital.visit(&question).await;
    visit.log_in("nobody", PASSWORD).await.expect(403);
    visit.log_in("ruiz", "a wrong password").await.expect(403);
    let waits = visit.log_in("ruiz", PASSWORD).await;
    assert!([429, 200].contains(&waits.status), "a slow machine may be past the delay: {}", waits.status);
    let pairs = [("request", question.as_str()), ("mark", &visit.mark), ("decision", "deny")];
    let back = hospital.fill(&visit.cookie, &pairs).await.expect(303);
    assert_eq!(parameter(back.header("location").unwrap(), "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(back.header("location").unwrap(), "state").as_deref(), Some(STATE));

    let admin = hospital.server.as_user(&hospital.root);
    let unlinked = make_user(&hospital.server, &admin, "eva", "patient").await;
    let page = visit.log_in("eva", PASSWORD).await.expect(403);
    assert!(page.text.contains("not linked"), "{}", page.text);
    // Whoever was disabled while the question was open.
    let question = hospital.question(&app, &[("scope", "user/Organization.rs")]);
    let visit = hospital.visit(&question).await;
    let ticket = hidden(&visit.log_in("eva", PASSWORD).await.expect(200).text, "ticket");
    admin
        .send("PATCH", &at(&hospital.server, &format!("users/{unlinked}")), json!({"disabled": true}))
        .await
        .expect(200);
    visit.allow(&ticket, "user/Organization.rs", "").await.expect(403);
    hospital.server.each_is_recorded().await;
}
