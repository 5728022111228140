//! Bad days: databases and servers are killed, disks are full, workers are lost. What was acknowledged stays.

use crate::support::database::{TestDatabase, citus_url};
use crate::support::{Answer, FHIR_JSON, Server};
use brasa::store::embedded::{EmbeddedPostgres, Role};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Long enough for a database to come back on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_of_the_database_and_the_server_goes_on_by_itself() {
    let scratch = Scratch::new("killed-database");
    let mut brasa = Brasa::start(&scratch.folder);
    let mut acknowledged = BTreeMap::new();
    for number in 0..60 {
        let created = brasa.post("Patient", patient(number)).await;
        acknowledged.insert(created.0.expect("created"), number);
    }
    let writer = tokio::spawn(write_until_refused(brasa.base.clone(), 60));
    tokio::time::sleep(Duration::from_millis(200)).await;
    scratch.kill_postgres();
    acknowledged.extend(writer.await.unwrap());
    brasa.until_ready().await;
    for (id, number) in &acknowledged {
        let read = brasa.get(&format!("Patient/{id}")).await;
        assert_eq!(read.0, 200, "Patient/{id}");
        assert!(read.1.contains(&format!("\"n{number}\"")), "{}", read.1);
    }
    assert!(brasa.post("Patient", patient(0)).await.0.is_some(), "writes go on");
    brasa.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_of_the_server() {
    let scratch = Scratch::new("killed-server");
    let mut brasa = Brasa::start(&scratch.folder);
    let writer = tokio::spawn(write_until_refused(brasa.base.clone(), 0));
    tokio::time::sleep(Duration::from_millis(500)).await;
    brasa.child.kill().unwrap();
    brasa.child.wait().unwrap();
    let acknowledged = writer.await.unwrap();
    assert!(!acknowledged.is_empty());
    let mut brasa = Brasa::start(&scratch.folder);
    for (id, number) in &acknowledged {
        let read = brasa.get(&format!("Patient/{id}")).await;
        assert!(read.0 == 200 && read.1.contains(&format!("\"n{number}\"")), "Patient/{id}: {}", read.1);
    }
    brasa.terminate();
    assert!(scratch.postmaster().is_none(), "the database stops with its server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_answered_with_503_and_the_server_lives() {
    let scratch = Scratch::new("away");
    let embedded = EmbeddedPostgres::start(&scratch.folder, Role::Owner, |_: &str| {}).await.unwrap();
    let database = TestDatabase::elsewhere(format!("host={} user=brasa dbname=brasa", scratch.socket()));
    let server = Server::on(database, &[("BRASA_DATABASE_DEADLINE_MS", "2000")]).await;
    let id = server.post("Patient", patient(1)).await.expect(201).id();
    scratch.kill_postgres();
    let refused = server.get(&format!("Patient/{id}")).await.expect(503);
    assert_eq!(refused.issue()["code"], "transient");
    assert!(refused.header("retry-after").is_some());
    let refused = server.post("Patient", patient(2)).await.expect(503);
    assert!(["transient", "incomplete"].contains(&refused.issue()["code"].as_str().unwrap()));
    server.get(&format!("{}/ready", server.root)).await.expect(503);
    server.get(&format!("{}/health", server.root)).await.expect(200);
    assert!(embedded.revive().await.unwrap(), "it had to be started");
    let read = until(async || server.get(&format!("Patient/{id}")).await, |answer: &Answer| answer.status == 200).await;
    assert_eq!(read.id(), id);
    embedded.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_freezes_is_given_up_at_the_deadline_and_used_again_when_it_thaws() {
    let scratch = Scratch::new("frozen");
    let embedded = EmbeddedPostgres::start(&scratch.folder, Role::Owner, |_: &str| {}).await.unwrap();
    let database = TestDatabase::elsewhere(format!("host={} user=brasa dbname=brasa", scratch.socket()));
    let server = Server::on(database, &[("BRASA_DATABASE_DEADLINE_MS", "700")]).await;
    let id = server.post("Patient", patient(1)).await.expect(201).id();
    scratch.signal_all("STOP");
    let started = Instant::now();
    server.get(&format!("Patient/{id}")).await.expect(503);
    let unknown = server.post("Patient", patient(2)).await.expect(503);
    assert!(["transient", "incomplete"].contains(&unknown.issue()["code"].as_str().unwrap()));
    assert!(started.elapsed() < PATIENCE, "nobody waits for a frozen database for long");
    scratch.signal_all("CONT");
    until(async || server.get(&format!("Patient/{id}")).await, |answer| answer.status == 200).await;
    until(async || server.post("Patient", patient(3)).await, |answer| answer.status == 201).await;
    embedded.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_answered_clearly_and_leaves_nothing_half_written() {
    let scratch = Scratch::new("full");
    std::fs::create_dir_all(&scratch.folder).unwrap();
    let Some(_mounted) = Mounted::on(&scratch.folder) else {
        eprintln!("NOT TESTED: a full disk; mounting a small one needs root");
        return;
    };
    let embedded = EmbeddedPostgres::start(&scratch.folder, Role::Owner, |_: &str| {}).await.unwrap();
    let database = TestDatabase::elsewhere(format!("host={} user=brasa dbname=brasa", scratch.socket()));
    let server =
        Server::on(database.clone(), &[("BRASA_BODY_CODEC", "json"), ("BRASA_POOL_CONNECTIONS_MAX", "2")]).await;
    let before = server.post("Patient", patient(1)).await.expect(201).id();
    let ballast = scratch.folder.join("ballast");
    Command::new("dd")
        .args(["if=/dev/zero", "bs=1M"])
        .arg(format!("of={}", ballast.display()))
        .stderr(Stdio::null())
        .status()
        .unwrap();
    // Random text does not compress: each needs room of its own.
    let noise: String = (0..60_000).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect();
    let entry = json!({"request": {"method": "POST", "url": "Patient"}, "resource": {"resourceType": "Patient", "language": "noise", "name": [{"text": noise}]}});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": vec![entry; 64]}).to_string();
    let mut stored = 0;
    let refused = loop {
        let answer = server.post("", &bundle).await;
        if answer.status != 200 {
            break answer;
        }
        stored += 64;
        assert!(stored < 6400, "the disk is never full");
    };
    assert_eq!(refused.status, 503, "{}", refused.text);
    server.get(&format!("{}/health", server.root)).await.expect(200);
    std::fs::remove_file(&ballast).unwrap();
    until(
        async || {
            embedded.revive().await.ok();
            server.get(&format!("Patient/{before}")).await
        },
        |answer| answer.status == 200,
    )
    .await;
    let client = database.connect().await;
    let rows: i64 = client.query_one("SELECT count(*) FROM resource", &[]).await.unwrap().get(0);
    assert_eq!((rows - 1) % 64, 0, "whole transactions only, of {rows} rows");
    server.post("Patient", patient(2)).await.expect(201);
    embedded.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_worker_takes_only_its_own_patients_away() {
    if citus_url().is_none() {
        return;
    }
    let cluster = Cluster::start();
    let server =
        Server::on(TestDatabase::elsewhere(cluster.url.clone()), &[("BRASA_DATABASE_DEADLINE_MS", "3000")]).await;
    let mut ids = Vec::new();
    for number in 0..24 {
        ids.push(server.post("Patient", patient(number)).await.expect(201).id());
    }
    let parameter = json!({"resourceType": "SearchParameter", "url": "urn:test:called", "status": "active", "code": "called",
        "base": ["Patient"], "type": "string", "expression": "Patient.name.family"});
    server.post("SearchParameter", parameter).await.expect(201);
    let strictly = [("prefer", "handling=strict")];
    until(async || server.get_with("Patient?called=n1", &strictly).await, |answer| answer.status == 200).await;
    cluster.run(&["kill", &cluster.folder, "worker-2"]);
    // One that starts now cannot read all search parameters; those that are answered it knows.
    let late =
        Server::on(TestDatabase::elsewhere(cluster.url.clone()), &[("BRASA_DATABASE_DEADLINE_MS", "3000")]).await;
    let listed = late.get("$reindex").await.expect(200);
    assert!(listed.text.contains("\"called\""), "{}", listed.text);
    let (mut there, mut away) = (0, 0);
    for id in &ids {
        let answer = server.get(&format!("Patient/{id}")).await;
        match answer.status {
            200 => {
                there += 1;
                late.get(&format!("Patient/{id}")).await.expect(200);
            }
            503 => {
                away += 1;
                assert_eq!(answer.issue()["code"], "transient");
                assert!(answer.header("retry-after").is_some());
            }
            other => panic!("{other}: {}", answer.text),
        }
    }
    assert!(there > 0 && away > 0, "{there} there, {away} away");
    server.get("_history").await.expect(503);
    server.get(&format!("{}/ready", server.root)).await.expect(200);
    cluster.run(&["revive", &cluster.folder, "worker-2"]);
    for id in &ids {
        until(async || server.get(&format!("Patient/{id}")).await, |answer| answer.status == 200).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_only_the_coordinator_may_reach_is_reached_through_the_coordinator() {
    if citus_url().is_none() {
        return;
    }
    let cluster = Cluster::start();
    cluster.demand_encryption("worker-1").await;
    let server = Server::on(TestDatabase::elsewhere(cluster.url.clone()), &[]).await;
    for number in 0..12 {
        let id = server.post("Patient", patient(number)).await.expect(201).id();
        server.get(&format!("Patient/{id}")).await.expect(200);
    }
    assert_eq!(cluster.direct_connections("worker-1").await, 0, "it refuses what is not encrypted");
    assert!(cluster.direct_connections("worker-2").await > 0, "the other one is asked directly");
}

fn patient(number: usize) -> String {
    json!({"resourceType": "Patient", "name": [{"family": format!("n{number}")}]}).to_string()
}

/// Creates patients one after the other until one is refused; those that were acknowledged, by id.
async fn write_until_refused(base: String, from: usize) -> BTreeMap<String, usize> {
    let client = reqwest::Client::new();
    let mut acknowledged = BTreeMap::new();
    for number in from.. {
        let sent =
            client.post(format!("{base}/Patient")).header("content-type", FHIR_JSON).body(patient(number)).send().await;
        let Ok(answer) = sent else { break };
        if answer.status().as_u16() != 201 {
            break;
        }
        let Ok(text) = answer.text().await else { break };
        let created: serde_json::Value = serde_json::from_str(&text).unwrap();
        acknowledged.insert(created["id"].as_str().unwrap().to_owned(), number);
    }
    acknowledged
}

/// Asks again until the answer is as wanted, with a bound on the time and not on the number of tries.
async fn until(ask: impl AsyncFn() -> Answer, wanted: impl Fn(&Answer) -> bool) -> Answer {
    let started = Instant::now();
    loop {
        let answer = ask().await;
        if wanted(&answer) {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "still {}: {}", answer.status, answer.text);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A data folder of one test.
struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    fn new(name: &str) -> Scratch {
        Scratch { folder: std::env::temp_dir().join(format!("brasa-fault-{}-{name}", std::process::id())) }
    }

    fn socket(&self) -> String {
        self.folder.join("socket").display().to_string()
    }

    fn postmaster(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.folder.join("postgres/postmaster.pid")).ok()?;
        text.lines().next().map(str::to_owned)
    }

    /// Sends a signal to PostgreSQL and all its processes.
    fn signal_all(&self, signal: &str) {
        let pid = self.postmaster().expect("PostgreSQL runs");
        let script = r#"kill -s "$2" "$1" $(cat "/proc/$1/task/$1/children")"#;
        assert!(Command::new("sh").args(["-c", script, "sh", &pid, signal]).status().unwrap().success());
    }

    fn kill_postgres(&self) {
        let pid = self.postmaster().expect("PostgreSQL runs");
        Command::new("sh").args(["-c", "kill -s KILL \"$1\"", "sh", &pid]).status().unwrap();
        while Path::new(&format!("/proc/{pid}")).exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.postmaster().is_some() {
            self.kill_postgres();
        }
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// The real program with its embedded database.
struct Brasa {
    child: Child,
    base: String,
    client: reqwest::Client,
}

impl Brasa {
    fn start(data_dir: &Path) -> Brasa {
        let mut child = Command::new(env!("CARGO_BIN_EXE_brasa"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .env("BRASA_LOG", "warn")
            .env("BRASA_VALIDATION", "off")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let told = lines.find_map(|line| line.unwrap().split_once("FHIR R4 at ").map(|(_, rest)| rest.to_owned()));
        let base = told.expect("it says where it is").split_whitespace().next().unwrap().to_owned();
        // Somebody must go on reading, or the program would wait for it.
        std::thread::spawn(move || lines.for_each(drop));
        Brasa { child, base, client: reqwest::Client::new() }
    }

    /// The new id, or nothing when it was refused.
    async fn post(&self, path: &str, body: String) -> (Option<String>, String) {
        let request = self.client.post(format!("{}/{path}", self.base)).header("content-type", FHIR_JSON).body(body);
        let answer = request.send().await.unwrap();
        let created = answer.status().as_u16() == 201;
        let text = answer.text().await.unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        (created.then(|| value["id"].as_str().unwrap().to_owned()), text)
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(format!("{}/{path}", self.base)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn until_ready(&self) {
        let started = Instant::now();
        let ready = self.base.replace("/fhir", "/ready");
        while self.client.get(&ready).send().await.unwrap().status().as_u16() != 200 {
            assert!(started.elapsed() < PATIENCE, "it never becomes ready again");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn terminate(&mut self) {
        Command::new("sh").args(["-c", "kill -s TERM \"$1\"", "sh", &self.child.id().to_string()]).status().unwrap();
        assert!(self.child.wait().unwrap().success(), "a clean end");
    }
}

impl Drop for Brasa {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A small disk, unmounted at the end.
struct Mounted(PathBuf);

impl Mounted {
    fn on(folder: &Path) -> Option<Mounted> {
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=160m,mode=0755", "tmpfs"]).arg(folder).status();
        mount.is_ok_and(|status| status.success()).then(|| Mounted(folder.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

/// A Citus cluster of this test alone, which may be harmed.
struct Cluster {
    folder: String,
    url: String,
}

impl Cluster {
    fn start() -> Cluster {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("brasa-fault-{}-cluster-{number}", std::process::id()));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/citus-cluster");
        let told = Command::new(script).arg("start").arg(&folder).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let url =
            told.lines().find_map(|line| line.strip_prefix("BRASA_TEST_CITUS_URL=")).expect("the cluster's address");
        Cluster { folder: folder.display().to_string(), url: url.to_owned() }
    }

    /// A connection to a node, as its superuser by its socket.
    async fn connect(&self, node: &str) -> tokio_postgres::Client {
        let port = std::fs::read_to_string(Path::new(&self.folder).join(format!("{node}.port"))).unwrap();
        let mut config = tokio_postgres::Config::new();
        config.host_path(&self.folder).port(port.trim().parse().unwrap()).user("brasa").dbname("brasa");
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// From now on the node takes only encrypted connections, which Citus makes and this server cannot yet.
    async fn demand_encryption(&self, node: &str) {
        let script = r#"cd "$1" && openssl req -new -x509 -nodes -days 2 -subj /CN=brasa -keyout server.key -out server.crt 2>/dev/null &&
            chmod 600 server.key && chown --reference=PG_VERSION server.key server.crt &&
            sed -i 's/^host /hostssl /' pg_hba.conf"#;
        let folder = Path::new(&self.folder).join(node);
        assert!(Command::new("sh").args(["-c", script, "sh"]).arg(folder).status().unwrap().success());
        let client = self.connect(node).await;
        client.batch_execute("ALTER SYSTEM SET ssl = on").await.unwrap();
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        let started = Instant::now();
        while client.query_one("SHOW ssl", &[]).await.unwrap().get::<_, String>(0) != "on" {
            assert!(started.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Connections that the server made to the node by itself.
    async fn direct_connections(&self, node: &str) -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'brasa'";
        self.connect(node).await.query_one(sql, &[]).await.unwrap().get(0)
    }

    fn run(&self, arguments: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/citus-cluster");
        assert!(Command::new(script).args(arguments).status().unwrap().success(), "{arguments:?}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/citus-cluster");
        Command::new(script).args(["stop", &self.folder]).status().ok();
    }
}
