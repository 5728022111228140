//! Clients that are slow or go away: they hold nothing for long.

use crate::support::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_in_the_middle_of_its_body_is_given_up_and_frees_its_place() {
    let settings = [("BRASA_BODY_IDLE_SECONDS", "1"), ("BRASA_REQUESTS_IN_FLIGHT_MAX", "1")];
    let server = Server::start_with(&settings).await;
    let address = server.root.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /fhir/Patient HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/fhir+json\r\nContent-Length: 100\r\n\r\n{{\"resou"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The connection is closed after the answer: what is left of the body could not be told from a next request.
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"code\":\"timeout\"") && answer.contains("1 s"), "{answer}");
    server.get("Patient/none").await.expect(404);
}
