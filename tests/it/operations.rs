//! What an operator relies on: health, readiness, limits on load, logs, settings, and an orderly end.

use crate::support::database::{TestDatabase, citus_url};
use crate::support::{FHIR_JSON, Server, read_to_end};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;

/// How long a test waits for what must come (a loaded machine is slow).
const PATIENCE: Duration = Duration::from_secs(240);

/// Asks again and again until the answer is as expected.
async fn until<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let started = Instant::now();
    while !ask().await {
        assert!(started.elapsed() < PATIENCE, "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A request whose body is only begun: it is under way until the rest is sent.
struct Begun {
    stream: TcpStream,
    rest: String,
}

impl Begun {
    async fn post(mut stream: TcpStream, body: &Value) -> Begun {
        let body = body.to_string();
        let (first, rest) = body.split_at(body.len() - 1);
        let head = "POST /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nConnection: close";
        let length = body.len();
        let text = format!("{head}\r\nContent-Type: {FHIR_JSON}\r\nContent-Length: {length}\r\n\r\n{first}");
        stream.write_all(text.as_bytes()).await.unwrap();
        Begun { stream, rest: rest.to_owned() }
    }

    async fn end(mut self) -> String {
        self.stream.write_all(self.rest.as_bytes()).await.unwrap();
        read_to_end(&mut self.stream).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_limit_are_sent_away_and_welcome_later() {
    let server = Server::start_with(&[("BRASA_REQUESTS_IN_FLIGHT_MAX", "1")]).await;
    let begun = Begun::post(server.dial().await, &json!({"resourceType": "Patient"})).await;
    until("the limit", || async { server.get("metadata").await.status == 503 }).await;
    let refused = server.get("Patient/p").await.expect(503);
    assert_eq!((refused.header("retry-after"), &refused.issue()["code"]), (Some("1"), &json!("transient")));
    server.get(&format!("{}/health", server.root)).await.expect(200);
    let answer = begun.end().await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    server.get("metadata").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_would_take_too_much_together_are_sent_away() {
    let settings = [("BRASA_BODY_BYTES_MAX", "8KiB"), ("BRASA_BODIES_IN_FLIGHT_BYTES_MAX", "8KiB")];
    let server = Server::start_with(&settings).await;
    let large = json!({"resourceType": "Patient", "language": "x".repeat(6000)});
    let begun = Begun::post(server.dial().await, &large).await;
    until("the limit", || async { server.post("Patient", &large).await.status == 503 }).await;
    let refused = server.post("Patient", &large).await.expect(503);
    assert_eq!((refused.header("retry-after"), &refused.issue()["code"]), (Some("1"), &json!("transient")));
    server.post("Patient", json!({"resourceType": "Patient"})).await.expect(201);
    assert!(begun.end().await.starts_with("HTTP/1.1 201"));
    server.post("Patient", &large).await.expect(201);
}

/// A way to the database that can be cut: connections through it are passed on to the real one.
struct Way {
    port: u16,
    passing: JoinSet<()>,
}

impl Way {
    async fn open(database: &TestDatabase, port: u16) -> Way {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let config: tokio_postgres::Config = database.url().parse().unwrap();
        let mut passing = JoinSet::new();
        passing.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let (host, port) = (config.get_hosts()[0].clone(), config.get_ports().first().copied().unwrap_or(5432));
                connections.spawn(async move {
                    let passed = match host {
                        tokio_postgres::config::Host::Unix(folder) => {
                            let mut far = UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await.unwrap();
                            tokio::io::copy_bidirectional(&mut near, &mut far).await
                        }
                        tokio_postgres::config::Host::Tcp(name) => {
                            let mut far = TcpStream::connect((name, port)).await.unwrap();
                            tokio::io::copy_bidirectional(&mut near, &mut far).await
                        }
                    };
                    drop(passed);
                });
            }
        });
        Way { port, passing }
    }

    /// The database's address through this way.
    fn url(&self, database: &TestDatabase) -> String {
        let config: tokio_postgres::Config = database.url().parse().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut url = format!(
            "host=127.0.0.1 port={} user={} dbname={}",
            self.port,
            config.get_user().unwrap(),
            config.get_dbname().unwrap()
        );
        url.extend(config.get_password().map(|password| format!(" password={}", text(password))));
        url.extend(config.get_options().map(|options| format!(" options='{options}'")));
        url
    }

    async fn cut(mut self) -> u16 {
        self.passing.shutdown().await;
        self.port
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_the_server_lives_is_not_ready_and_recovers() {
    let database = TestDatabase::make().await;
    let way = Way::open(&database, 0).await;
    let server = Server::on(database.clone(), &[("BRASA_DATABASE_URL", &way.url(&database))]).await;
    let (health, ready) = (format!("{}/health", server.root), format!("{}/ready", server.root));
    server.get(&ready).await.expect(200);
    server.put("Patient/p", json!({"resourceType": "Patient", "id": "p"})).await.expect(201);
    let port = way.cut().await;
    server.get(&health).await.expect(200);
    let waiting = server.get(&ready).await.expect(503);
    assert!(waiting.header("retry-after").is_some() && waiting.json()["reason"].is_string(), "{}", waiting.text);
    // On Citus the workers are still there, and with them the patients.
    if citus_url().is_none() {
        for answer in [server.get("Patient/p").await, server.post("Patient", json!({"resourceType": "Patient"})).await]
        {
            assert_eq!((answer.status, &answer.issue()["code"]), (503, &json!("transient")), "{}", answer.text);
            assert!(answer.header("retry-after").is_some());
        }
    }
    server.get("metadata").await.expect(200);
    let _way = Way::open(&database, port).await;
    until("readiness", || async { server.get(&ready).await.status == 200 }).await;
    until("the patient", || async { server.get("Patient/p").await.status == 200 }).await;
    let history = server.get("Patient/_history").await.expect(200).json();
    assert_eq!(history["entry"].as_array().unwrap().len(), 1, "what was refused was not written");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_readiness_answer_head_and_name_the_request() {
    let server = Server::start().await;
    for path in ["health", "ready", ""] {
        let url = format!("{}/{path}", server.root);
        let answer = server.get_with(&url, &[("x-request-id", "probe-1")]).await.expect(200);
        assert_eq!((answer.header("x-request-id"), answer.json().is_object()), (Some("probe-1"), true), "{path}");
        assert_eq!(server.send("HEAD", &url, &[], "").await.expect(200).text, "");
        let refused = server.post(&url, "{}").await.expect(405);
        assert_eq!((refused.header("allow"), &refused.issue()["code"]), (Some("GET, HEAD"), &json!("not-supported")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_there_after_a_restart() {
    let server = Server::start().await;
    let body = json!({"resourceType": "Observation", "id": "o", "subject": {"reference": "Patient/p"}});
    let written = server.put("Observation/o", body).await.expect(201);
    let restarted = Server::on(server.stop().await, &[]).await;
    assert_eq!(restarted.get("Observation/o").await.expect(200).text, written.text);
    assert_eq!(restarted.get("Observation/o/_history").await.expect(200).json()["total"], 1);
}

/// The real program, with what it writes to standard error.
struct Program {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<std::thread::JoinHandle<()>>,
    /// It stays as long as the program.
    _database: Option<TestDatabase>,
}

impl Program {
    fn start(settings: &[(&str, &str)]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_brasa"));
        command.arg("serve").env_clear().env("PATH", std::env::var_os("PATH").unwrap()).envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (stderr, kept) = (child.stderr.take().unwrap(), Arc::clone(&lines));
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Program { child, lines, reader: Some(reader), _database: None }
    }

    /// Serves on a free port, on a database of its own; with the address of its root.
    async fn serve(settings: &[(&str, &str)]) -> (Program, String) {
        let database = TestDatabase::make().await;
        let url = database.url();
        let mut all = vec![
            ("BRASA_DATABASE_URL", url.as_str()),
            ("BRASA_LISTEN", "127.0.0.1:0"),
            ("BRASA_SHARD_COUNT", "4"),
            ("BRASA_VALIDATION", "off"),
            ("BRASA_HTTP_WORKERS", "1"),
        ];
        all.extend_from_slice(settings);
        let mut program = Program::start(&all);
        program._database = Some(database.clone());
        let mut line = String::new();
        until("the address", || {
            line = program.line_with("FHIR R4 at ").unwrap_or_default();
            std::future::ready(!line.is_empty())
        })
        .await;
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
        (program, format!("http://{address}"))
    }

    fn line_with(&self, words: &str) -> Option<String> {
        self.lines.lock().unwrap().iter().find(|line| line.contains(words)).cloned()
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for the end; with all that was written.
    async fn end(mut self) -> (ExitStatus, Vec<String>) {
        let mut status = None;
        until("the end", || {
            status = self.child.try_wait().unwrap();
            std::future::ready(status.is_some())
        })
        .await;
        self.reader.take().unwrap().join().unwrap();
        let lines = self.lines.lock().unwrap().clone();
        (status.unwrap(), lines)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_stop_ends_what_is_under_way_and_then_itself() {
    for signal in ["TERM", "INT"] {
        let (program, root) = Program::serve(&[("BRASA_REQUESTS_IN_FLIGHT_MAX", "1")]).await;
        let client = reqwest::Client::new();
        let dialled = TcpStream::connect(root.trim_start_matches("http://")).await.unwrap();
        let begun = Begun::post(dialled, &json!({"resourceType": "Patient"})).await;
        let metadata = format!("{root}/fhir/metadata");
        until("the request", || async { client.get(&metadata).send().await.unwrap().status() == 503 }).await;
        program.signal(signal);
        until("the stop", || std::future::ready(program.line_with("Stopping").is_some())).await;
        let answer = begun.end().await;
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        let (status, lines) = program.end().await;
        assert_eq!(status.code(), Some(0), "{lines:?}");
        assert!(client.get(&metadata).send().await.is_err(), "nobody listens any more");
    }
}

/// What stands for a patient in the next test. No part of it may reach the log.
const CANARY: &str = "Zyxcanary";

/// Requests that carry the canary wherever a client can put it: method, path, query and body.
fn canary_requests() -> Vec<(&'static str, String, String)> {
    let patient = json!({"resourceType": "Patient", "id": CANARY, "name": [{"family": CANARY}],
        "identifier": [{"system": format!("http://{CANARY}"), "value": CANARY}]});
    let conditional = json!({"resourceType": "Bundle", "type": "transaction", "entry": [{
        "resource": {"resourceType": "Observation", "performer": [{"reference": format!("Practitioner?identifier={CANARY}")}]},
        "request": {"method": "POST", "url": "Observation"}}]});
    let dangling = conditional.to_string().replace("Practitioner?identifier=", "urn:uuid:");
    let batch = conditional.to_string().replace("transaction", "batch");
    let body = patient.to_string();
    let requests: Vec<(&'static str, String, String)> = vec![
        ("PUT", format!("Patient/{CANARY}"), body.clone()),
        ("PUT", format!("Patient/{CANARY}"), body.clone()),
        ("POST", "Patient".to_owned(), body.clone()),
        ("GET", format!("Patient/{CANARY}"), String::new()),
        ("GET", format!("Patient/{CANARY}/_history"), String::new()),
        ("GET", format!("Patient/{CANARY}/_history/{CANARY}"), String::new()),
        ("GET", format!("Patient/_history?_since={CANARY}&_page={CANARY}"), String::new()),
        ("GET", format!("Patient?name={CANARY}"), String::new()),
        ("GET", format!("{CANARY}/{CANARY}?{CANARY}={CANARY}"), String::new()),
        ("GET", format!("Practitioner/{CANARY}_"), String::new()),
        ("POST", "Patient".to_owned(), body.replace("}]", "}},")),
        ("POST", "Patient".to_owned(), body.replace("\"id\"", "\"resourceType\"")),
        ("PUT", "Patient/other".to_owned(), body.clone()),
        ("POST", "Observation".to_owned(), body),
        ("POST", String::new(), conditional.to_string()),
        ("POST", String::new(), dangling),
        ("POST", String::new(), batch),
        ("DELETE", format!("Patient/{CANARY}"), String::new()),
        ("GET", format!("Patient/{CANARY}"), String::new()),
        (CANARY, format!("Patient/{CANARY}"), String::new()),
    ];
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_one_line_for_each_request_and_nothing_of_any_patient() {
    let (program, root) = Program::serve(&[("BRASA_LOG", "trace"), ("BRASA_LOG_FORMAT", "json")]).await;
    let client = reqwest::Client::new();
    let mut expected = BTreeMap::new();
    for (n, (method, path, body)) in canary_requests().into_iter().enumerate() {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = client.request(method, format!("{root}/fhir/{path}")).body(body);
        let request = request.header("content-type", FHIR_JSON).header("x-request-id", format!("line-{n}"));
        let request = request.header("if-none-exist-not", CANARY).header("user-agent", CANARY);
        expected.insert(format!("line-{n}"), request.send().await.unwrap().status().as_u16());
    }
    for path in ["health", "ready"] {
        let request = client.get(format!("{root}/{path}")).header("x-request-id", path);
        expected.insert(path.to_owned(), request.send().await.unwrap().status().as_u16());
    }
    program.signal("TERM");
    let (_, lines) = program.end().await;
    let spoken = |line: &&String| line.to_lowercase().contains(&CANARY.to_lowercase());
    assert_eq!(lines.iter().filter(spoken).collect::<Vec<_>>(), Vec::<&String>::new());
    let mut logged = BTreeMap::new();
    for line in lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let Some(id) = line["id"].as_str().filter(|_| line.get("status").is_some()) else { continue };
        assert!(line["interaction"].is_string() && line["method"].is_string(), "{line}");
        assert!(line["duration_ms"].as_f64().is_some_and(|time| time > 0.0) && line["timestamp"].is_string(), "{line}");
        let twice =
            logged.insert(id.to_owned(), (u16::try_from(line["status"].as_u64().unwrap()).unwrap(), line.clone()));
        assert!(twice.is_none(), "two lines for one request: {line}");
    }
    let statuses: BTreeMap<String, u16> = logged.iter().map(|(id, (status, _))| (id.clone(), *status)).collect();
    assert_eq!(statuses, expected);
    let named = |id: &str| (logged[id].1["interaction"].clone(), logged[id].1["resource_type"].clone());
    assert_eq!(named("line-0"), (json!("update"), json!("Patient")));
    assert_eq!(named("line-2"), (json!("create"), json!("Patient")));
    assert_eq!(named("line-5"), (json!("vread"), json!("Patient")));
    assert_eq!(named("health"), (json!("health"), Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_setting_stops_the_start_and_is_named() {
    for (name, value) in [
        ("BRASA_PAGE_COUNT_MAX", "many"),
        ("BRASA_LISTEN", "localhost"),
        ("BRASA_BASE_URL", "fhir.example.org"),
        ("BRASA_BODY_BYTES_MAX", "1"),
        ("BRASA_LISTENN", "127.0.0.1:0"),
        ("BRASA_MODE", "production"),
        ("BRASA_AUTH", "yes"),
        ("BRASA_ADMIN_PASSWORD", "alone"),
    ] {
        let (status, lines) = Program::start(&[(name, value)]).end().await;
        assert_eq!(status.code(), Some(1), "{name}={value}: {lines:?}");
        assert!(lines.iter().any(|line| line.contains(name)), "{name}={value}: {lines:?}");
    }
}
