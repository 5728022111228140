//! The private PostgreSQL: made once, kept by one, and alive again after any kill. These tests run a real one.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use brasa::store::embedded::{EmbeddedPostgres, Role, StartError};

/// A data folder of one test. What still runs in it at the end is killed, and the folder removed.
struct Scratch {
    data_dir: PathBuf,
}

impl Scratch {
    fn new() -> Scratch {
        Scratch::named("data")
    }

    fn named(name: &str) -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("brasa-it-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let data_dir = std::env::temp_dir().join(unique).join(name);
        Scratch { data_dir }
    }

    fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    fn cluster(&self) -> PathBuf {
        self.data_dir.join("postgres")
    }

    /// The process that PostgreSQL noted for itself, running or not.
    fn postmaster(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.cluster().join("postmaster.pid")).ok()?;
        text.lines().next().map(str::to_owned)
    }

    fn kill_postmaster(&self) {
        let pid = self.postmaster().unwrap();
        assert!(signal("KILL", &pid));
        let killed = Instant::now();
        // An orphan's death is only seen once it is reaped; until then it is a process without a working folder.
        while std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok() && killed.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    async fn start(&self, role: Role) -> Result<EmbeddedPostgres, StartError> {
        EmbeddedPostgres::start(&self.data_dir, role, |_| {}).await
    }
}

/// Sends a signal by the shell's own `kill`: a fresh machine has no program of that name.
fn signal(name: &str, pid: &str) -> bool {
    Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().is_ok_and(|status| status.success())
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let works_here = |pid: &String| {
            std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder.starts_with(self.data_dir()))
        };
        if let Some(pid) = self.postmaster().filter(works_here) {
            signal("QUIT", &pid);
        }
        std::fs::remove_dir_all(self.data_dir().parent().unwrap()).ok();
    }
}

