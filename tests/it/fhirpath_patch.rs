//! Patches: FHIRPath Patch on the current version, alone and in Bundles. <https://hl7.org/fhir/R4/fhirpatch.html>

use crate::support::bundle::{bundle, entry, observation, post_as, practitioner, put, with};
use crate::support::{Answer, FHIR_JSON, Server};
use serde_json::{Value, json};

/// A Parameters resource of operations, each of its parts by name.
fn parameters(operations: impl IntoIterator<Item = Value>) -> Value {
    let operation = |parts: Value| {
        let part = |(name, value): (&String, &Value)| {
            let mut part = match value {
                Value::Object(typed) => typed.clone(),
                Value::Number(_) => json!({"valueInteger": value}).as_object().unwrap().clone(),
                Value::String(_) if name == "type" => json!({"valueCode": value}).as_object().unwrap().clone(),
                _ => json!({"valueString": value}).as_object().unwrap().clone(),
            };
            part.insert("name".into(), json!(name));
            Value::Object(part)
        };
        json!({"name": "operation", "part": parts.as_object().unwrap().iter().map(part).collect::<Vec<_>>()})
    };
    json!({"resourceType": "Parameters", "parameter": operations.into_iter().map(operation).collect::<Vec<_>>()})
}

fn replace(path: &str, value: Value) -> Value {
    parameters([json!({"type": "replace", "path": path, "value": value})])
}

fn activate() -> Value {
    parameters([json!({"type": "add", "path": "Patient", "name": "active", "value": {"valueBoolean": true}})])
}

async fn with_patient(members: Value) -> Server {
    let server = Server::start().await;
    let mut patient = json!({"resourceType": "Patient", "id": "p"});
    patient.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    server.put("Patient/p", patient).await.expect(201);
    server
}

async fn patch(server: &Server, path: &str, patch: impl ToString) -> Answer {
    server.send("PATCH", path, &[("content-type", FHIR_JSON)], patch.to_string()).await
}

fn patch_entry(url: &str, patch: &Value) -> Value {
    json!({"resource": patch, "request": {"method": "PATCH", "url": url}})
}

