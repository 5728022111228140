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
        // A parameter may have no name, and FHIR has no string without a letter.
        Json::Object(match issue.expression.filter(|place| !place.trim().is_empty()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_without_a_name_is_left_out() {
        let of = |place| {
            let issue = Issue { severity: "error", code: "invalid", diagnostics: "x", expression: Some(place) };
            String::from_utf8(outcome(None, &issue).to_bytes()).unwrap()
        };
        assert!(of("Patient.id").contains(r#""expression":["Patient.id"]"#));
        assert!(!of("").contains("expression") && !of(" ").contains("expression"));
    }
}
