//! The data folder: what lies where in it, who owns it, and who keeps it just now.
//!
//! ```text
//! brasa.lock     held by the process that keeps the database; its content is that process's number
//! brasa.conf     the settings of PostgreSQL, written anew at each start
//! postgres/      the database; made as postgres.new/ and renamed when it is whole
//! socket/        where PostgreSQL listens; only its user may enter
//! ```
//!
//! When root starts Brasa, `postgres/` and `socket/` belong to another user and root writes no file inside them:
//! that user could lay a link there and have root write elsewhere.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::account::{self, Account};
use super::fault::StartError;

/// PostgreSQL keeps no database of another name for Brasa, and none of another port: the folder tells them apart.
pub(super) const PORT: u16 = 5432;

/// The longest folder for the socket (bytes). The system's bound is 107 for the whole path, `/.s.PGSQL.5432` included.
const SOCKET_FOLDER_BYTES_MAX: usize = 92;

/// The log of PostgreSQL is put aside at a start when it has grown beyond this (bytes).
const LOG_BYTES_MAX: u64 = 16 << 20;

/// A data folder that exists and can be reached by the user PostgreSQL runs as.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    pub root: PathBuf,
    pub cluster: PathBuf,
    /// Whom PostgreSQL runs as, when not as ourselves.
    pub account: Option<Account>,
    own_uid: u32,
}

/// A PostgreSQL that runs on the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    pub pid: u32,
    /// Where it listens. Read from PostgreSQL itself, since another process may have chosen it.
    pub socket_folder: PathBuf,
}

impl Folder {
    /// Creates the data folder if need be, and finds out whom PostgreSQL will run as in it.
    pub fn open(data_dir: &Path) -> Result<Folder, StartError> {
        let own_uid = account::own_uid()?;
        let root = create_root(data_dir, own_uid)?;
        let named = root.to_str().filter(|text| !text.contains(char::is_control));
        if named.is_none() {
            let what = format!("The name of the data folder {} cannot be written into a settings file", root.display());
            return Err(StartError::new(what, "Choose one in UTF-8 without control characters with --data-dir"));
        }
        let cluster = root.join("postgres");
        let account = account::choose(own_uid, &cluster)?;
        if let Some(account) = &account {
            account::check_reach(account, &root)?;
        }
        Ok(Folder { root, cluster, account, own_uid })
    }

    /// Takes the folder for this process until the file is dropped. `None`: another process has it.
    pub fn try_lock(&self) -> Result<Option<File>, StartError> {
        let path = self.root.join("brasa.lock");
        let cannot = |error| StartError::file("lock", &path, &error);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        file.set_len(0).map_err(cannot)?;
        writeln!(file, "{}", std::process::id()).map_err(cannot)?;
        Ok(Some(file))
    }

    /// The process that has the folder, for people: `process 1234`.
    pub fn keeper(&self) -> String {
        let text = std::fs::read_to_string(self.root.join("brasa.lock")).unwrap_or_default();
        format!("process {}", text.trim())
    }

