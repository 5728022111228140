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
    /// The time of its first number (microseconds since 1970 UTC).
    pub since_us: i64,
    /// The time of its last number.
    pub until_us: i64,
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
    sealed: i64,
    /// When the last number was given out: their times never go back, whatever the clock does.
    last_us: i64,
    /// Numbers that are given out and not sealed.
    open: BTreeMap<i64, Open>,
}

#[derive(Debug)]
struct Open {
    at_us: i64,
    fate: Fate,
}

#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Undecided,
    Record(Hash),
    Void,
}

impl Default for Chain {
    fn default() -> Self {
        Chain { next: 1, seals: 0, head: START, sealed: 0, last_us: i64::MIN, open: BTreeMap::new() }
    }
}

impl Chain {
    /// Goes on after the last seal of a writer that ended without sealing the rest.
    pub fn after(seal: &Seal) -> Chain {
        let (next, sealed) = (seal.last + 1, seal.last);
        Chain { next, seals: seal.number, head: seal.head, sealed, last_us: seal.until_us, open: BTreeMap::new() }
    }

    /// A number for a record that is about to be written, and its time.
    pub fn take(&mut self, now_us: i64) -> (i64, i64) {
        let number = self.next;
        self.next += 1;
        self.last_us = self.last_us.max(now_us);
        self.open.insert(number, Open { at_us: self.last_us, fate: Fate::Undecided });
        (number, self.last_us)
    }

    /// What became of it: its hash, or nothing. The first word counts.
    pub fn decide(&mut self, number: i64, hash: Option<Hash>) {
        if let Some(open) = self.open.get_mut(&number).filter(|open| open.fate == Fate::Undecided) {
            open.fate = hash.map_or(Fate::Void, Fate::Record);
        }
    }

    /// Seals what is decided from the last seal on, up to the first number that is not, at most `count` numbers.
    pub fn seal(&mut self, count: usize) -> Option<Seal> {
        let decided = self.open.iter().take_while(|(_, open)| open.fate != Fate::Undecided).take(count);
        let (last, until_us) = decided.last().map(|(number, open)| (*number, open.at_us))?;
        let later = self.open.split_off(&(last + 1));
        let part = std::mem::replace(&mut self.open, later);
        let since_us = part.values().next().map_or(until_us, |open| open.at_us);
        let (mut voids, mut hashes) = (Vec::new(), BTreeMap::new());
        for (number, open) in part {
            match open.fate {
                Fate::Record(hash) => _ = hashes.insert(number, hash),
                Fate::Void | Fate::Undecided => voids.push(number),
            }
        }
        let (number, first) = (self.seals + 1, self.sealed + 1);
        let head = head(&self.head, number, first, last, &hashes);
        (self.seals, self.sealed, self.head) = (number, last, head);
        Some(Seal { number, first, last, voids, since_us, until_us, head })
    }

    /// How many numbers wait to be sealed.
    pub fn waiting(&self) -> usize {
        self.open.len()
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
    pub seals: usize,
    pub sealed: usize,
    /// Records after the last seal: just written, or left by a server that ended without one.
    pub unsealed: usize,
    /// Seals over months that were dropped: of their records nothing can be said any more.
    pub dropped: usize,
    pub faults: Vec<Fault>,
}

/// Compares the records of one writer with its seals, one after the other.
#[derive(Debug)]
pub struct Verifier {
    before: Hash,
    sealed: i64,
    /// A seal is missing or misplaced: what follows cannot be compared.
    lost: bool,
    /// Heads that were kept elsewhere and have not been met: the number of a seal and its hash.
    kept: Vec<(i64, Hash)>,
    verdict: Verdict,
}

impl Verifier {
    /// `kept`: heads that were kept elsewhere.
    pub fn new(kept: Vec<(i64, Hash)>) -> Verifier {
        Verifier { before: START, sealed: 0, lost: false, kept, verdict: Verdict::default() }
    }

    /// The next seal. `hashes`: those of the records between its first and last number; `None`: they were dropped with
    /// their month.
    pub fn seal(&mut self, seal: &Seal, hashes: Option<&BTreeMap<i64, Hash>>) {
        self.kept.retain(|kept| *kept != (seal.number, seal.head));
        let position = i64::try_from(self.verdict.seals).unwrap_or(i64::MAX) + 1;
        if self.lost || seal.number != position {
            if !self.lost {
                self.verdict.faults.push(Fault::SealMissing(position));
            }
            self.lost = true;
            return;
        }
        if seal.first != self.sealed + 1 || seal.last < seal.first {
            self.verdict.faults.push(Fault::SealMisplaced(seal.number));
            self.lost = true;
            return;
        }
        match hashes {
            Some(hashes) => self.compare(seal, hashes),
            None => self.verdict.dropped += 1,
        }
        self.verdict.seals += 1;
        (self.before, self.sealed) = (seal.head, seal.last);
    }

