//! Reading records: one by its id, and pages of those that a query finds, the newest first.

use super::{BY_ID, LIST, LIST_IN_COMPARTMENT};
use crate::audit::record::Record;
use crate::auth::Grant;
use crate::auth::policy::Permission;
use crate::auth::sight::Sight;
use crate::error::{Error, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id};
use crate::store::Store;
use crate::store::node::Parameters;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Row;

/// What names a record, and where a page ends: when, by which writer, and its number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditKey {
    pub recorded: DateTime<Utc>,
    pub writer: i64,
    pub number: i64,
}

impl AuditKey {
    /// The id of its AuditEvent.
    pub fn to_id(self) -> String {
        format!("{:x}-{:x}-{:x}", self.recorded.timestamp_micros(), self.writer, self.number)
    }

    pub fn from_id(id: &str) -> Option<AuditKey> {
        let mut parts = id.split('-').map(|part| i64::from_str_radix(part, 16));
        let (micros, writer, number) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
        let recorded = DateTime::from_timestamp_micros(micros)?;
        let key = AuditKey { recorded, writer, number };
        // One record has one id.
        (parts.next().is_none() && key.to_id() == id).then_some(key)
    }

    /// After every record.
    fn end() -> AuditKey {
        AuditKey { recorded: far(i64::MAX), writer: i64::MAX, number: i64::MAX }
    }
}

/// Which records.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Of this patient; otherwise of all.
    pub patient: Option<Id>,
    /// In the compartment of a resource that is in nobody's, such as `Practitioner/x`.
    pub place: Option<Compartment>,
    /// From this time on.
    pub since: Option<DateTime<Utc>>,
    /// Before this time.
    pub before: Option<DateTime<Utc>>,
    pub accounts: Option<Vec<String>>,
    pub interactions: Option<Vec<String>>,
    /// Hundreds of the status: 2 for 200 to 299.
    pub statuses: Option<Vec<i32>>,
    /// What the record's JSON holds.
    pub holds: Option<Value>,
    /// The record that the page before ended with.
    pub after: Option<AuditKey>,
    pub count: u32,
}

/// A record and what names it.
#[derive(Debug, Clone)]
pub struct NamedRecord {
    pub key: AuditKey,
    pub record: Record,
}

impl Store {
    /// One record, for who may read AuditEvents.
    pub async fn audit_record(&self, grant: &Grant, key: AuditKey) -> Result<Option<NamedRecord>> {
        demand(grant, Permission::Read)?;
        let parameters: Parameters = &[&key.recorded, &key.writer, &key.number];
        let rows = self.on_coordinator(BY_ID, parameters).await?;
        rows.first().map(named).transpose()
    }

    /// A page of records, the newest first, for who may search for AuditEvents.
    pub async fn audit_list(&self, grant: &Grant, query: &AuditQuery) -> Result<Vec<NamedRecord>> {
        demand(grant, Permission::Search)?;
        self.list(query).await
    }

    /// A page of the records about a patient, for who may read all that is that patient's.
    pub async fn accesses_of(&self, grant: &Grant, query: &AuditQuery) -> Result<Vec<NamedRecord>> {
        let is_own =
            |patient: &Id| grant.sight(Permission::Read, ResourceType::PATIENT) == Sight::About(patient.clone());
        if !query.patient.as_ref().is_some_and(is_own) {
            demand(grant, Permission::Search)?;
        }
        self.list(query).await
    }

    async fn list(&self, query: &AuditQuery) -> Result<Vec<NamedRecord>> {
        let since = query.since.unwrap_or_else(|| far(0));
        let before = query.before.unwrap_or_else(|| far(i64::MAX));
        let after = query.after.unwrap_or_else(AuditKey::end);
        let holds = query.holds.as_ref().map(Value::to_string);
        let count = i64::from(query.count);
        let compartment = query.patient.as_ref().map(Compartment::of_patient).or_else(|| query.place.clone());
        let compartment = compartment.as_ref().map(Compartment::as_str);
        let mut parameters: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = vec![
            &since,
            &before,
            &query.accounts,
            &query.interactions,
            &query.statuses,
            &holds,
            &after.recorded,
            &after.writer,
            &after.number,
            &count,
        ];
        let rows = match &compartment {
            Some(compartment) => {
                parameters.push(compartment);
                self.in_compartment(compartment, LIST_IN_COMPARTMENT, &parameters).await?
            }
            None => self.on_coordinator(LIST, &parameters).await?,
        };
        rows.iter().map(named).collect()
    }
}

/// Refuses whom the policy does not open all AuditEvents.
fn demand(grant: &Grant, permission: Permission) -> Result<()> {
    match grant.sight(permission, ResourceType::AUDIT_EVENT) {
        Sight::All => Ok(()),
        _ => Err(Error::forbidden("This account may not see the audit.")),
    }
}

/// Times that PostgreSQL knows.
fn far(microseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(microseconds / 40).unwrap_or_default()
}

fn named(row: &Row) -> Result<NamedRecord> {
    let key = AuditKey { recorded: row.get("recorded"), writer: row.get("writer"), number: row.get("number") };
    Ok(NamedRecord { key, record: Record::from_bytes(row.get("record"))? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_one_id_and_it_is_one_of_fhirs() {
        let key = AuditKey { recorded: far(i64::MAX), writer: i64::MAX, number: 1 };
        assert_eq!(AuditKey::from_id(&key.to_id()), Some(key));
        assert!(Id::parse(&key.to_id()).is_ok());
        for bad in ["", "1-2", "1-2-3-4", "01-2-3", "1-2-x", "+1-2-3", "-1-2-3"] {
            assert_eq!(AuditKey::from_id(bad), None, "{bad}");
        }
    }
}
