//! `brasa load`: brings Bundles and NDJSON into the database, through the interactions and several pieces at once.

pub mod cut;
mod lines;
mod reject;
mod report;
pub mod source;
mod store;

use crate::app::Engine;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::store::embedded::Role;
use cut::{Bounds, Content, Piece, cut};
use reject::{Reject, RejectFile};
use report::{Progress, Tally};
use source::{Source, Unreadable};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use store::{Done, Loader};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};

pub use report::grouped;

/// As a shell reports a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

#[derive(clap::Args)]
pub struct Arguments {
    /// Files (.json, .ndjson, plain or gzip), folders of them, or - for standard input.
    #[arg(required = true, value_name = "FILE|FOLDER|-")]
    paths: Vec<PathBuf>,
    /// Pieces stored at once [default: one per core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Leave out what an earlier run has stored; without it everything is loaded again.
    #[arg(long)]
    resume: bool,
    /// Where refused inputs go, one a line with the reason; made, or replaced, when there is one.
    #[arg(long, value_name = "FILE", default_value = "brasa-rejects.ndjson")]
    rejects: PathBuf,
    /// Say nothing but the summary.
    #[arg(long)]
    quiet: bool,
}

pub async fn run(settings: &Settings, arguments: Arguments) -> Result<ExitCode> {
    let found = source::find(&arguments.paths);
    if found.iter().flatten().any(|source| source.is_file(&arguments.rejects)) {
        return Err(Error::invalid(format!(
            "{} is read and would be written: choose another file with --rejects.",
            arguments.rejects.display()
        )));
    }
    let mut progress = Progress::new(found.iter().flatten().map(|source| source.bytes).sum(), arguments.quiet);
    let engine = Engine::open(settings, Role::Attach, |sentence| progress.say(sentence)).await?;
    let loader = Loader { context: Arc::clone(&engine.context), resume: arguments.resume };
    let jobs = arguments.jobs.map_or_else(cores, usize::from);
    progress.start();
    let load = Load {
        loader,
        jobs,
        bytes_max: settings.bodies_in_flight_bytes_max,
        rejects: RejectFile::new(arguments.rejects.clone()),
        arguments,
        progress,
        tally: Tally::default(),
        running: JoinSet::new(),
        claims: HashMap::new(),
        stopping: None,
    };
    let ended = load.run(pieces(found, bounds(settings))).await;
    if let Err(error) = engine.context.store.analyze().await {
        // Then the database does it by itself, in its time.
        tracing::warn!(%error, "The statistics for searches could not be brought up to date.");
    }
    engine.close().await?;
    ended
}

pub fn bounds(settings: &Settings) -> Bounds {
    Bounds {
        text_bytes_max: settings.body_bytes_max,
        json_depth_max: settings.json_depth_max,
        bundle_entries_max: settings.bundle_entries_max,
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Reads the inputs on a thread of its own, one piece ahead. The thread is not waited for: it may hang on standard
/// input when the load has been stopped.
fn pieces(found: Vec<std::result::Result<Source, Unreadable>>, bounds: Bounds) -> mpsc::Receiver<Piece> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut emit = |piece| match sender.blocking_send(piece) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        for one in found {
            let flow = match one {
                Ok(source) => cut(&source, bounds, &mut emit),
                Err(Unreadable { name, error }) => {
                    let content = Content::Refused(Reject::of_source(&name, error));
                    emit(Piece { source: name, key: String::new(), content, raw_bytes: 0 })
                }
            };
            if flow.is_break() {
                return;
            }
        }
    });
    receiver
}

/// Why no further pieces are begun.
enum Stop {
    Interrupted,
    Failed(Error),
}

struct Load {
    loader: Loader,
    arguments: Arguments,
    jobs: usize,
    /// Texts held at once; a piece that is larger runs alone.
    bytes_max: usize,
    rejects: RejectFile,
    progress: Progress,
    tally: Tally,
    running: JoinSet<(Done, u64)>,
    /// What the pieces under way hold.
    claims: HashMap<Id, Claim>,
    stopping: Option<Stop>,
}

/// What a piece holds while it is stored.
struct Claim {
    /// Resources that it writes, and its receipt: no two pieces may hold the same, so that the later version of a
    /// resource is stored later, and one file that is there twice is not loaded twice under `--resume`.
    names: HashSet<String>,
    bytes: usize,
}

