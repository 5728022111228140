//! Bundles that mix what is allowed with what is not, criteria that ask for what may not be seen, and links of others.

use super::desk::{Ask, of, patient};
use super::world::{OTHER, OWN, world};
use brasa::auth::role::Role;
use serde_json::{Value, json};

fn report(subject: &str, code: &str) -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"text": code},
        "identifier": [{"system": "urn:report", "value": code}],
        "subject": {"reference": format!("Patient/{subject}")}, "performer": [{"reference": format!("Patient/{OWN}")}]})
}

fn entry(method: &str, url: &str, resource: Option<Value>) -> Value {
    let mut entry = json!({"request": {"method": method, "url": url}});
    if let Some(resource) = resource {
        entry["resource"] = resource;
    }
    entry
}

fn bundle(kind: &str, entries: Vec<Value>) -> Ask {
    Ask::with("POST", "", json!({"resourceType": "Bundle", "type": kind, "entry": entries}))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_mixed_batch_the_allowed_entries_are_done_and_of_a_transaction_none() {
    let desk = world(true).await;
    let me = patient(OWN);
    let mixed = || {
        vec![
            entry("POST", "Observation", Some(report(OWN, "mine"))),
            entry("POST", "Observation", Some(report(OTHER, "theirs"))),
            entry("GET", "Patient/other", None),
            entry("GET", "Patient?family=Zarzaparrilla", None),
            entry("DELETE", "Observation/measured", None),
        ]
    };
    let batch = desk.ask(&me, &bundle("batch", mixed())).await;
    let entries = batch.body["entry"].as_array().unwrap();
    let statuses: Vec<&str> =
        entries.iter().map(|entry| entry["response"]["status"].as_str().unwrap().get(..3).unwrap()).collect();
    assert_eq!(statuses, ["201", "403", "404", "200", "403"], "{}", batch.body);
    assert_eq!(entries[3]["resource"]["entry"].as_array().map_or(0, Vec::len), 0);
    let count = "Observation?_summary=count";
    let before = desk.do_all(&Ask::get(count)).await.body["total"].clone();
    for forbidden in 1..5 {
        if forbidden == 3 {
            continue;
        }
        let entries = vec![mixed().swap_remove(0), mixed().swap_remove(forbidden)];
        let told = desk.ask(&me, &bundle("transaction", entries)).await;
        assert!([403, 404].contains(&told.status), "{}", told.body);
        let place = told.body["at"].as_str().unwrap_or_default();
        assert!(place.starts_with("Bundle.entry[1]"), "the entry is named: {}", told.body);
    }
    assert_eq!(desk.do_all(&Ask::get(count)).await.body["total"], before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_criterion_tells_nothing_of_what_may_not_be_seen() {
    let desk = world(true).await;
    let me = patient(OWN);
    let theirs = desk.do_all(&Ask::with("POST", "Observation", report(OTHER, "secret"))).await;
    assert_eq!(theirs.status, 201);
    for criterion in ["identifier=urn:report|secret", "subject=Patient/other", "subject:Patient.family=Zarzaparrilla"] {
        let ask = Ask {
            if_none_exist: Some(criterion.to_owned()),
            ..Ask::with("POST", "Observation", report(OWN, &format!("own of {criterion}")))
        };
        assert_eq!(desk.ask(&me, &ask).await.status, 201, "{criterion}: what may not be seen does not exist");
    }
    // As an update of what one criterion finds: nothing is found, so something of one's own is made, or nothing.
    let put = Ask::with("PUT", "Observation?identifier=urn:report|secret", report(OWN, "secret"));
    assert_eq!(desk.ask(&me, &put).await.status, 201);
    let id = theirs.body["id"].as_str().unwrap();
    let theirs = desk.do_all(&Ask::get(format!("Observation/{id}"))).await;
    assert_eq!(
        (&theirs.body["meta"]["versionId"], &theirs.body["subject"]["reference"]),
        (&json!("1"), &json!("Patient/other"))
    );
    let refer = async |criterion: &str| {
        let mut body = report(OWN, "refers");
        body["subject"] = json!({"reference": criterion});
        desk.ask(&me, &bundle("transaction", vec![entry("POST", "Observation", Some(body))])).await
    };
    let hidden = refer("Patient?identifier=urn:mrn|other").await;
    assert_eq!((hidden.status, &hidden), (412, &refer("Patient?identifier=urn:mrn|nobody").await));
    assert_eq!(refer("Patient?identifier=urn:mrn|own").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_a_page_opens_nothing_for_another_account() {
    let desk = world(true).await;
    let page = desk.ask(&of(Role::Practitioner), &Ask::get("Patient?_count=1&_sort=-_id")).await;
    let next = page.body["link"].as_array().unwrap().iter().find(|link| link["relation"] == "next").unwrap();
    let path = next["url"].as_str().unwrap().trim_start_matches("http://brasa.test/fhir/").to_owned();
    let mut seen = desk.ask(&patient(OWN), &Ask::get(path)).await.found();
    seen.retain(|one| one != "Patient/own");
    assert_eq!(seen, Vec::<String>::new());
}
