//! What the server says that it does, it does: each claim of the CapabilityStatement is tried. Search parameters and
//! includes: `tests/it/search/declared.rs`. <https://hl7.org/fhir/R4/http.html#capabilities>

mod claims;

use crate::audit::World;
use crate::support::Server;
use brasa::interaction::operations::{At, OPERATIONS, Operation};
use serde_json::{Value, json};

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mode_answers_its_statement_and_another_one_is_refused_with_its_place() {
    let server = crate::accounts::server().await;
    let full = server.get("metadata").await.expect(200);
    assert_eq!(server.get("metadata?mode=full").await.expect(200).json(), full.json());
    let (full, normative) = (full.json(), server.get("metadata?mode=normative").await.expect(200).json());
    assert_eq!(normative["resourceType"], "CapabilityStatement");
    for (place, is_trial_use) in [
        ("/rest/0/security", true),
        ("/rest/0/resource/0/versioning", true),
        ("/rest/0/resource/0/conditionalCreate", true),
        ("/rest/0/resource/0/searchInclude", true),
        ("/rest/0/resource/0/searchParam", false),
        ("/rest/0/resource/0/interaction", false),
        ("/rest/0/interaction", false),
        ("/rest/0/compartment", false),
    ] {
        assert!(full.pointer(place).is_some(), "{place}");
        assert_eq!(normative.pointer(place).is_none(), is_trial_use, "{place}");
    }
    let terminology = server.get("metadata?mode=terminology").await.expect(200).json();
    assert_eq!(terminology["resourceType"], "TerminologyCapabilities");
    for never in ["expansion", "validateCode", "translation", "closure", "codeSystem"] {
        assert!(terminology.get(never).is_none(), "there is no operation that does it: {never}");
    }
    let refused = server.get("metadata?mode=Full").await.expect(400);
    assert_eq!(refused.expression(), "mode");
    assert!(refused.issue()["diagnostics"].as_str().unwrap().contains("full, normative, terminology"));
    assert_eq!(server.get("metadata?mode=full&mode=full").await.expect(400).expression(), "mode");
    let strict = server.get_with("metadata?of=all", &[("prefer", "handling=strict")]).await;
    assert_eq!(strict.expect(400).expression(), "of");
    let head = server.send("HEAD", "metadata?mode=terminology", &[], "").await.expect(200);
    assert_eq!((head.text.as_str(), head.header("content-type")), ("", Some("application/fhir+json; charset=utf-8")));
    server.get_with("metadata", &[("accept", "text/turtle")]).await.expect(406);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statements_say_nothing_that_r4_does_not_define() {
    let server = Server::start().await;
    for (mode, stored) in [("full", "CapabilityStatement"), ("terminology", "TerminologyCapabilities")] {
        let statement = server.get(&format!("metadata?mode={mode}")).await.expect(200).json();
        // Whoever keeps it checks it as any other resource.
        server.post(stored, &statement).await.expect(201);
        assert!(!has_empty(&statement), "FHIR has no empty lists and texts");
    }
    for operation in OPERATIONS.iter().filter(|operation| operation.canonical.is_none()) {
        let definition = operation.to_resource(&server.base).to_bytes();
        server.post("OperationDefinition", String::from_utf8(definition).unwrap()).await.expect(201);
    }
}

fn has_empty(value: &Value) -> bool {
    match value {
        Value::Array(all) => all.is_empty() || all.iter().any(has_empty),
        Value::Object(all) => all.is_empty() || all.values().any(has_empty),
        Value::String(text) => text.is_empty(),
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Where an operation is declared: the levels, and the type.
fn declared<'a>(statement: &'a Value, of: Option<&str>) -> &'a [Value] {
    let rest = &statement["rest"][0];
    match of {
        None => list(&rest["operation"]),
        Some(of) => {
            let resource = list(&rest["resource"]).iter().find(|one| one["type"] == of);
            list(&resource.unwrap_or_else(|| panic!("{of} is not declared"))["operation"])
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_has_a_definition_that_can_be_read_and_is_asked_where_it_says() {
    let world = World::start().await;
    let server = &world.server;
    let statement = server.get("metadata").await.expect(200).json();
    for operation in OPERATIONS {
        let of = operation.types.first().map_or("Patient", |of| of.as_str());
        let levels = [(At::System, None), (At::Type, Some(of)), (At::Instance, Some(of))];
        for (at, of) in levels.into_iter().filter(|(at, _)| operation.calls_at(*at).any(|call| call.aside.is_none())) {
            let found = declared(&statement, of).iter().find(|one| one["name"] == operation.code);
            let found = found.unwrap_or_else(|| panic!("${} is not declared at {at:?}", operation.code));
            let address = text(&found["definition"]);
            let own = format!("{}/OperationDefinition/{}", server.base, operation.definition_id());
            // HL7's definition is named, and what this server does of it can be read.
            let expected = operation.canonical.map_or_else(|| own.clone(), str::to_owned);
            let is_known = operation.canonical.is_none_or(|canonical| canonical.starts_with("http://hl7.org/fhir/"));
            assert!(address == expected && is_known, "{address}");
            assert_defined(server, operation, &own).await;
        }
        for call in operation.calls {
            let path = match call.at {
                At::System => format!("${}", operation.code),
                At::Type => format!("{of}/${}", operation.code),
                At::Instance => format!("{of}/p1/${}", operation.code),
                At::Version => format!("{of}/p1/_history/1/${}", operation.code),
            };
            // Some need what a bare address does not say, or are about resources that are not there.
            let needs_input = operation.parameters.iter().any(|one| !one.is_output && one.min > 0)
                || ["document", "expunge", "lastn", "validate"].contains(&operation.code);
            let is_absent = answer_is_absent(operation, call.at);
            let who = if ["reindex", "expunge"].contains(&operation.code) { "root" } else { "ana" };
            let method = format!("{:?}", call.method).to_uppercase();
            let answer = world.user(who).send(&method, &path, Value::Null).await;
            let is_declared = call
                .answers
                .iter()
                .any(|(status, body)| *status == answer.status && answer.json()["resourceType"] == body.as_str());
            let is_refused = needs_input && answer.status == 400 || is_absent && [404, 422].contains(&answer.status);
            assert!(is_declared || is_refused, "{method} {path}: {}", answer.text);
        }
    }
    // Nobody writes what the server defines, and what is not in the table is no operation.
    let path = "OperationDefinition/brasa-reindex";
    let refused = world.user("root").send("PUT", path, json!({})).await.expect(405);
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    server.get("OperationDefinition/brasa-nothing").await.expect(401);
    world.get("doctor", "OperationDefinition/brasa-nothing").await.expect(404);
    world.get("ana", "Patient/p1/$nothing").await.expect(400);
    world.get("ana", "Patient/$accesses").await.expect(404);
}

/// Whether the tests' world has nothing that could answer: no encounter, no document, no superseded version to remove.
fn answer_is_absent(operation: &Operation, at: At) -> bool {
    let is_of_patients = operation.types.is_empty() || operation.types.iter().any(|of| of.as_str() == "Patient");
    at == At::Instance && !is_of_patients || at == At::Version && operation.code == "expunge"
}

async fn assert_defined(server: &Server, operation: &Operation, address: &str) {
    // Without a token: a client reads it before it logs in.
    let definition = server.get(address).await.expect(200).json();
    assert_eq!((&definition["resourceType"], text(&definition["url"])), (&json!("OperationDefinition"), address));
    assert_eq!((text(&definition["code"]), text(&definition["name"])), (operation.code, operation.name));
    assert_eq!(definition.get("base").and_then(Value::as_str), operation.canonical);
    for (name, at) in [("system", At::System), ("type", At::Type), ("instance", At::Instance)] {
        let is_there = operation.calls_at(at).any(|call| call.aside.is_none());
        assert_eq!(definition[name], json!(is_there), "{} {name}", operation.code);
    }
    assert_eq!(list(&definition["parameter"]).len(), operation.parameters.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_is_switched_off_is_not_declared_and_has_no_definition() {
    let server = Server::start().await;
    let statement = server.get("metadata").await.expect(200).json();
    let names: Vec<&str> = declared(&statement, Some("Patient")).iter().map(|one| text(&one["name"])).collect();
    assert!(names.contains(&"reindex") && !names.contains(&"accesses"), "{names:?}");
    server.get("OperationDefinition/brasa-accesses").await.expect(404);
}
