//! The FHIR capabilities interaction: what this server does, made from what it does. <https://hl7.org/fhir/R4/http.html#capabilities>

use super::patch::JSON_PATCH;
use super::request::Request;
use super::response::Response;
use crate::error::Result;
use crate::fhir::definitions::ResourceType;
use crate::fhir::json::{Json, Object};

/// When this statement last changed its meaning.
const DATE: &str = "2026-11-26";

const OF_TYPES: &[&str] = &["read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create"];
/// R4 defines no patch of a Binary.
const OF_BINARY: &[&str] = &["read", "vread", "update", "delete", "history-instance", "history-type", "create"];
const OF_SYSTEM: &[&str] = &["transaction", "batch", "history-system"];

/// The operations of the system, and of each type and resource. There is no OperationDefinition to be read: the name is what
/// counts.
fn operations() -> Json {
    let reindex =
        Object::new().with_str("name", "reindex").with_str("definition", "urn:brasa:operation:reindex").with_str(
            "documentation",
            "Writes the search index of stored resources again; GET $reindex tells how far it is.",
        );
    Json::Array(vec![Json::Object(reindex)])
}

pub fn answer(request: &Request) -> Result<Response> {
    let codes = |codes: &[&str]| {
        Json::Array(codes.iter().map(|code| Json::Object(Object::new().with_str("code", code))).collect())
    };
    let resources = ResourceType::all().map(|resource_type| {
        let of_type = if resource_type == ResourceType::BINARY { OF_BINARY } else { OF_TYPES };
        let entry = Object::new()
            .with_str("type", resource_type.as_str())
            .with("interaction", codes(of_type))
            .with_str("versioning", "versioned-update")
            .with("readHistory", Json::Bool(true))
            .with("updateCreate", Json::Bool(true))
            .with("conditionalCreate", Json::Bool(false))
            .with_str("conditionalRead", "full-support")
            .with("conditionalUpdate", Json::Bool(false))
            .with_str("conditionalDelete", "not-supported")
            .with("operation", operations());
        Json::Object(entry)
    });
    let rest = Object::new()
        .with_str("mode", "server")
        .with("resource", Json::Array(resources.collect()))
        .with("interaction", codes(OF_SYSTEM))
        .with("operation", operations());
    let software = Object::new().with_str("name", "Brasa").with_str("version", env!("CARGO_PKG_VERSION"));
    let implementation =
        Object::new().with_str("description", "Brasa, a FHIR R4 server").with_str("url", &request.base);
    let statement = Object::new()
        .with_str("resourceType", "CapabilityStatement")
        .with_str("status", "active")
        .with_str("date", DATE)
        .with_str("kind", "instance")
        .with("software", software.into())
        .with("implementation", implementation.into())
        .with_str("fhirVersion", "4.0.1")
        .with("format", Json::Array(vec![Json::string("application/fhir+json"), Json::string("json")]))
        .with("patchFormat", Json::Array(vec![Json::string(JSON_PATCH)]))
        .with("rest", Json::Array(vec![rest.into()]));
    Ok(Response::of_body(200, statement.to_bytes()))
}
