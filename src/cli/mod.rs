//! The subcommands of `brasa`.

mod audit;
mod bench;
mod dictionary;
mod health;
mod keys;
mod load;
mod package;
mod policy;
mod serve;

use crate::config::Settings;
use crate::error::Error;
use crate::telemetry;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// A FHIR R4 server that keeps each patient's record on one shard.
#[derive(Parser)]
#[command(version, about, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve FHIR over HTTP; without BRASA_DATABASE_URL on a PostgreSQL of its own.
    Serve {
        /// Where to listen (BRASA_LISTEN).
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<String>,
        /// Where the embedded PostgreSQL keeps its files (BRASA_DATA_DIR).
        #[arg(long, value_name = "FOLDER")]
        data_dir: Option<PathBuf>,
    },
    /// Measure create, read, update, vread and transactions beside pgbench on the same database.
    Bench(bench::Options),
    /// Load Bundles and NDJSON, plain or gzip; beside a running server or without one.
    Load {
        #[command(flatten)]
        load: load::Arguments,
        /// Where the embedded PostgreSQL keeps its files (BRASA_DATA_DIR).
        #[arg(long, value_name = "FOLDER")]
        data_dir: Option<PathBuf>,
    },
    /// Dictionaries by which stored resources are compressed.
    Dictionary {
        #[command(subcommand)]
        command: dictionary::Command,
        /// Where the embedded PostgreSQL keeps its files (BRASA_DATA_DIR).
        #[arg(long, value_name = "FOLDER", global = true)]
        data_dir: Option<PathBuf>,
    },
    /// Packages of profiles and value sets, as HL7 publishes them.
    Package {
        #[command(subcommand)]
        command: package::Command,
        /// Where the embedded PostgreSQL keeps its files (BRASA_DATA_DIR).
        #[arg(long, value_name = "FOLDER", global = true)]
        data_dir: Option<PathBuf>,
    },
    /// Who may do what: the table that the server goes by.
    Policy {
        #[command(subcommand)]
        command: policy::Command,
        /// Where the embedded PostgreSQL keeps its files (BRASA_DATA_DIR).
        #[arg(long, value_name = "FOLDER", global = true)]
        data_dir: Option<PathBuf>,
    },
    /// Keys that sign access tokens, for servers with BRASA_AUTH=on.
    Keys {
        #[command(subcommand)]
        command: keys::Command,
        /// Where the embedded PostgreSQL keeps its files (BRASA_DATA_DIR).
        #[arg(long, value_name = "FOLDER", global = true)]
        data_dir: Option<PathBuf>,
    },
    /// Records of accesses: verified, exported, dropped by months.
    Audit {
        #[command(subcommand)]
        command: audit::Command,
        /// Where the embedded PostgreSQL keeps its files (BRASA_DATA_DIR).
        #[arg(long, value_name = "FOLDER", global = true)]
        data_dir: Option<PathBuf>,
    },
    /// Ask a running server whether it lives; for probes.
    Health {
        /// Ask whether it can serve instead.
        #[arg(long)]
        ready: bool,
    },
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    std::panic::set_hook(Box::new(tell_panic));
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(fault) => return failed(&Error::internal(fault)),
    };
    match runtime.block_on(run(arguments.command)) {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

async fn run(command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Serve { listen, data_dir } => serve::run(&settings(listen, data_dir)?).await,
        Command::Bench(options) => bench::run(options).await,
        Command::Load { load, data_dir } => load::run(&settings(None, data_dir)?, load).await,
        Command::Dictionary { command, data_dir } => dictionary::run(&settings(None, data_dir)?, command).await,
        Command::Package { command, data_dir } => package::run(&settings(None, data_dir)?, command).await,
        Command::Policy { command, data_dir } => policy::run(command, || settings(None, data_dir)).await,
        Command::Keys { command, data_dir } => keys::run(&settings(None, data_dir)?, command).await,
        Command::Audit { command, data_dir } => audit::run(&settings(None, data_dir)?, command).await,
        Command::Health { ready } => health::run(&settings(None, None)?, ready).await,
    }
}

/// The settings of the environment with the flags over them; from here on, faults are also logged.
fn settings(listen: Option<String>, data_dir: Option<PathBuf>) -> Result<Settings, Error> {
    let mut flags = Vec::new();
    flags.extend(listen.map(|listen| ("BRASA_LISTEN", listen)));
    flags.extend(data_dir.map(|folder| ("BRASA_DATA_DIR", folder.to_string_lossy().into_owned())));
    let settings = Settings::load_with(&flags).map_err(|fault| Error::invalid(fault.to_string()))?;
    telemetry::start(&settings).map_err(Error::internal)?;
    Ok(settings)
}

/// Says where a panic happened and nothing of what it says: it may quote clinical content.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "a task panicked; this is a fault of Brasa");
}

/// Tells the operator what went wrong, the cause included: this is not a client.
#[allow(clippy::print_stderr)]
fn failed(error: &Error) -> ExitCode {
    eprintln!("brasa: {}", error.message);
    if let Some(cause) = &error.cause {
        eprintln!("       {cause}");
    }
    ExitCode::FAILURE
}
