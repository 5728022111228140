//! Account of the statements that answer one search, for `_explain`.

use std::sync::Mutex;
use std::time::Duration;

/// A statement that was run. Its text names no value; its plan does.
#[derive(Debug, Clone)]
pub struct Step {
    pub purpose: &'static str,
    pub statement: String,
    /// The statement with its values in it, where it was put together for this search.
    pub runnable: Option<String>,
    pub rows: usize,
    pub took: Duration,
    /// Shards that were asked; `None` where the tables are not distributed.
    pub shards: Option<u32>,
    /// What the database says it does, a line each.
    pub plan: Vec<String>,
}

/// Filled by a reader that was made with [`super::super::Reader::traced`].
#[derive(Debug, Default)]
pub struct Trace {
    steps: Mutex<Vec<Step>>,
}

impl Trace {
    pub(in crate::store) fn note(&self, step: Step) {
        let step = Step { shards: shards(&step.plan), ..step };
        if let Ok(mut steps) = self.steps.lock() {
            steps.push(step);
        }
    }

    /// The statements in the order in which they ended.
    pub fn steps(self) -> Vec<Step> {
        self.steps.into_inner().unwrap_or_default()
    }
}

/// As Citus says it: `Task Count: 16`.
fn shards(plan: &[String]) -> Option<u32> {
    let counts = plan.iter().filter_map(|line| line.trim().strip_prefix("Task Count: ")?.parse::<u32>().ok());
    counts.reduce(u32::saturating_add)
}
