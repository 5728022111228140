//! Each writer (a server from its start to its end) numbers its records as it makes them. A record commits with what it
//! is about, on that patient's shard, so records of one writer commit in any order, and some never. From time to time
//! the writer seals what is decided: a seal covers a range of numbers, says which of them never came to be, and hashes
//! the rest onto the seal before. A record that is changed, taken away or put in between no longer fits its seal; seals
//! that are cut off at the end show against a head that was kept elsewhere (`head.rs`).

use super::record::Hash;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The hash before the first seal of a writer.
pub const START: Hash = [0; 32];

/// What stands for a number in the hash: a record, or that there is none.
const IS_RECORD: u8 = 1;
const IS_VOID: u8 = 0;

/// A range of records of one writer that is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// From 1 on, without a gap.
    pub number: i64,
    /// The first record's number; the one after the last of the seal before.
    pub first: i64,
    pub last: i64,
    /// Numbers in it whose record never came to be.
    pub voids: Vec<i64>,
    /// Over the seal before and everything in this one.
    pub head: Hash,
}

/// The head over a range. `hashes`: those of the records that there are.
pub fn head(before: &Hash, number: i64, first: i64, last: i64, hashes: &BTreeMap<i64, Hash>) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(before);
    for part in [number, first, last] {
        hasher.update(part.to_be_bytes());
    }
    for at in first..=last {
        match hashes.get(&at) {
            Some(hash) => {
                hasher.update([IS_RECORD]);
                hasher.update(hash);
            }
            None => hasher.update([IS_VOID]),
        }
    }
    hasher.finalize().into()
}

/// The numbers of one writer, in memory.
#[derive(Debug)]
pub struct Chain {
    next: i64,
    seals: i64,
    head: Hash,
    /// Numbers that are given out and not sealed: those that are decided have a hash, or `None` for a void.
    decided: BTreeMap<i64, Option<Hash>>,
    sealed: i64,
}

impl Default for Chain {
    fn default() -> Self {
        Chain { next: 1, seals: 0, head: START, decided: BTreeMap::new(), sealed: 0 }
    }
}

impl Chain {
    /// A number for a record that is about to be written.
    pub fn take(&mut self) -> i64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// What became of it: its hash, or nothing.
    pub fn decide(&mut self, number: i64, hash: Option<Hash>) {
        if number > self.sealed && number < self.next {
            self.decided.insert(number, hash);
        }
    }

    /// Seals what is decided from the last seal on, up to the first number that is not, at most `count` numbers.
    pub fn seal(&mut self, count: i64) -> Option<Seal> {
        let first = self.sealed + 1;
        let in_row = (first..first + count).take_while(|number| self.decided.contains_key(number));
        let last = in_row.last()?;
        let part: BTreeMap<i64, Option<Hash>> =
            (first..=last).filter_map(|at| self.decided.remove_entry(&at)).collect();
        let voids = part.iter().filter(|(_, hash)| hash.is_none()).map(|(at, _)| *at).collect();
        let hashes = part.into_iter().filter_map(|(at, hash)| Some((at, hash?))).collect();
        let number = self.seals + 1;
        let head = head(&self.head, number, first, last, &hashes);
        (self.seals, self.sealed, self.head) = (number, last, head);
        Some(Seal { number, first, last, voids, head })
    }
}

/// What is wrong with the records of one writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This seal is not there.
    SealMissing(i64),
    /// A seal does not begin where the one before ends.
    SealMisplaced(i64),
    /// A record that the seal has is not there.
    RecordMissing { seal: i64, number: i64 },
    /// There is a record where the seal has none.
    RecordAdded { seal: i64, number: i64 },
    /// All records are there, and one of them, or the seal, is not what it was.
    Changed { seal: i64, first: i64, last: i64 },
    /// The chain was longer: a head that was kept names a seal that is not there, or another one.
    HeadMissing(i64),
}

/// How far the records of a writer are sealed, and what does not fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    pub sealed: usize,
    /// Records after the last seal: just written, or left by a server that ended without one.
    pub unsealed: usize,
    pub faults: Vec<Fault>,
}

