//! `_include` and `_revinclude`: what goes along with the matches. <https://hl7.org/fhir/R4/search.html#revinclude>

use super::{all_ignored, all_include, all_refused, holding, ids, included, resource};
use crate::support::Server;
use serde_json::{Value, json};

fn reference(to: &str) -> Value {
    json!({"reference": to})
}

async fn pharmacy() -> Server {
    let request = json!({"status": "active", "intent": "order", "subject": reference("Patient/p"),
        "requester": reference("Practitioner/d"), "medicationReference": reference("Medication/m")});
    let other = json!({"status": "active", "intent": "order", "subject": reference("Patient/q"),
        "requester": reference("http://elsewhere.org/Practitioner/x"), "medicationReference": reference("Medication/gone")});
    let observation = json!({"status": "final", "code": {"text": "x"}, "subject": reference("Patient/p"),
        "hasMember": [reference("Observation/member")]});
    let member = json!({"status": "final", "code": {"text": "x"}, "subject": reference("Patient/p"),
        "derivedFrom": [reference("Observation/deep")]});
    let provenance = json!({"recorded": "2020-01-01T00:00:00Z", "agent": [{"who": reference("Practitioner/d")}],
        "target": [reference("MedicationRequest/r")]});
    holding([
        resource("Organization", "root", json!({"name": "root"})),
        resource("Organization", "ward", json!({"name": "ward", "partOf": reference("Organization/root")})),
        resource(
            "Patient",
            "p",
            json!({"managingOrganization": reference("Organization/ward"),
            "generalPractitioner": [reference("Practitioner/d")]}),
        ),
        resource("Patient", "q", json!({})),
        resource("Practitioner", "d", json!({})),
        resource("Medication", "m", json!({"manufacturer": reference("Organization/ward")})),
        resource("MedicationRequest", "r", request),
        resource("MedicationRequest", "other", other),
        resource("Observation", "o", observation),
        resource("Observation", "member", member),
        resource(
            "Observation",
            "deep",
            json!({"status": "final", "code": {"text": "x"}, "subject": reference("Patient/p")}),
        ),
        resource("Provenance", "v", provenance),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_match_refers_to_goes_along_once() {
    let server = pharmacy().await;
    let rows = [
        ("MedicationRequest?_id=r&_include=MedicationRequest:patient", "Patient/p"),
        ("MedicationRequest?_id=r&_include=MedicationRequest:subject:Patient", "Patient/p"),
        ("MedicationRequest?_id=r&_include=MedicationRequest:subject:Group", ""),
        (
            "MedicationRequest?_id=r&_include=MedicationRequest:medication&_include=MedicationRequest:requester",
            "Medication/m Practitioner/d",
        ),
        ("MedicationRequest?_id=r&_include=MedicationRequest:*", "Medication/m Patient/p Practitioner/d"),
        ("MedicationRequest?_id=r&_include=*", "Medication/m Patient/p Practitioner/d"),
        // What is elsewhere, or not there, cannot go along.
        ("MedicationRequest?_id=other&_include=*", "Patient/q"),
        ("MedicationRequest?_include=MedicationRequest:patient", "Patient/p Patient/q"),
        ("Patient?_id=p&_include=Patient:organization", "Organization/ward"),
        (
            "Patient?_id=p&_include=Patient:organization&_include:iterate=Organization:partof",
            "Organization/root Organization/ward",
        ),
        (
            "MedicationRequest?_id=r&_include=MedicationRequest:patient&_include:iterate=Patient:organization\
            &_include:iterate=Organization:partof",
            "Organization/root Organization/ward Patient/p",
        ),
        (
            "MedicationRequest?_id=r&_include=MedicationRequest:medication&_include:iterate=Medication:manufacturer",
            "Medication/m Organization/ward",
        ),
        (
            "MedicationRequest?_id=r&_include:recurse=*",
            "Medication/m Organization/root Organization/ward Patient/p Practitioner/d",
        ),
        // A match does not go along once more.
        ("Observation?_include=Observation:has-member", ""),
        (
            "Observation?_id=o&_include:iterate=Observation:has-member&_include:iterate=Observation:derived-from",
            "Observation/deep Observation/member",
        ),
    ];
    all_include(&server, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_refers_to_a_match_goes_along() {
    let server = pharmacy().await;
    let rows = [
        ("MedicationRequest?_id=r&_revinclude=Provenance:target", "Provenance/v"),
        ("Patient?_id=p&_revinclude=Observation:subject", "Observation/deep Observation/member Observation/o"),
        (
            "Patient?_id=p&_revinclude=Observation:patient&_revinclude=MedicationRequest:patient",
            "MedicationRequest/r Observation/deep Observation/member Observation/o",
        ),
        (
            "Patient?_id=p&_revinclude=MedicationRequest:patient&_revinclude:iterate=Provenance:target",
            "MedicationRequest/r Provenance/v",
        ),
        ("Practitioner?_id=d&_revinclude=*", "MedicationRequest/r Patient/p Provenance/v"),
        (
            "Organization?_id=root&_revinclude:iterate=Organization:partof&_revinclude:iterate=Patient:organization",
            "Organization/ward Patient/p",
        ),
        (
            "Observation?_id=deep&_revinclude:iterate=Observation:derived-from&_revinclude:iterate=Observation:has-member",
            "Observation/member Observation/o",
        ),
        ("Patient?_id=q&_revinclude=Observation:subject", ""),
        (
            "MedicationRequest?_id=r&_include=MedicationRequest:medication&_revinclude=Provenance:target",
            "Medication/m Provenance/v",
        ),
    ];
    all_include(&server, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_along_is_no_match_and_says_so() {
    let server = pharmacy().await;
    let answer =
        server.get("MedicationRequest?_include=MedicationRequest:patient&_count=1&_total=accurate").await.expect(200);
    assert_eq!((answer.json()["total"].clone(), answer.entries().len()), (json!(2), 2));
    assert_eq!(answer.entries()[0]["search"]["mode"], "match");
    assert_eq!(answer.entries()[1]["search"]["mode"], "include");
    let patient = answer.entries()[1]["resource"]["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.entries()[1]["fullUrl"], format!("{}/Patient/{patient}", server.base));
    let next = super::link(&answer, "next").unwrap();
    let second = server.get(&next).await.expect(200);
    assert_ne!((ids(&second), included(&second)), (ids(&answer), included(&answer)));

    let ignored = [
        ("MedicationRequest?_include=Foo:bar", "_include", "not a resource type"),
        ("MedicationRequest?_include=MedicationRequest:foo", "_include", "not a search parameter"),
        ("MedicationRequest?_include=MedicationRequest:status", "_include", "not a reference"),
        ("MedicationRequest?_include=Patient:organization", "_include", "starts from none of the types"),
        ("MedicationRequest?_revinclude=Observation:subject:Patient", "_revinclude", "leads to none of the types"),
        ("MedicationRequest?_include:exact=MedicationRequest:patient", "_include:exact", "no modifier"),
    ];
    all_ignored(&server, &ignored).await;
    let refused = [
        ("MedicationRequest?_include=MedicationRequest", "_include", "Type:parameter"),
        ("MedicationRequest?_summary=text&_include=MedicationRequest:patient", "_summary", "together with '_include'"),
    ];
    all_refused(&server, &refused).await;
}
