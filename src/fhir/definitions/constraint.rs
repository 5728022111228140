//! The invariants of R4's elements, as they are written. <https://hl7.org/fhir/R4/conformance-rules.html#constraints>

use super::table::{self, ConstraintRow};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

/// What must hold of an element beyond its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constraint {
    /// `obs-6`.
    pub key: &'static str,
    /// Whether what breaks it is wrong; else it is only bad practice.
    pub is_error: bool,
    /// FHIRPath, evaluated on the element.
    pub expression: &'static str,
    /// HL7's own words for it.
    pub human: &'static str,
}

/// The constraints of one element: positions in [`constraints`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Constraints {
    start: u16,
    end: u16,
}

impl Constraints {
    pub fn range(self) -> Range<usize> {
        usize::from(self.start)..usize::from(self.end)
    }

    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

struct All {
    constraints: Vec<Constraint>,
    by_path: HashMap<&'static str, Constraints>,
}

static ALL: LazyLock<All> = LazyLock::new(load);

/// All constraints, in the order of the table.
pub fn constraints() -> &'static [Constraint] {
    &ALL.constraints
}

/// Those written at this path: `Observation`, `Patient.contact`.
pub(super) fn at(path: &str) -> Constraints {
    ALL.by_path.get(path).copied().unwrap_or_default()
}

fn load() -> All {
    let mut all = All { constraints: Vec::new(), by_path: HashMap::new() };
    for ConstraintRow { path, constraint } in table::constraints().flatten() {
        // More than 65,535 would be left out; the tests count 244.
        let Ok(start) = u16::try_from(all.constraints.len()) else { break };
        let Some(end) = start.checked_add(1) else { break };
        all.constraints.push(constraint);
        // The rows of one path stand together.
        all.by_path.entry(path).or_insert(Constraints { start, end }).end = end;
    }
    all
}
