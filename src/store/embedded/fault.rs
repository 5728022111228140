//! Why the private PostgreSQL could not be started, said to the operator: what, where, and how to mend it.

use std::fmt;
use std::io;
use std::path::Path;

/// A fault of the start or the stop. Its `Display` is meant for people; nothing branches on it.
#[derive(Debug)]
pub struct StartError {
    what: String,
    mend: String,
    /// The end of the log of PostgreSQL, or what `initdb` printed.
    said: Vec<String>,
}

/// At most this many lines of PostgreSQL's own words are repeated (lines).
const SAID_LINES_MAX: usize = 12;

impl StartError {
    pub(super) fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        StartError { what: what.into(), mend: mend.into(), said: Vec::new() }
    }

    /// A file or folder could not be used.
    pub(super) fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        StartError::new(format!("Could not {doing} {}: {error}", path.display()), mend_io(error))
    }

    /// A program could not be run at all.
    pub(super) fn program(program: &Path, error: &io::Error) -> Self {
        let what = format!("Could not run {}: {error}", program.display());
        StartError::new(what, "Check that it is installed and that this user may run it")
    }

    /// Adds the last lines of what PostgreSQL said.
    pub(super) fn said(mut self, text: &str) -> Self {
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let first = lines.len().saturating_sub(SAID_LINES_MAX);
        self.said = lines.into_iter().skip(first).map(str::to_owned).collect();
        self
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}.", self.what, self.mend)?;
        if !self.said.is_empty() {
            write!(f, "\nThe last that PostgreSQL said:")?;
        }
        self.said.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for StartError {}

/// What the operator can do about an error of the file system.
pub(super) fn mend_io(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "The disk is full: make room on it, or choose a folder on another disk with --data-dir"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "The disk can only be read: choose a folder on another disk with --data-dir"
        }
        io::ErrorKind::PermissionDenied => {
            "Start brasa as the user who owns that folder, or choose another folder with --data-dir"
        }
        _ => "Mend that, or choose another folder with --data-dir",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_with_the_way_out() {
        let error = io::Error::from(io::ErrorKind::StorageFull);
        let text = StartError::file("write", Path::new("/data/brasa.conf"), &error).to_string();
        assert!(text.contains("/data/brasa.conf") && text.contains("make room"), "{text}");
    }

    #[test]
    fn only_the_last_lines_that_postgresql_said_are_repeated() {
        let log: String = (0..100).map(|n| format!("line {n}\n\n")).collect();
        let text = StartError::new("It failed", "Mend it").said(&log).to_string();
        assert!(text.contains("line 99") && text.contains("line 88") && !text.contains("line 87"), "{text}");
    }
}
