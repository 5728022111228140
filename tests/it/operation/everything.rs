//! `$everything` of a patient and of an encounter. <https://hl7.org/fhir/R4/patient-operation-everything.html>

use super::entries;
use crate::search::{link, store};
use crate::support::Server;
use serde_json::{Value, json};

fn of(patient: &str) -> Value {
    json!({"reference": format!("Patient/{patient}")})
}

/// Two patients who share a ward, and snares that lead from one record into the other.
pub fn ward() -> Vec<Value> {
    let observation = |id: &str, patient: &str, date: &str, visit: &str| {
        json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "x"}, "subject": of(patient),
            "effectiveDateTime": date, "encounter": {"reference": format!("Encounter/{visit}")}})
    };
    let visit = |id: &str, patient: &str, partner: &str| {
        json!({"resourceType": "Encounter", "id": id, "status": "finished", "class": {"code": "AMB"}, "subject": of(patient),
            "partOf": {"reference": format!("Encounter/{partner}")}, "period": {"start": "2020-01-01", "end": "2020-01-03"},
            "participant": [{"individual": {"reference": "PractitionerRole/r"}}]})
    };
    vec![
        json!({"resourceType": "Patient", "id": "a", "birthDate": "1950-01-01", "generalPractitioner": [{"reference": "Practitioner/gp"}]}),
        json!({"resourceType": "Patient", "id": "b", "link": [{"other": of("a"), "type": "seealso"}]}),
        json!({"resourceType": "Practitioner", "id": "gp"}),
        json!({"resourceType": "Practitioner", "id": "d"}),
        json!({"resourceType": "Practitioner", "id": "nobodys"}),
        json!({"resourceType": "Organization", "id": "o"}),
        json!({"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "Practitioner/d"},
            "organization": {"reference": "Organization/o"}}),
        json!({"resourceType": "Medication", "id": "m"}),
        json!({"resourceType": "Binary", "id": "scan", "contentType": "text/plain", "data": "YQ=="}),
        json!({"resourceType": "Device", "id": "of-b", "patient": of("b")}),
        visit("va", "a", "vb"),
        visit("vb", "b", "va"),
        observation("old", "a", "2010-01-01", "va"),
        observation("new", "a", "2020-01-02", "va"),
        observation("other", "b", "2020-01-02", "vb"),
        observation("stray", "b", "2020-01-02", "va"),
        json!({"resourceType": "AllergyIntolerance", "id": "nuts", "patient": of("a"), "asserter": of("b")}),
        json!({"resourceType": "MedicationRequest", "id": "rx", "status": "active", "intent": "order", "subject": of("a"),
            "medicationReference": {"reference": "Medication/m"}, "authoredOn": "2020-01-02"}),
        json!({"resourceType": "DocumentReference", "id": "doc", "status": "current", "subject": of("a"), "date": "2020-01-02T10:00:00Z",
            "content": [{"attachment": {"url": "Binary/scan"}}]}),
        json!({"resourceType": "DeviceUseStatement", "id": "use", "status": "active", "subject": of("a"), "device": {"reference": "Device/of-b"}}),
        // About the other one, though this patient had a part in it.
        json!({"resourceType": "Observation", "id": "measured", "status": "final", "code": {"text": "x"}, "subject": of("b"), "performer": [of("a")]}),
        json!({"resourceType": "Coverage", "id": "paid", "status": "active", "policyHolder": of("a"), "beneficiary": of("b"), "payor": [of("a")]}),
        json!({"resourceType": "Composition", "id": "written", "status": "final", "type": {"text": "x"}, "date": "2020", "title": "x",
            "subject": of("b"), "author": [of("a")], "section": [{"entry": [{"reference": "Observation/new"}]}]}),
        json!({"resourceType": "List", "id": "planted", "status": "current", "mode": "working", "subject": of("b"), "source": of("a"),
            "entry": [{"item": {"reference": "Observation/new"}}, {"item": {"reference": "Observation/other"}}]}),
        json!({"resourceType": "Group", "id": "both", "type": "person", "actual": true, "member": [{"entity": of("a")}, {"entity": of("b")}]}),
        json!({"resourceType": "Provenance", "id": "made", "target": [{"reference": "Observation/other"}], "recorded": "2020-01-01T00:00:00Z",
            "agent": [{"who": of("a")}]}),
        // About both.
        json!({"resourceType": "Appointment", "id": "together", "status": "booked", "start": "2020-01-02T09:00:00Z", "end": "2020-01-02T10:00:00Z",
            "participant": [{"actor": of("b"), "status": "accepted"}, {"actor": of("a"), "status": "accepted"}]}),
    ]
}

async fn opened() -> Server {
    let server = Server::start_with(&[("BRASA_PAGE_COUNT_MAX", "50")]).await;
    store(&server, ward()).await;
    server
}

const RECORD: &[&str] = &[
    "AllergyIntolerance/nuts",
    "Appointment/together",
    "DeviceUseStatement/use",
    "DocumentReference/doc",
    "Encounter/va",
    "MedicationRequest/rx",
    "Observation/new",
    "Observation/old",
    "Patient/a",
];
const SHARED: &[&str] =
    &["Binary/scan", "Medication/m", "Organization/o", "Practitioner/d", "Practitioner/gp", "PractitionerRole/r"];

