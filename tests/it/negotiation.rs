//! Formats, compression, addresses and what survives of a body. <https://hl7.org/fhir/R4/http.html#mime-type>

use crate::support::{FHIR_JSON, Server};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::{Read, Write};

fn patient() -> Value {
    json!({"resourceType": "Patient", "id": "p"})
}

/// A server with `Patient/p`.
async fn with_patient(settings: &[(&str, &str)]) -> Server {
    let server = Server::start_with(settings).await;
    server.put("Patient/p", patient()).await.expect(201);
    server
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_written_to_all_who_take_it_and_406_said_to_others() {
    let server = with_patient(&[]).await;
    for path in ["Patient/p", "Patient/p/_history", "metadata"] {
        for accept in
            ["application/fhir+json", "application/json", "*/*", "text/html, application/*;q=0.1", "text/json"]
        {
            let read = server.get_with(path, &[("accept", accept)]).await.expect(200);
            assert_eq!(read.header("content-type"), Some("application/fhir+json; charset=utf-8"), "{accept}");
        }
        let two = [("accept", "text/html"), ("accept", "application/fhir+json")];
        server.get_with(path, &two).await.expect(200);
        for accept in
            ["text/turtle", "text/html", "application/fhir+json;q=0", "application/fhir+json; fhirVersion=3.0"]
        {
            let refused = server.get_with(path, &[("accept", accept)]).await.expect(406);
            assert_eq!(
                (refused.expression().as_str(), &refused.issue()["code"]),
                ("http.accept", &json!("not-supported"))
            );
        }
    }
    let before = server.get("Patient/_history").await.json();
    server.post_with("Patient", &[("accept", "text/turtle")], patient()).await.expect(406);
    assert_eq!(server.get("Patient/_history").await.json(), before, "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn format_wins_over_accept() {
    let server = with_patient(&[]).await;
    for format in ["json", "application/json", "application/fhir%2Bjson", "application/fhir+json", "text/json"] {
        server.get_with(&format!("Patient/p?_format={format}"), &[("accept", "text/html")]).await.expect(200);
    }
    for format in ["application/fhir%2Bturtle", "ttl", "html"] {
        let refused = server.get(&format!("Patient/p?_format={format}")).await.expect(406);
        assert_eq!(refused.expression(), "_format", "{format}");
    }
    let posted = server.post("Patient?_format=json", patient()).await;
    posted.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn pretty_lays_the_same_json_out_in_lines() {
    let server = with_patient(&[]).await;
    let plain = server.get("Patient/p").await.expect(200);
    assert!(!plain.text.contains('\n'));
    assert_eq!(server.get("Patient/p?_pretty=false").await.expect(200).text, plain.text);
    let pretty = server.get("Patient/p?_pretty=true").await.expect(200);
    assert!(pretty.text.starts_with("{\n  \"") && pretty.json() == plain.json(), "{}", pretty.text);
    let refused = server.get("Patient/nobody?_pretty=true").await.expect(404);
    assert!(refused.text.starts_with("{\n  \""), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_another_type_or_of_none_is_415() {
    let server = with_patient(&[]).await;
    for content_type in
        ["application/fhir+json; charset=UTF-8", "application/json", "application/fhir+json;fhirVersion=4.0"]
    {
        server.send("PUT", "Patient/p", &[("content-type", content_type)], patient().to_string()).await.expect(200);
    }
    for content_type in [
        "application/fhir+turtle",
        "text/plain",
        "application/json; charset=latin1",
        "application/fhir+json; fhirVersion=5.0",
    ] {
        for (method, path) in [("PUT", "Patient/p"), ("POST", "Patient"), ("POST", "")] {
            let refused = server.send(method, path, &[("content-type", content_type)], patient().to_string()).await;
            assert_eq!(refused.expression(), "http.content-type", "{content_type}");
            refused.expect(415);
        }
    }
    let refused = server.send("POST", "Patient", &[], patient().to_string()).await.expect(415);
    assert_eq!(refused.expression(), "http.content-type");
    assert_eq!(server.get("Patient/_history").await.json()["entry"].as_array().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_read() {
    let server = Server::start().await;
    let body = json!({"resourceType": "Patient", "name": [{"family": "Núñez"}]}).to_string();
    let (first, second) = body.as_bytes().split_at(20);
    // Several members one after the other are one gzip file, too (RFC 1952).
    for packed in [gzip(body.as_bytes()), [gzip(first), gzip(second)].concat()] {
        let headers = [("content-type", FHIR_JSON), ("content-encoding", "gzip")];
        let created = server.send("POST", "Patient", &headers, packed).await.expect(201);
        assert_eq!(created.json()["name"][0]["family"], "Núñez");
    }
    let headers = [("content-type", FHIR_JSON), ("content-encoding", "br")];
    let refused = server.send("POST", "Patient", &headers, body.clone()).await.expect(415);
    assert_eq!(refused.expression(), "http.content-encoding");
    let headers = [("content-type", FHIR_JSON), ("content-encoding", "gzip")];
    server.send("POST", "Patient", &headers, body).await.expect(400).issue();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_compressed_for_those_who_take_that() {
    let server = with_patient(&[]).await;
    for path in ["Patient/p", "metadata", "Patient/nobody"] {
        let plain = server.get(path).await;
        assert_eq!(plain.header("content-encoding"), None, "nobody asked");
        let packed = server.get_with(path, &[("accept-encoding", "gzip")]).await;
        assert_eq!((packed.header("content-encoding"), packed.status), (Some("gzip"), plain.status), "{path}");
        let mut text = String::new();
        GzDecoder::new(&packed.bytes[..]).read_to_string(&mut text).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["resourceType"], plain.json()["resourceType"]);
        assert_eq!(packed.header("etag"), plain.header("etag"));
        assert!(
            packed.header("vary").is_some_and(|vary| vary.to_lowercase().contains("accept-encoding")),
            "{packed:?}"
        );
    }
    for accept in ["identity", "gzip;q=0", "br", "br, *;q=0", "identity;q=0", "deflate", "nonsense"] {
        let plain = server.get_with("Patient/p", &[("accept-encoding", accept)]).await.expect(200);
        assert_eq!((plain.header("content-encoding"), plain.id().as_str()), (None, "p"), "{accept}");
    }
}

/// The body of an Observation after `id` and `meta`, in the form that is written: all that follows must come back.
const EXACT: &str = r#""implicitRules":"http://h/é","zebra":{"unknown":[1.00,-0.0,1E-22,1e+5,12345678901234567890.1234567890]},"extension":[{"url":"http://unknown.example/x","valueDecimal":0.10},{"valueString":"second","url":"http://y"}],"status":"final","_status":{"id":"s","extension":[{"url":"http://z","valueBoolean":false}]},"code":{"text":"\"quoted\" \\ back/slash\n\t\u0001 é 😀 ﷽ 日本"},"valueQuantity":{"unit":"mm","value":1.50},"aaa":[[],{},"",null],"note":[{"text":" spaces  stay "}]"#;

#[tokio::test(flavor = "multi_thread")]
async fn digits_key_order_unknown_members_and_text_survive_byte_for_byte() {
    for codec in ["zstd", "json"] {
        let server = Server::start_with(&[("BRASA_BODY_CODEC", codec)]).await;
        let sent = format!(r#"{{"resourceType":"Observation","id":"exact",{EXACT}}}"#);
        let put = server.put("Observation/exact", &sent).await.expect(201);
        let last_updated = put.json()["meta"]["lastUpdated"].as_str().unwrap().to_owned();
        let meta = format!(r#""meta":{{"versionId":"1","lastUpdated":"{last_updated}"}}"#);
        let expected = format!(r#"{{"resourceType":"Observation","id":"exact",{meta},{EXACT}}}"#);
        assert_eq!(put.text, expected);
        for path in ["Observation/exact", "Observation/exact/_history/1"] {
            assert_eq!(server.get(path).await.expect(200).text, expected, "{codec} {path}");
        }
        for path in ["Observation/exact/_history", "Observation/_history", "_history"] {
            assert!(server.get(path).await.expect(200).text.contains(&expected), "{codec} {path}");
        }
        let posted = server.post("Observation", &sent).await.expect(201);
        assert!(posted.text.ends_with(&format!(",{EXACT}}}")), "{}", posted.text);
        // Laid out, only space differs.
        let pretty = server.get("Observation/exact?_pretty=true").await.expect(200);
        assert!(
            ["1.00", "1E-22", "-0.0", "12345678901234567890.1234567890"]
                .iter()
                .all(|digits| pretty.text.contains(digits))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn escapes_come_back_as_the_characters_they_stand_for() {
    let server = Server::start().await;
    let sent = r#" { "resourceType" : "Patient" , "name" : [ { "text" : "\u00e9\ud83d\ude00\/\u0000\u001f" } ] } "#;
    let created = server.post("Patient", sent).await.expect(201);
    assert_eq!(created.json()["name"][0]["text"], "é😀/\0\u{1f}");
    assert_eq!(server.get(&format!("Patient/{}", created.id())).await.expect(200).text, created.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_owns_version_and_time_and_the_client_the_rest_of_meta() {
    let server = Server::start().await;
    let meta = json!({"versionId": "99", "lastUpdated": "1999-01-01T00:00:00Z", "source": "http://s",
        "profile": ["http://p"], "security": [{"code": "R"}], "tag": [{"system": "http://t", "code": "c"}]});
    let body = json!({"resourceType": "Patient", "id": "p", "meta": meta});
    for version in ["1", "2"] {
        let put = server.put("Patient/p", &body).await;
        assert_eq!(server.get("Patient/p").await.text, put.text);
        let stored = put.json()["meta"].clone();
        assert_eq!(stored["versionId"], version);
        assert!(stored["lastUpdated"].as_str().unwrap() > "2024", "{stored}");
        for kept in ["source", "profile", "security", "tag"] {
            assert_eq!(stored[kept], meta[kept], "{kept}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_well_formed_request_id_is_kept_and_any_other_replaced() {
    let server = with_patient(&[]).await;
    for (method, path, status) in
        [("GET", "Patient/p", 200), ("GET", "Patient/nobody", 404), ("DELETE", "Patient/nobody", 204)]
    {
        let own = server.send(method, path, &[("x-request-id", "Trace-1.2")], "").await.expect(status);
        assert_eq!(own.header("x-request-id"), Some("Trace-1.2"));
        let long = "a".repeat(65);
        for bad in ["a b", "", "<script>", "a_b", long.as_str()] {
            let made = server.send(method, path, &[("x-request-id", bad)], "").await.expect(status);
            let made = made.header("x-request-id").unwrap();
            assert!(made != bad && made.len() == 16 && made.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{made}");
        }
    }
    let (one, other) = (server.get("Patient/p").await, server.get("Patient/p").await);
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
    let unchanged = server.get_with("Patient/p", &[("if-none-match", "*"), ("x-request-id", "same")]).await.expect(304);
    assert_eq!(unchanged.header("x-request-id"), Some("same"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_configured_address_only_this_machines_names_are_answered() {
    let server = with_patient(&[]).await;
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "localhost:8000/x", "10.0.0.1"] {
        for (method, path) in [("GET", "Patient/p"), ("POST", "Patient")] {
            let headers = [("host", host), ("content-type", FHIR_JSON)];
            let answer = server.send(method, path, &headers, patient().to_string()).await.expect(400);
            assert!(!answer.text.contains("evil"), "{}", answer.text);
        }
    }
    let refused = server.get_with("Patient/p", &[("host", "evil.example")]).await.expect(400);
    assert_eq!(refused.expression(), "http.host");
    assert_eq!(server.get("Patient/_history").await.json()["entry"].as_array().unwrap().len(), 1);
    let forwarded = [("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example")];
    let created = server.post_with("Patient", &forwarded, patient()).await.expect(201);
    assert!(created.header("location").unwrap().starts_with(&server.base));
    let named = server.post_with("Patient", &[("host", "localhost:1234")], patient()).await.expect(201);
    assert!(named.header("location").unwrap().starts_with("http://localhost:1234/fhir/Patient/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_address_is_in_every_link_whatever_the_host() {
    let server = with_patient(&[("BRASA_BASE_URL", "https://fhir.example.org/r4")]).await;
    for host in ["evil.example", "localhost", "fhir.example.org"] {
        for base in [server.base.clone(), format!("{}/fhir/R4", server.root)] {
            let headers = [("host", host), ("content-type", FHIR_JSON)];
            let created =
                server.send("POST", &format!("{base}/Patient"), &headers, patient().to_string()).await.expect(201);
            let location = created.header("location").unwrap();
            assert!(location.starts_with("https://fhir.example.org/r4/Patient/"), "{location}");
            let history =
                server.get_with(&format!("{base}/Patient/_history?_count=1"), &[("host", host)]).await.expect(200);
            assert!(history.text.matches("https://fhir.example.org/r4/").count() >= 3, "{}", history.text);
            assert!(!history.text.contains("evil") && !history.text.contains("localhost"), "{}", history.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_capability_statement_names_what_is_there_and_nothing_more() {
    let server = Server::start().await;
    let statement = server.get("metadata").await.expect(200).json();
    assert_eq!(
        (&statement["resourceType"], &statement["fhirVersion"]),
        (&json!("CapabilityStatement"), &json!("4.0.1"))
    );
    assert_eq!(statement["implementation"]["url"], server.base);
    let patches = json!(["application/json-patch+json", "application/fhir+json", "application/fhir+xml"]);
    assert_eq!(statement["patchFormat"], patches);
    let rest = &statement["rest"][0];
    let resources = rest["resource"].as_array().unwrap();
    assert_eq!(resources.len(), 146);
    for resource in resources {
        let codes: Vec<&str> =
            resource["interaction"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
        let mut expected = vec![
            "read",
            "vread",
            "update",
            "patch",
            "delete",
            "history-instance",
            "history-type",
            "create",
            "search-type",
        ];
        expected.retain(|code| *code != "patch" || resource["type"] != "Binary");
        assert_eq!(codes, expected);
        assert_eq!((&resource["conditionalCreate"], &resource["updateCreate"]), (&json!(true), &json!(true)));
        assert_eq!((&resource["conditionalUpdate"], &resource["conditionalDelete"]), (&json!(true), &json!("single")));
    }
    assert_eq!(
        rest["interaction"],
        json!(["transaction", "batch", "search-system", "history-system"].map(|code| json!({"code": code})))
    );
}
