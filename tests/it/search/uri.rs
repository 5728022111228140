//! Uris: letter by letter, and along the path with `:below` and `:above`. <https://hl7.org/fhir/R4/search.html#uri>

use super::{all_find, all_ignored, holding, resource};
use serde_json::{Value, json};

fn value_set(id: &str, url: &str) -> Value {
    resource("ValueSet", id, json!({"status": "active", "url": url}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uri_is_found_as_it_is_written_and_along_its_path() {
    let server = holding([
        value_set("123", "http://acme.org/fhir/ValueSet/123"),
        value_set("history", "http://acme.org/fhir/ValueSet/123/_history/5"),
        value_set("1234", "http://acme.org/fhir/ValueSet/1234"),
        value_set("folder", "http://acme.org/fhir/"),
        value_set("upper", "http://ACME.org/fhir/ValueSet/123"),
        value_set("host", "http://acme.org"),
        value_set("oid", "urn:oid:1.2.3.4.5"),
        value_set("oid6", "urn:oid:1.2.3.4.5.6"),
        value_set("signs", "http://acme.org/100%25_a?x=1,2|3"),
    ])
    .await;
    let rows = [
        ("ValueSet?url=http://acme.org/fhir/ValueSet/123", "123"),
        ("ValueSet?url=http://acme.org/fhir/ValueSet/12", ""),
        ("ValueSet?url:below=http://acme.org/fhir/", "123 1234 folder history"),
        ("ValueSet?url:below=http://acme.org/fhir/ValueSet/123", "123 history"),
        ("ValueSet?url:below=http://acme.org", "123 1234 folder history host signs"),
        ("ValueSet?url:above=http://acme.org/fhir/ValueSet/123/_history/5", "123 folder history host"),
        ("ValueSet?url:above=http://acme.org/fhir/ValueSet/123", "123 folder host"),
        ("ValueSet?url:above=http://acme.org/fhir/ValueSet/99", "folder host"),
        ("ValueSet?url=urn:oid:1.2.3.4.5", "oid"),
        ("ValueSet?url:above=urn:oid:1.2.3.4.5.6", "oid6"),
        ("ValueSet?url=http://acme.org/fhir/ValueSet/1234,urn:oid:1.2.3.4.5", "1234 oid"),
        ("ValueSet?url=http://acme.org/100%2525_a?x=1\\,2\\|3", "signs"),
        ("ValueSet?url:below=http://acme.org/100%2525_a?x=1\\,2\\|3", "signs"),
    ];
    all_find(&server, &rows).await;
    all_ignored(&server, &[("ValueSet?url:contains=acme", "url:contains", "no modifier ':contains'")]).await;
}
