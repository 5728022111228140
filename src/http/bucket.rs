//! Token buckets: how often something may be done by each of many, in memory that has a bound.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many are told apart. Beyond it, those who come new share one bucket until others have become full again.
const COUNT_MAX: usize = 50_000;
/// When all are in use, how often it is looked whether some no longer are.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// A bucket for each of those who ask. It holds `burst` tokens and gets a new one each `period`.
pub struct Buckets<K> {
    period: Duration,
    burst: u32,
    count_max: usize,
    started: Instant,
    state: Mutex<State<K>>,
}

struct State<K> {
    /// When each bucket is full again, after the start.
    full: HashMap<K, Duration>,
    shared: Duration,
    tidied: Duration,
}

impl<K: Eq + Hash> Buckets<K> {
    /// `burst` is 1 at least.
    pub fn new(period: Duration, burst: u32) -> Buckets<K> {
        let state = State { full: HashMap::new(), shared: Duration::ZERO, tidied: Duration::ZERO };
        Buckets { period, burst: burst.max(1), count_max: COUNT_MAX, started: Instant::now(), state: Mutex::new(state) }
    }

    /// Takes a token; else the seconds until there is one.
    pub fn take(&self, who: K) -> Result<(), u32> {
        self.take_at(who, self.started.elapsed())
    }

    fn take_at(&self, who: K, now: Duration) -> Result<(), u32> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = state.full.contains_key(&who);
        if !is_known && state.full.len() >= self.count_max && now >= state.tidied + TIDY_EVERY {
            state.full.retain(|_, full| *full > now);
            state.tidied = now;
        }
        let has_own = is_known || state.full.len() < self.count_max;
        let full = if has_own { state.full.get(&who).copied().unwrap_or_default() } else { state.shared };
        let next = full.max(now) + self.period;
        // What is in the bucket is what is not missing: it is empty when filling it takes `burst` periods.
        let room = self.period * self.burst;
        if let Some(missing) = next.checked_sub(now + room).filter(|missing| !missing.is_zero()) {
            let whole = missing.as_secs() + u64::from(missing.subsec_nanos() > 0);
            return Err(u32::try_from(whole).unwrap_or(u32::MAX));
        }
        match has_own {
            true => drop(state.full.insert(who, next)),
            false => state.shared = next,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_burst_goes_at_once_and_then_one_each_period() {
        let buckets = Buckets::new(Duration::from_secs(2), 3);
        for _ in 0..3 {
            assert_eq!(buckets.take_at("a", at(100.0)), Ok(()));
        }
        assert_eq!(buckets.take_at("a", at(100.0)), Err(2));
        assert_eq!(buckets.take_at("a", at(101.5)), Err(1));
        // Who is refused loses nothing by having asked.
        assert_eq!(buckets.take_at("a", at(102.0)), Ok(()));
        assert_eq!(buckets.take_at("a", at(102.1)), Err(2));
        assert_eq!(buckets.take_at("b", at(102.1)), Ok(()), "another one's bucket is another one");
        for _ in 0..3 {
            assert_eq!(buckets.take_at("a", at(200.0)), Ok(()), "it is never more than full");
        }
        assert_eq!(buckets.take_at("a", at(200.0)), Err(2));
    }

    #[test]
    fn of_more_than_there_is_room_for_the_rest_share_one_bucket_until_others_are_full() {
        let mut buckets = Buckets::new(Duration::from_secs(10), 2);
        buckets.count_max = 2;
        assert_eq!(buckets.take_at(1, at(0.0)), Ok(()));
        assert_eq!(buckets.take_at(2, at(0.0)), Ok(()));
        assert_eq!(buckets.take_at(3, at(1.0)), Ok(()));
        assert_eq!(buckets.take_at(4, at(1.0)), Ok(()));
        assert_eq!(buckets.take_at(5, at(1.0)), Err(10), "what 3 and 4 took");
        assert_eq!(buckets.take_at(1, at(1.0)), Ok(()), "who was there before has its own");
        assert_eq!(buckets.take_at(6, at(12.0)), Ok(()), "2 is full again, so there is room");
        assert!(buckets.state.lock().unwrap().full.len() <= 2);
    }
}
