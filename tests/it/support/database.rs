//! A database for each test: a clone of a migrated template on plain PostgreSQL, a schema of its own on Citus.

use brasa::app::Engine;
use brasa::config::Settings;
use brasa::store::embedded::{EmbeddedPostgres, Role};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Config, NoTls};

/// Names one test's database. On plain PostgreSQL it is dropped with the last of its clones: hundreds of them would cost
/// the database more than the tests do.
#[derive(Debug, Clone)]
pub struct TestDatabase {
    place: Place,
    name: String,
    _dropped: Option<Arc<Dropped>>,
}

/// Drops its database when it goes.
#[derive(Debug)]
struct Dropped {
    plain: Plain,
    name: String,
}

impl Drop for Dropped {
    fn drop(&mut self) {
        static CLEANER: OnceLock<mpsc::Sender<(Plain, String)>> = OnceLock::new();
        let cleaner = CLEANER.get_or_init(|| {
            let (sender, names) = mpsc::channel();
            std::thread::spawn(|| clean(names));
            sender
        });
        let _ = cleaner.send((self.plain.clone(), self.name.clone()));
    }
}

/// Beside the tests, which need not wait for it. What is left over when the process ends goes with the whole folder.
fn clean(names: mpsc::Receiver<(Plain, String)>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (plain, name) in names {
        runtime.block_on(async {
            let client = connect(&plain.config_of("postgres")).await;
            client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
        });
    }
}

#[derive(Debug, Clone)]
enum Place {
    /// The socket folder of the embedded PostgreSQL of this run.
    Plain(Plain),
    /// The coordinator's address.
    Citus(String),
    /// A database that the test made by itself.
    Elsewhere(String),
}

#[derive(Debug, Clone)]
struct Plain {
    socket: String,
    user: String,
}

impl Plain {
    fn config_of(&self, name: &str) -> Config {
        let mut config = Config::new();
        config.host_path(&self.socket).user(&self.user).dbname(name);
        config
    }
}

const TEMPLATE: &str = "brasa_template";

impl TestDatabase {
    pub async fn make() -> TestDatabase {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        match citus_url() {
            Some(url) => {
                let database = TestDatabase { place: Place::Citus(url.clone()), name, _dropped: None };
                let client = connect(&url.parse().unwrap()).await;
                client.batch_execute(&format!("CREATE SCHEMA {}", database.name)).await.unwrap();
                database
            }
            None => {
                let plain = plain().await.clone();
                let dropped = Arc::new(Dropped { plain: plain.clone(), name: name.clone() });
                let database = TestDatabase { place: Place::Plain(plain.clone()), name, _dropped: Some(dropped) };
                // Two clones of one template at once are refused: tests take turns.
                static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
                let _turn = TURN.lock().await;
                let client = connect(&plain.config_of("postgres")).await;
                let sql = format!("CREATE DATABASE {} TEMPLATE {TEMPLATE}", database.name);
                client.batch_execute(&sql).await.unwrap();
                database
            }
        }
    }

    /// A database that the test made by itself, by its BRASA_DATABASE_URL.
    pub fn elsewhere(url: String) -> TestDatabase {
        TestDatabase { place: Place::Elsewhere(url), name: String::new(), _dropped: None }
    }

    /// What BRASA_DATABASE_URL is set to.
    pub fn url(&self) -> String {
        match &self.place {
            Place::Plain(plain) => {
                format!("host={} user={} dbname={}", plain.socket, plain.user, self.name)
            }
            Place::Citus(url) => {
                let separator = if url.contains('?') { '&' } else { '?' };
                format!("{url}{separator}options=-csearch_path%3D{}", self.name)
            }
            Place::Elsewhere(url) => url.clone(),
        }
    }

    pub fn is_citus(&self) -> bool {
        matches!(self.place, Place::Citus(_))
    }

    /// A connection of the test's own, to look behind the server.
    pub async fn connect(&self) -> Client {
        connect(&self.url().parse().unwrap()).await
    }
}

pub fn citus_url() -> Option<String> {
    std::env::var("BRASA_TEST_CITUS_URL").ok().filter(|url| !url.is_empty())
}

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("the test's database answers");
    tokio::spawn(connection);
    client
}

/// The PostgreSQL of this test run, with a migrated template.
async fn plain() -> &'static Plain {
    static PLAIN: OnceCell<Plain> = OnceCell::const_new();
    PLAIN
        .get_or_init(|| async {
            let folder = std::env::temp_dir().join(format!("brasa-it-{}", std::process::id()));
            let embedded = EmbeddedPostgres::start(&folder, Role::Owner, |_: &str| {}).await;
            let embedded = embedded.unwrap_or_else(|fault| panic!("{fault}"));
            remove_after_this_process(&folder);
            let config = embedded.config();
            let socket = match config.get_hosts().first() {
                Some(tokio_postgres::config::Host::Unix(path)) => path.display().to_string(),
                other => panic!("not a socket: {other:?}"),
            };
            let plain = Plain { socket, user: config.get_user().unwrap_or("brasa").to_owned() };
            let client = connect(&config).await;
            // A crash of the machine may take the tests' data along; durability is tested by killing processes.
            for name in ["fsync", "full_page_writes"] {
                client.batch_execute(&format!("ALTER SYSTEM SET {name} = off")).await.unwrap();
            }
            client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
            client.batch_execute(&format!("CREATE DATABASE {TEMPLATE}")).await.unwrap();
            Box::pin(migrate_template(&plain)).await;
            // Forgotten on purpose: the watcher stops it when this process ends.
            std::mem::forget(embedded);
            plain
        })
        .await
}

async fn migrate_template(plain: &Plain) {
    let url = format!("host={} user={} dbname={TEMPLATE}", plain.socket, plain.user);
    let look_up = |name: &str| (name == "BRASA_DATABASE_URL").then(|| url.clone());
    let settings = Settings::from_env(look_up).unwrap();
    let engine = Engine::open(&settings, Role::Attach, |_: &str| {}).await.unwrap_or_else(|error| panic!("{error:?}"));
    engine.close().await.unwrap();
}

/// libtest has no last hook: a small shell waits for the end of this process, then stops the database and removes it.
fn remove_after_this_process(folder: &PathBuf) {
    let script = r#"while [ -d "/proc/$1" ]; do sleep 0.5; done
        pid=$(head -n 1 "$2/postgres/postmaster.pid" 2>/dev/null)
        [ -n "$pid" ] && kill -s QUIT "$pid"
        while [ -n "$pid" ] && [ -d "/proc/$pid" ]; do sleep 0.1; done
        rm -rf "$2""#;
    // It outlives this process: nobody could wait for it.
    #[allow(clippy::zombie_processes)]
    Command::new("sh")
        .args(["-c", script, "watch"])
        .arg(std::process::id().to_string())
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
}
