//! `$lastn` and `$stats`. <https://hl7.org/fhir/R4/observation-operation-lastn.html>

use super::entries;
use crate::search::store;
use crate::support::{Answer, Server};
use serde_json::{Value, json};

fn seen(id: &str, patient: &str, codes: &[&str], date: &str, more: Value) -> Value {
    let coding: Vec<Value> = codes.iter().map(|code| json!({"system": "urn:c", "code": code})).collect();
    let mut one = json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"coding": coding},
        "category": [{"coding": [{"code": "vital-signs"}]}], "subject": {"reference": format!("Patient/{patient}")},
        "effectiveDateTime": date});
    one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    one
}

fn patients() -> Vec<Value> {
    ["p", "q"].iter().map(|id| json!({"resourceType": "Patient", "id": id})).collect()
}

fn in_order(answer: &Answer) -> String {
    let ids = answer.entries().into_iter().map(|entry| entry["resource"]["id"].as_str().unwrap_or_default().to_owned());
    ids.collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_of_each_code_are_found_where_codes_that_stand_together_are_one() {
    let server = Server::start().await;
    let mut all = patients();
    all.extend([
        seen("a1", "p", &["a"], "2020-01-01", json!({})),
        seen("a2", "p", &["a"], "2020-01-02", json!({})),
        seen("a3", "p", &["a"], "2020-01-03", json!({"encounter": {"reference": "Encounter/e"}})),
        seen("a3too", "p", &["a"], "2020-01-03", json!({})),
        seen("b1", "p", &["b"], "2020-02-01", json!({})),
        seen("b2", "p", &["b", "c"], "2020-02-02", json!({})),
        seen("c9", "p", &["c"], "2020-02-09", json!({"status": "entered-in-error"})),
        seen("q1", "q", &["a"], "2021-01-01", json!({})),
        json!({"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "AMB"}, "subject": {"reference": "Patient/p"}}),
    ]);
    store(&server, all).await;
    for (query, expected) in [
        ("patient=p&category=vital-signs", "c9 a3 a3too"),
        ("subject=Patient/p&category=vital-signs&max=2", "c9 b2 a3 a3too"),
        ("patient=p&category=vital-signs&max=3", "c9 b2 b1 a3 a3too a2"),
        ("patient=p&code=urn:c|a&max=1&date=lt2020-01-03", "a2"),
        ("patient=p&code=b,c&status=final", "b2"),
        ("patient=q&code=a", "q1"),
        ("patient=nobody&code=a", ""),
        ("patient=p&code=a&date=lt2020-01-03&max=1&_include=Observation:encounter", "a2"),
        ("patient=q,p&code=a", "q1"),
    ] {
        let answer = server.get(&format!("Observation/$lastn?{query}")).await.expect(200);
        // Two of one time come in either order.
        let mut found: Vec<String> = in_order(&answer).split(' ').map(str::to_owned).collect();
        let mut wanted: Vec<&str> = expected.split(' ').collect();
        if found.iter().any(|id| id == "a3too") {
            found.sort();
            wanted.sort_unstable();
        }
        assert_eq!(found, wanted, "{query}");
        assert!(answer.json()["link"][0]["url"].as_str().unwrap().contains("Observation/$lastn?"), "{}", answer.text);
    }
    let with = server.get("Observation/$lastn?patient=p&code=a&_include=Observation:encounter").await.expect(200);
    assert_eq!(entries(&with, Some("include")), ["Encounter/e"]);
    let body = json!({"resourceType": "Parameters", "parameter": [{"name": "patient", "valueString": "p"},
        {"name": "code", "valueString": "b"}, {"name": "max", "valuePositiveInt": 1}]});
    assert_eq!(in_order(&server.post("Observation/$lastn", body).await.expect(200)), "b2");
    assert_eq!(server.send("HEAD", "Observation/$lastn?patient=p&code=a", &[], "").await.expect(200).text, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn lastn_says_what_it_needs_and_refuses_what_would_make_another_answer() {
    let server = Server::start().await;
    for (query, place) in [
        ("category=vital-signs", "patient"),
        ("patient=p", "category"),
        ("patient=p&code=a&max=0", "max"),
        ("patient=p&code=a&max=x", "max"),
        ("patient=p&code=a&_sort=date", "_sort"),
        ("patient=p&code=a&_count=5", "_count"),
        ("patient=p&code=a&_summary=count", "_summary"),
        ("patient=p&code=a&date=soon", "date"),
    ] {
        let refused = server.get(&format!("Observation/$lastn?{query}")).await.expect(400);
        assert_eq!(refused.expression(), place, "{query}: {}", refused.text);
    }
    let unknown = server.get("Observation/$lastn?patient=p&code=a&x=y").await.expect(200);
    assert!(unknown.text.contains("The search was made without 'x=y'"), "{}", unknown.text);
    let strict = server.get_with("Observation/$lastn?patient=p&code=a&x=y", &[("prefer", "handling=strict")]).await;
    assert_eq!(strict.expect(400).expression(), "x");
}

fn measured(value: Value, unit: &str) -> Value {
    json!({"valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}})
}

async fn clinic() -> Server {
    let server = Server::start().await;
    let mut all = patients();
    let pressure = |code: &str, value: i64| {
        let mut part = measured(json!(value), "mm[Hg]");
        part["code"] = json!({"coding": [{"system": "urn:c", "code": code}]});
        part
    };
    all.extend([
        seen("w1", "p", &["w"], "2020-01-01T00:00:00Z", measured(json!(80), "kg")),
        seen("w2", "p", &["w"], "2020-01-02T00:00:00Z", measured(json!(82000), "g")),
        seen("w3", "p", &["w"], "2020-01-03T00:00:00Z", measured(json!(84.0), "kg")),
        seen("w4", "p", &["w"], "2020-01-04T00:00:00Z", json!({"valueString": "heavy"})),
        seen("w5", "p", &["w"], "2020-01-04T00:00:00Z", measured(json!(5), "cm")),
        seen(
            "w6",
            "p",
            &["w"],
            "2020-01-04T00:00:00Z",
            json!({"status": "entered-in-error", "valueQuantity": {"value": 1000,
            "system": "http://unitsofmeasure.org", "code": "kg"}}),
        ),
        seen("wq", "q", &["w"], "2020-01-02T00:00:00Z", measured(json!(500), "kg")),
        seen("bp1", "p", &["bp"], "2020-01-01", json!({"component": [pressure("sys", 120), pressure("dia", 80)]})),
        seen("bp2", "p", &["bp"], "2020-01-02", json!({"component": [pressure("sys", 130), pressure("dia", 90)]})),
        seen(
            "panel",
            "p",
            &["panel"],
            "2020-01-05",
            json!({"hasMember": [{"reference": "Observation/m1"}, {"reference": "Observation/mq"}]}),
        ),
        seen("m1", "p", &["m"], "2020-01-05", measured(json!(7), "mmol/L")),
        seen("mq", "q", &["m"], "2020-01-05", measured(json!(9), "mmol/L")),
    ]);
    store(&server, all).await;
    server
}

/// `code: value unit` of each component, of each Observation by its code.
fn told(answer: &Value) -> Vec<(String, String)> {
    let parameters = answer["parameter"].as_array().unwrap().iter().filter(|one| one["name"] == "statistics");
    let of_one = |one: &Value| {
        let components = one["resource"]["component"].as_array().unwrap();
        let part = |component: &Value| {
            let code = component["code"]["coding"][0]["code"].as_str().unwrap();
            let quantity = &component["valueQuantity"];
            match quantity["value"].is_null() {
                true => format!("{code}: {}", component["dataAbsentReason"]["coding"][0]["code"].as_str().unwrap()),
                false => format!("{code}: {} {}", quantity["value"], quantity["code"].as_str().unwrap()),
            }
        };
        let code = one["resource"]["code"]["coding"][0]["code"].as_str().unwrap().to_owned();
        (code, components.iter().map(part).collect::<Vec<_>>().join(", "))
    };
    parameters.map(of_one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_are_of_one_subject_in_one_unit_and_leave_out_what_is_no_measurement() {
    let server = clinic().await;
    let ask = "Observation/$stats?subject=Patient/p&system=urn:c&code=w&statistic=average,max,min&statistic=count,total-count";
    // The newest has another unit; nothing can be converted into it.
    let answer = server.get(ask).await.expect(200).json();
    assert_eq!(told(&answer)[0].1, "average: 5 cm, maximum: 5 cm, minimum: 5 cm, count: 1 1, total-count: 5 1");
    server.delete("Observation/w5").await.expect(204);
    let answer = server.get(ask).await.expect(200).json();
    let expected = "average: 82 kg, maximum: 84 kg, minimum: 80 kg, count: 3 1, total-count: 4 1";
    assert_eq!(told(&answer), [("w".to_owned(), expected.to_owned())]);
    let one = &answer["parameter"][0]["resource"];
    assert_eq!((&one["status"], &one["subject"]["reference"]), (&json!("final"), &json!("Patient/p")));
    assert!(answer["parameter"].as_array().unwrap().len() == 1 && one["effectivePeriod"].is_null());
    let period = json!({"resourceType": "Parameters", "parameter": [
        {"name": "subject", "valueUri": "Patient/p"}, {"name": "coding", "valueCoding": {"system": "urn:c", "code": "w"}},
        {"name": "period", "valuePeriod": {"start": "2020-01-01", "end": "2020-01-02"}},
        {"name": "statistic", "valueCode": "average"}, {"name": "statistic", "valueCode": "regression"},
        {"name": "statistic", "valueCode": "skew"},
        {"name": "include", "valueBoolean": true}, {"name": "limit", "valuePositiveInt": 1}]});
    let answer = server.post("Observation/$stats", period).await.expect(200).json();
    // In the unit of the newest, which is grams here.
    assert_eq!(told(&answer)[0].1, "average: 81000 g, regression: 2000 (g)/d, regression: 80000 g, skew: 0 1");
    assert_eq!(answer["parameter"][0]["resource"]["effectivePeriod"]["start"], "2020-01-01T00:00:00.000Z");
    assert_eq!(answer["parameter"][1]["resource"]["id"], "w2");
    assert!(answer["parameter"][2].is_null());
    let none =
        server.get("Observation/$stats?subject=Patient/p&code=x&statistic=average,count").await.expect(200).json();
    assert_eq!(told(&none)[0].1, "average: not-applicable, count: 0 1");
    let recent = "Observation/$stats?subject=Patient/p&code=w&statistic=count&duration=24";
    assert_eq!(told(&server.get(recent).await.expect(200).json())[0].1, "count: 0 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_has_the_statistics_of_its_parts() {
    let server = clinic().await;
    let all =
        |code: &str| format!("Observation/$stats?subject=Patient/p&system=urn:c&code={code}&statistic=average,count");
    let pressures = [("sys", "average: 125 mm[Hg], count: 2 1"), ("dia", "average: 85 mm[Hg], count: 2 1")];
    let own = |rows: &[(&str, &str)]| -> Vec<(String, String)> {
        rows.iter().map(|(code, text)| ((*code).to_owned(), (*text).to_owned())).collect()
    };
    assert_eq!(told(&server.get(&all("bp")).await.expect(200).json()), own(&pressures));
    assert_eq!(told(&server.get(&all("sys")).await.expect(200).json()), own(&pressures[..1]));
    // A member of another patient does not count.
    let members = [("m", "average: 7 mmol/L, count: 1 1")];
    assert_eq!(told(&server.get(&all("panel")).await.expect(200).json()), own(&members));
}

#[tokio::test(flavor = "multi_thread")]
async fn stats_of_a_panel_of_more_parts_than_are_told_are_refused() {
    let server = Server::start().await;
    let panel = |count: usize| {
        let part = |number: usize| json!({"code": {"coding": [{"system": "urn:c", "code": format!("p{number}")}]}});
        let parts: Vec<Value> = (0..count).map(part).collect();
        seen("wide", "p", &["wide"], "2020-01-01", json!({"component": parts}))
    };
    let mut all = patients();
    all.push(panel(900));
    store(&server, all).await;
    let query = "Observation/$stats?subject=Patient/p&system=urn:c&code=wide&statistic=count";
    assert_eq!(told(&server.get(query).await.expect(200).json()).len(), 900);
    server.put("Observation/wide", panel(1_100)).await.expect(200);
    let refused = server.get(query).await.expect(400);
    assert_eq!((refused.expression(), refused.issue()["code"].clone()), ("code".to_owned(), json!("too-costly")));
}

#[tokio::test(flavor = "multi_thread")]
async fn stats_are_refused_by_the_parameter_that_is_wrong() {
    let server = Server::start().await;
    for (query, place) in [
        ("code=w&statistic=average", "subject"),
        ("subject=Patient/p&statistic=average", "code"),
        ("subject=Patient/p&code=w", "statistic"),
        ("subject=Patient/p&code=w&statistic=mode", "statistic"),
        ("subject=Patient/p&code=w&statistic=average&duration=-1", "duration"),
        ("subject=Patient/p&code=w&statistic=average&period=2020", "period"),
        ("subject=Patient/p&coding=w&statistic=average", "coding"),
        ("subject=Patient/p&code=w&statistic=average&include=perhaps", "include"),
        ("subject=Patient/p&code=w&statistic=average&limit=0", "limit"),
    ] {
        let refused = server.get(&format!("Observation/$stats?{query}")).await.expect(400);
        assert_eq!(refused.expression(), place, "{query}: {}", refused.text);
    }
}
