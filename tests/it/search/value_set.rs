//! `:in` and `:not-in`: codes of a stored ValueSet, as far as no terminology server is needed. <https://hl7.org/fhir/R4/search.html#modifiers>

use super::{all_find, all_refused, holding, resource, store};
use serde_json::{Value, json};

fn observation(id: &str, system: &str, code: &str) -> Value {
    let code = json!({"coding": [{"system": system, "code": code}]});
    resource("Observation", id, json!({"status": "final", "code": code}))
}

fn value_set(id: &str, members: Value) -> Value {
    let mut whole =
        resource("ValueSet", id, json!({"status": "active", "url": format!("http://acme.org/ValueSet/{id}")}));
    whole.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    whole
}

fn include(parts: Value) -> Value {
    json!({"compose": {"include": parts}})
}

fn value_sets() -> Vec<Value> {
    let listed = |system: &str, codes: &[&str]| {
        let concepts: Vec<Value> = codes.iter().map(|code| json!({"code": code})).collect();
        json!({"system": system, "concept": concepts})
    };
    let without = json!({"compose": {"include": [listed("urn:a", &["1", "2"])], "exclude": [listed("urn:a", &["1"])]}});
    let contains = json!([{"system": "urn:a", "code": "1", "contains": [{"system": "urn:b", "code": "1"}]},
        {"system": "urn:a", "code": "2", "abstract": true}]);
    vec![
        value_set("listed", include(json!([listed("urn:a", &["1", "2"])]))),
        value_set("system", include(json!([{"system": "urn:a"}]))),
        value_set("complete", include(json!([{"system": "urn:c"}]))),
        value_set(
            "of-sets",
            include(json!([{"valueSet": ["http://acme.org/ValueSet/listed"]}, listed("urn:b", &["1"])])),
        ),
        value_set("both", include(json!([{"system": "urn:a", "valueSet": ["http://acme.org/ValueSet/expanded"]}]))),
        value_set("without", without),
        value_set("expanded", json!({"expansion": {"timestamp": "2020-01-01", "contains": contains}})),
        value_set(
            "part",
            json!({"expansion": {"timestamp": "2020-01-01", "total": 9, "contains": [{"system": "urn:a", "code": "1"}]}}),
        ),
        value_set(
            "filter",
            include(json!([{"system": "urn:a", "filter": [{"property": "concept", "op": "is-a", "value": "1"}]}])),
        ),
        value_set("genders", include(json!([listed("http://hl7.org/fhir/administrative-gender", &["male"])]))),
        value_set("empty", json!({})),
        value_set("circle", include(json!([{"valueSet": ["http://acme.org/ValueSet/circle"]}]))),
        resource(
            "CodeSystem",
            "c",
            json!({"status": "active", "url": "urn:c", "content": "complete",
            "concept": [{"code": "1", "concept": [{"code": "1.1"}]}]}),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_members_of_a_stored_value_set_are_found_and_all_others_by_not_in() {
    let server = holding(value_sets()).await;
    store(
        &server,
        [
            observation("a1", "urn:a", "1"),
            observation("a2", "urn:a", "2"),
            observation("a3", "urn:a", "3"),
            observation("b1", "urn:b", "1"),
            observation("c11", "urn:c", "1.1"),
            observation("c2", "urn:c", "2"),
            resource("Patient", "man", json!({"gender": "male"})),
            resource("Patient", "woman", json!({"gender": "female"})),
        ],
    )
    .await;
    let rows = [
        ("Observation?code:in=http://acme.org/ValueSet/listed", "a1 a2"),
        ("Observation?code:in=ValueSet/listed", "a1 a2"),
        ("Observation?code:not-in=http://acme.org/ValueSet/listed", "a3 b1 c11 c2"),
        ("Observation?code:in=ValueSet/system", "a1 a2 a3"),
        ("Observation?code:in=ValueSet/complete", "c11"),
        ("Observation?code:in=ValueSet/of-sets", "a1 a2 b1"),
        ("Observation?code:in=ValueSet/without", "a2"),
        ("Observation?code:in=ValueSet/expanded", "a1 b1"),
        ("Observation?code:in=ValueSet/both", "a1"),
        ("Observation?code:in=ValueSet/without,ValueSet/complete", "a2 c11"),
        ("Observation?code:not-in=ValueSet/without,ValueSet/complete", "a1 a3 b1 c2"),
        ("Observation?code:in=ValueSet/listed&code:not-in=ValueSet/without", "a1"),
        ("Observation?combo-code:in=ValueSet/listed", "a1 a2"),
        ("Patient?gender:in=http://acme.org/ValueSet/genders", "man"),
        ("Patient?gender:not-in=http://acme.org/ValueSet/genders", "woman"),
    ];
    all_find(&server, &rows).await;
    let refused = [
        ("Observation?code:in=ValueSet/nothing", "code:in", "nothing"),
        ("Observation?code:in=http://snomed.info/sct?fhir_vs=isa/126851005", "code:in", "snomed"),
        ("Observation?code:in=ValueSet/filter", "code:in", "by a filter"),
        ("Observation?code:in=ValueSet/part", "code:in", "in part only"),
        ("Observation?code:in=ValueSet/empty", "code:in", "neither an expansion nor a definition"),
        ("Observation?code:in=ValueSet/circle", "code:in", "circle"),
    ];
    all_refused(&server, &refused).await;
}
