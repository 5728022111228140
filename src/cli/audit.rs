//! `brasa audit`: whether the records are as they were written, the heads to be kept elsewhere, export and dropping.

use crate::account::all_keys;
use crate::app::Engine;
use crate::audit::chain::{Fault, Seal, Verdict, Verifier};
use crate::audit::event::event;
use crate::audit::head::{self, Head};
use crate::audit::record::{Access, Hash, Record, What, hash};
use crate::auth::agent::{Agent, Origin};
use crate::auth::key::Keys;
use crate::auth::{self, Grant};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::fhir::id::Id;
use crate::fhir::instant::Interval;
use crate::store::embedded::Role;
use crate::store::{AuditMonth, AuditQuery, Store, StoredRecord, WriterRow, month_of};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Numbers whose records are compared at a time.
const PIECE: i64 = 50_000;
/// Records of a page of the export.
const PAGE: u32 = 1_000;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Compare every record with the seal over it: says which was changed, taken away or added. Exit code 1 if one was.
    Verify {
        /// Heads that were kept elsewhere, a line each as `brasa audit heads` prints them: what was cut off at the end shows
        /// only against them.
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
    },
    /// Print the signed head of each writer, to be kept outside the database.
    Heads,
    /// Print records as AuditEvents, one a line (NDJSON), the newest first.
    Export {
        /// From this date on, such as 2026-11-01.
        #[arg(long, value_name = "DATE")]
        since: Option<String>,
        /// Before this date.
        #[arg(long, value_name = "DATE")]
        before: Option<String>,
        /// Only those about this patient.
        #[arg(long, value_name = "ID")]
        patient: Option<String>,
    },
    /// Drop whole months. That is recorded, and the seals of what is gone still hold the chain together.
    Drop {
        /// All months before this one.
        #[arg(long, value_name = "YYYY-MM")]
        before: String,
    },
}

pub async fn run(settings: &Settings, command: Command) -> Result<ExitCode> {
    // What is done here is recorded, whatever is set for servers.
    let settings =
        Settings { audit: matches!(command, Command::Export { .. } | Command::Drop { .. }), ..settings.clone() };
    let engine = Engine::open(&settings, Role::Attach, say).await?;
    let store = &engine.context.store;
    let ended = match command {
        Command::Verify { heads } => verify(store, heads.as_deref()).await,
        Command::Heads => heads(store).await,
        Command::Export { since, before, patient } => {
            let query = AuditQuery {
                since: since.as_deref().map(date).transpose()?,
                before: before.as_deref().map(date).transpose()?,
                patient: patient.as_deref().map(Id::parse).transpose()?,
                count: PAGE,
                ..AuditQuery::default()
            };
            let site = settings.base_url.as_ref().map_or("urn:brasa", |url| url.as_str());
            export(store, query, site).await
        }
        Command::Drop { before } => drop_months(store, &before).await,
    };
    engine.close().await?;
    ended
}

fn date(text: &str) -> Result<DateTime<Utc>> {
    Ok(Interval::parse(text)?.start)
}

/// The grant of the server for what an operator does here, so that the audit tells of it.
fn of_operator() -> Grant {
    let agent = Agent { client: Some("brasa audit".to_owned()), ..Agent::default() };
    auth::of_server().asked_by(Origin { agent, request: String::new() })
}

async fn note(store: &Store, interaction: &str, query: String) -> Result<()> {
    let what = What { query: Some(query), ..What::default() };
    let access = Access { interaction: interaction.to_owned(), what, patients: Vec::new(), status: 200 };
    store.record(&of_operator(), &[access]).await
}

