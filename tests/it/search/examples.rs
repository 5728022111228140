//! HL7's examples of R4 are found by what they hold. <https://hl7.org/fhir/R4/downloads.html>

use super::{all_find, all_find_in_order, all_include, ids};
use crate::examples::{examples, store_all};
use crate::support::Server;
use futures_util::{StreamExt, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

async fn library() -> Server {
    let server = Server::start().await;
    store_all(&server, &examples(), 201).await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_over_the_examples_find_what_a_reader_would() {
    let server = library().await;
    let rows = [
        ("Patient?name=peter", "example"),
        ("Patient?name=pieter,roelof", "f001 f201"),
        ("Patient?family=van de", "f001"),
        ("Patient?given=ja&family:exact=Solo", "infant-twin-1 infant-twin-2"),
        ("Patient?birthdate=1974-12-25", "ch-example example"),
        ("Patient?birthdate=ge2016", "infant-twin-1 infant-twin-2 newborn"),
        ("Patient?birthdate=lt1944", "glossy xcda"),
        ("Patient?gender=other", "pat2"),
        ("Patient?organization=Organization/1&gender=female", "pat4"),
        ("Patient?organization.name=burgers&gender=male", "f001"),
        ("Patient?gender:missing=true", "ihe-pcd"),
        ("Patient?identifier=urn:oid:1.2.36.146.595.217.0.1|12345", "example"),
        ("Observation?code=http://loinc.org|8302-2", "body-height body-length"),
        ("Observation?code=8302-2&value-quantity=lt1||cm", ""),
        ("Observation?code=8302-2&value-quantity=gt1|http://unitsofmeasure.org|m", "body-height"),
        ("Observation?code-value-quantity=8302-2$lt30|http://unitsofmeasure.org|cm", "body-length"),
        ("Observation?component-code-value-quantity=8480-6$107", "blood-pressure blood-pressure-dar"),
        ("Observation?combo-code-value-quantity=8480-6$gt100", "blood-pressure blood-pressure-dar"),
        ("Observation?patient=f001", "ekg f001 f002 f003 f004 f005 unsat"),
        ("Observation?patient=f001&date=eb2013-04-06", "f002 f003 f004 f005 unsat"),
        ("Observation?patient=f001&date=2013-04-05", "f005"),
        ("Observation?patient=f001&date=ge2015", "ekg f001"),
        ("Observation?subject:Group=herd1", "herd1"),
        ("Observation?subject.name=roelof&category:missing=true", "f203 f204 f205 f206"),
        ("Observation?value-quantity=6.2|http://unitsofmeasure.org|kPa", "f003"),
        ("Observation?value-quantity=6200|http://unitsofmeasure.org|Pa", "f003"),
        ("Group?member=Patient/pat1", "102"),
        ("Location?partof=Location/1", "2"),
        ("Location?near=42.2565|-83.69|1|km", "1"),
        ("DiagnosticReport?patient.family=bor", "f201"),
        ("Patient/f001/Observation?value-quantity:missing=true", "ekg unsat"),
        ("Patient?_has:Observation:patient:code=http://loinc.org|718-7", "f001"),
    ];
    all_find(&server, &rows).await;
    let rows = [(
        "Patient?birthdate=gt1970&_sort=birthdate,_id&gender=female",
        "genetics-example1 mom pat4 infant-mom animal infant-twin-1",
    )];
    all_find_in_order(&server, &rows).await;
    all_include(&server, &[("Observation?_id=f001&_include=Observation:patient", "Patient/f001")]).await;
}

/// As a search writes a value.
fn written(text: &str) -> String {
    let escape = |c: char| if matches!(c, ',' | '$' | '|' | '\\') { vec!['\\', c] } else { vec![c] };
    utf8_percent_encode(&text.chars().flat_map(escape).collect::<String>(), NON_ALPHANUMERIC).to_string()
}

fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

/// Searches that an example must be found by, of what most types have.
fn searches(resource: &Value) -> Vec<String> {
    let coded = |name: &str, value: &Value, code: &str| match (&value["system"], &value[code]) {
        (Value::String(system), Value::String(code)) => Some(format!("{name}={}|{}", written(system), written(code))),
        (Value::Null, Value::String(code)) => Some(format!("{name}=|{}", written(code))),
        _ => None,
    };
    let mut found: Vec<String> = Vec::new();
    found.extend(list(&resource["identifier"]).iter().filter_map(|one| coded("identifier", one, "value")));
    found.extend(list(&resource["code"]["coding"]).iter().filter_map(|one| coded("code", one, "code")));
    found.extend(resource["url"].as_str().map(|url| format!("url={}", written(url))));
    found.extend(resource["status"].as_str().map(|status| format!("status={}", written(status))));
    found.extend(resource["title"].as_str().map(|title| format!("title={}", written(title))));
    found.extend(resource["birthDate"].as_str().map(|date| format!("birthdate={date}")));
    let reference = |name: &str| resource[name]["reference"].as_str().filter(|text| !text.starts_with('#'));
    for name in ["subject", "patient", "encounter"] {
        found.extend(reference(name).map(|text| format!("{name}={}", written(text))));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_found_by_its_codes_identifiers_names_and_references() {
    let server = &library().await;
    let mut all = Vec::new();
    for example in examples() {
        let (resource_type, id) = example.reference.split_once('/').unwrap();
        let searches = searches(&serde_json::from_str(&example.text).unwrap());
        let also = ["_lastUpdated=gt2020", "_tag:missing=true,false"].map(str::to_owned);
        let with_id = searches.into_iter().chain(also).map(|one| format!("{resource_type}?{one}&_id={id}"));
        all.extend(with_id.map(|search| (search, id.to_owned())));
    }
    let asked = all.iter().map(|(search, id)| async move { (search, id, server.get(search).await) });
    let mut asked = stream::iter(asked).buffer_unordered(8);
    let (mut found, mut lost) = (0, Vec::new());
    while let Some((search, id, answer)) = asked.next().await {
        // Not every type has each of the parameters; what is not known is reported.
        if answer.status == 200 && answer.text.contains("\"outcome\"") {
            continue;
        }
        found += 1;
        if answer.status != 200 || ids(&answer) != *id {
            lost.push(format!("{search}: {}", answer.text));
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
    assert!(found > 2_500, "{found}");
}
