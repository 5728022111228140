//! A request as one value, whether it came over HTTP, from a Bundle's entry or from the command line.

use super::route::Interaction;
use crate::error::{Error, Kind, Result};
use crate::fhir::id::VersionId;
use crate::fhir::instant::from_http_date;
use bytes::Bytes;
use chrono::{DateTime, SubsecRound, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The methods of FHIR's HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub fn parse(name: &str) -> Option<Method> {
        Some(match name {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            _ => return None,
        })
    }
}

/// What the client wants back from a write. <https://hl7.org/fhir/R4/http.html#return>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    Minimal,
    Representation,
    OperationOutcome,
}

/// `Prefer`, as far as it is understood; what is not understood is ignored, as RFC 7240 wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prefer {
    pub returns: Option<Return>,
    /// `handling=strict`: a parameter that is not known is refused.
    pub strict: bool,
}

impl Prefer {
    pub fn parse(header: &str) -> Prefer {
        let mut prefer = Prefer::default();
        for preference in header.split([',', ';']) {
            match preference.trim().replace(' ', "").as_str() {
                "return=minimal" => prefer.returns = Some(Return::Minimal),
                "return=representation" => prefer.returns = Some(Return::Representation),
                "return=OperationOutcome" => prefer.returns = Some(Return::OperationOutcome),
                "handling=strict" => prefer.strict = true,
                "handling=lenient" => prefer.strict = false,
                _ => {}
            }
        }
        prefer
    }
}

/// The conditions of a request, as headers or as members of an entry's request.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    pub if_modified_since: Option<String>,
    pub if_none_exist: Option<String>,
}

/// Which version must be the current one for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precondition {
    #[default]
    None,
    /// `If-Match: W/"3"`.
    Version(VersionId),
    /// `If-Match` with a version that this server never gives: never holds.
    Never,
    /// `If-Match: *`.
    Exists,
    /// `If-None-Match: *`.
    Absent,
}

impl Conditions {
    /// The precondition of a write.
    pub fn precondition(&self) -> Result<Precondition> {
        if self.if_match.is_some() && self.if_none_match.is_some() {
            let message = "If-Match wants a version to be there, If-None-Match wants none: send one of them.";
            return Err(Error::invalid(message).at("http.if-none-match"));
        }
        if let Some(text) = &self.if_match {
            return match tags(text).as_deref() {
                Some(["*"]) => Ok(Precondition::Exists),
                Some([one]) => Ok(VersionId::parse(one).map_or(Precondition::Never, Precondition::Version)),
                _ => Err(Error::invalid("If-Match names one version, as in W/\"3\".").at("http.if-match")),
            };
        }
        match self.if_none_match.as_deref().map(str::trim) {
            None => Ok(Precondition::None),
            Some("*") => Ok(Precondition::Absent),
            Some(_) => Err(Error::invalid("A write understands only If-None-Match: *.").at("http.if-none-match")),
        }
    }

    /// Whether a read of this version is to be answered with 304.
    pub fn is_unchanged(&self, version: VersionId, last_updated: DateTime<Utc>) -> bool {
        if let Some(text) = &self.if_none_match {
            let tags = tags(text).unwrap_or_default();
            return tags.iter().any(|tag| *tag == "*" || VersionId::parse(tag) == Some(version));
        }
        let since = self.if_modified_since.as_deref().and_then(read_since);
        since.is_some_and(|since| last_updated.trunc_subsecs(0) <= since)
    }
}

/// HTTP's date in a header, FHIR's instant in an entry.
fn read_since(text: &str) -> Option<DateTime<Utc>> {
    from_http_date(text).or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()))
}

/// The opaque parts of a list of entity tags, weak or strong; bare ones are accepted, many clients send them.
fn tags(text: &str) -> Option<Vec<&str>> {
    text.split(',').map(|part| one_tag(part.trim())).collect()
}

fn one_tag(text: &str) -> Option<&str> {
    let text = text.strip_prefix("W/").unwrap_or(text);
    let bare = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => text,
    };
    (!bare.is_empty() && !bare.contains('"')).then_some(bare)
}

/// What every interaction knows.
pub use crate::search::form::form_urlencoded;

pub const COMMON_PARAMETERS: &[&str] = &["_format", "_pretty"];

