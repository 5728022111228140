//! What a failure of the database means for the client, decided by SQLSTATE and never by the text of a message.

use crate::error::{Error, Kind};
use tokio_postgres::error::{Error as PgError, SqlState};

/// Seconds a client should wait before trying again.
const RETRY_AFTER_SECONDS: u32 = 1;

/// Where in a transaction the failure came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A read, or a statement before COMMIT: if it failed, nothing was written.
    Statement,
    /// As [`Phase::Statement`], of a search: what is too much for it now is too much later, too.
    Search,
    /// COMMIT itself, or a batch that ends in COMMIT: the write may have happened.
    Commit,
}

/// A failure sorted by what to do next.
#[derive(Debug)]
pub enum Failure {
    /// Somebody else was faster: look again and repeat the whole transaction.
    Raced(Error),
    /// The node cannot be reached, or the connection broke.
    NodeDown(Error),
    /// The node answers, but another node behind it does not: a worker of the coordinator's cluster.
    PartDown(Error),
    /// Whatever is left: tell the client.
    Other(Error),
}

impl Failure {
    pub fn into_error(self) -> Error {
        match self {
            Failure::Raced(error) | Failure::NodeDown(error) | Failure::PartDown(error) | Failure::Other(error) => {
                error
            }
        }
    }
}

pub fn classify(fault: &PgError, phase: Phase) -> Failure {
    let cause = cause(fault);
    let Some(state) = fault.code() else {
        // No SQLSTATE: the connection broke, or the value could not be sent or read.
        return if fault.is_closed() || is_io(fault) {
            Failure::NodeDown(lost(phase).caused_by(cause))
        } else {
            Failure::Other(Error::internal(cause))
        };
    };
    let class = state.code().get(..2).unwrap_or_default();
    match (class, state) {
        ("40", _) | (_, &SqlState::UNIQUE_VIOLATION) => Failure::Raced(
            Error::conflict("Others are writing the same resource. Read it again and repeat.").caused_by(cause),
        ),
        (_, &SqlState::QUERY_CANCELED) if phase == Phase::Search => Failure::Other(too_long().caused_by(cause)),
        (_, &SqlState::LOCK_NOT_AVAILABLE | &SqlState::QUERY_CANCELED) => {
            Failure::Other(Error::busy(RETRY_AFTER_SECONDS).caused_by(cause))
        }
        (_, &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN | &SqlState::CANNOT_CONNECT_NOW) => {
            Failure::NodeDown(lost(phase).caused_by(cause))
        }
        ("08", _) => Failure::PartDown(lost(phase).caused_by(cause)),
        ("53", _) => Failure::Other(Error::busy(RETRY_AFTER_SECONDS).caused_by(cause)),
        // Citus reports a distributed commit that failed halfway as an internal error.
        (_, &SqlState::INTERNAL_ERROR) if phase == Phase::Commit => Failure::Other(unknown_outcome().caused_by(cause)),
        _ => Failure::Other(Error::internal(cause)),
    }
}

/// The deadline passed: before COMMIT nothing was written, at COMMIT nobody knows.
pub fn deadline_passed(phase: Phase) -> Failure {
    Failure::NodeDown(lost(phase).caused_by("the database did not answer within the deadline"))
}

fn too_long() -> Error {
    Error::new(
        Kind::TooCostly,
        "This search took too long and was stopped. Narrow it: name a patient, a code or a range of dates, or leave out \
        the order (_sort) or the number of all matches (_total).",
    )
}

fn lost(phase: Phase) -> Error {
    match phase {
        Phase::Statement | Phase::Search => Error::busy(RETRY_AFTER_SECONDS),
        Phase::Commit => unknown_outcome(),
    }
}

pub fn unknown_outcome() -> Error {
    Error::new(
        Kind::UnknownOutcome,
        "The connection to the database broke while this was being committed: it may or may not be stored. Read before you repeat it.",
    )
}

fn is_io(fault: &PgError) -> bool {
    std::error::Error::source(fault).is_some_and(|source| source.is::<std::io::Error>())
}

/// For the operator's log: SQLSTATE and the server's sentence, but not its detail, which quotes row values.
pub fn cause(fault: &PgError) -> String {
    match fault.as_db_error() {
        Some(told) => {
            let relation = told.table().or(told.constraint()).unwrap_or("-");
            format!("SQLSTATE {} at {relation}: {}", told.code().code(), told.message())
        }
        None => match std::error::Error::source(fault) {
            Some(source) => format!("{fault}: {source}"),
            None => fault.to_string(),
        },
    }
}
