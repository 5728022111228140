//! The operations of the table, at the system, at types and at resources. <https://hl7.org/fhir/R4/operations.html>

use super::entry::{Entry, Paths};
use super::schema::reference;
use super::shared::content;
use crate::interaction::capabilities::{Surface, TypeSurface};
use crate::interaction::operation::Code;
use crate::interaction::operations::{At, Call, Operation, OperationParameter};
use crate::interaction::request::Method;
use serde_json::{Value, json};

pub fn of_system(paths: &mut Paths, surface: &Surface, tag: &str) {
    for operation in &surface.operations {
        add(paths, operation, At::System, tag, "/fhir");
    }
}

pub fn of_type(paths: &mut Paths, of: &TypeSurface) {
    let name = of.resource_type.as_str();
    for operation in &of.operations {
        add(paths, operation, At::Type, name, &format!("/fhir/{name}"));
        add(paths, operation, At::Instance, name, &format!("/fhir/{name}/{{id}}"));
        add(paths, operation, At::Version, name, &format!("/fhir/{name}/{{id}}/_history/{{vid}}"));
    }
}

fn add(paths: &mut Paths, operation: &Operation, at: At, tag: &str, place: &str) {
    for call in operation.calls_at(at) {
        let (method, verb) = match call.method {
            Method::Get | Method::Head => ("get", "ask"),
            Method::Post => ("post", "call"),
            Method::Put => ("put", "put"),
            Method::Patch => ("patch", "patch"),
            Method::Delete => ("delete", "end"),
        };
        let level = match at {
            At::System => "system".to_owned(),
            At::Type => tag.to_owned(),
            At::Instance => format!("one-{tag}"),
            At::Version => format!("one-version-of-{tag}"),
        };
        let id = format!("{verb}-{}-of-{level}", operation.code);
        let summary = call.aside.unwrap_or(operation.title);
        let entry = Entry::new(tag, id, summary).described(operation.description);
        let is_open = Code::parse(operation.code).is_some_and(Code::is_open);
        let entry = if is_open { entry.open() } else { entry };
        paths.add(&format!("{place}/${}", operation.code), method, filled(entry, operation, call));
    }
}

/// With the parameters where they are sent, and the answers.
fn filled(entry: Entry, operation: &Operation, call: &Call) -> Entry {
    let inputs: Vec<&OperationParameter> = operation.parameters.iter().filter(|one| !one.is_output).collect();
    let entry = match call.method {
        // What is asked beside the operation has parameters of its own, which its sentence tells.
        Method::Get if call.aside.is_some() => entry.taking([job()].into_iter()),
        // No address holds a resource.
        Method::Get => entry.taking(inputs.iter().filter(|input| input.kind != "Resource").map(|input| query(input))),
        _ if inputs.is_empty() => entry.with_shared_body("NoParameters"),
        _ => entry.with_body(body(&inputs)),
    };
    let mut statuses: Vec<u16> = call.answers.iter().map(|(status, _)| *status).collect();
    statuses.dedup();
    statuses.iter().fold(entry, |entry, status| {
        let of = call.answers.iter().filter(|(one, _)| one == status).map(|(_, of)| reference(of.as_str()));
        let mut schemas: Vec<Value> = of.collect();
        let schema = if schemas.len() == 1 { schemas.remove(0) } else { json!({"anyOf": schemas}) };
        let said =
            if *status == 202 { "It is being done; `Content-Location` says where to ask." } else { "What came of it." };
        let mut answer = json!({"description": said, "content": content(schema)});
        if let (202, Some(members)) = (*status, answer.as_object_mut()) {
            members.insert(
                "headers".to_owned(),
                json!({"Content-Location": {"required": true, "schema": {"type": "string"}}}),
            );
        }
        entry.answers_with(&status.to_string(), answer)
    })
}

fn job() -> Value {
    json!({"name": "job", "in": "query", "required": false, "description": "The number of one job.",
        "schema": {"type": "integer", "minimum": 0}})
}

fn query(input: &OperationParameter) -> Value {
    let schema = match (input.search_kind, input.kind) {
        (Some(kind), _) => reference(&format!("search.{kind}")),
        (None, kind) => reference(kind),
    };
    json!({"name": input.name, "in": "query", "required": input.min > 0, "description": input.documentation,
        "schema": schema})
}

/// Parameters, whose names are told in words: FHIR has no schema for them.
fn body(inputs: &[&OperationParameter]) -> Value {
    let line = |input: &&OperationParameter| {
        let cardinality = format!("{}..{}", input.min, input.max);
        format!("* `{}` ({}, {cardinality}): {}", input.name, input.kind, input.documentation)
    };
    let lines: Vec<String> = inputs.iter().map(line).collect();
    let required = inputs.iter().any(|input| input.min > 0);
    json!({"description": lines.join("\n"), "required": required,
        "content": content(reference("Parameters"))})
}
