//! The months of the audit: each is a partition, made before it comes and dropped as a whole.

use super::{DROP_MONTH, MONTHS, OPEN_MONTH};
use crate::auth::Grant;
use crate::error::{Error, Result};
use crate::store::Store;
use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};

/// Months that are made before they come: a server whose database is away for weeks goes on all the same (months).
const AHEAD: u32 = 2;

/// A month of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditMonth {
    /// Its first day.
    pub month: NaiveDate,
    pub dropped: Option<DateTime<Utc>>,
}

impl Store {
    /// Makes the month of this time, the one before it (clocks differ) and those to come.
    pub(in crate::store) async fn open_months(&self, now: DateTime<Utc>) -> Result<()> {
        let this = month_of(now)?;
        let known = self.months().await?;
        let before = this.checked_sub_months(Months::new(1));
        let ahead = (0..=AHEAD).filter_map(|months| this.checked_add_months(Months::new(months)));
        for month in before.into_iter().chain(ahead) {
            if !known.iter().any(|one| one.month == month) {
                self.on_coordinator(OPEN_MONTH, &[&month]).await?;
            }
        }
        Ok(())
    }

    async fn months(&self) -> Result<Vec<AuditMonth>> {
        let rows = self.on_coordinator(MONTHS, &[]).await?;
        Ok(rows.iter().map(|row| AuditMonth { month: row.get("month"), dropped: row.get("dropped") }).collect())
    }

    /// The months that there are or were, the oldest first.
    pub async fn audit_months(&self, grant: &Grant) -> Result<Vec<AuditMonth>> {
        grant.demand_everything()?;
        self.months().await
    }

    /// Drops a month with all of its records. `false`: it is not there.
    pub async fn drop_audit_month(&self, grant: &Grant, month: NaiveDate) -> Result<bool> {
        grant.demand_everything()?;
        Ok(!self.on_coordinator(DROP_MONTH, &[&month]).await?.is_empty())
    }
}

pub fn month_of(time: DateTime<Utc>) -> Result<NaiveDate> {
    time.date_naive().with_day(1).ok_or_else(|| Error::internal("a month has no first day"))
}
