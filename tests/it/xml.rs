//! FHIR's XML over HTTP: every road that takes or gives JSON takes and gives it. <https://hl7.org/fhir/R4/xml.html>

use crate::examples::examples;
use crate::support::{Answer, Server};
use brasa::fhir::json::{Json, parse};
use brasa::fhir::xml;
use serde_json::{Value, json};

const XML: &str = "application/fhir+xml";
const BOTH: [(&str, &str); 2] = [("content-type", XML), ("accept", XML)];

/// The XML of a resource that is written as JSON.
fn to_xml(resource: &Value) -> String {
    let json = parse(resource.to_string().as_bytes(), 100).unwrap();
    String::from_utf8(xml::write(json.as_object().unwrap(), false).unwrap()).unwrap()
}

/// An answer in XML, as JSON.
fn of_xml(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/fhir+xml; charset=utf-8"), "{}", answer.text);
    let json = xml::read(&answer.bytes, 100).unwrap_or_else(|fault| panic!("{fault}: {}", answer.text));
    serde_json::from_slice(&json.to_bytes()).unwrap()
}

async fn send(server: &Server, method: &str, path: &str, body: &Value) -> Answer {
    server.send(method, path, &BOTH, to_xml(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_interaction_takes_and_gives_xml() {
    let server = Server::start_with(&[("BRASA_VALIDATION", "full")]).await;
    let patient = json!({"resourceType": "Patient", "id": "p", "name": [{"family": "Gómez <&>", "given": ["A", "B"]}]});
    let made = of_xml(&send(&server, "PUT", "Patient/p", &patient).await.expect(201));
    assert_eq!((&made["name"], &made["meta"]["versionId"]), (&patient["name"], &json!("1")));
    // What came as XML is the same as what comes as JSON.
    assert_eq!(server.get("Patient/p").await.expect(200).json(), made);
    assert_eq!(of_xml(&server.get("Patient/p?_format=xml").await.expect(200)), made);
    assert_eq!(of_xml(&server.get_with("Patient/p/_history/1", &[("accept", "text/xml")]).await.expect(200)), made);
    let found = of_xml(&server.get_with("Patient?family=gomez", &BOTH[1..]).await.expect(200));
    assert_eq!(found["entry"][0]["resource"], made);
    let head = server.send("HEAD", "Patient/p?_format=xml", &[], "").await.expect(200);
    assert_eq!(head.header("content-type"), Some("application/fhir+xml; charset=utf-8"));

    let patch = json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
        {"name": "type", "valueCode": "add"}, {"name": "path", "valueString": "Patient"},
        {"name": "name", "valueString": "gender"}, {"name": "value", "valueCode": "female"}]}]});
    assert_eq!(of_xml(&send(&server, "PATCH", "Patient/p", &patch).await.expect(200))["gender"], "female");
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"fullUrl": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
            "resource": {"resourceType": "Organization", "name": "Clinic"},
            "request": {"method": "POST", "url": "Organization"}},
        {"resource": {"resourceType": "Patient", "id": "p", "managingOrganization":
                {"reference": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}},
            "request": {"method": "PUT", "url": "Patient/p"}}]});
    let answer = of_xml(&send(&server, "POST", "", &bundle).await.expect(200));
    assert_eq!(answer["entry"][1]["response"]["status"], "200 OK");
    let read = of_xml(&server.get("Patient/p?_format=xml").await.expect(200));
    assert!(read["managingOrganization"]["reference"].as_str().unwrap().starts_with("Organization/"));
    assert_eq!(of_xml(&server.get("metadata?_format=xml").await.expect(200))["fhirVersion"], "4.0.1");
    of_xml(&server.get("Patient/p/$everything?_format=xml").await.expect(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_in_the_clients_form_and_names_the_place() {
    let server = Server::start_with(&[("BRASA_VALIDATION", "full")]).await;
    let missing = of_xml(&server.get("Patient/nobody?_format=xml").await.expect(404));
    assert_eq!(missing["issue"][0]["code"], "not-found");
    let patient = |inside: &str| format!(r#"<Patient xmlns="http://hl7.org/fhir">{inside}</Patient>"#);
    for (body, status, place) in [
        (patient("<active value=\"yes\"/>"), 400, "Patient.active"),
        (patient("<colour value=\"red\"/>"), 400, "Patient"),
        (patient("<gender value=\"red\"/>"), 422, "Patient.gender"),
        (patient("<active"), 400, "Patient"),
        (format!("<!DOCTYPE x [<!ENTITY a \"b\">]>{}", patient("<language value=\"&a;\"/>")), 400, ""),
        (String::new(), 400, ""),
    ] {
        let refused = of_xml(&server.send("POST", "Patient", &BOTH, body.clone()).await.expect(status));
        let told = refused["issue"][0]["expression"][0].as_str().unwrap_or_default();
        assert_eq!(told, place, "{body}: {refused}");
    }
    assert_eq!(server.get("Patient?_summary=count").await.json()["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_xml_has_no_form_for_is_406_and_stays_readable_as_json() {
    let server = Server::start().await;
    server.put("Patient/p", json!({"resourceType": "Patient", "id": "p", "colour": "red"})).await.expect(201);
    let refused = of_xml(&server.get("Patient/p?_format=xml").await.expect(406));
    assert!(refused["issue"][0]["diagnostics"].as_str().unwrap().contains("colour"), "{refused}");
    assert_eq!(server.get("Patient/p").await.expect(200).json()["colour"], "red");
}

#[tokio::test(flavor = "multi_thread")]
async fn hl7s_examples_come_as_xml_and_are_read_as_xml() {
    let server = Server::start().await;
    for example in examples().iter().step_by(7) {
        let json = parse(example.text.as_bytes(), 100).unwrap();
        let body = xml::write(json.as_object().unwrap(), false).unwrap();
        server.send("PUT", &example.reference, &BOTH, body).await.expect(201);
        let read = server.get(&format!("{}?_format=xml", example.reference)).await.expect(200);
        let mut read: Json = xml::read(&read.bytes, 100).unwrap();
        let mut sent = json;
        // The server's own: version and time, and `meta` where there was none.
        for side in [&mut read, &mut sent] {
            let Json::Object(object) = side else { panic!("{}", example.reference) };
            object.remove("meta");
        }
        let sorted = |json: &Json| serde_json::from_slice::<Value>(&json.to_bytes()).unwrap();
        assert_eq!(sorted(&read), sorted(&sent), "{}", example.reference);
    }
}
