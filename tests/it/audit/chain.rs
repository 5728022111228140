//! Records that are changed, taken away, added or cut off show; what a killed server left is sealed by another one.

use super::{World, observation};
use crate::accounts::settings;
use crate::support::Server;
use crate::support::database::TestDatabase;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio_postgres::Client;

const PATIENCE: Duration = Duration::from_secs(240);

/// Runs `brasa audit …` on a database.
async fn audit(database: &TestDatabase, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brasa"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command
        .env("BRASA_DATABASE_URL", database.url())
        .env("BRASA_AUTH", "on")
        .env("BRASA_SHARD_COUNT", "4")
        .env("BRASA_VALIDATION", "off");
    command.arg("audit").args(words).stdin(Stdio::null()).output().await.unwrap()
}

async fn verify(database: &TestDatabase) -> (bool, String) {
    let output = audit(database, &["verify"]).await;
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

/// Waits until every record is under a seal.
async fn until_sealed(client: &Client) {
    let started = Instant::now();
    let sealed = "SELECT coalesce(sum(last - first + 1 - cardinality(voids)), 0)::bigint FROM audit_seal";
    loop {
        let records: i64 = client.query_one("SELECT count(*) FROM audit", &[]).await.unwrap().get(0);
        let under: i64 = client.query_one(sealed, &[]).await.unwrap().get(0);
        if records == under {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{under} of {records} records are sealed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_changed_taken_away_added_or_cut_off_show() {
    let world = World::start().await;
    // The first seals; what follows comes under others.
    until_sealed(&world.server.database.connect().await).await;
    for number in 0..5 {
        let id = format!("o{number}");
        world.put("doctor", &format!("Observation/{id}"), observation(&id, "p1")).await.expect(201);
        world.get("doctor", &format!("Observation/{id}")).await.expect(200);
    }
    let database = world.server.stop().await;
    let client = database.connect().await;
    until_sealed(&client).await;
    let (holds, said) = verify(&database).await;
    assert!(holds && said.contains("No fault was found"), "{said}");
    let heads = audit(&database, &["heads"]).await;
    assert!(heads.status.success());
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("heads.txt");
    std::fs::write(&kept, &heads.stdout).unwrap();
    let kept = kept.to_str().unwrap();
    assert!(audit(&database, &["verify", "--heads", kept]).await.status.success());

    client
        .batch_execute("CREATE TABLE kept AS SELECT * FROM audit; CREATE TABLE kept_seal AS SELECT * FROM audit_seal")
        .await
        .unwrap();
    let restore = "DELETE FROM audit_seal; INSERT INTO audit_seal SELECT * FROM kept_seal; \
        DELETE FROM audit; INSERT INTO audit SELECT * FROM kept";
    let row =
        client.query_one("SELECT number, record FROM kept ORDER BY number DESC OFFSET 2 LIMIT 1", &[]).await.unwrap();
    let (number, record): (i64, Vec<u8>) = (row.get(0), row.get(1));
    let one = format!("number = {number}");
    let forged: String = record.iter().rev().map(|byte| format!("{byte:02x}")).collect();
    for (forgery, told) in [
        (format!("UPDATE audit SET record = '\\x{forged}' WHERE {one}"), "was changed"),
        (format!("DELETE FROM audit WHERE {one}"), "is missing"),
        (format!("UPDATE audit SET account = 'another' WHERE {one}"), "is not filed as it says"),
        (
            "INSERT INTO audit SELECT compartment, recorded, writer, number + 1000, account, record FROM kept LIMIT 1"
                .to_owned(),
            "that no seal has",
        ),
        ("DELETE FROM audit_seal WHERE number = 1".to_owned(), "seal 1 is missing"),
        ("UPDATE audit_seal SET head = sha256(head) WHERE number = 1".to_owned(), "is not signed as it stands"),
    ] {
        for statement in restore.split("; ") {
            client.batch_execute(statement).await.unwrap();
        }
        client.batch_execute(&forgery).await.unwrap_or_else(|fault| panic!("{forgery}: {fault}"));
        let (holds, said) = verify(&database).await;
        assert!(!holds && said.contains(told), "{forgery}: {said}");
    }
    for statement in restore.split("; ") {
        client.batch_execute(statement).await.unwrap();
    }
    // The last seals and their records are cut off: only a head that was kept elsewhere tells.
    let cut: i64 = client.query_one("SELECT max(first) FROM audit_seal", &[]).await.unwrap().get(0);
    client.execute("DELETE FROM audit WHERE number >= $1", &[&cut]).await.unwrap();
    client.execute("DELETE FROM audit_seal WHERE first >= $1", &[&cut]).await.unwrap();
    let (holds, said) = verify(&database).await;
    assert!(holds, "{said}");
    let against = audit(&database, &["verify", "--heads", kept]).await;
    let said = String::from_utf8(against.stdout).unwrap();
    assert!(!against.status.success() && said.contains("whose head was kept"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_left_that_was_killed_is_sealed_by_another_one() {
    let world = World::start().await;
    world.get("doctor", "Patient/p1").await.expect(200);
    let database = world.server.stop().await;
    let client = database.connect().await;
    until_sealed(&client).await;
    // As a server leaves it that is killed: not ended, its last seal not made, and a number that was never written.
    let writer: i64 = client.query_one("SELECT id FROM audit_writer", &[]).await.unwrap().get(0);
    client.batch_execute("UPDATE audit_writer SET ended = NULL, seen = seen - interval '5 minutes'").await.unwrap();
    let last: i64 = client.query_one("SELECT max(number) FROM audit", &[]).await.unwrap().get(0);
    // However many records a seal was made of: none is left that has the missing one under it.
    client.execute("DELETE FROM audit_seal WHERE last >= $1", &[&(last - 1)]).await.unwrap();
    client.execute("DELETE FROM audit WHERE number = $1", &[&(last - 1)]).await.unwrap();
    let server = Server::on(database.clone(), &settings(&[])).await;
    let started = Instant::now();
    loop {
        let ended = "SELECT ended IS NOT NULL FROM audit_writer WHERE id = $1";
        if client.query_one(ended, &[&writer]).await.unwrap().get(0) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "nobody seals what is left");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let database = server.stop().await;
    let (holds, said) = verify(&database).await;
    assert!(holds && !said.contains("not sealed yet"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn months_are_dropped_as_a_whole_and_the_rest_is_verified_all_the_same() {
    let world = World::start().await;
    world.get("doctor", "Patient/p1").await.expect(200);
    let database = world.server.stop().await;
    let client = database.connect().await;
    until_sealed(&client).await;
    let month = chrono::Utc::now().format("%Y-%m").to_string();
    let refused = audit(&database, &["drop", "--before", "2999-01"]).await;
    assert!(!refused.status.success());
    // The month before is there and empty; dropped it is recorded.
    assert!(audit(&database, &["drop", "--before", &month]).await.status.success());
    let exported = audit(&database, &["export"]).await;
    assert!(exported.status.success());
    let lines = String::from_utf8(exported.stdout).unwrap();
    let events: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.len() > 3 && events.iter().all(|event| event["resourceType"] == "AuditEvent"));
    let words: Vec<&str> = events.iter().filter_map(|event| event["subtype"][0]["code"].as_str()).collect();
    assert!(words[..2] == ["export-audit", "drop-month"], "{words:?}");
    let (holds, said) = verify(&database).await;
    assert!(holds, "{said}");
    let before = client.query_one("SELECT count(*) FROM audit_month WHERE dropped IS NOT NULL", &[]).await.unwrap();
    assert_eq!(before.get::<_, i64>(0), 1);
}
