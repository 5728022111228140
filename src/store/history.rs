//! Reading histories: of one resource, of a type, of the system; newest first, page by key.

use super::guard::forbidden;
use super::read::{Reader, Stored};
use super::statement::{
    COUNT_VERSIONS, HISTORY_OF_INSTANCE, HISTORY_OF_SYSTEM_CURRENT, HISTORY_OF_SYSTEM_SUPERSEDED,
    HISTORY_OF_TYPE_CURRENT, HISTORY_OF_TYPE_SUPERSEDED, Statement,
};
use crate::auth::policy::Permission;
use crate::auth::sight::Sight;
use crate::error::{Error, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id, Place};
use crate::fhir::instant::Interval;
use chrono::{DateTime, Utc};
use std::cmp::Reverse;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Whose versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryScope {
    Instance(ResourceType, Id),
    Type(ResourceType),
    System,
}

/// Which versions: those made since a time, and those that were current at some point of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryWindow {
    pub since: Option<DateTime<Utc>>,
    pub at: Option<Interval>,
    /// At most so many (versions).
    pub count: u32,
}

/// The version that a page ends with; the next page goes on after it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HistoryKey {
    pub last_updated: DateTime<Utc>,
    pub resource_type: String,
    pub id: String,
    pub version_id: i64,
}

impl HistoryKey {
    pub fn of(stored: &Stored) -> HistoryKey {
        HistoryKey {
            last_updated: stored.last_updated,
            resource_type: stored.resource_type.as_str().to_owned(),
            id: stored.id.as_str().to_owned(),
            version_id: stored.version_id.0,
        }
    }

    /// Before the newest version.
    fn start() -> HistoryKey {
        HistoryKey { last_updated: latest(), resource_type: String::new(), id: String::new(), version_id: i64::MAX }
    }
}

/// The bounds of time as PostgreSQL can hold them: years that no version has.
fn earliest() -> DateTime<Utc> {
    DateTime::from_timestamp(-62_135_596_800, 0).unwrap_or_default()
}

fn latest() -> DateTime<Utc> {
    DateTime::from_timestamp(253_402_300_799, 0).unwrap_or_default()
}

impl HistoryWindow {
    fn since(&self) -> DateTime<Utc> {
        self.since.unwrap_or_else(earliest)
    }

    fn start(&self) -> DateTime<Utc> {
        self.at.map_or_else(earliest, |at| at.start)
    }

    fn end(&self) -> DateTime<Utc> {
        self.at.map_or_else(latest, |at| at.end)
    }
}

