//! AuditEvents that are made of records: they are resources of R4, and searches find them.

use brasa::audit::event::event;
use brasa::audit::record::{Record, What};
use brasa::auth::agent::Agent;
use brasa::fhir::resource::Resource;
use brasa::search::extract::extract;
use brasa::search::registry::Registry;
use brasa::validate::check_shape;
use chrono::Utc;

#[test]
fn every_event_is_an_audit_event_of_r4_that_searches_find() {
    let registry = Registry::standard();
    let words = [
        "create",
        "read",
        "vread",
        "update",
        "patch",
        "delete",
        "history-type",
        "search-type",
        "search-system",
        "log-in",
        "log-out",
        "operation",
    ];
    for (number, word) in words.iter().enumerate() {
        let what = What {
            resource_type: Some("Observation".into()),
            id: (number % 2 == 0).then(|| "x".into()),
            version: Some(2),
            query: word.starts_with("search").then(|| "Observation?code=x".into()),
            removed: (word == &"operation").then(|| "Patient 1/1".into()),
        };
        let agent = Agent {
            account: Some("a1".into()),
            role: Some("admin".into()),
            reason: Some("why".into()),
            ..Agent::default()
        };
        let record = Record {
            recorded: Utc::now(),
            request: "r1".into(),
            agent,
            interaction: (*word).to_owned(),
            what,
            patient: Some("p".into()),
            status: 200,
        };
        let bytes = event("w-1", &record, "https://fhir.example.org").to_bytes();
        let resource = Resource::read(&bytes, 0..bytes.len(), 50).unwrap();
        check_shape(&resource).unwrap_or_else(|fault| panic!("{word}: {fault:?}"));
        let entries = extract(&registry, &resource, None);
        for code in ["action", "agent-role", "entity-role", "outcome", "patient", "site", "subtype", "type"] {
            let known = registry.parameter(resource.resource_type(), code).is_some();
            assert!(known, "{code}");
        }
        let has = |code: &str| {
            let parameter = registry.parameter(resource.resource_type(), code).unwrap();
            parameter.branches.iter().any(|branch| entries.tokens.iter().any(|entry| entry.param == branch.param))
        };
        assert!(["action", "outcome", "patient", "subtype", "type"].into_iter().all(has), "{word}");
        assert!(entries.date.is_some(), "{word}");
    }
}
