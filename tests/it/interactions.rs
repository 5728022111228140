//! Create, read, vread, update and delete over HTTP, as <https://hl7.org/fhir/R4/http.html> has them.

use crate::support::{Answer, FHIR_JSON, Server};
use brasa::fhir::definitions::ResourceType;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The types that must work before all others.
const FIRST: [&str; 5] = ["Patient", "Practitioner", "Observation", "Encounter", "MedicationRequest"];

fn observation(id: &str, patient: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "pulse"},
        "subject": {"reference": format!("Patient/{patient}")}})
}

async fn patient(server: &Server) -> String {
    server.post("Patient", json!({"resourceType": "Patient"})).await.expect(201).id()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_created_resource_is_read_back_and_has_its_headers() {
    let server = Server::start().await;
    let sent = json!({"resourceType": "Patient", "id": "mine", "name": [{"family": "Pérez"}]});
    let created = server.post("Patient", sent).await.expect(201);
    let id = created.id();
    assert_ne!(id, "mine", "a POSTed id is ignored");
    assert_eq!(created.header("etag"), Some("W/\"1\""));
    assert_eq!(created.header("location"), Some(format!("{}/Patient/{id}/_history/1", server.base).as_str()));
    assert_eq!(created.header("content-type"), Some("application/fhir+json; charset=utf-8"));
    let read = server.get(&format!("Patient/{id}")).await.expect(200);
    assert_eq!(read.text, created.text);
    assert_eq!(read.header("etag"), Some("W/\"1\""));
    assert_eq!(read.header("last-modified"), created.header("last-modified"));
    assert_eq!(read.json()["name"][0]["family"], "Pérez");
    server.get("Patient/mine").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn last_modified_is_the_versions_last_updated() {
    let server = Server::start().await;
    let created = server.post("Patient", json!({"resourceType": "Patient"})).await.expect(201);
    let last_updated = created.json()["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    let time = chrono::DateTime::parse_from_rfc3339(&last_updated).unwrap().to_utc();
    let http_date = time.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    assert_eq!(created.header("last-modified"), Some(http_date.as_str()));
    assert!((chrono::Utc::now() - time).num_seconds().abs() < 60, "{last_updated}");
}

/// Every interaction on one resource of a type; `base` is the address it is served at.
async fn walk(server: &Server, base: &str, type_name: &str) {
    let minimal = json!({"resourceType": type_name});
    let created = server.post(&format!("{base}/{type_name}"), &minimal).await.expect(201);
    let id = created.id();
    let instance = format!("{base}/{type_name}/{id}");
    assert_eq!(created.header("location"), Some(format!("{instance}/_history/1").as_str()));
    assert_eq!(server.get(&instance).await.expect(200).text, created.text);
    let second = json!({"resourceType": type_name, "id": id, "language": "es"});
    let updated = server.put(&instance, &second).await.expect(200);
    assert_eq!((updated.header("etag"), &updated.json()["language"]), (Some("W/\"2\""), &json!("es")));
    assert_eq!(server.get(&instance).await.expect(200).text, updated.text);
    assert_eq!(server.get(&format!("{instance}/_history/1")).await.expect(200).text, created.text);
    assert_eq!(server.get(&format!("{instance}/_history/2")).await.expect(200).text, updated.text);
    assert_eq!(server.delete(&instance).await.expect(204).text, "");
    let gone = server.get(&instance).await.expect(410);
    assert_eq!(gone.issue()["code"], "deleted");
    server.get(&format!("{instance}/_history/3")).await.expect(410);
    assert_eq!(server.get(&format!("{instance}/_history/1")).await.expect(200).text, created.text);
    let history = server.get(&format!("{instance}/_history")).await.expect(200).json();
    let methods = history["entry"].as_array().unwrap().iter().map(|entry| &entry["request"]["method"]);
    assert!(methods.eq(["DELETE", "PUT", "POST"]), "{type_name}");
    assert_eq!(history["total"], 3, "{type_name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_binary_holds_comes_and_goes_as_it_is() {
    let server = Server::start_with(&[("BRASA_VALIDATION", "full")]).await;
    let (image, fhir) = (b"\x89PNG\r\n\x1a\n\x00\xff".to_vec(), [("accept", FHIR_JSON)]);
    let headers = [("content-type", "image/png"), ("x-security-context", "Patient/p")];
    let created = server.send("POST", "Binary", &headers, image.clone()).await.expect(201);
    let path = format!("Binary/{}", created.id());
    for accept in ["*/*", "image/png", "text/html,application/xml;q=0.9,*/*;q=0.8"] {
        let answer = server.get_with(&path, &[("accept", accept)]).await.expect(200);
        assert_eq!((answer.header("content-type"), &answer.bytes), (Some("image/png"), &image), "{accept}");
        let told = ["etag", "x-security-context", "content-disposition"].map(|name| answer.header(name));
        assert_eq!(told, [Some("W/\"1\""), Some("Patient/p"), Some("attachment")]);
    }
    let resource = server.get_with(&path, &fhir).await.expect(200).json();
    assert_eq!((&resource["contentType"], &resource["data"]), (&json!("image/png"), &json!("iVBORw0KGgoA/w==")));
    assert_eq!(resource["securityContext"]["reference"], "Patient/p");
    let xml = server.get(&format!("{path}?_format=xml")).await.expect(200);
    assert!(xml.text.contains("<data value=\"iVBORw0KGgoA/w==\"/>"), "{}", xml.text);
    // The next version, under the client's id, and each of them by its own.
    let cda = "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"/>";
    server.send("PUT", &path, &[("content-type", "text/xml"), ("if-match", "W/\"1\"")], cda).await.expect(200);
    let read = server.get(&path).await.expect(200);
    assert_eq!((read.header("content-type"), read.text.as_str()), (Some("text/xml"), cda));
    assert_eq!(server.get(&format!("{path}/_history/1")).await.expect(200).bytes, image);
    server.get_with(&path, &[("if-none-match", "W/\"2\"")]).await.expect(304);
    // A resource comes as one, as JSON as well, and one without content has none to give.
    let empty = json!({"resourceType": "Binary", "id": "empty", "contentType": "text/plain"});
    server.send("PUT", "Binary/empty", &[("content-type", "application/json")], empty.to_string()).await.expect(201);
    assert_eq!(server.get("Binary/empty").await.expect(200).json()["contentType"], "text/plain");
    for (content_type, status, place) in
        [("image", 415, "http.content-type"), ("image/ png", 422, "Binary.contentType")]
    {
        let refused = server.send("POST", "Binary", &[("content-type", content_type)], "x").await.expect(status);
        assert_eq!(refused.expression(), place, "{content_type}");
    }
    server.get("Binary/nowhere").await.expect(404).issue();
    // A page of another site can send text without asking, and stores nothing with it.
    for (site, status) in [("cross-site", 403), ("same-origin", 201)] {
        let headers = [("content-type", "text/plain"), ("sec-fetch-site", site)];
        server.send("POST", "Binary", &headers, "x").await.expect(status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_r4_type_is_created_read_updated_deleted_and_remembered() {
    let server = Server::start().await;
    for type_name in FIRST {
        walk(&server, &server.base, type_name).await;
    }
    let others: Vec<&str> = ResourceType::all().map(|one| one.as_str()).filter(|one| !FIRST.contains(one)).collect();
    assert_eq!(others.len() + FIRST.len(), 146, "R4 has 148 resource types; two of them are abstract");
    for some in others.chunks(8) {
        join_all(some.iter().map(|type_name| walk(&server, &server.base, type_name))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_served_under_fhir_r4() {
    let server = Server::start().await;
    let base = format!("{}/fhir/R4", server.root);
    for type_name in FIRST {
        walk(&server, &base, type_name).await;
    }
    let id = server.post(&format!("{base}/Patient"), json!({"resourceType": "Patient"})).await.expect(201).id();
    let here = server.get(&format!("Patient/{id}")).await.expect(200);
    assert_eq!(here.text, server.get(&format!("{base}/Patient/{id}")).await.expect(200).text);
    server.get(&format!("{base}/metadata")).await.expect(200);
    server.get(&format!("{}/fhir/R5/Patient/{id}", server.root)).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_creates_under_the_clients_id_and_then_updates() {
    let server = Server::start().await;
    for type_name in FIRST {
        let body = json!({"resourceType": type_name, "id": "Chosen-1.a"});
        let path = format!("{type_name}/Chosen-1.a");
        let created = server.put(&path, &body).await.expect(201);
        assert_eq!(created.header("location"), Some(format!("{}/{path}/_history/1", server.base).as_str()));
        assert_eq!((created.header("etag"), created.id().as_str()), (Some("W/\"1\""), "Chosen-1.a"));
        let updated = server.put(&path, &body).await.expect(200);
        assert_eq!((updated.header("etag"), &updated.json()["meta"]["versionId"]), (Some("W/\"2\""), &json!("2")));
        assert!(updated.header("last-modified").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_after_a_delete_creates_again_and_the_versions_go_on() {
    let server = Server::start().await;
    let body = json!({"resourceType": "Patient", "id": "back"});
    server.put("Patient/back", &body).await.expect(201);
    server.delete("Patient/back").await.expect(204);
    let again = server.put("Patient/back", &body).await.expect(201);
    assert_eq!(again.header("etag"), Some("W/\"3\""));
    assert_eq!(again.header("location"), Some(format!("{}/Patient/back/_history/3", server.base).as_str()));
    server.get("Patient/back").await.expect(200);
    server.get("Patient/back/_history/2").await.expect(410);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_what_is_not_there_or_is_deleted_already_makes_no_version() {
    let server = Server::start().await;
    server.delete("Patient/never").await.expect(204);
    server.get("Patient/never").await.expect(404);
    server.put("Patient/p", json!({"resourceType": "Patient", "id": "p"})).await.expect(201);
    server.delete("Patient/p").await.expect(204);
    server.delete("Patient/p").await.expect(204);
    assert_eq!(server.get("Patient/p/_history").await.expect(200).json()["total"], 2);
}

/// How many writes to one id happened, after checking that one of them made it and that the others were refused
/// with one of these statuses.
#[track_caller]
fn written(answers: &[Answer], refusals: &[u16]) -> usize {
    let (done, refused): (Vec<&Answer>, Vec<&Answer>) =
        answers.iter().partition(|answer| [200, 201].contains(&answer.status));
    for answer in refused {
        assert!(refusals.contains(&answer.status), "{}: {}", answer.status, answer.text);
    }
    assert_eq!(done.iter().filter(|answer| answer.status == 201).count(), 1);
    done.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_parallel_updates_make_versions_without_gap_or_double() {
    let server = Server::start().await;
    let puts = (0..50).map(|n| {
        let body = json!({"resourceType": "Patient", "id": "busy", "multipleBirthInteger": n});
        server.put("Patient/busy", body)
    });
    let answers = join_all(puts).await;
    assert_eq!(written(&answers, &[]), 50);
    let versions: BTreeSet<u32> =
        answers.iter().map(|answer| answer.json()["meta"]["versionId"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(versions, (1..=50).collect());
    for answer in &answers {
        let version = answer.json()["meta"]["versionId"].as_str().unwrap().to_owned();
        let read = server.get(&format!("Patient/busy/_history/{version}")).await.expect(200);
        assert_eq!(read.text, answer.text, "what was answered is what is stored");
    }
    assert_eq!(server.get("Patient/busy/_history?_count=1").await.json()["total"], 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_written_for_several_patients_at_once_makes_one_resource() {
    let mut total = 0;
    let server = Server::start().await;
    for round in 0..10 {
        let id = format!("contested-{round}");
        let path = format!("Observation/{id}");
        let puts = (0..8).map(|n| server.put(&path, observation(&id, &format!("subject-{n}"))));
        let answers = join_all(puts).await;
        // Each write moves the resource; who loses that race too often is told so, and nothing of it is stored.
        let count = written(&answers, &[409]);
        total += count;
        let history = server.get(&format!("Observation/{id}/_history")).await.expect(200).json();
        let versions: Vec<&str> =
            history["entry"].as_array().unwrap().iter().map(|e| e["response"]["etag"].as_str().unwrap()).collect();
        let expected: Vec<String> = (1..=count).rev().map(|version| format!("W/\"{version}\"")).collect();
        assert_eq!(versions, expected);
        let current = server.get(&format!("Observation/{id}")).await.expect(200).json();
        assert_eq!(current, history["entry"][0]["resource"]);
    }
    // Seen from the side as well: the type's history knows no second resource of that id.
    let all = server.get("Observation/_history?_count=1000").await.expect(200).json();
    assert_eq!(all["entry"].as_array().unwrap().len(), total);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_resources_id_carries_its_patient() {
    let server = Server::start().await;
    let patient = patient(&server).await;
    let mut ids = BTreeSet::new();
    for _ in 0..20 {
        let id = server.post("Observation", observation("x", &patient)).await.expect(201).id();
        let suffix = id.strip_prefix(&format!("{patient}.")).unwrap_or_else(|| panic!("{id}"));
        assert!(suffix.len() == 13 && suffix.bytes().all(|b| b.is_ascii_alphanumeric()), "{id}");
        server.get(&format!("Observation/{id}")).await.expect(200);
        ids.insert(id);
    }
    assert_eq!(ids.len(), 20);
    let shared = server.post("Practitioner", json!({"resourceType": "Practitioner"})).await.expect(201).id();
    assert!(!shared.contains('.'), "{shared}");
}

/// Updates the resource to another subject twice and back, and reads everything again by the same id each time.
async fn move_about(server: &Server, id: &str, mut texts: Vec<String>) {
    let path = format!("Observation/{id}");
    for subject in ["moved-to-a", "moved-to-b", "moved-to-b", "home"] {
        texts.push(server.put(&path, observation(id, subject)).await.expect(200).text);
        assert_eq!(&server.get(&path).await.expect(200).text, texts.last().unwrap());
        for (text, version) in texts.iter().zip(1..) {
            assert_eq!(&server.get(&format!("{path}/_history/{version}")).await.expect(200).text, text);
        }
        let history = server.get(&format!("{path}/_history")).await.expect(200).json();
        assert_eq!(history["total"], texts.len());
        let listed = history["entry"].as_array().unwrap().iter().rev().map(|entry| &entry["resource"]);
        assert!(
            listed.eq(texts.iter().map(|text| serde_json::from_str::<Value>(text).unwrap()).collect::<Vec<_>>().iter())
        );
    }
    server.delete(&path).await.expect(204);
    server.get(&path).await.expect(410);
    let back = server.put(&path, observation(id, "moved-to-a")).await.expect(201);
    assert_eq!(back.header("etag"), Some(format!("W/\"{}\"", texts.len() + 2).as_str()));
    assert_eq!(server.get(&path).await.expect(200).text, back.text);
    assert_eq!(server.get(&format!("{path}/_history")).await.json()["total"], texts.len() + 2);
    let all = server.get("Observation/_history?_count=100").await.expect(200).json();
    assert_eq!(all["entry"].as_array().unwrap().len(), texts.len() + 2, "nothing is left behind where it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_changes_its_subject_keeps_its_id_and_all_its_history() {
    let server = Server::start().await;
    let patient = patient(&server).await;
    let created = server.post("Observation", observation("x", &patient)).await.expect(201);
    move_about(&server, &created.id(), vec![created.text.clone()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_under_a_clients_id_is_found_wherever_its_subject_is() {
    let server = Server::start().await;
    let created = server.put("Observation/of-client", observation("of-client", "home")).await.expect(201);
    move_about(&server, "of-client", vec![created.text]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_id_that_looks_like_the_servers_is_found_too() {
    let server = Server::start().await;
    let id = "somebody.0123456789abc";
    let created = server.put(&format!("Observation/{id}"), observation(id, "else")).await.expect(201);
    move_about(&server, id, vec![created.text]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_of_a_patient_with_a_very_long_id_are_found_by_their_own() {
    let server = Server::start().await;
    for length in [50, 51, 64] {
        let long = "x".repeat(length);
        let put = server.put(&format!("Patient/{long}"), json!({"resourceType": "Patient", "id": long})).await;
        put.expect(201);
        let created = server.post("Observation", observation("x", &long)).await.expect(201);
        let path = format!("Observation/{}", created.id());
        assert_eq!(server.get(&path).await.expect(200).text, created.text, "patient id of {length} characters");
        assert_eq!(server.get(&format!("{path}/_history/1")).await.expect(200).text, created.text);
        server.put(&path, observation(&created.id(), &long)).await.expect(200);
        assert_eq!(server.get(&format!("{path}/_history")).await.expect(200).json()["total"], 2);
        server.delete(&path).await.expect(204);
        server.get(&path).await.expect(410);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_answers_as_get_does_but_without_a_body() {
    let server = Server::start().await;
    server.put("Patient/p", json!({"resourceType": "Patient", "id": "p"})).await.expect(201);
    for path in ["Patient/p", "Patient/p/_history/1", "metadata", "Patient/nobody", "Pacient/p"] {
        let (got, head) = (server.get(path).await, server.send("HEAD", path, &[], "").await);
        assert_eq!((head.status, head.text.as_str()), (got.status, ""), "{path}");
        for name in ["etag", "last-modified", "content-type"] {
            assert_eq!(head.header(name), got.header(name), "{path} {name}");
        }
        if let Some(length) = head.header("content-length") {
            assert_eq!(length, got.text.len().to_string(), "{path}");
        }
    }
    let history = server.send("HEAD", "Patient/p/_history", &[], "").await.expect(200);
    assert_eq!(history.text, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unknown_is_404_and_what_means_nothing_at_an_address_is_405_with_the_methods_that_do() {
    let server = Server::start().await;
    for path in [
        "Patient/nobody",
        "Patient/nobody/_history",
        "Patient/nobody/_history/1",
        "Patient/p/_history/9",
        "Patient/p/_history/x",
    ] {
        server.put("Patient/p", json!({"resourceType": "Patient", "id": "p"})).await;
        assert_eq!(server.get(path).await.expect(404).issue()["code"], "not-found", "{path}");
    }
    for (method, path, allowed) in [
        ("POST", "Patient/p", "GET, HEAD, PUT, PATCH, DELETE"),
        ("OPTIONS", "Patient/p", "GET, HEAD, PUT, PATCH, DELETE"),
        ("PUT", "Patient", "GET, HEAD, POST"),
        ("PATCH", "Patient", "GET, HEAD, POST"),
        ("PATCH", "Binary/b", "GET, HEAD, PUT, DELETE"),
        ("DELETE", "Patient", "GET, HEAD, POST"),
        ("BREW", "Patient?_id=p", "GET, HEAD, POST, PUT, PATCH, DELETE"),
        ("PUT", "Patient/p/_history/1", "GET, HEAD"),
        ("DELETE", "Patient/p/_history", "GET, HEAD"),
        ("POST", "metadata", "GET, HEAD"),
        ("POST", "_history", "GET, HEAD"),
        ("PUT", "", "GET, HEAD, POST"),
        ("BREW", "Patient/p", "GET, HEAD, PUT, PATCH, DELETE"),
    ] {
        let answer = server.send(method, path, &[("content-type", "application/fhir+json")], "").await.expect(405);
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
        assert_eq!(answer.issue()["code"], "not-supported");
    }
}