    /// The major version of PostgreSQL that made the database; `None` when there is no database yet.
    pub fn cluster_major(&self) -> Result<Option<u32>, StartError> {
        if !self.cluster.exists() {
            return Ok(None);
        }
        let path = self.cluster.join("PG_VERSION");
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StartError::file("read", &path, &error));
            }
            // A folder without that file is refused as one with nonsense in it is.
            text => text.unwrap_or_default(),
        };
        let what = || format!("{} holds something else than a database of PostgreSQL", self.cluster.display());
        let major = text.trim().parse();
        major.map(Some).map_err(|_| StartError::new(what(), "Choose another folder with --data-dir"))
    }

    /// An empty folder for `initdb`, of the right owner. What a killed `initdb` left there is removed.
    pub fn staging(&self) -> Result<PathBuf, StartError> {
        let path = self.root.join("postgres.new");
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(|error| StartError::file("remove", &path, &error))?;
        }
        self.create_private(&path)?;
        Ok(path)
    }

    /// Makes a finished database the database, in one step that also survives a loss of power.
    pub fn promote(&self, staging: &Path) -> Result<(), StartError> {
        std::fs::rename(staging, &self.cluster).map_err(|error| StartError::file("rename", staging, &error))?;
        let synced = File::open(&self.root).and_then(|folder| folder.sync_all());
        synced.map_err(|error| StartError::file("write", &self.root, &error))
    }

    /// The folder for the socket, created for the user of PostgreSQL alone.
    pub fn create_socket_folder(&self) -> Result<PathBuf, StartError> {
        let near = self.root.join("socket");
        let path = if near.as_os_str().len() <= SOCKET_FOLDER_BYTES_MAX { near } else { self.far_socket_folder() };
        match self.create_private(&path) {
            Ok(()) => Ok(path),
            Err(_) if path.symlink_metadata().is_ok() => self.check_private(&path).map(|()| path),
            Err(error) => Err(error),
        }
    }

    /// A short path, for a data folder with a long one. Its name derives from the data folder's.
    fn far_socket_folder(&self) -> PathBuf {
        let digest = Sha256::digest(self.root.as_os_str().as_encoded_bytes());
        let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        PathBuf::from(format!("/tmp/brasa-{name}"))
    }

    fn create_private(&self, path: &Path) -> Result<(), StartError> {
        let created = DirBuilder::new().mode(0o700).create(path);
        created.map_err(|error| StartError::file("create", path, &error))?;
        self.hand_over(path)
    }

    fn hand_over(&self, path: &Path) -> Result<(), StartError> {
        let Some(account) = &self.account else { return Ok(()) };
        let handed = lchown(path, Some(account.uid), Some(account.gid));
        handed.map_err(|error| StartError::file(&format!("give {} the folder", account.name), path, &error))
    }

    /// Everyone may write into /tmp, so a folder found there may be a trap: a link, or one that others can enter.
    fn check_private(&self, path: &Path) -> Result<(), StartError> {
        let entry = path.symlink_metadata().map_err(|error| StartError::file("look at", path, &error))?;
        let owner = self.account.as_ref().map_or(self.own_uid, |account| account.uid);
        if entry.is_dir() && entry.mode() & 0o077 == 0 && [owner, self.own_uid].contains(&entry.uid()) {
            return if entry.uid() == owner { Ok(()) } else { self.hand_over(path) };
        }
        Err(StartError::new(
            format!("{} is not a private folder of the user that PostgreSQL runs as", path.display()),
            "Look who made it and remove it, or choose a data folder with a shorter path with --data-dir",
        ))
    }

    /// Writes the settings of PostgreSQL. Those of `ALTER SYSTEM` go over them.
    pub fn write_settings(&self, socket_folder: &Path) -> Result<(), StartError> {
        let (path, fresh) = (self.root.join("brasa.conf"), self.root.join("brasa.conf.new"));
        let text = settings(&self.cluster, socket_folder);
        let written = std::fs::write(&fresh, text)
            .and_then(|()| std::fs::set_permissions(&fresh, Permissions::from_mode(0o644)))
            .and_then(|()| std::fs::rename(&fresh, &path));
        written.map_err(|error| StartError::file("write", &path, &error))
    }

    fn log(&self) -> PathBuf {
        self.cluster.join("server.log")
    }

    /// Puts a long log aside; gives how long it is then (bytes), so that what follows can be told from what was.
    pub fn turn_log(&self) -> u64 {
        let log = self.log();
        let bytes = std::fs::metadata(&log).map_or(0, |entry| entry.len());
        if bytes > LOG_BYTES_MAX && std::fs::rename(&log, self.cluster.join("server.log.1")).is_ok() {
            0
        } else {
            bytes
        }
    }

    /// What PostgreSQL logged after `offset` (bytes), at most the last 16 KiB. Empty when there is nothing to read.
    pub fn logged_since(&self, offset: u64) -> String {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(self.log())?;
            let end = file.metadata()?.len();
            file.seek(SeekFrom::Start(offset.max(end.saturating_sub(16 << 10))))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map(|_| bytes)
        };
        read().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Tries to write to the disk, since "PostgreSQL does not start" most often means that it is full.
    pub fn check_writable(&self) -> Result<(), StartError> {
        let path = self.root.join("brasa.probe");
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(&[0x42; 1 << 20])?;
            file.sync_all()
        });
        // The probe's own fate does not matter, and its absence is what is wanted.
        let _ = std::fs::remove_file(&path);
        written.map_err(|error| StartError::file("write to", &self.root, &error))
    }

    /// The PostgreSQL that runs on this folder, if one does. `postmaster.pid` alone does not tell: a killed one leaves
    /// it behind, and its number may since belong to another process, which is the rule rather than the exception in
    /// a container that starts again.
    pub fn running(&self) -> Option<Running> {
        let text = std::fs::read_to_string(self.cluster.join("postmaster.pid")).ok()?;
        let running = read_postmaster_pid(&text)?;
        self.is_ours(running.pid).then_some(running)
    }

    /// Whether a process is a PostgreSQL that works in our folder, as far as the system lets us see.
    pub fn is_ours(&self, pid: u32) -> bool {
        if !Path::new("/proc/self").exists() {
            let asked = std::process::Command::new("ps").args(["-o", "comm=", "-p", &pid.to_string()]).output();
            return asked.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("postgres"));
        }
        match std::fs::read_link(format!("/proc/{pid}/cwd")) {
            Ok(working_folder) => working_folder == self.cluster,
            // Root in a container may not look into another user's process; the name is open to all.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "postgres")
            }
            Err(_) => false,
        }
    }

    /// Removes what a killed PostgreSQL left behind, when no PostgreSQL runs; tells whether there was anything.
    /// PostgreSQL would do so itself but for a number that another process has taken. It still finds out by the
    /// shared memory of the folder if any of its processes live on.
    pub fn clear_stale_pid(&self) -> bool {
        let path = self.cluster.join("postmaster.pid");
        path.exists() && self.running().is_none() && std::fs::remove_file(path).is_ok()
    }
}

