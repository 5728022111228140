//! The text of a filter. <https://hl7.org/fhir/R4/search_filter.html>
//!
//! `and` and `or` bind alike, from left to right, as the specification wants.

use crate::error::{Error, Kind, Result};
use crate::fhir::json::{self, Json};

/// At most this many filters may lie inside each other (filters).
const DEPTH_MAX: usize = 20;

/// At most this many comparisons (comparisons).
const COMPARISONS_MAX: usize = 1_000;

/// How a message begins that tells its place.
pub(super) const PLACE: &str = "At character ";

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter<'t> {
    All(Vec<Filter<'t>>),
    Any(Vec<Filter<'t>>),
    Not(Box<Filter<'t>>),
    Comparison(Comparison<'t>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comparison<'t> {
    /// Where it begins in the text; the first character is 1.
    pub character: usize,
    pub steps: Vec<Step<'t>>,
    pub code: &'t str,
    pub operator: Operator,
    /// As a search writes values: what was in quotes has its backslashes escaped.
    pub value: String,
}

/// From a resource to another one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step<'t> {
    /// `subject.` or `subject[…].`: to what it refers to, with a condition on that.
    Chain { head: &'t str, filter: Option<Filter<'t>> },
    /// `_has:Observation:patient:`: to what refers to it.
    Has { source: &'t str, code: &'t str },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    /// One that is a prefix, too: gt, lt, ge, le, ap, sa, eb.
    Prefixed(&'static str),
    Present,
    Overlaps,
    Subsumes,
    SubsumedBy,
    In,
    NotIn,
    References,
}

impl Operator {
    fn parse(word: &str) -> Option<Operator> {
        Some(match word {
            "eq" => Operator::Equal,
            "ne" => Operator::NotEqual,
            "co" => Operator::Contains,
            "sw" => Operator::StartsWith,
            "ew" => Operator::EndsWith,
            "gt" => Operator::Prefixed("gt"),
            "lt" => Operator::Prefixed("lt"),
            "ge" => Operator::Prefixed("ge"),
            "le" => Operator::Prefixed("le"),
            "ap" => Operator::Prefixed("ap"),
            "sa" => Operator::Prefixed("sa"),
            "eb" => Operator::Prefixed("eb"),
            "pr" => Operator::Present,
            "po" => Operator::Overlaps,
            "ss" => Operator::Subsumes,
            "sb" => Operator::SubsumedBy,
            "in" => Operator::In,
            "ni" => Operator::NotIn,
            "re" => Operator::References,
            _ => return None,
        })
    }

    pub fn word(self) -> &'static str {
        match self {
            Operator::Equal => "eq",
            Operator::NotEqual => "ne",
            Operator::Contains => "co",
            Operator::StartsWith => "sw",
            Operator::EndsWith => "ew",
            Operator::Prefixed(word) => word,
            Operator::Present => "pr",
            Operator::Overlaps => "po",
            Operator::Subsumes => "ss",
            Operator::SubsumedBy => "sb",
            Operator::In => "in",
            Operator::NotIn => "ni",
            Operator::References => "re",
        }
    }
}

/// # Errors
/// 400, with the position of what was not expected.
pub(super) fn parse(text: &str) -> Result<Filter<'_>> {
    let mut reader = Reader { text, rest: text, counted: (0, 0), depth: 0, comparisons: 0 };
    let filter = reader.filter()?;
    if reader.rest.is_empty() { Ok(filter) } else { Err(reader.expected("'and', 'or' or the end")) }
}

pub(super) fn message_at(character: usize, message: &str) -> String {
    format!("{PLACE}{character} of the filter: {message}")
}

struct Reader<'t> {
    text: &'t str,
    /// What is still to be read; a space at its beginning never matters.
    rest: &'t str,
    /// Bytes of the text and the characters that they are, as far as they were counted: a place is looked up for each
    /// comparison, and counted from the beginning each time, a long filter would be read as often as it has comparisons.
    counted: (usize, usize),
    depth: usize,
    comparisons: usize,
}

impl<'t> Reader<'t> {
    fn filter(&mut self) -> Result<Filter<'t>> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let message = format!("At most {DEPTH_MAX} filters may lie inside each other.");
            return Err(self.too_costly(&message));
        }
        let mut filter = self.term()?;
        loop {
            let before = self.rest;
            filter = match self.word() {
                "and" => joined(filter, self.term()?, true),
                "or" => joined(filter, self.term()?, false),
                _ => {
                    self.rest = before.trim_start();
                    self.depth -= 1;
                    return Ok(filter);
                }
            };
        }
    }

    fn term(&mut self) -> Result<Filter<'t>> {
        if self.takes('(') {
            return self.closed(')');
        }
        let before = self.rest;
        if self.word() == "not" && self.takes('(') {
            return Ok(Filter::Not(Box::new(self.closed(')')?)));
        }
        self.rest = before.trim_start();
        self.comparison().map(Filter::Comparison)
    }

    fn closed(&mut self, end: char) -> Result<Filter<'t>> {
        let filter = self.filter()?;
        if self.takes(end) { Ok(filter) } else { Err(self.expected(&format!("'and', 'or' or '{end}'"))) }
    }

    fn comparison(&mut self) -> Result<Comparison<'t>> {
        self.comparisons += 1;
        if self.comparisons > COMPARISONS_MAX {
            return Err(self.too_costly(&format!("A filter may have at most {COMPARISONS_MAX} comparisons.")));
        }
        let character = self.character();
        let mut steps = Vec::new();
        let code = self.path(&mut steps)?;
        let before = self.rest.trim_start();
        let operator = Operator::parse(self.word()).ok_or_else(|| {
            self.rest = before;
            self.expected("one of eq, ne, co, sw, ew, gt, lt, ge, le, ap, sa, eb, pr, po, ss, sb, in, ni and re")
        })?;
        Ok(Comparison { character, steps, code, operator, value: self.value()? })
    }

    /// The steps of a path, and the code at its end.
    fn path(&mut self, steps: &mut Vec<Step<'t>>) -> Result<&'t str> {
        loop {
            let mut name = self.word();
            while let Some(has) = name.strip_prefix("_has:") {
                let mut parts = has.splitn(3, ':');
                let (Some(source), Some(code), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
                    return Err(self.expected("'_has:Type:parameter:' and a parameter's name before this"));
                };
                steps.push(Step::Has { source, code });
                name = rest;
            }
            if name.is_empty() {
                return Err(self.expected("the name of a parameter"));
            }
            let filter = if self.rest.starts_with('[') && self.takes('[') { Some(self.closed(']')?) } else { None };
            if let Some(rest) = self.rest.strip_prefix('.') {
                self.rest = rest;
            } else if filter.is_some() {
                return Err(self.expected("'.' and the rest of the path"));
            } else {
                return Ok(name);
            }
            steps.push(Step::Chain { head: name, filter });
        }
    }

    fn value(&mut self) -> Result<String> {
        let rest = self.rest.trim_start();
        self.rest = rest;
        let end = if rest.starts_with('"') {
            quoted_length(rest)
        } else {
            rest.find(|c: char| c.is_whitespace() || matches!(c, ')' | ']')).unwrap_or(rest.len())
        };
        let (written, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if written.is_empty() {
            return Err(self.expected("a value"));
        }
        let value = match written.starts_with('"') {
            false => written.to_owned(),
            true => match json::parse(written.as_bytes(), 1) {
                // U+0000 can be written as an escape here, and nothing that is stored has it.
                Ok(Json::String(text)) if !text.contains('\0') => text.replace('\\', "\\\\"),
                _ => return Err(self.expected("a string as in JSON, closed with '\"' and without U+0000")),
            },
        };
        self.rest = behind;
        Ok(value)
    }

    /// The next name, operator or connective; nothing where there is none.
    fn word(&mut self) -> &'t str {
        let rest = self.rest.trim_start();
        let is_end = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':'));
        let (word, behind) = rest.split_at_checked(rest.find(is_end).unwrap_or(rest.len())).unwrap_or((rest, ""));
        self.rest = behind;
        word
    }

    fn takes(&mut self, expected: char) -> bool {
        let behind = self.rest.trim_start().strip_prefix(expected);
        self.rest = behind.unwrap_or(self.rest);
        behind.is_some()
    }

    /// Where the text is read; the first character is 1.
    fn character(&mut self) -> usize {
        let at = self.text.len() - self.rest.trim_start().len();
        let (bytes, characters) = self.counted;
        // Reading goes back to the beginning of a word at times, but never before a comparison that was read.
        let more = self.text.get(bytes..at).map_or(0, |new| new.chars().count());
        self.counted = (bytes.max(at), characters + more);
        self.counted.1 + 1
    }

    fn expected(&mut self, what: &str) -> Error {
        Error::invalid(message_at(self.character(), &format!("Expected was {what}.")))
    }

    fn too_costly(&mut self, message: &str) -> Error {
        Error::new(Kind::TooCostly, message_at(self.character(), message))
    }
}

fn joined<'t>(left: Filter<'t>, right: Filter<'t>, both: bool) -> Filter<'t> {
    match (left, both) {
        (Filter::All(mut filters), true) => {
            filters.push(right);
            Filter::All(filters)
        }
        (Filter::Any(mut filters), false) => {
            filters.push(right);
            Filter::Any(filters)
        }
        (left, true) => Filter::All(vec![left, right]),
        (left, false) => Filter::Any(vec![left, right]),
    }
}

/// The length of the string that the text begins with, its quotes included (bytes); all of it if it is not closed.
fn quoted_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            c => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}
