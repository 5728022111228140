//! A private PostgreSQL in a data folder, for who has no database server. <https://www.postgresql.org/docs/current/app-pg-ctl.html>
//!
//! One process keeps the folder (a lock tells which); others may use the same database beside it. PostgreSQL is not
//! a child that dies with us: after a kill of Brasa it runs on and the next start takes it over; after a kill of
//! PostgreSQL the next start replays its log.

mod account;
mod binaries;
mod control;
mod fault;
mod folder;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Client, Config, NoTls};

use binaries::Binaries;
pub use fault::StartError;
use folder::{Folder, PORT};

/// The one database of Brasa, and the user it belongs to.
const NAME: &str = "brasa";

/// The longest wait for the database that another process keeps (s).
const ATTACH_SECONDS_MAX: u64 = 600;

/// The longest wait for an answer to one attempt to connect (s).
const CONNECT_SECONDS_MAX: u64 = 5;

/// Between two looks whether PostgreSQL answers (ms).
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What to do when another process keeps the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Keep the database or fail.
    Owner,
    /// Use the database of the process that keeps it; when there is none, keep it.
    Attach,
}

/// How often the lock of a folder is tried, and how long between two tries: a second in all.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// A PostgreSQL that answers. Dropping it without [`EmbeddedPostgres::stop`] leaves PostgreSQL running, to be taken
/// over by the next start.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    folder: Folder,
    socket_folder: PathBuf,
    /// Only of the one who keeps the database: the programs to stop it with, and the lock that says so.
    kept: Option<(Binaries, File)>,
}

