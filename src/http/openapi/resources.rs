//! FHIR's addresses of each resource type. <https://hl7.org/fhir/R4/http.html#summary>

use super::entry::{Entry, Paths, response};
use super::operations;
use super::schema::reference;
use super::shared::{content, content_like};
use crate::fhir::definitions::{ResourceType, example};
use crate::interaction::capabilities::{SearchParameter, Surface, TypeSurface};
use serde_json::{Map, Value, json};

/// What every search may say, besides the parameters of its type.
pub const SEARCH: &[&str] = &[
    "_count",
    "_sort",
    "_summary",
    "_elements",
    "_total",
    "_include",
    "_revinclude",
    "_filter",
    "_list",
    "_page",
    "more",
    "Prefer-Handling",
];
pub const HISTORY: &[&str] = &["_count", "_since", "_at", "_page", "Prefer-Handling"];
const ONE: &[&str] = &["_summary-of-one", "_elements", "If-None-Match", "If-Modified-Since"];
const OF_ONE_RECORD: &[&str] = &["If-None-Match", "If-Modified-Since"];
/// The audit has few questions, and they have no more to say.
const OF_RECORDS: &[&str] = &["_count", "_sort", "_page", "Prefer-Handling"];

pub fn add(paths: &mut Paths, surface: &Surface) {
    for of in &surface.types {
        collection(paths, of);
        if of.is_written {
            written(paths, of);
        }
        one(paths, of);
        operations::of_type(paths, of);
    }
}

/// The answer with a resource of a type, and the body that brings one.
pub fn components(surface: &Surface, responses: &mut Map<String, Value>, bodies: &mut Map<String, Value>) {
    for of in surface.types.iter().map(|of| of.resource_type) {
        let headers = json!({"ETag": {"description": "The version, as in `W/\"3\"`.", "schema": {"type": "string"}},
            "Last-Modified": {"schema": {"type": "string"}}});
        // Bundle and Parameters are answers of their own.
        let name = answered(of);
        let mut read = content(reference(of.as_str()));
        let mut brought = match example(of).and_then(read_example) {
            Some(example) => content_like(reference(of.as_str()), example),
            None => content(reference(of.as_str())),
        };
        // What a Binary holds comes and goes as it is, too.
        if of == ResourceType::BINARY {
            for content in [&mut read, &mut brought].into_iter().filter_map(Value::as_object_mut) {
                content.insert("*/*".to_owned(), json!({}));
            }
        }
        responses.insert(name, json!({"description": format!("A {of}."), "headers": headers, "content": read}));
        bodies.insert(of.to_string(), json!({"required": true, "content": brought}));
    }
    let either = json!({"anyOf": [reference("Resource"), reference("OperationOutcome")]});
    let headers = json!({"Location": {"description": "The version that was written.", "schema": {"type": "string"}},
        "ETag": {"schema": {"type": "string"}}, "Last-Modified": {"schema": {"type": "string"}}});
    let said = "The resource as it is now; an OperationOutcome or nothing where `Prefer` says so.";
    let written = json!({"description": said, "headers": headers, "content": content(either)});
    responses.insert("Written".to_owned(), written);
}