impl Claim {
    fn of(piece: &Piece) -> Claim {
        let mut names = HashSet::new();
        let bytes = match &piece.content {
            Content::Refused(_) => 0,
            Content::Bundle { text, .. } => {
                names.insert(piece.key.clone());
                text.len()
            }
            Content::Batch { text, entries, .. } => {
                names.extend(entries.iter().map(|(number, _)| format!("{}/{number}", piece.key)));
                text.len()
            }
            Content::Lines(lines) => {
                names.insert(piece.key.clone());
                let ids = lines.iter().filter_map(|line| Some((line.resource_type, line.id.as_ref()?)));
                names.extend(ids.map(|(resource_type, id)| format!("{resource_type}/{id}")));
                // The lines, and the transaction that is made of them.
                lines.iter().map(|line| 2 * line.text.len()).sum()
            }
        };
        Claim { names, bytes }
    }
}

impl Load {
    async fn run(mut self, mut pieces: mpsc::Receiver<Piece>) -> Result<ExitCode> {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        let mut next: Option<(Piece, Claim)> = None;
        let mut has_more = true;
        loop {
            if self.stopping.is_some() {
                pieces.close();
                (next, has_more) = (None, false);
            }
            if let Some((piece, claim)) = next.take_if(|(_, claim)| self.may_start(claim)) {
                self.start(piece, claim);
            }
            if next.is_none() && !has_more && self.running.is_empty() {
                break;
            }
            tokio::select! {
                piece = pieces.recv(), if next.is_none() && has_more => match piece {
                    Some(piece) => {
                        let claim = Claim::of(&piece);
                        next = Some((piece, claim));
                    }
                    None => has_more = false,
                },
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                _ = interrupt.recv() => self.interrupted(),
                _ = terminate.recv() => self.interrupted(),
                _ = tick.tick() => self.progress.step(0, &self.tally),
            }
        }
        self.finish()
    }

    fn may_start(&self, claim: &Claim) -> bool {
        let bytes: usize = self.claims.values().map(|held| held.bytes).sum();
        self.running.is_empty()
            || self.running.len() < self.jobs
                && bytes + claim.bytes <= self.bytes_max
                && self.claims.values().all(|held| held.names.is_disjoint(&claim.names))
    }

    fn start(&mut self, piece: Piece, claim: Claim) {
        let loader = self.loader.clone();
        let task = self.running.spawn(async move { (loader.store(&piece).await, piece.raw_bytes) });
        self.claims.insert(task.id(), claim);
    }

    fn ended(&mut self, ended: std::result::Result<(Id, (Done, u64)), tokio::task::JoinError>) {
        let (id, done) = match ended {
            Ok((id, done)) => (id, Some(done)),
            Err(fault) => {
                let id = fault.id();
                // Aborted on the operator's second word, or a fault of ours.
                self.stopping.get_or_insert(Stop::Failed(Error::internal(fault)));
                (id, None)
            }
        };
        self.claims.remove(&id);
        let Some((done, raw_bytes)) = done else { return };
        self.tally.add_all(done.tally);
        for reject in &done.rejects {
            self.tally.add_refused(reject.resource_type.as_deref());
            self.progress.refused(&reject.sentence(), &self.arguments.rejects);
            if let Err(error) = self.rejects.add(reject) {
                self.stopping.get_or_insert(Stop::Failed(error));
            }
        }
        if let Some(error) = done.lost {
            self.stopping.get_or_insert(Stop::Failed(error));
        }
        self.progress.step(raw_bytes, &self.tally);
    }

    /// First what is under way may end; at the second time it is let go, and the database rolls it back.
    fn interrupted(&mut self) {
        if matches!(self.stopping, Some(Stop::Interrupted)) {
            self.running.abort_all();
        } else {
            self.progress.say("Stopping after the pieces under way.");
            self.stopping = Some(Stop::Interrupted);
        }
    }

    fn finish(self) -> Result<ExitCode> {
        self.progress.finish();
        tell(&self.tally.summary(self.progress.took()));
        let refused = self.tally.refused();
        if refused > 0 {
            let path = self.arguments.rejects.display();
            tell(&format!("{} inputs were refused; {path} has each with its reason.\n", grouped(refused)));
        }
        match self.stopping {
            Some(Stop::Interrupted) => {
                tell("Stopped before the end. The same command with --resume goes on from here.\n");
                Ok(ExitCode::from(INTERRUPTED))
            }
            Some(Stop::Failed(error)) => {
                tell("Stopped before the end. When the cause is mended, --resume goes on from here.\n");
                Err(error)
            }
            None if refused > 0 => Ok(ExitCode::FAILURE),
            None => Ok(ExitCode::SUCCESS),
        }
    }
}

#[allow(clippy::print_stdout)]
fn tell(text: &str) {
    print!("{text}");
}
