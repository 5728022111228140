//! `BRASA_PROFILES`: writes are held to the profiles that they claim, by every road that writes.

use super::{issues, needed, patient, profile, sentences};
use crate::support::Server;
use serde_json::{Value, json};

async fn server(demand: &str) -> Server {
    let server = Server::start_with(&[("BRASA_PROFILES", demand)]).await;
    let named = profile("named", "Patient", &[needed("Patient.name")]);
    server.put("StructureDefinition/named", named).await.expect(201);
    server
}

const MISSING: &str = "error required Patient.name";

#[tokio::test(flavor = "multi_thread")]
async fn off_looks_at_none_claimed_at_those_that_are_known_and_required_wants_them_known() {
    for (demand, statuses) in
        [("off", [201, 201, 201, 201]), ("claimed", [422, 201, 201, 201]), ("required", [422, 422, 422, 201])]
    {
        let server = server(demand).await;
        let bare = json!({"resourceType": "StructureDefinition", "id": "bare", "url": "http://p/bare", "name": "bare", "status": "active",
            "kind": "resource", "abstract": false, "type": "Patient", "derivation": "constraint", "differential": {"element": []}});
        server.put("StructureDefinition/bare", bare).await.expect(201);
        let claims = [patient("named", json!({})), patient("nowhere", json!({})), patient("bare", json!({}))];
        let plain = json!({"resourceType": "Patient", "meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/Patient"]}});
        for (body, status) in claims.iter().chain([&plain]).zip(statuses) {
            let answer = server.post("Patient", body).await;
            assert_eq!(answer.status, status, "{demand}: {body}: {}", answer.text);
            let canonical = body["meta"]["profile"][0].as_str().unwrap();
            assert!(status != 422 || sentences(&answer).contains(canonical), "{demand}: {}", answer.text);
        }
        server.post("Patient", patient("named", json!({"name": [{"family": "x"}]}))).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_road_that_writes_is_held_to_what_is_claimed_and_nothing_of_it_is_stored() {
    let server = server("claimed").await;
    let good = patient("named", json!({"id": "p", "name": [{"family": "x"}]}));
    server.put("Patient/p", &good).await.expect(201);
    assert_eq!(issues(&server.post("Patient", patient("named", json!({}))).await.expect(422)), [MISSING]);
    let update = patient("named", json!({"id": "p"}));
    assert_eq!(issues(&server.put("Patient/p", &update).await.expect(422)), [MISSING]);
    let patch = json!([{"op": "remove", "path": "/name"}, {"op": "test", "path": "/text", "value": good["text"]}]);
    let refused = server
        .send("PATCH", "Patient/p", &[("content-type", "application/json-patch+json")], patch.to_string())
        .await
        .expect(422);
    assert_eq!(issues(&refused), [MISSING]);
    assert!(sentences(&refused).starts_with("After the patch: "));
    // A label is a claim.
    server.put("Patient/q", json!({"resourceType": "Patient", "id": "q"})).await.expect(201);
    let label = json!({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"profile": ["http://p/named"]}}]});
    assert_eq!(issues(&server.post("Patient/q/$meta-add", &label).await.expect(422)).len(), 1);
    server.post("Patient/p/$meta-add", label).await.expect(200);

    let entry = |method: &str, url: &str, resource: &Value| json!({"request": {"method": method, "url": url}, "resource": resource});
    let bundle = |kind: &str| {
        json!({"resourceType": "Bundle", "type": kind, "entry": [
        entry("POST", "Patient", &patient("named", json!({"name": [{"family": "y"}]}))),
        entry("POST", "Patient", &patient("named", json!({}))),
        entry("PUT", "Patient/p", &update)]})
    };
    let count = async || server.get("Patient?_summary=count").await.json()["total"].clone();
    let refused = server.post("", bundle("transaction")).await.expect(422);
    assert_eq!(issues(&refused), ["error required Bundle.entry[1].resource.name"]);
    assert_eq!(count().await, 2);
    let batch = server.post("", bundle("batch")).await.expect(200).json();
    let statuses: Vec<&str> = (0..3).map(|n| batch["entry"][n]["response"]["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["201 Created", "422 Unprocessable Entity", "422 Unprocessable Entity"]);
    assert_eq!(batch["entry"][1]["response"]["outcome"]["issue"][0]["expression"][0], "Bundle.entry[1].resource.name");
    assert_eq!(count().await, 3);
    assert_eq!(server.get("Patient/p").await.json()["name"][0]["family"], "x");
    // What is inside claims for itself.
    let list =
        json!({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient("named", json!({}))}]});
    assert_eq!(
        issues(&server.post("Bundle", list).await.expect(422)),
        ["error required Bundle.entry[0].resource.name"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_and_what_claims_it_may_come_in_one_transaction_and_hold_from_then_on() {
    let server = server("claimed").await;
    let entry = |url: &str, resource: &Value| json!({"request": {"method": "PUT", "url": url}, "resource": resource});
    let strict = profile("fresh", "Patient", &[needed("Patient.birthDate")]);
    // It holds when it is stored, which it is not yet.
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        entry("StructureDefinition/fresh", &strict), entry("Patient/p", &patient("fresh", json!({"id": "p"})))]});
    server.post("", bundle).await.expect(200);
    let refused = server.put("Patient/p", patient("fresh", json!({"id": "p", "active": true}))).await.expect(422);
    assert_eq!(issues(&refused), ["error required Patient.birthDate"]);
}
