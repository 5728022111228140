//! What comes in is valid R4 or is refused, with each fault and its place: by every road that writes.

use crate::examples::examples;
use crate::support::Server;
use serde_json::{Value, json};

async fn server() -> Server {
    Server::start_with(&[("BRASA_VALIDATION", "full")]).await
}

fn observation() -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"text": "weight"},
        "valueQuantity": {"value": 70, "unit": "kg"}})
}

/// The faults of an answer as `code place`.
fn faults(outcome: &Value) -> Vec<String> {
    let issues = outcome["issue"].as_array().unwrap_or_else(|| panic!("no outcome: {outcome}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    issues.iter().map(|issue| format!("{} {}", text(&issue["code"]), text(&issue["expression"][0]))).collect()
}

fn sorted(outcome: &Value) -> Vec<String> {
    let mut faults = faults(outcome);
    faults.sort();
    faults
}

/// Three faults: a code that does not exist, an element that R4 does not have, an invariant that does not hold (obs-6).
pub fn with_three_faults(mut observation: Value) -> Value {
    observation["status"] = json!("done");
    observation["colour"] = json!("red");
    observation["dataAbsentReason"] = json!({"text": "lost"});
    observation
}

fn wrong() -> Value {
    with_three_faults(observation())
}

const FAULTS: [&str; 3] = ["code-invalid Observation.status", "invariant Observation", "structure Observation.colour"];

fn inside(place: &str) -> Vec<String> {
    FAULTS.iter().map(|fault| fault.replace("Observation", place)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_with_each_fault_by_every_road_and_nothing_is_stored() {
    let server = server().await;
    let created = server.post("Observation", observation()).await.expect(201).id();
    let path = format!("Observation/{created}");
    assert_eq!(sorted(&server.post("Observation", wrong()).await.expect(422).json()), FAULTS);
    let mut update = wrong();
    update["id"] = json!(created);
    assert_eq!(sorted(&server.put(&path, &update).await.expect(422).json()), FAULTS);
    let patch = json!([{"op": "replace", "path": "/status", "value": "done"}, {"op": "add", "path": "/colour", "value": "red"},
        {"op": "add", "path": "/dataAbsentReason", "value": {"text": "lost"}}]);
    let patched = [("content-type", "application/json-patch+json")];
    let refused = server.send("PATCH", &path, &patched, patch.to_string()).await.expect(422).json();
    assert_eq!(sorted(&refused), FAULTS);
    assert!(refused["issue"][0]["diagnostics"].as_str().unwrap().starts_with("After the patch: "), "{refused}");

    let bundle = |kind: &str| {
        json!({"resourceType": "Bundle", "type": kind, "entry": [
            {"request": {"method": "POST", "url": "Observation"}, "resource": observation()},
            {"request": {"method": "POST", "url": "Observation"}, "resource": wrong()},
            {"request": {"method": "PUT", "url": path}, "resource": update}]})
    };
    let refused = server.post("", bundle("transaction")).await.expect(422).json();
    assert_eq!(sorted(&refused), inside("Bundle.entry[1].resource"));
    assert_eq!(server.get("Observation?_summary=count").await.json()["total"], 1);
    let batch = server.post("", bundle("batch")).await.expect(200).json();
    assert_eq!(batch["entry"][0]["response"]["status"], "201 Created");
    for entry in [1, 2] {
        let response = &batch["entry"][entry]["response"];
        assert_eq!(response["status"], "422 Unprocessable Entity");
        assert_eq!(sorted(&response["outcome"]), inside(&format!("Bundle.entry[{entry}].resource")));
    }
    assert_eq!(server.get("Observation?_summary=count").await.json()["total"], 2);
    assert_eq!(server.get(&path).await.json()["meta"]["versionId"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_fhir_at_all_is_400_and_what_is_only_wrong_422() {
    let server = server().await;
    for (body, status) in [
        ("{", 400),
        ("[]", 400),
        (r#"{"resourceType":"Observacion"}"#, 400),
        (r#"{"resourceType":"Observation"}"#, 422),
        (r#"{"resourceType":"Observation","status":5,"code":{"text":"x"}}"#, 422),
    ] {
        server.post("Observation", body).await.expect(status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_very_many_faults_a_hundred_are_told_and_that_there_are_more() {
    let server = server().await;
    let mut wrong = observation();
    wrong["category"] = json!(vec![json!({"colour": 1}); 100_000]);
    let refused = server.post("Observation", wrong).await.expect(422).json();
    let told = faults(&refused);
    assert_eq!(told.len(), 101);
    assert_eq!(told[0], "structure Observation.category[0].colour");
    assert!(told[100].starts_with("too-costly"), "{}", told[100]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_level_looks_as_closely_as_it_says() {
    let unknown = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "colour": "red"});
    let no_code = json!({"resourceType": "Observation", "status": "done", "code": {"text": "x"}});
    let shape = json!({"resourceType": "Observation", "status": ["final"], "code": {"text": "x"}});
    for (level, statuses) in [("full", [422, 422, 422]), ("structure", [422, 201, 422]), ("off", [201, 201, 422])] {
        let server = Server::start_with(&[("BRASA_VALIDATION", level)]).await;
        for (body, status) in [&unknown, &no_code, &shape].into_iter().zip(statuses) {
            let answer = server.post("Observation", body).await;
            assert_eq!(answer.status, status, "{level}: {body}: {}", answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hl7s_examples_are_taken_and_those_that_are_not_valid_are_refused_by_name() {
    let server = server().await;
    let mut refused = Vec::new();
    for piece in examples().chunks(100) {
        let entry = |example: &crate::examples::Example| {
            format!(r#"{{"resource":{},"request":{{"method":"PUT","url":"{}"}}}}"#, example.text, example.reference)
        };
        let entries: Vec<String> = piece.iter().map(entry).collect();
        let bundle = format!(r#"{{"resourceType":"Bundle","type":"batch","entry":[{}]}}"#, entries.join(","));
        let answer = server.post("", bundle).await.expect(200).json();
        for (example, entry) in piece.iter().zip(answer["entry"].as_array().unwrap()) {
            match entry["response"]["status"].as_str().unwrap() {
                "201 Created" => {}
                "422 Unprocessable Entity" => refused.push(example.reference.clone()),
                other => panic!("{}: {other}", example.reference),
            }
        }
    }
    refused.sort();
    // Why, src/validate/tests/examples.rs says.
    let expected = [
        "ActivityDefinition/blood-tubes-supply",
        "ActivityDefinition/heart-valve-replacement",
        "DeviceMetric/example",
        "DeviceUseStatement/example",
        "EventDefinition/example",
        "MedicationRequest/medrx0301",
        "Observation/clinical-gender",
        "Questionnaire/qs1",
        "Questionnaire/zika-virus-exposure-assessment",
    ];
    assert_eq!(refused, expected);
}
