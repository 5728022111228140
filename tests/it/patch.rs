//! Patches: JSON Patch on the current version, alone and in Bundles. <https://hl7.org/fhir/R4/http.html#patch>

use crate::support::bundle::{bundle, entry, observation, post, post_as, practitioner, put, with};
use crate::support::{Answer, Server};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const JSON_PATCH: &str = "application/json-patch+json";

/// A server with `Patient/p`, as this text has it after the id.
async fn with_patient(members: &str) -> Server {
    let server = Server::start().await;
    let separator = if members.is_empty() { "" } else { "," };
    let text = format!(r#"{{"resourceType":"Patient","id":"p"{separator}{members}}}"#);
    server.put("Patient/p", text).await.expect(201);
    server
}

async fn patch(server: &Server, path: &str, patch: impl ToString) -> Answer {
    patch_with(server, path, &[], patch).await
}

async fn patch_with(server: &Server, path: &str, headers: &[(&str, &str)], patch: impl ToString) -> Answer {
    let mut headers = headers.to_vec();
    headers.push(("content-type", JSON_PATCH));
    server.send("PATCH", path, &headers, patch.to_string()).await
}

/// An entry of a Bundle that patches.
fn patch_entry(url: &str, patch: &Value) -> Value {
    let data = STANDARD.encode(patch.to_string());
    let binary = json!({"resourceType": "Binary", "contentType": JSON_PATCH, "data": data});
    json!({"resource": binary, "request": {"method": "PATCH", "url": url}})
}

fn activate() -> Value {
    json!([{"op": "add", "path": "/active", "value": true}])
}

#[track_caller]
fn refused(answer: Answer, status: u16, place: &str) {
    assert_eq!((answer.status, answer.expression().as_str()), (status, place), "{}", answer.text);
    assert!(answer.issue()["diagnostics"].as_str().is_some_and(|words| words.len() > 15), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_makes_the_next_version_and_leaves_all_else_as_it_was() {
    let server =
        with_patient(r#""meta":{"tag":[{"code":"a"}]},"multipleBirthInteger":2,"extension":[{"url":"http://x","valueDecimal":1.00}],"birthDate":"2000-01-02","name":[{"given":["Ana"]}]"#)
            .await;
    let patched = patch(
        &server,
        "Patient/p",
        r#"[{"op":"test","path":"/extension/0/valueDecimal","value":1},
            {"op":"add","path":"/extension/-","value":{"url":"http://y","valueDecimal":2.50}},
            {"op":"add","path":"/name/0/given/0","value":"Eva"},
            {"op":"move","from":"/birthDate","path":"/deceasedDateTime"},
            {"op":"copy","from":"/name/0","path":"/name/-"},
            {"op":"replace","path":"/name/1/given","value":["Ana"]},
            {"op":"remove","path":"/multipleBirthInteger"}]"#,
    )
    .await
    .expect(200);
    assert_eq!(patched.header("etag"), Some("W/\"2\""));
    assert!(patched.header("location").unwrap().ends_with("/Patient/p/_history/2"));
    assert!(patched.header("last-modified").is_some());
    let meta = &patched.json()["meta"];
    assert_eq!((&meta["versionId"], &meta["tag"]), (&json!("2"), &json!([{"code": "a"}])));
    let after_meta = r#""extension":[{"url":"http://x","valueDecimal":1.00},{"url":"http://y","valueDecimal":2.50}],"name":[{"given":["Eva","Ana"]},{"given":["Ana"]}],"deceasedDateTime":"2000-01-02"}"#;
    assert!(patched.text.ends_with(after_meta), "{}", patched.text);
    let read = server.get("Patient/p").await.expect(200);
    assert_eq!((&read.text, read.header("etag")), (&patched.text, Some("W/\"2\"")));
    let history = server.get("Patient/p/_history").await.expect(200).entries();
    let methods: Vec<&Value> = history.iter().map(|entry| &entry["request"]["method"]).collect();
    assert_eq!(methods, ["PATCH", "PUT"]);
    assert_eq!(history[0]["request"]["url"], "Patient/p");
    assert_eq!(history[0]["response"]["status"], "200");
    // A patch without operations makes a version, too, as an update does that changes nothing.
    assert_eq!(patch(&server, "Patient/p", "[]").await.expect(200).header("etag"), Some("W/\"3\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn prefer_decides_what_a_patch_brings_back() {
    let server = with_patient("").await;
    let prefer = async |prefer| patch_with(&server, "Patient/p", &[("prefer", prefer)], activate()).await.expect(200);
    let minimal = prefer("return=minimal").await;
    assert_eq!((minimal.text.as_str(), minimal.header("etag")), ("", Some("W/\"2\"")));
    assert_eq!(prefer("return=representation").await.json()["active"], true);
    assert_eq!(prefer("return=OperationOutcome").await.json()["issue"][0]["severity"], "information");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_the_current_version_is_refused_with_422_and_changes_nothing() {
    let server = with_patient(r#""active":false,"name":[{"family":"a"}]"#).await;
    let before = server.rows().await;
    for (operation, place) in [
        (json!({"op": "test", "path": "/active", "value": true}), "patch[1].value"),
        (json!({"op": "test", "path": "/gender", "value": "male"}), "patch[1].path"),
        (json!({"op": "remove", "path": "/gender"}), "patch[1].path"),
        (json!({"op": "replace", "path": "/name/1", "value": {}}), "patch[1].path"),
        (json!({"op": "add", "path": "/name/00", "value": {}}), "patch[1].path"),
        (json!({"op": "copy", "from": "/gender", "path": "/language"}), "patch[1].from"),
    ] {
        let sent = json!([{"op": "add", "path": "/active", "value": false}, operation]);
        let answer = patch(&server, "Patient/p", &sent).await;
        assert_eq!(answer.issue()["code"], "processing", "{sent}");
        refused(answer, 422, place);
    }
    assert_eq!(server.rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_patch_and_one_whose_outcome_no_update_could_bring_are_refused() {
    let server = with_patient(r#""active":false"#).await;
    let before = server.rows().await;
    for (sent, status, place) in [
        ("", 400, "patch"),
        ("{}", 400, "patch"),
        ("[", 400, "patch[0]"),
        (r#"[{"op":"replace","path":"/active"}]"#, 400, "patch[0].value"),
        (r#"[{"op":"replace","op":"add","path":"/active","value":true}]"#, 400, "patch[0].op"),
        (r#"[{"op":"put","path":"/active","value":true}]"#, 400, "patch[0].op"),
        (r#"[{"op":"add","path":"active","value":true}]"#, 400, "patch[0].path"),
        (r#"[{"op":"replace","path":"/id","value":"q"}]"#, 400, "Patient.id"),
        (r#"[{"op":"remove","path":"/id"}]"#, 400, "Patient.id"),
        (r#"[{"op":"replace","path":"/id","value":7}]"#, 400, "Patient.id"),
        (r#"[{"op":"replace","path":"/resourceType","value":"Group"}]"#, 400, "Patient.resourceType"),
        (r#"[{"op":"replace","path":"/resourceType","value":"Pacient"}]"#, 400, "Patient.resourceType"),
        (r#"[{"op":"remove","path":"/resourceType"}]"#, 400, "Patient.resourceType"),
        (r#"[{"op":"remove","path":""}]"#, 400, "Patient"),
        (r#"[{"op":"replace","path":"/active","value":"yes"}]"#, 422, "Patient.active"),
        (r#"[{"op":"add","path":"/name","value":{"family":"a"}}]"#, 422, "Patient.name"),
        (r#"[{"op":"replace","path":"/meta","value":[]}]"#, 400, "Patient.meta"),
    ] {
        refused(patch(&server, "Patient/p", sent).await, status, place);
    }
    assert_eq!(server.rows().await, before);
    // What the server owns is written over, as in an update.
    let meta = json!([{"op": "replace", "path": "/meta/versionId", "value": "9"}, {"op": "remove", "path": "/meta/lastUpdated"}]);
    assert_eq!(patch(&server, "Patient/p", meta).await.expect(200).json()["meta"]["versionId"], "2");
    let whole =
        json!([{"op": "replace", "path": "", "value": {"resourceType": "Patient", "id": "p", "gender": "other"}}]);
    let replaced = patch(&server, "Patient/p", whole).await.expect(200).json();
    assert_eq!((&replaced["gender"], replaced.get("active")), (&json!("other"), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_hold_for_the_patch_and_for_what_becomes_of_the_resource() {
    let settings = [("BRASA_BODY_BYTES_MAX", "100KiB"), ("BRASA_JSON_DEPTH_MAX", "12")];
    let server = Server::start_with(&settings).await;
    let name = json!({"family": "a".repeat(10_000)});
    server.put("Patient/p", json!({"resourceType": "Patient", "id": "p", "name": [name]})).await.expect(201);
    let before = server.rows().await;
    let many = vec![json!({"op": "test", "path": "/id", "value": "p"}); 1_001];
    let too_many = patch(&server, "Patient/p", json!(many)).await;
    assert!(too_many.issue()["diagnostics"].as_str().unwrap().contains("1000 operations"), "{}", too_many.text);
    refused(too_many, 413, "patch");
    let copies = |count| json!(vec![json!({"op": "copy", "from": "/name/0", "path": "/name/-"}); count]);
    let too_large = patch(&server, "Patient/p", copies(11)).await;
    assert!(too_large.issue()["diagnostics"].as_str().unwrap().contains("102400 bytes"), "{}", too_large.text);
    refused(too_large, 413, "patch");
    let too_much = patch(&server, "Patient/p", copies(900)).await;
    assert!(too_much.issue()["diagnostics"].as_str().unwrap().contains("4194304 bytes"), "{}", too_much.text);
    refused(too_much, 413, "patch[418].from");
    let deep = json!([{"op": "add", "path": "/x", "value": {}}, {"op": "copy", "from": "", "path": "/x/y"}]);
    patch(&server, "Patient/p", &deep).await.expect(200);
    let grown = json!(vec![json!({"op": "copy", "from": "/x", "path": "/x/y/x/y"}); 9]);
    refused(patch(&server, "Patient/p", grown).await, 413, "patch[2].path");
    assert_eq!(before.len() + 1, server.rows().await.len(), "only the version that fits was written");
    patch(&server, "Patient/p", json!([{"op": "remove", "path": "/x"}])).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_patches_at_once_none_is_lost() {
    let server = with_patient(r#""name":[]"#).await;
    let patches = (0..12).map(|n| {
        let sent = json!([{"op": "add", "path": "/name/-", "value": {"family": format!("n{n}")}}]);
        let server = &server;
        async move { patch(server, "Patient/p", sent).await.expect(200) }
    });
    futures_util::future::join_all(patches).await;
    let read = server.get("Patient/p").await.expect(200);
    assert_eq!(read.header("etag"), Some("W/\"13\""));
    let mut names: Vec<String> =
        (0..12).map(|n| read.json()["name"][n]["family"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 12, "{}", read.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_obeys_if_match() {
    let server = with_patient("").await;
    server.put("Patient/p", json!({"resourceType": "Patient", "id": "p"})).await.expect(200);
    for stale in ["W/\"1\"", "W/\"3\"", "W/\"two\""] {
        refused(patch_with(&server, "Patient/p", &[("if-match", stale)], activate()).await, 412, "http.if-match");
    }
    let unread = [("if-match", "W/\"2\",W/\"3\"")];
    refused(patch_with(&server, "Patient/p", &unread, activate()).await, 400, "http.if-match");
    assert_eq!(server.get("Patient/p").await.header("etag"), Some("W/\"2\""));
    let current = patch_with(&server, "Patient/p", &[("if-match", "W/\"2\"")], activate()).await.expect(200);
    assert_eq!(current.header("etag"), Some("W/\"3\""));
    let at_once = (0..6).map(|_| patch_with(&server, "Patient/p", &[("if-match", "W/\"3\"")], activate()));
    let mut statuses: Vec<u16> =
        futures_util::future::join_all(at_once).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_does_not_create() {
    let server = with_patient("").await;
    server.delete("Patient/p").await.expect(204);
    for headers in [&[][..], &[("if-match", "W/\"1\"")]] {
        refused(patch_with(&server, "Patient/nobody", headers, activate()).await, 404, "");
        refused(patch_with(&server, "Patient/p", headers, activate()).await, 410, "");
    }
    server.get("Patient/nobody").await.expect(404);
    server.get("Patient/p").await.expect(410);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_of_another_type_is_refused_and_told_which_are_read() {
    let server = with_patient("").await;
    for other in ["application/fhir+turtle", "application/json", "application/xml-patch+xml", "text/plain"] {
        let answer = server.send("PATCH", "Patient/p", &[("content-type", other)], activate().to_string()).await;
        assert!(answer.issue()["diagnostics"].as_str().unwrap().contains(JSON_PATCH), "{}", answer.text);
        refused(answer, 415, "http.content-type");
    }
    let patched = server
        .send(
            "PATCH",
            "Patient/p",
            &[("content-type", "application/json-patch+json; charset=utf-8")],
            activate().to_string(),
        )
        .await;
    patched.expect(200);
    let put = server.send("PUT", "Patient/p", &[("content-type", JSON_PATCH)], activate().to_string()).await;
    refused(put, 415, "http.content-type");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrative_does_not_outlive_what_it_tells() {
    let server = Server::start().await;
    let narrative =
        |status: &str| json!({"status": status, "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">inactive</div>"});
    let store = async |status: &str| {
        let body = json!({"resourceType": "Patient", "id": "p", "text": narrative(status), "active": false});
        server.put("Patient/p", body).await;
    };
    let tag = json!([{"op": "add", "path": "/meta/tag", "value": [{"code": "a"}]}]);
    store("generated").await;
    assert_eq!(patch(&server, "Patient/p", &tag).await.expect(200).json()["text"], narrative("generated"));
    assert_eq!(patch(&server, "Patient/p", activate()).await.expect(200).json().get("text"), None);
    store("additional").await;
    patch(&server, "Patient/p", &tag).await.expect(200);
    refused(patch(&server, "Patient/p", activate()).await, 422, "Patient.text");
    let aware = json!([{"op": "test", "path": "/text/status", "value": "additional"}, activate()[0]]);
    assert_eq!(patch(&server, "Patient/p", aware).await.expect(200).json()["text"], narrative("additional"));
    let both = json!([activate()[0], {"op": "replace", "path": "/text", "value": narrative("empty")}]);
    assert_eq!(patch(&server, "Patient/p", both).await.expect(200).json()["text"], narrative("empty"));
    assert_eq!(patch(&server, "Patient/p", activate()).await.expect(200).json()["text"], narrative("empty"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_changes_the_subject_moves_the_resource() {
    let server = Server::start().await;
    for id in ["a", "b"] {
        server.put(&format!("Patient/{id}"), json!({"resourceType": "Patient", "id": id})).await.expect(201);
    }
    let made = server.post("Observation", observation("Patient/a")).await.expect(201).id();
    let reference = format!("Observation/{made}");
    let moved = json!([{"op": "replace", "path": "/subject/reference", "value": "Patient/b"}]);
    patch(&server, &reference, moved).await.expect(200);
    assert_eq!(server.compartment_of(&reference).await, "b");
    assert_eq!(server.get(&reference).await.expect(200).json()["subject"]["reference"], "Patient/b");
    server.get(&format!("{reference}/_history/1")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_patches_of_a_batch_succeed_and_fail_each_for_itself() {
    let server = with_patient(r#""active":false"#).await;
    let wrapped = |member: &str, value: Value| {
        let mut entry = patch_entry("Patient/p", &activate());
        entry["resource"][member] = value;
        entry
    };
    let spaced = STANDARD.encode(r#"[{"op":"add","path":"/gender","value":"other"}]"#).replace('h', "h\n ");
    let test = |value| json!([{"op": "test", "path": "/active", "value": value}]);
    let cases = [
        (200, "", with(patch_entry("Patient/p", &activate()), "ifMatch", "W/\"1\"")),
        (412, "Bundle.entry[1].request.ifMatch", with(patch_entry("Patient/p", &activate()), "ifMatch", "W/\"77\"")),
        (422, "Bundle.entry[2].patch[0].value", patch_entry("Patient/p", &test("never"))),
        (404, "Bundle.entry[3]", patch_entry("Patient/nobody", &activate())),
        (400, "Bundle.entry[4].patch", patch_entry("Patient/p", &json!({}))),
        (400, "Bundle.entry[5].Patient.id", patch_entry("Patient/p", &json!([{"op": "remove", "path": "/id"}]))),
        (400, "Bundle.entry[6].resource", entry("PATCH", "Patient/p")),
        (415, "Bundle.entry[7].resource.contentType", wrapped("contentType", json!("application/json"))),
        (400, "Bundle.entry[8].resource.data", wrapped("data", json!("***"))),
        (400, "Bundle.entry[9].resource.resourceType", wrapped("resourceType", json!("Basic"))),
        (200, "", wrapped("data", json!(spaced))),
        (404, "Bundle.entry[11]", patch_entry("Patient?identifier=x", &activate())),
        (400, "Bundle.entry[12].patch", wrapped("data", json!(""))),
        (405, "Bundle.entry[13].request.url", patch_entry("Binary/b", &activate())),
    ];
    let answer = server.post("", bundle("batch", cases.iter().map(|(.., entry)| entry.clone()))).await.expect(200);
    for ((status, place, sent), got) in cases.iter().zip(answer.entries()) {
        let response = &got["response"];
        assert!(response["status"].as_str().unwrap().starts_with(&status.to_string()), "{sent}: {got}");
        assert_eq!(response["outcome"]["issue"][0]["expression"][0].as_str().unwrap_or_default(), *place, "{got}");
    }
    let read = server.get("Patient/p").await.expect(200);
    assert_eq!((&read.json()["active"], &read.json()["gender"]), (&json!(true), &json!("other")));
    assert_eq!(read.header("etag"), Some("W/\"3\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_transaction_the_values_of_a_patch_link_to_its_entries() {
    let server = Server::start().await;
    let mut doctor = practitioner("one");
    doctor["id"] = "d".into();
    server.put("Practitioner/d", doctor).await.expect(201);
    server.put("Patient/p", json!({"resourceType": "Patient", "id": "p"})).await.expect(201);
    // Stored on its own, this link is just a text: no Bundle names what it means.
    let stored = json!({"resourceType": "Encounter", "id": "e", "status": "planned", "class": {"code": "AMB"},
        "subject": {"reference": "Patient/p"}, "partOf": {"reference": "urn:uuid:elsewhere"}});
    server.put("Encounter/e", stored).await.expect(201);
    let sent = json!([
        {"op": "test", "path": "/status", "value": "planned"},
        {"op": "replace", "path": "/status", "value": "finished"},
        {"op": "add", "path": "/diagnosis", "value": [{"condition": {"reference": "urn:uuid:c"}}]},
        {"op": "add", "path": "/serviceProvider", "value": {}},
        {"op": "add", "path": "/serviceProvider/reference", "value": "urn:uuid:o"},
        {"op": "add", "path": "/participant", "value": [{"individual": {"reference": "Practitioner?identifier=urn:test|one"}}]},
    ]);
    let condition = json!({"resourceType": "Condition", "subject": {"reference": "Patient/p"}, "encounter": {"reference": "urn:uuid:e"}});
    let mut patched = with(patch_entry("Encounter/e", &sent), "ifMatch", "W/\"1\"");
    patched["fullUrl"] = "urn:uuid:e".into();
    let answer = server
        .transact([
            entry("GET", "Encounter/e"),
            patched,
            post_as("urn:uuid:c", condition),
            post_as("urn:uuid:o", json!({"resourceType": "Organization", "name": "x"})),
            put(json!({"resourceType": "Patient", "id": "p", "active": true})),
        ])
        .await
        .expect(200);
    assert_eq!(answer.statuses(), [200, 200, 201, 201, 200]);
    let entries = answer.entries();
    assert_eq!(entries[1]["response"]["etag"], "W/\"2\"");
    let link = |at: usize| entries[at]["response"]["location"].as_str().unwrap().replace("/_history/1", "");
    let read = server.get("Encounter/e").await.expect(200).json();
    assert_eq!(read["status"], "finished");
    assert_eq!(read["diagnosis"][0]["condition"]["reference"], link(2));
    assert_eq!(read["serviceProvider"]["reference"], link(3));
    assert_eq!(read["participant"][0]["individual"]["reference"], "Practitioner/d");
    assert_eq!(read["partOf"]["reference"], "urn:uuid:elsewhere");
    assert_eq!(server.get(&link(2)).await.json()["encounter"]["reference"], "Encounter/e");
    assert_eq!(entries[0]["resource"], read, "a GET sees the patch");
    let history = server.get("Encounter/e/_history").await.expect(200).entries();
    assert_eq!(history[0]["request"]["method"], "PATCH");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_fails_leaves_nothing_of_its_transaction() {
    let server = with_patient(r#""active":false"#).await;
    server.put("Patient/gone", json!({"resourceType": "Patient", "id": "gone"})).await.expect(201);
    server.delete("Patient/gone").await.expect(204);
    let before = server.rows().await;
    let replace = |path: &str, value: Value| json!([{"op": "replace", "path": path, "value": value}]);
    let dangling = json!([{"op": "add", "path": "/managingOrganization", "value": {"reference": "urn:uuid:nobody"}}]);
    let unfound =
        json!([{"op": "add", "path": "/managingOrganization/reference", "value": "Organization?identifier=x|y"}]);
    for (status, place, failing) in [
        (422, "Bundle.entry[1].patch[0].path", patch_entry("Patient/p", &replace("/gender", json!("male")))),
        (422, "Bundle.entry[1].Patient.active", patch_entry("Patient/p", &replace("/active", json!("male")))),
        (400, "Bundle.entry[1].Patient.id", patch_entry("Patient/p", &replace("/id", json!("q")))),
        (400, "Bundle.entry[1].patch[0].op", patch_entry("Patient/p", &json!([{"path": "/x"}]))),
        (400, "Bundle.entry[1].Patient.managingOrganization.reference", patch_entry("Patient/p", &dangling)),
        (412, "Bundle.entry[1].patch[0].value", patch_entry("Patient/p", &unfound)),
        (404, "Bundle.entry[1]", patch_entry("Patient/nobody", &activate())),
        (410, "Bundle.entry[1]", patch_entry("Patient/gone", &activate())),
        (412, "Bundle.entry[1].request.ifMatch", with(patch_entry("Patient/p", &activate()), "ifMatch", "W/\"2\"")),
        (400, "Bundle.entry[2]", put(json!({"resourceType": "Patient", "id": "p"}))),
    ] {
        let mut entries = vec![post(json!({"resourceType": "Patient"})), failing.clone()];
        if place == "Bundle.entry[2]" {
            entries.push(patch_entry("Patient/p", &activate()));
        }
        refused(server.transact(entries).await, status, place);
        assert_eq!(server.rows().await, before, "{failing}");
    }
}
