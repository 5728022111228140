//! `brasa policy`: prints the one table of rights, and says what it means for one request.

mod explain;
mod operations;

use crate::auth::policy::{Rule, Seen, TABLE, Types};
use crate::config::Settings;
use crate::error::Error;
use clap::Subcommand;
use std::io::Write;
use std::process::ExitCode;

#[derive(Subcommand)]
pub enum Command {
    /// Print the table: a row for each right. What has no row is denied.
    Show,
    /// Say whether an account's request would be allowed, by which row and with which filter. Exit code: 0 allowed, 1
    /// denied, 2 it cannot be said.
    Explain(explain::Arguments),
}

pub async fn run(command: Command, settings: impl FnOnce() -> Result<Settings, Error>) -> Result<ExitCode, Error> {
    match command {
        Command::Show => show(),
        Command::Explain(arguments) => explain::run(settings(), &arguments).await,
    }
}

fn show() -> Result<ExitCode, Error> {
    let mut out = std::io::stdout().lock();
    // Whoever reads may stop early (`| head`).
    let written = out.write_all(table().as_bytes()).and_then(|()| out.flush());
    Ok(if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn table() -> String {
    let rows: Vec<[String; 4]> = TABLE.iter().map(row).collect();
    let head = ["who", "may", "which", "of the types"].map(str::to_owned);
    let all = || std::iter::once(&head).chain(&rows);
    let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths = [0, 1, 2].map(|column| width(column).unwrap_or(0));
    let mut text = String::new();
    for [who, may, which, types] in all() {
        let [a, b, c] = widths;
        text.push_str(&format!("{who:a$}  {may:b$}  {which:c$}  {types}\n"));
    }
    text.push_str("\nmay: c create, r read, u update, d delete, s search. What has no row is denied.\n");
    text
}

fn row(rule: &Rule) -> [String; 4] {
    let types = match rule.types {
        Types::All(group) => format!("{}: {}", group.as_str(), group.names().join(" ")),
        Types::Named(names) => names.join(" "),
    };
    [rule.who.as_str().to_owned(), rule.may.to_owned(), which(rule), types]
}

fn which(rule: &Rule) -> String {
    match rule.seen {
        Seen::All => "all".to_owned(),
        Seen::Own => "about the patient".to_owned(),
        Seen::OwnWhere(search) => format!("about the patient, and {search}"),
        Seen::ReferredTo => "that the patient's record refers to".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_right() {
        let text = table();
        assert_eq!(text.lines().count(), TABLE.len() + 3);
        assert!(text.lines().any(|line| line.starts_with("auditor ") && line.ends_with("audit: AuditEvent")));
        assert!(text.contains("about the patient, and author=Patient/{patient}"));
    }
}