/// The lock of the folder. Who is to keep the database waits a little for it: a process that has just let go of it may
/// have been starting another program at that moment, which holds all open files until it runs.
async fn lock(folder: &Folder, role: Role) -> Result<Option<std::fs::File>, StartError> {
    for _ in 0..LOCK_TRIES {
        let lock = folder.try_lock()?;
        if lock.is_some() || role == Role::Attach {
            return Ok(lock);
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
    folder.try_lock()
}

impl EmbeddedPostgres {
    /// Creates the database once, starts PostgreSQL or takes over the one that runs, and waits until it answers,
    /// without bound while it replays its log. `progress` gets one sentence a step, for people.
    pub async fn start(
        data_dir: &Path,
        role: Role,
        progress: impl Fn(&str) + Send + Sync,
    ) -> Result<EmbeddedPostgres, StartError> {
        let wanted = data_dir.to_path_buf();
        let folder = blocking(move || Folder::open(&wanted)).await?;
        match lock(&folder, role).await? {
            Some(lock) => Self::keep(folder, lock, &progress).await,
            None if role == Role::Attach => Self::attach(folder, &progress).await,
            None => Err(StartError::new(
                format!("Another brasa ({}) keeps the database in {}", folder.keeper(), folder.root.display()),
                "Stop it first, or choose another folder with --data-dir",
            )),
        }
    }

    /// How to connect: by the socket, as the one user, to the one database.
    pub fn config(&self) -> Config {
        config(&self.socket_folder, NAME)
    }

    /// The folder of the database, for messages.
    pub fn data_dir(&self) -> &Path {
        &self.folder.root
    }

    /// Whether this process keeps the database; false when it uses one that another process keeps.
    pub fn is_owned(&self) -> bool {
        self.kept.is_some()
    }

    /// One step of care: starts PostgreSQL again when it is no longer there, as after a kill. Whether it had to.
    /// Does nothing for a guest.
    pub async fn revive(&self) -> Result<bool, StartError> {
        match &self.kept {
            Some((binaries, _lock)) if self.folder.running().is_none() => {
                ready(&self.folder, binaries, &|sentence: &str| tracing::warn!("{sentence}")).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Stops PostgreSQL if this process keeps it: cleanly within 30 s, else by force. The folder is free afterwards.
    pub async fn stop(self) -> Result<(), StartError> {
        match &self.kept {
            Some((binaries, _lock)) => control::stop(binaries, &self.folder).await,
            None => Ok(()),
        }
    }

    async fn keep(
        folder: Folder,
        lock: File,
        progress: &(impl Fn(&str) + Sync),
    ) -> Result<EmbeddedPostgres, StartError> {
        let major = folder.cluster_major()?;
        let cluster = folder.cluster.clone();
        let binaries = blocking(move || binaries::find(&cluster, major)).await?;
        if major.is_none() {
            progress(&format!(
                "Creating a database in {} with PostgreSQL {}.",
                folder.root.display(),
                binaries.version
            ));
            control::create(&binaries, &folder, progress).await?;
        }
        let socket_folder = ready(&folder, &binaries, progress).await?;
        create_database(&socket_folder).await?;
        Ok(EmbeddedPostgres { folder, socket_folder, kept: Some((binaries, lock)) })
    }

    async fn attach(folder: Folder, progress: &(impl Fn(&str) + Sync)) -> Result<EmbeddedPostgres, StartError> {
        progress(&format!("Using the database that another brasa ({}) keeps.", folder.keeper()));
        let mut wait = Wait::new("Waiting for the other brasa's database");
        loop {
            if let Some(running) = folder.running()
                && connect(&running.socket_folder, NAME).await.is_ok()
            {
                return Ok(EmbeddedPostgres { folder, socket_folder: running.socket_folder, kept: None });
            }
            if let Some(lock) = folder.try_lock()? {
                return Self::keep(folder, lock, progress).await;
            }
            if wait.started.elapsed().as_secs() > ATTACH_SECONDS_MAX {
                return Err(StartError::new(
                    format!("{} keeps {} but its PostgreSQL does not answer", folder.keeper(), folder.root.display()),
                    "Look at what that process says, and start it again",
                ));
            }
            wait.look_again(progress).await;
        }
    }
}

/// Waits for the PostgreSQL that runs on the folder, or starts one; gives the folder of its socket.
/// One that runs may still be stopping, on the last order of a Brasa that is gone: then it ends, and a new one starts.
async fn ready(folder: &Folder, binaries: &Binaries, progress: &(impl Fn(&str) + Sync)) -> Result<PathBuf, StartError> {
    let mut wait = Wait::new("PostgreSQL was left running and does not answer yet");
    while let Some(running) = folder.running() {
        if connect(&running.socket_folder, "postgres").await.is_ok() {
            progress(&format!("Took over the PostgreSQL that was left running (process {}).", running.pid));
            return Ok(running.socket_folder);
        }
        wait.look_again(progress).await;
    }
    let socket_folder = folder.create_socket_folder()?;
    folder.write_settings(&socket_folder)?;
    progress(&format!("Starting PostgreSQL {}.", binaries.version));
    control::start(binaries, folder, progress).await?;
    Ok(socket_folder)
}

/// Waiting in small steps, with a word to people every few seconds.
struct Wait {
    sentence: &'static str,
    started: Instant,
    told: Instant,
}

impl Wait {
    fn new(sentence: &'static str) -> Self {
        let now = Instant::now();
        Wait { sentence, started: now, told: now }
    }

    async fn look_again(&mut self, progress: &(impl Fn(&str) + Sync)) {
        if self.told.elapsed() >= control::PATIENCE {
            self.told = Instant::now();
            progress(&format!("{} ({} s so far).", self.sentence, self.started.elapsed().as_secs()));
        }
        sleep(LOOK_AGAIN).await;
    }
}

fn config(socket_folder: &Path, database: &str) -> Config {
    let mut config = Config::new();
    config.host_path(socket_folder).port(PORT).user(NAME).dbname(database);
    config
}

async fn connect(socket_folder: &Path, database: &str) -> Result<Client, String> {
    let config = config(socket_folder, database);
    let connecting = timeout(Duration::from_secs(CONNECT_SECONDS_MAX), config.connect(NoTls));
    let answered = connecting.await.map_err(|_| "no answer".to_owned())?;
    let (client, connection) = answered.map_err(|error| error.to_string())?;
    // Ends when the client is dropped; its error is the client's next error.
    tokio::spawn(async move { connection.await.ok() });
    Ok(client)
}

/// Creates the one database of Brasa, unless it is there. Only the process that keeps the folder comes here.
async fn create_database(socket_folder: &Path) -> Result<(), StartError> {
    let created = async {
        let client = connect(socket_folder, "postgres").await?;
        let there = client.query_opt("SELECT 1 FROM pg_database WHERE datname = 'brasa'", &[]).await;
        if there.map_err(|error| error.to_string())?.is_none() {
            client.batch_execute("CREATE DATABASE brasa").await.map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    created.await.map_err(|error: String| {
        let what = format!("PostgreSQL at {} runs but cannot be used: {error}", socket_folder.display());
        StartError::new(what, "Its server.log in the data folder has more")
    })
}

/// Runs what waits for programs and disks where it holds nobody up.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StartError> + Send + 'static,
) -> Result<T, StartError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|error| Err(StartError::new(format!("The start broke off: {error}"), "Report this as a bug")))
}
