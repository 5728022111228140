//! The benchmark's table, in Markdown.

use super::content::Row;
use super::load::Run;
use std::time::Duration;

/// Runs of one side of a row, put together.
#[derive(Debug, Default)]
pub struct Side {
    latencies_us: Vec<u64>,
    elapsed: Duration,
    client_cpu_us: u64,
    /// `None`: it is not a process of this machine, or not a known one.
    pub server_cpu_us: Option<u64>,
    pub database_cpu_us: Option<u64>,
}

impl Side {
    pub fn add(&mut self, run: Run, server_cpu_us: Option<u64>, database_cpu_us: Option<u64>) {
        self.latencies_us.extend(run.latencies_us);
        self.elapsed += run.elapsed;
        self.client_cpu_us += run.client_cpu_us;
        let add = |total: &mut Option<u64>, part: Option<u64>| {
            *total = part.map(|part| part + total.unwrap_or(0));
        };
        add(&mut self.server_cpu_us, server_cpu_us);
        add(&mut self.database_cpu_us, database_cpu_us);
    }

    fn requests(&self) -> f64 {
        u32::try_from(self.latencies_us.len()).unwrap_or(u32::MAX).into()
    }

    /// Of what the row counts, each second.
    fn rate(&self, resources: u32) -> f64 {
        self.requests() * f64::from(resources) / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// In milliseconds. `part`: hundredths of the answers that were as fast.
    fn percentile(&mut self, part: usize) -> String {
        self.latencies_us.sort_unstable();
        let at = self.latencies_us.len().saturating_sub(1) * part / 100;
        self.latencies_us
            .get(at)
            .map_or("–".to_owned(), |us| format!("{:.2}", Duration::from_micros(*us).as_secs_f64() * 1e3))
    }

    fn each(&self, resources: u32, cpu_us: Option<u64>) -> String {
        let seconds = |us| Duration::from_micros(us).as_secs_f64();
        let each = |us| seconds(us) * 1e6 / (self.requests() * f64::from(resources)).max(1.0);
        cpu_us.map_or("–".to_owned(), |us| format!("{:.0}", each(us)))
    }
}

pub const HEAD: &str = "\
| | brasa /s | median ms | p99 ms | CPU µs client | CPU µs brasa | CPU µs database | pgbench /s | median ms | p99 ms | CPU µs database | brasa ÷ pgbench |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

/// One line of the table. `floor`: `None` when pgbench did not run.
pub fn line(row: Row, brasa: &mut Side, floor: Option<&mut Side>) -> String {
    line_of(row.title(), row.resources(), brasa, floor)
}

/// As [`line`], of requests that count as so many resources.
pub fn line_of(title: &str, row: u32, brasa: &mut Side, floor: Option<&mut Side>) -> String {
    let mut cells = vec![
        title.to_owned(),
        format!("{:.0}", brasa.rate(row)),
        brasa.percentile(50),
        brasa.percentile(99),
        brasa.each(row, Some(brasa.client_cpu_us)),
        brasa.each(row, brasa.server_cpu_us),
        brasa.each(row, brasa.database_cpu_us),
    ];
    match floor {
        Some(floor) => cells.extend([
            format!("{:.0}", floor.rate(row)),
            floor.percentile(50),
            floor.percentile(99),
            floor.each(row, floor.database_cpu_us),
            format!("{:.2}", brasa.rate(row) / floor.rate(row)),
        ]),
        None => cells.extend(std::iter::repeat_n("–".to_owned(), 5)),
    }
    format!("| {} |", cells.join(" | "))
}

pub const HEAD_RECORDED: &str = "\
| | recorded /s | median ms | p99 ms | CPU µs brasa | CPU µs database | not recorded /s | median ms | p99 ms | CPU µs brasa | CPU µs database | recorded ÷ not |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

/// One line of the table that sets servers beside each other of which one records accesses.
pub fn line_recorded(row: Row, recorded: &mut Side, not: &mut Side) -> String {
    let resources = row.resources();
    let ratio = recorded.rate(resources) / not.rate(resources);
    let mut cells = vec![row.title().to_owned()];
    for side in [recorded, not] {
        cells.extend([
            format!("{:.0}", side.rate(resources)),
            side.percentile(50),
            side.percentile(99),
            side.each(resources, side.server_cpu_us),
            side.each(resources, side.database_cpu_us),
        ]);
    }
    cells.push(format!("{ratio:.2}"));
    format!("| {} |", cells.join(" | "))
}

/// What a reader of the table needs to know.
pub fn notes(clients: u32, seconds: u64, rounds: u32) -> String {
    format!(
        "{clients} connections; {rounds} runs of {seconds} s of each side, in turn. Rates, latencies (of whole requests) and CPU wander from machine to\nmachine and from run to run; the ratios count. CPU is for each request, in the last row for each resource. pgbench sends\nthe same statements for the same rows, so it is what the database alone can do."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_put_together_and_set_side_by_side() {
        let run = |us| Run { latencies_us: vec![us; 100], elapsed: Duration::from_secs(1), client_cpu_us: 700 };
        let (mut brasa, mut floor) = (Side::default(), Side::default());
        brasa.add(run(1000), Some(2000), Some(1000));
        brasa.add(run(3000), Some(2000), Some(1000));
        floor.add(run(500), None, Some(1000));
        floor.add(Run { latencies_us: vec![500; 300], ..run(500) }, None, Some(3000));
        let line = line(Row::Read, &mut brasa, Some(&mut floor));
        assert_eq!(line, "| read | 100 | 1.00 | 3.00 | 7 | 20 | 10 | 200 | 0.50 | 0.50 | 10 | 0.50 |");
        assert_eq!(line.matches('|').count(), HEAD.lines().next().unwrap().matches('|').count());
        let line = line_recorded(Row::Read, &mut brasa, &mut floor);
        assert_eq!(line, "| read | 100 | 1.00 | 3.00 | 20 | 10 | 200 | 0.50 | 0.50 | – | 10 | 0.50 |");
        assert_eq!(line.matches('|').count(), HEAD_RECORDED.lines().next().unwrap().matches('|').count());
    }
}
