//! What shapes the answer: `_count`, `_total`, `_summary`, `_elements`, `_contained`. <https://hl7.org/fhir/R4/search.html#return>

use super::{all_ignored, all_refused, holding, ids, in_order, link, resource};
use crate::support::Server;
use serde_json::{Value, json};

const SUBSETTED: &str = "SUBSETTED";

async fn four() -> Server {
    let text = json!({"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"});
    let observation = |id: &str| {
        resource(
            "Observation",
            id,
            json!({"text": text, "status": "final", "code": {"text": "c"}, "note": [{"text": "n"}],
            "subject": {"reference": "Patient/p"}, "valueString": "v"}),
        )
    };
    holding([observation("a"), observation("b"), observation("c"), resource("Patient", "p", json!({"text": text}))])
        .await
}

/// The names of the first entry's members, in order.
fn members(resource: &Value) -> String {
    let names: Vec<&str> = resource.as_object().unwrap().keys().map(String::as_str).collect();
    let mut names = names;
    names.sort_unstable();
    names.join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_as_long_as_was_asked_for_and_the_total_comes_when_it_is_asked_for() {
    let server = four().await;
    for (search, entries, total) in [
        ("Observation", 3, Value::Null),
        ("Observation?_count=2", 2, Value::Null),
        ("Observation?_count=2&_total=accurate", 2, json!(3)),
        ("Observation?_count=2&_total=none", 2, Value::Null),
        ("Observation?_total=accurate&status=final", 3, json!(3)),
        ("Observation?_count=0", 0, json!(3)),
        ("Observation?_summary=count", 0, json!(3)),
        ("Observation?_summary=count&subject=Patient/nobody", 0, json!(0)),
        ("Observation?_count=99999999999999999999", 3, Value::Null),
        ("?_count=3&_total=accurate&_type=Observation,Patient", 3, json!(4)),
        ("Observation?_include=Observation:subject&_count=2&_total=accurate", 3, json!(3)),
    ] {
        let answer = server.get(search).await.expect(200);
        let bundle = answer.json();
        assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("searchset")), "{search}");
        assert_eq!((answer.entries().len(), &bundle["total"]), (entries, &total), "{search}");
        assert!(bundle.get("entry").is_none_or(|entry| !entry.as_array().unwrap().is_empty()), "{search}: {bundle}");
    }
    let estimate = server.get("Observation?_count=1&_total=estimate").await.expect(200);
    assert!(estimate.json()["total"].is_u64(), "{}", estimate.text);
    let counted = server.get("Observation?_summary=count").await.expect(200);
    assert!(link(&counted, "next").is_none() && link(&counted, "self").is_some(), "{}", counted.text);
    let none = server.get("Device").await.expect(200);
    assert!(none.json().get("entry").is_none(), "an empty array is not FHIR's: {}", none.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn summaries_and_elements_are_parts_that_say_so() {
    let server = four().await;
    let whole = "code id meta note resourceType status subject text valueString";
    for (search, expected) in [
        ("Observation?_id=a", whole),
        ("Observation?_id=a&_summary=false", whole),
        ("Observation?_id=a&_summary=true", "code id meta resourceType status subject valueString"),
        ("Observation?_id=a&_summary=text", "code id meta resourceType status text"),
        ("Observation?_id=a&_summary=data", "code id meta note resourceType status subject valueString"),
        ("Observation?_id=a&_elements=note", "code id meta note resourceType status"),
        ("Observation?_id=a&_elements=id,status,value", "code id meta resourceType status valueString"),
        ("Observation?_id=a&_elements=subject,text", "code id meta resourceType status subject text"),
    ] {
        let answer = server.get(search).await.expect(200);
        let resource = &answer.entries()[0]["resource"];
        assert_eq!(members(resource), expected, "{search}");
        assert_eq!(resource["meta"]["tag"][0]["code"] == SUBSETTED, expected != whole, "{search}: {resource}");
        assert_eq!((&resource["id"], &resource["meta"]["versionId"]), (&json!("a"), &json!("1")), "{search}");
    }
    // Elements are those of the matches, a summary is of all.
    let along = server.get("Observation?_id=a&_elements=code&_include=Observation:subject").await.expect(200);
    assert_eq!(members(&along.entries()[1]["resource"]), "id meta resourceType text");
    let along = server.get("Observation?_id=a&_summary=true&_include=Observation:subject").await.expect(200);
    assert_eq!(members(&along.entries()[1]["resource"]), "id meta resourceType");
    // What was left out of the answer is still there.
    assert!(server.get("Observation/a").await.expect(200).json()["note"].is_array());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_gives_a_part_as_a_search_does() {
    let server = four().await;
    for (read, expected) in [
        ("_summary=true", "code id meta resourceType status subject valueString"),
        ("_summary=text&_elements=subject", "code id meta resourceType status text"),
        ("_summary=data", "code id meta note resourceType status subject valueString"),
        ("_elements=value", "code id meta resourceType status valueString"),
    ] {
        for path in ["Observation/a", "Observation/a/_history/1"] {
            let answer = server.get_with(&format!("{path}?{read}"), &[("prefer", "handling=strict")]).await.expect(200);
            assert_eq!(members(&answer.json()), expected, "{path}?{read}");
            assert_eq!(answer.json()["meta"]["tag"][0]["code"], SUBSETTED, "{read}");
            assert_eq!(answer.header("etag"), Some("W/\"1\""));
        }
    }
    for read in ["_summary=false", "_elements=", ""] {
        let answer = server.get(&format!("Observation/a?{read}")).await.expect(200);
        assert_eq!(answer.json()["meta"].get("tag"), None, "{read}");
    }
    let xml = server.get("Observation/a?_elements=value&_format=xml").await.expect(200);
    assert!(xml.text.contains("<valueString") && !xml.text.contains("<note"), "{}", xml.text);
    all_refused(
        &server,
        &[
            ("Observation/a?_summary=count", "_summary", "true, text, data and false"),
            ("Observation/a?_summary=true&_summary=text", "_summary", "only once"),
            ("Observation/a?_elements=foo", "_elements", "'foo'"),
            ("Observation/a/_history/1?_summary=x", "_summary", "'x'"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_shapes_the_answer_is_refused_where_it_cannot_be_read() {
    let server = four().await;
    let refused = [
        ("Observation?_count=many", "_count", "'many'"),
        ("Observation?_count=-1", "_count", "'-1'"),
        ("Observation?_count=1&_count=2", "_count", "once only"),
        ("Observation?_summary=short", "_summary", "true, text, data, count and false"),
        ("Observation?_total=about", "_total", "none, estimate and accurate"),
        ("Observation?_elements=status,foo", "_elements", "'foo'"),
        ("Observation?_elements=component.code", "_elements", "'component.code'"),
        ("Observation?_contained=true", "_contained", "Contained resources are not searched"),
        ("Observation?_contained=both", "_contained", "Contained resources are not searched"),
        ("Observation?_containedType=contained", "_containedType", "Contained resources are not searched"),
        ("Observation?_query=latest", "_query", "no named query 'latest'"),
        ("Observation?_page=abc", "_page", "not a page of this search"),
    ];
    all_refused(&server, &refused).await;
    for (search, place, _) in refused.iter().filter(|(_, place, _)| ["_contained", "_query"].contains(place)) {
        assert_eq!(server.get(search).await.issue()["code"], "not-supported", "{place}");
    }
    let ignored = [("Observation?_count:exact=1", "_count:exact", "no modifier")];
    all_ignored(&server, &ignored).await;
    let answer = server.get("Observation?_contained=false&_format=json&_pretty=true").await.expect(200);
    assert_eq!((ids(&answer).as_str(), in_order(&answer, "outcome").len()), ("a b c", 0));
    assert!(answer.text.contains("\n  "), "{}", answer.text);
}
