//! What an interaction answers, before HTTP or a Bundle gives it a form.

use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Id, VersionId};
use crate::store::Stored;
use chrono::{DateTime, Utc};

/// The answer to one request.
#[derive(Debug, Clone, Default)]
pub struct Response {
    pub status: u16,
    /// JSON, as stored or freshly written.
    pub body: Option<Vec<u8>>,
    /// Of a body that is no FHIR: what a Binary holds.
    pub content_type: Option<String>,
    /// The body is an OperationOutcome about what was done, not what was asked for.
    pub is_outcome: bool,
    pub version: Option<VersionId>,
    pub last_modified: Option<DateTime<Utc>>,
    /// What it turned out to be, where the address alone does not tell: transaction or batch.
    pub interaction: Option<&'static str>,
    /// `Type/id/_history/version`, relative to the base.
    pub location: Option<String>,
    /// The patients whose data it holds, where accesses are recorded.
    pub patients: Vec<Id>,
    /// The access is recorded: with the write that it was, or entry by entry.
    pub recorded: bool,
    /// Further headers, in lower case.
    pub headers: Vec<(&'static str, String)>,
}

impl Response {
    /// A version that was read.
    pub fn of_version(stored: Stored) -> Response {
        Response {
            status: 200,
            version: Some(stored.version_id),
            last_modified: Some(stored.last_updated),
            body: stored.body,
            ..Response::default()
        }
    }

    pub fn not_modified(stored: &Stored) -> Response {
        let (version, last_modified) = (Some(stored.version_id), Some(stored.last_updated));
        Response { status: 304, version, last_modified, ..Response::default() }
    }

    pub fn of_body(status: u16, body: Vec<u8>) -> Response {
        Response { status, body: Some(body), ..Response::default() }
    }
}

/// Where a version is, relative to the base.
pub fn location(resource_type: ResourceType, id: &Id, version: VersionId) -> String {
    format!("{resource_type}/{id}/_history/{version}")
}
