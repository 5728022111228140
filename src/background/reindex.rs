//! Works on the jobs that write the index again: one server at a time, one job after the other, a piece at a time.

use crate::auth::{self, Grant};
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::interaction::Context;
use crate::interaction::reindex::{Indexing, per_second, progress};
use crate::store::{Listed, ReindexJob, Turn};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a server looks whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it looks for resources that have no key: a server from before the index may still write some while others
/// are upgraded.
const LOOK_FOR_UNINDEXED_EVERY: Duration = Duration::from_secs(300);
/// How long after a failure it tries again.
const REST: Duration = Duration::from_secs(5);
/// Resources of a piece, after which the place is noted (resources).
const PIECE: i64 = 1_000;
/// How often a job under way is told of in the log.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Never ends.
pub async fn keep(context: Arc<Context>) {
    let (mut looked, mut failed) = (None, false);
    loop {
        let answer = step(&context, &mut looked).await;
        // Told once, not every few seconds as long as a part of the database is down.
        if let Some(error) = answer.as_ref().err().filter(|_| !failed) {
            tracing::warn!(cause = error.cause.as_deref(), "reindexing cannot go on now, and is tried again");
        }
        failed = answer.is_err();
        if failed {
            tokio::time::sleep(REST).await;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Makes the jobs that are missing and works on the first one. `looked`: when resources without a key were looked for.
async fn step(context: &Context, looked: &mut Option<Instant>) -> Result<()> {
    let grant = auth::of_server();
    if looked.is_none_or(|looked| looked.elapsed() > LOOK_FOR_UNINDEXED_EVERY) {
        index_unindexed(context, &grant).await?;
        *looked = Some(Instant::now());
    }
    let due = context.store.reindex_due().await?;
    if due.job.is_none() && due.parameters.is_empty() {
        return Ok(());
    }
    let Some(turn) = context.store.take_turn().await? else { return Ok(()) };
    let (parameters, types) = context.parameters.known().types_of(&due.parameters);
    if !parameters.is_empty() {
        context.store.make_job_for_parameters(&types, &parameters).await?;
    }
    // Looked up again: another server may have ended it before this one had the turn.
    let Some(number) = context.store.reindex_due().await?.job else { return Ok(()) };
    match context.store.job(number).await? {
        Some(job) => run(context, &grant, &turn, job).await,
        None => Ok(()),
    }
}

/// A job for resources that were stored before there was an index, if there are any.
async fn index_unindexed(context: &Context, grant: &Grant) -> Result<()> {
    if context.store.list_unindexed(grant, 1).await?.is_empty() {
        return Ok(());
    }
    let Some(_turn) = context.store.take_turn().await? else { return Ok(()) };
    let has_one = |jobs: Vec<ReindexJob>| jobs.iter().any(|job| job.unindexed && job.ended.is_none());
    if !has_one(context.store.jobs(100).await?) {
        context.store.make_job("resources from before the index", &[], true).await?;
        tracing::warn!(
            "resources are stored that are not in the search index: they are indexed in the background, and until then \
             no search finds them"
        );
    }
    Ok(())
}

/// Goes on with a job until it has ended.
async fn run(context: &Context, grant: &Grant, turn: &Turn, mut job: ReindexJob) -> Result<()> {
    if job.started.is_none() {
        // What a server writes that does not know a parameter would be missing.
        if context.store.servers_behind(job.made).await? > 0 {
            return Ok(());
        }
        let types: Vec<&str> = job.types.iter().map(|one| one.as_str()).collect();
        let total = context.store.count_for_index(&types, job.unindexed).await?;
        turn.start(job.id, total).await?;
        job = context.store.job(job.id).await?.ok_or_else(|| Error::internal("a job is lost"))?;
    }
    tell(&job, "reindexing");
    let mut told = Instant::now();
    let mut rest = types_after(&job);
    while let Some(piece) = next(context, grant, &job, &mut rest).await? {
        job.failed += number(index(context, grant, &piece).await?);
        job.done += number(piece.len());
        job.place = piece.into_iter().last();
        turn.note(&job).await?;
        if told.elapsed() > TELL_EVERY {
            tell(&job, "reindexing");
            told = Instant::now();
        }
    }
    turn.end(job.id).await?;
    job.ended = Some(chrono::Utc::now());
    tell(&job, "reindexed");
    context.parameters.sync(&context.store).await
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn tell(job: &ReindexJob, what: &str) {
    let (done, total, failed) = (job.done, job.total, job.failed);
    tracing::info!(
        job = job.id,
        scope = job.scope,
        state = progress(job),
        done,
        total,
        failed,
        per_second = per_second(job),
        "{what}"
    );
}

/// The types that are not gone through yet, in their order.
fn types_after(job: &ReindexJob) -> VecDeque<ResourceType> {
    let at = job.place.as_ref().map(|place| place.resource_type);
    job.types.iter().copied().filter(|one| at.is_none_or(|at| *one >= at)).collect()
}

/// The resources after the job's place; `None`: there are none. A piece that is not full is the last of its type: what was
/// written after it was listed is written by servers that know what the job is for. Who looked for more would chase
/// whoever writes all the time, and never end.
async fn next(
    context: &Context,
    grant: &Grant,
    job: &ReindexJob,
    rest: &mut VecDeque<ResourceType>,
) -> Result<Option<Vec<Listed>>> {
    if job.unindexed {
        let piece = context.store.list_unindexed(grant, PIECE).await?;
        return Ok((!piece.is_empty()).then_some(piece));
    }
    while let Some(resource_type) = rest.front().copied() {
        let after = job.place.as_ref().filter(|place| place.resource_type == resource_type);
        let piece = context.store.list_for_index(grant, resource_type, after, PIECE).await?;
        if number(piece.len()) < PIECE {
            rest.pop_front();
        }
        if !piece.is_empty() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

/// A writer who was faster, or who holds a lock for long, is waited for.
async fn index(context: &Context, grant: &Grant, piece: &[Listed]) -> Result<usize> {
    loop {
        match context.store.reindex(grant, piece, &Indexing::now(context)).await {
            Err(error) if matches!(error.kind, Kind::Conflict | Kind::Busy { .. } | Kind::UnknownOutcome) => {
                tracing::debug!(cause = error.cause.as_deref(), "a piece is indexed again");
                tokio::time::sleep(LOOK_EVERY).await;
            }
            answer => return answer,
        }
    }
}
