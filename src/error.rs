//! One client error: its kind, what the client reads, and what only the operator's log sees.
//!
//! Kinds are named by what the caller should do next. The table from kind to status and issue code is
//! [`Kind::status`] and [`Kind::issue_code`]; neither has a catch-all arm, so a new kind must decide.

use crate::fhir::invalid::{Fault, Invalid};
use crate::fhir::outcome;
use std::fmt;

pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, by what the client can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request is not well formed: mend it.
    Invalid,
    /// The content is JSON but not what FHIR allows at that place: mend it.
    Structure,
    /// Nobody known asks: log in.
    Unauthorized,
    /// The token or key that was shown is worth nothing: log in again.
    InvalidToken,
    /// Not for this account or client, whatever the resource is.
    Forbidden,
    /// There is no such thing, or it is not yours.
    NotFound,
    /// It was there and is deleted.
    Gone,
    /// The client stopped in the middle of its request: send it again.
    Timeout,
    /// Somebody else wrote in the meantime: read again, then decide.
    Conflict,
    /// `If-Match` or another precondition does not hold.
    PreconditionFailed,
    /// The content type of the body is not one that is read here.
    UnsupportedMediaType,
    /// None of the accepted formats is one that is written here.
    NotAcceptable,
    /// Well formed, but it does not fit what is stored: read that again, then decide.
    Unprocessable,
    /// A bound was exceeded; the message names it.
    TooLarge,
    /// Well formed, but more work than one request may cause; the message names the bound.
    TooCostly,
    /// The method is not known at this address.
    MethodNotAllowed,
    /// FHIR has it, this server does not (yet).
    NotSupported,
    /// The operator did not set what this needs; the message names the setting.
    NotConfigured,
    /// Too many attempts that failed: try again after so many seconds.
    TooManyRequests { retry_after_seconds: u32 },
    /// Try again after so many seconds.
    Busy { retry_after_seconds: u32 },
    /// The write may or may not have happened: read before trying again.
    UnknownOutcome,
    /// A fault of the server; the cause is in its log.
    Internal,
}

impl Kind {
    /// The HTTP status (code).
    pub fn status(self) -> u16 {
        match self {
            Kind::Invalid | Kind::Structure | Kind::NotSupported | Kind::TooCostly => 400,
            Kind::Unauthorized | Kind::InvalidToken => 401,
            Kind::Forbidden => 403,
            Kind::NotFound => 404,
            Kind::MethodNotAllowed => 405,
            Kind::NotAcceptable => 406,
            Kind::Timeout => 408,
            Kind::Conflict => 409,
            Kind::Gone => 410,
            Kind::PreconditionFailed => 412,
            Kind::TooLarge => 413,
            Kind::UnsupportedMediaType => 415,
            Kind::Unprocessable => 422,
            Kind::TooManyRequests { .. } => 429,
            Kind::Internal => 500,
            Kind::NotConfigured => 501,
            Kind::Busy { .. } | Kind::UnknownOutcome => 503,
        }
    }

    /// The code of the issue. <https://hl7.org/fhir/R4/valueset-issue-type.html>
    pub fn issue_code(self) -> &'static str {
        match self {
            Kind::Invalid => "invalid",
            Kind::Structure => "structure",
            Kind::Unauthorized | Kind::InvalidToken => "login",
            Kind::Forbidden => "forbidden",
            Kind::NotFound => "not-found",
            Kind::Gone => "deleted",
            Kind::Conflict | Kind::PreconditionFailed => "conflict",
            Kind::UnsupportedMediaType
            | Kind::NotAcceptable
            | Kind::MethodNotAllowed
            | Kind::NotSupported
            | Kind::NotConfigured => "not-supported",
            Kind::Unprocessable => "processing",
            Kind::TooLarge => "too-long",
            Kind::TooCostly => "too-costly",
            Kind::Timeout => "timeout",
            Kind::TooManyRequests { .. } => "throttled",
            Kind::Busy { .. } => "transient",
            Kind::UnknownOutcome => "incomplete",
            Kind::Internal => "exception",
        }
    }
}

