//! Create, read, vread, update and delete over HTTP, as <https://hl7.org/fhir/R4/http.html> has them.

use crate::support::Server;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_created_resource_is_read_back_and_has_its_headers() {
    let server = Server::start().await;
    let created =
        server.post("Patient", json!({"resourceType": "Patient", "id": "mine", "name": [{"family": "Pérez"}]})).await;
    let created = created.expect(201);
    let id = created.id();
    assert_ne!(id, "mine", "a POSTed id is ignored");
    assert_eq!(created.header("etag"), Some("W/\"1\""));
    assert_eq!(created.header("location"), Some(format!("{}/Patient/{id}/_history/1", server.base).as_str()));
    let read = server.get(&format!("Patient/{id}")).await.expect(200);
    assert_eq!(read.text, created.text);
    assert_eq!(read.header("etag"), Some("W/\"1\""));
    assert_eq!(read.header("last-modified"), created.header("last-modified"));
    assert_eq!(read.json()["name"][0]["family"], "Pérez");
}
