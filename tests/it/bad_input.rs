//! Bad input is refused with an answer that says what and where, and the server goes on. <https://hl7.org/fhir/R4/http.html#operation-outcome>

use crate::support::{Answer, FHIR_JSON, Server};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;

/// Sends a body to `POST Patient`.
async fn post(server: &Server, body: impl Into<reqwest::Body>) -> Answer {
    server.send("POST", "Patient", &[("content-type", FHIR_JSON)], body).await
}

/// Checks a refusal, and that the server goes on and wrote nothing.
async fn refused(server: &Server, answer: Answer, status: u16, code: &str, place: &str, words: &str) {
    let issue = answer.issue();
    let told = issue["diagnostics"].as_str().unwrap();
    assert_eq!((answer.status, &issue["code"], &issue["severity"]), (status, &json!(code), &json!("error")), "{told}");
    assert_eq!(issue["expression"][0].as_str().unwrap_or_default(), place, "{told}");
    assert!(told.contains(words), "{told}");
    assert!(!told.contains("src/") && !told.contains("panicked"), "{told}");
    let system = server.get("_history").await.expect(200);
    assert!(system.json()["entry"].as_array().is_none_or(Vec::is_empty), "{}", system.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_json_is_refused_with_line_and_column() {
    let server = Server::start().await;
    for (body, words) in [
        ("{\n  \"resourceType\": \"Patient\",\n  \"name\": [}\n}", "Line 3, column 12"),
        ("{\"resourceType\":\"Patient\"", "Line 1, column 26"),
        ("{\"resourceType\":\"Patient\"} x", "Line 1, column 28"),
        ("{'resourceType':'Patient'}", "Line 1, column 2"),
        ("{\"resourceType\":\"Patient\",\"x\":01}", "Line 1"),
        ("{\"resourceType\":\"Patient\",\"x\":NaN}", "Line 1"),
        ("{\"resourceType\":\"Patient\",\"x\":\"\\ud800\"}", "surrogate"),
        ("{\"resourceType\":\"Patient\",\"x\":\"a\nb\"}", "control character"),
        ("resourceType=Patient", "Line 1, column 1"),
        ("<Patient/>", "Line 1, column 1"),
        (" \n ", "Line 2, column 2"),
    ] {
        let answer = post(&server, body).await;
        let place = answer.expression();
        assert!(place.starts_with("Patient"), "{place}");
        refused(&server, answer, 400, "invalid", &place, words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_stands_twice_is_refused_with_its_path() {
    let server = Server::start().await;
    for (body, place) in [
        (
            r#"{"resourceType":"Patient","name":[{"use":"usual"},{"family":"a","family":"b"}]}"#,
            "Patient.name[1].family",
        ),
        (r#"{"resourceType":"Patient","resourceType":"Practitioner"}"#, "Patient.resourceType"),
        (r#"{"resourceType":"Patient","id":"a","\u0069d":"b"}"#, "Patient.id"),
    ] {
        refused(&server, post(&server, body).await, 400, "invalid", place, "twice").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_resource_of_the_addressed_type_is_refused() {
    let server = Server::start().await;
    for (body, code, place) in [
        ("[]", "structure", "Patient"),
        ("null", "structure", "Patient"),
        ("\"Patient\"", "structure", "Patient"),
        ("{}", "structure", "Patient.resourceType"),
        (r#"{"resourceType":"Pacient"}"#, "structure", "Patient.resourceType"),
        (r#"{"resourceType":"patient"}"#, "structure", "Patient.resourceType"),
        (r#"{"resourceType":"DomainResource"}"#, "structure", "Patient.resourceType"),
        (r#"{"resourceType":["Patient"]}"#, "structure", "Patient.resourceType"),
        (r#"{"resourceType":"Practitioner"}"#, "invalid", "Patient.resourceType"),
        (r#"{"resourceType":"Patient","meta":"x"}"#, "structure", "Patient.meta"),
    ] {
        refused(&server, post(&server, body).await, 400, code, place, "").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_needs_the_id_of_its_address_in_the_body() {
    let server = Server::start().await;
    for (body, status, code) in [
        (json!({"resourceType": "Patient", "id": "q"}), 400, "invalid"),
        (json!({"resourceType": "Patient", "id": "P"}), 400, "invalid"),
        (json!({"resourceType": "Patient"}), 400, "invalid"),
        (json!({"resourceType": "Patient", "id": "a b"}), 400, "invalid"),
        (json!({"resourceType": "Patient", "id": 7}), 422, "structure"),
        (json!({"resourceType": "Patient", "id": null}), 422, "structure"),
    ] {
        refused(&server, server.put("Patient/p", body).await, status, code, "Patient.id", "").await;
    }
    let other = server.put("Patient/p", json!({"resourceType": "Practitioner", "id": "p"})).await;
    refused(&server, other, 400, "invalid", "Patient.resourceType", "Practitioner").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_utf_8_or_is_empty_is_refused_and_a_byte_order_mark_is_not() {
    let server = Server::start().await;
    let latin1 = b"{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"P\xe9rez\"}]}".to_vec();
    refused(&server, post(&server, latin1).await, 400, "invalid", "Patient.name[0].family", "UTF-8").await;
    let utf16: Vec<u8> = "\u{feff}{\"resourceType\":\"Patient\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    refused(&server, post(&server, utf16).await, 400, "invalid", "Patient", "").await;
    refused(&server, post(&server, "").await, 400, "invalid", "", "empty").await;
    post(&server, "\u{feff}{\"resourceType\":\"Patient\"}").await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn nesting_beyond_the_limit_is_refused_with_the_limit() {
    let server = Server::start_with(&[("BRASA_JSON_DEPTH_MAX", "8")]).await;
    let nested = |levels: usize| {
        let inner = "{\"extension\":[".repeat(levels / 2) + &"]}".repeat(levels / 2);
        format!("{{\"resourceType\":\"Patient\",\"contained\":[{inner}]}}")
    };
    let deep = post(&server, nested(8)).await;
    let place = deep.expression();
    refused(&server, deep, 413, "too-long", &place, "8 levels").await;
    let very_deep = format!("{{\"resourceType\":\"Patient\",\"x\":{}", "[".repeat(1_000_000));
    refused(
        &server,
        post(&server, very_deep).await,
        413,
        "too-long",
        &format!("Patient.x{}", "[0]".repeat(7)),
        "8 levels",
    )
    .await;
    let flat = json!({"resourceType": "Patient", "extension": [{"url": "http://x", "extension": [{"url": "y"}]}]});
    post(&server, flat.to_string()).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_413_and_names_it_declared_or_chunked() {
    let server = Server::start_with(&[("BRASA_BODY_BYTES_MAX", "4096")]).await;
    let padded = |length: usize| {
        let frame = "{\"resourceType\":\"Patient\",\"language\":\"\"}".len();
        format!("{{\"resourceType\":\"Patient\",\"language\":\"{}\"}}", "x".repeat(length - frame))
    };
    refused(&server, post(&server, padded(4097)).await, 413, "too-long", "", "4096 bytes").await;
    refused(&server, post(&server, padded(20_000_000)).await, 413, "too-long", "", "4096 bytes").await;
    let head = "POST /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/fhir+json\r\n";
    // Not one byte of the declared body is waited for.
    let declared = server.raw(format!("{head}Content-Length: 99999999999\r\n\r\n")).await;
    assert!(declared.starts_with("HTTP/1.1 413") && declared.contains("4096 bytes"), "{declared}");
    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
    let chunked = server.raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(5))).await;
    assert!(chunked.starts_with("HTTP/1.1 413") && chunked.contains("4096 bytes"), "{chunked}");
    assert_eq!(server.get("_history").await.expect(200).json()["entry"].as_array().map_or(0, Vec::len), 0);
    post(&server, padded(4096)).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gzip_bomb_is_413_before_it_unfolds() {
    let server = Server::start_with(&[("BRASA_BODY_BYTES_MAX", "1MiB")]).await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..200 {
        encoder.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20, "as sent it is within the limit");
    let headers = [("content-type", FHIR_JSON), ("content-encoding", "gzip")];
    let answer = server.send("POST", "Patient", &headers, bomb.clone()).await;
    refused(&server, answer, 413, "too-long", "", "1048576 bytes").await;
    let answer = server.send("POST", "Patient", &headers, bomb[..bomb.len() / 2].to_vec()).await;
    assert!([400, 413].contains(&answer.status), "a part of it: {}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_types_are_404_and_bad_ids_400() {
    let server = Server::start().await;
    let long = format!("Patient/{}", "x".repeat(65));
    for (method, path, status, code, place) in [
        ("GET", "Pacient/1", 404, "not-found", ""),
        ("GET", "patient/1", 404, "not-found", ""),
        ("GET", "Resource/1", 404, "not-found", ""),
        ("GET", "DomainResource/1", 404, "not-found", ""),
        ("POST", "Pacient", 404, "not-found", ""),
        ("PUT", "Pacient/1", 404, "not-found", ""),
        ("GET", "Pacient/_history", 404, "not-found", ""),
        ("GET", "Patient/a_b", 400, "invalid", "Patient.id"),
        ("PUT", "Patient/a_b", 400, "invalid", "Patient.id"),
        ("DELETE", "Patient/a%20b", 400, "invalid", "Patient.id"),
        ("GET", "Patient/%C3%A9", 400, "invalid", "Patient.id"),
        ("GET", &long, 400, "invalid", "Patient.id"),
        ("GET", "Patient/a_b/_history", 400, "invalid", "Patient.id"),
        ("GET", "Patient/%ff", 400, "invalid", ""),
        ("GET", "Patient/1/nothing/here", 404, "not-found", ""),
    ] {
        let body = if method == "GET" { String::new() } else { r#"{"resourceType":"Patient","id":"1"}"#.to_owned() };
        let answer = server.send(method, path, &[("content-type", FHIR_JSON)], body).await;
        refused(&server, answer, status, code, place, "").await;
    }
    let elsewhere = server.get(&format!("{}/nowhere", server.root)).await;
    refused(&server, elsewhere, 404, "not-found", "", "/fhir").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_supported_yet_says_so_and_does_nothing() {
    let server = Server::start().await;
    let body = || json!({"resourceType": "Patient", "id": "p"}).to_string();
    for (method, path) in [("POST", "Patient/$match"), ("POST", "$convert")] {
        let answer = server.send(method, path, &[("content-type", FHIR_JSON)], body()).await;
        refused(&server, answer, 400, "not-supported", "", "not supported yet").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_strict_handling_a_parameter_that_is_not_known_is_refused() {
    let server = Server::start().await;
    let strict = [("prefer", "handling=strict")];
    let body = json!({"resourceType": "Patient", "id": "p"});
    for (method, path) in [
        ("POST", "Patient"),
        ("PUT", "Patient/p"),
        ("DELETE", "Patient/p"),
        ("GET", "Patient/p"),
        ("GET", "Patient/p/_history/1"),
    ] {
        let headers = [strict[0], ("content-type", FHIR_JSON)];
        let answer = server.send(method, &format!("{path}?_total=none&_pretty=true"), &headers, body.to_string()).await;
        refused(&server, answer, 400, "not-supported", "_total", "").await;
    }
    server.put_with("Patient/p?_pretty=true&_format=json", &strict, &body).await.expect(201);
    server.get_with("Patient/p?_pretty=true&_format=json", &strict).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_that_is_broken_does_not_break_the_server() {
    let server = Server::start().await;
    for request in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET /fhir/metadata HTTP/9.9\r\n\r\n",
        b"GET /fhir/Patient/\xff\xfe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"POST /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: -1\r\n\r\n",
        b"POST /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /fhir/metadata HTTP/1.1\r\nConnection: close\r\n\r\n",
    ] {
        let answer = server.raw(request).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        server.get("metadata").await.expect(200);
    }
    let value: Value = server.get("_history").await.expect(200).json();
    assert!(value["entry"].as_array().is_none_or(Vec::is_empty));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_not_utf_8_is_refused_by_its_parameter() {
    let server = Server::start().await;
    for (path, place) in [
        ("Patient?name=M%FCller", "name"),
        ("metadata?_pretty=%FF", "_pretty"),
        ("Patient/x/_history?_count=%C3", "_count"),
    ] {
        refused(&server, server.get(path).await, 400, "invalid", place, "not UTF-8").await;
    }
    let entry = json!({"request": {"method": "GET", "url": "Patient?name=M%FCller"}});
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [entry]});
    let outcome = &server.post("", batch).await.expect(200).json()["entry"][0]["response"]["outcome"]["issue"][0];
    assert_eq!(outcome["expression"][0], "Bundle.entry[0].request.url", "{outcome}");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    refused(&server, server.send("POST", "Patient/_search", &form, "a=1&b=%80").await, 400, "invalid", "b", "UTF-8")
        .await;
}
