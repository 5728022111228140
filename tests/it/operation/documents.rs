//! `$document` and `$summary`. <https://hl7.org/fhir/R4/composition-operation-document.html>

use super::entries;
use crate::search::store;
use crate::support::Server;
use serde_json::{Value, json};

fn of(reference: &str) -> Value {
    json!({"reference": reference})
}

fn composition(id: &str, entry: &str) -> Value {
    json!({"resourceType": "Composition", "id": id, "status": "final", "type": {"text": "letter"}, "date": "2020-01-01", "title": "Letter",
        "subject": of("Patient/p"), "author": [of("Practitioner/d")], "attester": [{"mode": "legal", "party": of("Organization/o")}],
        "section": [{"title": "one", "section": [{"title": "two", "entry": [of(entry)]}]}]})
}

fn ward() -> Vec<Value> {
    vec![
        json!({"resourceType": "Patient", "id": "p", "name": [{"family": "Ojeda"}], "birthDate": "1970-01-01",
            "managingOrganization": of("Organization/o"), "generalPractitioner": [of("Practitioner/gp")]}),
        json!({"resourceType": "Patient", "id": "q"}),
        json!({"resourceType": "Practitioner", "id": "d"}),
        json!({"resourceType": "Practitioner", "id": "gp"}),
        json!({"resourceType": "Organization", "id": "o", "endpoint": [of("Endpoint/far")]}),
        json!({"resourceType": "Endpoint", "id": "far", "status": "active", "connectionType": {"code": "x"}, "payloadType": [{"text": "x"}], "address": "http://x"}),
        json!({"resourceType": "Encounter", "id": "v", "status": "finished", "class": {"code": "AMB"}, "subject": of("Patient/p"),
            "partOf": of("Encounter/w")}),
        json!({"resourceType": "Encounter", "id": "w", "status": "finished", "class": {"code": "AMB"}, "subject": of("Patient/q")}),
        json!({"resourceType": "Observation", "id": "o1", "status": "final", "code": {"text": "x"}, "subject": of("Patient/p"),
            "encounter": of("Encounter/v")}),
        json!({"resourceType": "Observation", "id": "unrelated", "status": "final", "code": {"text": "x"}, "subject": of("Patient/p")}),
        composition("c", "Observation/o1"),
        composition("broken", "Observation/lost"),
        composition("far", "http://elsewhere.example/fhir/Observation/1"),
    ]
}

async fn opened() -> Server {
    let server = Server::start().await;
    store(&server, ward()).await;
    server
}

