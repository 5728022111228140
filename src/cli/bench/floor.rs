//! The floor: pgbench running the statements that the server runs, over as many connections, on the same database.

use super::content::{BUNDLE_RESOURCES, PATIENT_HEAD, Row, patient_id};
use super::cpu::Postgres;
use super::load::{Crowd, Run};
use super::script::{Entries, expand, script_of};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

const SETTLE: &str = include_str!("../../../sql/bench/settle.psql");
const CHECKPOINTER: &str = include_str!("../../../sql/bench/checkpointer.psql");
const BODIES: &str = include_str!("../../../sql/bench/bodies.psql");
const ENTRIES: &str = include_str!("../../../sql/bench/entries.psql");

/// Where distributions keep PostgreSQL's programs when `pg_config` does not say.
const FOLDER_OF_VERSIONS: &str = "/usr/lib/postgresql";

/// Four digits of 36.
const TAGS: u32 = 1_679_616;

/// Keys that one run may use.
const KEYS_OF_RUN: i64 = 1_000_000_000_000;

/// How PostgreSQL's own programs reach the database.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Without the password, which other users could read from the list of processes.
    conninfo: String,
    password: Option<String>,
}

impl Connection {
    pub fn of_url(url: &str) -> Connection {
        let (conninfo, password) = split_password(url);
        Connection { conninfo, password }
    }

    /// Without the password.
    pub fn conninfo(&self) -> &str {
        &self.conninfo
    }

    /// The embedded database of a data folder, by what PostgreSQL itself notes of where it listens.
    pub fn of_data_dir(data_dir: &Path) -> Result<Connection> {
        let path = data_dir.join("postgres/postmaster.pid");
        let missing = |fault| Error::invalid(format!("No database runs in {}: {fault}.", data_dir.display()));
        let notes = std::fs::read_to_string(&path).map_err(missing)?;
        let mut lines = notes.lines().skip(3);
        let (port, folder) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        let folder = folder.replace('\\', "\\\\").replace('\'', "\\'");
        let conninfo = format!("host='{folder}' port={port} user=brasa dbname=brasa");
        Ok(Connection { conninfo, password: None })
    }
}

/// Takes the password out of either form of a PostgreSQL address.
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>
fn split_password(url: &str) -> (String, Option<String>) {
    if let Some((scheme, rest)) = url.split_once("://") {
        let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at_checked(authority_end).unwrap_or((rest, ""));
        if let Some((user, host)) = authority.rsplit_once('@')
            && let Some((user, password)) = user.split_once(':')
        {
            let password = percent_encoding::percent_decode_str(password).decode_utf8_lossy().into_owned();
            return (format!("{scheme}://{user}@{host}{tail}"), Some(password));
        }
        return (url.to_owned(), None);
    }
    let (with, without): (Vec<&str>, Vec<&str>) =
        url.split_whitespace().partition(|pair| pair.starts_with("password="));
    let password = with.first().and_then(|pair| pair.strip_prefix("password="));
    (without.join(" "), password.map(|password| password.trim_matches('\'').to_owned()))
}

/// pgbench on one database, with the bodies that the server stored there.
pub struct Floor {
    connection: Connection,
    programs: Option<PathBuf>,
    /// Scripts and logs of pgbench.
    folder: PathBuf,
    /// Makes the ids of this benchmark differ from those of another one on the same database.
    tag: u32,
    variables: Vec<String>,
    /// The index's rows of the resource that is created, and of those that are imported.
    created: Entries,
    imported: Entries,
    runs: u32,
}

