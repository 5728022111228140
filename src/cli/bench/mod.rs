//! `brasa bench`: the server's throughput beside pgbench's for the same rows on the same database, in one run.

mod content;
mod cpu;
mod floor;
mod load;
mod recording;
mod report;
mod script;
mod searches;

use crate::app::Application;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::telemetry;
use clap::Args;
use content::{Requests, Row};
use floor::{Connection, Floor};
use load::{Crowd, Target};
use report::Side;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

#[derive(Args)]
pub struct Options {
    /// How long one run takes (s).
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Connections at once.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=800))]
    clients: u32,
    /// Runs of the server and of pgbench for each row, in turn.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Only rows whose name contains this word: create, read, update, vread, transaction.
    #[arg(long, value_name = "WORD")]
    only: Option<String>,
    /// Keep the embedded database in this folder instead of a temporary one.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Measure a server that runs. pgbench then needs BRASA_DATABASE_URL or the server's --data-dir.
    #[arg(long, value_name = "http://HOST:PORT/fhir")]
    server: Option<String>,
    /// Measure searches over what the database holds, and store nothing. Needs --server, --data-dir or BRASA_DATABASE_URL.
    #[arg(long, conflicts_with_all = ["only", "leave_rows"])]
    searches: bool,
    /// Measure what recording every access costs: a server that does beside one that does not, on the same database.
    #[arg(long, conflicts_with_all = ["searches", "server", "no_floor"])]
    recording: bool,
    /// Agree that the benchmark's patients stay in the database; needed with one that is there already.
    #[arg(long)]
    leave_rows: bool,
    /// Leave pgbench out.
    #[arg(long)]
    no_floor: bool,
    /// Log as `brasa serve` does, with a line for each request on standard error, instead of warnings only.
    #[arg(long)]
    request_log: bool,
}

impl Options {
    fn crowd(&self) -> Crowd {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Crowd { clients: self.clients, threads: u32::try_from(cores / 2).unwrap_or(1).clamp(1, self.clients) }
    }

    fn wants(&self, row: Row) -> bool {
        self.only.as_ref().is_none_or(|word| row.title().split(' ').any(|title| title == word))
    }

    fn settings(&self, scratch: &Path) -> Result<Settings> {
        // Never the data folder of the environment: that may be a real one.
        let data_dir = self.data_dir.clone().unwrap_or_else(|| scratch.join("data"));
        let mut flags = vec![
            ("BRASA_LISTEN", "127.0.0.1:0".to_owned()),
            ("BRASA_DATA_DIR", data_dir.to_string_lossy().into_owned()),
            // What is measured logs in nowhere, and nobody else reaches it.
            ("BRASA_MODE", "development".to_owned()),
            ("BRASA_AUTH", "off".to_owned()),
            ("BRASA_AUDIT", "off".to_owned()),
        ];
        if self.searches {
            flags.push(("BRASA_EXPLAIN", "on".to_owned()));
        }
        if !self.request_log {
            flags.push(("BRASA_LOG", "warn".to_owned()));
        }
        let settings = Settings::load_with(&flags).map_err(|fault| Error::invalid(fault.to_string()))?;
        telemetry::start(&settings).map_err(Error::internal)?;
        Ok(settings)
    }
}

pub async fn run(options: Options) -> Result<ExitCode> {
    let scratch = Scratch::make()?;
    let settings = options.settings(&scratch.0)?;
    let is_kept = options.data_dir.as_ref().is_some_and(|folder| folder.join("postgres").exists());
    let is_shared = settings.database_url.is_some() || options.server.is_some() || is_kept;
    if options.searches && !is_shared {
        return Err(Error::invalid(
            "Searches are measured over what a database holds: name it by BRASA_DATABASE_URL, --server or --data-dir.",
        ));
    }
    if is_shared && !options.leave_rows && !options.searches {
        return Err(Error::invalid(
            "The benchmark would store thousands of made-up patients in a database that is not its own. Name none (BRASA_DATABASE_URL, --server, --data-dir), or agree with --leave-rows.",
        ));
    }
    let database = settings.database_url.as_ref().map(|url| Connection::of_url(url.reveal()));
    let work = async {
        match &options.server {
            Some(url) => {
                let (host, address, prefix) = find(url).await?;
                let database = match (database, &options.data_dir) {
                    (None, Some(folder)) => Some(Connection::of_data_dir(folder)?),
                    (database, _) => database,
                };
                let target = Target { address, requests: Arc::new(Requests::new(&host, &prefix)) };
                measure(&options, &target, database, &scratch.0).await
            }
            None => in_process(&options, &settings, database, &scratch.0).await,
        }
    };
    work.await?;
    Ok(ExitCode::SUCCESS)
}

