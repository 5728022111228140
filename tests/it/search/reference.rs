//! References: by id, address, version, type and identifier. <https://hl7.org/fhir/R4/search.html#reference>

use super::{all_find, all_ignored, all_include, all_refused, holding, resource, store};
use crate::support::Server;
use serde_json::{Value, json};

fn of(id: &str, subject: Value) -> Value {
    resource("Observation", id, json!({"status": "final", "code": {"text": "x"}, "subject": subject}))
}

fn referring(id: &str, reference: &str) -> Value {
    of(id, json!({"reference": reference}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_found_by_id_type_and_address() {
    let server = Server::start_with(&[("BRASA_BASE_URL", "http://fhir.hospital.org/fhir")]).await;
    let absolute = "http://fhir.hospital.org/fhir/Patient/23";
    store(
        &server,
        [
            resource("Patient", "23", json!({})),
            resource("Group", "23", json!({"type": "person", "actual": true})),
            referring("relative", "Patient/23"),
            referring("group", "Group/23"),
            referring("absolute", absolute),
            referring("version", "Patient/23/_history/1"),
            referring("elsewhere", "http://acme.org/fhir/Patient/23"),
            referring("elsewhere-version", "http://acme.org/fhir/Patient/23/_history/1"),
            referring("case", "Patient/AbC"),
            of("display", json!({"display": "Patient/23"})),
        ],
    )
    .await;
    // In a transaction, a urn would have to name an entry.
    server.put("Observation/urn", referring("urn", "urn:uuid:a1b2c3d4-0000-4000-8000-000000000000")).await.expect(201);
    let own = format!("Observation?subject={absolute}");
    let own_type = format!("Observation?subject:Patient={absolute}");
    let rows = [
        ("Observation?subject=Patient/23", "absolute relative version"),
        ("Observation?subject=23", "absolute group relative version"),
        ("Observation?subject:Patient=23", "absolute relative version"),
        ("Observation?subject:Group=23", "group"),
        ("Observation?subject:Patient=Patient/23", "absolute relative version"),
        ("Observation?patient=23", "absolute relative version"),
        ("Observation?patient=Patient/23", "absolute relative version"),
        (own.as_str(), "absolute relative version"),
        (own_type.as_str(), "absolute relative version"),
        ("Observation?subject=Patient/23/_history/1", "version"),
        ("Observation?subject=Patient/23/_history/2", ""),
        ("Observation?subject=http://acme.org/fhir/Patient/23", "elsewhere elsewhere-version"),
        ("Observation?subject=http://acme.org/fhir/Patient/23/_history/1", "elsewhere-version"),
        ("Observation?subject=http://other.org/fhir/Patient/23", ""),
        ("Observation?subject=urn:uuid:a1b2c3d4-0000-4000-8000-000000000000", "urn"),
        ("Observation?subject=Patient/AbC", "case"),
        ("Observation?subject=Patient/abc", ""),
        ("Observation?subject=Patient/23,Group/23", "absolute group relative version"),
        ("Observation?subject=Patient/nobody", ""),
        ("Observation?subject:missing=true", ""),
    ];
    all_find(&server, &rows).await;
    let refused = [
        ("Observation?subject=Foo/1", "subject", "'Foo/1'"),
        ("Observation?subject:Patient=Group/23", "subject:Patient", "another type"),
        ("Observation?subject=a b", "subject", "A reference was expected"),
    ];
    all_refused(&server, &refused).await;
    let ignored = [
        ("Observation?subject:Foo=1", "subject:Foo", "no modifier ':Foo'"),
        // Hierarchies are not followed.
        ("Procedure?location:below=Location/1", "location:below", "no modifier ':below'"),
        ("Procedure?location:above=Location/1", "location:above", "no modifier ':above'"),
    ];
    all_ignored(&server, &ignored).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_a_server_that_was_not_told_its_own_is_found_as_it_is_written() {
    let server = Server::start().await;
    let absolute = format!("{}/Patient/23", server.base);
    store(&server, [referring("relative", "Patient/23"), referring("absolute", &absolute)]).await;
    let search = format!("Observation?subject={absolute}");
    all_find(&server, &[(search.as_str(), "absolute relative"), ("Observation?subject=Patient/23", "relative")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_found_by_the_identifier_that_stands_in_it() {
    let mrn = |value: &str| json!({"identifier": {"system": "http://acme.org/fhir/identifier/mrn", "value": value}});
    let server = holding([
        of("logical", mrn("123456")),
        of("bare", json!({"identifier": {"value": "123456"}})),
        of("both", json!({"reference": "Patient/p", "identifier": {"system": "urn:x", "value": "123456"}})),
        resource(
            "Patient",
            "p",
            json!({"identifier": [{"system": "http://acme.org/fhir/identifier/mrn", "value": "9"}]}),
        ),
    ])
    .await;
    let rows = [
        ("Observation?subject:identifier=http://acme.org/fhir/identifier/mrn|123456", "logical"),
        ("Observation?subject:identifier=123456", "bare both logical"),
        ("Observation?subject:identifier=|123456", "bare"),
        ("Observation?subject:identifier=urn:x|123456", "both"),
        // The identifier of the resource that is referred to is a chain's matter.
        ("Observation?subject:identifier=http://acme.org/fhir/identifier/mrn|9", ""),
        ("Observation?subject:Patient.identifier=http://acme.org/fhir/identifier/mrn|9", "both"),
        ("Observation?subject=Patient/p", "both"),
        ("Observation?subject=123456", ""),
    ];
    all_find(&server, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn canonicals_and_contained_resources_are_found_and_lead_no_further() {
    let contained = json!({"status": "active", "intent": "order", "subject": {"reference": "Patient/p"},
        "contained": [{"resourceType": "Medication", "id": "m", "status": "active"}], "medicationReference": {"reference": "#m"}});
    let answers = |id: &str, questionnaire: &str| {
        resource("QuestionnaireResponse", id, json!({"status": "completed", "questionnaire": questionnaire}))
    };
    let server = holding([
        resource("MedicationRequest", "contained", contained),
        answers("plain", "http://acme.org/Questionnaire/1"),
        answers("version", "http://acme.org/Questionnaire/1|2.0"),
        resource(
            "Questionnaire",
            "q",
            json!({"status": "active", "url": "http://acme.org/Questionnaire/1", "title": "One"}),
        ),
    ])
    .await;
    let rows = [
        ("QuestionnaireResponse?questionnaire=http://acme.org/Questionnaire/1", "plain version"),
        ("QuestionnaireResponse?questionnaire=http://acme.org/Questionnaire/1\\|2.0", "version"),
        ("MedicationRequest?medication=m", ""),
        ("MedicationRequest?medication:missing=false", "contained"),
        // Chains and includes follow references to resources of this server: no canonicals, nothing contained.
        ("MedicationRequest?medication.status=active", ""),
        ("QuestionnaireResponse?questionnaire.title=one", ""),
        ("Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed", ""),
        ("Medication?status=active", ""),
    ];
    all_find(&server, &rows).await;
    let rows = [
        ("QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire", ""),
        ("Questionnaire?_revinclude=QuestionnaireResponse:questionnaire", ""),
    ];
    all_include(&server, &rows).await;
}
