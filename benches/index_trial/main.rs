//! Where tokens and references live: rows under a btree, an array under GIN, or both, tried on the same resources.
//!
//! ```sh
//! cargo bench --bench index_trial -- --database postgres://… --data FOLDER
//! ```
//!
//! FOLDER holds transaction Bundles of Synthea, a patient a file. The trial makes a schema for each design in a database
//! of its own (on Citus, if the database has it: distributed as Brasa distributes), fills them with the same resources,
//! and prints Markdown: bytes a resource, first pages in milliseconds, creates a second in alternating rounds, and what
//! counters cost and save. The schemas stay, so that `--keep` can ask again. docs/decisions/0009-token-rows.md has a run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod ask;
mod create;
mod design;
mod fill;
mod record;

use clap::Parser;
use design::{ALL, Design};
use std::path::PathBuf;
use tokio_postgres::{Client, NoTls};

#[derive(Parser)]
struct Arguments {
    /// A database of its own; the trial drops the schemas trial_rows, trial_array and trial_mixed in it.
    #[arg(long)]
    database: String,
    /// A folder of Synthea's Bundles.
    #[arg(long)]
    data: PathBuf,
    /// Resources to fill with, at most.
    #[arg(long, default_value_t = 1_100_000)]
    resources: usize,
    /// The tables of an earlier run with the same data are there: only measure.
    #[arg(long)]
    keep: bool,
    /// Connections that create.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// How long one run of creates takes (s).
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Runs of creates for each design, in turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// `cargo bench` says it.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A connection whose tables are those of a design.
async fn connect(url: &str, design: &Design) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the database answers");
    tokio::spawn(connection);
    client.batch_execute(&format!("SET search_path = {}, public; SET jit = off", design.schema)).await.unwrap();
    if on_citus(&client).await {
        // As Brasa's sessions are on Citus.
        let calm = "SET citus.max_adaptive_executor_pool_size = 1; SET citus.executor_slow_start_interval = '100ms'";
        client.batch_execute(calm).await.unwrap();
    }
    client
}

async fn on_citus(client: &Client) -> bool {
    let known = "SELECT count(*) FROM pg_extension WHERE extname = 'citus'";
    client.query_one(known, &[]).await.unwrap().get::<_, i64>(0) > 0
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments = Arguments::parse();
    let files = record::files(&arguments.data);
    let mut clients = Vec::new();
    for design in &ALL {
        clients.push(connect(&arguments.database, design).await);
    }
    let filled = fill::fill(&clients, &files, arguments.resources, arguments.keep).await;
    println!("\n{} resources, {} tokens.\n", filled.resources, filled.tokens);
    fill::sizes(&clients, &filled).await;
    let chosen = ask::choose(&filled);
    fill::tally(&clients[0], &filled, arguments.keep).await;
    ask::pages(&clients, &chosen).await;
    ask::counts(&clients, &chosen).await;
    create::rounds(&arguments, &filled).await;
}