#[track_caller]
fn refused(answer: Answer, status: u16, place: &str) {
    assert_eq!((answer.status, answer.expression().as_str()), (status, place), "{}", answer.text);
    assert!(answer.issue()["diagnostics"].as_str().is_some_and(|words| words.len() > 15), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fhirpath_patch_makes_the_next_version_with_values_of_all_forms() {
    let server = with_patient(json!({"birthDate": "2000-01-02", "gender": "male", "deceasedBoolean": false,
        "name": [{"use": "official", "given": ["Ana", "Eva"]}, {"use": "old"}],
        "telecom": [{"value": "1"}, {"value": "2"}, {"value": "3"}]}))
    .await;
    let contact = json!({"part": [{"name": "name", "valueHumanName": {"family": "Pérez"}},
        {"name": "telecom", "valueContactPoint": {"value": "5"}}, {"name": "telecom", "valueContactPoint": {"value": "6"}}]});
    let sent = parameters([
        json!({"type": "add", "path": "Patient", "name": "contact", "value": contact}),
        json!({"type": "insert", "path": "Patient.name.where(use = 'official').given", "index": 1, "value": "María"}),
        json!({"type": "replace", "path": "Patient.deceased", "value": {"valueDateTime": "2020-01-01"}}),
        json!({"type": "delete", "path": "Patient.gender"}),
        json!({"type": "delete", "path": "Patient.maritalStatus"}),
        json!({"type": "move", "path": "Patient.telecom", "source": 2, "destination": 0}),
        json!({"type": "add", "path": "Patient.birthDate", "name": "extension",
            "value": {"valueExtension": {"url": "http://x", "valueDecimal": 1}}}),
        json!({"type": "delete", "path": "Patient.name.where(use = 'old')"}),
    ]);
    let patched = patch(&server, "Patient/p", &sent).await.expect(200);
    assert_eq!(patched.header("etag"), Some("W/\"2\""));
    let mut found = patched.json();
    found.as_object_mut().unwrap().remove("meta");
    let expected = json!({"resourceType": "Patient", "id": "p", "birthDate": "2000-01-02",
        "_birthDate": {"extension": [{"url": "http://x", "valueDecimal": 1}]}, "deceasedDateTime": "2020-01-01",
        "name": [{"use": "official", "given": ["Ana", "María", "Eva"]}],
        "telecom": [{"value": "3"}, {"value": "1"}, {"value": "2"}],
        "contact": [{"name": {"family": "Pérez"}, "telecom": [{"value": "5"}, {"value": "6"}]}]});
    assert_eq!(found, expected);
    let history = server.get("Patient/p/_history").await.expect(200).entries();
    assert_eq!(history[0]["request"]["method"], "PATCH");
    assert_eq!(
        server.get("Patient?family=P%C3%A9rez").await.expect(200).entries().len(),
        0,
        "a contact's name is not the patient's"
    );
    assert_eq!(server.get("Patient?given=Mar%C3%ADa").await.expect(200).entries().len(), 1, "the index has followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fhirpath_patch_that_does_not_fit_names_its_operation_and_changes_nothing() {
    let server = with_patient(json!({"active": false, "name": [{"family": "a"}, {"family": "b"}]})).await;
    let before = server.rows().await;
    for (operation, status, place) in [
        (json!({"type": "replace", "path": "Patient.gender", "value": "male"}), 422, "patch[1].path"),
        (json!({"type": "replace", "path": "Patient.name", "value": {"valueHumanName": {}}}), 422, "patch[1].path"),
        (json!({"type": "delete", "path": "Patient.name.family"}), 422, "patch[1].path"),
        (json!({"type": "delete", "path": "Patient"}), 422, "patch[1].path"),
        (json!({"type": "delete", "path": "Patient.name.count()"}), 422, "patch[1].path"),
        (json!({"type": "delete", "path": "Patient.nothing"}), 422, "patch[1].path"),
        (json!({"type": "add", "path": "Patient.contact", "name": "gender", "value": "male"}), 422, "patch[1].path"),
        (
            json!({"type": "add", "path": "Patient", "name": "active", "value": {"valueBoolean": true}}),
            422,
            "patch[1].name",
        ),
        (json!({"type": "add", "path": "Patient", "name": "nothing", "value": "x"}), 422, "patch[1].name"),
        (json!({"type": "add", "path": "Patient", "name": "maritalStatus", "value": "x"}), 422, "patch[1].value"),
        (
            json!({"type": "insert", "path": "Patient.name", "index": 3, "value": {"valueHumanName": {}}}),
            422,
            "patch[1].index",
        ),
        (json!({"type": "insert", "path": "Patient.gender", "index": 0, "value": "male"}), 422, "patch[1].path"),
        (json!({"type": "move", "path": "Patient.name", "source": 0, "destination": 2}), 422, "patch[1].destination"),
        (json!({"type": "delete", "path": "Patient.name["}), 400, "patch[1].path"),
        (json!({"type": "delete", "path": "Patient.name.fetch()"}), 400, "patch[1].path"),
        (json!({"type": "delete"}), 400, "patch[1].path"),
        (json!({"type": "merge", "path": "Patient.name"}), 400, "patch[1].type"),
        (json!({"type": "add", "path": "Patient", "name": "gender"}), 400, "patch[1].value"),
        (json!({"type": "insert", "path": "Patient.name", "value": {"valueHumanName": {}}}), 400, "patch[1].index"),
        (json!({"type": "insert", "path": "Patient.name.where(true)", "index": 0, "value": "x"}), 400, "patch[1].path"),
        (json!({"type": "delete", "path": "Patient.name", "other": 1}), 400, "patch[1].part"),
        (json!({"type": "replace", "path": "Patient.id", "value": "q"}), 400, "Patient.id"),
        (json!({"type": "delete", "path": "Patient.id"}), 400, "Patient.id"),
    ] {
        let first = json!({"type": "replace", "path": "Patient.active", "value": {"valueBoolean": true}});
        let sent = parameters([first, operation.clone()]);
        let answer = patch(&server, "Patient/p", &sent).await;
        assert!(answer.status == status, "{operation}: {}", answer.text);
        refused(answer, status, place);
    }
    for (sent, place) in
        [("", "patch"), ("{}", "patch"), ("[]", "patch"), (r#"{"resourceType":"Patient"}"#, "patch"), ("{", "patch")]
    {
        refused(patch(&server, "Patient/p", sent).await, 400, place);
    }
    let json_patch =
        server.send("PATCH", "Patient/p", &[("content-type", "application/json-patch+json")], activate().to_string());
    refused(json_patch.await, 400, "patch");
    assert_eq!(server.rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fhirpath_patch_is_bounded_in_operations_steps_and_depth() {
    let server =
        with_patient(json!({"name": (0..300).map(|_| json!({"given": ["a", "b"]})).collect::<Vec<_>>()})).await;
    let before = server.rows().await;
    let many = parameters((0..1_001).map(|_| json!({"type": "delete", "path": "Patient.gender"})));
    refused(patch(&server, "Patient/p", &many).await, 413, "patch");
    let loops = "Patient.name.where(%resource.name.where(%resource.name.where(given.count() = %resource.name.count()).exists()).exists())";
    let slow = parameters([json!({"type": "delete", "path": loops})]);
    refused(patch(&server, "Patient/p", &slow).await, 413, "patch[0].path");
    let deeper = (0..400).map(|depth| {
        let path = format!("Patient.descendants().where($this is Extension).skip({}).first()", depth);
        let path = if depth == 0 {
            "Patient".to_owned()
        } else {
            path.replace(&format!("skip({depth})"), &format!("skip({})", depth - 1))
        };
        json!({"type": "add", "path": path, "name": "extension", "value": {"valueExtension": {"url": "x"}}})
    });
    let answer = patch(&server, "Patient/p", parameters(deeper)).await;
    assert_eq!(answer.status, 413, "{}", answer.text);
    assert_eq!(server.rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fhirpath_patch_obeys_if_match_and_does_not_create() {
    let server = with_patient(json!({})).await;
    let when = async |version: &str| {
        let headers = [("content-type", FHIR_JSON), ("if-match", version)];
        server
            .send(
                "PATCH",
                "Patient/p",
                &headers,
                replace("Patient.meta.tag.where(code = 'x').display", json!("y")).to_string(),
            )
            .await
    };
    refused(when("W/\"2\"").await, 412, "http.if-match");
    refused(when("W/\"1\"").await, 422, "patch[0].path");
    patch(&server, "Patient/nobody", activate()).await.expect(404);
    patch(&server, "Patient?identifier=none", activate()).await.expect(404);
    assert_eq!(patch(&server, "Patient?_id=p", activate()).await.expect(200).json()["active"], true);
    server.delete("Patient/p").await.expect(204);
    patch(&server, "Patient/p", activate()).await.expect(410);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrative_does_not_outlive_what_it_tells_after_a_fhirpath_patch() {
    let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>";
    let narrative = |status: &str| json!({"text": {"status": status, "div": div}});
    let server = with_patient(narrative("generated")).await;
    assert!(patch(&server, "Patient/p", activate()).await.expect(200).json()["text"].is_null());
    let mut told = narrative("additional");
    told["resourceType"] = "Patient".into();
    told["id"] = "p".into();
    server.put("Patient/p", told).await.expect(200);
    refused(patch(&server, "Patient/p", activate()).await, 422, "Patient.text");
    let both = parameters([
        json!({"type": "add", "path": "Patient", "name": "active", "value": {"valueBoolean": true}}),
        json!({"type": "replace", "path": "Patient.text.div", "value": div.replace('a', "b")}),
    ]);
    patch(&server, "Patient/p", both).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fhirpath_patch_that_changes_the_subject_moves_the_resource() {
    let server = Server::start().await;
    for id in ["a", "b"] {
        server.put(&format!("Patient/{id}"), json!({"resourceType": "Patient", "id": id})).await.expect(201);
    }
    let made = server.post("Observation", observation("Patient/a")).await.expect(201).id();
    let reference = format!("Observation/{made}");
    patch(&server, &reference, replace("Observation.subject.reference", json!("Patient/b"))).await.expect(200);
    assert_eq!(server.compartment_of(&reference).await, "b");
    let back = replace("Observation.subject", json!({"valueReference": {"reference": "Patient/a"}}));
    patch(&server, &reference, back).await.expect(200);
    assert_eq!(server.compartment_of(&reference).await, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_transaction_the_values_of_a_fhirpath_patch_link_to_its_entries() {
    let server = Server::start().await;
    let mut doctor = practitioner("one");
    doctor["id"] = "d".into();
    server.put("Practitioner/d", doctor).await.expect(201);
    server.put("Patient/p", json!({"resourceType": "Patient", "id": "p"})).await.expect(201);
    let stored = json!({"resourceType": "Encounter", "id": "e", "status": "planned", "class": {"code": "AMB"},
        "subject": {"reference": "Patient/p"}, "partOf": {"reference": "urn:uuid:elsewhere"}});
    server.put("Encounter/e", stored).await.expect(201);
    let diagnosis = json!({"part": [{"name": "condition", "valueReference": {"reference": "urn:uuid:c"}}]});
    let sent = parameters([
        json!({"type": "replace", "path": "Encounter.status", "value": {"valueCode": "finished"}}),
        json!({"type": "add", "path": "Encounter", "name": "diagnosis", "value": diagnosis}),
        json!({"type": "add", "path": "Encounter", "name": "serviceProvider", "value": {"valueReference": {"display": "x"}}}),
        json!({"type": "add", "path": "Encounter.serviceProvider", "name": "reference", "value": "urn:uuid:o"}),
        json!({"type": "add", "path": "Encounter", "name": "participant", "value": {"part": [{"name": "individual",
            "valueReference": {"reference": "Practitioner?identifier=urn:test|one"}}]}}),
    ]);
    let condition = json!({"resourceType": "Condition", "subject": {"reference": "Patient/p"}});
    let entries = |patched: Value| {
        [
            with(patched, "ifMatch", "W/\"1\""),
            post_as("urn:uuid:c", condition.clone()),
            post_as("urn:uuid:o", json!({"resourceType": "Organization", "name": "x"})),
            put(json!({"resourceType": "Patient", "id": "p", "active": true})),
        ]
    };
    let before = server.rows().await;
    let dangling = replace("Encounter.subject.reference", json!("urn:uuid:nobody"));
    refused(
        server.transact(entries(patch_entry("Encounter/e", &dangling))).await,
        400,
        "Bundle.entry[0].Encounter.subject.reference",
    );
    let nothing = replace("Encounter.period", json!({"valuePeriod": {}}));
    refused(server.transact(entries(patch_entry("Encounter/e", &nothing))).await, 422, "Bundle.entry[0].patch[0].path");
    assert_eq!(server.rows().await, before);
    let answer = server.transact(entries(patch_entry("Encounter/e", &sent))).await.expect(200);
    let entries = answer.entries();
    let link = |at: usize| entries[at]["response"]["location"].as_str().unwrap().replace("/_history/1", "");
    let read = server.get("Encounter/e").await.expect(200).json();
    assert_eq!(read["status"], "finished");
    assert_eq!(read["diagnosis"][0]["condition"]["reference"], link(1));
    assert_eq!(read["serviceProvider"]["reference"], link(2));
    assert_eq!(read["participant"][0]["individual"]["reference"], "Practitioner/d");
    assert_eq!(read["partOf"]["reference"], "urn:uuid:elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fhirpath_patches_of_a_batch_succeed_and_fail_each_for_itself() {
    let server = with_patient(json!({"gender": "male"})).await;
    let sent = [
        patch_entry("Patient/p", &activate()),
        patch_entry("Patient/p", &replace("Patient.birthDate", json!({"valueDate": "2000-01-01"}))),
        patch_entry("Patient?_id=p", &replace("Patient.gender", json!("other"))),
        patch_entry("Patient/nobody", &activate()),
        entry("GET", "Patient/p"),
    ];
    let answer = server.post("", bundle("batch", sent)).await.expect(200);
    let statuses: Vec<Value> = answer.entries().iter().map(|one| one["response"]["status"].clone()).collect();
    let codes: Vec<&str> = statuses.iter().map(|status| status.as_str().unwrap().get(..3).unwrap()).collect();
    // Entries of a batch run beside each other: only the two that write one resource may meet.
    assert_eq!((codes[1], codes[3], codes[4]), ("422", "404", "200"), "{}", answer.text);
    let read = server.get("Patient/p").await.expect(200).json();
    assert_eq!((&read["active"], &read["gender"]), (&json!(true), &json!("other")));
}
