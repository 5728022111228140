//! Clients that are slow or go away, and searches that take too long: they hold nothing for long.

use crate::support::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::Client;

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

/// Makes every search by a code wait until the connection is dropped, and nothing else.
async fn bar_searches(server: &Server) -> Client {
    let holder = server.database.connect().await;
    holder.batch_execute("BEGIN; LOCK TABLE search_token IN ACCESS EXCLUSIVE MODE").await.unwrap();
    holder
}

/// Waits until so many of the server's statements wait for the lock.
async fn until_waiting(server: &Server, wanted: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
        AND query LIKE '%search_token%' AND pid <> pg_backend_pid()";
    let watcher = server.database.connect().await;
    for _ in 0..600 {
        if watcher.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == wanted {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("there never were {wanted} waiting statements");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_takes_too_long_is_stopped_in_the_database_and_bars_nobody_else() {
    let server = Server::start_with(&[("BRASA_DATABASE_DEADLINE_MS", "1500")]).await;
    let id = server.post("Patient", r#"{"resourceType":"Patient"}"#).await.expect(201).id();
    let holder = bar_searches(&server).await;
    let refused = server.get("Observation?code=x").await.expect(400);
    assert_eq!(refused.issue()["code"], "too-costly");
    assert!(refused.issue()["diagnostics"].as_str().unwrap().contains("Narrow it"), "{}", refused.text);
    server.get(&format!("Patient/{id}")).await.expect(200);
    until_waiting(&server, 0).await;
    drop(holder);
    server.get("Observation?code=x").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_whose_client_went_away_is_stopped_in_the_database() {
    let server = Server::start().await;
    let holder = bar_searches(&server).await;
    let address = server.root.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request = format!("GET /fhir/Observation?code=x HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    until_waiting(&server, 1).await;
    drop(stream);
    until_waiting(&server, 0).await;
    drop(holder);
    server.get("Observation?code=x").await.expect(200);
}