impl Reader<'_> {
    /// A page of versions, newest first, after `key` (or from the start).
    pub async fn history(
        &self,
        scope: &HistoryScope,
        window: &HistoryWindow,
        key: Option<&HistoryKey>,
    ) -> Result<Vec<Stored>> {
        match scope {
            HistoryScope::Instance(resource_type, id) => {
                let before = key.map_or(i64::MAX, |key| key.version_id);
                if self.sees_all(Permission::Read, *resource_type)? {
                    return self.history_of_instance(*resource_type, id, window, before).await;
                }
                match self.current(*resource_type, id).await? {
                    Some(_) => self.visible_history(*resource_type, id, window, before).await,
                    None => Ok(Vec::new()),
                }
            }
            // Of many resources there is a history only where all of the type may be seen: whom an old version or a
            // deletion was about, no index knows.
            HistoryScope::Type(resource_type) => {
                if !self.sees_all(Permission::Search, *resource_type)? {
                    return Err(forbidden(Permission::Search, *resource_type));
                }
                let statements = [HISTORY_OF_TYPE_CURRENT, HISTORY_OF_TYPE_SUPERSEDED];
                self.history_of_many(statements, &resource_type.as_str(), window, key).await
            }
            HistoryScope::System => {
                let is_seen = |of: &ResourceType| self.grant.sight(Permission::Search, *of) == Sight::All;
                let types: Vec<&str> = ResourceType::all().filter(is_seen).map(ResourceType::as_str).collect();
                if types.is_empty() {
                    return Err(Error::forbidden("This account may not see the history of the system."));
                }
                let types = (types.len() < ResourceType::all().count()).then_some(types);
                let statements = [HISTORY_OF_SYSTEM_CURRENT, HISTORY_OF_SYSTEM_SUPERSEDED];
                self.history_of_many(statements, &types, window, key).await
            }
        }
    }

    /// How many versions the window of one resource's history holds in all; `None`: some of them may not be seen.
    pub async fn count_versions(
        &self,
        resource_type: ResourceType,
        id: &Id,
        window: &HistoryWindow,
    ) -> Result<Option<i64>> {
        if !self.sees_all(Permission::Read, resource_type)? {
            return Ok(None);
        }
        let home = self.home_of(resource_type, id).await?;
        let (since, start, end) = (window.since(), window.start(), window.end());
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&home.as_str(), &resource_type.as_str(), &id.as_str(), &since, &start, &end];
        let rows = self.query(home.as_str(), COUNT_VERSIONS, &parameters).await?;
        Ok(Some(rows.first().map_or(0, |row| row.get(0))))
    }

    /// As [`Reader::history_of_instance`], without the versions that may not be seen.
    async fn visible_history(
        &self,
        resource_type: ResourceType,
        id: &Id,
        window: &HistoryWindow,
        mut before_version: i64,
    ) -> Result<Vec<Stored>> {
        let wanted = usize::try_from(window.count).unwrap_or(usize::MAX);
        let mut seen = Vec::new();
        loop {
            let versions = self.history_of_instance(resource_type, id, window, before_version).await?;
            let is_last = versions.len() < wanted;
            let Some(oldest) = versions.last() else { return Ok(seen) };
            before_version = oldest.version_id.0;
            seen.extend(self.retain_visible(Permission::Read, versions).await?);
            if is_last || seen.len() >= wanted {
                seen.truncate(wanted);
                return Ok(seen);
            }
        }
    }

    async fn history_of_instance(
        &self,
        resource_type: ResourceType,
        id: &Id,
        window: &HistoryWindow,
        before_version: i64,
    ) -> Result<Vec<Stored>> {
        let home = self.home_of(resource_type, id).await?;
        let (since, start, end, count) = (window.since(), window.start(), window.end(), i64::from(window.count));
        let parameters: [&(dyn ToSql + Sync); 8] =
            [&home.as_str(), &resource_type.as_str(), &id.as_str(), &before_version, &since, &start, &end, &count];
        let rows = self.query(home.as_str(), HISTORY_OF_INSTANCE, &parameters).await?;
        let mut versions = Vec::with_capacity(rows.len());
        for row in &rows {
            versions.push(self.stored(resource_type, id.clone(), home.clone(), row).await?);
        }
        Ok(versions)
    }

    async fn home_of(&self, resource_type: ResourceType, id: &Id) -> Result<Compartment> {
        let place = Place::of(resource_type, id);
        let home = self.home_beyond(&place, resource_type, id).await?;
        Ok(home.unwrap_or_else(|| place.compartment().clone()))
    }

    /// Current and superseded versions are asked for one after the other and merged here: a UNION over all shards would
    /// be gathered whole on the coordinator before its limit applies.
    async fn history_of_many(
        &self,
        statements: [Statement; 2],
        types: &(dyn ToSql + Sync),
        window: &HistoryWindow,
        key: Option<&HistoryKey>,
    ) -> Result<Vec<Stored>> {
        let key = key.cloned().unwrap_or_else(HistoryKey::start);
        let (since, start, end, count) = (window.since(), window.start(), window.end(), i64::from(window.count));
        let parameters: [&(dyn ToSql + Sync); 9] =
            [&since, &end, &start, &key.last_updated, &key.resource_type, &key.id, &key.version_id, types, &count];
        let mut rows: Vec<Row> = Vec::new();
        for statement in statements {
            rows.extend(self.query_all(statement, &parameters).await?);
        }
        rows.sort_by_cached_key(|row| Reverse(row_key(row)));
        // A version that was superseded between the two statements came with both.
        rows.dedup_by_key(|row| row_key(row));
        rows.truncate(usize::try_from(window.count).unwrap_or(usize::MAX));
        let mut versions = Vec::with_capacity(rows.len());
        for row in &rows {
            versions.push(self.version_of(row).await?);
        }
        Ok(versions)
    }

    async fn version_of(&self, row: &Row) -> Result<Stored> {
        let resource_type =
            ResourceType::parse(row.get("type")).ok_or_else(|| Error::internal("a row of an unknown type"))?;
        let id = Id::parse(row.get("id")).map_err(Error::internal)?;
        self.stored(resource_type, id, Compartment::from_stored(row.get("compartment")), row).await
    }
}

fn row_key(row: &Row) -> HistoryKey {
    HistoryKey {
        last_updated: row.get("last_updated"),
        resource_type: row.get("type"),
        id: row.get("id"),
        version_id: row.get("version_id"),
    }
}