#[tokio::test(flavor = "multi_thread")]
async fn a_patients_everything_is_the_record_and_what_it_refers_to_and_nothing_of_another_patient() {
    let server = opened().await;
    let answer = server.get("Patient/a/$everything").await.expect(200);
    assert_eq!(answer.json()["type"], "searchset");
    assert_eq!(entries(&answer, Some("match")), RECORD);
    assert_eq!(entries(&answer, Some("include")), SHARED);
    assert!(link(&answer, "next").is_none());
    let posted = server.post("Patient/a/$everything", json!({"resourceType": "Parameters"})).await.expect(200);
    assert_eq!(entries(&posted, None), entries(&answer, None));
    assert_eq!(server.send("HEAD", "Patient/a/$everything", &[], "").await.expect(200).text, "");
    for (path, status) in [("Patient/nobody/$everything", 404), ("Patient/$everything", 400)] {
        server.get(path).await.expect(status);
    }
    server.delete("Patient/b").await.expect(204);
    server.get("Patient/b/$everything").await.expect(410);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_narrowed_by_type_care_date_and_last_update() {
    let server = opened().await;
    for (query, expected) in [
        ("_type=Observation", "Observation/new Observation/old"),
        ("_type=Observation&_type=Patient,Medication", "Medication/m Observation/new Observation/old Patient/a"),
        ("_type=Practitioner", "Practitioner/d Practitioner/gp"),
        ("_type=Observation&start=2020", "Observation/new"),
        ("_type=Observation&end=2019-12-31", "Observation/old"),
        (
            "_type=Observation,AllergyIntolerance,Patient&start=2010-01-01&end=2010-01-01",
            "AllergyIntolerance/nuts Observation/old Patient/a",
        ),
        ("_type=Encounter&start=2020-01-03", "Encounter/va"),
        ("_type=Encounter&start=2020-01-04", ""),
        ("_since=2100-01-01T00:00:00Z", ""),
        ("_type=Group,List,AuditEvent", ""),
    ] {
        let answer = server.get(&format!("Patient/a/$everything?{query}")).await.expect(200);
        assert_eq!(entries(&answer, None).join(" "), expected, "{query}");
    }
    let since = server.get("Observation/new").await.json()["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    let mut changed = ward().into_iter().find(|one| one["id"] == "old").unwrap();
    changed["status"] = json!("amended");
    server.put("Observation/old", changed).await.expect(200);
    let since = since.replace('+', "%2B");
    let all = server.get(&format!("Patient/a/$everything?_since={since}")).await.expect(200);
    assert_eq!(entries(&all, Some("match")), RECORD);
    let last = server.get("Observation/old").await.json()["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    let body = json!({"resourceType": "Parameters", "parameter": [{"name": "_since", "valueInstant": last}]});
    let fresh = server.post("Patient/a/$everything", body).await.expect(200);
    assert_eq!(entries(&fresh, Some("match")), ["Observation/old"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_everything_hold_each_resource_of_the_record_once() {
    let server = opened().await;
    let body = json!({"resourceType": "Parameters", "parameter": [{"name": "_count", "valueInteger": 2}, {"name": "start", "valueDate": "2009"}]});
    let mut answer = server.post("Patient/a/$everything", body).await.expect(200);
    let mut met = Vec::new();
    let mut pages = 1;
    loop {
        assert!(answer.entries().iter().filter(|entry| entry["search"]["mode"] == "match").count() <= 2);
        met.extend(entries(&answer, Some("match")));
        let Some(next) = link(&answer, "next") else { break };
        assert!(next.contains("start=2009"), "{next}");
        answer = server.get(&next).await.expect(200);
        pages += 1;
    }
    met.sort();
    assert_eq!(met, RECORD);
    assert!(pages >= 5, "{pages}");
    // A page belongs to its own question.
    let first = server.get("Patient/a/$everything?_count=2").await.expect(200);
    let next = link(&first, "next").unwrap();
    let refused = server.get(&next.replace("Patient/a/", "Patient/b/")).await.expect(400);
    assert_eq!(refused.expression(), "_page");
    server.get(&format!("{next}&_type=Observation")).await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encounters_everything_stays_in_its_patients_record() {
    let server = opened().await;
    let answer = server.get("Encounter/va/$everything").await.expect(200);
    assert_eq!(entries(&answer, Some("match")), ["Encounter/va", "Observation/new", "Observation/old"]);
    let shared = ["Organization/o", "Patient/a", "Practitioner/d", "Practitioner/gp", "PractitionerRole/r"];
    assert_eq!(entries(&answer, Some("include")), shared);
    let some = server.get("Encounter/va/$everything?_type=Observation&_count=1").await.expect(200);
    assert_eq!(some.entries().len(), 1);
    assert!(link(&some, "next").is_some());
    server.get("Encounter/nowhere/$everything").await.expect(404);
    assert_eq!(server.get("Encounter/va/$everything?start=2020").await.expect(400).expression(), "start");
}
