//! `:missing` on every kind of parameter. <https://hl7.org/fhir/R4/search.html#modifiers>

use super::{all_find, all_refused, holding, resource};
use serde_json::{Value, json};

/// An Observation that has all that is asked for here, but for some members.
fn observation(id: &str, without: &[&str]) -> Value {
    let mut whole = json!({
        "status": "final",
        "meta": {"profile": ["http://acme.org/p"], "source": "http://acme.org/s", "tag": [{"code": "t"}]},
        "code": {"coding": [{"system": "http://loinc.org", "code": "1-1"}]},
        "category": [{"text": "laboratory"}],
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2020-01-01",
        "valueQuantity": {"value": 1},
        "dataAbsentReason": {"coding": [{"display": "asked"}]},
        "component": [{"code": {"coding": [{"code": "1-2"}]}, "valueQuantity": {"value": 2}}],
    });
    whole.as_object_mut().unwrap().retain(|name, _| !without.contains(&name.as_str()));
    resource("Observation", id, whole)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_knows_what_has_a_value_and_what_has_none() {
    let others = |id: &str, members: Value| resource("RiskAssessment", id, members);
    let prediction =
        json!({"status": "final", "subject": {"reference": "Patient/p"}, "prediction": [{"probabilityDecimal": 0.5}]});
    let bare = ["category", "subject", "effectiveDateTime", "valueQuantity", "dataAbsentReason", "component", "meta"];
    let server = holding([
        observation("whole", &[]),
        observation("bare", &bare),
        others("risk", prediction),
        others("plain", json!({"status": "final", "subject": {"reference": "Patient/p"}})),
        resource("Patient", "named", json!({"name": [{"family": "x"}], "birthDate": "2000", "deceasedBoolean": false})),
        resource("Patient", "unnamed", json!({"active": true})),
        resource("ValueSet", "url", json!({"status": "active", "url": "http://acme.org/v"})),
        resource("ValueSet", "none", json!({"status": "active"})),
        resource("Location", "placed", json!({"position": {"longitude": 1, "latitude": 2}})),
        resource("Location", "nowhere", json!({"name": "x"})),
    ])
    .await;
    let rows: &[(&str, &str, &str)] = &[
        ("Observation?category", "whole", "bare"),
        ("Observation?subject", "whole", "bare"),
        ("Observation?patient", "whole", "bare"),
        ("Observation?date", "whole", "bare"),
        ("Observation?value-quantity", "whole", "bare"),
        ("Observation?combo-value-quantity", "whole", "bare"),
        ("Observation?data-absent-reason", "whole", "bare"),
        ("Observation?component-code-value-quantity", "whole", "bare"),
        ("Observation?code-value-quantity", "whole", "bare"),
        ("Observation?value-string", "", "bare whole"),
        ("Observation?code", "bare whole", ""),
        ("Observation?_tag", "whole", "bare"),
        ("Observation?_profile", "whole", "bare"),
        ("Observation?_source", "whole", "bare"),
        ("Observation?_security", "", "bare whole"),
        ("RiskAssessment?probability", "risk", "plain"),
        ("Patient?name", "named", "unnamed"),
        ("Patient?birthdate", "named", "unnamed"),
        ("Patient?death-date", "", "named unnamed"),
        ("ValueSet?url", "url", "none"),
        ("Location?near", "placed", "nowhere"),
    ];
    for (search, present, missing) in rows {
        let (is_there, is_not) = (format!("{search}:missing=false"), format!("{search}:missing=true"));
        all_find(&server, &[(is_there.as_str(), *present), (is_not.as_str(), *missing)]).await;
    }
    let rows = [
        ("Observation?subject:missing=false&date:missing=false", "whole"),
        ("Observation?subject:missing=true,false", "bare whole"),
        ("Observation?subject:Patient.name:missing=true", ""),
    ];
    all_find(&server, &rows).await;
    all_refused(&server, &[("Patient?name:missing=maybe", "name:missing", "'maybe'")]).await;
}
