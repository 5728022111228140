//! `brasa dictionary`: trains the dictionary with which resources are compressed, on this hospital's own.

use super::load::{self, grouped};
use crate::app::Engine;
use crate::auth;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::fhir::bundle::Bundle;
use crate::fhir::id::VersionId;
use crate::fhir::resource::Resource;
use crate::interaction::mint::Minter;
use crate::store::body::{Codec, SHIPPED};
use crate::store::embedded::Role;
use crate::store::{SAMPLES_MAX, is_sample};
use chrono::Utc;
use load::cut::{Content, Piece, cut};
use load::source;
use rand::seq::SliceRandom;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The usual size of a zstd dictionary (bytes); a larger one costs memory for every process and gains little.
const SIZE_MAX: usize = 112_640;
/// Fewer bodies than these say nothing about those to come.
const SAMPLES_MIN: usize = 300;
/// One body in so many is kept back to measure on.
const HELD_OUT: usize = 10;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Train one on the resources that are stored, and compress new ones with it from then on.
    Train(Train),
}

#[derive(clap::Args)]
pub struct Train {
    /// Train on these files (Bundles, NDJSON, folders of them) instead of the database.
    #[arg(long, value_name = "FILE|FOLDER", num_args = 1..)]
    from: Vec<PathBuf>,
    /// Write the dictionary to this file and leave the database as it is.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub async fn run(settings: &Settings, Command::Train(train): Command) -> Result<ExitCode> {
    // From files to a file, no database is needed.
    if let (Some(out), false) = (&train.out, train.from.is_empty()) {
        let shipped = Codec::new(true);
        let so_far = |body: &[u8]| Ok(shipped.encode(body)?.size());
        let trained = train_on(samples_of_files(settings, train.from).await?, so_far).await?;
        trained.tell_measured();
        return write(out, &trained.dictionary);
    }
    let engine = Engine::open(settings, Role::Attach, say).await?;
    let ended = with_database(settings, &engine, train).await;
    engine.close().await?;
    ended
}

async fn with_database(settings: &Settings, engine: &Engine, train: Train) -> Result<ExitCode> {
    let grant = auth::of_server();
    let store = &engine.context.store;
    let samples = match train.from.is_empty() {
        true => store.dictionary_samples(&grant).await?,
        false => samples_of_files(settings, train.from).await?,
    };
    let trained = train_on(samples, |body| Ok(store.encode(body)?.size())).await?;
    trained.tell_measured();
    if let Some(out) = &train.out {
        return write(out, &trained.dictionary);
    }
    if trained.after >= trained.before {
        say("Nothing would be gained, so nothing was changed.");
        return Ok(ExitCode::SUCCESS);
    }
    let number = store.add_dictionary(&grant, &trained.dictionary).await?;
    say(&format!(
        "Stored as dictionary {number}: new bodies use it from now on; a running server takes it up when it is restarted."
    ));
    Ok(ExitCode::SUCCESS)
}

/// The stored form of the resources in these files, as near as can be had without storing them.
async fn samples_of_files(settings: &Settings, paths: Vec<PathBuf>) -> Result<Vec<Vec<u8>>> {
    let bounds = load::bounds(settings);
    let read = move || {
        let mut bodies = Reservoir::default();
        for found in source::find(&paths) {
            match found {
                Ok(source) => {
                    let _ = cut(&source, bounds, &mut |piece| {
                        bodies.add_piece(&piece, bounds.bundle_entries_max);
                        ControlFlow::Continue(())
                    });
                }
                Err(unreadable) => say(&format!("{}: {}", unreadable.name, unreadable.error)),
            }
        }
        bodies.kept
    };
    tokio::task::spawn_blocking(read).await.map_err(Error::internal)
}

/// A bounded number of bodies, each that came along with the same chance.
#[derive(Default)]
struct Reservoir {
    kept: Vec<Vec<u8>>,
    seen: usize,
    minter: Minter,
}

impl Reservoir {
    fn add_piece(&mut self, piece: &Piece, entries_max: usize) {
        match &piece.content {
            Content::Lines(lines) => lines.iter().for_each(|line| self.add(&line.text)),
            Content::Batch { text, entries, .. } => {
                let spans = entries.iter().filter_map(|(_, entry)| entry.resource.clone());
                spans.filter_map(|span| text.get(span)).for_each(|resource| self.add(resource));
            }
            Content::Bundle { text, .. } => {
                let Ok(bundle) = Bundle::read(text, usize::MAX, entries_max) else { return };
                let spans = bundle.entries.into_iter().filter_map(|entry| entry.resource);
                spans.filter_map(|span| text.get(span)).for_each(|resource| self.add(resource));
            }
            Content::Refused(reject) => say(&reject.sentence()),
        }
    }

