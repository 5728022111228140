//! Which resources of a type may be used: facts, of which the store makes conditions.

use crate::fhir::id::Id;

/// Which resources of a type may be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    All,
    None,
    /// Those that are about this patient (`membership`), and of the type Patient the patient.
    About(Id),
    /// Those to which something leads that is about this patient.
    ReferredToBy(Id),
    /// Those that a search of the type finds: `category=laboratory`.
    Found(String),
    /// Each must allow it.
    Each(Vec<Sight>),
    /// One is enough.
    Any(Vec<Sight>),
}

impl Sight {
    /// One of these is enough.
    pub fn any(mut sights: Vec<Sight>) -> Sight {
        sights.retain(|sight| *sight != Sight::None);
        if sights.contains(&Sight::All) {
            return Sight::All;
        }
        match sights.len() {
            0 | 1 => sights.pop().unwrap_or(Sight::None),
            _ => Sight::Any(sights),
        }
    }

    /// Each of these must hold.
    pub fn each(mut sights: Vec<Sight>) -> Sight {
        sights.retain(|sight| *sight != Sight::All);
        if sights.contains(&Sight::None) {
            return Sight::None;
        }
        match sights.len() {
            0 | 1 => sights.pop().unwrap_or(Sight::All),
            _ => Sight::Each(sights),
        }
    }
}
