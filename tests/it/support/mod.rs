//! A server of its own for each test, on a database of its own, and a client that reads its answers.

pub mod authority;
pub mod bundle;
pub mod database;
pub mod node;
pub mod smtp;

use brasa::app::Application;
use brasa::config::Settings;
use database::TestDatabase;
use reqwest::Method;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const FHIR_JSON: &str = "application/fhir+json";

/// A running server; it stops and its database goes when it is dropped.
pub struct Server {
    pub base: String,
    pub root: String,
    pub database: TestDatabase,
    client: reqwest::Client,
    stop: Option<brasa::app::Stopper>,
    /// The requests so far: their ids, what they asked, and with which status they were answered.
    asked: Mutex<Vec<(String, String, u16)>>,
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
    /// The body as it came, compressed if it was.
    pub bytes: Vec<u8>,
    headers: reqwest::header::HeaderMap,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|fault| panic!("not JSON ({fault}): {}", self.text))
    }

    /// The only issue of an OperationOutcome, after checking that it is one and carries the request's id.
    pub fn issue(&self) -> Value {
        let outcome = self.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome", "{}", self.text);
        assert_eq!(outcome["id"].as_str(), self.header("x-request-id"), "{}", self.text);
        assert_eq!(outcome["issue"].as_array().map(Vec::len), Some(1), "{}", self.text);
        outcome["issue"][0].clone()
    }

    /// The place that a refusal names.
    pub fn expression(&self) -> String {
        self.issue()["expression"][0].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    pub fn id(&self) -> String {
        self.json()["id"].as_str().expect("the resource has an id").to_owned()
    }
}

/// What a server sends until it closes the connection.
pub async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut bytes)).await;
    read.expect("the server ends its answer").expect("the connection holds");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Somebody who shows a token or a key with each request.
pub struct User<'a> {
    server: &'a Server,
    authorization: String,
}

impl User<'_> {
    /// Sends JSON, or nothing where the body is null. `path` as for [`Server::send`].
    pub async fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        let headers = [("authorization", self.authorization.as_str()), ("content-type", "application/json")];
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.server.send(method, path, &headers, text).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, Value::Null).await
    }
}

impl Server {
    pub async fn start() -> Server {
        Server::start_with(&[]).await
    }

    /// Starts a server with further settings, each under its variable's name.
    pub async fn start_with(settings: &[(&str, &str)]) -> Server {
        Server::on(TestDatabase::make().await, settings).await
    }

