//! Encrypted connections to a real PostgreSQL, with certificates of an authority of the test's own.

use crate::support::Server;
use crate::support::authority::Authority;
use crate::support::database::TestDatabase;
use brasa::app::Engine;
use brasa::config::Settings;
use brasa::store::embedded::{EmbeddedPostgres, Role};
use serde_json::json;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

/// A PostgreSQL that takes connections by TCP, encrypted only. It stops when it is dropped.
struct Encrypted {
    authority: Authority,
    /// One of this machine's own: the port is everybody's.
    address: String,
    postgres: Option<EmbeddedPostgres>,
    _folder: tempfile::TempDir,
}

impl Encrypted {
    async fn start() -> Encrypted {
        let folder = tempfile::tempdir().unwrap();
        // PostgreSQL runs as another user where the tests are root.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let data = folder.path().join("data");
        let start = async || EmbeddedPostgres::start(&data, Role::Owner, |_: &str| {}).await.unwrap();
        let postgres = start().await;
        let authority = Authority::make();
        let [high, low] = rand::random::<[u8; 2]>();
        let address = format!("127.77.{high}.{}", low.clamp(1, 254));
        let cluster = data.join("postgres");
        for (name, from) in [("server.crt", &authority.certificate), ("server.key", &authority.key)] {
            give(from, &cluster.join(name), &cluster);
        }
        let hba = cluster.join("pg_hba.conf");
        let rules = std::fs::read_to_string(&hba).unwrap();
        // The first one that fits counts.
        std::fs::write(&hba, format!("hostssl all all 127.0.0.0/8 scram-sha-256\n{rules}")).unwrap();
        let (client, connection) = postgres.config().connect(tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        for sql in [
            &format!("ALTER SYSTEM SET listen_addresses = '{address}'"),
            "ALTER SYSTEM SET ssl = on",
            "ALTER SYSTEM SET fsync = off",
            "CREATE ROLE ann LOGIN PASSWORD 'wonder land'",
            "CREATE DATABASE records OWNER ann",
        ] {
            client.batch_execute(sql).await.unwrap();
        }
        drop(client);
        connection.await.unwrap().unwrap();
        postgres.stop().await.unwrap();
        let postgres = Some(start().await);
        Encrypted { authority, address, postgres, _folder: folder }
    }

    /// `host`: the name that the certificate must bear.
    fn url(&self, host: &str, encryption: &str) -> String {
        let address = &self.address;
        format!("host={host} hostaddr={address} user=ann password='wonder land' dbname=records {encryption}")
    }

    async fn stop(mut self) {
        self.postgres.take().unwrap().stop().await.unwrap();
    }
}

/// A file as PostgreSQL wants its key: its own user's, and nobody else's.
fn give(from: &Path, to: &Path, cluster: &Path) {
    std::fs::copy(from, to).unwrap();
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o600)).unwrap();
    let owner = std::fs::metadata(cluster).unwrap();
    chown(to, Some(owner.uid()), Some(owner.gid())).unwrap();
}

/// Why a start on this database fails; `None`: it does not.
async fn refusal(url: &str) -> Option<String> {
    let settings = Settings::from_env(|name: &str| (name == "BRASA_DATABASE_URL").then(|| url.to_owned())).unwrap();
    match Engine::open(&settings, Role::Attach, |_: &str| {}).await {
        Ok(engine) => {
            engine.close().await.unwrap();
            None
        }
        Err(error) => Some(format!("{} {}", error.message, error.cause.unwrap_or_default())),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_written_and_statements_stopped_over_connections_whose_certificate_is_checked() {
    let database = Encrypted::start().await;
    let verified = format!("sslmode=verify-full sslrootcert='{}'", database.authority.root.display());
    let url = database.url("localhost", &verified);
    let settings = [("BRASA_DATABASE_DEADLINE_MS", "1500"), ("BRASA_TRANSACTION_DEADLINE_MS", "60000")];
    let server = Server::on(TestDatabase::elsewhere(url), &settings).await;
    let patient = json!({"resourceType": "Patient", "id": "p"});
    server.put("Patient/p", &patient).await.expect(201);
    let behind = database.postgres.as_ref().unwrap().config();
    let (client, connection) = { behind.clone().dbname("records").connect(tokio_postgres::NoTls).await.unwrap() };
    tokio::spawn(connection);
    let open = "SELECT count(*), count(*) FILTER (WHERE NOT ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
        WHERE application_name = 'brasa'";
    let row = client.query_one(open, &[]).await.unwrap();
    assert!(row.get::<_, i64>(0) > 0 && row.get::<_, i64>(1) == 0, "all of them are encrypted: {row:?}");
    // A statement that waits for a lock past its deadline is stopped, by a connection that is encrypted as well.
    client.batch_execute("BEGIN; LOCK TABLE resource IN ACCESS EXCLUSIVE MODE").await.unwrap();
    server.put("Patient/p", &patient).await.expect(503);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'brasa' AND wait_event_type = 'Lock'";
    let started = std::time::Instant::now();
    while client.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        assert!(started.elapsed().as_secs() < 60, "it still waits, though nobody waits for it");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    client.batch_execute("COMMIT").await.unwrap();
    server.put("Patient/p", &patient).await.expect(200);
    drop(server.stop().await);
    database.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_show_whose_it_is_gets_no_password() {
    let database = Encrypted::start().await;
    let own = format!("sslmode=verify-full sslrootcert={}", database.authority.root.display());
    let other = Authority::make();
    let foreign = format!("sslmode=verify-full sslrootcert={}", other.root.display());
    for (host, encryption) in
        [("localhost", foreign.as_str()), ("records.example", own.as_str()), ("localhost", "sslmode=verify-full")]
    {
        let said = refusal(&database.url(host, encryption)).await.expect(encryption);
        assert!(said.contains("cannot be reached") && said.contains("certificate"), "{encryption}: {said}");
        assert!(!said.contains("wonder"), "{said}");
    }
    let nowhere = refusal(&database.url("localhost", "sslmode=verify-full sslrootcert=/no/such.pem")).await.unwrap();
    assert!(nowhere.contains("/no/such.pem"), "{nowhere}");
    // Unencrypted it takes nobody in; encrypted without a look at the certificate it does, as PostgreSQL's own clients do.
    assert!(refusal(&database.url("localhost", "sslmode=disable")).await.is_some());
    assert!(refusal(&database.url("localhost", "")).await.is_some());
    assert_eq!(refusal(&database.url("records.example", "sslmode=require")).await, None);
    assert_eq!(refusal(&database.url("localhost", "sslmode=prefer")).await, None);
    assert_eq!(refusal(&database.url("localhost", &own)).await, None);
    database.stop().await;
}
