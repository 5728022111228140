//! A database for each test: a clone of a migrated template on plain PostgreSQL, a schema of its own on Citus.

use brasa::app::Engine;
use brasa::config::Settings;
use brasa::store::embedded::{EmbeddedPostgres, Role};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Config, NoTls};

/// Names one test's database. What becomes of it with the last of its clones: on plain PostgreSQL it is dropped, since
/// hundreds of them would cost the database more than the tests do; on Citus, where making one takes a second, it is emptied
/// for another test.
#[derive(Debug, Clone)]
pub struct TestDatabase {
    place: Place,
    name: String,
    _dropped: Option<Arc<Dropped>>,
    lent: Option<Arc<Lent>>,
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

/// Gives its schema back when it goes, unless a test looked behind its server: it may have changed more than rows.
#[derive(Debug)]
struct Lent {
    name: String,
    is_changed: AtomicBool,
}

/// Schemas on Citus that were given back, those first that were first.
static GIVEN_BACK: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.is_changed.load(Ordering::Relaxed) && !std::thread::panicking() {
            GIVEN_BACK.lock().unwrap().push_back(self.name.clone());
        }
    }
}

/// A schema on Citus without a row, migrated already or for its server to migrate.
async fn schema_on_citus(url: &str, new: String) -> String {
    let client = connect(&url.parse().unwrap()).await;
    let given_back = GIVEN_BACK.lock().unwrap().pop_front();
    if let Some(name) = given_back
        && empty(&client, &name).await
    {
        return name;
    }
    client.batch_execute(&format!("CREATE SCHEMA {new}")).await.unwrap();
    new
}

/// Removes all rows but those that the migrations made. False where that would not make it as it was.
async fn empty(client: &Client, name: &str) -> bool {
    // Its server may still be writing: a statement goes on when who asked is gone.
    let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    let started = Instant::now();
    while client.query_one(open, &[&name]).await.unwrap().get::<_, i64>(0) > 0 {
        if started.elapsed() > Duration::from_secs(10) {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let tables = "SELECT relname::text, relispartition FROM pg_class
        WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'p')
        AND relname <> 'secret' AND relname NOT LIKE '%schema_history'";
    let tables = client.query(tables, &[&name]).await.unwrap();
    if tables.iter().any(|table| table.get(1)) {
        return false;
    }
    let delete = |table: &tokio_postgres::Row| format!("DELETE FROM {name}.{};", table.get::<_, &str>(0));
    let all: String = tables.iter().map(delete).collect();
    client.batch_execute(&format!("BEGIN; {all} COMMIT")).await.unwrap();
    true
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
                let name = Box::pin(schema_on_citus(&url, name)).await;
                let lent = Arc::new(Lent { name: name.clone(), is_changed: AtomicBool::new(false) });
                TestDatabase { place: Place::Citus(url), name, _dropped: None, lent: Some(lent) }
            }
            None => {
                let plain = plain().await.clone();
                let dropped = Arc::new(Dropped { plain: plain.clone(), name: name.clone() });
                let place = Place::Plain(plain.clone());
                let database = TestDatabase { place, name, _dropped: Some(dropped), lent: None };
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
        TestDatabase { place: Place::Elsewhere(url), name: String::new(), _dropped: None, lent: None }
    }

    /// What BRASA_DATABASE_URL is set to.
    pub fn url(&self) -> String {
        match &self.place {
            Place::Plain(plain) => {
                format!("host={} user={} dbname={}", plain.socket, plain.user, self.name)
            }
            Place::Citus(url) => {
                let separator = if url.contains('?') { '&' } else { '?' };
                format!("{url}{separator}application_name={0}&options=-csearch_path%3D{0}", self.name)
            }
            Place::Elsewhere(url) => url.clone(),
        }
    }

    pub fn is_citus(&self) -> bool {
        matches!(self.place, Place::Citus(_))
    }

    /// A connection of the test's own, to look behind the server.
    pub async fn connect(&self) -> Client {
        if let Some(lent) = &self.lent {
            lent.is_changed.store(true, Ordering::Relaxed);
        }
        connect(&self.url().parse().unwrap()).await
    }

    /// As [`TestDatabase::connect`], for who only reads.
    pub async fn connect_to_read(&self) -> Client {
        let client = connect(&self.url().parse().unwrap()).await;
        client.batch_execute("SET default_transaction_read_only = on").await.unwrap();
        client
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
