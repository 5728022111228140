//! What people see of a load: how far it is, and at the end what was loaded.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Between two lines when nobody watches a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Refusals that are told at once; the file has them all.
const TOLD_MAX: usize = 10;

/// What was counted, by resource type.
#[derive(Debug, Default)]
pub struct Tally {
    types: BTreeMap<String, Counts>,
    /// Answered, but no new version: deletions and reads.
    other: usize,
    /// Stored by an earlier run.
    pub already: usize,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    created: usize,
    updated: usize,
    refused: usize,
}

impl Tally {
    /// Counts one answer; `location` names the type.
    pub fn add(&mut self, status: u16, location: Option<&str>) {
        match location.and_then(|location| location.split('/').next()) {
            Some(name) if status == 201 => self.of(name).created += 1,
            Some(name) => self.of(name).updated += 1,
            None => self.other += 1,
        }
    }

    pub fn add_refused(&mut self, resource_type: Option<&str>) {
        self.of(resource_type.unwrap_or("(unreadable)")).refused += 1;
    }

    pub fn add_all(&mut self, more: Tally) {
        for (name, counts) in more.types {
            let sum = self.of(&name);
            sum.created += counts.created;
            sum.updated += counts.updated;
            sum.refused += counts.refused;
        }
        self.other += more.other;
        self.already += more.already;
    }

    fn of(&mut self, name: &str) -> &mut Counts {
        self.types.entry(name.to_owned()).or_default()
    }

    fn total(&self) -> Counts {
        self.types.values().fold(Counts::default(), |sum, counts| Counts {
            created: sum.created + counts.created,
            updated: sum.updated + counts.updated,
            refused: sum.refused + counts.refused,
        })
    }

    pub fn stored(&self) -> usize {
        let total = self.total();
        total.created + total.updated
    }

    pub fn refused(&self) -> usize {
        self.total().refused
    }

    /// The table by type and what it took.
    pub fn summary(&self, took: Duration) -> String {
        let mut text = String::new();
        let width = self.types.keys().map(String::len).max().unwrap_or_default().max("Total".len());
        let mut row = |name: &str, cells: [String; 3]| {
            let [created, updated, refused] = cells;
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name:width$}  {created:>11}  {updated:>11}  {refused:>11}");
        };
        row("Type", ["created", "updated", "refused"].map(str::to_owned));
        let cells = |counts: &Counts| [counts.created, counts.updated, counts.refused].map(grouped);
        for (name, counts) in &self.types {
            row(name, cells(counts));
        }
        row("Total", cells(&self.total()));
        let (seconds, stored) = (took.as_secs_f64(), self.stored());
        let _ = writeln!(
            text,
            "\n{} resources in {seconds:.1} s: {} a second.",
            grouped(stored),
            grouped(rate(stored, took))
        );
        if self.other > 0 {
            let _ = writeln!(text, "{} entries made no new version (deletions and reads).", grouped(self.other));
        }
        if self.already > 0 {
            let _ = writeln!(text, "{} resources were stored already.", grouped(self.already));
        }
        text
    }
}

/// Things a second, rounded down.
fn rate(count: usize, took: Duration) -> usize {
    let milliseconds = usize::try_from(took.as_millis()).unwrap_or(usize::MAX).max(1);
    count.saturating_mul(1000) / milliseconds
}

/// `12,345`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// How far the load is, on standard error.
pub struct Progress {
    bar: ProgressBar,
    quiet: bool,
    is_terminal: bool,
    started: Instant,
    told_at: Instant,
    told: usize,
    bytes: u64,
}

impl Progress {
    /// `bytes`: of all inputs together; `None` when one of them does not say.
    pub fn new(bytes: Option<u64>, quiet: bool) -> Progress {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::hidden());
        let form = match bytes {
            Some(_) => "{bar:30} {percent:>3} %  {msg}  {elapsed} (another {eta})",
            None => "{spinner} {msg}  {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style);
        }
        let now = Instant::now();
        Progress { bar, quiet, is_terminal, started: now, told_at: now, told: 0, bytes: 0 }
    }

    /// The clock starts when the database is there.
    pub fn start(&mut self) {
        if self.is_terminal && !self.quiet {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.reset();
        (self.started, self.told_at) = (Instant::now(), Instant::now());
    }

    /// After each piece, and every second besides.
    pub fn step(&mut self, raw_bytes: u64, tally: &Tally) {
        self.bytes += raw_bytes;
        if self.quiet {
            return;
        }
        let took = self.started.elapsed();
        let (done, refused) = (tally.stored(), tally.refused());
        let mut message = format!("{} resources, {} a second", grouped(done), grouped(rate(done, took)));
        if tally.already > 0 {
            let _ = write!(message, ", {} stored already", grouped(tally.already));
        }
        if refused > 0 {
            let _ = write!(message, ", {} refused", grouped(refused));
        }
        if self.is_terminal {
            self.bar.set_position(self.bytes);
            self.bar.set_message(message);
        } else if self.told_at.elapsed() >= LINE_EVERY {
            self.told_at = Instant::now();
            self.bar.set_position(self.bytes);
            let rest = match self.bar.length() {
                Some(all) if self.bytes > 0 && all >= self.bytes => {
                    let percent = self.bytes * 100 / all.max(1);
                    format!(" ({percent} %, another {} s)", self.bar.eta().as_secs())
                }
                _ => String::new(),
            };
            self.say(&format!("{message}{rest}"));
        }
    }

    /// Tells of a refusal, unless there are many.
    pub fn refused(&mut self, sentence: &str, path: &std::path::Path) {
        self.told += 1;
        match self.told {
            told if told <= TOLD_MAX => self.say(sentence),
            told if told == TOLD_MAX + 1 => self.say(&format!("More refused inputs are in {}.", path.display())),
            _ => {}
        }
    }

    /// A sentence for people, above the bar.
    #[allow(clippy::print_stderr)]
    pub fn say(&self, sentence: &str) {
        if !self.quiet {
            self.bar.suspend(|| eprintln!("brasa: {sentence}"));
        }
    }

    pub fn took(&self) -> Duration {
        self.started.elapsed()
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_a_row_for_each_type_and_a_total() {
        let mut tally = Tally::default();
        tally.add(201, Some("Patient/1/_history/1"));
        tally.add(200, Some("Observation/1/_history/2"));
        tally.add(204, None);
        tally.add_refused(Some("Observation"));
        let mut more = Tally { already: 1234, ..Tally::default() };
        more.add(201, Some("Observation/2/_history/1"));
        tally.add_all(more);
        let summary = tally.summary(Duration::from_millis(500));
        let rows: Vec<Vec<&str>> = summary.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1], ["Observation", "1", "1", "1"]);
        assert_eq!(rows[2], ["Patient", "1", "0", "0"]);
        assert_eq!(rows[3], ["Total", "2", "1", "1"]);
        assert!(summary.contains("3 resources in 0.5 s: 6 a second."), "{summary}");
        assert!(summary.contains("1,234 resources were stored already."), "{summary}");
    }
}
