//! The scripts of pgbench, filled in with the server's own statements and with the rows that it wrote.

use super::content::Row;
use crate::error::{Error, Result};
use crate::store::statement::{self, INSERTS};

/// Rows of one INSERT of the index: a row takes up to four of the 255 values that pgbench can bind.
const ROWS_MAX: usize = 48;

/// Rows of the index as the server wrote them, for some resources.
#[derive(Debug, Default)]
pub struct Entries(Vec<Entry>);

#[derive(Debug, Clone)]
struct Entry {
    table: String,
    /// The resource's place among those of its patient.
    number: usize,
    /// With `@c` for the compartment and `@k` for the key.
    row: String,
}

impl Entries {
    /// Reads what `sql/bench/entries.psql` prints.
    pub fn read(text: &str) -> Entries {
        let entry = |line: &str| {
            let (table, rest) = line.split_once('|')?;
            let (number, row) = rest.split_once('|')?;
            Some(Entry { table: table.to_owned(), number: number.parse().ok()?, row: row.to_owned() })
        };
        Entries(text.lines().filter_map(entry).collect())
    }

    /// Those of one resource.
    pub fn of(&self, number: usize) -> Entries {
        Entries(self.0.iter().filter(|entry| entry.number == number).cloned().collect())
    }

    /// `table compartment ; key`: in the key, `#` is the resource's number.
    fn insert(&self, text: &str) -> Option<String> {
        let (wanted, rest) = text.split_once(' ')?;
        let (compartment, key) = rest.split_once(" ; ")?;
        let mut sql = String::new();
        for insert in INSERTS {
            let of_table = |entry: &&Entry| entry.table == insert.table && (wanted == "all" || wanted == insert.table);
            let rows: Vec<String> = self
                .0
                .iter()
                .filter(of_table)
                .map(|entry| {
                    entry.row.replace("@c", compartment).replace("@k", &key.replace('#', &entry.number.to_string()))
                })
                .collect();
            for rows in rows.chunks(ROWS_MAX) {
                sql.push_str("INSERT INTO ");
                sql.push_str(insert.table);
                sql.push_str(&format!(" ({})\nVALUES\n{};\n", insert.columns.join(", "), rows.join(",\n")));
            }
        }
        Some(sql)
    }
}

pub fn script_of(row: Row) -> &'static str {
    match row {
        Row::Create => include_str!("../../../sql/bench/create.pgbench"),
        Row::Read => include_str!("../../../sql/bench/read.pgbench"),
        Row::Update => include_str!("../../../sql/bench/update.pgbench"),
        Row::Vread => include_str!("../../../sql/bench/vread.pgbench"),
        Row::Import => include_str!("../../../sql/bench/import.pgbench"),
    }
}

/// Puts the server's statements into a script: `@name argument ; argument` becomes that statement with its parameters,
/// `@rows first count (…#…)` becomes so many rows, each with its number for `#`, and `@entries table compartment ; key`
/// becomes the INSERTs of the index's rows in a table (or `all`).
pub fn expand(script: &str, entries: &Entries) -> Result<String> {
    let mut expanded = String::new();
    for line in script.lines() {
        let line = match line.strip_prefix('@') {
            None => line.to_owned(),
            Some(rest) => match rest.split_once(' ') {
                Some(("rows", rest)) => rows(rest),
                Some(("entries", rest)) => entries.insert(rest),
                _ => called(rest),
            }
            .ok_or_else(|| Error::internal(format!("a script of the benchmark has a bad line: {line}")))?,
        };
        expanded.push_str(&line);
        expanded.push('\n');
    }
    Ok(expanded)
}

fn rows(text: &str) -> Option<String> {
    let (first, rest) = text.split_once(' ')?;
    let (count, row) = rest.split_once(' ')?;
    let first: u32 = first.parse().ok()?;
    let numbers = first..first + count.parse::<u32>().ok()?;
    let rows: Vec<String> = numbers.map(|number| row.replace('#', &number.to_string())).collect();
    Some(format!("{};", rows.join(",\n")))
}

fn called(text: &str) -> Option<String> {
    let (text, end) = match text.split_once(" \\gset ") {
        Some((text, prefix)) => (text, format!(" \\gset {prefix}")),
        None => (text, ";".to_owned()),
    };
    let (name, arguments) = text.split_once(' ')?;
    let statement = statement::ALL.iter().find(|statement| statement.name == name)?;
    let lines: Vec<&str> = statement.sql.lines().filter(|line| !line.starts_with("--")).collect();
    let mut sql = lines.join("\n");
    let arguments: Vec<&str> = arguments.split(" ; ").collect();
    // Backwards, so that $1 is not found in $10.
    for (position, argument) in arguments.iter().enumerate().rev() {
        sql = sql.replace(&format!("${}", position + 1), argument);
    }
    (!sql.contains('$')).then(|| sql + &end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_takes_the_servers_own_statements() {
        for row in Row::ALL {
            let script = expand(script_of(row), &Entries::default()).unwrap();
            assert!(!script.contains('@') && !script.contains('#'), "{script}");
        }
        let read = expand(script_of(Row::Read), &Entries::default()).unwrap();
        assert!(read.contains("WHERE compartment = :head || :p AND type = 'Observation' AND id = :head ||"), "{read}");
        assert!(expand(script_of(Row::Update), &Entries::default()).unwrap().contains("FOR UPDATE \\gset was_\n"));
        assert!(expand(script_of(Row::Import), &Entries::default()).unwrap().contains(":t223,"));
        assert!(
            expand("@read_current :a", &Entries::default()).is_err(),
            "a statement with too few arguments is refused"
        );
    }

    #[test]
    fn entries_stand_under_the_compartment_and_the_key_of_the_script() {
        let entries = Entries::read("search_token|1|(@c, @k, 5 # @k, 'a')\nsearch_date|2|(@c, @k)\n");
        let script = expand("@entries search_token :c ; :n + #", &entries.of(1)).unwrap();
        assert!(script.contains("VALUES\n(:c, :n + 1, 5 # :n + 1, 'a');"), "{script}");
        assert!(!expand("@entries all :c ; :n", &entries.of(2)).unwrap().contains("search_token"));
    }
}
