//! Making ids: time-ordered, and a patient's resources carry the patient's id.

use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Id, SUFFIX_ALPHABET, SUFFIX_LENGTH};
use chrono::Utc;
use std::sync::Mutex;

/// The length of an id that stands alone (characters).
const ALONE_LENGTH: usize = 16;
/// Bits of an id besides its time. A suffix is 65 bits: 42 of milliseconds, which last until 2109, and these.
const SUFFIX_RANDOM_BITS: u32 = 23;
const ALONE_RANDOM_BITS: u32 = 38;
/// Bits of a key besides its time, which has 42.
const KEY_RANDOM_BITS: u32 = 21;

/// Makes ids that grow with time. Two made in one millisecond by one server differ by counting, by two servers by chance.
pub struct Minter {
    last: Mutex<(u64, u64)>,
}

impl Default for Minter {
    fn default() -> Self {
        Minter { last: Mutex::new((0, 0)) }
    }
}

impl Minter {
    /// The id of a new resource; `patient` is the patient whose compartment it will live in.
    pub fn id(&self, resource_type: ResourceType, patient: Option<&Id>) -> Id {
        let carried = patient.filter(|patient| resource_type != ResourceType::PATIENT && patient.can_be_carried());
        let text = match carried {
            Some(patient) => format!("{patient}.{}", self.text(SUFFIX_LENGTH, SUFFIX_RANDOM_BITS)),
            None => self.text(ALONE_LENGTH, ALONE_RANDOM_BITS),
        };
        // The alphabet and the lengths make it an id; a fresh one would be no better.
        Id::parse(&text).unwrap_or_else(|_| self.id(resource_type, None))
    }

    /// The number of a new resource in the search index: it grows with time, too.
    pub fn key(&self) -> i64 {
        let (time, random) = self.next();
        let number = (time << KEY_RANDOM_BITS) | (random & ((1 << KEY_RANDOM_BITS) - 1));
        number.cast_signed()
    }

    fn text(&self, length: usize, random_bits: u32) -> String {
        let (time, random) = self.next();
        let number = (u128::from(time) << random_bits) | u128::from(random & ((1 << random_bits) - 1));
        let mut text = vec![b'0'; length];
        let mut rest = number;
        for slot in text.iter_mut().rev() {
            let digit = usize::try_from(rest & 31).unwrap_or(0);
            *slot = SUFFIX_ALPHABET.get(digit).copied().unwrap_or(b'0');
            rest >>= 5;
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The time in milliseconds and a number that counts up from a random start within it.
    fn next(&self) -> (u64, u64) {
        let now = u64::try_from(Utc::now().timestamp_millis()).unwrap_or(0);
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *last = match *last {
            // The start leaves the upper half free, so counting does not wrap within the smaller of the two sizes.
            (time, _) if time < now => (now, rand::random::<u64>() & !(1 << (SUFFIX_RANDOM_BITS - 1))),
            (time, count) if (count + 1) % (1 << SUFFIX_RANDOM_BITS) == 0 => (time + 1, count + 1),
            (time, count) => (time, count + 1),
        };
        *last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::id::{Compartment, Place};

    #[test]
    fn ids_are_unique_grow_and_lead_to_their_patient() {
        let minter = Minter::default();
        let patient = minter.id(ResourceType::PATIENT, None);
        assert_eq!(patient.as_str().len(), ALONE_LENGTH);
        let ids: Vec<Id> = (0..100_000).map(|_| minter.id(ResourceType::OBSERVATION, Some(&patient))).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(ids[0].as_str().len(), ALONE_LENGTH + 1 + SUFFIX_LENGTH);
        assert_eq!(Place::of(ResourceType::OBSERVATION, &ids[0]), Place::Likely(Compartment::of_patient(&patient)));
    }

    #[test]
    fn a_patient_id_that_is_too_long_is_not_carried() {
        let long = Id::parse(&"x".repeat(51)).unwrap();
        let id = Minter::default().id(ResourceType::OBSERVATION, Some(&long));
        assert_eq!(id.as_str().len(), ALONE_LENGTH);
        let longest = Id::parse(&"x".repeat(50)).unwrap();
        assert_eq!(Minter::default().id(ResourceType::OBSERVATION, Some(&longest)).as_str().len(), 64);
    }
}
