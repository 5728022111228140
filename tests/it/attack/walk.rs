//! All types × interactions × roles against the table of rights, and hostile values in every search parameter.

use super::desk::{Ask, Desk, Told, of, patient};
use super::roads::fhirpath_patch;
use super::world::{CANARY, OWN, world};
use brasa::auth::access::Access;
use brasa::auth::policy::Permission;
use brasa::auth::role::Role;
use brasa::auth::sight::Sight;
use brasa::fhir::definitions::ResourceType;
use brasa::search::registry::Registry;
use futures_util::{StreamExt, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

/// Requests at once.
const AT_ONCE: usize = 8;

/// Each interaction with a type, and what it takes. A conditional one looks first.
fn interactions(of: ResourceType) -> Vec<(Ask, Vec<Permission>)> {
    use Permission::{Create, Delete, Read, Search, Update};
    let body = json!({"resourceType": of.as_str()});
    let named = json!({"resourceType": of.as_str(), "id": "nobody"});
    let patch = json!([{"op": "add", "path": "/language", "value": "es"}]);
    // Nothing is ever stored under this id.
    let condition = format!("{of}?_id=none");
    vec![
        (Ask::get(format!("{of}/nobody")), vec![Read]),
        (Ask::get(format!("{of}/nobody/_history/1")), vec![Read]),
        (Ask::get(format!("{of}/nobody/_history")), vec![Read]),
        (Ask::get(format!("{of}?_count=1")), vec![Search]),
        (Ask::with("POST", of.as_str(), body.clone()), vec![Create]),
        (
            Ask { if_none_exist: Some("_id=none".into()), ..Ask::with("POST", of.as_str(), body.clone()) },
            vec![Search, Create],
        ),
        (Ask::with("PUT", format!("{of}/nobody"), named), vec![Update]),
        // It finds nothing, and so it creates.
        (Ask::with("PUT", condition.clone(), body), vec![Search, Create]),
        (Ask::with("PATCH", format!("{of}/nobody"), patch.clone()), vec![Update]),
        (Ask::with("PATCH", format!("{of}/nobody"), fhirpath_patch("delete", "language", None)), vec![Update]),
        (Ask::with("PATCH", condition.clone(), patch), vec![Search, Update]),
        (Ask::delete(format!("{of}/nobody")), vec![Delete]),
        (Ask::delete(condition), vec![Search, Delete]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_interaction_and_role_is_as_the_table_says() {
    let desk = Desk::open(true).await;
    let nobody = Access { role: None, ..of(Role::Admin) };
    let roles = [of(Role::Admin), of(Role::Practitioner), patient(OWN), of(Role::Auditor), nobody];
    let mut asks = Vec::new();
    for of in ResourceType::all() {
        for (ask, needs) in interactions(of) {
            // R4 defines no patch of a Binary.
            if of == ResourceType::BINARY && ask.method == "PATCH" {
                continue;
            }
            asks.extend(roles.iter().map(|access| (of, ask.clone(), needs.clone(), access)));
        }
    }
    let desk = &desk;
    let walked = stream::iter(asks).map(|(of, ask, needs, access)| async move {
        let told = Box::pin(desk.ask(access, &ask)).await;
        (of, ask, needs, access, told)
    });
    let walked: Vec<_> = walked.buffer_unordered(AT_ONCE).collect().await;
    let (mut denied, mut allowed) = (0, 0);
    for (of, ask, needs, access, told) in &walked {
        let sights: Vec<Sight> = needs.iter().map(|permission| access.sight(*permission, *of)).collect();
        // What a condition does not find is neither patched nor deleted, whoever asks.
        let finds_nothing = ask.path.contains('?') && ["PATCH", "DELETE"].contains(&ask.method);
        let decides = if finds_nothing { &sights[..1] } else { &sights[..] };
        let what = format!("{:?} {} {}: {} {}", access.role, ask.method, ask.path, told.status, told.body);
        let writes = *of == ResourceType::AUDIT_EVENT && (ask.method != "GET" || ask.path.contains("_history"));
        if writes {
            assert_eq!(told.status, 405, "{what}");
        } else if decides.contains(&Sight::None) {
            assert_eq!(told.status, 403, "{what}");
            denied += 1;
        } else if sights.iter().all(|sight| *sight == Sight::All) && !creates(ask, access, *of) {
            assert_ne!(told.status, 403, "{what}");
            allowed += 1;
        }
    }
    assert!(denied > 2_000 && allowed > 1_000, "{denied} denied, {allowed} allowed: that shows little");
    desk.each_is_recorded().await;
}

/// An update under a new id creates, and needs the right to.
fn creates(ask: &Ask, access: &Access, of: ResourceType) -> bool {
    ask.method == "PUT" && access.sight(Permission::Create, of) != Sight::All
}

/// What breaks programs that paste texts into statements, patterns, paths and pages.
const HOSTILE: &[&str] = &[
    "'; DROP TABLE resource; --",
    "' OR '1'='1",
    "\" OR \"\"=\"",
    "\\",
    "\\'; SELECT pg_sleep(9); --",
    "$1",
    "%' UNION SELECT body FROM resource --",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "\u{0}",
    "a\u{202e}b",
    "(((((((((((",
    "|||||",
    "$$$$",
    ",,,,",
    "-9223372036854775809",
    "1e400",
    "NaN",
    "0000-00-00",
    "Patient/",
];

#[tokio::test(flavor = "multi_thread")]
async fn hostile_values_in_every_parameter_are_values_or_refused() {
    let desk = world(true).await;
    let registry = Registry::standard();
    let mut asks = Vec::new();
    for (number, of) in ResourceType::all().enumerate() {
        for (position, parameter) in registry.parameters(of).enumerate() {
            let hostile = HOSTILE[(number + position) % HOSTILE.len()];
            let value = utf8_percent_encode(hostile, NON_ALPHANUMERIC);
            asks.push(Ask::get(format!("{of}?{}={value}", parameter.code)));
        }
    }
    let common = [
        "_sort",
        "_include",
        "_revinclude",
        "_has:Observation:patient:code",
        "_filter",
        "_elements",
        "_page",
        "_count",
        "_summary",
        "_total",
        "_id",
        "_lastUpdated",
        "_tag",
        "_list",
        "_type",
        "name:contains",
        "name:nonsense",
        "x",
    ];
    for hostile in HOSTILE {
        let value = utf8_percent_encode(hostile, NON_ALPHANUMERIC);
        asks.extend(common.iter().map(|name| Ask::get(format!("Patient?{name}={value}"))));
        asks.push(Ask::get(format!("Patient?{value}=x")));
        asks.push(Ask::get(format!("Patient/{value}")));
        asks.push(Ask::get(format!("Patient/own/_history/{value}")));
        asks.push(Ask {
            if_none_exist: Some(format!("name={value}")),
            ..Ask::with("POST", "Patient", json!({"resourceType": "Patient"}))
        });
    }
    let (me, desk) = (patient(OWN), &desk);
    let told = stream::iter(asks).map(|ask| {
        let me = &me;
        // A fault of the server fails inside.
        async move { (Box::pin(desk.ask(me, &ask)).await, ask) }
    });
    let told: Vec<(Told, Ask)> = told.buffer_unordered(AT_ONCE).collect().await;
    for (told, ask) in &told {
        assert!(!told.body["entry"].to_string().contains(CANARY), "{} shows the canary", ask.path);
    }
    assert!(told.len() > 3_000, "{}", told.len());
    assert_eq!(desk.ask(&me, &Ask::get("Patient/own")).await.status, 200);
}