/// Compares the records of one writer with its seals, in their order, and with heads that were kept elsewhere: the
/// number of a seal and its hash.
pub fn verify(hashes: &BTreeMap<i64, Hash>, seals: &[Seal], kept: &[(i64, Hash)]) -> Verdict {
    let mut verdict = Verdict::default();
    let (mut before, mut sealed) = (START, 0);
    for (position, seal) in (1..).zip(seals) {
        if seal.number != position {
            verdict.faults.push(Fault::SealMissing(position));
            break;
        }
        if seal.first != sealed + 1 || seal.last < seal.first {
            verdict.faults.push(Fault::SealMisplaced(seal.number));
            break;
        }
        let part: BTreeMap<i64, Hash> = hashes.range(seal.first..=seal.last).map(|(at, hash)| (*at, *hash)).collect();
        let voids: BTreeSet<i64> = seal.voids.iter().copied().collect();
        let faults = verdict.faults.len();
        let missing = (seal.first..=seal.last).filter(|at| !voids.contains(at) && !part.contains_key(at));
        verdict.faults.extend(missing.map(|number| Fault::RecordMissing { seal: seal.number, number }));
        let added = part.keys().filter(|at| voids.contains(at));
        verdict.faults.extend(added.map(|number| Fault::RecordAdded { seal: seal.number, number: *number }));
        if verdict.faults.len() == faults && head(&before, seal.number, seal.first, seal.last, &part) != seal.head {
            verdict.faults.push(Fault::Changed { seal: seal.number, first: seal.first, last: seal.last });
        }
        verdict.sealed += part.len();
        (before, sealed) = (seal.head, seal.last);
    }
    verdict.unsealed = hashes.range(sealed + 1..).count();
    let stands = |(number, hash): &(i64, Hash)| seals.iter().any(|seal| seal.number == *number && seal.head == *hash);
    verdict.faults.extend(kept.iter().filter(|head| !stands(head)).map(|(number, _)| Fault::HeadMissing(*number)));
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::record::hash;

    fn of(number: i64) -> Hash {
        hash(format!("record {number}").as_bytes())
    }

    /// Ten records, of which the fourth never came to be, in two seals and two records after them.
    fn written() -> (BTreeMap<i64, Hash>, Vec<Seal>) {
        let mut chain = Chain::default();
        let numbers: Vec<i64> = (0..10).map(|_| chain.take()).collect();
        assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
        // Decided in another order than made.
        for number in [3, 1, 2] {
            chain.decide(number, Some(of(number)));
        }
        let mut seals = vec![chain.seal(100).unwrap()];
        assert_eq!(chain.seal(100), None, "the fourth is not decided");
        for number in [5, 6, 7, 8] {
            chain.decide(number, Some(of(number)));
        }
        assert_eq!(chain.seal(100), None);
        chain.decide(4, None);
        seals.push(chain.seal(100).unwrap());
        assert_eq!((seals[1].first, seals[1].last, &seals[1].voids), (4, 8, &vec![4]));
        let hashes = (1..=10).filter(|number| *number != 4).map(|number| (number, of(number))).collect();
        (hashes, seals)
    }

    fn faults(hashes: &BTreeMap<i64, Hash>, seals: &[Seal], kept: &[(i64, Hash)]) -> Vec<Fault> {
        verify(hashes, seals, kept).faults
    }

    #[test]
    fn what_was_written_fits_its_seals() {
        let (hashes, seals) = written();
        let kept = [(1, seals[0].head), (2, seals[1].head)];
        assert_eq!(verify(&hashes, &seals, &kept), Verdict { sealed: 7, unsealed: 2, faults: Vec::new() });
        assert_eq!(verify(&BTreeMap::new(), &[], &[]), Verdict::default());
    }

    #[test]
    fn a_record_that_is_changed_taken_away_added_or_swapped_shows() {
        let (hashes, seals) = written();
        let changed = |change: &dyn Fn(&mut BTreeMap<i64, Hash>)| {
            let mut hashes = hashes.clone();
            change(&mut hashes);
            faults(&hashes, &seals, &[])
        };
        let second = Fault::Changed { seal: 2, first: 4, last: 8 };
        assert_eq!(changed(&|all| _ = all.insert(6, of(60))), std::slice::from_ref(&second));
        assert_eq!(changed(&|all| _ = all.remove(&2)), [Fault::RecordMissing { seal: 1, number: 2 }]);
        assert_eq!(changed(&|all| _ = all.insert(4, of(4))), [Fault::RecordAdded { seal: 2, number: 4 }]);
        let swapped = changed(&|all| {
            all.insert(5, of(6));
            all.insert(6, of(5));
        });
        assert_eq!(swapped, [second]);
    }

    #[test]
    fn a_seal_that_is_changed_or_taken_away_shows() {
        let (hashes, seals) = written();
        // A forger who takes a record away and says that it never came to be must make all heads anew.
        let mut forged = seals.clone();
        forged[0].voids.push(2);
        let mut fewer = hashes.clone();
        fewer.remove(&2);
        assert_eq!(faults(&fewer, &forged, &[]), [Fault::Changed { seal: 1, first: 1, last: 3 }]);
        assert_eq!(faults(&hashes, &seals[1..], &[]), [Fault::SealMissing(1)]);
        let mut moved = seals.clone();
        moved[1].first = 5;
        assert_eq!(faults(&hashes, &moved, &[]), [Fault::SealMisplaced(2)]);
    }

    #[test]
    fn what_is_cut_off_at_the_end_shows_against_a_kept_head() {
        let (hashes, seals) = written();
        let cut: BTreeMap<i64, Hash> = hashes.range(..=3).map(|(at, hash)| (*at, *hash)).collect();
        assert_eq!(faults(&cut, &seals[..1], &[]), [], "nothing inside the database tells");
        assert_eq!(faults(&cut, &seals[..1], &[(2, seals[1].head)]), [Fault::HeadMissing(2)]);
    }

    #[test]
    fn a_number_is_decided_once_and_only_if_it_was_given() {
        let mut chain = Chain::default();
        chain.decide(1, Some(of(1)));
        assert_eq!(chain.seal(10), None, "nobody took it");
        chain.take();
        chain.decide(1, Some(of(1)));
        let seal = chain.seal(10).unwrap();
        chain.decide(1, None);
        assert_eq!(chain.seal(10), None);
        assert_eq!(verify(&BTreeMap::from([(1, of(1))]), &[seal], &[]).faults, []);
    }

    #[test]
    fn a_seal_covers_at_most_so_many_numbers() {
        let mut chain = Chain::default();
        (0..25).for_each(|_| _ = chain.take());
        (1..=25).for_each(|number| chain.decide(number, Some(of(number))));
        let seals: Vec<Seal> = std::iter::from_fn(|| chain.seal(10)).collect();
        assert_eq!(seals.iter().map(|seal| seal.last).collect::<Vec<_>>(), [10, 20, 25]);
    }
}
