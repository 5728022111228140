//! Tokens: codes, identifiers and booleans, with and without their system. <https://hl7.org/fhir/R4/search.html#token>

use super::{all_find, all_ignored, all_refused, holding, resource};
use serde_json::{Value, json};

const CODES: &str = "http://acme.org/conditions/codes";

fn condition(id: &str, code: Value) -> Value {
    resource("Condition", id, json!({"subject": {"reference": "Patient/p"}, "code": code}))
}

fn coding(system: &str, code: &str, display: &str) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": display}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_found_with_and_without_its_system() {
    let server = holding([
        condition("acme", coding(CODES, "ha125", "Cluster headache")),
        condition("other", coding("http://other.org", "ha125", "Headache")),
        condition("bare", json!({"coding": [{"code": "ha125"}]})),
        condition(
            "two",
            json!({"coding": [{"system": CODES, "code": "x"}, {"system": "http://other.org", "code": "y"}]}),
        ),
        condition("system", json!({"coding": [{"system": CODES}]})),
        condition("upper", coding(CODES, "HA125", "")),
        condition("signs", coding("http://a.org/b|c", "a,b|c$d\\e", "")),
        condition("text", json!({"text": "ha125"})),
        resource("Condition", "none", json!({"subject": {"reference": "Patient/p"}})),
    ])
    .await;
    let rows = [
        ("Condition?code=http://acme.org/conditions/codes|ha125", "acme upper"),
        ("Condition?code=ha125", "acme bare other upper"),
        ("Condition?code=HA125", "acme bare other upper"),
        ("Condition?code=|ha125", "bare"),
        ("Condition?code=http://acme.org/conditions/codes|", "acme system two upper"),
        ("Condition?code=http://acme.org/conditions/codes|y", ""),
        ("Condition?code=http://other.org|y", "two"),
        ("Condition?code=http://acme.org/conditions/codes|x,|ha125", "bare two"),
        ("Condition?code=x&code=y", "two"),
        ("Condition?code=http://acme.org/conditions/CODES|ha125", ""),
        ("Condition?code=http://a.org/b\\|c|a\\,b\\|c\\$d\\\\e", "signs"),
        ("Condition?code=http://a.org/b%5C%7Cc%7Ca%5C,b%5C%7Cc%5C$d%5C%5Ce", "signs"),
        ("Condition?code=http://a.org/b\\|c|", "signs"),
        ("Condition?code=ha12", ""),
        ("Condition?code:not=ha125", "none signs system text two"),
        ("Condition?code:not=ha125,x", "none signs system text"),
        ("Condition?code:not=http://other.org|", "acme bare none signs system text upper"),
        ("Condition?code:not=|ha125", "acme none other signs system text two upper"),
        ("Condition?code:not=ha125&code:not=x", "none signs system text"),
    ];
    all_find(&server, &rows).await;
    let refused = [
        ("Condition?code=a|b|c", "code", "system|code"),
        ("Condition?code=|", "code", "A code was expected"),
        ("Condition?code=a,,b", "code", "A code was expected"),
    ];
    all_refused(&server, &refused).await;
    let ignored = [
        // What subsumes what only a terminology server could say.
        ("Condition?code:below=126851005", "code:below", "no modifier ':below'"),
        ("Condition?code:above=126851005", "code:above", "no modifier ':above'"),
        ("Condition?code:exact=x", "code:exact", "no modifier ':exact'"),
    ];
    all_ignored(&server, &ignored).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_what_people_read_of_a_code() {
    let server = holding([
        condition("display", coding(CODES, "1", "Headache, cluster")),
        condition("text", json!({"text": "HEADACHE since Monday"})),
        condition("inside", json!({"text": "bad headache"})),
        condition("code", coding(CODES, "headache", "Pain")),
        resource("Patient", "typed", json!({"identifier": [{"type": {"text": "Local number"}, "value": "headache"}]})),
    ])
    .await;
    let rows = [
        ("Condition?code:text=headache", "display text"),
        ("Condition?code:text=héadache", "display text"),
        ("Condition?code:text=headache\\, cl", "display"),
        ("Condition?code:text=pain,bad", "code inside"),
        ("Patient?identifier:text=local", "typed"),
        ("Patient?identifier:text=headache", ""),
    ];
    all_find(&server, &rows).await;
}

