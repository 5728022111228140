//! The server described by itself: the OpenAPI document names every address and no other, and its pages work in a browser.

use crate::accounts;
use crate::support::Server;
use crate::support::node::{folder, installed, node, not_tested, run};
use brasa::fhir::definitions::ResourceType;
use brasa::interaction::request::Method;
use brasa::interaction::route::route;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::process::Command;

fn at(server: &Server, path: &str) -> String {
    format!("{}/{path}", server.root)
}

async fn document(server: &Server) -> Value {
    server.get(&at(server, "openapi.json")).await.expect(200).json()
}

/// Method and path of every operation.
fn operations(document: &Value) -> Vec<(String, String)> {
    let methods = ["get", "post", "put", "patch", "delete"];
    let of = |(path, item): (&String, &Value)| {
        let named = methods.iter().filter(|method| item.get(**method).is_some());
        named.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    };
    document["paths"].as_object().unwrap().iter().flat_map(of).collect()
}

/// A path of the document with something in the place of each name in braces.
fn filled(path: &str) -> String {
    path.replace("{id}", "example").replace("{vid}", "1").replace("{type}", "Observation").replace("{name}", "x")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fhir_address_is_in_the_document_and_every_one_of_the_document_routes() {
    let server = Server::start().await;
    let document = document(&server).await;
    let known: BTreeSet<(String, String)> = operations(&document).into_iter().collect();
    for (name, whole) in &known {
        let Some(path) = whole.strip_prefix("/fhir").filter(|path| !path.contains(".well-known")) else { continue };
        let method = Method::parse(name).unwrap();
        let routed = route(method, filled(path).trim_start_matches('/'), "_id=x");
        let interaction = routed.unwrap_or_else(|_| panic!("{name} {path} leads nowhere"));
        // Whether one must log in for it.
        let is_open = document["paths"][whole][name.to_lowercase()].get("security") == Some(&json!([]));
        assert_eq!(is_open, interaction.is_open(), "{name} {path}");
    }
    let mut shapes =
        vec!["", "/_search", "/_history", "/metadata", "/$reindex"].into_iter().map(str::to_owned).collect::<Vec<_>>();
    for of in ResourceType::all() {
        let own =
            ["", "/_search", "/_history", "/$reindex", "/$accesses", "/{id}", "/{id}/_history", "/{id}/_history/{vid}"];
        let own = own.iter().chain(&["/{id}/$reindex", "/{id}/$accesses"]).map(|rest| format!("/{of}{rest}"));
        shapes.extend(own);
    }
    for of in ["Patient", "Encounter", "RelatedPerson", "Practitioner", "Device"] {
        shapes.extend([format!("/{of}/{{id}}/{{type}}"), format!("/{of}/{{id}}/{{type}}/_search")]);
    }
    for shape in shapes {
        for name in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let method = Method::parse(name).unwrap();
            let routes = route(method, filled(&shape).trim_start_matches('/'), "_id=x").is_ok();
            // Accesses are not recorded here, so there is nothing to ask for.
            let is_there = routes && !shape.ends_with("$accesses");
            let is_told = known.contains(&(name.to_owned(), format!("/fhir{shape}")));
            assert_eq!(is_told, is_there, "{name} /fhir{shape}");
        }
    }
}