/// What a query's value may hold as it is; all else is escaped, so that a link reads as the client wrote it.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'/')
    .remove(b',')
    .remove(b'$');

/// A query's parameters as an address has them.
pub fn written<'a>(parameters: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let escaped = |text: &'a str| utf8_percent_encode(text, ESCAPED);
    let pairs: Vec<String> = parameters.map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    pairs.join("&")
}

/// One interaction that somebody asks for.
#[derive(Debug, Clone)]
pub struct Request {
    pub interaction: Interaction,
    /// The query's parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    pub conditions: Conditions,
    pub prefer: Prefer,
    /// The address that absolute links start with, such as `http://localhost:8000/fhir`.
    pub base: String,
    pub body: Bytes,
    /// Leads from an answer to the log's lines.
    pub id: String,
}

impl Request {
    /// The value of a parameter that may stand once.
    pub fn parameter(&self, name: &str) -> Result<Option<&str>> {
        let mut values = self.query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(Error::invalid(format!("The parameter {name} may stand only once.")).at(name)),
        }
    }

    /// Refuses a parameter that FHIR has here and this server does not: ignored, the answer would be another one.
    pub fn refuse_unsupported(&self, names: &[&str]) -> Result<()> {
        match self.query.iter().map(|(name, _)| name.as_str()).find(|name| names.contains(name)) {
            None => Ok(()),
            Some(name) => Err(Error::not_supported(format!("{name} is not supported yet.")).at(name)),
        }
    }

    /// Under strict handling, refuses parameters that this interaction does not know.
    pub fn refuse_unknown(&self, known: &[&str]) -> Result<()> {
        let unknown = self.query.iter().map(|(name, _)| name).find(|name| !known.contains(&name.as_str()));
        match unknown.filter(|_| self.prefer.strict) {
            None => Ok(()),
            Some(name) => {
                let message = format!("This interaction does not know the parameter; it knows {}.", known.join(", "));
                Err(Error::new(Kind::NotSupported, message).at(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Precondition> {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Conditions { if_match: own(if_match), if_none_match: own(if_none_match), ..Default::default() }.precondition()
    }

    #[test]
    fn if_match_names_one_version() {
        for text in ["W/\"3\"", "\"3\"", "3"] {
            assert_eq!(writes(Some(text), None).unwrap(), Precondition::Version(VersionId(3)), "{text}");
        }
        assert_eq!(writes(Some("*"), None).unwrap(), Precondition::Exists);
        assert_eq!(writes(Some("W/\"abc\""), None).unwrap(), Precondition::Never);
        assert_eq!(writes(None, Some("*")).unwrap(), Precondition::Absent);
        assert!(writes(Some("W/\"3\""), Some("*")).is_err());
        for bad in ["W/\"3", "", "\"1\",\"2\"", "W/\"\""] {
            assert_eq!(writes(Some(bad), None).unwrap_err().expression.as_deref(), Some("http.if-match"), "{bad}");
        }
    }

    #[test]
    fn a_read_is_unchanged_by_its_tag_first_and_by_its_time_otherwise() {
        let time = DateTime::parse_from_rfc3339("2026-11-22T08:30:00.900Z").unwrap().to_utc();
        let unchanged = |none_match: Option<&str>, since: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            Conditions { if_none_match: own(none_match), if_modified_since: own(since), ..Default::default() }
                .is_unchanged(VersionId(2), time)
        };
        assert!(unchanged(Some("W/\"1\", W/\"2\""), None));
        assert!(!unchanged(Some("W/\"1\""), Some("Sun, 22 Nov 2026 08:30:00 GMT")));
        assert!(unchanged(None, Some("Sun, 22 Nov 2026 08:30:00 GMT")));
        assert!(!unchanged(None, Some("Sun, 22 Nov 2026 08:29:59 GMT")));
        assert!(!unchanged(None, Some("yesterday")));
    }

    #[test]
    fn preferences_are_read_and_strange_ones_ignored() {
        let prefer = Prefer::parse("respond-async, return=minimal; handling=strict");
        assert_eq!(prefer, Prefer { returns: Some(Return::Minimal), strict: true });
        assert_eq!(Prefer::parse("return=everything"), Prefer::default());
    }
}
