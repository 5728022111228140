//! What one check may cost, whatever profiles, value sets and invariants lead to.

use std::cell::Cell;

/// Rules that are held against elements (steps). A large document takes some ten thousand.
const RULES_MAX: usize = 500_000;
/// Rules that are gone through, and values that are compared, to tell slices apart and to match patterns (steps).
const MARKS_MAX: usize = 2_000_000;
/// Parts of value sets that are asked for codes (steps).
const LOOKUPS_MAX: usize = 1_000_000;
/// What all invariants of profiles may take (FHIRPath's steps: a million take about 50 ms).
const INVARIANT_STEPS_MAX: usize = 10_000_000;

/// Steps of one kind.
#[derive(Debug)]
pub struct Meter {
    left: Cell<usize>,
}

impl Meter {
    fn new(steps: usize) -> Meter {
        Meter { left: Cell::new(steps) }
    }

    pub fn left(&self) -> usize {
        self.left.get()
    }

    pub fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// Counts one step; false when there are no more.
    pub fn spend(&self) -> bool {
        self.take(1);
        !self.is_empty()
    }

    pub fn take(&self, steps: usize) {
        self.left.set(self.left().saturating_sub(steps));
    }
}

/// All steps that a check may take: one for all profiles that a resource is held against, and for what their invariants ask.
#[derive(Debug)]
pub struct Allowance {
    pub rules: Meter,
    pub marks: Meter,
    pub lookups: Meter,
    pub invariants: Meter,
}

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance {
            rules: Meter::new(RULES_MAX),
            marks: Meter::new(MARKS_MAX),
            lookups: Meter::new(LOOKUPS_MAX),
            invariants: Meter::new(INVARIANT_STEPS_MAX),
        }
    }
}

impl Allowance {
    /// What was not checked to its end, one sentence each.
    pub fn exceeded(&self) -> impl Iterator<Item = &'static str> + use<> {
        let all = [
            (&self.rules, "The profiles take too many steps here: the rest was not checked."),
            (
                &self.marks,
                "To tell slices apart and to match patterns takes too many steps here: the rest was not checked.",
            ),
            (&self.lookups, "The value sets lead to too many others: the rest of the codes was not checked."),
            (&self.invariants, "The invariants of the profiles take too many steps here: the rest was not checked."),
        ];
        all.map(|(meter, message)| meter.is_empty().then_some(message)).into_iter().flatten()
    }
}
