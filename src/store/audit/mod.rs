//! Records of accesses: those of writes commit with them, those of reads before the answer (docs/decisions/0015-audit.md).

mod entered;
mod flush;
mod month;
mod read;
mod seal;

pub use month::{AuditMonth, month_of};
pub use read::{AuditKey, AuditQuery, NamedRecord};
pub use seal::{MadeSeal, StoredRecord, WriterHead, WriterRow};

pub(super) use entered::{AuditRows, Entered};
pub(super) use flush::Lanes;

use super::commit::Write;
use super::operation::{Operation, Row, owned, row};
use super::statement::Statement;
use crate::audit::chain::Chain;
use crate::audit::record::{Access, Hash, Record, What, hash};
use crate::auth::Grant;
use crate::error::Result;
use crate::fhir::id::{Compartment, Id};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

macro_rules! statements {
    ($($constant:ident = $name:literal;)*) => {
        $(pub(super) const $constant: Statement = Statement {
            name: concat!("audit/", $name),
            sql: include_str!(concat!("../../../sql/statements/audit/", $name, ".sql")),
        };)*
    };
}

statements! {
    ADD_WRITER = "add_writer";
    SEE_WRITER = "see_writer";
    END_WRITER = "end_writer";
    TAKE_DEAD = "take_dead";
    WRITERS = "writers";
    INSERT = "insert";
    ADD_SEAL = "add_seal";
    SEALS = "seals";
    HEADS = "heads";
    OPEN_MONTH = "open_month";
    DROP_MONTH = "drop_month";
    MONTHS = "months";
    OF_WRITER = "of_writer";
    COUNT = "count";
    BY_ID = "by_id";
    LIST = "list";
    LIST_IN_COMPARTMENT = "list_in_compartment";
}

/// The writer that this server is: the numbers that it has given out, and what became of them.
pub struct Trail {
    state: Mutex<State>,
}

struct State {
    /// Its number among the writers of the database.
    writer: i64,
    chain: Chain,
    /// Nobody knows whether these were committed: with their hash, and when that was noticed.
    doubtful: Vec<Doubtful>,
}

/// A record whose commit was not answered.
struct Doubtful {
    number: i64,
    at_us: i64,
    hash: Hash,
    noticed: std::time::Instant,
}

/// A record that has its number and is about to be written.
#[derive(Clone)]
pub(super) struct Numbered {
    compartment: String,
    writer: i64,
    number: i64,
    recorded: DateTime<Utc>,
    account: Option<String>,
    record: Vec<u8>,
}

impl Trail {
    pub(super) fn new() -> Trail {
        let state = State { writer: new_writer(), chain: Chain::default(), doubtful: Vec::new() };
        Trail { state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn writer(&self) -> i64 {
        self.state().writer
    }

    /// Gives numbers to the records of some accesses. An access that nobody is told of has none.
    fn enter(self: &Arc<Self>, grant: &Grant, accesses: &[Access]) -> Result<(Vec<Numbered>, Entered)> {
        let mut entered = Entered::new(Arc::clone(self));
        let mut numbered = Vec::with_capacity(accesses.len());
        let Some(origin) = grant.origin() else { return Ok((numbered, entered)) };
        for access in accesses {
            for mut record in access.records(origin, DateTime::default) {
                let (writer, number, at_us) = self.take();
                // Given out, it must be decided, even where the next line fails.
                entered.push(number, at_us);
                record.recorded = DateTime::from_timestamp_micros(at_us).unwrap_or_default();
                let bytes = record.to_bytes()?;
                entered.hashed(number, hash(&bytes));
                let compartment = compartment(&record);
                let (recorded, account) = (record.recorded, record.agent.account);
                numbered.push(Numbered { compartment, writer, number, recorded, account, record: bytes });
            }
        }
        Ok((numbered, entered))
    }

    fn take(&self) -> (i64, i64, i64) {
        let mut state = self.state();
        let (number, at_us) = state.chain.take(Utc::now().timestamp_micros());
        (state.writer, number, at_us)
    }
}

fn new_writer() -> i64 {
    rand::random_range(1..=i64::MAX)
}

/// Where a record is: with the patient, or with the resource that was used, or with others of its kind.
fn compartment(record: &Record) -> String {
    let parsed = |text: &Option<String>| text.as_deref().and_then(|text| Id::parse(text).ok());
    if let Some(patient) = parsed(&record.patient) {
        return Compartment::of_patient(&patient).as_str().to_owned();
    }
    let of = record.what.resource_type.as_deref();
    match (of, parsed(&record.what.id)) {
        (Some(of), Some(id)) => format!("{of}/{id}"),
        // Not all on one shard, and not anywhere: few enough that many fit one statement.
        _ => format!("audit/{}", record.agent.account.as_deref().unwrap_or_default()),
    }
}

impl Numbered {
    fn into_row(self) -> Row {
        let Numbered { compartment, writer, number, recorded, account, record } = self;
        row(&compartment, owned![compartment.clone(), recorded, writer, number, account, record])
    }
}

/// All of them as one statement.
fn insert(rows: &[Numbered]) -> Operation {
    let of = |part: fn(&Numbered) -> &str| rows.iter().map(|row| part(row).to_owned()).collect::<Vec<_>>();
    let numbers = |part: fn(&Numbered) -> i64| rows.iter().map(part).collect::<Vec<_>>();
    let values = owned![
        of(|row| &row.compartment),
        rows.iter().map(|row| row.recorded).collect::<Vec<_>>(),
        numbers(|row| row.writer),
        numbers(|row| row.number),
        rows.iter().map(|row| row.account.clone()).collect::<Vec<_>>(),
        rows.iter().map(|row| row.record.clone()).collect::<Vec<_>>(),
    ];
    Operation::new(INSERT.sql, values)
}

/// The accesses that some writes are, once they have happened.
pub(super) fn of_writes(writes: &[Write]) -> Vec<Access> {
    writes.iter().map(of_write).collect()
}

fn of_write(write: &Write) -> Access {
    let (version, previous) = (&write.version, write.previous.as_ref());
    let stood = previous.is_some_and(|previous| previous.stands);
    let (interaction, status) = match (version.method, stood) {
        ("POST", _) => ("create", 201),
        ("DELETE", _) => ("delete", 204),
        ("PATCH", _) => ("patch", 200),
        (_, false) => ("update", 201),
        (_, true) => ("update", 200),
    };
    let mut patients = BTreeSet::new();
    patients.extend(version.compartment.patient());
    patients.extend(version.members.iter().cloned());
    if let Some(previous) = previous {
        // Whose record it leaves is told as well.
        patients.extend(previous.compartment.patient());
        patients.extend(previous.members.iter().cloned());
    }
    let what = What {
        resource_type: Some(version.resource_type.as_str().to_owned()),
        id: Some(version.id.as_str().to_owned()),
        version: Some(version.version_id.0),
        ..What::default()
    };
    Access { interaction: interaction.to_owned(), what, patients: patients.iter().map(Id::to_string).collect(), status }
}
