//! Each claim about each type, with one of HL7's examples of it.

use super::{list, text};
use crate::support::{Answer, FHIR_JSON, Server};
use brasa::fhir::definitions::{ResourceType, example};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

const PATCH: &[(&str, &str)] = &[("content-type", "application/json-patch+json")];

/// A type and what is claimed of it.
struct Claimed<'a> {
    server: &'a Server,
    resource: &'a Value,
    name: &'a str,
    example: Value,
}

impl Claimed<'_> {
    fn does(&self, interaction: &str) -> bool {
        list(&self.resource["interaction"]).iter().any(|one| one["code"] == interaction)
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        self.server.send(method, path, headers, body).await
    }

    /// One claim: whether it was answered as it should.
    #[track_caller]
    fn holds(&self, claim: &str, answer: &Answer, status: u16) {
        assert_eq!(answer.status, status, "{} {claim}: {}", self.name, answer.text);
    }

    /// What is done to one resource, from its birth under an id of the client to its end.
    async fn live(&self) {
        let path = format!("{}/claimed", self.name);
        let json = [("content-type", FHIR_JSON)];
        let mut body = self.example.clone();
        body["id"] = json!("claimed");
        assert!(self.does("update") && self.resource["updateCreate"] == true, "{}", self.name);
        self.holds("updateCreate", &self.ask("PUT", &path, &json, body.to_string()).await, 201);
        assert_eq!(self.resource["versioning"], "versioned-update");
        body["language"] = json!("es");
        let old = [json[0], ("if-match", "W/\"7\"")];
        self.holds("versioning", &self.ask("PUT", &path, &old, body.to_string()).await, 412);
        let first = [json[0], ("if-match", "W/\"1\"")];
        self.holds("update", &self.ask("PUT", &path, &first, body.to_string()).await, 200);
        let read = self.server.get(&path).await;
        self.holds("read", &read, 200);
        assert_eq!(self.resource["conditionalRead"], "full-support");
        let unchanged = [("if-none-match", read.header("etag").unwrap())];
        self.holds("not-match", &self.server.get_with(&path, &unchanged).await, 304);
        let since = [("if-modified-since", read.header("last-modified").unwrap())];
        self.holds("modified-since", &self.server.get_with(&path, &since).await, 304);
        let patch = json!([{"op": "replace", "path": "/language", "value": "en"}]).to_string();
        let patched = if self.does("patch") { 200 } else { 405 };
        self.holds("patch", &self.ask("PATCH", &path, PATCH, patch).await, patched);
        self.holds("history-instance", &self.server.get(&format!("{path}/_history")).await, 200);
        self.holds("history-type", &self.server.get(&format!("{}/_history?_count=1", self.name)).await, 200);
        let found = self.server.get(&format!("{}?_id=claimed", self.name)).await;
        self.holds("search-type", &found, 200);
        assert_eq!(found.json()["entry"][0]["resource"]["id"], "claimed", "{}", self.name);
        self.holds("delete", &self.server.delete(&path).await, 204);
        assert_eq!(self.resource["readHistory"], true);
        self.holds("readHistory", &self.server.get(&format!("{path}/_history/1")).await, 200);
    }

    /// What is done under a condition.
    async fn conditional(&self) {
        let json = [("content-type", FHIR_JSON)];
        let name = self.name;
        let mut body = self.example.clone();
        body["meta"]["tag"] = json!([{"system": "urn:claims", "code": "one"}]);
        let criterion = format!("{name}?_tag=urn:claims%7Cone");
        assert!(self.does("create") && self.resource["conditionalCreate"] == true, "{name}");
        let none = [json[0], ("if-none-exist", "_tag=urn:claims|one")];
        self.holds("create", &self.ask("POST", name, &none, body.to_string()).await, 201);
        self.holds("conditionalCreate", &self.ask("POST", name, &none, body.to_string()).await, 200);
        assert_eq!(self.resource["conditionalUpdate"], true);
        body.as_object_mut().unwrap().remove("id");
        body["language"] = json!("es");
        self.holds("conditionalUpdate", &self.ask("PUT", &criterion, &json, body.to_string()).await, 200);
        self.holds("create", &self.ask("POST", name, &json, body.to_string()).await, 201);
        let several = if self.resource["conditionalDelete"] == "multiple" { 204 } else { 412 };
        self.holds("conditionalDelete", &self.server.delete(&criterion).await, several);
    }
}

