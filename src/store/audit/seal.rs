//! Seals over what is decided, and what servers left that ended without sealing it.

use super::{ADD_SEAL, ADD_WRITER, COUNT, END_WRITER, HEADS, OF_WRITER, SEALS, SEE_WRITER, TAKE_DEAD, Trail, WRITERS};
use crate::audit::chain::{Chain, Seal};
use crate::audit::record::{Hash, hash};
use crate::auth::Grant;
use crate::error::{Error, Result};
use crate::store::Store;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio_postgres::Row;

/// Numbers that one seal covers at most (records).
const SEAL_MAX: usize = 10_000;
/// How long after a commit that was not answered the database is asked what became of it: no statement lives so long.
const DOUBT: Duration = Duration::from_secs(120);
/// Seals that are read at a time.
const PAGE: i64 = 1_000;
/// Writers whose heads are told of.
const HEADS_MAX: i64 = 10_000;

/// A seal that a writer made, and whose.
pub type MadeSeal = (i64, Seal);

/// A server from its start to its end.
#[derive(Debug, Clone)]
pub struct WriterRow {
    pub id: i64,
    pub started: DateTime<Utc>,
    pub ended: Option<DateTime<Utc>>,
}

/// The last seal of a writer, as it was signed.
#[derive(Debug, Clone)]
pub struct WriterHead {
    pub writer: WriterRow,
    pub seal: Seal,
    pub signed: String,
}

/// A record as it is stored, for those who compare it with its seal.
#[derive(Debug, Clone)]
pub struct StoredRecord {
    pub compartment: String,
    pub recorded: DateTime<Utc>,
    pub number: i64,
    pub account: Option<String>,
    pub record: Vec<u8>,
}

/// What seals are made of and how they are stored: the server's own work.
impl Store {
    /// This server comes: its months are there, and it has a number.
    pub(in crate::store) async fn open_trail(&self) -> Result<()> {
        let Some(trail) = &self.trail else { return Ok(()) };
        self.open_months(Utc::now()).await?;
        self.on_coordinator(ADD_WRITER, &[&trail.writer()]).await.map(drop)
    }

    /// Says that this server is there, and makes the months to come. Taken for dead by the others, it goes on as a new
    /// writer.
    pub async fn see_trail(&self) -> Result<()> {
        let Some(trail) = &self.trail else { return Ok(()) };
        self.open_months(Utc::now()).await?;
        if self.on_coordinator(SEE_WRITER, &[&trail.writer()]).await?.is_empty() {
            tracing::warn!("this server was out of touch, and others sealed its records of the audit: it starts anew");
            let writer = super::new_writer();
            self.on_coordinator(ADD_WRITER, &[&writer]).await?;
            let mut state = trail.state();
            (state.writer, state.chain) = (writer, Chain::default());
            state.doubtful.clear();
        }
        Ok(())
    }

    /// The next seal, if something is decided. It must be stored before the one after it.
    pub async fn next_seal(&self) -> Result<Option<MadeSeal>> {
        let Some(trail) = &self.trail else { return Ok(None) };
        self.settle_doubts(trail).await?;
        let mut state = trail.state();
        let writer = state.writer;
        Ok(state.chain.seal(SEAL_MAX).map(|seal| (writer, seal)))
    }

    /// What is not known to be committed is asked for, when it cannot come to be any more.
    async fn settle_doubts(&self, trail: &Trail) -> Result<()> {
        let due: Vec<(i64, i64, Hash)> = {
            let state = trail.state();
            let due = state.doubtful.iter().filter(|doubtful| doubtful.noticed.elapsed() > DOUBT);
            due.map(|doubtful| (doubtful.number, doubtful.at_us, doubtful.hash)).collect()
        };
        let writer = trail.writer();
        for (number, at_us, hash) in due {
            let at = DateTime::from_timestamp_micros(at_us).unwrap_or_default();
            let found = self.records(writer, at, at).await?.iter().any(|record| record.number == number);
            let mut state = trail.state();
            state.chain.decide(number, found.then_some(hash));
            state.doubtful.retain(|doubtful| doubtful.number != number);
        }
        Ok(())
    }

    pub async fn add_seal(&self, writer: i64, seal: &Seal, signed: &str) -> Result<()> {
        let (since, until) = (time(seal.since_us), time(seal.until_us));
        let head: &[u8] = &seal.head;
        self.on_coordinator(
            ADD_SEAL,
            &[&writer, &seal.number, &seal.first, &seal.last, &seal.voids, &since, &until, &head, &signed],
        )
        .await
        .map(drop)
    }

    /// This server goes. What is left unsealed is left to others.
    pub async fn end_trail(&self) -> Result<()> {
        let Some(trail) = &self.trail else { return Ok(()) };
        let is_sealed = trail.state().chain.waiting() == 0;
        if is_sealed { self.end_writer(trail.writer()).await } else { Ok(()) }
    }

