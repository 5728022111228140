//! What is recorded of an interaction: once, when it is answered, unless it was recorded with the write that it was.

mod events;
mod query;

pub use events::{accesses, answer};
pub use query::SEARCHED;

use super::Context;
use super::request::{Request, written};
use super::response::Response;
use super::route::{Interaction, Level};
use crate::audit::record::{Access, What};
use crate::auth::Grant;
use crate::error::{Error, Kind, Result};
use crate::fhir::id::{Id, VersionId};
use crate::fhir::resource::Resource;
use crate::store::{HistoryScope, Stored};
use memchr::memmem;
use std::collections::BTreeSet;

/// The patients whose data these versions are. Nobody asks where nothing is recorded.
pub fn patients_of<'s>(context: &Context, versions: impl IntoIterator<Item = &'s Stored>) -> Vec<Id> {
    if !context.store.has_trail() {
        return Vec::new();
    }
    let mut patients = BTreeSet::new();
    for stored in versions {
        let home = stored.compartment.patient();
        if refers_to_others(stored.body.as_deref().unwrap_or_default(), home.as_ref()) {
            patients.extend(members(context, stored));
        }
        patients.extend(home);
    }
    patients.into_iter().collect()
}

/// Whether a reference to another patient may be in it: looked for in the text, since nearly always there is none, and
/// reading a resource costs more than sending it.
pub fn refers_to_others(body: &[u8], home: Option<&Id>) -> bool {
    let mut references = memmem::find_iter(body, b"Patient/");
    references.any(|at| {
        let id = body.get(at + b"Patient/".len()..).unwrap_or_default();
        let is_home = home.is_some_and(|home| {
            let rest = id.strip_prefix(home.as_str().as_bytes());
            rest.is_some_and(|rest| rest.first().is_none_or(|byte| matches!(byte, b'"' | b'/')))
        });
        !is_home
    })
}

/// The patients in whose compartment it is, or was when an old version was written.
fn members(context: &Context, stored: &Stored) -> Vec<Id> {
    let body = stored.body.as_deref().unwrap_or_default();
    let Ok(resource) = Resource::read(body, 0..body.len(), usize::MAX) else { return Vec::new() };
    let residence = resource.residence(&stored.id, context.own_base.as_deref());
    residence.members.into_iter().chain(residence.home.patient()).collect()
}

/// Records an interaction that is about to be answered. An answer that cannot be recorded is not given; a refusal shows
/// nothing and is.
pub async fn note(context: &Context, grant: &Grant, request: &Request, answered: &Result<Response>) -> Result<()> {
    let is_asked = context.store.has_trail() && grant.origin().is_some();
    let Some(access) = is_asked.then(|| access(request, answered)).flatten() else { return Ok(()) };
    // Boxed: the future of every request would carry it along.
    match (Box::pin(context.store.record(grant, &[access])).await, answered) {
        (Err(error), Ok(_)) => Err(error),
        _ => Ok(()),
    }
}

/// Records the reads of a transaction.
pub async fn note_all(context: &Context, grant: &Grant, answers: &[(&Request, &Response)]) -> Result<()> {
    if !context.store.has_trail() || grant.origin().is_none() {
        return Ok(());
    }
    let unrecorded = answers.iter().filter(|(_, response)| !response.recorded);
    let accesses: Vec<Access> =
        unrecorded.filter_map(|(request, response)| of_answer(request, response.status, Some(response))).collect();
    if accesses.is_empty() { Ok(()) } else { context.store.record(grant, &accesses).await }
}

fn access(request: &Request, answered: &Result<Response>) -> Option<Access> {
    match answered {
        Ok(response) if response.recorded => None,
        Ok(response) => of_answer(request, response.status, Some(response)),
        Err(error) => of_answer(request, error.kind.status(), None),
    }
}

/// What the server can do is told to everybody; that leaves no record.
fn of_answer(request: &Request, status: u16, response: Option<&Response>) -> Option<Access> {
    if request.interaction.is_open() {
        return None;
    }
    let (interaction, what) = (word(&request.interaction), what(request, response));
    let patients = response.map(|response| response.patients.iter().map(Id::to_string).collect()).unwrap_or_default();
    Some(Access { interaction: interaction.to_owned(), what, patients, status })
}

