//! Composites: the parts must hold in the same element. <https://hl7.org/fhir/R4/search.html#combining>

use super::{all_find, all_ignored, all_refused, holding, resource};
use serde_json::{Value, json};

const LOINC: &str = "http://loinc.org";
const UCUM: &str = "http://unitsofmeasure.org";

fn code(code: &str) -> Value {
    json!({"coding": [{"system": LOINC, "code": code}]})
}

fn pressure(id: &str, systolic: u32, diastolic: u32) -> Value {
    let part = |of: &str, value: u32| json!({"code": code(of), "valueQuantity": {"value": value, "system": UCUM, "code": "mm[Hg]"}});
    let parts = json!([part("8480-6", systolic), part("8462-4", diastolic)]);
    resource("Observation", id, json!({"status": "final", "code": code("85354-9"), "component": parts}))
}

fn observation(id: &str, of: &str, value: Value) -> Value {
    let mut whole = resource("Observation", id, json!({"status": "final", "code": code(of)}));
    whole.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
    whole
}

fn potassium(id: &str, value: Value) -> Value {
    observation(id, "2823-3", json!({"valueQuantity": {"value": value, "system": UCUM, "code": "mmol/L"}}))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_composite_hold_in_the_same_element() {
    let coded = |text: &str| json!({"valueCodeableConcept": {"coding": [{"system": "urn:v", "code": text}]}});
    let server = holding([
        pressure("high", 150, 95),
        pressure("crossed", 95, 150),
        potassium("k6", json!(6.1)),
        potassium("k5", json!(5.2)),
        observation("sodium", "2951-2", json!({"valueQuantity": {"value": 140, "system": UCUM, "code": "mmol/L"}})),
        observation("text", "1-1", json!({"valueString": "Pale yellow"})),
        observation("date", "1-2", json!({"valueDateTime": "2020-05-01"})),
        observation("concept", "1-3", coded("pos")),
        resource(
            "DiagnosticReport",
            "report",
            json!({"status": "final", "code": code("24323-8"),
            "result": [{"reference": "Observation/k6"}, {"reference": "Observation/sodium"}]}),
        ),
    ])
    .await;
    let rows = [
        ("Observation?component-code-value-quantity=http://loinc.org|8480-6$gt120", "high"),
        ("Observation?component-code-value-quantity=http://loinc.org|8480-6$lt100", "crossed"),
        ("Observation?component-code-value-quantity=8462-4$ge95|http://unitsofmeasure.org|mm[Hg]", "crossed high"),
        ("Observation?component-code-value-quantity=8480-6$gt120&component-code-value-quantity=8462-4$gt90", "high"),
        ("Observation?component-code-value-quantity=|8480-6$gt120", ""),
        ("Observation?component-code-value-quantity=urn:x|8480-6$gt120", ""),
        ("Observation?component-code-value-quantity=8480-6$lt100,8462-4$lt100", "crossed high"),
        ("Observation?code-value-quantity=http://loinc.org|2823-3$gt5.4|http://unitsofmeasure.org|mmol/L", "k6"),
        ("Observation?code-value-quantity=2823-3$gt5.4|http://unitsofmeasure.org|umol/L", "k5 k6"),
        ("Observation?code-value-quantity=2951-2$lt10", ""),
        ("Observation?combo-code-value-quantity=8480-6$150", "high"),
        ("Observation?combo-code-value-quantity=2823-3$6.1", "k6"),
        ("Observation?code-value-string=1-1$pale", "text"),
        ("Observation?code-value-string=1-2$pale", ""),
        ("Observation?code-value-date=1-2$ge2020-05", "date"),
        ("Observation?code-value-date=1-2$lt2020-05", ""),
        ("Observation?code-value-concept=1-3$urn:v|pos", "concept"),
        ("Observation?code-value-concept=http://loinc.org|1-3$pos", "concept"),
        ("Observation?code-value-concept=1-3$urn:w|pos", ""),
        (
            "DiagnosticReport?result.code-value-quantity=http://loinc.org|2823-3$gt5.4|http://unitsofmeasure.org|mmol/L",
            "report",
        ),
        ("DiagnosticReport?result.code-value-quantity=http://loinc.org|2823-3$gt50", ""),
    ];
    all_find(&server, &rows).await;
    let refused = [
        ("Observation?code-value-quantity=2823-3", "code-value-quantity", "code$value-quantity"),
        ("Observation?code-value-quantity=2823-3$a", "code-value-quantity", "A number was expected"),
        ("Observation?code-value-quantity=http://loinc.org|$5", "code-value-quantity", "a system alone is not enough"),
        ("Observation?code-value-quantity=a$5$6", "code-value-quantity", "Parts with '$'"),
    ];
    all_refused(&server, &refused).await;
    let ignored = [("Observation?code-value-quantity:not=a$5", "code-value-quantity:not", "no modifier ':not'")];
    all_ignored(&server, &ignored).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn composites_of_codes_references_and_two_numbers_are_found() {
    let trait_of = |of: &str, value: &str| json!({"code": {"coding": [{"code": of}]}, "valueCodeableConcept": {"coding": [{"code": value}]}, "exclude": false});
    let group = |id: &str, traits: Value| {
        resource("Group", id, json!({"type": "person", "actual": true, "characteristic": traits}))
    };
    let document = json!({"status": "current", "content": [{"attachment": {"url": "urn:a"}}],
        "relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/old"}},
            {"code": "appends", "target": {"reference": "DocumentReference/other"}}]});
    let context = json!({"code": {"system": "urn:c", "code": "focus"},
        "valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "408934002"}]}});
    let variant = |start: u32, end: u32| json!({"start": start, "end": end});
    let sequence = json!({"coordinateSystem": 1, "variant": [variant(100, 120), variant(300, 340)],
        "referenceSeq": {"chromosome": {"coding": [{"code": "1"}]}, "windowStart": 50, "windowEnd": 400}});
    let server = holding([
        group("mixed", json!([trait_of("gender", "mixed"), trait_of("owner", "john")])),
        group("crossed", json!([trait_of("owner", "mixed"), trait_of("gender", "male")])),
        resource("DocumentReference", "new", document),
        resource("Questionnaire", "q", json!({"status": "active", "useContext": [context]})),
        resource("MolecularSequence", "s", sequence),
    ])
    .await;
    let rows = [
        // The page's own examples.
        ("Group?characteristic-value=gender$mixed", "mixed"),
        ("Group?characteristic-value=owner$mixed", "crossed"),
        ("Group?characteristic-value=gender$mixed,owner$mixed", "crossed mixed"),
        ("Questionnaire?context-type-value=focus$http://snomed.info/sct|408934002", "q"),
        ("Questionnaire?context-type-value=urn:c|focus$408934002", "q"),
        ("Questionnaire?context-type-value=user$408934002", ""),
        ("DocumentReference?relationship=replaces$DocumentReference/old", "new"),
        ("DocumentReference?relationship=appends$DocumentReference/old", ""),
        ("DocumentReference?relationship=replaces$old", "new"),
        ("MolecularSequence?chromosome-window-coordinate=1$gt40$lt500", "s"),
        ("MolecularSequence?chromosome-window-coordinate=1$gt60$lt500", ""),
        ("MolecularSequence?chromosome-window-coordinate=2$gt40$lt500", ""),
        ("MolecularSequence?chromosome-variant-coordinate=1$ge300$le340", "s"),
        // One variant's start and another's end.
        ("MolecularSequence?chromosome-variant-coordinate=1$100$340", ""),
    ];
    all_find(&server, &rows).await;
}
