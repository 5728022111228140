//! Parameters of every resource: `_id`, `_lastUpdated`, `_tag`, `_profile`, `_security`, `_source`, `_list`, `_type`. <https://hl7.org/fhir/R4/search.html#all>

use super::{all_find, all_ignored, all_refused, finds, holding, resource, store};
use crate::support::Server;
use serde_json::{Value, json};
use std::time::Duration;

fn with_meta(resource_type: &str, id: &str, meta: Value) -> Value {
    resource(resource_type, id, json!({"meta": meta}))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_meta_holds_is_found_on_every_type() {
    let coding = |system: &str, code: &str| json!([{"system": system, "code": code}]);
    let server = holding([
        with_meta("Patient", "tagged", json!({"tag": coding("http://acme.org/codes", "needs-review")})),
        with_meta("Practitioner", "tagged-too", json!({"tag": coding("http://acme.org/codes", "needs-review")})),
        with_meta("Patient", "secret", json!({"security": coding("http://acme.org/codes", "confidential")})),
        with_meta("Patient", "profiled", json!({"profile": ["http://hl7.org/fhir/StructureDefinition/bp|2.0"]})),
        with_meta("Patient", "below", json!({"profile": ["http://hl7.org/fhir/StructureDefinition/bp/child"]})),
        with_meta("Patient", "sourced", json!({"source": "http://acme.org/system#123"})),
        with_meta("Patient", "sourced-below", json!({"source": "http://acme.org/system/b"})),
        resource("Patient", "plain", json!({})),
    ])
    .await;
    let rows = [
        ("Patient?_tag=http://acme.org/codes|needs-review", "tagged"),
        ("?_tag=http://acme.org/codes|needs-review", "tagged tagged-too"),
        ("Patient?_tag=needs-review", "tagged"),
        ("Patient?_tag:not=needs-review", "below plain profiled secret sourced sourced-below"),
        ("Patient?_security=http://acme.org/codes|confidential", "secret"),
        ("Patient?_security=http://acme.org/codes|", "secret"),
        ("Patient?_profile=http://hl7.org/fhir/StructureDefinition/bp", "profiled"),
        ("Patient?_profile=http://hl7.org/fhir/StructureDefinition/bp\\|2.0", "profiled"),
        ("Patient?_profile:below=http://hl7.org/fhir/StructureDefinition/bp", "below profiled"),
        ("Patient?_source=http://acme.org/system%23123", "sourced"),
        ("Patient?_source:below=http://acme.org/system", "sourced-below"),
        ("Patient?_id=tagged", "tagged"),
        ("Patient?_id=tagged,plain,nobody", "plain tagged"),
        ("Patient?_id:not=tagged&_tag:missing=false", ""),
        ("Patient?_id=tagged-too", ""),
        ("?_id=tagged-too", "tagged-too"),
        ("?_type=Practitioner&_tag=needs-review", "tagged-too"),
        ("?_type=Practitioner,Patient&_tag=needs-review", "tagged tagged-too"),
        ("?_type=Device&_tag=needs-review", ""),
        ("?_type=Patient,Practitioner&active:missing=true&_id=plain,tagged-too", "plain tagged-too"),
    ];
    all_find(&server, &rows).await;
    let refused = [
        ("Patient?_id=a b", "_id", "'a b'"),
        ("?_type=Pacient", "_type", "'Pacient'"),
        ("?_type=Patient&_type=Device", "_type", "once only"),
    ];
    all_refused(&server, &refused).await;
    let ignored = [
        ("Patient?_type=Patient&_id=plain", "_type", "search of one type"),
        ("?_type=Patient,Practitioner&birthdate=2000", "birthdate", "not a search parameter of Practitioner"),
        ("?_id:exact=plain", "_id:exact", "no modifier"),
    ];
    all_ignored(&server, &ignored).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_the_last_update_is_found_with_all_prefixes() {
    let server = Server::start().await;
    let mut times = Vec::new();
    for id in ["a", "b", "c"] {
        let stored = server.put(&format!("Patient/{id}"), resource("Patient", id, json!({}))).await.expect(201);
        times.push(stored.json()["meta"]["lastUpdated"].as_str().unwrap().to_owned());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let second = &times[1];
    for (prefix, expected) in [
        ("", "b"),
        ("eq", "b"),
        ("ne", "a c"),
        ("gt", "c"),
        ("sa", "c"),
        ("ge", "b c"),
        ("lt", "a"),
        ("eb", "a"),
        ("le", "a b"),
    ] {
        finds(&server, &format!("Patient?_lastUpdated={prefix}{second}"), expected).await;
    }
    let rows = [
        ("Patient?_lastUpdated=gt2010-10-01", "a b c"),
        ("Patient?_lastUpdated=lt2010-10-01", ""),
        ("Patient?_lastUpdated=ge2010&_lastUpdated=le2010-12", ""),
        ("?_lastUpdated=gt2010-10-01", "a b c"),
    ];
    all_find(&server, &rows).await;
    server.put("Patient/a", resource("Patient", "a", json!({"active": true}))).await.expect(200);
    finds(&server, &format!("Patient?_lastUpdated=gt{}", times[2]), "a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_members_of_a_list_are_found() {
    let server = holding([
        resource("Patient", "woman", json!({"gender": "female"})),
        resource("Patient", "man", json!({"gender": "male"})),
        resource("Patient", "gone", json!({})),
        resource("Patient", "other", json!({})),
        resource("Practitioner", "d", json!({})),
    ])
    .await;
    let entry = |reference: &str| json!({"item": {"reference": reference}});
    let left = json!({"deleted": true, "item": {"reference": "Patient/gone"}});
    let entries = json!([
        entry("Patient/woman"),
        entry("Patient/man"),
        entry("Practitioner/d"),
        left,
        entry("http://x.org/Patient/other")
    ]);
    store(
        &server,
        [
            resource("List", "42", json!({"status": "current", "mode": "changes", "entry": entries})),
            resource(
                "Observation",
                "of-man",
                json!({"status": "final", "code": {"text": "x"}, "subject": {"reference": "Patient/man"}}),
            ),
            resource("List", "empty", json!({"status": "current", "mode": "working"})),
        ],
    )
    .await;
    let rows = [
        ("Patient?_list=42", "man woman"),
        ("Patient?_list=42&gender=female", "woman"),
        ("Practitioner?_list=42", "d"),
        ("?_list=42", "d man woman"),
        ("Patient?_list=List/42", "man woman"),
        ("Patient?_list=empty", ""),
        ("Patient?_list=42,empty", "man woman"),
        ("Observation?subject:Patient._list=42", "of-man"),
        ("Patient?_filter=_list eq 42 and gender eq male", "man"),
    ];
    all_find(&server, &rows).await;
    let refused = [
        ("Patient?_list=nothing", "_list", "no List"),
        ("AllergyIntolerance?patient=42&_list=$current-allergies", "_list", "only lists that are stored"),
        ("Patient?_list=a b", "_list", "'a b'"),
    ];
    all_refused(&server, &refused).await;
    all_ignored(&server, &[("Patient?_list:not=42", "_list:not", "no modifier ':not'")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_moved_or_deleted_is_found_by_its_current_version_only() {
    let observation = |patient: &str, word: &str, value: u32| {
        let members = json!({"status": "final", "code": {"coding": [{"code": word}], "text": word}, "valueString": word,
            "subject": {"reference": format!("Patient/{patient}")}, "effectiveDateTime": format!("20{value}"), "issued":
            format!("20{value}-01-01T00:00:00Z"), "component": [{"code": {"coding": [{"code": word}]}, "valueQuantity": {"value": value}}]});
        resource("Observation", "o", members)
    };
    let server = holding([observation("p", "old", 10)]).await;
    let by = |patient: &str, word: &str, value: u32| {
        [
            format!("Observation?code={word}"),
            format!("Observation?code:text={word}"),
            format!("Observation?value-string={word}"),
            format!("Observation?subject=Patient/{patient}"),
            format!("Patient/{patient}/Observation"),
            format!("Observation?date=20{value}"),
            format!("Observation?component-value-quantity={value}"),
            format!("Observation?component-code-value-quantity={word}${value}"),
            format!("Observation?_filter=code eq {word}"),
        ]
    };
    let expect = async |searches: [String; 9], expected: &str| {
        for search in searches {
            finds(&server, &search, expected).await;
        }
    };
    expect(by("p", "old", 10), "o").await;
    // To another patient, and so perhaps to another shard.
    server.put("Observation/o", observation("q", "new", 20)).await.expect(200);
    expect(by("p", "old", 10), "").await;
    expect(by("q", "new", 20), "o").await;
    server.delete("Observation/o").await.expect(204);
    expect(by("q", "new", 20), "").await;
    finds(&server, "Observation?code:not=x", "").await;
    finds(&server, "Observation?subject:missing=true", "").await;
    server.put("Observation/o", observation("p", "old", 10)).await.expect(201);
    expect(by("p", "old", 10), "o").await;
    expect(by("q", "new", 20), "").await;
}
