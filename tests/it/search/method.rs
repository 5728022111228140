//! The ways to ask: GET, POST to `_search`, HEAD, and entries of Bundles. <https://hl7.org/fhir/R4/http.html#search>

use super::{finds, holding, ids, link, resource};
use crate::support::bundle::{bundle, entry, put};
use crate::support::{FHIR_JSON, Server};
use serde_json::json;

async fn three() -> Server {
    let patient =
        |id: &str, family: &str| resource("Patient", id, json!({"name": [{"family": family}], "gender": "male"}));
    holding([patient("a", "Núñez & Söhne"), patient("b", "Smith"), patient("c", "Smith+Wesson")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_posted_asks_as_an_address_does() {
    let server = three().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for (path, body, expected) in [
        ("Patient/_search", "family=smith", "b c"),
        ("Patient/_search", "family=N%C3%BA%C3%B1ez+%26+S%C3%B6hne", "a"),
        ("Patient/_search", "family=Smith%2B", "c"),
        ("Patient/_search", "family=smith&gender=female", ""),
        // Both places count.
        ("Patient/_search?family=smith", "_id=c", "c"),
        ("Patient/_search?family=smith", "", "b c"),
        ("Patient/_search", "", "a b c"),
        ("_search", "_type=Patient&_id=b", "b"),
        ("_search?_type=Patient", "_id=a,b", "a b"),
    ] {
        let answer = server.send("POST", path, &form, body).await.expect(200);
        assert_eq!(ids(&answer), expected, "{path} {body}");
    }
    // The links are addresses that can be followed.
    let posted = server.send("POST", "Patient/_search", &form, "family=smith&_count=1&_sort=_id").await.expect(200);
    let own = link(&posted, "self").unwrap();
    assert!(own.contains("/Patient?family=smith"), "{own}");
    let next = server.get(&link(&posted, "next").unwrap()).await.expect(200);
    assert_eq!((ids(&posted).as_str(), ids(&next).as_str()), ("b", "c"));
    // The format may stand in the form, and wins over the header there too.
    server.send("POST", "Patient/_search", &form, "_format=ttl").await.expect(406);
    let turtle = [form[0], ("accept", "text/turtle")];
    server.send("POST", "Patient/_search", &turtle, "_id=a").await.expect(406);
    let xml = server.send("POST", "Patient/_search", &turtle, "_id=a&_format=xml").await.expect(200);
    assert!(xml.text.contains("<Bundle xmlns=\"http://hl7.org/fhir\">"), "{}", xml.text);
    let pretty = server.send("POST", "Patient/_search", &turtle, "_id=a&_format=json&_pretty=true").await.expect(200);
    assert!(pretty.text.contains("\n  \"resourceType\": \"Bundle\""));
    let refused = server.send("POST", "Patient/_search", &form, "birthdate=soon").await.expect(400);
    assert_eq!(refused.expression(), "birthdate");
    server.send("POST", "Patient/_search", &[("content-type", FHIR_JSON)], "{}").await.expect(415);
    server.send("PUT", "Patient/_search", &form, "family=smith").await.expect(405);
    server.send("POST", "Patient/_search", &form, "family=%ff").await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_answered_as_a_get_without_its_body() {
    let server = three().await;
    for (path, status) in
        [("Patient?family=smith", 200), ("Patient?birthdate=soon", 400), ("Patient/a/*", 200), ("", 200)]
    {
        let (head, get) = (server.send("HEAD", path, &[], "").await, server.get(path).await);
        assert_eq!((head.status, get.status, head.text.as_str()), (status, status, ""), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_are_entries_of_batches_and_transactions() {
    let server = three().await;
    let searches = || {
        vec![
            entry("GET", "Patient?family=smith&_sort=_id"),
            entry("GET", "Patient?family=N%C3%BA%C3%B1ez"),
            entry("GET", "Patient/a/*"),
            entry("GET", "?_type=Patient&_id=c"),
        ]
    };
    for (kind, found_in_fourth) in [("batch", "b c"), ("transaction", "b c d")] {
        let mut entries = searches();
        entries[3] = entry("GET", "Patient?family=smith&_total=accurate");
        if kind == "transaction" {
            // A transaction's searches see what it writes.
            entries.push(put(resource("Patient", "d", json!({"name": [{"family": "Smithers"}]}))));
        }
        let answer = server.post("", bundle(kind, entries)).await.expect(200);
        let found: Vec<String> = answer.entries().iter().take(4).map(|one| of_bundle(&one["resource"])).collect();
        assert_eq!(found, [found_in_fourth, "a", "a", found_in_fourth], "{kind}");
        assert_eq!(answer.entries()[0]["resource"]["type"], "searchset");
        let total = found_in_fourth.split(' ').count();
        assert_eq!(answer.entries()[3]["resource"]["total"], total, "{kind}");
    }
    finds(&server, "Patient?family=smith", "b c d").await;
    let posted = server.post("", bundle("batch", [entry("POST", "Patient/_search?family=smith")])).await.expect(200);
    assert_eq!(of_bundle(&posted.entries()[0]["resource"]), "b c d", "{}", posted.text);
    let mixed = vec![entry("GET", "Patient?birthdate=soon"), entry("GET", "Patient?_id=a")];
    let answer = server.post("", bundle("batch", mixed.clone())).await.expect(200);
    assert_eq!(answer.statuses(), [400, 200]);
    let place = &answer.entries()[0]["response"]["outcome"]["issue"][0]["expression"][0];
    assert_eq!(place, "Bundle.entry[0].birthdate");
    let refused = server.post("", bundle("transaction", mixed)).await.expect(400);
    assert_eq!(refused.expression(), "Bundle.entry[0].birthdate");
}

/// The ids of an inner Bundle's entries, in the order of the alphabet.
fn of_bundle(bundle: &serde_json::Value) -> String {
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<&str> = entries.iter().map(|entry| entry["resource"]["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.join(" ")
}
