//! Where operations are, how they are asked for, and how they are refused.

use crate::support::bundle::{entry, transaction};
use crate::support::{FHIR_JSON, Server};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn the_version_of_fhir_is_told_by_get_head_and_post() {
    let server = Server::start().await;
    let expected = json!({"resourceType": "Parameters", "parameter": [
        {"name": "version", "valueCode": "4.0"}, {"name": "default", "valueCode": "4.0"}]});
    assert_eq!(server.get("$versions").await.expect(200).json(), expected);
    assert_eq!(server.post("$versions", "").await.expect(200).json(), expected);
    assert_eq!(server.post("$versions", json!({"resourceType": "Parameters"})).await.expect(200).json(), expected);
    assert_eq!(server.send("HEAD", "$versions", &[], "").await.expect(200).text, "");
    let refused = server.get("$versions?version=3.0").await.expect(400);
    assert_eq!(refused.expression(), "version");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_refused_by_where_it_is_not_and_by_how_it_is_asked_for() {
    let server = Server::start().await;
    server.put("Patient/p", json!({"resourceType": "Patient", "id": "p"})).await.expect(201);
    for (method, path, status) in [
        ("GET", "Observation/x/$everything", 404),
        ("GET", "$everything", 404),
        ("GET", "Encounter/$everything", 404),
        ("PUT", "Patient/p/$everything", 405),
        ("DELETE", "Patient/p/$meta", 405),
        ("GET", "Patient/p/$meta-add", 405),
        ("POST", "Patient/p/_history/1/$meta-add", 404),
        ("GET", "Patient/$versions", 404),
        ("GET", "Patient/p/$nonsense", 400),
    ] {
        let answer = server.send(method, path, &[("content-type", FHIR_JSON)], "").await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        answer.issue();
    }
    let refused = server.send("PUT", "Patient/p/$everything", &[], "").await;
    assert_eq!(refused.header("allow"), Some("GET, HEAD, POST"));
    let refused = server.send("DELETE", "Patient/p/$meta-add", &[], "").await;
    assert_eq!(refused.header("allow"), Some("POST"));
    let unread = server.send("POST", "Patient/p/$meta-add", &[("content-type", "text/plain")], "x").await;
    unread.expect(415);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_refused_by_name_wherever_they_stand() {
    let server = Server::start().await;
    server.put("Patient/p", json!({"resourceType": "Patient", "id": "p"})).await.expect(201);
    for (path, place) in [
        ("Patient/p/$everything?_since=yesterday", "_since"),
        ("Patient/p/$everything?start=2020&start=2021", "start"),
        ("Patient/p/$everything?start=2021&end=2020", "end"),
        ("Patient/p/$everything?_type=Pacient", "_type"),
        ("Patient/p/$everything?_count=0", "_count"),
        ("Patient/p/$everything?_page=x", "_page"),
        ("Patient/p/$everything?code=x", "code"),
        ("Patient/p/$meta?x=y", "x"),
    ] {
        let refused = server.get(path).await.expect(400);
        assert_eq!(refused.expression(), place, "{path}: {}", refused.text);
    }
    let given = |parameter: Value| json!({"resourceType": "Parameters", "parameter": [{"name": "_count", "valueInteger": 5}, parameter]});
    for parameter in [json!({"name": "_since", "valueInstant": "soon"}), json!({"name": "x", "valueString": "y"})] {
        let refused = server.post("Patient/p/$everything", given(parameter)).await.expect(400);
        assert_eq!(refused.expression(), "Parameters.parameter[1]", "{}", refused.text);
    }
    let refused = server.post("Patient/p/$meta-add", json!({"resourceType": "Patient"})).await.expect(400);
    assert_eq!(refused.expression(), "Parameters.resourceType");
    assert_eq!(server.post("Patient/p/$meta-add", "").await.expect(400).expression(), "meta");
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_entries_of_batches_and_those_that_read_of_transactions() {
    let server = Server::start().await;
    server.put("Patient/p", json!({"resourceType": "Patient", "id": "p"})).await.expect(201);
    let add = json!({"request": {"method": "POST", "url": "Patient/p/$meta-add"}, "resource": {"resourceType": "Parameters",
        "parameter": [{"name": "meta", "valueMeta": {"tag": [{"code": "t"}]}}]}});
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        entry("GET", "Patient/p/$everything"), add.clone(), entry("GET", "Patient/$everything")]});
    let answer = server.post("", batch).await.expect(200).json();
    let statuses: Vec<&str> = (0..3).map(|n| answer["entry"][n]["response"]["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["200 OK", "200 OK", "400 Bad Request"]);
    assert_eq!(answer["entry"][0]["resource"]["type"], "searchset");
    assert_eq!(answer["entry"][1]["resource"]["parameter"][0]["valueMeta"]["tag"][0]["code"], "t");
    let patient =
        json!({"resource": {"resourceType": "Patient", "id": "q"}, "request": {"method": "PUT", "url": "Patient/q"}});
    let answer =
        server.post("", transaction(vec![patient, entry("GET", "Patient/q/$everything")])).await.expect(200).json();
    assert_eq!(answer["entry"][1]["resource"]["entry"][0]["resource"]["id"], "q", "{answer}");
    let refused = server.post("", transaction(vec![add])).await.expect(400);
    assert_eq!(refused.expression(), "Bundle.entry[0]");
}
