//! Finding the programs of an installed PostgreSQL.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::fault::StartError;

/// The oldest PostgreSQL that Brasa runs on (major version).
pub(super) const MAJOR_MIN: u32 = 15;

/// One installation of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub folder: PathBuf,
    pub major: u32,
    /// As PostgreSQL writes it: `15.18`.
    pub version: String,
}

/// Where distributions keep PostgreSQL: a folder, how its entries of interest begin, and what follows.
const FOLDERS: [(&str, &str, &str); 5] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/usr/local", "pgsql", "bin"),
];

/// Finds the installation to use: of exactly the version that made the database, when there is one;
/// else the one on PATH, the one `pg_config` names, or the newest in the distribution's folders.
pub(super) fn find(cluster: &Path, cluster_major: Option<u32>) -> Result<Binaries, StartError> {
    let mut found: Vec<Binaries> = Vec::new();
    for folder in candidates() {
        if let Some(binaries) = inspect(&folder)
            && !found.contains(&binaries)
        {
            found.push(binaries);
        }
    }
    choose(found, cluster, cluster_major)
}

fn candidates() -> Vec<PathBuf> {
    let told = [("sh", ["-c", "command -v pg_ctl"].as_slice()), ("pg_config", &["--bindir"])];
    let mut folders: Vec<PathBuf> = told.iter().filter_map(|(program, arguments)| ask(program, arguments)).collect();
    let mut installed = Vec::new();
    for (parent, prefix, rest) in FOLDERS {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        installed.extend(named.map(|entry| entry.path().join(rest)));
    }
    // Newest first: `…/16/bin` before `…/15/bin`.
    installed.sort();
    folders.extend(installed.into_iter().rev());
    folders
}

/// Runs a program that answers with a path, and gives the folder: itself, or the one the named file really lies in.
fn ask(program: &str, arguments: &[&str]) -> Option<PathBuf> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).stdin(Stdio::null()).output().ok()?;
    let path = std::fs::canonicalize(String::from_utf8_lossy(&output.stdout).trim()).ok()?;
    if path.is_dir() { Some(path) } else { path.parent().map(Path::to_path_buf) }
}

/// The installation in `folder`, when all the programs are there and it says its version.
fn inspect(folder: &Path) -> Option<Binaries> {
    let folder = std::fs::canonicalize(folder).ok()?;
    if !["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file()) {
        return None;
    }
    let output = Command::new(folder.join("postgres")).arg("--version").stderr(Stdio::null()).output().ok()?;
    let (major, version) = read_version(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries { folder, major, version })
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian …)`, also `17beta1`.
fn read_version(text: &str) -> Option<(u32, String)> {
    let version = text.split_once("(PostgreSQL)")?.1.split_whitespace().next()?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((digits.parse().ok()?, version.to_owned()))
}

fn choose(found: Vec<Binaries>, cluster: &Path, cluster_major: Option<u32>) -> Result<Binaries, StartError> {
    let list: Vec<String> = found.iter().map(|one| format!("{} in {}", one.version, one.folder.display())).collect();
    let list = if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    let suits = |one: &Binaries| match cluster_major {
        Some(major) => one.major == major,
        None => one.major >= MAJOR_MIN,
    };
    if let Some(suitable) = found.into_iter().find(suits) {
        return Ok(suitable);
    }
    Err(match cluster_major {
        Some(major) => StartError::new(
            format!(
                "The database in {} was made by PostgreSQL {major}, which is not installed (found: {list})",
                cluster.display()
            ),
            format!(
                "Install PostgreSQL {major} (Debian, Ubuntu: apt-get install postgresql-{major}); \
                 or, where that version is at hand, dump the database with its pg_dump and restore it into a new \
                 folder; or choose another folder with --data-dir"
            ),
        ),
        None => StartError::new(
            format!(
                "Found no PostgreSQL {MAJOR_MIN} or newer on PATH, by pg_config or in the usual folders (found: {list})"
            ),
            "Install it (Debian, Ubuntu: apt-get install postgresql), or name a running server in BRASA_DATABASE_URL",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(versions: &[(u32, &str)]) -> Vec<Binaries> {
        let one = |(major, version): &(u32, &str)| Binaries {
            folder: PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")),
            major: *major,
            version: (*version).to_owned(),
        };
        versions.iter().map(one).collect()
    }

    #[test]
    fn the_version_is_read_from_what_postgres_prints() {
        let debian = read_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n");
        assert_eq!(debian, Some((15, "15.18".to_owned())));
        assert_eq!(read_version("postgres (PostgreSQL) 19beta1"), Some((19, "19beta1".to_owned())));
        assert_eq!(read_version("command not found"), None);
    }

    #[test]
    fn a_database_gets_the_programs_of_its_own_major_version() {
        let found = installed(&[(17, "17.2"), (15, "15.18")]);
        let chosen = choose(found.clone(), Path::new("/data"), Some(15)).unwrap();
        assert_eq!(chosen.version, "15.18");
        assert_eq!(choose(found, Path::new("/data"), None).unwrap().version, "17.2");
    }

    #[test]
    fn a_missing_major_version_is_refused_with_what_to_do() {
        let text = choose(installed(&[(15, "15.18")]), Path::new("/data"), Some(16)).unwrap_err().to_string();
        for part in ["/data", "PostgreSQL 16", "postgresql-16", "15.18", "pg_dump", "--data-dir"] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
    }

    #[test]
    fn an_old_postgresql_is_refused_with_what_to_do() {
        let text = choose(installed(&[(13, "13.4")]), Path::new("/data"), None).unwrap_err().to_string();
        assert!(text.contains("13.4") && text.contains("BRASA_DATABASE_URL"), "{text}");
    }
}