fn with_type(value: &str, code: &str) -> Value {
    json!({"system": "http://acme.org/ids", "value": value,
        "type": coding("http://terminology.hl7.org/CodeSystem/v2-0203", code, code)})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_is_found_by_value_system_and_type_and_its_case_matters() {
    let patient = |id: &str, identifiers: Value| resource("Patient", id, json!({"identifier": identifiers}));
    let server = holding([
        patient("acme", json!([{"system": "http://acme.org/patient", "value": "2345"}])),
        patient("bare", json!([{"value": "2345"}])),
        patient("mr", json!([with_type("446053", "MR")])),
        patient("ss", json!([with_type("446053", "SS"), with_type("1", "MR")])),
        patient("case", json!([{"system": "http://acme.org/patient", "value": "abC"}])),
        patient("system", json!([{"system": "http://acme.org/patient"}])),
    ])
    .await;
    let rows = [
        ("Patient?identifier=http://acme.org/patient|2345", "acme"),
        ("Patient?identifier=2345", "acme bare"),
        ("Patient?identifier=|2345", "bare"),
        ("Patient?identifier=http://acme.org/patient|", "acme case system"),
        ("Patient?identifier=http://acme.org/patient|abC", "case"),
        ("Patient?identifier=http://acme.org/patient|abc", ""),
        ("Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|446053", "mr"),
        ("Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|1", "ss"),
        ("Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|XX|1", ""),
        ("Patient?identifier:not=2345", "case mr ss system"),
        ("Patient?identifier=http://acme.org/patient|2345,http://acme.org/ids|1", "acme ss"),
    ];
    all_find(&server, &rows).await;
    let refused = [
        ("Patient?identifier:of-type=MR|446053", "identifier:of-type", "system|code|value"),
        ("Patient?identifier:of-type=|MR|446053", "identifier:of-type", "none of them may be empty"),
    ];
    all_refused(&server, &refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_booleans_and_telecoms_are_tokens_too() {
    let phone =
        json!([{"system": "phone", "value": "(03) 5555 6473", "use": "home"}, {"system": "email", "value": "a@b.org"}]);
    let composition = json!({"status": "final", "type": {"text": "x"}, "date": "2020", "author": [{"reference": "Practitioner/d"}],
        "title": "t", "section": [{"code": coding("http://loinc.org", "48765-2", "")}, {"code": coding("http://loinc.org", "1", "")}]});
    let server = holding([
        resource("Patient", "man", json!({"gender": "male", "active": true, "telecom": phone})),
        resource("Patient", "woman", json!({"gender": "female", "active": false, "deceasedBoolean": true})),
        resource("Patient", "dead", json!({"deceasedDateTime": "2020-01-01"})),
        resource("Composition", "c", composition),
    ])
    .await;
    let rows = [
        ("Patient?gender=male", "man"),
        ("Patient?gender:not=male", "dead woman"),
        ("Patient?gender:not=male,female", "dead"),
        // The system of a code is implied by its element.
        ("Patient?gender=http://hl7.org/fhir/administrative-gender|male", "man"),
        ("Patient?active=true", "man"),
        ("Patient?active=false", "woman"),
        ("Patient?deceased=true", "dead woman"),
        ("Patient?deceased=false", "man"),
        ("Patient?email=a@b.org", "man"),
        ("Patient?phone=(03) 5555 6473", "man"),
        ("Patient?phone=a@b.org", ""),
        ("Patient?telecom=a@b.org", "man"),
        ("Composition?section=48765-2", "c"),
        ("Composition?section:not=48765-2", ""),
        ("Composition?section:not=2", "c"),
    ];
    all_find(&server, &rows).await;
}
