//! The CapabilityStatement: what there is, in FHIR's words. <https://hl7.org/fhir/R4/capabilitystatement.html>

use super::super::Context;
use super::super::operations::{At, Operation};
use super::super::patch::{FHIRPATH_PATCH, JSON_PATCH};
use super::super::request::Request;
use super::surface::{OF_SYSTEM, SearchParameter, Surface, TypeSurface};
use crate::auth::smart::address::Addresses;
use crate::fhir::json::{Json, Object};

/// When this statement last changed its meaning.
pub const DATE: &str = "2026-11-30";

/// What R4's own definition of a CapabilityStatement marks as trial use, as far as this server writes it.
const TRIAL_USE_OF_REST: &[&str] = &["security"];
const TRIAL_USE_OF_TYPES: &[&str] = &[
    "versioning",
    "readHistory",
    "updateCreate",
    "conditionalCreate",
    "conditionalRead",
    "conditionalUpdate",
    "conditionalDelete",
    "searchInclude",
    "searchRevInclude",
];

/// The members that every statement of this instance begins with.
pub fn head(resource_type: &str, request: &Request) -> Object {
    let software = Object::new().with_str("name", "Brasa").with_str("version", env!("CARGO_PKG_VERSION"));
    let implementation =
        Object::new().with_str("description", "Brasa, a FHIR R4 server").with_str("url", &request.base);
    Object::new()
        .with_str("resourceType", resource_type)
        .with_str("status", "active")
        .with_str("date", DATE)
        .with_str("kind", "instance")
        .with("software", software.into())
        .with("implementation", implementation.into())
}

/// `normative_only`: without what R4 may still change.
pub fn statement(context: &Context, request: &Request, normative_only: bool) -> Object {
    let surface = Surface::of(context);
    let mut rest = Object::new().with_str("mode", "server");
    if context.has_accounts {
        rest = rest.with("security", security(&Addresses::of(&request.base)));
    }
    let resources = surface.types.iter().map(|of| Json::Object(resource(&surface, of, request, normative_only)));
    rest = rest.with("resource", Json::Array(resources.collect())).with("interaction", codes(OF_SYSTEM));
    if let Some(operations) = operations(&surface.operations, &[At::System], request) {
        rest = rest.with("operation", operations);
    }
    let compartment = |of: &crate::fhir::definitions::ResourceType| {
        format!("http://hl7.org/fhir/CompartmentDefinition/{}", of.as_str().to_lowercase())
    };
    rest = rest.with("compartment", strings(surface.compartments.iter().map(compartment)));
    if normative_only {
        TRIAL_USE_OF_REST.iter().for_each(|name| drop(rest.remove(name)));
    }
    head("CapabilityStatement", request)
        .with_str("fhirVersion", "4.0.1")
        .with("format", strings(["application/fhir+json", "json", "application/fhir+xml", "xml"].into_iter()))
        .with("patchFormat", strings([JSON_PATCH, FHIRPATH_PATCH, "application/fhir+xml"].into_iter()))
        .with("rest", Json::Array(vec![rest.into()]))
}

fn resource(surface: &Surface, of: &TypeSurface, request: &Request, normative_only: bool) -> Object {
    let entry = Object::new().with_str("type", of.resource_type.as_str()).with("interaction", codes(of.interactions));
    let deletes = if surface.conditional_deletes_max > 1 { "multiple" } else { "single" };
    let mut entry = match of.is_written {
        false => entry.with_str("versioning", "no-version"),
        true => entry
            .with_str("versioning", "versioned-update")
            .with("readHistory", Json::Bool(true))
            .with("updateCreate", Json::Bool(true))
            .with("conditionalCreate", Json::Bool(true))
            .with_str("conditionalRead", "full-support")
            .with("conditionalUpdate", Json::Bool(true))
            .with_str("conditionalDelete", deletes),
    };
    for (name, values) in [("searchInclude", &of.includes), ("searchRevInclude", &of.reverse_includes)] {
        // FHIR has no empty lists.
        if !values.is_empty() {
            entry = entry.with(name, strings(values.iter()));
        }
    }
    entry = entry.with("searchParam", Json::Array(of.parameters.iter().map(declared).collect()));
    if let Some(operations) = operations(&of.operations, &[At::Type, At::Instance], request) {
        entry = entry.with("operation", operations);
    }
    if normative_only {
        TRIAL_USE_OF_TYPES.iter().for_each(|name| drop(entry.remove(name)));
    }
    entry
}

fn operations(all: &[&'static Operation], levels: &[At], request: &Request) -> Option<Json> {
    let is_itself = |operation: &&&Operation| levels.iter().any(|at| operation.is_defined_at(*at));
    let declared = |operation: &&Operation| {
        let declared = Object::new()
            .with_str("name", operation.code)
            .with_str("definition", operation.definition(&request.base))
            .with_str("documentation", operation.description);
        Json::Object(declared)
    };
    let declared: Vec<Json> = all.iter().filter(is_itself).map(declared).collect();
    (!declared.is_empty()).then_some(Json::Array(declared))
}

fn declared(parameter: &SearchParameter) -> Json {
    let declared = Object::new()
        .with_str("name", &parameter.code)
        .with_str("definition", &parameter.url)
        .with_str("type", parameter.kind);
    Json::Object(match parameter.description {
        "" => declared,
        text => declared.with_str("documentation", text),
    })
}

/// How to say who one is. <https://hl7.org/fhir/smart-app-launch/conformance.html>
fn security(addresses: &Addresses) -> Json {
    let coding = Object::new()
        .with_str("system", "http://terminology.hl7.org/CodeSystem/restful-security-service")
        .with_str("code", "SMART-on-FHIR")
        .with_str("display", "SMART-on-FHIR");
    let service = Object::new().with("coding", Json::Array(vec![coding.into()])).with_str("text", "SMART App Launch 2");
    let uris = [
        ("authorize", "auth/authorize"),
        ("token", "auth/token"),
        ("introspect", "auth/introspect"),
        ("revoke", "auth/revoke"),
    ];
    let uris = uris
        .map(|(name, path)| Json::Object(Object::new().with_str("url", name).with_str("valueUri", addresses.at(path))));
    let extension = Object::new()
        .with_str("url", "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris")
        .with("extension", Json::Array(uris.to_vec()));
    let security = Object::new()
        .with("extension", Json::Array(vec![extension.into()]))
        .with("service", Json::Array(vec![service.into()]));
    security.into()
}

fn codes(codes: &[&str]) -> Json {
    Json::Array(codes.iter().map(|code| Json::Object(Object::new().with_str("code", code))).collect())
}

fn strings(texts: impl Iterator<Item = impl AsRef<str>>) -> Json {
    Json::Array(texts.map(|text| Json::string(text.as_ref())).collect())
}