impl Floor {
    /// `imported`: the patient of a Bundle that the server has imported.
    pub async fn open(connection: Connection, folder: &Path, imported: &str) -> Result<Floor> {
        let tag = rand::random_range(0..TAGS);
        let mut floor = Floor {
            connection,
            programs: programs(),
            folder: folder.to_owned(),
            tag,
            variables: vec![format!("head={PATIENT_HEAD}"), "n=0".to_owned()],
            created: Entries::default(),
            imported: Entries::default(),
            runs: 0,
        };
        let stored = floor.psql(BODIES, Some(&patient_id(0))).await?;
        let observation =
            stored.lines().enumerate().find_map(|(n, line)| Some((n, line.strip_prefix("Observation|")?)));
        let (number, observation) =
            observation.ok_or_else(|| Error::invalid("The database does not hold what was stored."))?;
        floor.created = Entries::read(&floor.psql(ENTRIES, Some(&patient_id(0))).await?).of(number);
        floor.imported = Entries::read(&floor.psql(ENTRIES, Some(imported)).await?);
        floor.variables.push(format!("body=\\x{observation}"));
        let stored = floor.psql(BODIES, Some(imported)).await?;
        for (number, line) in stored.lines().enumerate() {
            let (resource_type, body) = line.split_once('|').unwrap_or_default();
            floor.variables.extend([
                format!("t{number}={resource_type}"),
                format!("i{number}=.{number:013}"),
                format!("b{number}=\\x{body}"),
            ]);
        }
        match usize::try_from(BUNDLE_RESOURCES) {
            Ok(expected) if stored.lines().count() == expected => Ok(floor),
            _ => Err(Error::invalid("The database does not hold the Bundle that was imported.")),
        }
    }

    /// pgbench for statements that bring their own values.
    pub fn bare(connection: Connection, folder: &Path) -> Floor {
        let (programs, folder) = (programs(), folder.to_owned());
        let (created, imported) = (Entries::default(), Entries::default());
        Floor { connection, programs, folder, tag: 0, variables: Vec::new(), created, imported, runs: 0 }
    }

    /// The processes of the database, when they are of this machine.
    pub async fn postgres(&self) -> Option<Postgres> {
        let pid = self.psql(CHECKPOINTER, None).await.ok()?;
        Postgres::of_child(pid.trim().parse().ok()?)
    }

    /// Tidies the database before a run. A user who may not is not stopped: the runs then differ a little more.
    pub async fn settle(&self) {
        let _ = self.psql(SETTLE, None).await;
    }

    /// Runs pgbench for so long.
    pub async fn run(&mut self, row: Row, crowd: Crowd, duration: Duration) -> Result<Run> {
        self.runs += 1;
        let tag = self.run_tag();
        // Keys that neither the server nor another run gives.
        let offset = -KEYS_OF_RUN * i64::from((self.tag + self.runs) % TAGS + 1);
        let own = [format!("tag={tag}"), format!("run=ben{tag}"), format!("offset={offset}")];
        let entries = if row == Row::Import { &self.imported } else { &self.created };
        self.pgbench(&[expand(script_of(row), entries)?], &own, crowd, duration).await
    }

    /// Runs pgbench with several scripts, one at random each time, for so long.
    pub async fn run_scripts(&self, scripts: &[String], crowd: Crowd, duration: Duration) -> Result<Run> {
        self.pgbench(scripts, &[], crowd, duration).await
    }

    async fn pgbench(&self, scripts: &[String], own: &[String], crowd: Crowd, duration: Duration) -> Result<Run> {
        let logs = self.folder.join("pgbench");
        remove_logs(&self.folder)?;
        let mut command = self.program("pgbench");
        command.args(["--no-vacuum", "--protocol=prepared", "--log"]);
        command.arg("--log-prefix").arg(&logs);
        for (number, script) in scripts.iter().enumerate() {
            let path = self.folder.join(format!("script{number}.pgbench"));
            std::fs::write(&path, script).map_err(Error::internal)?;
            command.arg("--file").arg(path);
        }
        command.args(["--client", &crowd.clients.to_string(), "--jobs", &crowd.threads.to_string()]);
        command.args(["--time", &duration.as_secs().to_string()]);
        for variable in self.variables.iter().chain(own) {
            command.args(["--define", variable]);
        }
        command.arg(&self.connection.conninfo);
        let said = output(command, "").await?;
        let tps = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
        let tps = tps.filter(|tps| *tps > 0.0).ok_or_else(|| Error::invalid(format!("pgbench said no tps: {said}")))?;
        let latencies_us = read_logs(&self.folder)?;
        let elapsed = Duration::from_secs_f64(count(&latencies_us) / tps);
        Ok(Run { latencies_us, elapsed, client_cpu_us: 0 })
    }

