//! History of an instance, a type and the system, by page and by time. <https://hl7.org/fhir/R4/http.html#history>
#![allow(clippy::string_slice)]

use crate::support::{Answer, Server};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

fn patient(id: &str, n: usize) -> Value {
    json!({"resourceType": "Patient", "id": id, "multipleBirthInteger": n})
}

fn entries(history: &Answer) -> Vec<Value> {
    let bundle = history.json();
    assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("history")));
    bundle["entry"].as_array().cloned().unwrap_or_default()
}

/// `Type/id/version` of each entry.
fn versions(history: &Answer) -> Vec<String> {
    let name = |entry: &Value| {
        let (_, rest) = entry["fullUrl"].as_str().unwrap().rsplit_once("/fhir/").unwrap();
        let etag = entry["response"]["etag"].as_str().unwrap();
        format!("{rest}/{}", etag.trim_start_matches("W/").trim_matches('"'))
    };
    entries(history).iter().map(name).collect()
}

fn link(history: &Answer, relation: &str) -> Option<String> {
    let bundle = history.json();
    let mut links = bundle["link"].as_array().unwrap().iter();
    links.find(|link| link["relation"] == relation).map(|link| link["url"].as_str().unwrap().to_owned())
}

/// The versions of at most so many pages, from an address on, by their `next` links.
async fn walk_pages(server: &Server, first: &str, pages_max: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut next = Some(first.to_owned());
    for _ in 0..pages_max {
        let Some(page) = next else { break };
        let history = server.get(&page).await.expect(200);
        let some = versions(&history);
        next = link(&history, "next");
        assert!(!some.is_empty() || next.is_none(), "an empty page leads on: {page}");
        found.extend(some);
    }
    found
}

async fn walk(server: &Server, first: &str) -> Vec<String> {
    walk_pages(server, first, usize::MAX).await
}