/// FHIR's word. <https://hl7.org/fhir/R4/valueset-type-restful-interaction.html>
fn word(interaction: &Interaction) -> &'static str {
    match interaction {
        Interaction::ConditionalUpdate(_) => "update",
        Interaction::ConditionalPatch(_) => "patch",
        Interaction::ConditionalDelete(_) => "delete",
        Interaction::Search(crate::search::query::Scope::Compartment { .. }) => "search",
        Interaction::Reindex(_)
        | Interaction::ReindexStatus
        | Interaction::Accesses(_)
        | Interaction::Operation(..) => "operation",
        other => other.name(),
    }
}

fn what(request: &Request, response: Option<&Response>) -> What {
    let resource_type = request.interaction.resource_type().map(|of| of.as_str().to_owned());
    let named = |id: &Id, version: Option<VersionId>| What {
        resource_type: resource_type.clone(),
        id: Some(id.to_string()),
        version: version.map(|version| version.0),
        query: None,
        removed: None,
    };
    let version = response.and_then(|response| response.version);
    match &request.interaction {
        Interaction::Read(_, id)
        | Interaction::Update(_, id)
        | Interaction::Patch(_, id)
        | Interaction::Delete(_, id) => named(id, version),
        Interaction::Vread(_, id, text) => named(id, VersionId::parse(text)),
        Interaction::History(HistoryScope::Instance(_, id)) => named(id, None),
        Interaction::Operation(_, Level::Instance(_, id)) => What { query: Some(asked(request)), ..named(id, None) },
        Interaction::Operation(_, Level::Version(_, id, text)) => {
            What { query: Some(asked(request)), ..named(id, VersionId::parse(text)) }
        }
        // A create that was not needed: what meets the condition was shown.
        Interaction::Create(_) => {
            What { query: request.conditions.if_none_exist.clone(), ..met(response, resource_type) }
        }
        _ => What { query: Some(asked(request)), ..met(response, resource_type) },
    }
}

/// The address under the base, with its query.
fn asked(request: &Request) -> String {
    let address = address(&request.interaction);
    let query = written(request.query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    if query.is_empty() { address } else { format!("{address}?{query}") }
}

/// The resource that an answer names by its location.
fn met(response: Option<&Response>, resource_type: Option<String>) -> What {
    let location = response.and_then(|response| response.location.as_deref());
    let id = location.and_then(|location| location.split('/').nth(1)).map(str::to_owned);
    let version = response.filter(|_| id.is_some()).and_then(|response| response.version).map(|version| version.0);
    What { resource_type, id, version, ..What::default() }
}

/// The address under the base, as far as it is the same for all who ask for this.
fn address(interaction: &Interaction) -> String {
    let of_level = |level: &Level, operation: &str| match level {
        Level::System => operation.to_owned(),
        Level::Type(of) => format!("{of}/{operation}"),
        Level::Instance(of, id) => format!("{of}/{id}/{operation}"),
        Level::Version(of, id, version) => format!("{of}/{id}/_history/{version}/{operation}"),
    };
    match interaction {
        Interaction::Search(scope) => scope.path(),
        Interaction::History(HistoryScope::Type(of)) => format!("{of}/_history"),
        Interaction::History(_) => "_history".to_owned(),
        Interaction::Reindex(level) => of_level(level, "$reindex"),
        Interaction::ReindexStatus => "$reindex".to_owned(),
        Interaction::Accesses(id) => format!("Patient/{id}/$accesses"),
        Interaction::Operation(operation, level) => of_level(level, operation.name()),
        other => other.resource_type().map(|of| of.to_string()).unwrap_or_default(),
    }
}

/// Nobody writes what the server itself records.
pub fn never_written() -> Error {
    let message =
        "AuditEvents are what this server records of accesses: they are read and searched for, never written.";
    Error::new(Kind::MethodNotAllowed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_to_another_patient_is_found_in_the_text() {
        let home = Id::parse("p1").unwrap();
        let refers = |text: &str| refers_to_others(text.as_bytes(), Some(&home));
        assert!(!refers(r#"{"subject":{"reference":"Patient/p1"}}"#));
        assert!(!refers(r#"{"subject":{"reference":"Patient/p1/_history/2"}}"#));
        assert!(refers(r#"{"subject":{"reference":"Patient/p1"},"performer":[{"reference":"Patient/p12"}]}"#));
        assert!(refers(r#"{"subject":{"reference":"http://x/Patient/p2"}}"#));
        assert!(refers_to_others(br#""Patient/p1""#, None));
    }
}
