//! What is asked of the whole server: FHIR's interactions of the system, compartments, and what is not FHIR.

use super::entry::{Entry, Paths, json_of, response};
use super::operations;
use super::resources::{HISTORY, SEARCH};
use super::schema::reference;
use super::shared::{content, content_like};
use crate::fhir::definitions::{ResourceType, in_compartment};
use crate::interaction::capabilities::Surface;
use serde_json::{Value, json};

pub const SYSTEM: &str = "FHIR: the system";
pub const COMPARTMENTS: &str = "FHIR: compartments";
pub const SERVER: &str = "Server";

pub fn add(paths: &mut Paths, surface: &Surface) {
    let statement = Entry::new(SYSTEM, "capabilities", "What this server does").open();
    let schema = json!({"anyOf": [reference("CapabilityStatement"), reference("TerminologyCapabilities")]});
    let statement = statement.sharing(&["mode"]).answers_with("200", fhir("The statement.", schema));
    paths.add("/fhir/metadata", "get", statement);
    let search = Entry::new(SYSTEM, "search-system", "Search for resources of several types");
    paths.add("/fhir", "get", search.sharing(&["_type"]).sharing(SEARCH).answers("200", "Bundle"));
    let posted = Entry::new(SYSTEM, "search-system-by-form", "Search for resources of several types by a form");
    let posted = posted.sharing(&["Prefer-Handling"]).with_shared_body("Search").answers("200", "Bundle");
    paths.add("/fhir/_search", "post", posted);
    let bundle = Entry::new(SYSTEM, "transaction", "A transaction, which happens as a whole, or a batch");
    let bundle = bundle.sharing(&["Prefer-Return"]).with_body(bundle_body());
    paths.add("/fhir", "post", bundle.answers("200", "Bundle"));
    let history = Entry::new(SYSTEM, "history-system", "Versions of all resources");
    paths.add("/fhir/_history", "get", history.sharing(HISTORY).answers("200", "Bundle"));
    operations::of_system(paths, surface, SYSTEM);
    for compartment in &surface.compartments {
        of_compartment(paths, *compartment);
    }
}

fn fhir(description: &str, schema: Value) -> Value {
    json!({"description": description, "content": content(schema)})
}

fn bundle_body() -> Value {
    let example = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"fullUrl": "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a",
            "resource": {"resourceType": "Patient", "name": [{"family": "Ibáñez"}]},
            "request": {"method": "POST", "url": "Patient"}},
        {"resource": {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"},
            "subject": {"reference": "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"}},
            "request": {"method": "POST", "url": "Encounter"}}]});
    json!({"required": true, "content": content_like(reference("Bundle"), example)})
}

fn of_compartment(paths: &mut Paths, compartment: ResourceType) {
    let types = ResourceType::all().filter(|of| in_compartment(compartment, *of)).map(ResourceType::as_str);
    let names: Vec<&str> = std::iter::once("*").chain(types).collect();
    let of = json!({"name": "type", "in": "path", "required": true, "description": "A type, or `*` for all of them.",
        "schema": {"type": "string", "enum": names}, "example": "Observation"});
    let path = format!("/fhir/{compartment}/{{id}}/{{type}}");
    let summary = format!("Search in the compartment of a {compartment}");
    let id = format!("search-compartment-of-{compartment}");
    let search = Entry::new(COMPARTMENTS, &*id, &*summary).taking([of.clone()].into_iter());
    paths.add(&path, "get", search.sharing(SEARCH).answers("200", "Bundle"));
    let posted = Entry::new(COMPARTMENTS, format!("{id}-by-form"), format!("{summary} by a form"));
    let posted = posted.taking([of].into_iter()).sharing(&["Prefer-Handling"]).with_shared_body("Search");
    paths.add(&format!("{path}/_search"), "post", posted.answers("200", "Bundle"));
}

/// What is beside FHIR and open to everybody.
pub fn add_server(paths: &mut Paths) {
    let status = json!({"type": "object", "required": ["status"], "properties": {
        "status": {"type": "string"}, "reason": {"type": "string"}}});
    let front = json!({"type": "object", "required": ["name", "mode", "version", "fhir"], "properties": {
        "name": {"type": "string"}, "mode": {"type": "string"}, "version": {"type": "string"}},
        "additionalProperties": {"type": "string"}});
    let entry = |id: &str, summary: &str| Entry::new(SERVER, id, summary).open();
    let front =
        entry("front", "Where to go from here").answers_with("200", json_of("Addresses of this server.", front));
    paths.add("/", "get", front);
    let health = entry("health", "Whether the process lives");
    paths.add("/health", "get", health.answers_with("200", json_of("It lives.", status.clone())));
    let ready = entry("ready", "Whether the database answers and the server is not stopping");
    let ready = ready.answers_with("200", json_of("It can serve.", status.clone()));
    paths.add("/ready", "get", ready.answers_with("503", json_of("It cannot, and why.", status)));
    let document = json_of("OpenAPI 3.1.", json!({"type": "object"}));
    let documented = entry("openapi", "This document").answers_with("200", document).answers("304", "NotModified");
    paths.add("/openapi.json", "get", documented);
    let file = json!({"description": "The file.", "content": {"*/*": {}}});
    for (path, id, summary) in [
        ("/docs", "docs", "This document as Swagger UI, to try things in"),
        ("/redoc", "reference", "This document as pages to read, one for each group"),
        ("/redoc/{name}", "reference-page", "A page or a file of the reference"),
        ("/docs/{name}", "docs-file", "A file of Swagger UI, or one group of this document as `[group].json`"),
    ] {
        let answer = if path.contains('{') { file.clone() } else { response("Page") };
        let shown = entry(id, summary).answers_with("200", answer).answers("304", "NotModified");
        paths.add(path, "get", shown);
    }
}
