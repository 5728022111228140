//! Seals the records of this server every second, and those of servers that ended without doing so; keeps the months.

use crate::account::Signer;
use crate::audit::chain::Seal;
use crate::audit::head::{Head, sign};
use crate::audit::record::{Access, What};
use crate::auth;
use crate::auth::agent::{Agent, Origin};
use crate::error::{Error, Result};
use crate::interaction::Context;
use crate::store::{MadeSeal, month_of};
use chrono::{Months, Utc};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How often what is decided is sealed.
const SEAL_EVERY: Duration = Duration::from_secs(1);
/// How often the others are told that this server is there; after a minute without a word they take it for dead.
const SEEN_EVERY: Duration = Duration::from_secs(10);
/// How often servers are looked for that ended without a word, and months that are out of date.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How long the last seals are tried, and how long after a failure.
const CLOSE_MAX: Duration = Duration::from_secs(5);
const CLOSE_PAUSE: Duration = Duration::from_millis(200);
/// Numbers of one seal of what another server left.
const SEAL_MAX: usize = 10_000;

/// Seals what this server records.
pub struct Sealer {
    context: Arc<Context>,
    signer: Signer,
    months_kept: Option<u32>,
    /// A seal that is made and not stored: the next one follows it.
    pending: Mutex<Option<MadeSeal>>,
}

impl Sealer {
    pub async fn open(context: Arc<Context>, months_kept: Option<u32>) -> Result<Sealer> {
        let signer = Signer::open(&context.store).await?;
        Ok(Sealer { context, signer, months_kept, pending: Mutex::default() })
    }

    /// Never ends.
    pub async fn keep(&self) {
        let (mut seen, mut looked) = (Instant::now(), None::<Instant>);
        let mut failed = false;
        loop {
            tokio::time::sleep(SEAL_EVERY).await;
            let mut answer = self.seal().await;
            if answer.is_ok() && seen.elapsed() > SEEN_EVERY {
                seen = Instant::now();
                answer = self.context.store.see_trail().await;
            }
            if answer.is_ok() && looked.is_none_or(|looked| looked.elapsed() > LOOK_EVERY) {
                looked = Some(Instant::now());
                answer = self.look().await;
            }
            // Told once, not every second as long as the database is down.
            if let Some(error) = answer.as_ref().err().filter(|_| !failed) {
                tracing::warn!(
                    cause = error.cause.as_deref(),
                    "records of the audit could not be sealed, which is tried again"
                );
            }
            failed = answer.is_err();
        }
    }

    /// Seals everything that is decided.
    async fn seal(&self) -> Result<()> {
        let mut pending = self.pending.lock().await;
        loop {
            if pending.is_none() {
                *pending = self.context.store.next_seal().await?;
            }
            let Some((writer, seal)) = pending.as_ref() else { return Ok(()) };
            self.store(*writer, seal).await?;
            *pending = None;
        }
    }

    async fn store(&self, writer: i64, seal: &Seal) -> Result<()> {
        let head = Head::new(&writer.to_string(), seal.number, seal.last, &seal.head, Utc::now().timestamp());
        let signed = sign(&*self.signer.keys().await?, &head)?;
        self.context.store.add_seal(writer, seal, &signed).await
    }

    async fn look(&self) -> Result<()> {
        while let Some((writer, mut chain)) = self.context.store.take_dead_writer().await? {
            tracing::warn!(
                writer,
                records = chain.waiting(),
                "a server ended without sealing its records: they are sealed now"
            );
            while let Some(seal) = chain.seal(SEAL_MAX) {
                self.store(writer, &seal).await?;
            }
            self.context.store.end_writer(writer).await?;
        }
        self.drop_months().await
    }

    /// Drops the months that are not kept any more, and records that.
    async fn drop_months(&self) -> Result<()> {
        let Some(kept) = self.months_kept else { return Ok(()) };
        let this = month_of(Utc::now())?;
        let first =
            this.checked_sub_months(Months::new(kept)).ok_or_else(|| Error::internal("months are out of range"))?;
        let grant = auth::of_server();
        let agent = Agent { client: Some("BRASA_AUDIT_MONTHS_KEPT".to_owned()), ..Agent::default() };
        let told = auth::of_server().asked_by(Origin { agent, request: String::new() });
        for month in self.context.store.audit_months(&grant).await? {
            if month.dropped.is_none() && month.month < first {
                let what = What { query: Some(month.month.format("%Y-%m").to_string()), ..What::default() };
                let access = Access { interaction: "drop-month".to_owned(), what, patients: Vec::new(), status: 200 };
                self.context.store.record(&told, &[access]).await?;
                self.context.store.drop_audit_month(&grant, month.month).await?;
                tracing::info!(month = %month.month, "a month of the audit is dropped: BRASA_AUDIT_MONTHS_KEPT");
            }
        }
        Ok(())
    }

    /// This server goes: nothing of it is left to others, if the database answers.
    pub async fn close(&self) {
        // The connections that the threads of HTTP had made end with those threads, at about this time.
        let started = Instant::now();
        loop {
            let closed = async {
                self.seal().await?;
                self.context.store.end_trail().await
            };
            let Err(error) = closed.await else { return };
            if started.elapsed() > CLOSE_MAX {
                let cause = error.cause.as_deref();
                tracing::warn!(cause, "the last records of the audit are left to be sealed by another server");
                return;
            }
            tokio::time::sleep(CLOSE_PAUSE).await;
        }
    }
}
