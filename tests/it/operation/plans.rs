//! Which shards operations ask, and how often; how many shards only Citus can say.

use super::everything::ward;
use crate::attack::desk::{Ask, Desk};
use crate::support::bundle::{put, transaction};
use serde_json::json;

/// Shards of the tables in these tests.
const SHARDS: u32 = 4;

async fn opened() -> Desk {
    let desk = Desk::open(false).await;
    let told = desk.do_all(&Ask::with("POST", "", transaction(ward().into_iter().map(put)))).await;
    assert_eq!(told.status, 200, "{}", told.body);
    desk
}

/// Checks the purposes of the statements, and on Citus that those of the record ask one shard.
async fn expect(desk: &Desk, path: &str, expected: &[(&str, u32)]) {
    let steps = desk.steps_of(&Ask::get(path)).await;
    let mut purposes: Vec<&str> = steps.iter().map(|step| step.purpose).collect();
    let mut wanted: Vec<&str> = expected.iter().map(|(purpose, _)| *purpose).collect();
    purposes.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(purposes, wanted, "{path}");
    for step in &steps {
        let plan = step.plan.join("\n");
        assert!(!plan.contains("Distributed Subplan"), "{path} gathers on the coordinator:\n{plan}");
        assert_eq!(step.shards.is_some(), desk.is_citus(), "{path}: {}:\n{plan}", step.purpose);
        let (_, most) = expected.iter().find(|(purpose, _)| *purpose == step.purpose).unwrap();
        assert!(step.shards.is_none_or(|shards| shards <= *most), "{path}: {}:\n{plan}", step.purpose);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_records_operations_ask_one_shard_for_it_and_a_step_for_what_is_shared() {
    let desk = opened().await;
    let shared = "what is referred to";
    // What is shared lies on the shards of its own ids: one statement a step, of those shards.
    expect(&desk, "Patient/b/$everything?_type=Observation", &[("read_current", 1), ("page", 1)]).await;
    let lone = [
        json!({"resourceType": "Patient", "id": "lone", "generalPractitioner": [{"reference": "Practitioner/gp"}]}),
        json!({"resourceType": "AllergyIntolerance", "id": "pollen", "patient": {"reference": "Patient/lone"}}),
    ];
    let told = desk.do_all(&Ask::with("POST", "", transaction(lone.map(put)))).await;
    assert_eq!(told.status, 200, "{}", told.body);
    expect(&desk, "Patient/lone/$everything", &[("read_current", 1), ("page", 1), (shared, 1)]).await;
    // An appointment of two patients lives with the other one, so that a second look goes beyond this record, as with
    // every search in a compartment.
    let steps = [("read_current", 1), ("page", SHARDS), ("page", SHARDS), (shared, SHARDS), (shared, SHARDS)];
    expect(&desk, "Patient/a/$everything", &steps).await;
    for path in
        ["Observation/$lastn?patient=b&category=x", "Observation/$stats?subject=Patient/b&code=x&statistic=count"]
    {
        expect(&desk, path, &[("page", 1)]).await;
    }
}
