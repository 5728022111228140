//! The shapes of searches: which shards are asked, how often, and that limits go down to them. By `_explain=true`.
//!
//! How many shards a statement asks only Citus can say; how many statements a search takes is the same on one database.

use crate::support::Server;
use crate::support::bundle::{observation, post, post_as, put, transaction};
use serde_json::{Value, json};

/// Shards of the tables in these tests.
const SHARDS: u64 = 4;

struct Step {
    purpose: String,
    /// On Citus.
    shards: Option<u64>,
    plan: String,
}

async fn steps(server: &Server, search: &str) -> Vec<Step> {
    let separator = if search.contains('?') { '&' } else { '?' };
    let answer = server.get(&format!("{search}{separator}_explain=true")).await.expect(200).json();
    let part = |step: &Value, name: &str| {
        let parts = step["part"].as_array().unwrap();
        parts.iter().find(|part| part["name"] == name).cloned().unwrap_or_default()
    };
    let step = |step: &Value| {
        assert!(part(step, "microseconds")["valueInteger"].is_u64(), "{search} does not say how long a step took");
        assert!(part(step, "statement")["valueString"].is_string(), "{search} does not show a step's statement");
        Step {
            purpose: part(step, "purpose")["valueString"].as_str().unwrap().to_owned(),
            shards: part(step, "shards")["valueInteger"].as_u64(),
            plan: part(step, "plan")["valueString"].as_str().unwrap().to_owned(),
        }
    };
    let parameters = answer["parameter"].as_array().unwrap();
    parameters.iter().filter(|parameter| parameter["name"] == "step").map(step).collect()
}

/// Checks purposes and, on Citus, the number of shards of each step.
async fn expect(server: &Server, search: &str, expected: &[(&str, u64)]) {
    let steps = steps(server, search).await;
    let purposes: Vec<&str> = steps.iter().map(|step| step.purpose.as_str()).collect();
    let mut sorted = purposes.clone();
    let mut wanted: Vec<&str> = expected.iter().map(|(purpose, _)| *purpose).collect();
    sorted.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(sorted, wanted, "{search}");
    for step in &steps {
        assert!(!step.plan.contains("Distributed Subplan"), "{search} gathers on the coordinator:\n{}", step.plan);
        assert_eq!(step.shards.is_some(), server.database.is_citus(), "{search}: {}:\n{}", step.purpose, step.plan);
        let Some(shards) = step.shards else { continue };
        let (_, wanted) = expected.iter().find(|(purpose, _)| *purpose == step.purpose).unwrap();
        assert_eq!(shards, *wanted, "{search}: {}:\n{}", step.purpose, step.plan);
        if (step.purpose == "page" || step.purpose.starts_with("far end")) && shards > 1 {
            // Once on the coordinator, once in the task that is shown.
            assert!(step.plan.matches("Limit ").count() >= 2, "{search} does not push its limit down:\n{}", step.plan);
        }
    }
}

