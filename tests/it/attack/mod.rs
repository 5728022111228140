//! Attacks: who may not see or change something tries every road to it.

mod bundles;
mod canary;
pub mod desk;
mod operations;
mod roads;
mod walk;
mod world;

use brasa::auth::role::Role;
use brasa::fhir::definitions::ResourceType;
use desk::{Ask, Told, of, patient};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use world::{CANARY, OTHER, OWN, plainly_about, world};

/// Requests at once.
const AT_ONCE: usize = 4;

/// What differs between two runs though nothing else does: times, sealed page tokens.
fn without_chance(told: &Told) -> String {
    fn clean(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members
                    .retain(|name, _| !["lastUpdated", "lastModified", "date", "timestamp"].contains(&name.as_str()));
                members.values_mut().for_each(clean);
            }
            Value::Array(items) => items.iter_mut().for_each(clean),
            Value::String(text) => {
                // What an operation makes has names of its own.
                if text.starts_with("urn:uuid:") {
                    *text = "urn:uuid:".to_owned();
                }
                if let Some((before, _)) = text.split_once("_page=") {
                    *text = format!("{before}_page=");
                }
            }
            _ => {}
        }
    }
    let mut body = told.body.clone();
    clean(&mut body);
    if let Some(entries) = body["entry"].as_array_mut() {
        // What goes along has no order.
        let is_match = |entry: &Value| entry["search"]["mode"] == "match";
        entries.sort_by_key(|entry| (!is_match(entry)).then(|| entry["fullUrl"].to_string()));
    }
    format!("{} {body}", told.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_gets_the_same_answers_whether_or_not_another_patients_record_exists() {
    let (with, without) = tokio::join!(Box::pin(world(true)), Box::pin(world(false)));
    let me = patient(OWN);
    let asked: Vec<Ask> = roads::of_reading();
    let count = asked.len();
    let told = stream::iter(asked).map(|ask| async {
        let (one, other) = tokio::join!(Box::pin(with.ask(&me, &ask)), Box::pin(without.ask(&me, &ask)));
        (ask, one, other)
    });
    let told: Vec<(Ask, Told, Told)> = told.buffer_unordered(AT_ONCE).collect().await;
    let mut faults = Vec::new();
    let mut answered = 0;
    for (ask, one, other) in &told {
        // Twice, since a test of differences sees nothing where both are wrong. Links repeat the question.
        let shown = one.body["entry"].to_string();
        assert!(!shown.contains(CANARY), "{} {} shows the canary: {shown}", ask.method, ask.path);
        let (one, other) = (without_chance(one), without_chance(other));
        answered += usize::from(one.starts_with("200"));
        if one != other {
            let shown = |text: &str| text.chars().take(400).collect::<String>();
            faults.push(format!(
                "{} {}\n  with:    {}\n  without: {}",
                ask.method,
                ask.path,
                shown(&one),
                shown(&other)
            ));
        }
    }
    assert!(answered * 4 > count, "only {answered} of {count} requests were answered: they show nothing");
    with.each_is_recorded().await;
    let some: Vec<&String> = faults.iter().take(12).collect();
    assert!(
        faults.is_empty(),
        "{} of {count} answers differ:\n{}",
        faults.len(),
        some.iter().map(|s| s.as_str()).collect::<Vec<_>>().join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_what_is_not_theirs() {
    let desk = world(true).await;
    let me = patient(OWN);
    let before = desk.do_all(&Ask::get("_history?_count=1000")).await;
    for ask in roads::of_writing() {
        let told = desk.ask(&me, &ask).await;
        let is_conditional = ask.method == "DELETE" && ask.path.contains('?');
        // What is not seen is not there to be deleted.
        let expected: &[u16] = match is_conditional {
            // Nobody writes what the server itself records.
            _ if ask.path.starts_with("AuditEvent") => &[405],
            true => &[204, 403, 404],
            false => &[403, 404],
        };
        assert!(expected.contains(&told.status), "{} {}: {} {}", ask.method, ask.path, told.status, told.body);
    }
    let after = desk.do_all(&Ask::get("_history?_count=1000")).await;
    assert_eq!(without_chance(&before), without_chance(&after), "something was written");
    desk.each_is_recorded().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_sees_the_own_record_and_the_shared_resources_that_it_refers_to() {
    let desk = world(true).await;
    let me = patient(OWN);
    let mut hidden = Vec::new();
    for (resource_type, id) in plainly_about(OWN) {
        let told = desk.ask(&me, &Ask::get(format!("{resource_type}/{id}"))).await;
        let found = desk.ask(&me, &Ask::get(format!("{resource_type}?_id={id}"))).await;
        let history = desk.ask(&me, &Ask::get(format!("{resource_type}/{id}/_history"))).await;
        if [told.status, found.status, history.status] != [200; 3]
            || found.found().len() != 1
            || history.found().len() != 1
        {
            hidden.push(format!("{resource_type}: {} {} {}", told.status, found.body, history.status));
        }
    }
    assert_eq!(hidden, Vec::<String>::new());
    for (path, status) in [
        ("Patient/own", 200),
        ("Practitioner/shared", 200),
        ("Organization/shared", 200),
        ("Practitioner/unrelated", 404),
        ("Practitioner/secret", 404),
        ("Practitioner/shared/_history/1", 200),
        ("Practitioner/unrelated/_history/1", 404),
        ("Patient/other", 404),
    ] {
        assert_eq!(desk.ask(&me, &Ask::get(path)).await.status, status, "{path}");
    }
    let found = |told: Told| {
        let mut found = told.found();
        found.sort();
        found.join(" ")
    };
    for (search, expected) in [
        ("Patient", "Patient/own"),
        ("Practitioner", "Practitioner/shared"),
        (
            "Encounter?_id=visit-own&_include=Encounter:participant&_include=Encounter:subject",
            "Encounter/visit-own Patient/own Practitioner/shared",
        ),
        ("Practitioner?_id=shared&_revinclude=Encounter:participant", "Encounter/visit-own Practitioner/shared"),
        ("Encounter?participant.family=Soto", "Encounter/visit-own"),
        ("Practitioner?_has:Encounter:participant:status=finished", "Practitioner/shared"),
        ("Patient?family=zarzaparrilla", ""),
    ] {
        let told = desk.ask(&me, &Ask::get(search)).await;
        assert_eq!(told.status, 200, "{search}: {}", told.body);
        assert_eq!(found(told), expected, "{search}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_seen_costs_the_same_statements_as_what_is_not_there() {
    let desk = world(true).await;
    let me = patient(OWN);
    for (name, hidden) in
        [("Patient", "other"), ("Observation", "measured"), ("Practitioner", "secret"), ("Encounter", "visit-other")]
    {
        let resource_type = ResourceType::parse(name).unwrap();
        let of_hidden = desk.statements_of_reading(&me, resource_type, hidden).await;
        let of_missing = desk.statements_of_reading(&me, resource_type, "nowhere").await;
        assert!(of_hidden.len() >= 3, "{name}: {of_hidden:?}");
        assert_eq!(of_hidden, of_missing, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_role_or_a_link_nothing_is_seen() {
    let desk = world(true).await;
    let unlinked = of(Role::Patient);
    let nobody = brasa::auth::access::Access { role: None, ..of(Role::Admin) };
    for access in [&unlinked, &nobody] {
        for path in ["Patient/own", "Observation/measured", "Practitioner/shared"] {
            let told = desk.ask(access, &Ask::get(path)).await;
            assert!([403, 404].contains(&told.status), "{path}: {}", told.status);
        }
        for path in ["Patient", "Observation", "Practitioner", "Patient/own/*", "_history", "Patient?_summary=count"] {
            let told = desk.ask(access, &Ask::get(path)).await;
            assert!(
                told.status == 403 || (told.found().is_empty() && told.body["total"].as_u64().unwrap_or(0) == 0),
                "{path}: {}",
                told.body
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_does_what_the_table_says_and_no_more() {
    let desk = world(true).await;
    let observation = |patient: &str, performer: &str| {
        json!({"resourceType": "Observation", "status": "final", "code": {"text": "weight"},
            "subject": {"reference": format!("Patient/{patient}")}, "performer": [{"reference": performer}]})
    };
    let (doctor, admin, auditor, me) = (of(Role::Practitioner), of(Role::Admin), of(Role::Auditor), patient(OWN));
    let post = |body: Value| Ask::with("POST", body["resourceType"].as_str().unwrap().to_owned(), body);
    let rows: Vec<(&str, &brasa::auth::access::Access, Ask, u16)> = vec![
        ("a doctor reads any patient", &doctor, Ask::get("Patient/other"), 200),
        ("a doctor writes", &doctor, post(observation(OTHER, "Practitioner/shared")), 201),
        ("a doctor does not change the directory", &doctor, post(json!({"resourceType": "Practitioner"})), 403),
        ("a doctor reads no audit", &doctor, Ask::get("AuditEvent/opened"), 403),
        ("a doctor reads no audit by a search", &doctor, Ask::get("AuditEvent"), 403),
        ("an admin sees no record", &admin, Ask::get("Patient/own"), 403),
        ("an admin searches no records", &admin, Ask::get("Observation"), 403),
        ("an admin keeps the directory", &admin, post(json!({"resourceType": "Practitioner"})), 201),
        ("an auditor reads the audit", &auditor, Ask::get("AuditEvent"), 200),
        ("an auditor reads nothing else", &auditor, Ask::get("Patient/own"), 403),
        ("an auditor writes nothing", &auditor, post(json!({"resourceType": "AuditEvent"})), 405),
        ("a patient reports a measurement", &me, post(observation(OWN, "Patient/own")), 201),
        ("a patient reports none of another's", &me, post(observation(OTHER, "Patient/own")), 403),
        ("a patient reports none in a doctor's name", &me, post(observation(OWN, "Practitioner/shared")), 403),
        ("a patient prescribes nothing", &me, post(json!({"resourceType": "MedicationRequest"})), 403),
        ("only an admin fills the index", &doctor, Ask { method: "POST", ..Ask::get("$reindex") }, 403),
        ("only an admin sees the jobs", &me, Ask::get("$reindex"), 403),
    ];
    for (what, access, ask, status) in rows {
        let told = desk.ask(access, &ask).await;
        assert_eq!(told.status, status, "{what}: {}", told.body);
    }
    desk.each_is_recorded().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sees_what_its_scopes_and_the_account_behind_it_both_allow() {
    use brasa::auth::access::{Access, Client};
    use brasa::auth::scope::Scopes;
    let desk = world(true).await;
    for (id, category) in [("lab", "laboratory"), ("vital", "vital-signs")] {
        let body = json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "x"},
            "category": [{"coding": [{"code": category}]}], "subject": {"reference": "Patient/other"}});
        assert_eq!(desk.do_all(&Ask::with("PUT", format!("Observation/{id}"), body)).await.status, 201);
    }
    let app = |scopes: &str, patient: Option<&str>| {
        let patient = patient.map(|id| brasa::fhir::id::Id::parse(id).unwrap());
        Access { client: Some(Client { scopes: Scopes::parse(scopes), patient }), ..of(Role::Practitioner) }
    };
    let laboratory = app("user/Observation.rs?category=laboratory", None);
    let search = desk.ask(&laboratory, &Ask::get("Observation?_id=lab,vital")).await;
    assert_eq!(search.found(), ["Observation/lab"]);
    for (path, status) in [("Observation/lab", 200), ("Observation/vital", 404), ("Patient/other", 403)] {
        assert_eq!(desk.ask(&laboratory, &Ask::get(path)).await.status, status, "{path}");
    }
    let launched = app("patient/Observation.rs patient/Patient.r", Some(OTHER));
    for (path, status) in [("Observation/lab", 200), ("Patient/other", 200), ("Patient/own", 404), ("Condition", 403)] {
        assert_eq!(desk.ask(&launched, &Ask::get(path)).await.status, status, "{path}");
    }
    // What cannot be said of one resource by itself opens nothing.
    for scope in
        ["user/Observation.rs?subject.name=x", "user/Observation.rs?_count=5", "user/Observation.rs?nonsense=1"]
    {
        let told = desk.ask(&app(scope, None), &Ask::get("Observation/lab")).await;
        assert_eq!(told.status, 404, "{scope}");
    }
    // Updating is not creating, and writing is not reading.
    let updates = app("user/Observation.u", None);
    let body = json!({"resourceType": "Observation", "id": "new", "status": "final", "code": {"text": "x"}});
    assert_eq!(desk.ask(&updates, &Ask::with("PUT", "Observation/new", body)).await.status, 403);
    assert_eq!(desk.ask(&updates, &Ask::get("Observation/lab")).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_patient_may_change_stays_the_patients() {
    let desk = world(true).await;
    let me = patient(OWN);
    let weight = |subject: &str| {
        json!({"resourceType": "Observation", "status": "final", "code": {"text": "weight"},
            "subject": {"reference": format!("Patient/{subject}")}, "performer": [{"reference": "Patient/own"}]})
    };
    let told = desk.ask(&me, &Ask::with("POST", "Observation", weight(OWN))).await;
    let id = told.body["id"].as_str().unwrap().to_owned();
    let path = format!("Observation/{id}");
    let with_id = |subject: &str| {
        let mut body = weight(subject);
        body["id"] = json!(id);
        body
    };
    let put = |body| Ask::with("PUT", path.clone(), body);
    assert_eq!(desk.ask(&me, &put(with_id(OWN))).await.status, 200);
    assert_eq!(desk.ask(&me, &put(with_id(OTHER))).await.status, 403, "moved to another's record");
    let patch = json!([{"op": "replace", "path": "/subject/reference", "value": "Patient/other"}]);
    assert_eq!(desk.ask(&me, &Ask::with("PATCH", path.clone(), patch)).await.status, 403, "moved by a patch");
    let patch = roads::fhirpath_patch("replace", "Observation.subject.reference", Some("Patient/other"));
    assert_eq!(desk.ask(&me, &Ask::with("PATCH", path.clone(), patch)).await.status, 403, "moved by a FHIRPath Patch");
    assert_eq!(desk.ask(&me, &Ask::delete(path.clone())).await.status, 403);
    // After a doctor's correction it is not the patient's own report any more.
    let mut corrected = with_id(OWN);
    corrected["performer"] = json!([{"reference": "Practitioner/shared"}]);
    assert_eq!(desk.do_all(&put(corrected)).await.status, 200);
    assert_eq!(desk.ask(&me, &put(with_id(OWN))).await.status, 404);
    assert_eq!(desk.ask(&me, &Ask::get(path.clone())).await.status, 200);
    // What came from another's record shows what it was there to nobody here.
    for (subject, status) in [(OTHER, 201), (OWN, 200)] {
        let mut body = weight(subject);
        body["id"] = json!("came");
        assert_eq!(desk.do_all(&Ask::with("PUT", "Observation/came", body)).await.status, status);
    }
    for (path, status) in
        [("Observation/came", 200), ("Observation/came/_history/2", 200), ("Observation/came/_history/1", 404)]
    {
        assert_eq!(desk.ask(&me, &Ask::get(path)).await.status, status, "{path}");
    }
    let history = desk.ask(&me, &Ask::get("Observation/came/_history?_count=1")).await;
    assert_eq!((history.found().len(), history.body["total"].is_null()), (1, true), "{}", history.body);
    let links = history.body["link"].as_array().unwrap();
    let next =
        links.iter().find(|link| link["relation"] == "next").map(|link| link["url"].as_str().unwrap().to_owned());
    if let Some(next) = next {
        let path = next.trim_start_matches("http://brasa.test/fhir/").to_owned();
        assert_eq!(desk.ask(&me, &Ask::get(path)).await.found(), Vec::<String>::new());
    }
    // Moved away by others, its old versions go with it.
    assert_eq!(desk.do_all(&put(with_id(OTHER))).await.status, 200);
    for gone in [path.clone(), format!("{path}/_history"), format!("{path}/_history/1")] {
        let told = desk.ask(&me, &Ask::get(gone.clone())).await;
        assert!(told.status == 404 || told.found().is_empty(), "{gone}: {}", told.body);
    }
}