    pub async fn end_writer(&self, writer: i64) -> Result<()> {
        self.on_coordinator(END_WRITER, &[&writer]).await.map(drop)
    }

    /// Takes over a server that was not heard of, and makes the chain of what it left: each number up to the last that is
    /// stored is a record or never came to be.
    pub async fn take_dead_writer(&self) -> Result<Option<(i64, Chain)>> {
        let rows = self.on_coordinator(TAKE_DEAD, &[]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (writer, started): (i64, DateTime<Utc>) = (row.get("id"), row.get("started"));
        let mut last = None;
        while let Some(seal) = self.seals(writer, last.as_ref().map_or(0, |seal: &Seal| seal.number)).await?.pop() {
            last = Some(seal.0);
        }
        let since = last.as_ref().map_or(started - Duration::from_secs(3600), |seal| time(seal.until_us));
        let mut chain = last.as_ref().map_or_else(Chain::default, Chain::after);
        let sealed = last.as_ref().map_or(0, |seal| seal.last);
        let left = self.records(writer, since, DateTime::<Utc>::MAX_UTC).await?;
        let left: BTreeMap<i64, StoredRecord> =
            left.into_iter().filter(|one| one.number > sealed).map(|one| (one.number, one)).collect();
        let end = left.last_key_value().map_or(sealed, |(number, _)| *number);
        let mut at_us = since.timestamp_micros();
        for number in sealed + 1..=end {
            let found = left.get(&number);
            at_us = found.map_or(at_us, |record| record.recorded.timestamp_micros());
            chain.take(at_us);
            chain.decide(number, found.map(|record| hash(&record.record)));
        }
        Ok(Some((writer, chain)))
    }

    async fn records(&self, writer: i64, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<StoredRecord>> {
        // PostgreSQL's times end before chrono's.
        let to = to.min(time(i64::MAX / 4));
        Ok(self.on_coordinator(OF_WRITER, &[&writer, &from, &to]).await?.iter().map(stored).collect())
    }

    async fn seals(&self, writer: i64, after: i64) -> Result<Vec<(Seal, String)>> {
        self.on_coordinator(SEALS, &[&writer, &after, &PAGE]).await?.iter().map(seal).collect()
    }
}

/// What the operator's commands look at.
impl Store {
    pub async fn audit_writers(&self, grant: &Grant) -> Result<Vec<WriterRow>> {
        grant.demand_everything()?;
        Ok(self.on_coordinator(WRITERS, &[]).await?.iter().map(writer).collect())
    }

    /// A page of a writer's seals, each as it was signed; the next one is after the number of the last.
    pub async fn audit_seals(&self, grant: &Grant, writer: i64, after: i64) -> Result<Vec<(Seal, String)>> {
        grant.demand_everything()?;
        self.seals(writer, after).await
    }

    /// The last seals of all writers, the newest first.
    pub async fn audit_heads(&self, grant: &Grant) -> Result<Vec<WriterHead>> {
        grant.demand_everything()?;
        let rows = self.on_coordinator(HEADS, &[&HEADS_MAX]).await?;
        let head = |row: &Row| {
            let (seal, signed) = seal(row)?;
            Ok(WriterHead { writer: writer(row), seal, signed })
        };
        rows.iter().map(head).collect()
    }

    /// A writer's records between two times.
    pub async fn audit_records(&self, grant: &Grant, writer: i64, seal: &Seal) -> Result<Vec<StoredRecord>> {
        grant.demand_everything()?;
        self.records(writer, time(seal.since_us), time(seal.until_us)).await
    }

    /// How many records each writer has.
    pub async fn audit_counts(&self, grant: &Grant) -> Result<HashMap<i64, usize>> {
        grant.demand_everything()?;
        let rows = self.on_coordinator(COUNT, &[]).await?;
        let count =
            |row: &Row| (row.get("writer"), usize::try_from(row.get::<_, i64>("records")).unwrap_or(usize::MAX));
        Ok(rows.iter().map(count).collect())
    }
}

fn time(microseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(microseconds).unwrap_or_default()
}

fn writer(row: &Row) -> WriterRow {
    WriterRow { id: row.get("id"), started: row.get("started"), ended: row.get("ended") }
}

fn seal(row: &Row) -> Result<(Seal, String)> {
    let microseconds = |name: &str| row.get::<_, DateTime<Utc>>(name).timestamp_micros();
    let head: Vec<u8> = row.get("head");
    let head: Hash = head.try_into().map_err(|_| Error::internal("the head of a seal is no hash"))?;
    let seal = Seal {
        number: row.get("number"),
        first: row.get("first"),
        last: row.get("last"),
        voids: row.get("voids"),
        since_us: microseconds("since"),
        until_us: microseconds("until"),
        head,
    };
    Ok((seal, row.get("signed")))
}

fn stored(row: &Row) -> StoredRecord {
    StoredRecord {
        compartment: row.get("compartment"),
        recorded: row.get("recorded"),
        number: row.get("number"),
        account: row.get("account"),
        record: row.get("record"),
    }
}