    /// Four characters that no other run has.
    fn run_tag(&self) -> String {
        let number = (self.tag + self.runs) % TAGS;
        let digits = [46_656, 1_296, 36, 1].map(|place| char::from_digit(number / place % 36, 36).unwrap_or('0'));
        digits.iter().collect()
    }

    fn program(&self, name: &str) -> Command {
        let mut command = match &self.programs {
            Some(folder) => Command::new(folder.join(name)),
            None => Command::new(name),
        };
        if let Some(password) = &self.connection.password {
            command.env("PGPASSWORD", password);
        }
        command
    }

    async fn psql(&self, script: &str, compartment: Option<&str>) -> Result<String> {
        let mut command = self.program("psql");
        command.args(["--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--set", "ON_ERROR_STOP=1"]);
        if let Some(compartment) = compartment {
            command.args(["--set", &format!("compartment={compartment}")]);
        }
        command.args(["--file", "-", "--dbname", &self.connection.conninfo]);
        output(command, script).await
    }
}

/// The folder of pgbench and psql; `None` leaves it to PATH.
fn programs() -> Option<PathBuf> {
    let has_both = |folder: &PathBuf| ["pgbench", "psql"].iter().all(|name| folder.join(name).is_file());
    let asked = std::process::Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output();
    let told = asked.ok().map(|said| PathBuf::from(String::from_utf8_lossy(&said.stdout).trim()));
    let versions = std::fs::read_dir(FOLDER_OF_VERSIONS).into_iter().flatten().flatten();
    let mut installed: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    installed.sort();
    told.into_iter().chain(installed.into_iter().rev()).find(has_both)
}

/// Runs a program with text on its standard input; gives what it printed, or refuses with what it complained of.
async fn output(mut command: Command, input: &str) -> Result<String> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let missing = |fault| {
        Error::invalid(format!(
            "{name} cannot be run: {fault}. It comes with PostgreSQL (Debian: apt-get install postgresql)."
        ))
    };
    command.kill_on_drop(true).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).env("LC_ALL", "C");
    let mut child = command.spawn().map_err(missing)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).await.map_err(Error::internal)?;
    }
    let ended = child.wait_with_output().await.map_err(Error::internal)?;
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    Err(Error::invalid(format!("{name} failed.")).caused_by(said.trim()))
}

fn logs(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::internal)?.flatten();
    let is_log = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pgbench."));
    Ok(entries.map(|entry| entry.path()).filter(is_log).collect())
}

fn remove_logs(folder: &Path) -> Result<()> {
    logs(folder)?.iter().try_for_each(|path| std::fs::remove_file(path).map_err(Error::internal))
}

/// The latency of each transaction, the third word of its line.
/// <https://www.postgresql.org/docs/current/pgbench.html> (Per-Transaction Logging)
fn read_logs(folder: &Path) -> Result<Vec<u64>> {
    let mut latencies = Vec::new();
    for path in logs(folder)? {
        let text = std::fs::read_to_string(path).map_err(Error::internal)?;
        latencies.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u64>().ok()));
    }
    Ok(latencies)
}

fn count(latencies: &[u64]) -> f64 {
    u32::try_from(latencies.len()).unwrap_or(u32::MAX).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_taken_out_of_the_address() {
        let split = |url| split_password(url);
        assert_eq!(
            split("postgres://u:p%40@h:5432/d?x=1"),
            ("postgres://u@h:5432/d?x=1".to_owned(), Some("p@".to_owned()))
        );
        assert_eq!(split("postgres://u@h/d"), ("postgres://u@h/d".to_owned(), None));
        assert_eq!(split("host=h password='p' dbname=d"), ("host=h dbname=d".to_owned(), Some("p".to_owned())));
    }
}
