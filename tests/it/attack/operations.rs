//! Operations as each role: what they may ask of whom, what is answered, and what is recorded.

use super::desk::{Ask, Desk, of, patient};
use super::world::{CANARY, OTHER, OWN, world};
use brasa::auth::access::{Access, Client};
use brasa::auth::policy::Permission::{self, Read, Search};
use brasa::auth::role::Role;
use brasa::auth::scope::Scopes;
use brasa::auth::sight::Sight;
use brasa::fhir::definitions::ResourceType;
use brasa::fhir::id::Id;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

/// Requests at once.
const AT_ONCE: usize = 8;

fn roles() -> Vec<Access> {
    let nobody = Access { role: None, ..of(Role::Admin) };
    vec![of(Role::Admin), of(Role::Practitioner), patient(OWN), of(Role::Auditor), nobody]
}

fn labels() -> Value {
    json!({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [{"code": "x"}]}}]})
}

/// Each permission for one of these types at least.
type Needs = Vec<(Permission, Vec<&'static str>)>;

/// Each operation with a type, and what it takes of which type: of each of these one.
fn asked(of: ResourceType) -> Vec<(Ask, Needs)> {
    let name = of.as_str();
    let everything =
        json!({"resourceType": "Parameters", "parameter": [{"name": "expungeEverything", "valueBoolean": true}]});
    let mut asked = vec![
        (Ask::get(format!("{name}/nobody/$meta")), vec![(Read, vec![name])]),
        (Ask::get(format!("{name}/nobody/_history/1/$meta")), vec![(Read, vec![name])]),
        (Ask::with("POST", format!("{name}/nobody/$meta-add"), labels()), vec![(Read, vec![name])]),
        (Ask::with("POST", format!("{name}/nobody/$meta-delete"), labels()), vec![(Read, vec![name])]),
        (Ask::with("POST", format!("{name}/nobody/$expunge"), everything.clone()), Vec::new()),
        (
            Ask::with("POST", format!("{name}/nobody/_history/1/$expunge"), json!({"resourceType": "Parameters"})),
            Vec::new(),
        ),
    ];
    let bare = json!({"resourceType": name});
    asked.extend([
        (Ask::get(format!("{name}/nobody/$validate")), vec![(Read, vec![name])]),
        (Ask::with("POST", format!("{name}/$validate"), bare), Vec::new()),
    ]);
    let get = |path: &str| Ask::get(path);
    match name {
        "Patient" => asked.extend([
            (get("Patient/nobody/$everything"), vec![(Read, vec![name])]),
            (get("Patient/nobody/$summary"), vec![(Read, vec![name])]),
        ]),
        "Encounter" => asked.push((get("Encounter/nobody/$everything"), vec![(Read, vec![name])])),
        "Composition" => asked.push((get("Composition/nobody/$document"), vec![(Read, vec![name])])),
        "Observation" => asked.extend([
            (get("Observation/$lastn?patient=nobody&code=x"), vec![(Search, vec![name])]),
            (get("Observation/$stats?subject=Patient/nobody&code=x&statistic=count"), vec![(Search, vec![name])]),
        ]),
        _ => {}
    }
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_for_each_role_and_type_what_the_table_of_rights_says() {
    let desk = Desk::open(true).await;
    let roles = roles();
    let mut asks = Vec::new();
    for of in ResourceType::all().filter(|of| *of != ResourceType::AUDIT_EVENT) {
        for (ask, needs) in asked(of) {
            asks.extend(roles.iter().map(|access| (ask.clone(), needs.clone(), access)));
        }
    }
    let desk = &desk;
    let walked = stream::iter(asks).map(|(ask, needs, access)| async move {
        let told = Box::pin(desk.ask(access, &ask)).await;
        (ask, needs, access, told)
    });
    let walked: Vec<_> = walked.buffer_unordered(AT_ONCE).collect().await;
    let (mut denied, mut allowed) = (0, 0);
    for (ask, needs, access, told) in &walked {
        let is_closed = |(permission, types): &(Permission, Vec<&str>)| {
            types.iter().all(|name| access.sight(*permission, ResourceType::parse(name).unwrap()) == Sight::None)
        };
        let what = format!("{:?} {} {}: {} {}", access.role, ask.method, ask.path, told.status, told.body);
        // What is removed for good is the business of administrators, and of nobody else.
        // What somebody brings along may be looked at by whoever is known at all.
        let is_closed_to = ask.path.ends_with("$expunge") && !access.may_administer()
            || ask.path.ends_with("$validate") && access.role.is_none();
        if is_closed_to || needs.iter().any(is_closed) {
            assert_eq!(told.status, 403, "{what}");
            denied += 1;
        } else {
            assert!([200, 404].contains(&told.status), "{what}");
            allowed += 1;
        }
    }
    assert!(denied > 1_000 && allowed > 500, "{denied} denied, {allowed} allowed: that shows little");
    desk.each_is_recorded().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patients_everything_summary_and_documents_hold_nothing_of_another_patient() {
    let desk = world(true).await;
    let me = patient(OWN);
    for (path, status) in [
        ("Patient/$everything", 200),
        ("Patient/own/$everything", 200),
        ("Patient/other/$everything", 404),
        ("Encounter/visit-own/$everything", 200),
        ("Encounter/visit-other/$everything", 404),
        ("Patient/$summary", 200),
        ("Patient/other/$summary", 404),
        ("Composition/written/$document", 404),
        ("Composition/tempting/$document", 422),
        ("Observation/$lastn?patient=other&category:missing=true", 200),
        ("Observation/$stats?subject=Patient/other&code=x&statistic=count&include=true", 200),
        ("Observation/measured/$meta", 404),
        ("Patient/other/_history/1/$meta", 404),
    ] {
        let told = desk.ask(&me, &Ask::get(path)).await;
        assert_eq!(told.status, status, "{path}: {}", told.body);
        let entries = told.body["entry"].to_string();
        assert!(!entries.contains(CANARY) && !entries.contains("Practitioner/secret"), "{path}: {entries}");
        let others = told.found().into_iter().filter(|one| one.contains("other")).collect::<Vec<_>>();
        assert!(others.is_empty(), "{path}: {others:?}");
        // Read by its patient, or tried: either is on record, and names nobody who was not seen.
        let records = desk.last_records().await;
        assert!(
            !records.is_empty() && records.iter().all(|one| one.interaction == "operation" && one.status == status)
        );
        assert!(
            records.iter().all(|one| one.patient.as_deref().is_none_or(|patient| patient == OWN)),
            "{path}: {records:?}"
        );
        assert!(
            records[0].what.query.as_deref().is_some_and(|query| query.starts_with(path.split('?').next().unwrap()))
        );
    }
    let own = desk.ask(&me, &Ask::get("Patient/own/$everything?_count=1000")).await.found();
    assert!(own.contains(&"Patient/own".to_owned()) && own.contains(&"Practitioner/shared".to_owned()), "{own:?}");
    assert!(own.len() > 60, "{}", own.len());
    for ask in [
        Ask::with("POST", "Observation/measured/$meta-add", labels()),
        Ask::with("POST", "Patient/own/$meta-add", labels()),
        Ask::with(
            "POST",
            "Composition/tempting/$document",
            json!({"resourceType": "Parameters",
            "parameter": [{"name": "persist", "valueBoolean": true}]}),
        ),
    ] {
        let told = desk.ask(&me, &ask).await;
        assert!([403, 404, 422].contains(&told.status), "{}: {}", ask.path, told.body);
    }
    desk.each_is_recorded().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_practitioners_everything_of_one_patient_holds_nothing_about_another() {
    let desk = world(true).await;
    let doctor = of(Role::Practitioner);
    let told = desk.ask(&doctor, &Ask::get("Patient/own/$everything?_count=1000")).await;
    assert_eq!(told.status, 200);
    assert!(!told.body["entry"].to_string().contains(CANARY), "{:?}", told.found());
    let records = desk.last_records().await;
    assert!(records.iter().any(|one| one.patient.as_deref() == Some(OWN) && one.status == 200), "{records:?}");
    let told = desk.ask(&doctor, &Ask::get("Patient/own/$summary")).await;
    assert!(told.status == 200 && !told.body.to_string().contains(CANARY));
    // A document is what its author wrote: who may see all of it, sees it.
    let told = desk.ask(&doctor, &Ask::get("Composition/tempting/$document")).await;
    assert!(told.status == 200 && told.found().contains(&"Observation/measured".to_owned()), "{}", told.body);
    let patients: Vec<Option<String>> = desk.last_records().await.into_iter().map(|one| one.patient).collect();
    assert!(patients.contains(&Some(OTHER.to_owned())) && patients.contains(&Some(OWN.to_owned())), "{patients:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_keep_to_a_clients_scopes() {
    let desk = world(true).await;
    for (id, category) in [("lab", "laboratory"), ("vital", "vital-signs")] {
        let body = json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "x"},
            "category": [{"coding": [{"code": category}]}], "subject": {"reference": "Patient/other"}});
        assert_eq!(desk.do_all(&Ask::with("PUT", format!("Observation/{id}"), body)).await.status, 201);
    }
    let app = |scopes: &str| {
        let patient = Some(Id::parse(OTHER).unwrap());
        Access { client: Some(Client { scopes: Scopes::parse(scopes), patient }), ..of(Role::Practitioner) }
    };
    let narrow = app("patient/Patient.rs patient/Observation.rs?category=laboratory");
    // Without an id it is the patient whom the client was opened for.
    let told = desk.ask(&narrow, &Ask::get("Patient/$everything")).await;
    let mut found = told.found();
    found.sort();
    assert_eq!(found, ["Observation/lab", "Patient/other"]);
    let told = desk.ask(&narrow, &Ask::get("Observation/$lastn?category=laboratory,vital-signs")).await;
    assert_eq!(told.found(), ["Observation/lab"]);
    for (path, status) in [
        // A summary without allergies would mislead.
        ("Patient/$summary", 403),
        ("Patient/own/$everything", 404),
        ("Observation/vital/$meta", 404),
        ("Observation/lab/$meta", 200),
        ("Composition/written/$document", 403),
    ] {
        assert_eq!(desk.ask(&narrow, &Ask::get(path)).await.status, status, "{path}");
    }
    let updates = app("patient/Observation.ru");
    let reads = app("patient/Observation.r");
    let add = Ask::with("POST", "Observation/lab/$meta-add", labels());
    assert_eq!(desk.ask(&reads, &add).await.status, 403);
    assert_eq!(desk.ask(&updates, &add).await.status, 200);
    // Nothing changes any more, and still only who may change it is answered.
    assert_eq!(desk.ask(&reads, &add).await.status, 403);
    assert_eq!(desk.ask(&updates, &add).await.status, 200);
}
