//! Searches over HTTP, by kind and by modifier, with the specification's own examples. <https://hl7.org/fhir/R4/search.html>
//!
//! What is found is written as ids in the order of the alphabet, with a space between them.

mod chain;
mod common;
mod compartment;
mod composite;
mod date;
mod declared;
mod examples;
mod filter;
mod handling;
mod include;
mod method;
mod missing;
mod near;
mod number;
mod page;
mod reference;
mod result;
mod sort;
mod string;
mod token;
mod uri;
mod value_set;

use crate::support::bundle::put;
use crate::support::{Answer, Server};
use serde_json::{Value, json};

/// Stores resources under their own ids, all together.
pub async fn store(server: &Server, resources: impl IntoIterator<Item = Value>) {
    server.transact(resources.into_iter().map(put)).await.expect(200);
}

/// A server that holds these resources.
pub async fn holding(resources: impl IntoIterator<Item = Value>) -> Server {
    let server = Server::start().await;
    store(&server, resources).await;
    server
}

/// A resource of a type, with further members.
pub fn resource(resource_type: &str, id: &str, members: Value) -> Value {
    let mut whole = json!({"resourceType": resource_type, "id": id});
    let members = members.as_object().expect("an object of members").clone();
    whole.as_object_mut().unwrap().extend(members);
    whole
}

/// The ids of a page's entries of this mode, in order.
pub fn in_order(answer: &Answer, mode: &str) -> Vec<String> {
    let entries = answer.entries().into_iter().filter(|entry| entry["search"]["mode"] == mode);
    entries.map(|entry| entry["resource"]["id"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The ids of the matches, in the order of the alphabet.
pub fn ids(answer: &Answer) -> String {
    let mut ids = in_order(answer, "match");
    ids.sort();
    ids.join(" ")
}

/// What went along with the matches, as `Type/id`, in the order of the alphabet.
pub fn included(answer: &Answer) -> String {
    let entries = answer.entries().into_iter().filter(|entry| entry["search"]["mode"] == "include");
    let name = |part: &Value, member: &str| part[member].as_str().unwrap_or_default().to_owned();
    let one = |entry: Value| format!("{}/{}", name(&entry["resource"], "resourceType"), name(&entry["resource"], "id"));
    let mut names: Vec<String> = entries.map(one).collect();
    names.sort();
    names.join(" ")
}

/// Checks what searches are answered with, as `read` reads it; all that differ are told at once.
#[track_caller]
pub fn assert_all(read: Vec<(String, String, String)>) {
    let wrong = read.into_iter().filter(|(_, found, expected)| found != expected);
    let told: Vec<String> =
        wrong.map(|(search, found, expected)| format!("{search}\n  found    {found}\n  expected {expected}")).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

async fn read(server: &Server, rows: &[(&str, &str)], read: fn(&Answer) -> String) -> Vec<(String, String, String)> {
    let mut all = Vec::with_capacity(rows.len());
    for (search, expected) in rows {
        let answer = server.get(search).await;
        let is_whole = answer.status == 200 && !answer.text.contains("\"outcome\"");
        let found = if is_whole { read(&answer) } else { format!("{}: {}", answer.status, answer.text) };
        all.push(((*search).to_owned(), found, (*expected).to_owned()));
    }
    all
}

/// Each search finds these, and every part of it is understood.
pub async fn all_find(server: &Server, rows: &[(&str, &str)]) {
    assert_all(read(server, rows, ids).await);
}

pub async fn finds(server: &Server, search: &str, expected: &str) {
    all_find(server, &[(search, expected)]).await;
}

/// With each search go these along.
pub async fn all_include(server: &Server, rows: &[(&str, &str)]) {
    assert_all(read(server, rows, included).await);
}

/// Each search finds these in this order.
pub async fn all_find_in_order(server: &Server, rows: &[(&str, &str)]) {
    assert_all(read(server, rows, |answer| in_order(answer, "match").join(" ")).await);
}

/// Each search is refused with 400 whatever the handling: the place that is told, and words of the message.
pub async fn all_refused(server: &Server, rows: &[(&str, &str, &str)]) {
    for (search, place, words) in rows {
        let answer = server.get(search).await;
        assert_eq!(answer.status, 400, "{search}: {}", answer.text);
        assert_eq!(answer.expression(), *place, "{search}: {}", answer.text);
        let message = answer.issue()["diagnostics"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains(words), "{search}: {message}");
    }
}

/// Each search is made without this parameter, which is told by name and with its reason, and refused under strict
/// handling.
pub async fn all_ignored(server: &Server, rows: &[(&str, &str, &str)]) {
    for (search, name, reason) in rows {
        let answer = server.get(search).await;
        assert_eq!(answer.status, 200, "{search}: {}", answer.text);
        let entries = answer.entries();
        let outcome = entries.last().filter(|entry| entry["search"]["mode"] == "outcome");
        let issue =
            &outcome.unwrap_or_else(|| panic!("{search} was not reported: {}", answer.text))["resource"]["issue"];
        assert_eq!(issue.as_array().map(Vec::len), Some(1), "{search}: {issue}");
        assert_eq!((&issue[0]["severity"], &issue[0]["expression"][0]), (&json!("warning"), &json!(name)), "{search}");
        assert!(issue[0]["diagnostics"].as_str().unwrap().contains(reason), "{search}: {issue}");
        let own = link(&answer, "self").unwrap();
        assert!(!own.contains(&format!("{name}=")), "{search}: the self link names what was ignored: {own}");
        let strict = server.get_with(search, &[("prefer", "handling=strict")]).await.expect(400);
        assert_eq!(strict.expression(), *name, "{search}");
    }
}

/// The address of one of a Bundle's links.
pub fn link(answer: &Answer, relation: &str) -> Option<String> {
    let bundle = answer.json();
    let mut links = bundle["link"].as_array().cloned().unwrap_or_default().into_iter();
    links.find(|link| link["relation"] == relation).and_then(|link| link["url"].as_str().map(str::to_owned))
}