    /// Starts a server on a database that exists, such as the one of a server that was stopped.
    pub async fn on(database: TestDatabase, extra: &[(&str, &str)]) -> Server {
        let url = database.url();
        let mut values = vec![
            ("BRASA_LISTEN", "127.0.0.1:0"),
            ("BRASA_DATABASE_URL", url.as_str()),
            ("BRASA_HTTP_WORKERS", "1"),
            ("BRASA_POOL_CONNECTIONS_MAX", "8"),
            ("BRASA_SHARD_COUNT", "4"),
            // Most tests are about storing and finding, and their resources hold no more than that takes.
            ("BRASA_VALIDATION", "off"),
            ("BRASA_SHUTDOWN_SECONDS", "5"),
        ];
        values.extend_from_slice(extra);
        let look_up =
            |name: &str| values.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let settings = Settings::from_env(look_up).expect("the test's settings are right");
        let application = Application::build(&settings, |_| {}).await.unwrap_or_else(|error| panic!("{error:?}"));
        let root = format!("http://{}", application.address);
        let stop = Some(application.stopper());
        tokio::spawn(application.run());
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(120))
            // Where an answer leads to is for the test to judge.
            .redirect(reqwest::redirect::Policy::none())
            // The server closes connections that idle for five seconds; one that is used at that moment would fail.
            .pool_idle_timeout(Duration::from_secs(1))
            .build()
            .unwrap();
        Server { base: format!("{root}/fhir"), root, database, client, stop, asked: Mutex::default() }
    }

    /// Stops the server and leaves its database, for another server.
    pub async fn stop(mut self) -> TestDatabase {
        self.stop.take().expect("it runs").stop().await;
        self.database.clone()
    }

    /// Sends a request. `path` is relative to the base, or a whole address.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}/{path}", self.base) };
        let mut request = self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if let Some(id) = headers.get("x-request-id") {
            let asked = (id.to_str().unwrap().to_owned(), format!("{method} {path}"), status);
            self.asked.lock().unwrap().push(asked);
        }
        let bytes = response.bytes().await.expect("the answer ends").to_vec();
        Answer { status, headers, text: String::from_utf8_lossy(&bytes).into_owned(), bytes }
    }

    /// Opens a connection for a test that writes HTTP by hand.
    pub async fn dial(&self) -> TcpStream {
        TcpStream::connect(self.root.trim_start_matches("http://")).await.expect("the server listens")
    }

    /// Each request so far that asked for a record or for an account has its record, with how it was answered. Bundles are
    /// not looked at: of them each entry is told.
    pub async fn each_is_recorded(&self) {
        let behind = self.database.connect_to_read().await;
        let mut recorded: HashMap<String, Vec<i32>> = HashMap::new();
        let sql = "SELECT record ->> 'request', (record ->> 'status')::int
            FROM (SELECT convert_from(record, 'UTF8')::jsonb AS record FROM audit) told";
        for row in behind.query(sql, &[]).await.unwrap() {
            recorded.entry(row.get(0)).or_default().push(row.get(1));
        }
        let asked = self.asked.lock().unwrap().clone();
        let to_be_told = |what: &str, status: u16| {
            let (method, path) = what.split_once(' ').unwrap();
            let path = path.trim_start_matches(&self.root);
            let is_public = ["metadata", ".well-known", "/auth/style.css"].iter().any(|public| path.contains(public));
            // A page with a form is nobody's access, and what the method means nothing to asks for nothing.
            let is_page = method == "GET" && path.starts_with("/auth/authorize") && status == 200;
            !is_public && !is_page && status != 405
        };
        let mut looked_at = 0;
        for (id, what, status) in asked.iter().filter(|(_, what, status)| to_be_told(what, *status)) {
            let statuses = recorded.get(id).unwrap_or_else(|| panic!("{what} ({status}) has no record"));
            // An app that is sent back with an error was refused.
            let is_sent_back = *status == 303 && statuses.contains(&403);
            assert!(
                is_sent_back || statuses.contains(&i32::from(*status)),
                "{what}: answered {status}, recorded {statuses:?}"
            );
            looked_at += 1;
        }
        assert!(looked_at > 0, "nothing was asked");
    }

    /// Sends bytes as they are over a connection of their own; all that comes back until the server closes it.
    pub async fn raw(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.dial().await;
        stream.write_all(request.as_ref()).await.expect("the server reads");
        read_to_end(&mut stream).await
    }

    /// A client that shows this token or key with each request.
    pub fn as_user(&self, token: &str) -> User<'_> {
        User { server: self, authorization: format!("Bearer {token}") }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, "").await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], "").await
    }

    pub async fn post(&self, path: &str, body: impl ToString) -> Answer {
        self.send("POST", path, &[("content-type", FHIR_JSON)], body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: impl ToString) -> Answer {
        self.send("PUT", path, &[("content-type", FHIR_JSON)], body.to_string()).await
    }

    pub async fn put_with(&self, path: &str, headers: &[(&str, &str)], body: impl ToString) -> Answer {
        let mut headers = headers.to_vec();
        headers.push(("content-type", FHIR_JSON));
        self.send("PUT", path, &headers, body.to_string()).await
    }

    pub async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: impl ToString) -> Answer {
        let mut headers = headers.to_vec();
        headers.push(("content-type", FHIR_JSON));
        self.send("POST", path, &headers, body.to_string()).await
    }
}
