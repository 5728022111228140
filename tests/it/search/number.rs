//! Numbers and their precision, quantities and their units. <https://hl7.org/fhir/R4/search.html#number>

use super::{all_find, all_ignored, all_refused, holding, resource};
use serde_json::{Value, json};

/// A number as it is written, for JSON's own would lose digits.
fn digits(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn risk(id: &str, prediction: Value) -> Value {
    resource(
        "RiskAssessment",
        id,
        json!({"status": "final", "subject": {"reference": "Patient/p"}, "prediction": [prediction]}),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_as_precise_as_it_is_written() {
    let at = |id: &str, text: &str| risk(id, json!({"probabilityDecimal": digits(text)}));
    let server = holding([
        at("n80", "80"),
        at("n994", "99.4"),
        at("n995", "99.5"),
        at("n99996", "99.996"),
        at("n100", "100"),
        at("n1004", "100.4999"),
        at("n1005", "100.5"),
        at("n105", "104.9"),
        at("negative", "-5.5"),
        risk("range", json!({"probabilityRange": {"low": {"value": 90}, "high": {"value": 110}}})),
    ])
    .await;
    let rows = [
        ("RiskAssessment?probability=100", "n100 n1004 n995 n99996"),
        ("RiskAssessment?probability=100.00", "n100 n99996"),
        ("RiskAssessment?probability=1e2", "n100 n1004 n1005 n105 n994 n995 n99996"),
        ("RiskAssessment?probability=lt100", "n80 n994 n995 n99996 negative range"),
        ("RiskAssessment?probability=le100", "n100 n80 n994 n995 n99996 negative range"),
        ("RiskAssessment?probability=gt100", "n1004 n1005 n105 range"),
        ("RiskAssessment?probability=ge100", "n100 n1004 n1005 n105 range"),
        ("RiskAssessment?probability=ne100", "n1005 n105 n80 n994 negative range"),
        ("RiskAssessment?probability=sa100", "n1004 n1005 n105"),
        ("RiskAssessment?probability=eb100", "n80 n994 n995 n99996 negative"),
        ("RiskAssessment?probability=ap100", "n100 n1004 n1005 n105 n994 n995 n99996 range"),
        ("RiskAssessment?probability=-5.5", "negative"),
        ("RiskAssessment?probability=lt-5", "negative"),
        ("RiskAssessment?probability=gt80&probability=lt99.5", "n994 range"),
        ("RiskAssessment?probability=80,-5.5", "n80 negative"),
        ("RiskAssessment?probability=9.94e1", "n994"),
    ];
    all_find(&server, &rows).await;
    let refused = [
        ("RiskAssessment?probability=high", "probability", "'high'"),
        ("RiskAssessment?probability=1.", "probability", "'1.'"),
        ("RiskAssessment?probability=0x10", "probability", "'0x10'"),
        ("RiskAssessment?probability=1e999", "probability", "1e999"),
        ("RiskAssessment?probability=NaN", "probability", "'NaN'"),
    ];
    all_refused(&server, &refused).await;
    all_ignored(&server, &[("RiskAssessment?probability:not=1", "probability:not", "no modifier ':not'")]).await;
}

fn measured(id: &str, quantity: Value) -> Value {
    resource("Observation", id, json!({"status": "final", "code": {"text": "x"}, "valueQuantity": quantity}))
}

fn ucum(value: &str, code: &str) -> Value {
    json!({"value": digits(value), "unit": code, "system": "http://unitsofmeasure.org", "code": code})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quantity_is_found_in_every_unit_that_can_be_converted() {
    let server = holding([
        measured("mg", ucum("5.4", "mg")),
        measured("g", ucum("0.0054", "g")),
        measured("ug", ucum("5400", "ug")),
        measured("ml", ucum("5.4", "mL")),
        measured("words", json!({"value": 5.4, "unit": "mg"})),
        measured("own", json!({"value": 5.4, "system": "http://acme.org", "code": "mg"})),
        measured("bare", json!({"value": 5.4})),
        measured("far", ucum("6.2", "mg")),
        measured("less", json!({"value": 3, "comparator": "<", "system": "http://unitsofmeasure.org", "code": "mg"})),
        measured("fahrenheit", ucum("98.6", "[degF]")),
    ])
    .await;
    let rows = [
        // The page's own examples.
        ("Observation?value-quantity=5.4|http://unitsofmeasure.org|mg", "g mg ug"),
        ("Observation?value-quantity=5.40e-3|http://unitsofmeasure.org|g", "g mg ug"),
        ("Observation?value-quantity=5.4||mg", "mg own words"),
        ("Observation?value-quantity=5.4", "bare mg ml own words"),
        ("Observation?value-quantity=le5.4|http://unitsofmeasure.org|mg", "g less mg ug"),
        ("Observation?value-quantity=ap5.4|http://unitsofmeasure.org|mg", "g mg ug"),
        ("Observation?value-quantity=ap6|http://unitsofmeasure.org|mg", "far g mg ug"),
        ("Observation?value-quantity=gt5.4|http://unitsofmeasure.org|mg", "far"),
        ("Observation?value-quantity=ne5.4|http://unitsofmeasure.org|mg", "far less"),
        ("Observation?value-quantity=lt2|http://unitsofmeasure.org|mg", "less"),
        ("Observation?value-quantity=eb3.5|http://unitsofmeasure.org|mg", "less"),
        ("Observation?value-quantity=sa5.4|http://unitsofmeasure.org|mg", "far"),
        ("Observation?value-quantity=5.4|http://acme.org|mg", "own"),
        ("Observation?value-quantity=5|http://unitsofmeasure.org|mg", "g mg ug"),
        ("Observation?value-quantity=5.4|http://unitsofmeasure.org|mm", ""),
        ("Observation?value-quantity=37.0|http://unitsofmeasure.org|Cel", "fahrenheit"),
        ("Observation?combo-value-quantity=6.2|http://unitsofmeasure.org|mg", "far"),
    ];
    all_find(&server, &rows).await;
    let refused = [
        ("Observation?value-quantity=much", "value-quantity", "'much'"),
        ("Observation?value-quantity=5.4|mg", "value-quantity", "number|system|code"),
        ("Observation?value-quantity=5.4|http://unitsofmeasure.org|", "value-quantity", "number|system|code"),
    ];
    all_refused(&server, &refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ages_ranges_and_money_are_quantities_too() {
    let condition = |id: &str, onset: Value| {
        let mut whole = resource("Condition", id, json!({"subject": {"reference": "Patient/p"}}));
        whole.as_object_mut().unwrap().extend(onset.as_object().unwrap().clone());
        whole
    };
    let server = holding([
        condition("age", json!({"onsetAge": ucum("52", "a")})),
        condition("range", json!({"onsetRange": {"low": ucum("40", "a"), "high": ucum("60", "a")}})),
        condition("open", json!({"onsetRange": {"low": ucum("70", "a")}})),
        resource("Invoice", "euro", json!({"status": "issued", "totalGross": {"value": 48.50, "currency": "EUR"}})),
        resource("Invoice", "dollar", json!({"status": "issued", "totalGross": {"value": 48.50, "currency": "USD"}})),
    ])
    .await;
    let rows = [
        ("Condition?onset-age=52|http://unitsofmeasure.org|a", "age"),
        ("Condition?onset-age=gt50|http://unitsofmeasure.org|a", "age open range"),
        ("Condition?onset-age=lt45|http://unitsofmeasure.org|a", "range"),
        ("Condition?onset-age=sa60|http://unitsofmeasure.org|a", "open"),
        ("Condition?onset-age=lt700|http://unitsofmeasure.org|mo", "age range"),
        ("Invoice?totalgross=48.50", "dollar euro"),
        ("Invoice?totalgross=48.5|urn:iso:std:iso:4217|EUR", "euro"),
        ("Invoice?totalgross=gt40||USD", "dollar"),
    ];
    all_find(&server, &rows).await;
}
