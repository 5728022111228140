//! Twelve synthetic patients load through HTTP, and each of their resources comes back as it was sent.

use crate::support::Server;
use crate::support::bundle::as_sent;
use brasa::fhir::json::Json;
use brasa::fhir::json::parse;
use flate2::read::GzDecoder;
use futures_util::{StreamExt, stream};
use std::collections::HashMap;
use std::io::Read;

/// The number of resources in all twelve files; tests/data/README.md names it.
const RESOURCES: usize = 26_895;

fn files() -> Vec<(String, String)> {
    let read = |path: std::path::PathBuf| {
        let mut text = String::new();
        GzDecoder::new(std::fs::File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
        (path.display().to_string(), text)
    };
    let mut files: Vec<_> = std::fs::read_dir("tests/data/synthea").unwrap().map(|one| one.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(read).collect()
}

/// The entries of a Bundle: fullUrl and resource.
fn entries(text: &str) -> Vec<(String, Json)> {
    let bundle = parse(text.as_bytes(), 100).unwrap();
    let entries = bundle.as_object().unwrap().get("entry").unwrap().items();
    let read = |entry: &Json| {
        let entry = entry.as_object().unwrap();
        (entry.get_str("fullUrl").unwrap().to_owned(), entry.get("resource").unwrap().clone())
    };
    entries.iter().map(read).collect()
}

/// Replaces each text that is an entry's fullUrl by what the server calls the entry.
fn rename(json: &mut Json, names: &HashMap<String, String>, renamed: &mut usize) {
    match json {
        Json::String(text) => {
            if let Some(name) = names.get(text.as_str()) {
                *text = name.as_str().into();
                *renamed += 1;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| rename(item, names, renamed)),
        Json::Object(object) => object.iter_mut().for_each(|(_, value)| rename(value, names, renamed)),
        _ => {}
    }
}

/// Loads one patient, reads everything back, and returns how many resources and references there were.
async fn load_and_compare(server: &Server, name: &str, text: String) -> (usize, usize) {
    let sent = entries(&text);
    let references = text.matches("\"reference\":").count();
    let made = server.post("", text).await.expect(200).made();
    assert_eq!(made.len(), sent.len(), "{name}");
    let names: HashMap<String, String> =
        sent.iter().zip(&made).map(|((full_url, _), made)| (full_url.clone(), made.clone())).collect();
    let mut renamed = 0;
    let expected = sent.into_iter().zip(made).map(|((_, mut resource), reference)| {
        rename(&mut resource, &names, &mut renamed);
        (reference, as_sent(&String::from_utf8(resource.to_bytes()).unwrap()))
    });
    let expected: Vec<(String, Json)> = expected.collect();
    let count = expected.len();
    let reads = expected.into_iter().map(|(reference, expected)| async move {
        let read = server.get(&reference).await.expect(200);
        assert!(as_sent(&read.text) == expected, "{name}: {reference}\n{}", read.text);
    });
    stream::iter(reads).buffer_unordered(8).collect::<()>().await;
    assert!(renamed >= references, "{name}: {references} references, {renamed} of them rewritten");
    (count, renamed)
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_patients_load_and_every_resource_is_read_back_with_its_references_leading_right() {
    let server = Server::start_with(&[("BRASA_HTTP_WORKERS", "2")]).await;
    let mut resources = 0;
    for (name, text) in files() {
        let (count, renamed) = load_and_compare(&server, &name, text).await;
        assert!(renamed > count, "{name}: {renamed} references of {count} resources");
        resources += count;
    }
    assert_eq!(resources, RESOURCES);
    let client = server.database.connect().await;
    let count: i64 = client.query_one("SELECT count(*) FROM resource", &[]).await.unwrap().get(0);
    assert_eq!(usize::try_from(count), Ok(RESOURCES));
    let patients = "SELECT count(DISTINCT compartment) FROM resource WHERE strpos(compartment, '/') = 0";
    assert_eq!(client.query_one(patients, &[]).await.unwrap().get::<_, i64>(0), 12);
}
