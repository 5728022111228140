//! HL7's examples of R4 come back as they were sent: every digit, every character, every member in its place. <https://hl7.org/fhir/R4/json.html>

use crate::support::bundle::as_sent;
use crate::support::{FHIR_JSON, Server};
use brasa::fhir::json::parse;
use flate2::read::GzDecoder;
use futures_util::{StreamExt, stream};
use std::io::Read;

/// An example: `Type/id` and its text.
pub struct Example {
    pub reference: String,
    pub text: String,
}

pub fn examples() -> Vec<Example> {
    let packed = std::fs::read("tests/data/examples.ndjson.gz").unwrap();
    let mut text = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    let read = |line: &str| {
        let resource = parse(line.as_bytes(), 100).unwrap();
        let member = |name| resource.as_object().unwrap().get_str(name).unwrap();
        Example { reference: format!("{}/{}", member("resourceType"), member("id")), text: line.to_owned() }
    };
    text.lines().map(read).collect()
}

#[track_caller]
fn assert_same(read: &str, sent: &Example) {
    // The trees hold numbers as text and members in order, so equal trees are equal texts but for space and escapes.
    assert!(as_sent(read) == as_sent(&sent.text), "{}:\n{}\n{read}", sent.reference, sent.text);
}

async fn assert_all_read_back(server: &Server, sent: &[Example]) {
    // By name: a Binary is given as what it holds to who asks for anything.
    let form = [("accept", FHIR_JSON)];
    let form = &form;
    let reads = sent.iter().map(|example| async move { (example, server.get_with(&example.reference, form).await) });
    let mut reads = stream::iter(reads).buffer_unordered(8);
    while let Some((example, answer)) = reads.next().await {
        assert_same(&answer.expect(200).text, example);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_read_back_as_it_was_put() {
    let server = Server::start().await;
    let examples = examples();
    assert!(examples.len() > 600, "{}", examples.len());
    let put = |example| {
        let (server, Example { reference, text }): (&Server, &Example) = (&server, example);
        async move {
            let answer = server.put_with(reference, &[("prefer", "return=minimal")], text).await;
            assert_eq!(answer.status, 201, "{reference}: {}", answer.text);
        }
    };
    stream::iter(examples.iter().map(put)).buffer_unordered(8).collect::<()>().await;
    assert_all_read_back(&server, &examples).await;
}

/// Stores examples by transactions, each of which is answered with this status.
pub async fn store_all(server: &Server, examples: &[Example], status: u16) {
    for piece in examples.chunks(250) {
        let entry = |Example { reference, text }: &Example| {
            format!(r#"{{"resource":{text},"request":{{"method":"PUT","url":"{reference}"}}}}"#)
        };
        let entries: Vec<String> = piece.iter().map(entry).collect();
        let bundle = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","));
        let answer = server.post("", bundle).await.expect(200);
        assert_eq!(answer.statuses(), vec![status; piece.len()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_read_back_as_it_was_sent_in_transactions() {
    let server = Server::start().await;
    let examples = examples();
    store_all(&server, &examples, 201).await;
    store_all(&server, &examples, 200).await;
    assert_all_read_back(&server, &examples).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_that_is_posted_gets_a_new_id_and_keeps_the_rest() {
    let server = Server::start().await;
    for example in examples() {
        let (resource_type, id) = example.reference.split_once('/').unwrap();
        let created = server.post(resource_type, &example.text).await.expect(201);
        assert_ne!(created.id(), id);
        assert_same(&created.text, &example);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digits_of_decimals_and_unknown_members_survive() {
    let server = Server::start().await;
    let sent = r#"{"unknown":{"z":[null,{"b":1,"a":-0.0}]},"resourceType":"Observation","status":"final","code":{"text":"\u0001\u2028\ud83d\ude00 \/ \"é\""},"valueQuantity":{"value":1.00,"extension":[{"url":"http://x.example","valueDecimal":1E-22}]},"component":[{"valueQuantity":{"value":100000000000000000000000000000.000000000000000000000000000001}},{"valueQuantity":{"value":-0}},{"valueQuantity":{"value":1e+5}}]}"#;
    let sent = Example { reference: "Observation/x".to_owned(), text: sent.to_owned() };
    let created = server.post("Observation", &sent.text).await.expect(201);
    let read = server.get(&format!("Observation/{}", created.id())).await.expect(200);
    assert_same(&read.text, &sent);
    for digits in ["1.00,", "1E-22", "000000.000000000000000000000000000001", "-0.0", "1e+5"] {
        assert!(read.text.contains(digits), "{digits}: {}", read.text);
    }
    let pretty = server.get(&format!("Observation/{}?_pretty=true", created.id())).await.expect(200);
    assert_same(&pretty.text, &sent);
}
