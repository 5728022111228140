//! The FHIR capabilities interaction: what this server does, made from what it does. <https://hl7.org/fhir/R4/http.html#capabilities>

use super::Context;
use super::audit;
use super::patch::{FHIRPATH_PATCH, JSON_PATCH};
use super::request::Request;
use super::response::Response;
use crate::auth::smart::address::Addresses;
use crate::error::Result;
use crate::fhir::definitions::ResourceType;
use crate::fhir::json::{Json, Object};
use crate::search::registry::{Parameter, ParameterKind, Registry};
use std::collections::{BTreeMap, BTreeSet};

/// When this statement last changed its meaning.
const DATE: &str = "2026-11-29";

const OF_TYPES: &[&str] =
    &["read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type"];
/// R4 defines no patch of a Binary.
const OF_BINARY: &[&str] =
    &["read", "vread", "update", "delete", "history-instance", "history-type", "create", "search-type"];
const OF_SYSTEM: &[&str] = &["transaction", "batch", "search-system", "history-system"];

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

/// A patient's record can be asked who opened it, where that is recorded.
fn operations_of(context: &Context, resource_type: ResourceType) -> Json {
    let Json::Array(mut operations) = operations() else { return operations() };
    if resource_type == ResourceType::PATIENT && context.store.has_trail() {
        let accesses =
            Object::new().with_str("name", "accesses").with_str("definition", "urn:brasa:operation:accesses");
        let told = "GET Patient/[id]/$accesses: who opened the record, when, and why, as AuditEvents.";
        operations.push(Json::Object(accesses.with_str("documentation", told)));
    }
    Json::Array(operations)
}

/// AuditEvents that the server makes of its records: nobody writes them, and they have one version.
fn recorded_events(registry: &Registry) -> Object {
    let interactions = ["read", "search-type"].map(|code| Json::Object(Object::new().with_str("code", code))).to_vec();
    let is_answered = |parameter: &&Parameter| audit::SEARCHED.contains(&parameter.code.as_str());
    let parameters = answered(registry, ResourceType::AUDIT_EVENT).filter(is_answered).map(declared).collect();
    Object::new()
        .with_str("type", ResourceType::AUDIT_EVENT.as_str())
        .with("interaction", Json::Array(interactions))
        .with_str("versioning", "no-version")
        .with("searchParam", Json::Array(parameters))
}

pub fn answer(context: &Context, request: &Request) -> Result<Response> {
    let codes = |codes: &[&str]| {
        Json::Array(codes.iter().map(|code| Json::Object(Object::new().with_str("code", code))).collect())
    };
    let registry = context.registry();
    let reverse = reverse_includes(&registry);
    let deletes = if context.limits.conditional_deletes_max > 1 { "multiple" } else { "single" };
    let resources = ResourceType::all().map(|resource_type| {
        if resource_type == ResourceType::AUDIT_EVENT && context.store.has_trail() {
            return Json::Object(recorded_events(&registry));
        }
        let of_type = if resource_type == ResourceType::BINARY { OF_BINARY } else { OF_TYPES };
        let entry = Object::new()
            .with_str("type", resource_type.as_str())
            .with("interaction", codes(of_type))
            .with_str("versioning", "versioned-update")
            .with("readHistory", Json::Bool(true))
            .with("updateCreate", Json::Bool(true))
            .with("conditionalCreate", Json::Bool(true))
            .with_str("conditionalRead", "full-support")
            .with("conditionalUpdate", Json::Bool(true))
            .with_str("conditionalDelete", deletes)
            .with("searchInclude", strings(includes(&registry, resource_type)))
            .with("searchRevInclude", strings(reverse.get(&resource_type).into_iter().flatten().map(String::as_str)))
            .with("searchParam", Json::Array(answered(&registry, resource_type).map(declared).collect()))
            .with("operation", operations_of(context, resource_type));
        Json::Object(entry)
    });
    let mut rest = Object::new().with_str("mode", "server");
    if context.has_accounts {
        rest = rest.with("security", security(&Addresses::of(&request.base)));
    }
    let rest = rest
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
        .with("patchFormat", Json::Array(vec![Json::string(JSON_PATCH), Json::string(FHIRPATH_PATCH)]))
        .with("rest", Json::Array(vec![rest.into()]));
    Ok(Response::of_body(200, statement.to_bytes()))
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

/// The parameters of a type that searches can ask now.
fn answered(registry: &Registry, resource_type: ResourceType) -> impl Iterator<Item = &Parameter> {
    let is_answered = |parameter: &&Parameter| match parameter.code.as_str() {
        "_id" | "_lastUpdated" => true,
        "_text" | "_content" => registry.has_full_text(),
        _ => !parameter.branches.is_empty() && parameter.unfinished.is_none(),
    };
    registry.parameters(resource_type).map(AsRef::as_ref).filter(is_answered)
}

fn references(registry: &Registry, resource_type: ResourceType) -> impl Iterator<Item = &Parameter> {
    answered(registry, resource_type).filter(|parameter| parameter.kind == ParameterKind::Reference)
}

fn declared(parameter: &Parameter) -> Json {
    let declared = Object::new().with_str("name", &parameter.code).with_str("definition", &parameter.url);
    Json::Object(declared.with_str("type", parameter.kind.as_str()))
}

fn includes(registry: &Registry, resource_type: ResourceType) -> impl Iterator<Item = String> {
    let of_type =
        references(registry, resource_type).map(move |parameter| format!("{resource_type}:{}", parameter.code));
    std::iter::once("*".to_owned()).chain(of_type)
}

/// By the type that is referred to. What may lead to any type is not written at each of them: `*` stands for it.
fn reverse_includes(registry: &Registry) -> BTreeMap<ResourceType, BTreeSet<String>> {
    let mut all: BTreeMap<ResourceType, BTreeSet<String>> =
        ResourceType::all().map(|target| (target, BTreeSet::from(["*".to_owned()]))).collect();
    for source in ResourceType::all() {
        for parameter in references(registry, source) {
            for target in &parameter.targets {
                all.entry(*target).or_default().insert(format!("{source}:{}", parameter.code));
            }
        }
    }
    all
}

fn strings(texts: impl Iterator<Item = impl AsRef<str>>) -> Json {
    Json::Array(texts.map(|text| Json::string(text.as_ref())).collect())
}
