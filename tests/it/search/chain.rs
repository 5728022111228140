//! Chains and `_has`: conditions on what is referred to, and on what refers. <https://hl7.org/fhir/R4/search.html#chaining>

use super::{all_find, all_ignored, all_refused, finds, holding, ids, resource, store};
use crate::support::{Answer, Server};
use serde_json::{Value, json};

fn reference(to: &str) -> Value {
    json!({"reference": to})
}

fn report(id: &str, subject: &str) -> Value {
    resource("DiagnosticReport", id, json!({"status": "final", "code": {"text": "x"}, "subject": reference(subject)}))
}

fn observation(id: &str, patient: &str, code: &str) -> Value {
    let code = json!({"coding": [{"system": "http://loinc.org", "code": code}]});
    resource("Observation", id, json!({"status": "final", "code": code, "subject": reference(patient)}))
}

async fn ward() -> Server {
    let doctors = json!([reference("Practitioner/joe"), reference("Practitioner/ann")]);
    let state = |state: &str| json!([{"state": state}]);
    let server = holding([
        resource("Organization", "root", json!({"name": "Acme Healthcare"})),
        resource("Organization", "ward", json!({"name": "Ward 7", "partOf": reference("Organization/root")})),
        resource("Practitioner", "joe", json!({"name": [{"given": ["Joe"]}], "address": state("TX")})),
        resource("Practitioner", "ann", json!({"name": [{"given": ["Ann"]}], "address": state("MN")})),
        resource(
            "Patient",
            "peter",
            json!({"name": [{"given": ["Peter"]}], "birthDate": "1970-01-01",
            "generalPractitioner": doctors, "managingOrganization": reference("Organization/ward")}),
        ),
        resource(
            "Patient",
            "paula",
            json!({"name": [{"given": ["Paula"]}], "birthDate": "1990-01-01",
            "generalPractitioner": [reference("Practitioner/joe")]}),
        ),
        resource("Device", "peter", json!({"deviceName": [{"name": "peter", "type": "other"}]})),
        report("of-peter", "Patient/peter"),
        report("of-paula", "Patient/paula"),
        report("of-device", "Device/peter"),
        report("dangling", "Patient/nobody"),
        observation("1234", "Patient/peter", "1234-5"),
        observation("9999", "Patient/paula", "9999-9"),
    ])
    .await;
    let agent = |who: &str| json!([{"who": reference(who), "requestor": true}]);
    let event = |id: &str, who: &str, what: &str| {
        resource(
            "AuditEvent",
            id,
            json!({"type": {"code": "rest"}, "recorded": "2020-01-01T00:00:00Z", "agent": agent(who),
            "source": {"observer": reference("Device/peter")}, "entity": [{"what": reference(what)}]}),
        )
    };
    let member = json!({"type": "person", "actual": true, "member": [{"entity": reference("Patient/paula")}]});
    let encounter = |id: &str, of: &str| {
        resource("Encounter", id, json!({"status": "finished", "class": {"code": "AMB"}, "subject": reference(of)}))
    };
    store(
        &server,
        [
            event("seen", "Practitioner/joe", "Observation/1234"),
            event("other", "Practitioner/ann", "Observation/9999"),
            resource("Group", "102", member),
            encounter("in-group", "Patient/paula"),
            encounter("not-in-group", "Patient/peter"),
        ],
    )
    .await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_asks_of_what_is_referred_to() {
    let server = ward().await;
    let rows = [
        // The page's own examples.
        ("DiagnosticReport?subject.name=peter", "of-peter"),
        ("DiagnosticReport?subject:Patient.name=peter", "of-peter"),
        ("DiagnosticReport?subject:Patient.birthdate=1990-01-01", "of-paula"),
        ("Patient?general-practitioner.name=Joe&general-practitioner.address-state=MN", "peter"),
        ("Patient?general-practitioner.name=Joe", "paula peter"),
        ("DiagnosticReport?subject:Device.device-name=peter", "of-device"),
        ("DiagnosticReport?patient.name=peter,paula", "of-paula of-peter"),
        ("DiagnosticReport?patient.given=Peter&patient.birthdate=lt1980", "of-peter"),
        ("DiagnosticReport?subject:Patient.name:exact=peter", ""),
        ("DiagnosticReport?subject:Patient.name:contains=ETE", "of-peter"),
        ("DiagnosticReport?subject:Patient._id=paula", "of-paula"),
        ("DiagnosticReport?subject:Patient._lastUpdated=gt2010", "of-paula of-peter"),
        ("DiagnosticReport?subject:Patient.gender:missing=true", "of-paula of-peter"),
        ("DiagnosticReport?patient.general-practitioner.name=ann", "of-peter"),
        ("DiagnosticReport?subject:Patient.general-practitioner:Practitioner.given=joe", "of-paula of-peter"),
        ("DiagnosticReport?patient.organization.name=ward", "of-peter"),
        ("DiagnosticReport?patient.organization.partof.name=acme", "of-peter"),
        ("DiagnosticReport?patient.organization.partof.name=ward", ""),
        ("DiagnosticReport?subject.name=joe", ""),
    ];
    all_find(&server, &rows).await;
    let ignored = [
        (
            "DiagnosticReport?subject:Practitioner.name=joe",
            "subject:Practitioner.name",
            "does not lead to 'Practitioner'",
        ),
        ("DiagnosticReport?code.name=joe", "code.name", "not a reference"),
        ("DiagnosticReport?subject:Patient.foo=1", "subject:Patient.foo", "'foo' is not a search parameter of Patient"),
    ];
    all_ignored(&server, &ignored).await;
    let long = format!("Organization?{}name=x", "partof.".repeat(5));
    let place = format!("{}name", "partof.".repeat(5));
    let refused = [
        ("DiagnosticReport?subject:Patient.birthdate=soon", "subject:Patient.birthdate", "'soon'"),
        (long.as_str(), place.as_str(), "at most 4 references"),
    ];
    all_refused(&server, &refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn has_asks_of_what_refers() {
    let server = ward().await;
    let rows = [
        // The page's own examples, with its ids.
        ("Patient?_has:Observation:patient:code=1234-5", "peter"),
        ("Patient?_has:Observation:patient:_has:AuditEvent:entity:agent=Practitioner/joe", "peter"),
        ("Encounter?patient._has:Group:member:_id=102", "in-group"),
        ("Patient?_has:Observation:patient:code=1234-5,9999-9", "paula peter"),
        ("Patient?_has:Observation:patient:code=http://loinc.org|9999-9", "paula"),
        ("Patient?_has:Observation:patient:code=1234-5&_has:Observation:patient:code=9999-9", ""),
        ("Patient?_has:Observation:patient:code=1234-5&name=paula", ""),
        ("Patient?_has:Group:member:_id=102", "paula"),
        ("Patient?_has:DiagnosticReport:subject:status=final", "paula peter"),
        ("Practitioner?_has:Patient:general-practitioner:name=paula", "joe"),
        ("Practitioner?_has:Patient:general-practitioner:_has:Observation:subject:code=1234-5", "ann joe"),
        ("Practitioner?_has:Patient:general-practitioner:organization.partof.name=acme", "ann joe"),
        ("Organization?_has:Organization:partof:name=ward", "root"),
        ("DiagnosticReport?subject:Patient._has:Observation:patient:code=1234-5", "of-peter"),
        ("Patient?_has:Observation:patient:code:not=1234-5", "paula"),
    ];
    all_find(&server, &rows).await;
    let ignored = [
        ("Patient?_has:Observation:code=1", "_has:Observation:code", "is written with"),
        ("Patient?_has:Foo:patient:code=1", "_has:Foo:patient:code", "not a resource type"),
        ("Patient?_has:Observation:foo:code=1", "_has:Observation:foo:code", "not a search parameter of Observation"),
        (
            "Practitioner?_has:Observation:patient:code=1",
            "_has:Observation:patient:code",
            "does not lead to Practitioner",
        ),
    ];
    all_ignored(&server, &ignored).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chains_lead_to_what_is_there_now() {
    let server = ward().await;
    server.delete("Observation/1234").await.expect(204);
    finds(&server, "Patient?_has:Observation:patient:code=1234-5", "").await;
    let moved = observation("9999", "Patient/peter", "9999-9");
    server.put("Observation/9999", moved).await.expect(200);
    finds(&server, "Patient?_has:Observation:patient:code=9999-9", "peter").await;
    server
        .put("Patient/paula", resource("Patient", "paula", json!({"name": [{"given": ["Petra"]}]})))
        .await
        .expect(200);
    finds(&server, "DiagnosticReport?subject.name=paula", "").await;
    finds(&server, "DiagnosticReport?subject.name=petra", "of-paula").await;
}

/// What the OperationOutcome among the entries says.
fn outcomes(answer: &Answer) -> String {
    let entries = answer.entries().into_iter().filter(|entry| entry["search"]["mode"] == "outcome");
    entries.map(|entry| entry["resource"]["issue"].to_string()).collect()
}

/// A thousand and one visits of one patient, an Observation at the first of them, and one of another patient that refers to
/// it, as a newborn's refers to the mother's visit.
async fn busy() -> Server {
    let visit = |number: usize| {
        let id = format!("v{number}");
        let class = json!({"code": if number == 0 { "IMP" } else { "AMB" }});
        resource(
            "Encounter",
            &id,
            json!({"status": "finished", "class": class, "subject": reference("Patient/mother")}),
        )
    };
    let server = holding((0..=1_001).map(visit)).await;
    let at = |id: &str, patient: &str, visit: &str| {
        let mut seen = observation(id, patient, "1-1");
        seen["encounter"] = reference(visit);
        seen
    };
    let seen = [
        at("within", "Patient/mother", "Encounter/v1"),
        at("across", "Patient/baby", "Encounter/v1"),
        at("inpatient", "Patient/baby", "Encounter/v0"),
    ];
    store(&server, seen).await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_over_very_many_stays_inside_each_record_and_says_so() {
    let server = busy().await;
    // Few at the far end are followed wherever they lead; within a patient, the record is all that is asked.
    let few = [
        ("Observation?encounter.class=IMP", "inpatient"),
        ("Observation?patient=mother&encounter.class=AMB", "within"),
        ("Observation?patient=baby&encounter.class=IMP", ""),
    ];
    all_find(&server, &few).await;
    for (search, found) in [
        ("Observation?encounter.class=AMB", "within"),
        ("Observation?encounter.class=AMB&_total=accurate", "within"),
        ("Encounter?_has:Observation:encounter:code=1-1", "v0 v1"),
    ] {
        let answer = server.get(search).await.expect(200);
        assert_eq!(ids(&answer), found, "{search}");
        let told = outcomes(&answer);
        assert_eq!(
            told.contains("inside each patient's record"),
            search.starts_with("Observation"),
            "{search}: {told}"
        );
    }
    let count = server.get("Observation?encounter.class=AMB&_summary=count").await.expect(200);
    assert_eq!((&count.json()["total"], outcomes(&count).is_empty()), (&json!(1), false));
    let strict = server.get_with("Observation?encounter.class=AMB", &[("Prefer", "handling=strict")]).await;
    // A condition must not find less than there is: it would create what stands.
    let condition = [("If-None-Exist", "encounter.class=AMB")];
    let create = server.post_with("Observation", &condition, observation("new", "Patient/baby", "2-2")).await;
    for refused in [strict, create] {
        assert_eq!(refused.expect(400).issue()["code"], "too-costly");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn to_what_very_many_refer_is_refused_unless_it_lies_in_their_records() {
    let code = |code: &str| json!({"coding": [{"code": code}]});
    let note = |number: usize| {
        let many = if number == 0 { "few" } else { "many" };
        let id = format!("n{number}");
        let refers =
            json!({"code": code(many), "author": reference("Practitioner/p"), "subject": reference("Patient/q")});
        resource("Basic", &id, refers)
    };
    let shared = [resource("Practitioner", "p", json!({})), resource("Patient", "q", json!({}))];
    let server = holding(shared).await;
    for piece in (0..=10_001).collect::<Vec<_>>().chunks(2_000) {
        store(&server, piece.iter().copied().map(note)).await;
    }
    // The planner knows of them: by itself the database looks once a minute, and takes plans for few rows until then.
    // Table by table: of all tests' tables at once, a Citus cluster locks every shard.
    let client = server.database.connect().await;
    for statement in include_str!("../../../sql/statements/analyze.sql").lines() {
        client.batch_execute(statement).await.unwrap();
    }
    finds(&server, "Practitioner?_has:Basic:author:code=few", "p").await;
    let refused = server.get("Practitioner?_has:Basic:author:code=many").await.expect(400);
    assert_eq!(refused.issue()["code"], "too-costly");
    assert!(refused.issue()["diagnostics"].as_str().unwrap().contains("at most 10000 that refer"), "{}", refused.text);
    for search in ["Patient?_has:Basic:patient:code=many", "Patient?_has:Basic:patient:_lastUpdated=gt2020"] {
        let answer = server.get(search).await.expect(200);
        assert_eq!((ids(&answer), outcomes(&answer)), ("q".to_owned(), String::new()), "{search}");
    }
}
