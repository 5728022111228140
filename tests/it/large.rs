//! Bundles as large as the limits allow: bounded memory, and nothing half-written when the database goes away.

use crate::support::bundle::{observation, post_as, put, transaction};
use crate::support::database::TestDatabase;
use crate::support::{FHIR_JSON, Server};
use serde_json::json;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ENTRIES: usize = 25_000;
const BUNDLE_BYTES: usize = 60_000_000;
/// The most that the server's memory may have grown to (KiB) while it stored one such Bundle, and two at once.
const MEMORY_KIB_MAX: u64 = 260 * 1024;
const MEMORY_OF_TWO_KIB_MAX: u64 = 500 * 1024;
/// An update holds the version that it supersedes besides its own.
const UPDATES: usize = 10_000;
const MEMORY_OF_UPDATES_KIB_MAX: u64 = 190 * 1024;

/// `brasa serve` as a process of its own, stopped when it is dropped.
struct Process {
    child: Child,
    base: String,
}

impl Process {
    fn start(database: &TestDatabase) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_brasa"));
        command.arg("serve").env_clear().env("BRASA_DATABASE_URL", database.url()).env("BRASA_LISTEN", "127.0.0.1:0");
        command.env("BRASA_SHARD_COUNT", "4").env("BRASA_VALIDATION", "off").env("BRASA_LOG", "error");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let address = line.split_once("FHIR R4 at ")?.1;
            Some(address.split(' ').next()?.to_owned())
        });
        // Read on, so that the process never waits for a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Process { child, base: said.expect("the server says its address") }
    }

    /// The most memory that the process ever held (KiB).
    fn memory_kib_max(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    async fn post(&self, bundle: String) -> (u16, String) {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(300)).build().unwrap();
        let request = client.post(&self.base).header("content-type", FHIR_JSON).body(bundle);
        let answer = request.send().await.expect("the server answers");
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A Bundle of one patient with a long record, as text of about 2.4 kB an entry. `chosen`: under ids of the client's.
fn large_bundle(entries: usize, chosen: bool) -> String {
    let mut text = String::with_capacity(BUNDLE_BYTES / ENTRIES * entries + 1_000_000);
    text.push_str(r#"{"resourceType":"Bundle","type":"transaction","entry":["#);
    let mut random: u64 = 1;
    for n in 0..entries {
        let resource_type = if n == 0 { "Patient" } else { "Observation" };
        let id = if chosen { format!(r#""id":"a{n}","#) } else { String::new() };
        let comma = if n == 0 { "" } else { "," };
        write!(text, r#"{comma}{{"fullUrl":"urn:uuid:{n}","resource":{{"resourceType":"{resource_type}",{id}"#)
            .unwrap();
        text.push_str(r#""status":"final","code":{"text":"a"},"subject":{"reference":"urn:uuid:0"},"note":[{"text":""#);
        // Notes that do not repeat, or compression would hide what the Bundle weighs.
        while text.len() < BUNDLE_BYTES / ENTRIES * (n + 1) - 80 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            write!(text, "{random:x} ").unwrap();
        }
        let (method, id) = if chosen { ("PUT", format!("/a{n}")) } else { ("POST", String::new()) };
        write!(text, r#""}}]}},"request":{{"method":"{method}","url":"{resource_type}{id}"}}}}"#).unwrap();
    }
    text.push_str("]}");
    text
}

async fn count(database: &TestDatabase) -> usize {
    let client = database.connect().await;
    let count: i64 = client.query_one("SELECT count(*) FROM resource", &[]).await.unwrap().get(0);
    usize::try_from(count).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bundles_of_25000_entries_and_60_megabytes_are_stored_within_bounded_memory() {
    let database = TestDatabase::make().await;
    let process = Process::start(&database);
    let bundle = large_bundle(ENTRIES, false);
    assert!((BUNDLE_BYTES - 1000..BUNDLE_BYTES + 100_000).contains(&bundle.len()), "{}", bundle.len());
    let started = Instant::now();
    let (status, text) = process.post(bundle.clone()).await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(text.matches("\"201 Created\"").count(), ENTRIES);
    assert_eq!(count(&database).await, ENTRIES);
    let one = process.memory_kib_max();
    eprintln!("one Bundle: {} MiB at most, {:.1} s", one / 1024, started.elapsed().as_secs_f64());
    assert!(one <= MEMORY_KIB_MAX, "{one} KiB");

    let started = Instant::now();
    let (first, second) = tokio::join!(process.post(bundle.clone()), process.post(bundle));
    assert_eq!((first.0, second.0), (200, 200), "{} {}", first.1, second.1);
    assert_eq!(count(&database).await, 3 * ENTRIES);
    let two = process.memory_kib_max();
    eprintln!("two at once: {} MiB at most, {:.1} s", two / 1024, started.elapsed().as_secs_f64());
    assert!(two <= MEMORY_OF_TWO_KIB_MAX, "{two} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn updating_10000_resources_in_one_bundle_needs_no_more_memory_than_the_bound() {
    let database = TestDatabase::make().await;
    let process = Process::start(&database);
    let bundle = large_bundle(UPDATES, true);
    for round in 1..=2 {
        let (status, text) = process.post(bundle.clone()).await;
        assert_eq!(status, 200, "{text}");
        eprintln!("10,000 PUTs, round {round}: {} MiB at most", process.memory_kib_max() / 1024);
    }
    let client = database.connect().await;
    let updated: i64 =
        client.query_one("SELECT count(*) FROM resource WHERE version_id = 2", &[]).await.unwrap().get(0);
    assert_eq!(usize::try_from(updated), Ok(UPDATES));
    assert!(process.memory_kib_max() <= MEMORY_OF_UPDATES_KIB_MAX, "{} KiB", process.memory_kib_max());
}

/// Ends the session that waits for the test's lock, wherever in the cluster it is. True when there was one.
async fn end_waiting_session(watcher: &tokio_postgres::Client, on_citus: bool) -> bool {
    // On a worker the session that holds the lock is known by the test's schema in the name of the shard.
    let schema: String = watcher.query_one("SELECT current_schema()::text", &[]).await.unwrap().get(0);
    let holder = if on_citus { format!("holder.query LIKE '%{schema}.%'") } else { "true".to_owned() };
    let sql = format!(
        "SELECT count(pg_terminate_backend(waiting.pid)) FROM pg_stat_activity AS waiting
        WHERE waiting.datname = current_database() AND waiting.wait_event_type = 'Lock' AND EXISTS (
            SELECT FROM pg_stat_activity AS holder
            WHERE holder.pid = ANY (pg_blocking_pids(waiting.pid)) AND {holder})"
    );
    if !on_citus {
        return watcher.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0) > 0;
    }
    let everywhere = "SELECT coalesce(sum(result::bigint), 0)::bigint FROM run_command_on_all_nodes($1)";
    watcher.query_one(everywhere, &[&sql]).await.unwrap().get::<_, i64>(0) > 0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_session_that_ends_in_the_middle_of_a_transaction_leaves_nothing_half_written() {
    let server = Server::start().await;
    let before = server.rows().await;
    let mut blocker = server.database.connect().await;
    let watcher = server.database.connect().await;
    // The transaction's last row waits for this one, which is not committed: thousands are written by then.
    let lock = blocker.transaction().await.unwrap();
    let row = "INSERT INTO resource (compartment, type, id, version_id, last_updated, method)
        VALUES ('mine', 'Observation', 'last', 1, now(), 'PUT')";
    lock.execute(row, &[]).await.unwrap();
    let mut entries: Vec<_> =
        (0..3000).map(|n| post_as(&format!("urn:uuid:{n}"), observation("Patient/mine"))).collect();
    entries.push(put(json!({"resourceType": "Patient", "id": "mine"})));
    let mut last = observation("Patient/mine");
    last["id"] = "last".into();
    entries.push(put(last));
    let bundle = transaction(entries);
    let cut = async {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !end_waiting_session(&watcher, server.database.is_citus()).await {
            assert!(Instant::now() < deadline, "the transaction reaches its last row");
        }
    };
    let (answer, ()) = tokio::join!(server.post("", &bundle), cut);
    lock.rollback().await.unwrap();
    let answer = answer.expect(503);
    assert!(answer.header("retry-after").is_some() || answer.issue()["code"] == "incomplete", "{}", answer.text);
    assert_eq!(server.rows().await, before);
    // The client does what the answer says: it tries again after a while.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let again = server.post("", &bundle).await;
        if again.status == 200 {
            break;
        }
        assert_eq!(again.status, 503, "{}", again.text);
        let seconds = again.header("retry-after").expect("it says when to try again").parse().unwrap();
        assert!(Instant::now() < deadline, "{}", again.text);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
    assert_eq!(count(&server.database).await, 3002);
}
