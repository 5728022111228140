//! Processor time from `/proc`, in microseconds. <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>

use std::collections::BTreeMap;

/// The kernel tells times to programs in hundredths of a second, whatever its own clock (µs).
const TICK_US: u64 = 10_000;

/// What `/proc/<pid>/stat` tells of one process.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    parent: u32,
    own_us: u64,
    /// Of children that have ended.
    ended_children_us: u64,
}

fn read_stat(text: &str) -> Option<Stat> {
    // The name stands in parentheses and may hold anything, parentheses included.
    let (before, after) = text.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = after.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        name,
        parent: u32::try_from(number(1)?).ok()?,
        own_us: (number(11)? + number(12)?) * TICK_US,
        ended_children_us: (number(13)? + number(14)?) * TICK_US,
    })
}

fn stat(of: &str) -> Option<Stat> {
    read_stat(&std::fs::read_to_string(format!("/proc/{of}/stat")).ok()?)
}

/// Of the calling thread, so far.
pub fn thread_us() -> u64 {
    stat("thread-self").map_or(0, |stat| stat.own_us)
}

/// Of this process, so far, ended children excluded.
pub fn process_us() -> u64 {
    stat("self").map_or(0, |stat| stat.own_us)
}

/// A PostgreSQL of this machine, by the process that is the parent of all the others.
#[derive(Debug, Clone, Copy)]
pub struct Postgres {
    postmaster: u32,
}

impl Postgres {
    /// `child`: a process of the server, as the server itself numbers it. `None`: it is not a process of this machine.
    pub fn of_child(child: u32) -> Option<Postgres> {
        let is_postgres = |stat: &Stat| stat.name.starts_with("postgres") || stat.name.starts_with("postmaster");
        let postmaster = stat(&child.to_string()).filter(is_postgres)?.parent;
        stat(&postmaster.to_string()).filter(is_postgres).map(|_| Postgres { postmaster })
    }

    /// Of all its processes, so far, those that have ended included.
    pub fn total_us(self) -> u64 {
        let mut total = 0;
        let mut stats: BTreeMap<u32, Stat> = BTreeMap::new();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok())
                && let Some(stat) = stat(&format!("{pid}"))
            {
                stats.insert(pid, stat);
            }
        }
        for (pid, stat) in &stats {
            if *pid == self.postmaster {
                total += stat.own_us + stat.ended_children_us;
            } else if stat.parent == self.postmaster {
                total += stat.own_us;
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_past_a_name_with_parentheses() {
        let text = "7 (post) gres) S 3 7 7 0 -1 0 0 0 0 0 12 3 4 1 20 0 1 0 100 0 0";
        let expected = Stat { name: "post) gres".to_owned(), parent: 3, own_us: 150_000, ended_children_us: 50_000 };
        assert_eq!(read_stat(text), Some(expected));
        assert_eq!(read_stat("7 (postgres) S"), None);
    }
}