/// Creates the data folder and resolves its path. Root's can be walked through, since another user's lies in it.
fn create_root(path: &Path, own_uid: u32) -> Result<PathBuf, StartError> {
    let cannot = |error| StartError::file("create the data folder", path, &error);
    if !path.is_dir() {
        std::fs::create_dir_all(path).map_err(cannot)?;
        let mode = if own_uid == 0 { 0o711 } else { 0o700 };
        std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(cannot)?;
    }
    let path = std::fs::canonicalize(path).map_err(cannot)?;
    let owner = std::fs::metadata(&path).map_err(cannot)?.uid();
    if own_uid == 0 && owner != 0 {
        // Whoever owns the folder could lay links in it and have root write elsewhere.
        let what = format!("The data folder {} belongs to user {owner}, and brasa was started by root", path.display());
        return Err(StartError::new(what, "Start it as that user, or choose another folder with --data-dir"));
    }
    Ok(path)
}

/// Reads PostgreSQL's own notes: line 1 is its process, line 5 the folder of its socket.
fn read_postmaster_pid(text: &str) -> Option<Running> {
    let mut lines = text.lines();
    let pid = lines.next()?.trim().parse().ok()?;
    let socket_folder = PathBuf::from(lines.nth(3)?.trim());
    (!socket_folder.as_os_str().is_empty()).then_some(Running { pid, socket_folder })
}

/// The settings for one small server. Only those that matter differ from PostgreSQL's own.
fn settings(cluster: &Path, socket_folder: &Path) -> String {
    let own = quote(&cluster.join("postgresql.conf").to_string_lossy());
    let cluster = quote(&cluster.to_string_lossy());
    // A list of folders: without its own quotes a comma in the name would part it.
    let socket = quote(&format!("\"{}\"", socket_folder.to_string_lossy().replace('"', "\"\"")));
    format!(
        "# Written by Brasa at each start. To change a setting, use ALTER SYSTEM and start again.\n\
         include_if_exists = {own}\n\
         data_directory = {cluster}\n\
         # Only by the socket, in a folder that only one user may enter: hence no password.\n\
         listen_addresses = ''\n\
         unix_socket_directories = {socket}\n\
         unix_socket_permissions = 0700\n\
         port = {PORT}\n\
         max_connections = 100\n\
         shared_buffers = '256MB'\n\
         max_wal_size = '2GB'\n\
         wal_compression = on\n\
         fsync = on\n\
         # Statements are many and short; compiling one costs more than running it.\n\
         jit = off\n\
         timezone = 'UTC'\n\
         log_timezone = 'UTC'\n\
         log_checkpoints = off\n\
         # No statement and no DETAIL line: they would carry identifiers of patients into the log.\n\
         log_min_error_statement = panic\n\
         log_error_verbosity = terse\n"
    )
}

/// Quotes a value for PostgreSQL's settings file.
fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_folder_name_stays_one_value_in_the_settings() {
        let text = settings(Path::new("/it's"), Path::new("/a, \"b\"\\c"));
        assert!(text.contains("data_directory = '/it''s'\n"), "{text}");
        assert!(text.contains(r#"unix_socket_directories = '"/a, ""b""\\c"'"#), "{text}");
    }

    #[test]
    fn the_process_and_the_socket_are_read_from_postgresqls_notes() {
        let text = "4711\n/data/postgres\n1795000000\n5432\n/data/socket\n\n  1 2\nready   \n";
        let expected = Running { pid: 4711, socket_folder: PathBuf::from("/data/socket") };
        assert_eq!(read_postmaster_pid(text), Some(expected));
        assert_eq!(read_postmaster_pid("4711\n/data/postgres\n"), None);
    }
}
