//! OperationOutcome: what the server has to say about a request. <https://hl7.org/fhir/R4/operationoutcome.html>

use super::json::{Json, Object};

/// One statement about the request.
#[derive(Debug, Clone, Copy)]
pub struct Issue<'a> {
    /// `fatal`, `error`, `warning` or `information`.
    pub severity: &'static str,
    /// A code of <https://hl7.org/fhir/R4/valueset-issue-type.html>.
    pub code: &'static str,
    pub diagnostics: &'a str,
    pub expression: Option<&'a str>,
}

/// An OperationOutcome of one issue. `id`: the request's id, so that what the client shows leads to the log.
pub fn outcome(id: Option<&str>, issue: &Issue<'_>) -> Object {
    outcome_of(id, [*issue])
}

/// An OperationOutcome of several issues.
pub fn outcome_of<'a>(id: Option<&str>, issues: impl IntoIterator<Item = Issue<'a>>) -> Object {
    let entry = |issue: Issue<'_>| {
        let entry = Object::new()
            .with_str("severity", issue.severity)
            .with_str("code", issue.code)
            .with_str("diagnostics", issue.diagnostics);
        Json::Object(match issue.expression {
            Some(expression) => entry.with("expression", Json::Array(vec![Json::string(expression)])),
            None => entry,
        })
    };
    let outcome = Object::new().with_str("resourceType", "OperationOutcome");
    let outcome = match id {
        Some(id) => outcome.with_str("id", id),
        None => outcome,
    };
    outcome.with("issue", Json::Array(issues.into_iter().map(entry).collect()))
}