async fn query(postgres: &EmbeddedPostgres, sql: &str) -> Vec<String> {
    let (client, connection) = postgres.config().connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let rows = client.simple_query(sql).await.unwrap();
    let text = |row: &tokio_postgres::SimpleQueryMessage| match row {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    rows.iter().filter_map(text).collect()
}

/// Makes a database that holds the one number 42.
async fn with_a_row(scratch: &Scratch) -> EmbeddedPostgres {
    let postgres = scratch.start(Role::Owner).await.unwrap();
    query(&postgres, "CREATE TABLE kept AS SELECT 42 AS number").await;
    postgres
}

#[tokio::test]
async fn the_database_is_created_once_and_used_again() {
    let scratch = Scratch::new();
    let postgres = with_a_row(&scratch).await;
    assert!(postgres.is_owned());
    postgres.stop().await.unwrap();

    let said = std::sync::Mutex::new(Vec::new());
    let again =
        EmbeddedPostgres::start(scratch.data_dir(), Role::Owner, |step| said.lock().unwrap().push(step.to_owned()));
    let again = again.await.unwrap();
    assert_eq!(query(&again, "SELECT number FROM kept").await, ["42"]);
    let said = said.into_inner().unwrap();
    assert!(!said.iter().any(|step| step.contains("Creating")), "{said:?}");
    again.stop().await.unwrap();
}

#[tokio::test]
async fn the_database_is_in_utf8_with_checksums_and_reached_by_its_socket_alone() {
    let scratch = Scratch::new();
    let postgres = scratch.start(Role::Owner).await.unwrap();
    for (setting, value) in [
        ("server_encoding", "UTF8"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("fsync", "on"),
        ("jit", "off"),
    ] {
        assert_eq!(query(&postgres, &format!("SHOW {setting}")).await, [value], "{setting}");
    }
    let socket_folder = std::fs::metadata(scratch.data_dir().join("socket")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&socket_folder.permissions()) & 0o777, 0o700);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn stopping_really_stops_postgresql() {
    let scratch = Scratch::new();
    let postgres = scratch.start(Role::Owner).await.unwrap();
    let config = postgres.config();
    let pid = scratch.postmaster().unwrap();
    postgres.stop().await.unwrap();
    assert!(config.connect(tokio_postgres::NoTls).await.is_err());
    assert!(std::fs::read_link(format!("/proc/{pid}/cwd")).is_err());
    assert_eq!(scratch.postmaster(), None);
}

#[tokio::test]
async fn data_survives_a_kill_of_postgresql() {
    let scratch = Scratch::new();
    let postgres = with_a_row(&scratch).await;
    scratch.kill_postmaster();
    drop(postgres);
    let again = scratch.start(Role::Owner).await.unwrap();
    assert_eq!(query(&again, "SELECT number FROM kept").await, ["42"]);
    again.stop().await.unwrap();
}

#[tokio::test]
async fn a_postgresql_left_running_is_taken_over() {
    let scratch = Scratch::new();
    let postgres = with_a_row(&scratch).await;
    let pid = scratch.postmaster();
    // As after a kill of brasa: the lock goes with the process, PostgreSQL stays.
    drop(postgres);
    let again = scratch.start(Role::Owner).await.unwrap();
    assert_eq!(scratch.postmaster(), pid);
    assert_eq!(query(&again, "SELECT number FROM kept").await, ["42"]);
    again.stop().await.unwrap();
    assert_eq!(scratch.postmaster(), None);
}

#[tokio::test]
async fn a_number_that_another_process_has_taken_since_a_kill_does_not_stop_the_start() {
    let scratch = Scratch::new();
    let postgres = with_a_row(&scratch).await;
    scratch.kill_postmaster();
    drop(postgres);
    let path = scratch.cluster().join("postmaster.pid");
    let text = std::fs::read_to_string(&path).unwrap();
    let rest = text.split_once('\n').unwrap().1;
    std::fs::write(&path, format!("{}\n{rest}", std::process::id())).unwrap();
    let again = scratch.start(Role::Owner).await.unwrap();
    assert_eq!(query(&again, "SELECT number FROM kept").await, ["42"]);
    again.stop().await.unwrap();
}

#[tokio::test]
async fn what_a_killed_initdb_left_is_cleared_away() {
    let scratch = Scratch::new();
    let half_made = scratch.data_dir().join("postgres.new");
    std::fs::create_dir_all(&half_made).unwrap();
    std::fs::write(half_made.join("PG_VERSION"), "15\n").unwrap();
    let postgres = scratch.start(Role::Owner).await.unwrap();
    assert!(!half_made.exists());
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_of_another_major_version_is_refused_with_what_to_do() {
    let scratch = Scratch::new();
    std::fs::create_dir_all(scratch.cluster()).unwrap();
    std::fs::write(scratch.cluster().join("PG_VERSION"), "99\n").unwrap();
    // Root's PostgreSQL refuses a folder of root's before it comes to the version.
    std::os::unix::fs::chown(scratch.cluster(), Some(65_534), None).ok();
    let refusal = scratch.start(Role::Owner).await.unwrap_err().to_string();
    for part in ["made by PostgreSQL 99", "Install PostgreSQL 99", "pg_dump", "--data-dir"] {
        assert!(refusal.contains(part), "{part} is missing in: {refusal}");
    }
}

#[tokio::test]
async fn a_second_owner_is_refused_and_told_who_has_the_folder() {
    let scratch = Scratch::new();
    let postgres = scratch.start(Role::Owner).await.unwrap();
    let refusal = scratch.start(Role::Owner).await.unwrap_err().to_string();
    assert!(refusal.contains(&format!("process {}", std::process::id())), "{refusal}");
    postgres.stop().await.unwrap();
    scratch.start(Role::Owner).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn a_guest_uses_the_owners_database_and_leaves_it_running() {
    let scratch = Scratch::new();
    // Both at once: the guest has to wait for the owner, or is the owner if it comes first.
    let (first, second) = tokio::join!(scratch.start(Role::Attach), scratch.start(Role::Attach));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first.is_owned(), second.is_owned());
    let (owner, guest) = if first.is_owned() { (first, second) } else { (second, first) };
    query(&owner, "CREATE TABLE kept AS SELECT 42 AS number").await;
    assert_eq!(query(&guest, "SELECT number FROM kept").await, ["42"]);
    guest.stop().await.unwrap();
    assert_eq!(query(&owner, "SELECT number FROM kept").await, ["42"]);
    owner.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_with_a_long_and_odd_name_works() {
    let scratch = Scratch::named(&format!("it's \"odd\", $HOME `{}`", "long ".repeat(20)));
    let postgres = with_a_row(&scratch).await;
    assert_eq!(query(&postgres, "SELECT number FROM kept").await, ["42"]);
    let config = postgres.config();
    let [tokio_postgres::config::Host::Unix(socket_folder)] = config.get_hosts() else {
        panic!("the socket is the only way in");
    };
    postgres.stop().await.unwrap();
    std::fs::remove_dir(socket_folder).unwrap();
}

#[tokio::test]
async fn a_bad_setting_is_shown_in_postgresqls_own_words() {
    let scratch = Scratch::new();
    scratch.start(Role::Owner).await.unwrap().stop().await.unwrap();
    let path = scratch.cluster().join("postgresql.auto.conf");
    std::fs::write(&path, "shared_buffers = 'plenty'\n").unwrap();
    let refusal = scratch.start(Role::Owner).await.unwrap_err().to_string();
    assert!(refusal.contains("did not start") && refusal.contains("shared_buffers"), "{refusal}");
}
