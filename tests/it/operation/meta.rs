//! `$meta`, `$meta-add` and `$meta-delete`. <https://hl7.org/fhir/R4/resource-operation-meta.html>

use crate::support::Server;
use serde_json::{Value, json};

fn given(meta: Value) -> Value {
    json!({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]})
}

async fn labelled() -> Server {
    let server = Server::start().await;
    let meta = json!({"profile": ["http://example.org/p"], "tag": [{"system": "urn:t", "code": "a", "display": "A"}]});
    server.put("Patient/p", json!({"resourceType": "Patient", "id": "p", "meta": meta})).await.expect(201);
    server
}

fn told(answer: crate::support::Answer) -> Value {
    answer.expect(200).json()["parameter"][0]["valueMeta"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_meta_of_a_resource_and_of_a_version_is_what_reading_shows() {
    let server = labelled().await;
    let read = server.get("Patient/p").await.json()["meta"].clone();
    assert_eq!(told(server.get("Patient/p/$meta").await), read);
    assert_eq!(told(server.post("Patient/p/$meta", "").await), read);
    server.put("Patient/p", json!({"resourceType": "Patient", "id": "p"})).await.expect(200);
    assert_eq!(told(server.get("Patient/p/_history/1/$meta").await), read);
    assert!(told(server.get("Patient/p/$meta").await)["tag"].is_null());
    server.get("Patient/q/$meta").await.expect(404);
    server.get("Patient/p/_history/3/$meta").await.expect(404);
    server.delete("Patient/p").await.expect(204);
    server.get("Patient/p/$meta").await.expect(410);
    // The server may leave these levels out, and says so.
    for path in ["$meta", "Patient/$meta"] {
        server.get(path).await.expect(404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_added_and_taken_away_as_a_new_version_that_the_history_tells_of() {
    let server = labelled().await;
    let more = json!({"tag": [{"system": "urn:t", "code": "a", "version": "2"}, {"system": "urn:t", "code": "b"}],
        "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]});
    let answer = server.post("Patient/p/$meta-add", given(more.clone())).await.expect(200);
    assert_eq!(answer.header("etag"), Some("W/\"2\""));
    let meta = told(answer);
    assert_eq!((meta["tag"].as_array().unwrap().len(), &meta["tag"][0]["display"]), (2, &json!("A")));
    assert_eq!(server.get("Patient?_tag=urn:t|b&_security=R").await.expect(200).entries().len(), 1);
    let history = server.get("Patient/p/_history").await.expect(200).json();
    assert_eq!(history["total"], 2);
    assert_eq!(history["entry"][0]["request"]["method"], "PATCH");
    assert!(history["entry"][1]["resource"]["meta"]["security"].is_null());
    // What changes nothing makes no version.
    assert_eq!(told(server.post("Patient/p/$meta-add", given(more.clone())).await)["versionId"], "2");
    let meta = told(server.post("Patient/p/$meta-delete", given(more.clone())).await);
    assert_eq!((&meta["versionId"], &meta["profile"][0]), (&json!("3"), &json!("http://example.org/p")));
    assert!(meta["tag"].is_null() && meta["security"].is_null());
    assert_eq!(told(server.post("Patient/p/$meta-delete", given(more)).await)["versionId"], "3");
    assert_eq!(server.get("Patient?_tag=urn:t|b").await.expect(200).entries().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_obey_preconditions_and_are_checked() {
    let server = labelled().await;
    let tag = given(json!({"tag": [{"code": "c"}]}));
    server.post_with("Patient/p/$meta-add", &[("if-match", "W/\"7\"")], &tag).await.expect(412);
    server.post_with("Patient/p/$meta-add", &[("if-match", "W/\"1\"")], &tag).await.expect(200);
    for (meta, place) in [
        (json!({"tag": [{"system": "urn:t"}]}), "Parameters.parameter[0].valueMeta.tag"),
        (json!({"profile": [null]}), "Parameters.parameter[0].valueMeta.profile"),
    ] {
        let refused = server.post("Patient/p/$meta-add", given(meta)).await.expect(400);
        assert!(refused.expression().starts_with("Parameters.parameter[0].valueMeta"), "{place}: {}", refused.text);
    }
    server.post("Patient/q/$meta-add", &tag).await.expect(404);
    server.delete("Patient/p").await.expect(204);
    server.post("Patient/p/$meta-add", &tag).await.expect(410);
}
