//! Searches on the database: where the matches are, what drives the search, and the statements themselves.
//!
//! The only place where SQL is put together at run time. Values are always bound (`sql.rs`).

mod condition;
mod driver;
mod entries;
mod frequency;
mod guarded;
mod include;
mod linked;
mod order;
mod run;
mod scope;
pub(super) mod sql;
mod statement;
mod trace;

pub use frequency::Frequencies;
pub use include::Referrers;
pub use run::{Count, Found, Hit};
pub use trace::{Step, Trace};

use crate::error::{Error, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id, VersionId};
use crate::search::clause::Clause;
use crate::search::page::Page;
use crate::search::query::SortKey;
use crate::store::read::{Reader, Stored};
use chrono::DateTime;

/// What to search for. None of the conditions waits for the database any more (`Clause::Pending`).
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// None: every type.
    pub types: &'a [ResourceType],
    /// Each must hold.
    pub conditions: &'a [Clause],
    pub sort: &'a [SortKey],
    pub page: Option<&'a Page>,
    /// Resources of a page.
    pub count: usize,
}

impl Search<'_> {
    fn type_names(&self) -> Vec<&'static str> {
        self.types.iter().map(|resource_type| resource_type.as_str()).collect()
    }
}

/// Reads what `statement::push_pack` packed.
async fn unpack(reader: Reader<'_>, compartment: Compartment, packed: &[u8]) -> Result<Stored> {
    let damaged = || Error::internal("a row of a search is damaged");
    let end = packed.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
    let (head, body) = packed.split_at(end);
    let head = std::str::from_utf8(head).map_err(Error::internal)?;
    let mut words = head.split(' ');
    let mut word = || words.next().ok_or_else(damaged);
    let resource_type = ResourceType::parse(word()?).ok_or_else(damaged)?;
    let id = Id::parse(word()?).map_err(Error::internal)?;
    let version_id = VersionId(word()?.parse().map_err(Error::internal)?);
    let method = word()?.to_owned();
    let last_updated_us = word()?.parse().map_err(Error::internal)?;
    let last_updated = DateTime::from_timestamp_micros(last_updated_us).ok_or_else(damaged)?;
    let body = reader.store.decode(body.get(1..).unwrap_or_default()).await?;
    Ok(Stored { resource_type, id, compartment, version_id, last_updated, method, body: Some(body) })
}
