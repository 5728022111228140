//! The OpenAPI document: every address of this server, made from what routes and answers. <https://spec.openapis.org/oas/v3.1.0>

mod accounts;
mod entry;
mod operations;
mod resources;
mod schema;
mod shared;
mod system;

use crate::auth::smart::address::Addresses;
use crate::interaction::capabilities::Surface;
use entry::Paths;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const SCHEMAS: &str = "#/components/schemas/";
/// What whoever tries something must be able to do first.
const LOG_IN: &str = "/auth/login";

const DESCRIPTION: &str = "Brasa is a FHIR R4 server. FHIR is served under `/fhir`, and under `/fhir/R4` as well. What answers GET \
    answers HEAD, too, but for what is under `/auth`. Every FHIR answer is FHIR's JSON, or its XML where `Accept` or `_format` asks for \
    that; a Binary that is read without either comes as what it holds; a refusal is an OperationOutcome that names the place and has the id of the request (`X-Request-Id`), under `/auth` always \
    as JSON. What of R4 there is says `GET /fhir/metadata`.";

/// The document of what there is now. `base`: the FHIR endpoint as the client sees it.
pub fn document(surface: &Surface, has_accounts: bool, base: &str) -> Value {
    let mut schemas = schema::schemas();
    schemas.extend(shared::schemas());
    if has_accounts {
        schemas.extend(accounts::schemas());
    }
    written(surface, has_accounts, base, schemas)
}

/// The same for pages that are read, which need no schema.
pub fn without_schemas(surface: &Surface, has_accounts: bool, base: &str) -> Value {
    written(surface, has_accounts, base, Map::new())
}

/// One group of the document, for a page to try it in: what such a page makes of FHIR's schemas, each of which leads to all
/// others, takes it minutes. So types are told one level deep. With it comes the log-in. `None`: there is no such group.
pub fn group(surface: &mut Surface, has_accounts: bool, base: &str, slug: &str) -> Option<Value> {
    surface.types.retain(|of| of.resource_type.as_str() == slug);
    let mut document = without_schemas(surface, has_accounts, base);
    let names: Vec<String> =
        list(&document, "tags").iter().filter_map(|tag| tag.get("name")?.as_str().map(str::to_owned)).collect();
    let name = names.into_iter().find(|name| self::slug(name) == slug)?;
    let is_of = |item: &Value, name: &str| {
        let mut operations = item.as_object().into_iter().flat_map(Map::values);
        operations.any(|operation| operation.pointer("/tags/0").and_then(Value::as_str) == Some(name))
    };
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        paths.retain(|path, item| path == LOG_IN || is_of(item, &name));
    }
    if let Some(tags) = document.get_mut("tags").and_then(Value::as_array_mut) {
        let kept = [name.as_str(), accounts::ACCOUNTS];
        tags.retain(|tag| tag.get("name").and_then(Value::as_str).is_some_and(|name| kept.contains(&name)));
    }
    let mut all = schema::schemas();
    all.extend(shared::schemas());
    all.extend(accounts::schemas());
    let mut named = BTreeSet::new();
    named_schemas(&document, &mut named);
    let flat = named.iter().filter_map(|name| Some((name.clone(), flattened(all.get(name)?, &all))));
    let flat: Map<String, Value> = flat.collect();
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        components.insert("schemas".to_owned(), Value::Object(flat));
    }
    Some(document)
}

/// The part of an address that stands for a group.
pub fn slug(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn named_schemas(value: &Value, named: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            let place = members.get("$ref").and_then(Value::as_str);
            named.extend(place.and_then(|place| place.strip_prefix(SCHEMAS)).map(str::to_owned));
            members.values().for_each(|member| named_schemas(member, named));
        }
        Value::Array(all) => all.iter().for_each(|one| named_schemas(one, named)),
        _ => {}
    }
}

/// The schema with what it refers to in its place: a primitive as it is, anything else by its name.
fn flattened(value: &Value, all: &Map<String, Value>) -> Value {
    match value {
        Value::Object(members) => {
            let name = members.get("$ref").and_then(Value::as_str).and_then(|place| place.strip_prefix(SCHEMAS));
            match name.map(|name| (name, all.get(name))) {
                Some((_, Some(of))) if of.get("properties").is_none() => of.clone(),
                Some((name, _)) => json!({"type": "object", "title": name}),
                None => {
                    let flat = members.iter().map(|(name, member)| (name.clone(), flattened(member, all)));
                    Value::Object(flat.collect())
                }
            }
        }
        Value::Array(list) => Value::Array(list.iter().map(|one| flattened(one, all)).collect()),
        other => other.clone(),
    }
}

fn written(surface: &Surface, has_accounts: bool, base: &str, schemas: Map<String, Value>) -> Value {
    let addresses = Addresses::of(base);
    let mut paths = Paths::default();
    system::add_server(&mut paths);
    system::add(&mut paths, surface);
    resources::add(&mut paths, surface);
    let (mut responses, mut bodies) = (shared::responses(), shared::request_bodies());
    resources::components(surface, &mut responses, &mut bodies);
    let mut components = json!({
        "parameters": shared::parameters(),
        "responses": responses,
        "requestBodies": bodies,
    });
    if has_accounts {
        accounts::add(&mut paths);
        paths.let_readers_take(shared::BREAK_GLASS);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {"title": "Brasa", "version": env!("CARGO_PKG_VERSION"), "description": DESCRIPTION,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"}},
        "servers": [{"url": addresses.at("").trim_end_matches('/')}],
        "tags": tags(surface, has_accounts),
        "paths": paths.into_value(),
    });
    if let Some(members) = components.as_object_mut() {
        members.insert("schemas".to_owned(), Value::Object(schemas));
        if has_accounts {
            members.insert("securitySchemes".to_owned(), shared::security_schemes(&addresses));
        }
    }
    if let Some(members) = document.as_object_mut() {
        members.insert("components".to_owned(), components);
        if has_accounts {
            members.insert("security".to_owned(), json!([{"bearer": []}, {"smart": []}]));
        }
    }
    document
}

/// The groups, in the order in which they are shown.
fn tags(surface: &Surface, has_accounts: bool) -> Vec<Value> {
    let tag = |name: &str, text: &str| json!({"name": name, "description": text});
    let mut tags = vec![
        tag(system::SYSTEM, "Statements, transactions, searches and histories of all types."),
        tag(system::COMPARTMENTS, "What belongs to one patient, encounter, practitioner, related person or device."),
    ];
    if has_accounts {
        tags.push(tag(accounts::ACCOUNTS, "Logging in, sessions, keys; accounts and apps for administrators."));
        tags.push(tag(accounts::SMART, "SMART App Launch 2, OAuth 2 and OpenID Connect."));
    }
    tags.push(tag(system::SERVER, "Health, and this document."));
    let page = |name: &str| format!("https://hl7.org/fhir/R4/{}.html", name.to_lowercase());
    let of_type = |name: &str| json!({"name": name, "externalDocs": {"url": page(name), "description": "R4"}});
    tags.extend(surface.types.iter().map(|of| of_type(of.resource_type.as_str())));
    tags
}
