//! What is wrong with a piece of input, and where: the one error of this room.

use std::fmt;

pub type Result<T> = std::result::Result<T, Invalid>;

/// What the input breaks: the text's grammar, FHIR's shapes, a bound, or what it is to be applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not JSON, not a date, not an id: the text cannot be read.
    Syntax,
    /// JSON of the wrong shape for its place.
    Structure,
    /// Beyond a bound that the message names.
    Bound,
    /// Well formed, but it does not fit what it is to be applied to.
    Unprocessable,
}

/// Input that cannot be accepted, with the place (a FHIRPath from the resource, when known) and a sentence for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    pub fault: Fault,
    pub expression: String,
    pub message: String,
}

impl Invalid {
    pub fn syntax(message: impl Into<String>) -> Self {
        Invalid::new(Fault::Syntax, message)
    }

    pub fn structure(expression: impl Into<String>, message: impl Into<String>) -> Self {
        Invalid { expression: expression.into(), ..Invalid::new(Fault::Structure, message) }
    }

    pub fn bound(message: impl Into<String>) -> Self {
        Invalid::new(Fault::Bound, message)
    }

    pub fn unprocessable(expression: impl Into<String>, message: impl Into<String>) -> Self {
        Invalid { expression: expression.into(), ..Invalid::new(Fault::Unprocessable, message) }
    }

    fn new(fault: Fault, message: impl Into<String>) -> Self {
        Invalid { fault, expression: String::new(), message: message.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.expression.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.expression, self.message)
        }
    }
}

impl std::error::Error for Invalid {}