/// Creates, updates and deletes `Patient/p`, each in a millisecond of its own; the times of the three versions.
async fn three_versions(server: &Server) -> Vec<String> {
    server.put("Patient/p", patient("p", 1)).await.expect(201);
    tokio::time::sleep(Duration::from_millis(3)).await;
    server.put("Patient/p", patient("p", 2)).await.expect(200);
    tokio::time::sleep(Duration::from_millis(3)).await;
    server.delete("Patient/p").await.expect(204);
    let history = server.get("Patient/p/_history").await.expect(200);
    entries(&history).iter().rev().map(|entry| entry["response"]["lastModified"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instances_history_has_every_version_newest_first_and_their_number() {
    let server = Server::start().await;
    let posted = server.post("Patient", patient("x", 1)).await.expect(201);
    let id = posted.id();
    let path = format!("Patient/{id}");
    let put = server.put(&path, patient(&id, 2)).await.expect(200);
    server.delete(&path).await.expect(204);
    server.put(&path, patient(&id, 4)).await.expect(201);
    let history = server.get(&format!("{path}/_history")).await.expect(200);
    assert_eq!(history.json()["total"], 4);
    assert_eq!(versions(&history), [4, 3, 2, 1].map(|version| format!("{path}/{version}")));
    let entries = entries(&history);
    assert_eq!(entries[3]["request"], json!({"method": "POST", "url": "Patient"}));
    assert_eq!(entries[3]["resource"], posted.json());
    assert_eq!(entries[3]["response"]["status"], "201");
    assert_eq!(entries[3]["response"]["lastModified"], posted.json()["meta"]["lastUpdated"]);
    assert_eq!(entries[2]["request"], json!({"method": "PUT", "url": path}));
    assert_eq!(entries[2]["resource"], put.json());
    assert_eq!(entries[1]["request"], json!({"method": "DELETE", "url": path}));
    assert!(entries[1].get("resource").is_none(), "a deletion has no resource");
    assert_eq!(entries[1]["response"]["status"], "204");
    assert!(entries.iter().all(|entry| entry["fullUrl"] == format!("{}/{path}", server.base)));
}

#[tokio::test(flavor = "multi_thread")]
async fn types_and_the_system_have_histories_of_their_own() {
    let server = Server::start().await;
    three_versions(&server).await;
    server.put("Practitioner/d", json!({"resourceType": "Practitioner", "id": "d"})).await.expect(201);
    let of_type = versions(&server.get("Patient/_history").await.expect(200));
    assert_eq!(of_type, ["Patient/p/3", "Patient/p/2", "Patient/p/1"]);
    let of_system = versions(&server.get("_history").await.expect(200));
    assert_eq!(of_system.into_iter().collect::<BTreeSet<_>>(), {
        ["Patient/p/1", "Patient/p/2", "Patient/p/3", "Practitioner/d/1"].map(str::to_owned).into()
    });
    let none = server.get("Device/_history").await.expect(200);
    assert_eq!((versions(&none).len(), link(&none, "next")), (0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn since_keeps_the_versions_made_at_that_time_or_later() {
    let server = Server::start().await;
    let times = three_versions(&server).await;
    for path in ["Patient/p/_history", "Patient/_history", "_history"] {
        for (since, expected) in [
            (times[0].as_str(), 3),
            (times[1].as_str(), 2),
            (times[2].as_str(), 1),
            (&times[0][..4], 3),
            (&times[0][..7], 3),
            ("1999-12-31", 3),
            ("2999", 0),
            ("1999-12-31T23:59:59.999-05:00", 3),
        ] {
            let history = server.get(&format!("{path}?_since={since}")).await.expect(200);
            assert_eq!(versions(&history).len(), expected, "{path} {since}");
            let total = history.json().get("total").cloned();
            assert_eq!(total, path.starts_with("Patient/p").then(|| json!(expected)), "{path} {since}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_keeps_the_versions_that_were_current_at_some_point_of_the_time() {
    let server = Server::start().await;
    let times = three_versions(&server).await;
    for path in ["Patient/p/_history", "Patient/_history", "_history"] {
        for (at, expected) in [
            (times[0].as_str(), &[1][..]),
            (times[1].as_str(), &[2]),
            (times[2].as_str(), &[3]),
            ("2999-01-01T00:00:00Z", &[3]),
            (&times[0][..4], &[3, 2, 1]),
            ("2999", &[3]),
            ("1999", &[]),
        ] {
            let history = server.get(&format!("{path}?_at={at}")).await.expect(200);
            let expected: Vec<String> = expected.iter().map(|version| format!("Patient/p/{version}")).collect();
            assert_eq!(versions(&history), expected, "{path} {at}");
        }
        let day = server.get(&format!("{path}?_at={}", &times[0][..10])).await.expect(200);
        assert!(versions(&day).contains(&"Patient/p/1".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_at_most_count_entries_and_leads_to_the_next() {
    let server = Server::start().await;
    for n in 0..7 {
        server.put("Patient/p", patient("p", n)).await;
    }
    for path in ["Patient/p/_history", "Patient/_history", "_history"] {
        let first = server.get(&format!("{path}?_count=3")).await.expect(200);
        assert_eq!(versions(&first), ["Patient/p/7", "Patient/p/6", "Patient/p/5"]);
        assert_eq!(link(&first, "self"), Some(format!("{}/{path}?_count=3", server.base)));
        let walked = walk(&server, &format!("{path}?_count=3")).await;
        assert_eq!(walked, [7, 6, 5, 4, 3, 2, 1].map(|version| format!("Patient/p/{version}")));
        let exact = server.get(&format!("{path}?_count=7")).await.expect(200);
        assert_eq!((versions(&exact).len(), link(&exact, "next")), (7, None));
        let none = server.get(&format!("{path}?_count=0")).await.expect(200);
        assert_eq!((versions(&none).len(), link(&none, "next")), (0, None));
    }
    let total = server.get("Patient/p/_history?_count=0").await.json()["total"].clone();
    assert_eq!(total, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_pages_keep_what_the_first_was_asked_for() {
    let server = Server::start().await;
    let times = three_versions(&server).await;
    let path = format!("Patient/p/_history?_count=1&_since={}&_pretty=true", times[1]);
    let first = server.get(&path).await.expect(200);
    assert_eq!(versions(&first), ["Patient/p/3"]);
    let second = server.get(&link(&first, "next").unwrap()).await.expect(200);
    assert_eq!(versions(&second), ["Patient/p/2"]);
    assert!(second.text.starts_with("{\n"), "_pretty goes on: {}", second.text);
    assert_eq!(link(&second, "next"), None, "version 1 is older than _since");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_a_default_and_a_largest_size() {
    let server = Server::start_with(&[("BRASA_PAGE_COUNT_DEFAULT", "2"), ("BRASA_PAGE_COUNT_MAX", "3")]).await;
    for n in 0..5 {
        server.put("Patient/p", patient("p", n)).await;
    }
    for path in ["Patient/p/_history", "Patient/_history", "_history"] {
        assert_eq!(versions(&server.get(path).await).len(), 2);
        assert_eq!(versions(&server.get(&format!("{path}?_count=4")).await.expect(200)).len(), 3);
        assert_eq!(walk(&server, &format!("{path}?_count=1000000")).await.len(), 5);
    }
}

/// Goes on writing new versions and new resources until it is dropped.
struct Writing(Vec<tokio::task::JoinHandle<()>>);

impl Writing {
    fn start(server: &std::sync::Arc<Server>, ids: usize) -> Writing {
        let tasks = (0..4).map(|task| {
            let server = std::sync::Arc::clone(server);
            tokio::spawn(async move {
                for n in task.. {
                    let id = format!("p{}", n * 7 % ids);
                    server.put(&format!("Patient/{id}"), patient(&id, n)).await;
                    if n % 5 == 0 {
                        server.delete(&format!("Patient/{id}")).await;
                        server.post("Patient", json!({"resourceType": "Patient"})).await;
                    }
                }
            })
        });
        Writing(tasks.collect())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

fn assert_once(walked: &[String], asked: &str) {
    let mut seen = BTreeSet::new();
    let twice: Vec<&String> = walked.iter().filter(|version| !seen.insert(*version)).collect();
    assert!(twice.is_empty(), "{asked}: these came twice: {twice:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn paging_meets_every_version_once_while_others_write() {
    const IDS: usize = 12;
    let server = std::sync::Arc::new(Server::start().await);
    for n in 0..40 {
        let id = format!("p{}", n % IDS);
        server.put(&format!("Patient/{id}"), patient(&id, n)).await;
    }
    let before: BTreeSet<String> = walk(&server, "_history?_count=1000").await.into_iter().collect();
    assert_eq!(before.len(), 40);
    for path in ["_history", "Patient/_history", "Patient/p3/_history"] {
        let _writing = Writing::start(&server, IDS);
        // Where versions are being superseded is at the top: there, often.
        for count in [2, 5].repeat(12) {
            assert_once(&walk_pages(&server, &format!("{path}?_count={count}"), 5).await, path);
        }
        let walked = walk(&server, &format!("{path}?_count=20")).await;
        assert_once(&walked, path);
        let is_asked_for = |version: &&String| !path.starts_with("Patient/p3") || version.starts_with("Patient/p3/");
        let missing: Vec<&String> = before.iter().filter(is_asked_for).filter(|one| !walked.contains(one)).collect();
        assert!(missing.is_empty(), "{path}: {missing:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_cannot_be_read_are_refused_by_name() {
    let server = Server::start().await;
    three_versions(&server).await;
    for path in ["Patient/p/_history", "Patient/_history", "_history"] {
        for (parameter, name) in [
            ("_count=many", "_count"),
            ("_count=-1", "_count"),
            ("_count=", "_count"),
            ("_count=1.5", "_count"),
            ("_count=1&_count=2", "_count"),
            ("_since=yesterday", "_since"),
            ("_since=2024-13-01", "_since"),
            ("_at=2024-02-30", "_at"),
            ("_page=7", "_page"),
            ("_list=1", "_list"),
        ] {
            let refused = server.get(&format!("{path}?{parameter}")).await.expect(400);
            assert_eq!(refused.expression(), name, "{path}?{parameter}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_parameter_is_left_out_of_the_self_link_or_refused_under_strict_handling() {
    let server = Server::start().await;
    three_versions(&server).await;
    for path in ["Patient/p/_history", "Patient/_history", "_history"] {
        let lenient = server.get(&format!("{path}?_colour=red&_count=2")).await.expect(200);
        assert_eq!(link(&lenient, "self"), Some(format!("{}/{path}?_count=2", server.base)));
        let strict = [("prefer", "handling=strict")];
        let refused = server.get_with(&format!("{path}?_colour=red"), &strict).await.expect(400);
        assert_eq!((refused.expression().as_str(), &refused.issue()["code"]), ("_colour", &json!("not-supported")));
        server
            .get_with(&format!("{path}?_count=2&_since=2000&_at=2999&_format=json&_pretty=false"), &strict)
            .await
            .expect(200);
    }
    server.get("Patient/nobody/_history").await.expect(404);
}
