//! `_sort`: by every kind that has an order, by several keys, what has no value last. <https://hl7.org/fhir/R4/search.html#sort>

use super::{all_find_in_order, all_ignored, all_refused, holding, resource, store};
use crate::support::Server;
use serde_json::{Value, json};
use std::time::Duration;

fn observation(id: &str, status: &str, members: Value) -> Value {
    let mut whole = resource("Observation", id, json!({"status": status, "code": {"text": "x"}}));
    whole.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    whole
}

fn category(code: &str) -> Value {
    json!([{"coding": [{"system": "urn:c", "code": code}]}])
}

#[tokio::test(flavor = "multi_thread")]
async fn matches_come_in_the_order_of_several_keys() {
    let on = |date: &str, code: &str| json!({"effectiveDateTime": date, "category": category(code)});
    let server = holding([
        observation("a", "final", on("2020-01-01", "vital")),
        observation("b", "final", on("2020-01-01", "lab")),
        observation("c", "final", on("2021-01-01", "vital")),
        observation("d", "amended", on("2019-01-01", "lab")),
        observation("e", "amended", json!({"category": category("lab")})),
        observation("f", "amended", json!({"effectiveDateTime": "2018-01-01"})),
    ])
    .await;
    let rows = [
        // The page's own example.
        ("Observation?_sort=status,-date,category", "d f e c b a"),
        ("Observation?_sort=-status,date,-category", "a b c f d e"),
        ("Observation?_sort=date,_id", "f d a b c e"),
        ("Observation?_sort=-date,-_id", "c b a d f e"),
        ("Observation?_sort=category,-date,_id", "b d e c a f"),
        ("Observation?_sort=-category,_id", "a c b d e f"),
        ("Observation?_sort=_id", "a b c d e f"),
        ("Observation?_sort=-_id", "f e d c b a"),
        ("Observation?status=final&_sort=-date,category", "c b a"),
        // Without an order, the newest come first.
        ("Observation?status=final&category=vital", "c a"),
    ];
    all_find_in_order(&server, &rows).await;
    let ignored = [
        ("Observation?_sort=subject", "_sort", "no order"),
        ("Observation?_sort=code-value-quantity", "_sort", "no order"),
        ("Observation?_sort=foo", "_sort", "not a search parameter"),
        ("Observation?_sort:asc=date", "_sort:asc", "no modifier"),
    ];
    all_ignored(&server, &ignored).await;
    let refused = [
        ("Observation?_sort=date,,status", "_sort", "Names of parameters"),
        ("Observation?_sort=date&_sort=status", "_sort", "once only"),
        ("Observation?_sort=a,b,c,d,e,f,g,h,i,j,k", "_sort", "at most 10"),
    ];
    all_refused(&server, &refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_has_its_order_and_of_several_values_the_nearest_counts() {
    let value = |number: f64, unit: &str| json!({"valueQuantity": {"value": number, "system": "http://unitsofmeasure.org", "code": unit}});
    let risk = |id: &str, probability: f64| {
        resource(
            "RiskAssessment",
            id,
            json!({"status": "final", "subject": {"reference": "Patient/1"},
            "prediction": [{"probabilityDecimal": probability}]}),
        )
    };
    let server = holding([
        resource(
            "Patient",
            "1",
            json!({"name": [{"family": "Zoë"}, {"family": "Abe"}], "birthDate": "1990",
            "deceasedDateTime": "2021-05-05"}),
        ),
        resource(
            "Patient",
            "2",
            json!({"name": [{"family": "núñez"}], "birthDate": "1980-05", "deceasedDateTime": "2020-01-01"}),
        ),
        resource("Patient", "3", json!({"name": [{"family": "Nunes"}], "birthDate": "1980-04-30"})),
        resource("Patient", "4", json!({"gender": "male"})),
        observation("g", "final", value(0.5, "g")),
        observation("mg", "final", value(400.0, "mg")),
        observation("kg", "final", value(0.1, "kg")),
        observation("none", "final", json!({})),
        risk("low", 0.09),
        risk("high", 0.9),
        risk("minus", -1.5),
        resource("ValueSet", "x", json!({"status": "active", "url": "http://a.org/b"})),
        resource("ValueSet", "y", json!({"status": "draft", "url": "http://a.org/a"})),
    ])
    .await;
    let rows = [
        ("Patient?_sort=family", "1 3 2 4"),
        ("Patient?_sort=-family", "1 2 3 4"),
        ("Patient?_sort=birthdate", "3 2 1 4"),
        ("Patient?_sort=-birthdate", "1 2 3 4"),
        ("Patient?_sort=death-date,_id", "2 1 3 4"),
        ("Patient?_sort=-death-date,_id", "1 2 3 4"),
        ("Patient?_sort=gender,-_id", "4 3 2 1"),
        // In the canonical unit: 0.4 g, 0.5 g, 100 g.
        ("Observation?_sort=value-quantity", "mg g kg none"),
        ("Observation?_sort=-value-quantity", "kg g mg none"),
        ("RiskAssessment?_sort=probability", "minus low high"),
        ("RiskAssessment?_sort=-probability", "high low minus"),
        ("ValueSet?_sort=url", "y x"),
        ("ValueSet?_sort=-url", "x y"),
        ("ValueSet?_sort=-status", "y x"),
        ("?_type=Patient,ValueSet&_sort=-_id", "y x 4 3 2 1"),
        ("Patient/1/*?_type=RiskAssessment,Patient&_sort=_id", "1 high low minus"),
    ];
    all_find_in_order(&server, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_the_last_update_is_an_order() {
    let server = Server::start().await;
    for id in ["b", "a", "c"] {
        store(&server, [resource("Patient", id, json!({}))]).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store(&server, [resource("Patient", "b", json!({"active": true}))]).await;
    let rows = [
        ("Patient?_sort=_lastUpdated", "a c b"),
        ("Patient?_sort=-_lastUpdated", "b c a"),
        ("?_sort=_lastUpdated", "a c b"),
        ("?_type=Patient,Device", "b c a"),
    ];
    all_find_in_order(&server, &rows).await;
}
