//! `$validate`, profiles that are stored, and the packages that they come in. <https://hl7.org/fhir/R4/profiling.html>

mod operation;

use crate::support::Answer;
use serde_json::Value;

/// The issues of an OperationOutcome as `severity code place`.
pub fn issues(answer: &Answer) -> Vec<String> {
    let outcome = answer.json();
    assert_eq!(outcome["resourceType"], "OperationOutcome", "{}", answer.text);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = |issue: &Value| {
        let place = text(&issue["expression"][0]);
        format!("{} {} {place}", text(&issue["severity"]), text(&issue["code"])).trim_end().to_owned()
    };
    outcome["issue"].as_array().unwrap().iter().map(told).collect()
}

/// What the issues say, one a line.
pub fn sentences(answer: &Answer) -> String {
    let outcome = answer.json();
    let all = outcome["issue"].as_array().unwrap().iter().map(|issue| issue["diagnostics"].as_str().unwrap());
    all.collect::<Vec<_>>().join("\n")
}