/// What stands between the quotes of each `route("…` and `scope("…` of the table of routes.
fn registered() -> BTreeSet<String> {
    let source = include_str!("../../src/http/mod.rs");
    let of = |word: &str| {
        let start = format!("{word}(\"");
        let found = source.split(&*start).skip(1).filter_map(|rest| rest.split('"').next());
        found.map(str::to_owned).collect::<Vec<_>>()
    };
    let scopes = of("web::scope");
    assert_eq!(scopes, ["/auth"], "this test knows one scope");
    let under_auth = ["/authorize", "/token", "/introspect", "/revoke", "/style.css"];
    let routes = of(".route").into_iter();
    routes.map(|path| if under_auth.contains(&path.as_str()) { format!("/auth{path}") } else { path }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_address_is_in_the_document_and_every_one_of_the_document_answers() {
    let server = accounts::server().await;
    let document = document(&server).await;
    let known = operations(&document);
    let paths: BTreeSet<&String> = known.iter().map(|(_, path)| path).collect();
    for path in registered() {
        assert!(paths.contains(&path), "{path} is routed and not in the document");
    }
    for (method, path) in known.iter().filter(|(_, path)| !path.starts_with("/fhir/") && path.as_str() != "/fhir") {
        let answer = server.send(method, &at(&server, filled(path).trim_start_matches('/')), &[], "").await;
        let is_nothing = answer.text.contains("There is nothing at this address");
        assert!(answer.status != 405 && answer.status < 500 && !is_nothing, "{method} {path}: {}", answer.text);
    }
    // A method that an address does not have is refused with those that it has; HEAD goes with GET, but for accounts.
    for path in paths.iter().filter(|path| !path.starts_with("/fhir") || path.contains(".well-known")) {
        let address = at(&server, filled(path).trim_start_matches('/'));
        let has = |method: &str| known.contains(&(method.to_owned(), (*path).clone()));
        let head = if path.starts_with("/auth") { "TRACE" } else { "HEAD" };
        for method in ["GET", head, "POST", "PUT", "PATCH", "DELETE", "TRACE"] {
            let answer = server.send(method, &address, &[], "").await;
            let is_there = has(if method == "HEAD" { "GET" } else { method });
            assert_eq!(answer.status != 405, is_there, "{method} {path}: {}", answer.status);
            let allowed = answer.header("allow").unwrap_or_default().to_owned();
            let allowed: Vec<&str> = allowed.split(", ").filter(|name| *name != "HEAD" && !name.is_empty()).collect();
            assert!(
                is_there || (!allowed.is_empty() && allowed.iter().all(|name| has(name))),
                "{method} {path}: {allowed:?}"
            );
        }
    }
    // Each of SMART's documents, wherever it stands.
    for path in paths.iter().filter(|path| path.contains(".well-known")) {
        server.get(&at(&server, path.trim_start_matches('/'))).await.expect(200);
    }
    // Without accounts there is nothing about them.
    let open = self::document(&Server::start().await).await;
    assert!(!operations(&open).iter().any(|(_, path)| path.starts_with("/auth")));
    assert!(open.get("security").is_none() && open["components"].get("securitySchemes").is_none());
    assert_eq!(document["security"], json!([{"bearer": []}, {"smart": []}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_openapi_and_every_reference_in_it_leads_somewhere() {
    let server = accounts::server().await;
    let answer = server.get(&at(&server, "openapi.json")).await.expect(200);
    let document = answer.json();
    assert_eq!((&document["openapi"], &document["info"]["title"]), (&json!("3.1.0"), &json!("Brasa")));
    assert!(document["paths"].as_object().unwrap().len() > 1_000);
    for place in references(&document) {
        assert!(document.pointer(place.trim_start_matches('#')).is_some(), "{place} is nowhere");
    }
    let mut ids = BTreeSet::new();
    for (method, path) in operations(&document) {
        let operation = &document["paths"][&path][method.to_lowercase()];
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{path} has another one's id");
        assert!(!operation["summary"].as_str().unwrap().is_empty());
        let is_told = |status: &str| operation["responses"].get(status).is_some();
        assert!(is_told("4XX") && is_told("5XX"), "{method} {path}");
    }
    // What an answer's headers say, and who may open what.
    let refused = document["components"]["responses"]["Refused"]["headers"].as_object().unwrap();
    assert_eq!(refused.keys().collect::<Vec<_>>(), ["Allow", "Retry-After", "WWW-Authenticate"]);
    let job = &document["paths"]["/fhir/$reindex"]["post"]["responses"]["202"]["headers"];
    assert_eq!(job["Content-Location"]["required"], true, "{job}");
    let takes = |path: &str, method: &str| {
        let all = document["paths"][path][method]["parameters"].as_array().unwrap();
        all.contains(&json!({"$ref": "#/components/parameters/X-Break-Glass"}))
    };
    assert!(takes("/fhir/Patient/{id}", "get") && takes("/fhir/Observation", "get"));
    assert!(!takes("/fhir/metadata", "get") && !takes("/fhir/Patient/{id}", "put"));
    // What the registry says of a parameter is told, and the body has an example that the server takes.
    let search = &document["paths"]["/fhir/Patient"]["get"]["parameters"];
    let gender = search.as_array().unwrap().iter().find(|one| one["name"] == "gender").unwrap();
    assert_eq!(gender["description"], "Gender of the patient");
    assert_eq!(
        document["components"]["requestBodies"]["Patient"]["content"]["application/fhir+json"]["example"]["id"],
        "example"
    );
}

fn references(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(members) => {
            let own = members.get("$ref").and_then(Value::as_str).map(str::to_owned);
            members.values().flat_map(references).chain(own).collect()
        }
        Value::Array(all) => all.iter().flat_map(references).collect(),
        _ => BTreeSet::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_kept_by_its_tag_compressed_once_and_new_when_a_search_parameter_is() {
    let server = Server::start().await;
    let path = at(&server, "openapi.json");
    let first = server.get(&path).await.expect(200);
    let tag = first.header("etag").unwrap().to_owned();
    let unchanged = server.get_with(&path, &[("if-none-match", &tag)]).await.expect(304);
    assert_eq!((unchanged.text.as_str(), unchanged.header("etag")), ("", Some(tag.as_str())));
    let packed = server.get_with(&path, &[("accept-encoding", "gzip")]).await.expect(200);
    assert_eq!((packed.header("content-encoding"), packed.header("etag")), (Some("gzip"), Some(tag.as_str())));
    assert!(packed.bytes.len() * 4 < first.bytes.len(), "{} {}", packed.bytes.len(), first.bytes.len());
    let head = server.send("HEAD", &path, &[], "").await.expect(200);
    assert_eq!((head.text.as_str(), head.header("etag")), ("", Some(tag.as_str())));
    assert_eq!(server.send("POST", &path, &[], "").await.expect(405).header("allow"), Some("GET, HEAD"));
    let custom = json!({"resourceType": "SearchParameter", "url": "http://acme.org/maiden", "name": "MaidenName",
        "status": "active", "description": "The maiden name", "code": "maiden-name", "base": ["Patient"],
        "type": "string", "expression": "Patient.name.where(use = 'maiden').family"});
    server.post("SearchParameter", &custom).await.expect(201);
    let changed = accounts::becomes(200, async || server.get_with(&path, &[("if-none-match", &tag)]).await).await;
    assert!(changed.text.contains("maiden-name") && !first.text.contains("maiden-name"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_are_in_two_languages_have_a_strict_policy_and_can_be_switched_off() {
    let server = Server::start().await;
    for (path, script) in
        [("docs", "script-src 'self'"), ("redoc", ""), ("redoc/Observation", ""), ("redoc/Server", "")]
    {
        for (header, query, language) in [("es-MX,es;q=0.9", "", "es"), ("fr", "", "en"), ("es", "?lang=en", "en")] {
            let page = server.get_with(&at(&server, &format!("{path}{query}")), &[("accept-language", header)]).await;
            let page = page.expect(200);
            assert!(page.text.contains(&format!("<html lang=\"{language}\">")), "{path}");
            assert_eq!(page.header("content-language"), Some(language));
            let policy = page.header("content-security-policy").unwrap();
            assert!(policy.starts_with("default-src 'none'") && policy.contains(script), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert!(!page.text.contains("<script>") && !page.text.contains(" style="), "{path} has something inline");
            for outside in ["src=\"http", "<link rel=\"stylesheet\" href=\"http"] {
                assert!(!page.text.contains(outside), "{path} loads something from elsewhere");
            }
        }
        let refused = server.get(&at(&server, &format!("{path}?lang=fr"))).await.expect(400);
        assert_eq!(refused.expression(), "lang");
    }
    let spanish = server.get(&at(&server, "redoc/Patient?lang=es")).await.expect(200);
    assert!(spanish.text.contains("Buscar recursos Patient") && !spanish.text.contains("Search for Patient"));
    for missing in ["docs/index.html", "docs/..%2FCargo.toml", "redoc/Pacient", "redoc/x.css"] {
        server.get(&at(&server, missing)).await.expect(404);
    }
    let elsewhere = server.get_with(&at(&server, "openapi.json"), &[("host", "evil.example")]).await;
    elsewhere.expect(400);
    let off = Server::start_with(&[("BRASA_DOCS", "off")]).await;
    for path in ["openapi.json", "docs", "docs/swagger-ui.css", "redoc", "redoc/Patient"] {
        let refused = off.get(&at(&off, path)).await.expect(404);
        assert!(refused.text.contains("BRASA_DOCS"), "{}", refused.text);
    }
}

/// With accounts and without: what a reader sees, and that nothing is asked of anybody else.
async fn in_a_browser(server: &Server, token: Option<&str>) {
    let needed = (node().await, installed(&["chromium", "chromium-browser", "google-chrome"]));
    let (Some(node), Some(chromium)) = needed else { return not_tested("the documentation in a browser") };
    let mut command = Command::new(node);
    command.arg("docs.mjs").arg(&server.root).current_dir(folder()).env("BRASA_TEST_CHROMIUM", chromium);
    command.env("BRASA_TEST_TOKEN", token.unwrap_or_default());
    let printed = run(&mut command, 900).await;
    let seen: Value = serde_json::from_str(printed.trim()).unwrap_or_else(|fault| panic!("{fault}: {printed}"));
    assert!(seen["groups"].as_u64().unwrap() > 146, "{seen}");
    for (name, value) in [
        ("language", json!("es")),
        ("dark", json!("rgb(28, 32, 34)")),
        ("wide", json!(true)),
        ("found", json!(true)),
        ("reference", json!("Referencia de la API")),
        ("described", json!(true)),
        ("narrow", json!(true)),
        ("switched", json!("en")),
        ("complained", json!([])),
        ("outside", json!([])),
    ] {
        assert_eq!(seen[name], value, "{name}: {seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn swagger_ui_and_the_reference_work_in_a_browser_with_accounts_and_without() {
    let server = Server::start().await;
    server.post("Patient", json!({"resourceType": "Patient"})).await.expect(201);
    in_a_browser(&server, None).await;
    let world = crate::audit::World::start().await;
    let doctor = accounts::token(&world.server, "doctor").await;
    in_a_browser(&world.server, Some(&doctor)).await;
}
