//! Counting what one evaluation does, so that it ends soon whatever it is asked.

use super::expression::Budget;
use crate::fhir::invalid::{Invalid, Result};
use std::cell::Cell;

/// A text that is looked at counts one step for so many bytes, and an object for so many members.
const BYTES_A_STEP: usize = 64;
const MEMBERS_A_STEP: usize = 16;

/// All texts that one evaluation makes are together so many times as long as the longest may be.
const TEXTS_AT_LENGTH_MAX: usize = 16;

/// What is left of a budget.
pub(super) struct Meter {
    budget: Budget,
    steps_left: Cell<usize>,
    text_bytes_left: Cell<usize>,
}

impl Meter {
    pub fn new(budget: Budget) -> Meter {
        let text_bytes = budget.text_bytes.saturating_mul(TEXTS_AT_LENGTH_MAX);
        Meter { budget, steps_left: Cell::new(budget.steps), text_bytes_left: Cell::new(text_bytes) }
    }

    pub fn steps_left(&self) -> usize {
        self.steps_left.get()
    }

    /// Counts steps.
    pub fn spend(&self, steps: usize) -> Result<()> {
        match self.steps_left.get().checked_sub(steps) {
            Some(left) => {
                self.steps_left.set(left);
                Ok(())
            }
            None => {
                // What is next finds nothing left either.
                self.steps_left.set(0);
                let message = format!("A FHIRPath evaluation takes more than {} steps.", self.budget.steps);
                Err(Invalid::bound(message))
            }
        }
    }

    /// Counts a look at all of a text of this length.
    pub fn look_at(&self, bytes: usize) -> Result<()> {
        match bytes / BYTES_A_STEP {
            0 => Ok(()),
            steps => self.spend(steps),
        }
    }

    /// Counts a look for something among the members of an object.
    pub fn look_among(&self, members: usize) -> Result<()> {
        match members / MEMBERS_A_STEP {
            0 => Ok(()),
            steps => self.spend(steps),
        }
    }

    /// Counts a text that is to be made.
    pub fn text_of(&self, bytes: usize) -> Result<()> {
        self.look_at(bytes)?;
        let left = self.text_bytes_left.get().checked_sub(bytes).filter(|_| bytes <= self.budget.text_bytes);
        match left {
            Some(left) => {
                self.text_bytes_left.set(left);
                Ok(())
            }
            None => {
                let message = format!(
                    "A FHIRPath evaluation makes a text of more than {} bytes, or more than {TEXTS_AT_LENGTH_MAX} of \
                     such a length.",
                    self.budget.text_bytes
                );
                Err(Invalid::bound(message))
            }
        }
    }
}
