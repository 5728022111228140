//! What the CapabilityStatement promises is answered. <https://hl7.org/fhir/R4/capabilitystatement.html>

use crate::support::Server;
use futures_util::{StreamExt, stream};
use serde_json::Value;

/// A value that every parameter of the kind can read.
fn value(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "string" | "token" | "reference" => "x",
        "date" => "ge2020-01",
        "number" | "quantity" => "lt1.5",
        "uri" => "http://acme.org/x",
        "special" => "42.25|-83.69|11|km",
        _ => return None,
    })
}

fn named(list: &Value) -> Vec<(String, String)> {
    let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    list.as_array().unwrap().iter().map(|one| (text(one, "name"), text(one, "type"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_parameter_and_include_of_the_capability_statement_is_answered() {
    let server = &Server::start().await;
    let statement = server.get("metadata").await.expect(200).json();
    let mut searches: Vec<String> = Vec::new();
    for resource in statement["rest"][0]["resource"].as_array().unwrap() {
        let resource_type = resource["type"].as_str().unwrap();
        for (name, kind) in named(&resource["searchParam"]) {
            searches.extend(
                value(&kind).filter(|_| !name.starts_with('_')).map(|value| format!("{resource_type}?{name}={value}")),
            );
            let has_missing =
                !["_id", "_lastUpdated", "_text", "_content", "_list", "_filter"].contains(&name.as_str());
            searches.extend(has_missing.then(|| format!("{resource_type}?{name}:missing=false")));
        }
        for (member, parameter) in [("searchInclude", "_include"), ("searchRevInclude", "_revinclude")] {
            let all = resource[member].as_array().cloned().unwrap_or_default();
            searches
                .extend(all.iter().filter_map(|one| Some(format!("{resource_type}?{parameter}={}", one.as_str()?))));
        }
    }
    let count = searches.len();
    let asked = searches.into_iter().map(|search| async move {
        let answer = server.get_with(&format!("{search}&_count=1"), &[("prefer", "handling=strict")]).await;
        (search, answer)
    });
    let answers: Vec<_> = stream::iter(asked).buffer_unordered(8).collect().await;
    let wrong = answers.iter().filter(|(_, answer)| answer.status != 200);
    let told: Vec<String> = wrong.map(|(search, answer)| format!("{search}: {}", answer.text)).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    assert!(count > 2_500, "{count}");
}