/// Starts the server in this process, measures it, and stops it whatever happened.
async fn in_process(
    options: &Options,
    settings: &Settings,
    database: Option<Connection>,
    scratch: &Path,
) -> Result<()> {
    let application = Application::build(settings, say).await?;
    let (stopper, address) = (application.stopper(), application.address);
    let serving = application.run();
    let mut serving = std::pin::pin!(serving);
    let database = database.map_or_else(|| Connection::of_data_dir(&settings.data_dir), Ok);
    let target = Target { address, requests: Arc::new(Requests::new(&address.to_string(), "/fhir")) };
    let measured = tokio::select! {
        measured = async {
            match options.recording {
                true => recording::measure(options, settings, &target, database?, scratch).await,
                false => measure(options, &target, Some(database?), scratch).await,
            }
        } => measured,
        ended = &mut serving => return ended.and(Err(Error::invalid("The server ended in the middle."))),
        _ = tokio::signal::ctrl_c() => Err(Error::invalid("Interrupted.")),
    };
    let (ended, ()) = tokio::join!(serving, stopper.stop());
    measured.and(ended)
}

async fn measure(options: &Options, target: &Target, database: Option<Connection>, scratch: &Path) -> Result<()> {
    let (crowd, duration) = (options.crowd(), Duration::from_secs(options.seconds));
    if options.searches {
        let mut floor = database.filter(|_| !options.no_floor).map(|database| Floor::bare(database, scratch));
        let meter = Meter::of(floor.as_ref(), options.server.is_none()).await;
        print(&report::notes(options.clients, options.seconds, options.rounds));
        print("");
        return searches::measure(target, &mut floor, &meter, crowd, duration, options.rounds).await;
    }
    say("Storing the patients that reads and updates are about.");
    load::prepare(target, crowd).await?;
    let imported = load::import_one(target).await?;
    let mut floor = match database.filter(|_| !options.no_floor) {
        Some(database) => Some(Floor::open(database, scratch, &imported).await?),
        None => None,
    };
    let meter = Meter::of(floor.as_ref(), options.server.is_none()).await;
    print(&report::notes(options.clients, options.seconds, options.rounds));
    print("");
    print(report::HEAD);
    for row in Row::ALL {
        if !options.wants(row) {
            continue;
        }
        let (mut brasa, mut alone) = (Side::default(), Side::default());
        for _ in 0..options.rounds {
            if let Some(floor) = &floor {
                floor.settle().await;
            }
            let before = meter.read();
            let run = load::run(target, row, crowd, duration).await?;
            let (own, database) = meter.since(&before, run.client_cpu_us);
            brasa.add(run, own, database);
            if let Some(floor) = &mut floor {
                floor.settle().await;
                let before = meter.read();
                let run = floor.run(row, crowd, duration).await?;
                alone.add(run, None, meter.since(&before, 0).1);
            }
        }
        print(&report::line(row, &mut brasa, floor.is_some().then_some(&mut alone)));
    }
    Ok(())
}

/// Tells the processor time of the server and of the database.
struct Meter {
    postgres: Option<cpu::Postgres>,
    /// The server runs in this process.
    is_own: bool,
}

/// What a [`Meter`] showed (µs).
struct Reading {
    process: u64,
    database: Option<u64>,
}

impl Meter {
    async fn of(floor: Option<&Floor>, is_own: bool) -> Meter {
        let postgres = match floor {
            Some(floor) => floor.postgres().await,
            None => None,
        };
        Meter { postgres, is_own }
    }

    fn read(&self) -> Reading {
        Reading { process: cpu::process_us(), database: self.postgres.map(cpu::Postgres::total_us) }
    }

    /// Of the server, without the clients that run in its process, and of the database.
    fn since(&self, before: &Reading, client_us: u64) -> (Option<u64>, Option<u64>) {
        let now = self.read();
        let own = now.process.saturating_sub(before.process).saturating_sub(client_us);
        let database = now.database.zip(before.database).map(|(now, before)| now.saturating_sub(before));
        (self.is_own.then_some(own), database)
    }
}

/// Host, address and path of a server's FHIR endpoint.
async fn find(url: &str) -> Result<(String, SocketAddr, String)> {
    let unread = || Error::invalid(format!("{url} cannot be read. It looks like http://127.0.0.1:8000/fhir."));
    let rest = url.strip_prefix("http://").ok_or_else(unread)?.trim_end_matches('/');
    let (host, path) = rest.split_once('/').unwrap_or((rest, "fhir"));
    let mut addresses = tokio::net::lookup_host(host).await.map_err(|_| unread())?;
    let address = addresses.next().ok_or_else(unread)?;
    Ok((host.to_owned(), address, format!("/{path}")))
}

/// A folder that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> Result<Scratch> {
        let path = PathBuf::from(format!("/tmp/brasa-bench-{}", std::process::id()));
        // Started by root, the database runs as another user, who must pass through.
        let made = std::fs::DirBuilder::new().mode(0o711).create(&path);
        made.map_err(|fault| Error::invalid(format!("Cannot make the folder {}: {fault}.", path.display())))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[allow(clippy::print_stdout)]
fn print(line: &str) {
    println!("{line}");
}

#[allow(clippy::print_stderr)]
fn say(sentence: &str) {
    eprintln!("brasa: {sentence}");
}
