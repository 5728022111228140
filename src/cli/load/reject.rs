//! Refused inputs: one JSON line each, with the reason and the input, to be mended and loaded again.

use crate::error::{Error, Result};
use crate::fhir::json::{Json, Object};
use bytes::Bytes;
use serde::de::IgnoredAny;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Where in its source an input stands, counted as people and FHIR do: lines from 1, entries from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub line: Option<usize>,
    pub entry: Option<usize>,
}

impl Position {
    pub const WHOLE: Position = Position { line: None, entry: None };

    pub fn line(line: usize) -> Position {
        Position { line: Some(line), entry: None }
    }
}

/// An input that was not loaded.
#[derive(Debug, Clone)]
pub struct Reject {
    pub source: Arc<str>,
    pub position: Position,
    pub error: Arc<Error>,
    /// For the summary, when it is known.
    pub resource_type: Option<String>,
    /// `None`: the source as a whole is the input.
    pub input: Option<Bytes>,
}

impl Reject {
    /// A source that cannot be read (further).
    pub fn of_source(source: &Arc<str>, error: Error) -> Reject {
        let (source, error) = (Arc::clone(source), Arc::new(error));
        Reject { source, position: Position::WHOLE, error, resource_type: None, input: None }
    }

    /// For people: what, where and why. Never the input.
    pub fn sentence(&self) -> String {
        let line = self.position.line.map(|line| format!(", line {line}")).unwrap_or_default();
        let entry = self.position.entry.map(|entry| format!(", entry {entry}")).unwrap_or_default();
        format!("{}{line}{entry}: {}", self.source, self.error)
    }

    /// All members but the input, as the beginning of an object.
    fn head(&self) -> Object {
        let number = |number: usize| Json::from(i64::try_from(number).unwrap_or(i64::MAX));
        let mut head = Object::new().with_str("source", &self.source);
        if let Some(line) = self.position.line {
            head = head.with("line", number(line));
        }
        if let Some(entry) = self.position.entry {
            head = head.with("entry", number(entry));
        }
        let kind = self.error.kind;
        let mut issue = Object::new()
            .with_str("severity", "error")
            .with_str("code", self.error.told().first().map_or(kind.issue_code(), |issue| issue.code))
            .with_str("diagnostics", &self.error.message);
        if let Some(expression) = &self.error.expression {
            issue = issue.with("expression", Json::Array(vec![Json::string(expression)]));
        }
        if let Some(cause) = &self.error.cause {
            issue = issue.with_str("cause", cause);
        }
        head.with("status", i64::from(kind.status()).into()).with("issue", issue.into())
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let mut head = self.head().to_bytes();
        let Some(input) = &self.input else {
            head.push(b'\n');
            return out.write_all(&head);
        };
        head.pop();
        out.write_all(&head)?;
        out.write_all(b",\"input\":")?;
        if serde_json::from_slice::<IgnoredAny>(input).is_ok() {
            // In sound JSON a line break is space between two words, never part of a text.
            for line in input.split(|byte| matches!(byte, b'\n' | b'\r')) {
                out.write_all(line)?;
            }
        } else {
            out.write_all(&Json::string(String::from_utf8_lossy(input)).to_bytes())?;
        }
        out.write_all(b"}\n")
    }
}

/// The file of refused inputs; it is made when there is something to write.
pub struct RejectFile {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl RejectFile {
    pub fn new(path: PathBuf) -> RejectFile {
        RejectFile { path, file: None }
    }

    pub fn add(&mut self, reject: &Reject) -> Result<()> {
        let path = self.path.clone();
        let refused =
            |fault| Error::invalid(format!("The refused inputs cannot be written to {}: {fault}.", path.display()));
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(BufWriter::new(File::create(&self.path).map_err(refused)?)),
        };
        // Written through: whoever watches the load wants to see the reasons, and a kill must not lose them.
        reject.write(file).and_then(|()| file.flush()).map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(input: &'static [u8]) -> String {
        let error = Error::structure("Not so.").at("Patient.meta");
        let mut reject = Reject::of_source(&"a.ndjson".into(), error);
        reject.position = Position::line(3);
        reject.input = Some(Bytes::from_static(input));
        let mut out = Vec::new();
        reject.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_refused_input_is_one_line_that_holds_the_input_digit_for_digit() {
        let line = written(b"{\n  \"value\": 1.00\r\n}");
        assert_eq!(
            line,
            concat!(
                r#"{"source":"a.ndjson","line":3,"status":400,"issue":{"severity":"error","code":"structure","#,
                r#""diagnostics":"Not so.","expression":["Patient.meta"]},"input":{  "value": 1.00}}"#,
                "\n"
            )
        );
    }

    #[test]
    fn an_input_that_is_not_json_is_held_as_text() {
        assert!(written(b"{\"a\":").ends_with("\"input\":\"{\\\"a\\\":\"}\n"));
        assert!(written(b"\xff").ends_with("\"input\":\"\u{fffd}\"}\n"));
    }
}