async fn heads(store: &Store) -> Result<ExitCode> {
    for head in store.audit_heads(&auth::of_server()).await? {
        print(&head.signed)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn export(store: &Store, mut query: AuditQuery, site: &str) -> Result<ExitCode> {
    let grant = auth::of_server();
    let instant = |time: Option<DateTime<Utc>>| time.map(|time| time.to_rfc3339()).unwrap_or_default();
    let patient = query.patient.as_ref().map(Id::to_string).unwrap_or_default();
    let words = format!("since={}&before={}&patient={patient}", instant(query.since), instant(query.before));
    note(store, "export-audit", words).await?;
    let mut count = 0_u64;
    loop {
        let page = store.audit_list(&grant, &query).await?;
        let Some(last) = page.last() else { break };
        query.after = Some(last.key);
        for one in &page {
            print(&String::from_utf8_lossy(&event(&one.key.to_id(), &one.record, site).to_bytes()))?;
            count += 1;
        }
    }
    say(&format!("{count} records."));
    Ok(ExitCode::SUCCESS)
}

async fn drop_months(store: &Store, before: &str) -> Result<ExitCode> {
    let first = NaiveDate::parse_from_str(&format!("{before}-01"), "%Y-%m-%d");
    let first = first.map_err(|_| Error::invalid("A month was expected, such as 2025-01.").at("--before"))?;
    if first > month_of(Utc::now())? {
        return Err(Error::invalid("The month that goes on is not dropped.").at("--before"));
    }
    let grant = auth::of_server();
    for AuditMonth { month, dropped } in store.audit_months(&grant).await? {
        if dropped.is_some() || month >= first {
            continue;
        }
        let name = format!("{:04}-{:02}", month.year(), month.month());
        // First the record: there is no drop of which nothing is told.
        note(store, "drop-month", name.clone()).await?;
        store.drop_audit_month(&grant, month).await?;
        say(&format!("{name} is dropped."));
    }
    Ok(ExitCode::SUCCESS)
}

async fn verify(store: &Store, kept: Option<&Path>) -> Result<ExitCode> {
    let grant = auth::of_server();
    let writers = store.audit_writers(&grant).await?;
    if writers.is_empty() {
        say("There are no records yet.");
        return Ok(ExitCode::SUCCESS);
    }
    let keys = all_keys(store).await?;
    let mut kept = kept.map(|path| read_heads(&keys, path)).transpose()?.unwrap_or_default();
    let mut counts = store.audit_counts(&grant).await?;
    let dropped = store.audit_months(&grant).await?.into_iter().filter(|month| month.dropped.is_some());
    let dropped: Vec<NaiveDate> = dropped.map(|month| month.month).collect();
    let mut faults = 0;
    for writer in &writers {
        let id = writer.id.to_string();
        let mut check = Check { store, keys: &keys, dropped: &dropped, writer, faults: Vec::new() };
        let verdict = check.run(kept.remove(&id).unwrap_or_default(), counts.remove(&writer.id).unwrap_or(0)).await?;
        let mut told = check.faults;
        told.extend(verdict.faults.iter().map(words));
        if writer.ended.is_some() && verdict.unsealed > 0 {
            told.push(format!("{} records are there that no seal has", verdict.unsealed));
        }
        say_writer(writer, &verdict, &told)?;
        faults += told.len();
    }
    for (id, records) in &counts {
        print(&format!("FAULT: {records} records name writer {id}, which is not there"))?;
    }
    for (id, heads) in &kept {
        print(&format!("FAULT: writer {id} is gone, of which {} heads were kept", heads.len()))?;
    }
    faults += counts.len() + kept.len();
    print(&if faults == 0 { "No fault was found.".to_owned() } else { format!("{faults} faults were found.") })?;
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Kept heads by their writer.
fn read_heads(keys: &Keys, path: &Path) -> Result<HashMap<String, Vec<(i64, Hash)>>> {
    let unreadable = |fault| Error::invalid(format!("{} cannot be read: {fault}", path.display()));
    let mut heads: HashMap<String, Vec<(i64, Hash)>> = HashMap::new();
    for (number, line) in (1..).zip(std::fs::read_to_string(path).map_err(unreadable)?.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let head = head::read(keys, line.trim()).and_then(|head| Some((head.hash()?, head)));
        let Some((hash, head)) = head else {
            return Err(Error::invalid(format!(
                "Line {number} of {} is no head that this server signed.",
                path.display()
            )));
        };
        heads.entry(head.writer).or_default().push((head.seal, hash));
    }
    Ok(heads)
}

/// Looks at the records of one writer.
struct Check<'a> {
    store: &'a Store,
    keys: &'a Keys,
    dropped: &'a [NaiveDate],
    writer: &'a WriterRow,
    faults: Vec<String>,
}

impl Check<'_> {
    async fn run(&mut self, kept: Vec<(i64, Hash)>, records: usize) -> Result<Verdict> {
        let grant = auth::of_server();
        let mut verifier = Verifier::new(kept);
        let mut after = 0;
        loop {
            let seals = self.store.audit_seals(&grant, self.writer.id, after).await?;
            let Some((last, _)) = seals.last() else { break };
            after = last.number;
            let mut rest = seals.as_slice();
            while let Some((first, _)) = rest.first() {
                let fits = |(seal, _): &&(Seal, String)| seal.last - first.first < PIECE;
                let count = rest.iter().take_while(fits).count().max(1);
                let (piece, others) = rest.split_at_checked(count).unwrap_or((rest, &[]));
                self.compare(&mut verifier, piece).await?;
                rest = others;
            }
        }
        Ok(verifier.finish(records))
    }

    async fn compare(&mut self, verifier: &mut Verifier, seals: &[(Seal, String)]) -> Result<()> {
        let (Some((first, _)), Some((last, _))) = (seals.first(), seals.last()) else { return Ok(()) };
        let window = Seal { until_us: last.until_us, ..first.clone() };
        let mut hashes = BTreeMap::new();
        for stored in self.store.audit_records(&auth::of_server(), self.writer.id, &window).await? {
            if !is_filed(&stored) {
                self.faults.push(format!("record {} is not filed as it says", stored.number));
            }
            if hashes.insert(stored.number, hash(&stored.record)).is_some() {
                self.faults.push(format!("record {} is there twice", stored.number));
            }
        }
        for (seal, signed) in seals {
            let says = |head: &Head| {
                head.writer == self.writer.id.to_string() && head.seal == seal.number && head.last == seal.last
            };
            let is_signed = head::read(self.keys, signed).filter(says).and_then(|head| head.hash()) == Some(seal.head);
            if !is_signed {
                self.faults.push(format!("seal {} is not signed as it stands", seal.number));
            }
            verifier.seal(seal, (!self.is_dropped(seal)).then_some(&hashes));
        }
        Ok(())
    }

    fn is_dropped(&self, seal: &Seal) -> bool {
        let months = [seal.since_us, seal.until_us].into_iter().filter_map(DateTime::from_timestamp_micros);
        months.filter_map(|time| month_of(time).ok()).any(|month| self.dropped.contains(&month))
    }
}

/// Whether the columns by which a record is found are what the record says.
fn is_filed(stored: &StoredRecord) -> bool {
    let Ok(record) = Record::from_bytes(&stored.record) else { return false };
    let is_patients = record.patient.as_ref().is_none_or(|patient| *patient == stored.compartment);
    is_patients && record.recorded == stored.recorded && record.agent.account == stored.account
}

fn say_writer(writer: &WriterRow, verdict: &Verdict, faults: &[String]) -> Result<()> {
    let until = writer.ended.map_or("goes on".to_owned(), |ended| format!("ended {}", ended.format("%FT%TZ")));
    let Verdict { seals, sealed, unsealed, dropped, .. } = verdict;
    let started = writer.started.format("%FT%TZ");
    let mut line = format!("writer {} (started {started}, {until}): {sealed} records under {seals} seals", writer.id);
    if *dropped > 0 {
        line.push_str(&format!(", {dropped} of them over months that were dropped"));
    }
    if *unsealed > 0 {
        line.push_str(&format!(", {unsealed} records not sealed yet"));
    }
    print(&line)?;
    faults.iter().try_for_each(|fault| print(&format!("FAULT: writer {}: {fault}", writer.id)))
}

fn words(fault: &Fault) -> String {
    match fault {
        Fault::SealMissing(seal) => format!("seal {seal} is missing; nothing after it can be compared"),
        Fault::SealMisplaced(seal) => format!("seal {seal} does not begin where the one before ends"),
        Fault::RecordMissing { seal, number } => format!("record {number} is missing, which seal {seal} has"),
        Fault::RecordAdded { seal, number } => {
            format!("record {number} is there, which seal {seal} says never came to be")
        }
        Fault::Changed { seal, first, last } => {
            format!("one of the records {first} to {last}, or seal {seal} over them, was changed")
        }
        Fault::HeadMissing(seal) => format!("seal {seal}, whose head was kept, is not there or is another one"),
    }
}

/// Whoever reads may stop early (`| head`).
fn print(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}")
        .map_err(|fault| Error::invalid("Nobody reads the output any more.").caused_by(fault))
}

#[allow(clippy::print_stderr)]
fn say(sentence: &str) {
    eprintln!("brasa: {sentence}");
}