fn read_example(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

fn answered(resource_type: ResourceType) -> String {
    format!("a.{resource_type}")
}

/// A search parameter that is the type's own.
fn parameter(parameter: &SearchParameter) -> Value {
    json!({
        "name": parameter.code,
        "in": "query",
        "required": false,
        "description": parameter.description,
        "schema": reference(&format!("search.{}", parameter.kind)),
    })
}

/// What is asked of all resources of the type.
fn collection(paths: &mut Paths, of: &TypeSurface) {
    let name = of.resource_type.as_str();
    let path = format!("/fhir/{name}");
    let own = of.parameters.iter().map(parameter);
    let shared = if of.is_written { SEARCH } else { OF_RECORDS };
    let search = Entry::new(name, format!("search-{name}"), format!("Search for {name} resources"));
    paths.add(&path, "get", search.taking(own).sharing(shared).answers("200", "Bundle"));
    let posted = Entry::new(name, format!("search-{name}-by-form"), format!("Search for {name} resources by a form"));
    let posted = posted.sharing(&["Prefer-Handling"]).with_shared_body("Search").answers("200", "Bundle");
    paths.add(&format!("{path}/_search"), "post", posted);
}

/// What writes, and the history.
fn written(paths: &mut Paths, of: &TypeSurface) {
    let name = of.resource_type.as_str();
    let (path, one) = (format!("/fhir/{name}"), format!("/fhir/{name}/{{id}}"));
    let entry = |what: &str, summary: String| Entry::new(name, format!("{what}-{name}"), summary);
    let create = entry("create", format!("Create a {name}"));
    let create = create.sharing(&["If-None-Exist", "Prefer-Return"]).with_shared_body(name);
    paths.add(&path, "post", create.answers("201", "Written").answers("200", "Written"));
    let update = entry("conditional-update", format!("Update or create the {name} that is found"));
    let update = update.sharing(&["criteria", "If-Match", "Prefer-Return"]).with_shared_body(name);
    paths.add(&path, "put", update.answers("200", "Written").answers("201", "Written"));
    let delete = entry("conditional-delete", format!("Delete the {name} that is found"));
    let delete =
        delete.sharing(&["criteria", "Prefer-Return"]).answers("204", "Deleted").answers("200", "OperationOutcome");
    paths.add(&path, "delete", delete);
    let history = entry("history-of", format!("Versions of all {name} resources"));
    paths.add(&format!("{path}/_history"), "get", history.sharing(HISTORY).answers("200", "Bundle"));
    let put = entry("update", format!("Update a {name}, or create it under this id"));
    let put = put.sharing(&["If-Match", "If-None-Match-Any", "Prefer-Return"]).with_shared_body(name);
    paths.add(&one, "put", put.answers("200", "Written").answers("201", "Written"));
    let remove = entry("delete", format!("Delete a {name}"));
    let remove = remove.sharing(&["If-Match", "Prefer-Return"]);
    paths.add(&one, "delete", remove.answers("204", "Deleted").answers("200", "OperationOutcome"));
    if of.has("patch") {
        let patch = entry("conditional-patch", format!("Patch the {name} that is found"));
        let patch = patch.sharing(&["criteria", "If-Match", "Prefer-Return"]).with_shared_body("JsonPatch");
        paths.add(&path, "patch", patch.answers("200", "Written"));
        let patch = entry("patch", format!("Patch a {name}"));
        let patch = patch.sharing(&["If-Match", "Prefer-Return"]).with_shared_body("JsonPatch");
        paths.add(&one, "patch", patch.answers("200", "Written"));
    }
}

/// What is read of one resource.
fn one(paths: &mut Paths, of: &TypeSurface) {
    let name = of.resource_type.as_str();
    let one = format!("/fhir/{name}/{{id}}");
    let shared = if of.is_written { ONE } else { OF_ONE_RECORD };
    let with_resource = |entry: Entry| {
        let entry = entry.sharing(shared);
        entry.answers_with("200", response(&answered(of.resource_type))).answers("304", "NotModified")
    };
    let read = Entry::new(name, format!("read-{name}"), format!("Read a {name}"));
    paths.add(&one, "get", with_resource(read));
    if !of.is_written {
        return;
    }
    let history = Entry::new(name, format!("history-of-one-{name}"), format!("Versions of a {name}"));
    paths.add(&format!("{one}/_history"), "get", history.sharing(HISTORY).answers("200", "Bundle"));
    let version = Entry::new(name, format!("vread-{name}"), format!("Read a version of a {name}"));
    paths.add(&format!("{one}/_history/{{vid}}"), "get", with_resource(version));
}