/// A refusal or a fault, with two audiences: `message` and `expression` go to the client, `cause` to the log.
#[derive(Debug)]
pub struct Error {
    pub kind: Kind,
    /// A sentence for the client: what, where, how to mend it. Never a stack, never another's data.
    pub message: String,
    /// Where in the request: a FHIRPath such as `Bundle.entry[3].request.url`, or `http.if-match`, or a parameter's name.
    pub expression: Option<String>,
    /// For the operator's log only. Never clinical content.
    pub cause: Option<String>,
    /// Each fault by itself, where there is more to say than the message does; `message` and `expression` are the first's.
    pub issues: Vec<Issue>,
}

/// One of several faults of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    pub severity: &'static str,
    /// Of <https://hl7.org/fhir/R4/valueset-issue-type.html>.
    pub code: &'static str,
    pub message: String,
    pub expression: Option<String>,
}

impl Issue {
    fn told(&self) -> outcome::Issue<'_> {
        outcome::Issue {
            severity: self.severity,
            code: self.code,
            diagnostics: &self.message,
            expression: self.expression.as_deref(),
        }
    }
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), expression: None, cause: None, issues: Vec::new() }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Error::new(Kind::Invalid, message)
    }

    pub fn structure(message: impl Into<String>) -> Self {
        Error::new(Kind::Structure, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Error::new(Kind::NotFound, message)
    }

    pub fn unauthorized(message: impl Into<String>) -> Self {
        Error::new(Kind::Unauthorized, message)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Error::new(Kind::Forbidden, message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Error::new(Kind::Conflict, message)
    }

    pub fn not_supported(message: impl Into<String>) -> Self {
        Error::new(Kind::NotSupported, message)
    }

    pub fn busy(retry_after_seconds: u32) -> Self {
        Error::new(
            Kind::Busy { retry_after_seconds },
            format!("The server is busy or a part of it cannot be reached. Try again in {retry_after_seconds} s."),
        )
    }

    /// A fault whose cause goes to the log; the client reads only that it happened.
    pub fn internal(cause: impl fmt::Display) -> Self {
        let message = "The server failed to answer. Its log has the cause under this request's id.";
        Error::new(Kind::Internal, message).caused_by(cause)
    }

    /// Names the place in the request, replacing any place named before.
    #[must_use]
    pub fn at(mut self, expression: impl Into<String>) -> Self {
        self.expression = Some(expression.into());
        self
    }

    /// Puts `prefix` before the place: an error inside an entry becomes one inside the Bundle.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        let inside = |place: Option<String>| match place {
            Some(inner) => format!("{prefix}.{inner}"),
            None => prefix.to_owned(),
        };
        self.expression = Some(inside(self.expression.take()));
        for issue in &mut self.issues {
            issue.expression = Some(inside(issue.expression.take()));
        }
        self
    }

    /// Writes each place that is named in another way.
    #[must_use]
    pub fn relocated(mut self, written: impl Fn(String) -> String) -> Self {
        self.expression = self.expression.map(&written);
        for issue in &mut self.issues {
            issue.expression = issue.expression.take().map(&written);
        }
        self
    }

    /// What the client is told, as issues of an OperationOutcome: one, or each of several.
    pub fn told(&self) -> Vec<outcome::Issue<'_>> {
        if self.issues.is_empty() {
            let (code, diagnostics) = (self.kind.issue_code(), self.message.as_str());
            return vec![outcome::Issue {
                severity: "error",
                code,
                diagnostics,
                expression: self.expression.as_deref(),
            }];
        }
        self.issues.iter().map(Issue::told).collect()
    }

    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.expression {
            Some(expression) => write!(f, "{expression}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        let kind = match invalid.fault {
            Fault::Syntax => Kind::Invalid,
            Fault::Structure => Kind::Structure,
            Fault::Bound => Kind::TooLarge,
            Fault::Unprocessable => Kind::Unprocessable,
        };
        let error = Error::new(kind, invalid.message);
        if invalid.expression.is_empty() { error } else { error.at(invalid.expression) }
    }
}
