//! Records of what only reads: durable before the answer, and many of them in one commit.

use super::Numbered;
use crate::audit::record::Access;
use crate::auth::Grant;
use crate::error::{Error, Kind, Result};
use crate::store::Store;
use crate::store::operation::{Frame, Row, insert_rows, run};
use crate::store::sqlstate::{Failure, Phase};
use crate::store::statement::INSERT_AUDIT;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex as Turn, oneshot};

/// Lanes: each writes one batch at a time while the next one gathers. The nodes of a cluster share them out.
const LANES: usize = 16;
/// Records of one batch (rows).
const BATCH_MAX: usize = 2_000;
/// How long an attempt to write a batch may be under way.
const FLUSH_MAX: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(in crate::store) struct Lanes {
    lanes: [Lane; LANES],
}

#[derive(Default)]
struct Lane {
    waiting: Mutex<Vec<Waiting>>,
    turn: Turn<()>,
}

struct Waiting {
    rows: Vec<Numbered>,
    told: oneshot::Sender<Outcome>,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Committed,
    Refused,
    Unknown,
}

impl Store {
    /// Whether accesses are recorded.
    pub fn has_trail(&self) -> bool {
        self.trail.is_some()
    }

    /// Records accesses that wrote nothing. They are durable when this returns `Ok`; otherwise whoever asked must not be
    /// answered.
    pub async fn record(&self, grant: &Grant, accesses: &[Access]) -> Result<()> {
        let Some(trail) = self.trail.as_ref().filter(|_| grant.origin().is_some()) else { return Ok(()) };
        let (numbered, mut entered) = trail.enter(grant, accesses)?;
        entered.sending();
        match self.flush(numbered).await {
            Outcome::Committed => {
                entered.committed();
                return Ok(());
            }
            Outcome::Refused => entered.refused(),
            Outcome::Unknown => drop(entered),
        }
        let message = "The access could not be recorded, so it is not answered. Try again.";
        Err(Error { message: message.to_owned(), ..Error::busy(1).caused_by("the audit record was not written") })
    }

    /// Writes rows together with those that others wait for. Of several lanes the worst outcome counts.
    async fn flush(&self, numbered: Vec<Numbered>) -> Outcome {
        let mut by_lane: Vec<Vec<Numbered>> = (0..LANES).map(|_| Vec::new()).collect();
        for one in numbered {
            let lane = self.nodes.node_of(&one.compartment) % LANES;
            if let Some(rows) = by_lane.get_mut(lane) {
                rows.push(one);
            }
        }
        let lanes = self.lanes.lanes.iter().zip(by_lane).filter(|(_, rows)| !rows.is_empty());
        let outcomes = futures_util::future::join_all(lanes.map(|(lane, rows)| self.ride(lane, rows))).await;
        let all = |wanted: Outcome| outcomes.iter().all(|outcome| *outcome == wanted);
        match (all(Outcome::Committed), all(Outcome::Refused)) {
            (true, _) => Outcome::Committed,
            (false, true) => Outcome::Refused,
            // What is written of it tells of an access that was tried.
            (false, false) => Outcome::Unknown,
        }
    }

    async fn ride(&self, lane: &Lane, rows: Vec<Numbered>) -> Outcome {
        let (told, mut hears) = oneshot::channel();
        lane.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Waiting { rows, told });
        loop {
            let turn = tokio::select! {
                biased;
                outcome = &mut hears => return outcome.unwrap_or(Outcome::Unknown),
                turn = lane.turn.lock() => turn,
            };
            let batch = lane.take();
            if !batch.is_empty() {
                self.write(batch).await;
            }
            drop(turn);
        }
    }

    async fn write(&self, batch: Vec<Waiting>) {
        let (rows, told): (Vec<_>, Vec<_>) = batch.into_iter().map(|one| (one.rows, one.told)).unzip();
        let rows: Vec<Numbered> = rows.into_iter().flatten().collect();
        let mut outcome = Outcome::Refused;
        for attempt in 1..=2 {
            let error = match self.send(&rows, attempt).await {
                Ok(()) => {
                    outcome = Outcome::Committed;
                    break;
                }
                Err(failure) => failure.into_error(),
            };
            tracing::warn!(cause = error.cause.as_deref(), "records of the audit could not be written");
            if error.kind == Kind::UnknownOutcome {
                outcome = Outcome::Unknown;
            }
        }
        for one in told {
            // Who does not wait any more has not been answered.
            _ = one.send(outcome);
        }
    }
}

impl Store {
    /// The first attempt is the cheaper one; a second one finds what the first may have written all the same.
    async fn send(&self, rows: &[Numbered], attempt: u32) -> std::result::Result<(), Failure> {
        let mut operations = Vec::new();
        if attempt == 1 && !self.on_citus {
            operations.push(super::insert(rows));
        } else {
            let rows: Vec<Row> = rows.iter().cloned().map(Numbered::into_row).collect();
            insert_rows(&mut operations, &self.nodes, INSERT_AUDIT, rows);
        }
        let compartments = rows.iter().map(|row| row.compartment.as_str());
        let connection = self.nodes.connect_to_all(compartments).await?;
        connection.hold();
        let framed = operations.len() > 1;
        let frame = Frame { begin: framed, commit: framed };
        run(&connection, &operations, frame, Phase::Commit, Instant::now() + FLUSH_MAX).await?;
        connection.release();
        Ok(())
    }
}

impl Lane {
    /// The next batch: whole requests, as many as fit.
    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows = 0;
        let fits = |one: &&Waiting| {
            rows += one.rows.len();
            rows <= BATCH_MAX
        };
        let count = waiting.iter().take_while(fits).count().max(1).min(waiting.len());
        waiting.drain(..count).collect()
    }
}
