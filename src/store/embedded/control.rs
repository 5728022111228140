//! Creating, starting and stopping PostgreSQL with its own programs.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::binaries::Binaries;
use super::fault::StartError;
use super::folder::Folder;

/// How often people are told that a start still goes on (s).
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long `pg_ctl` waits for a start (s). A day: replaying the log takes as long as it takes.
const START_SECONDS_MAX: &str = "86400";

/// How long a stop may take until it is forced, and how long the forced one may take (s).
const STOP_SECONDS_MAX: &str = "30";
/// How often it is looked whether a stopped PostgreSQL is gone, and how long between two looks: ten seconds in all.
const EXIT_LOOKS: u32 = 500;
const EXIT_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// A start beside processes that a killed PostgreSQL left behind fails until they have noticed; so often it is tried.
const STARTS_MAX: u32 = 8;

/// A program of PostgreSQL as the right user, in a folder that this user may enter, and with messages in English.
///
/// `uid` from root also gives up root's supplementary groups; the standard library sees to that.
fn program(binaries: &Binaries, folder: &Folder, name: &str, working_folder: &Path) -> Command {
    let mut command = Command::new(binaries.folder.join(name));
    command.current_dir(working_folder).env("LC_ALL", "C").stdin(Stdio::null());
    if let Some(account) = &folder.account {
        command.uid(account.uid).gid(account.gid);
    }
    command
}

/// Runs a program to its end; gives how it ended and what it said. Tells people every few seconds that it still runs.
async fn run(
    mut command: Command,
    progress: &(impl Fn(&str) + Sync),
    waiting: &str,
) -> Result<(ExitStatus, String), StartError> {
    let program = Path::new(command.as_std().get_program()).to_path_buf();
    let started = Instant::now();
    let mut ticks = interval(PATIENCE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    tokio::pin!(output);
    let output = loop {
        tokio::select! {
            output = &mut output => break output,
            _ = ticks.tick() => progress(&format!("{waiting} ({} s so far).", started.elapsed().as_secs())),
        }
    };
    let output = output.map_err(|error| StartError::program(&program, &error))?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status, String::from_utf8_lossy(&said).into_owned()))
}

/// Makes the database, whole or not at all.
pub(super) async fn create(
    binaries: &Binaries,
    folder: &Folder,
    progress: &(impl Fn(&str) + Sync),
) -> Result<(), StartError> {
    let staging = folder.staging()?;
    let mut command = program(binaries, folder, "initdb", &staging);
    command.arg("--pgdata").arg(&staging).args([
        "--username=brasa",
        "--encoding=UTF8",
        // Text is compared by bytes: fast, and the same whatever the machine's C library thinks of an alphabet.
        "--locale=C",
        "--data-checksums",
        "--auth-local=trust",
        "--auth-host=reject",
        "--no-instructions",
    ]);
    let (status, said) = run(command, progress, "Still creating the database").await?;
    if !status.success() {
        folder.check_writable().map_err(|fault| fault.said(&said))?;
        let what = format!("initdb could not create a database in {}", folder.root.display());
        return Err(
            StartError::new(what, "Mend what it names and start again (a new database takes 60 MB)").said(&said)
        );
    }
    folder.promote(&staging)
}

/// Starts PostgreSQL and waits until it accepts connections, however long it replays its log.
///
/// By `pg_ctl`, which puts it into a session of its own: a Ctrl-C in the terminal then reaches Brasa alone, and
/// PostgreSQL still serves the requests that drain.
pub(super) async fn start(
    binaries: &Binaries,
    folder: &Folder,
    progress: &(impl Fn(&str) + Sync),
) -> Result<(), StartError> {
    let starts = if folder.clear_stale_pid() { STARTS_MAX } else { 1 };
    let mut attempt = 1;
    loop {
        let log_offset = folder.turn_log();
        let mut command = program(binaries, folder, "pg_ctl", &folder.cluster);
        // pg_ctl hands these to a shell: the folder's name, which may hold anything, goes by the environment instead.
        command.env("PGDATA", &folder.cluster);
        command.args(["start", "--silent", "--wait", "--timeout", START_SECONDS_MAX, "--log", "server.log"]);
        command.args(["--options", "-c config_file=../brasa.conf"]);
        let waiting = "PostgreSQL is not ready yet; after a hard stop it first replays its log";
        let (status, said) = run(command, progress, waiting).await?;
        if status.success() {
            return Ok(());
        }
        if attempt == starts {
            let said = format!("{said}\n{}", folder.logged_since(log_offset));
            folder.check_writable().map_err(|fault| fault.said(&said))?;
            let what = format!("PostgreSQL {} did not start in {}", binaries.version, folder.cluster.display());
            return Err(StartError::new(what, "Mend what it names below and start again").said(&said));
        }
        tokio::time::sleep(Duration::from_millis(250) * attempt).await;
        attempt += 1;
    }
}

/// Stops PostgreSQL: its connections are cut and what it holds is written out. Forced when that takes too long,
/// which loses nothing but makes the next start replay the log.
pub(super) async fn stop(binaries: &Binaries, folder: &Folder) -> Result<(), StartError> {
    let mut last_said = String::new();
    for mode in ["fast", "immediate"] {
        let Some(running) = folder.running() else { return Ok(()) };
        let mut command = program(binaries, folder, "pg_ctl", &folder.cluster);
        // A group of its own, so that a second Ctrl-C does not end the wait.
        command.env("PGDATA", &folder.cluster).process_group(0);
        command.args(["stop", "--silent", "--wait", "--timeout", STOP_SECONDS_MAX, "--mode", mode]);
        let (status, said) = run(command, &|_: &str| {}, "").await?;
        if status.success() {
            // pg_ctl waits for the file with the process's number to go, which the process outlives by a moment.
            for _ in 0..EXIT_LOOKS {
                if !folder.is_ours(running.pid) {
                    return Ok(());
                }
                tokio::time::sleep(EXIT_PAUSE).await;
            }
        }
        last_said = said;
    }
    let what = format!("PostgreSQL in {} does not stop", folder.cluster.display());
    Err(StartError::new(what, "The next start of brasa takes it over as it is").said(&last_said))
}