    fn compare(&mut self, seal: &Seal, hashes: &BTreeMap<i64, Hash>) {
        let part: BTreeMap<i64, Hash> = hashes.range(seal.first..=seal.last).map(|(at, hash)| (*at, *hash)).collect();
        let voids: BTreeSet<i64> = seal.voids.iter().copied().collect();
        let faults = &mut self.verdict.faults;
        let before = faults.len();
        let missing = (seal.first..=seal.last).filter(|at| !voids.contains(at) && !part.contains_key(at));
        faults.extend(missing.map(|number| Fault::RecordMissing { seal: seal.number, number }));
        let added = part.keys().filter(|at| voids.contains(at));
        faults.extend(added.map(|number| Fault::RecordAdded { seal: seal.number, number: *number }));
        if faults.len() == before && head(&self.before, seal.number, seal.first, seal.last, &part) != seal.head {
            faults.push(Fault::Changed { seal: seal.number, first: seal.first, last: seal.last });
        }
        self.verdict.sealed += part.len();
    }

    /// `records`: how many the writer has in all.
    pub fn finish(mut self, records: usize) -> Verdict {
        self.verdict.unsealed = records.saturating_sub(self.verdict.sealed);
        self.verdict.faults.extend(self.kept.iter().map(|(number, _)| Fault::HeadMissing(*number)));
        self.verdict
    }
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
        let numbers: Vec<i64> = (0..10).map(|at| chain.take(at).0).collect();
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

    fn verify(hashes: &BTreeMap<i64, Hash>, seals: &[Seal], kept: &[(i64, Hash)]) -> Verdict {
        let mut verifier = Verifier::new(kept.to_vec());
        seals.iter().for_each(|seal| verifier.seal(seal, Some(hashes)));
        verifier.finish(hashes.len())
    }

    fn faults(hashes: &BTreeMap<i64, Hash>, seals: &[Seal], kept: &[(i64, Hash)]) -> Vec<Fault> {
        verify(hashes, seals, kept).faults
    }

    #[test]
    fn what_was_written_fits_its_seals() {
        let (hashes, seals) = written();
        let kept = [(1, seals[0].head), (2, seals[1].head)];
        assert_eq!(verify(&hashes, &seals, &kept), Verdict { seals: 2, sealed: 7, unsealed: 2, ..Verdict::default() });
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
        chain.take(0);
        chain.decide(1, Some(of(1)));
        let seal = chain.seal(10).unwrap();
        chain.decide(1, None);
        assert_eq!(chain.seal(10), None);
        assert_eq!(verify(&BTreeMap::from([(1, of(1))]), &[seal], &[]).faults, []);
    }

    #[test]
    fn a_seal_covers_at_most_so_many_numbers() {
        let mut chain = Chain::default();
        (0..25).for_each(|at| _ = chain.take(at));
        (1..=25).for_each(|number| chain.decide(number, Some(of(number))));
        let seals: Vec<Seal> = std::iter::from_fn(|| chain.seal(10)).collect();
        assert_eq!(seals.iter().map(|seal| seal.last).collect::<Vec<_>>(), [10, 20, 25]);
    }

    #[test]
    fn the_times_of_numbers_never_go_back() {
        let mut chain = Chain::default();
        let times: Vec<i64> = [5, 9, 7].into_iter().map(|now| chain.take(now).1).collect();
        assert_eq!(times, [5, 9, 9]);
        (1..=3).for_each(|number| chain.decide(number, None));
        let seal = chain.seal(10).unwrap();
        assert_eq!((seal.since_us, seal.until_us, chain.waiting()), (5, 9, 0));
    }

    #[test]
    fn another_goes_on_where_a_writer_ended() {
        let (hashes, mut seals) = written();
        let mut rest = Chain::after(&seals[1]);
        for number in [9, 10] {
            assert_eq!(rest.take(100).0, number);
            rest.decide(number, Some(of(number)));
        }
        seals.extend(rest.seal(10));
        assert_eq!(verify(&hashes, &seals, &[]), Verdict { seals: 3, sealed: 9, ..Verdict::default() });
    }

    #[test]
    fn the_seals_of_a_dropped_month_hold_the_chain_together() {
        let (hashes, seals) = written();
        let mut verifier = Verifier::new(vec![(1, seals[0].head)]);
        verifier.seal(&seals[0], None);
        verifier.seal(&seals[1], Some(&hashes));
        let verdict = verifier.finish(6);
        assert_eq!((verdict.dropped, verdict.sealed, verdict.unsealed), (1, 4, 2));
        assert_eq!(verdict.faults, []);
    }
}