    fn add(&mut self, text: &[u8]) {
        let Ok(mut resource) = Resource::read(text, 0..text.len(), usize::MAX) else { return };
        if !is_sample(text) {
            return;
        }
        resource.stamp(&self.minter.id(resource.resource_type(), None), VersionId::FIRST, Utc::now());
        self.seen += 1;
        let most = usize::try_from(SAMPLES_MAX).unwrap_or(usize::MAX);
        if self.kept.len() < most {
            self.kept.push(resource.to_bytes());
        } else if let Some(slot) = self.kept.get_mut(rand::random_range(0..self.seen)) {
            *slot = resource.to_bytes();
        }
    }
}

/// A dictionary and what it was measured to do.
struct Trained {
    dictionary: Vec<u8>,
    samples: usize,
    /// Bytes a body on those that were kept back: as JSON, with the dictionary in use so far, and with this one.
    plain: f64,
    before: f64,
    after: f64,
}

impl Trained {
    fn tell_measured(&self) {
        let Trained { samples, plain, before, after, .. } = self;
        say(&format!(
            "Trained on {} bodies; measured on one in {HELD_OUT} with what the others teach.",
            grouped(*samples)
        ));
        say(&format!("Bytes a body: {plain:.0} as JSON, {before:.1} so far, {after:.1} with the new dictionary."));
    }
}

/// Measures on a tenth of the samples what the others teach, then trains on all. It takes seconds of one core.
async fn train_on(mut samples: Vec<Vec<u8>>, encode_so_far: impl Fn(&[u8]) -> Result<usize>) -> Result<Trained> {
    let count = samples.len();
    if count < SAMPLES_MIN {
        let message = format!(
            "{count} bodies are too few to train a dictionary on; {SAMPLES_MIN} is the least, some thousand are better."
        );
        return Err(Error::invalid(message));
    }
    // zstd looks at the samples in stretches; in the order of a record these are too much alike: 102 bytes a body on
    // Synthea's resources instead of 96. Taking fewer of the frequent types was tried and is no better on new patients.
    samples.shuffle(&mut rand::rng());
    let (measured, dictionary, samples) = tokio::task::spawn_blocking(move || {
        let (_, training) = samples.split_at(count / HELD_OUT);
        Ok::<_, Error>((train(training)?, train(&samples)?, samples))
    })
    .await
    .map_err(Error::internal)??;
    let (held_out, _) = samples.split_at(count / HELD_OUT);
    let codec = Codec::new(true);
    codec.add(SHIPPED + 1, &measured);
    let (mut plain, mut before, mut after) = (0, 0, 0);
    for body in held_out {
        plain += body.len();
        before += encode_so_far(body)?;
        after += codec.encode(body)?.size();
    }
    let mean = |bytes: usize| mean(bytes, held_out.len());
    Ok(Trained { dictionary, samples: count, plain: mean(plain), before: mean(before), after: mean(after) })
}

fn train(samples: &[Vec<u8>]) -> Result<Vec<u8>> {
    // One that is large beside what it was made of learns the samples by heart.
    let size = samples.iter().map(Vec::len).sum::<usize>() / 4;
    zstd::dict::from_samples(samples, size.min(SIZE_MAX)).map_err(|fault| {
        Error::invalid(format!("No dictionary comes of these bodies ({fault}): they are too few or too much alike."))
    })
}

/// Exact as far as anybody cares: a sum of bytes beyond 2^32 is none of a sample.
fn mean(bytes: usize, count: usize) -> f64 {
    let number = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    number(bytes) / number(count.max(1))
}

fn write(path: &Path, dictionary: &[u8]) -> Result<ExitCode> {
    let written = std::fs::write(path, dictionary);
    written.map_err(|fault| Error::invalid(format!("{} cannot be written: {fault}.", path.display())))?;
    say(&format!("Written to {} ({} bytes).", path.display(), grouped(dictionary.len())));
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::print_stderr)]
fn say(sentence: &str) {
    eprintln!("brasa: {sentence}");
}