async fn ward() -> Server {
    let server = Server::start_with(&[("BRASA_EXPLAIN", "on")]).await;
    let doctor = json!({"resourceType": "Practitioner", "id": "d", "name": [{"family": "Soto"}], "identifier": [{"system": "urn:d", "value": "1"}]});
    let patient = |id: &str| {
        json!({"resourceType": "Patient", "id": id, "name": [{"family": id}], "identifier": [{"system": "urn:p", "value": id}],
        "generalPractitioner": [{"reference": "Practitioner/d"}]})
    };
    let mut entries = vec![put(doctor), put(patient("a")), put(patient("b"))];
    for (number, of) in ["a", "a", "b"].into_iter().enumerate() {
        let encounter = json!({"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"},
            "subject": {"reference": format!("Patient/{of}")}, "participant": [{"individual": {"reference": "Practitioner/d"}}]});
        let mut seen = observation(&format!("Patient/{of}"));
        seen["code"] = json!({"coding": [{"system": "http://loinc.org", "code": "8302-2"}]});
        seen["effectiveDateTime"] = json!(format!("2020-01-0{}", number + 1));
        seen["valueQuantity"] =
            json!({"value": 170 + number, "unit": "cm", "system": "http://unitsofmeasure.org", "code": "cm"});
        seen["encounter"] = json!({"reference": format!("urn:uuid:{number}")});
        entries.extend([post_as(&format!("urn:uuid:{number}"), encounter), post(seen)]);
    }
    server.post("", transaction(entries)).await.expect(200);
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn within_one_patient_a_search_is_one_statement_on_one_shard_whatever_the_parameters() {
    let server = ward().await;
    for search in [
        "Observation?patient=a",
        "Observation?patient=a&code=8302-2&_sort=-date",
        "Observation?patient=Patient/a&code=http://loinc.org|8302-2,x&date=gt2019&value-quantity=gt1.6|http://unitsofmeasure.org|m&_sort=date,_id",
        "Observation?subject=Patient/a&code:not=x&_sort=-value-quantity,-_lastUpdated",
        "Observation?patient=a&encounter.class=AMB&encounter.participant=Practitioner/d",
        "Encounter?patient=a&_has:Observation:encounter:code=8302-2",
        "Patient/a/Observation?code=8302-2",
        "Patient/a/*?_lastUpdated=gt2020",
    ] {
        expect(&server, search, &[("page", 1)]).await;
    }
    expect(&server, "Patient?_id=a&name=a", &[("page", 1)]).await;
    let counted = [("count", 1)];
    expect(&server, "Observation?patient=a&code=8302-2&_summary=count", &counted).await;
    // One who has nothing is one statement, too.
    expect(&server, "Observation?patient=nobody&code=8302-2", &[("page", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn includes_of_one_patient_stay_on_its_shard_one_statement_for_each_level_and_direction() {
    let server = ward().await;
    let page = [("page", 1)];
    let with = |more: &[(&'static str, u64)]| [&page[..], more].concat();
    expect(&server, "Observation?patient=a&_include=Observation:encounter", &with(&[("what is referred to", 1)])).await;
    expect(
        &server,
        "Encounter?patient=a&_include=Encounter:subject&_revinclude=Observation:encounter",
        &with(&[("what is referred to", 1), ("what refers", 1), ("find_member_homes", 1)]),
    )
    .await;
    expect(
        &server,
        "Patient?_id=a&_revinclude=Observation:patient&_revinclude=Encounter:subject",
        &[("page", 1), ("what refers", 1), ("find_member_homes", 1)],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_business_identifier_leads_to_its_resource_over_two_shards() {
    let server = ward().await;
    if !server.database.is_citus() {
        // On one database the index of tokens is as near as the table of identifiers.
        let found = server.get("Patient?identifier=urn:p|b").await.expect(200);
        assert_eq!(found.entries().len(), 1);
        return;
    }
    let direct = [("find_identifier", 1), ("page", 1)];
    for search in ["Patient?identifier=urn:p|b", "Patient?identifier=b&name=b", "Practitioner?identifier=urn:d|1"] {
        expect(&server, search, &direct).await;
    }
    expect(&server, "Patient?identifier=urn:p|nobody", &[("find_identifier", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_all_patients_a_page_is_one_statement_whose_limit_goes_down_to_the_shards() {
    let server = ward().await;
    let frequency = "how frequent a condition is";
    for (search, more) in [
        ("Observation", &[][..]),
        ("Observation?code=8302-2", &[]),
        ("Observation?code=http://loinc.org|8302-2", &[]),
        ("Observation?date=ge2020-01-01&date=lt2021", &["long spans"]),
        ("Observation?code=8302-2&value-quantity=gt150", &[frequency, frequency]),
        ("Observation?code=8302-2&date=ge2020", &["long spans"]),
        ("Patient?name=a", &[frequency]),
        ("?_lastUpdated=gt2020", &[frequency]),
        ("Observation?code=8302-2&_sort=_id", &[]),
    ] {
        let expected: Vec<_> =
            [("page", SHARDS)].into_iter().chain(more.iter().map(|purpose| (*purpose, SHARDS))).collect();
        expect(&server, search, &expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chains_to_shared_types_take_two_steps_and_includes_of_a_page_one_statement() {
    let server = ward().await;
    let chained = [("how frequent a condition is", SHARDS), ("far end of a chain", SHARDS), ("page", SHARDS)];
    expect(&server, "Encounter?participant:Practitioner.family=soto", &chained).await;
    let steps = steps(&server, "Patient?_has:Encounter:patient:participant=Practitioner/d").await;
    assert_eq!(steps.iter().filter(|step| step.purpose == "far end of _has").count(), 1);
    let answer = self::steps(&server, "Encounter?_include=Encounter:participant&_include=Encounter:subject").await;
    let included: Vec<_> = answer.iter().filter(|step| step.purpose == "what is referred to").collect();
    assert_eq!(included.len(), 1);
    assert!(included[0].shards.is_none_or(|shards| shards <= 3), "only the shards of what is referred to are asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_is_given_only_where_the_operator_allows_it() {
    let refused = Server::start().await.get("Patient?name=a&_explain=true").await.expect(400);
    assert_eq!(refused.expression(), "_explain");
}
