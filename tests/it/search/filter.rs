//! `_filter`: conditions with and, or, not and parentheses. <https://hl7.org/fhir/R4/search_filter.html>

use super::{all_find, all_refused, holding, resource};
use crate::support::Server;
use serde_json::json;

/// The Patients and Observations that the filters here are asked of.
async fn filtered() -> Server {
    let code = |code: &str| json!({"coding": [{"system": "http://loinc.org", "code": code}]});
    let subject = |id: &str| json!({"reference": format!("Patient/{id}")});
    holding([
        resource(
            "Patient",
            "peter",
            json!({"name": [{"given": ["Peter"], "family": "Chalmers"}], "birthDate": "2014-10-11",
            "active": true, "identifier": [{"system": "urn:p", "value": "1"}]}),
        ),
        resource(
            "Patient",
            "petra",
            json!({"name": [{"given": ["Petra"], "family": "Kramer"}], "birthDate": "2010-01-01"}),
        ),
        resource("Patient", "none", json!({"gender": "male"})),
        resource(
            "Observation",
            "o",
            json!({"status": "final", "code": code("1234-5"), "subject": subject("peter"),
            "valueQuantity": {"value": 5.4, "system": "http://unitsofmeasure.org", "code": "mg"}}),
        ),
        resource(
            "Observation",
            "other",
            json!({"status": "final", "code": code("9999-9"), "subject": subject("petra"),
            "effectivePeriod": {"start": "2020-01-01", "end": "2020-03-01"}}),
        ),
        resource(
            "ValueSet",
            "listed",
            json!({"status": "active", "url": "http://acme.org/v",
            "compose": {"include": [{"system": "http://loinc.org", "concept": [{"code": "9999-9"}]}]}}),
        ),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_combine_what_parameters_ask() {
    let server = filtered().await;
    let rows = [
        // The page's own examples.
        ("Patient?_filter=given eq \"peter\" and birthdate ge 2014-10-10", "peter"),
        ("Observation?_filter=code eq http://loinc.org|1234-5 and subject.name co \"pet\"", "o"),
        ("Observation?_filter=code eq loinc|1234-5", "o"),
        ("Patient?_filter=name eq peter", "peter"),
        ("Patient?_filter=name eq pet", ""),
        ("Patient?_filter=name sw pet", "peter petra"),
        ("Patient?_filter=family ew ers", "peter"),
        ("Patient?_filter=name co ra", "petra"),
        ("Patient?_filter=name ne peter", "petra"),
        ("Patient?_filter=name sw pet and not (family eq kramer)", "peter"),
        ("Patient?_filter=family eq kramer or family eq chalmers and active eq true", "peter"),
        ("Patient?_filter=family eq kramer or (family eq chalmers and active eq true)", "peter petra"),
        ("Patient?_filter=name pr false", "none"),
        ("Patient?_filter=birthdate pr true", "peter petra"),
        ("Patient?_filter=birthdate lt 2012", "petra"),
        ("Patient?_filter=identifier eq urn:p|1", "peter"),
        ("Patient?_filter=_id eq petra or _id eq none", "none petra"),
        ("Patient?_filter=_id ne petra", "none peter"),
        ("Patient?_filter=gender eq male&_filter=active pr false", "none"),
        ("Patient?_filter=_has:Observation:patient:code eq 1234-5", "peter"),
        ("Observation?_filter=subject re Patient/petra", "other"),
        ("Observation?_filter=value-quantity gt 5 and value-quantity lt 6", "o"),
        ("Observation?_filter=value-quantity eq 0.0054|ucum|g", "o"),
        ("Observation?_filter=date po 2020-02", "other"),
        ("Observation?_filter=date co 2020-02-02", "other"),
        ("Observation?_filter=date po 2020-04", ""),
        ("Observation?_filter=code in http://acme.org/v", "other"),
        ("Observation?_filter=code ni http://acme.org/v", "o"),
        ("Observation?_filter=subject[name eq petra].birthdate eq 2010-01-01", "other"),
        ("Observation?_filter=patient.name eq petra&status=final", "other"),
    ];
    all_find(&server, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_cannot_be_read_is_refused_by_its_place() {
    let server = filtered().await;
    let refused = [
        ("Patient?_filter=name eq", "_filter", "a value"),
        ("Patient?_filter=name is peter", "_filter", "At character 6"),
        ("Patient?_filter=(name eq peter", "_filter", "')'"),
        ("Patient?_filter=name eq peter and", "_filter", "name of a parameter"),
        ("Patient?_filter=foo eq peter", "_filter", "not a search parameter of Patient"),
        ("Patient?_filter=name eq a and birthdate gt soon", "_filter", "'soon'"),
        ("Patient?_filter=name:exact eq a", "_filter", "has a modifier"),
        ("Observation?_filter=code ss 1234-5", "_filter", "'ss' is not supported"),
        ("Observation?_filter=code sb 1234-5", "_filter", "'sb' is not supported"),
        ("Observation?_filter=code in http://acme.org/nothing", "_filter", "no ValueSet"),
    ];
    all_refused(&server, &refused).await;
}