const WHOLE: &[&str] = &[
    "Composition/c",
    "Encounter/v",
    "Endpoint/far",
    "Observation/o1",
    "Organization/o",
    "Patient/p",
    "Practitioner/d",
    "Practitioner/gp",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_document_holds_the_composition_first_and_all_that_hangs_on_it_inside_the_record() {
    let server = opened().await;
    let answer = server.get("Composition/c/$document").await.expect(200);
    let bundle = answer.json();
    assert_eq!((&bundle["type"], &bundle["entry"][0]["resource"]["id"]), (&json!("document"), &json!("c")));
    assert_eq!(entries(&answer, None), WHOLE);
    assert_eq!(bundle["entry"][0]["fullUrl"], format!("{}/Composition/c", server.base));
    assert!(
        bundle["identifier"]["value"].as_str().unwrap().starts_with("urn:uuid:") && bundle["timestamp"].is_string()
    );
    for path in ["Composition/$document?id=c", "Composition/$document?id=Composition/c"] {
        assert_eq!(entries(&server.get(path).await.expect(200), None), WHOLE, "{path}");
    }
    let body = json!({"resourceType": "Parameters", "parameter": [{"name": "id", "valueUri": "c"}]});
    assert_eq!(entries(&server.post("Composition/$document", body).await.expect(200), None), WHOLE);
    assert_eq!(server.send("HEAD", "Composition/c/$document", &[], "").await.expect(200).text, "");
    for (path, status) in [
        ("Composition/nowhere/$document", 404),
        ("Composition/$document", 400),
        ("Composition/c/$document?id=c", 400),
        ("Composition/c/$document?graph=http://x", 400),
        ("Composition/$document?id=http://elsewhere.example/Composition/1", 400),
    ] {
        server.get(path).await.expect(status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_would_not_be_whole_is_refused_with_its_place() {
    let server = opened().await;
    for id in ["broken", "far"] {
        let refused = server.get(&format!("Composition/{id}/$document")).await.expect(422);
        assert_eq!(refused.expression(), "Composition.section[0].section[0].entry[0]", "{}", refused.text);
    }
    server.delete("Practitioner/d").await.expect(204);
    let refused = server.get("Composition/c/$document").await.expect(422);
    assert_eq!(refused.expression(), "Composition.author[0]");
    server.delete("Composition/c").await.expect(204);
    server.get("Composition/c/$document").await.expect(410);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_too_many_resources_is_refused_before_any_is_looked_for() {
    let server = Server::start_with(&[("BRASA_INCLUDED_MAX", "20")]).await;
    store(&server, ward()).await;
    let named = |count: usize| {
        let mut many = composition("many", "Observation/o1");
        many["section"][0]["entry"] = (0..count).map(|number| of(&format!("Observation/lost{number}"))).collect();
        many
    };
    server.put("Composition/many", named(30)).await.expect(201);
    let refused = server.get("Composition/many/$document").await.expect(400);
    assert!(refused.text.contains("more than 20 resources"), "{}", refused.text);
    server.put("Composition/many", named(10)).await.expect(200);
    let refused = server.get("Composition/many/$document").await.expect(422);
    assert_eq!(refused.expression(), "Composition.section[0].entry[0]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_stored_when_a_post_asks_for_it() {
    let server = opened().await;
    let persist = json!({"resourceType": "Parameters", "parameter": [{"name": "persist", "valueBoolean": true}]});
    let answer = server.post("Composition/c/$document", persist).await.expect(200);
    let location = answer.header("location").unwrap().to_owned();
    assert_eq!(location, format!("{}/Bundle/{}/_history/1", server.base, answer.id()));
    let stored = server.get(&format!("Bundle/{}", answer.id())).await.expect(200);
    assert_eq!(entries(&stored, None), WHOLE);
    assert_eq!(stored.json()["identifier"], answer.json()["identifier"]);
    // A GET changes nothing.
    for method in ["GET", "HEAD"] {
        let refused = server.send(method, "Composition/c/$document?persist=true", &[], "").await.expect(405);
        assert_eq!(refused.header("allow"), Some("POST"));
    }
    assert_eq!(server.get("Bundle?_summary=count").await.expect(200).json()["total"], 1);
    server.get("Composition/c/$document?persist=false").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_of_nothing_says_of_each_required_section_that_nothing_is_known() {
    let server = opened().await;
    let answer = server.get("Patient/q/$summary").await.expect(200).json();
    let composition = &answer["entry"][0]["resource"];
    assert_eq!((&answer["type"], &composition["type"]["coding"][0]["code"]), (&json!("document"), &json!("60591-5")));
    let codes: Vec<&str> = composition["section"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["code"]["coding"][0]["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["11450-4", "48765-2", "10160-0"]);
    for (section, code, member) in [
        (0, "no-problem-info", "code"),
        (1, "no-allergy-info", "code"),
        (2, "no-medication-info", "medicationCodeableConcept"),
    ] {
        let reference = &composition["section"][section]["entry"][0]["reference"];
        let entry = answer["entry"].as_array().unwrap().iter().find(|entry| entry["fullUrl"] == *reference).unwrap();
        assert_eq!(entry["resource"][member]["coding"][0]["code"], code);
    }
    // Each reference leads to an entry.
    let author = &composition["author"][0]["reference"];
    assert!(answer["entry"].as_array().unwrap().iter().any(|entry| entry["fullUrl"] == *author));
    assert_eq!(composition["subject"]["reference"], answer["entry"][1]["fullUrl"]);
    server.get("Patient/nobody/$summary").await.expect(404);
    server.get("Patient/$summary").await.expect(400);
    assert_eq!(server.get("Patient/q/$summary?profile=x").await.expect(400).expression(), "profile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_tells_what_matters_now_with_a_narrative_in_which_texts_stay_texts() {
    let server = opened().await;
    let clinical = |code: &str| json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": code}]});
    let vital = |id: &str, date: &str, value: i64| {
        json!({"resourceType": "Observation", "id": id, "status": "final", "category": [{"coding": [{"code": "vital-signs"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}]}, "subject": of("Patient/p"),
            "effectiveDateTime": date, "valueQuantity": {"value": value, "unit": "/min"}})
    };
    let restricted =
        json!({"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]});
    store(
        &server,
        [
            json!({"resourceType": "Condition", "id": "now", "clinicalStatus": clinical("active"), "code": {"text": "<b>Asthma</b> & co"},
                "subject": of("Patient/p"), "meta": restricted}),
            json!({"resourceType": "Condition", "id": "past", "clinicalStatus": clinical("resolved"), "code": {"text": "Measles"}, "subject": of("Patient/p")}),
            json!({"resourceType": "Condition", "id": "others", "clinicalStatus": clinical("active"), "code": {"text": "Gout"}, "subject": of("Patient/q"),
                "asserter": of("Patient/p")}),
            json!({"resourceType": "Medication", "id": "m", "code": {"text": "Salbutamol"}}),
            json!({"resourceType": "MedicationRequest", "id": "rx", "status": "active", "intent": "order", "subject": of("Patient/p"),
                "medicationReference": of("Medication/m")}),
            json!({"resourceType": "MedicationRequest", "id": "old", "status": "stopped", "intent": "order", "subject": of("Patient/p"),
                "medicationCodeableConcept": {"text": "Aspirin"}}),
            vital("hr1", "2020-01-01", 70),
            vital("hr2", "2020-02-01", 80),
        ],
    )
    .await;
    let answer = server.post("Patient/p/$summary", "").await.expect(200);
    let bundle = answer.json();
    let composition = &bundle["entry"][0]["resource"];
    let section = |code: &str| {
        let sections = composition["section"].as_array().unwrap();
        sections.iter().find(|one| one["code"]["coding"][0]["code"] == code).cloned().unwrap_or_default()
    };
    let listed = |code: &str| {
        section(code)["entry"][0]["reference"].as_str().unwrap_or_default().replace(&format!("{}/", server.base), "")
    };
    assert_eq!(listed("11450-4"), "Condition/now");
    assert_eq!(listed("11348-0"), "Condition/past");
    assert_eq!(listed("10160-0"), "MedicationRequest/rx");
    assert_eq!(listed("8716-3"), "Observation/hr2");
    assert_eq!(section("8716-3")["entry"].as_array().unwrap().len(), 1);
    assert!(section("11450-4")["text"]["div"].as_str().unwrap().contains("&lt;b&gt;Asthma&lt;/b&gt; &amp; co"));
    assert!(section("10160-0")["text"]["div"].as_str().unwrap().contains("Salbutamol"));
    assert!(section("8716-3")["text"]["div"].as_str().unwrap().contains("<td>80 /min</td><td>2020-02-01</td>"));
    assert_eq!(composition["confidentiality"], "R");
    assert_eq!(composition["custodian"]["reference"], format!("{}/Organization/o", server.base));
    for gone in ["Gout", "Aspirin", "hr1", "Patient/q"] {
        assert!(!answer.text.contains(gone), "{gone}");
    }
    assert!(entries(&answer, None).contains(&"Medication/m".to_owned()));
    // Every reference of the Composition leads to an entry of the document.
    let urls: Vec<&str> =
        bundle["entry"].as_array().unwrap().iter().map(|entry| entry["fullUrl"].as_str().unwrap()).collect();
    for section in composition["section"].as_array().unwrap() {
        for entry in section["entry"].as_array().unwrap() {
            assert!(urls.contains(&entry["reference"].as_str().unwrap()), "{entry}");
        }
    }
}