fn example_of(name: &str) -> Value {
    let resource_type = ResourceType::parse(name).unwrap();
    let mut example: Value = serde_json::from_str(example(resource_type).unwrap()).unwrap();
    if name == "SearchParameter" {
        // One that R4 has already could not be used beside it.
        example["status"] = json!("draft");
    }
    example
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_does_what_is_claimed_of_it() {
    for deletes_max in ["1", "10"] {
        let server = &Server::start_with(&[("BRASA_CONDITIONAL_DELETES_MAX", deletes_max)]).await;
        let statement = server.get("metadata").await.expect(200).json();
        let resources = list(&statement["rest"][0]["resource"]);
        assert_eq!(resources.len(), 146);
        let expected = if deletes_max == "1" { "single" } else { "multiple" };
        // What differs is the same for all types.
        let tried = resources.iter().take(if deletes_max == "1" { usize::MAX } else { 5 });
        let tried = tried.map(|resource| async move {
            let name = text(&resource["type"]);
            let claimed = Claimed { server, resource, name, example: example_of(name) };
            assert_eq!(resource["conditionalDelete"], expected);
            if deletes_max == "1" {
                claimed.live().await;
            }
            claimed.conditional().await;
            let known = ["read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create"];
            let words = list(&resource["interaction"]).iter().map(|one| text(&one["code"]));
            let unknown: Vec<&str> = words.filter(|word| !known.contains(word) && *word != "search-type").collect();
            assert!(unknown.is_empty(), "{name} claims what this test does not try: {unknown:?}");
        });
        stream::iter(tried).buffer_unordered(6).collect::<Vec<()>>().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_its_compartments_and_its_formats_are_as_claimed() {
    let server = Server::start().await;
    let statement = server.get("metadata").await.expect(200).json();
    let rest = &statement["rest"][0];
    for interaction in list(&rest["interaction"]) {
        let bundle = |kind: &str| json!({"resourceType": "Bundle", "type": kind});
        match text(&interaction["code"]) {
            kind @ ("transaction" | "batch") => {
                let answer = server.post("", bundle(kind)).await.expect(200).json();
                assert_eq!(answer["type"], format!("{kind}-response"));
            }
            "search-system" => drop(server.get("?_type=Patient").await.expect(200)),
            "history-system" => drop(server.get("_history").await.expect(200)),
            other => panic!("this test does not try {other}"),
        }
    }
    let compartments: Vec<&str> = list(&rest["compartment"]).iter().map(text).collect();
    assert_eq!(compartments.len(), 5);
    for address in compartments {
        let code = address.strip_prefix("http://hl7.org/fhir/CompartmentDefinition/").unwrap();
        let of = ResourceType::all().find(|of| of.as_str().eq_ignore_ascii_case(code)).unwrap();
        server.get(&format!("{of}/nobody/*")).await.expect(200);
        server.get(&format!("{of}/nobody/Observation")).await.expect(200);
    }
    for format in list(&statement["format"]).iter().map(text) {
        server.get(&format!("Patient?_format={format}")).await.expect(200);
        if format.contains('/') {
            let named = [("accept", format), ("content-type", format)];
            server.get_with("Patient", &named).await.expect(200);
            let body = match format.ends_with("xml") {
                true => r#"<Patient xmlns="http://hl7.org/fhir"/>"#,
                false => r#"{"resourceType":"Patient"}"#,
            };
            server.send("POST", "Patient", &named, body).await.expect(201);
        }
    }
    let id = server.post("Patient", json!({"resourceType": "Patient", "active": true})).await.expect(201).id();
    for format in list(&statement["patchFormat"]).iter().map(text) {
        let patch = match format {
            "application/json-patch+json" => json!([{"op": "replace", "path": "/active", "value": false}]).to_string(),
            "application/fhir+json" => {
                json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
                {"name": "type", "valueCode": "replace"}, {"name": "path", "valueString": "Patient.active"},
                {"name": "value", "valueBoolean": true}]}]})
                .to_string()
            }
            "application/fhir+xml" => {
                let part = |name: &str, value: &str| format!(r#"<part><name value="{name}"/>{value}</part>"#);
                let parts = [
                    part("type", r#"<valueCode value="replace"/>"#),
                    part("path", r#"<valueString value="Patient.active"/>"#),
                    part("value", r#"<valueBoolean value="true"/>"#),
                ];
                let operation = format!(r#"<parameter><name value="operation"/>{}</parameter>"#, parts.concat());
                format!(r#"<Parameters xmlns="http://hl7.org/fhir">{operation}</Parameters>"#)
            }
            other => panic!("this test does not try {other}"),
        };
        let headers = [("content-type", format)];
        let patched = server.send("PATCH", &format!("Patient/{id}"), &headers, patch).await.expect(200);
        assert_eq!(patched.json()["active"], format != "application/json-patch+json", "{format}");
    }
}
