//! What is not understood is reported, or refused under strict handling; what cannot be read is refused by name. <https://hl7.org/fhir/R4/search.html#errors>

use super::{all_find, all_ignored, all_refused, finds, holding, ids, link, resource};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ignored_is_told_and_left_out_of_the_links() {
    let server = holding([
        resource("Patient", "a", json!({"name": [{"family": "Smith"}]})),
        resource("Patient", "b", json!({"name": [{"family": "Smith"}]})),
    ])
    .await;
    let rows = [
        ("Patient?family=smith&color=red", "color", "'color' is not a search parameter of Patient"),
        ("Patient?_unknown=1", "_unknown", "not a search parameter"),
        ("Patient?family=", "family", "has no value"),
        ("Patient?Family=smith", "Family", "not a search parameter"),
        ("Patient?family:sounds-like=smith", "family:sounds-like", "no modifier"),
        ("Patient?_content:exact=x", "_content:exact", "no modifier"),
    ];
    all_ignored(&server, &rows).await;
    let answer = server.get("Patient?color=red&_count=1&family=smith&size=9").await.expect(200);
    let outcome = answer.entries().pop().unwrap();
    assert_eq!(outcome["search"]["mode"], "outcome");
    assert_eq!(outcome["resource"]["issue"].as_array().map(Vec::len), Some(2));
    let told = outcome["resource"]["issue"][0]["diagnostics"].as_str().unwrap();
    assert!(told.contains("The search was made without 'color=red'"), "{told}");
    for relation in ["self", "first", "next"] {
        let address = link(&answer, relation).unwrap();
        assert!(address.contains("family=smith") && !address.contains("color"), "{relation}: {address}");
    }
    // Under lenient handling the same as without.
    let lenient = server.get_with("Patient?color=red", &[("prefer", "handling=lenient")]).await.expect(200);
    assert_eq!(ids(&lenient), "a b");
    let strict = server.get_with("Patient?family=smith", &[("prefer", "handling=strict")]).await.expect(200);
    assert_eq!(ids(&strict), "a b");
}

#[tokio::test(flavor = "multi_thread")]
async fn escapes_keep_separators_apart_from_values() {
    let server = holding([
        resource("Patient", "comma", json!({"name": [{"family": "a,b"}]})),
        resource("Patient", "a", json!({"name": [{"family": "a"}]})),
        resource("Patient", "b", json!({"name": [{"family": "b"}]})),
        resource("Patient", "bar", json!({"identifier": [{"system": "urn:s|t", "value": "1|2"}]})),
        resource("Patient", "dollar", json!({"identifier": [{"system": "urn:s", "value": "$1,00\\2"}]})),
        resource(
            "Observation",
            "o",
            json!({"status": "final", "code": {"coding": [{"code": "a$b"}]}, "valueString": "c$d"}),
        ),
    ])
    .await;
    let rows = [
        ("Patient?family:exact=a,b", "a b"),
        ("Patient?family:exact=a\\,b", "comma"),
        ("Patient?family:exact=a\\,b,b", "b comma"),
        ("Patient?family:exact=a%5C%2Cb", "comma"),
        ("Patient?family:exact=a%2Cb", "a b"),
        ("Patient?identifier=urn:s\\|t|1\\|2", "bar"),
        ("Patient?identifier=1\\|2", "bar"),
        ("Patient?identifier=urn:s|\\$1\\,00\\\\2", "dollar"),
        // What needs no escape may stand without one.
        ("Patient?identifier=urn:s|$1\\,00\\2", "dollar"),
        ("Observation?code-value-string=a\\$b$c\\$d", "o"),
    ];
    all_find(&server, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused_by_parameter_and_value() {
    let server = holding([resource("Patient", "a", json!({"name": [{"family": "Smith"}]}))]).await;
    let many = format!("Patient?{}", vec!["family=x"; 101].join("&"));
    let values = format!("Patient?family={}", vec!["x"; 1001].join(","));
    let rows = [
        ("Patient?birthdate=soon&color=red", "birthdate", "'soon' cannot be read as a value of 'birthdate'"),
        ("Patient?name:missing=x", "name:missing", "'x'"),
        ("Observation?subject=Foo/1", "subject", "'Foo/1'"),
        ("Observation?value-quantity=x", "value-quantity", "'x'"),
        ("Location?near=x", "near", "'x'"),
        ("Patient?_lastUpdated=x", "_lastUpdated", "'x'"),
        ("Patient?family=a%00b", "family", "U+0000"),
        (many.as_str(), "", "at most 100 parameters"),
        (values.as_str(), "family", "at most 1000 alternatives"),
    ];
    all_refused(&server, &rows).await;
    server.get("Patient?family=%ff").await.expect(400);
    server.get("Pacient?family=x").await.expect(404);
    finds(&server, "Patient?family=smith", "a").await;
}
