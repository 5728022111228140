//! How frequent conditions are: asked with a bound, and remembered for a while.

use super::driver::{Frequency, RARE, frequency_statement};
use super::sql::Sql;
use crate::error::Result;
use crate::search::clause::Clause;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long a frequency is believed. A wrong one costs time and changes no answer.
const BELIEVED: Duration = Duration::from_secs(300);
/// Conditions remembered; when there are more, all are forgotten (conditions).
const REMEMBERED_MAX: usize = 20_000;

/// What is known of the frequency of conditions.
#[derive(Default)]
pub struct Frequencies {
    known: Mutex<HashMap<String, (Instant, Frequency)>>,
}

impl Frequencies {
    pub fn get(&self, statement: &Sql) -> Option<Frequency> {
        let known = self.known.lock().ok()?;
        let (noted, frequency) = known.get(&statement.fingerprint())?;
        (noted.elapsed() < BELIEVED).then_some(*frequency)
    }

    pub fn note(&self, statement: &Sql, frequency: Frequency) {
        let Ok(mut known) = self.known.lock() else { return };
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(statement.fingerprint(), (Instant::now(), frequency));
    }
}

/// The statements to ask for the frequencies of the conditions, where they can be asked.
pub fn statements(conditions: &[Clause], types: &[&'static str]) -> Result<Vec<Option<Sql>>> {
    conditions.iter().map(|clause| frequency_statement(clause, types)).collect()
}

/// What the dates of the listed matches say.
pub fn of_dates(mut dates: Vec<i64>) -> Frequency {
    if dates.len() < RARE {
        return Frequency::Rare(dates.len());
    }
    Frequency::Frequent { since: dates.pop().unwrap_or_default() }
}
