//! Conditional interactions: create, update, patch and delete of what a search finds. <https://hl7.org/fhir/R4/http.html#cond-update>
//!
//! Who asks for the same criterion waits until the one before has written: of fifty that create what is not there, one does.

use super::audit::patients_of;
use super::request::{COMMON_PARAMETERS, Request, Return, form_urlencoded};
use super::response::{Response, location};
use super::write::{self, Change, Intent, Work, Written};
use super::{Context, body_resource, create, patch, search};
use crate::auth::Grant;
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::outcome::{Issue, outcome};
use crate::fhir::resource::Resource;
use crate::search::hash::hash64;
use crate::store::{Reader, Stored};

/// Where `If-None-Exist` is.
const IF_NONE_EXIST: &str = "http.if-none-exist";

/// What a resource must meet to be the one that is meant.
#[derive(Debug, Clone)]
pub struct Criterion {
    pub resource_type: ResourceType,
    parameters: Vec<(String, String)>,
    /// Where it stands when it is not the address's query.
    place: Option<&'static str>,
}

impl Criterion {
    /// Of a conditional create. Some clients escape the whole header, some put the address before it.
    pub fn if_none_exist(resource_type: ResourceType, text: &str) -> Result<Criterion> {
        let place = |error: Error| error.at(IF_NONE_EXIST);
        let unescaped = match text.contains('=') {
            true => text.to_owned(),
            false => percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned(),
        };
        let (before, query) = unescaped.split_once('?').unwrap_or(("", &unescaped));
        if !before.is_empty() && before.rsplit('/').next() != Some(resource_type.as_str()) {
            let message = format!("The condition is about another type than {resource_type}.");
            return Err(Error::invalid(message).at(IF_NONE_EXIST));
        }
        let parameters = form_urlencoded(query).map_err(place)?;
        Criterion { resource_type, parameters, place: Some(IF_NONE_EXIST) }.checked()
    }

    /// Of the query of an address.
    pub fn of_query(resource_type: ResourceType, request: &Request) -> Result<Criterion> {
        let is_one = |(name, _): &&(String, String)| !COMMON_PARAMETERS.contains(&name.as_str());
        let parameters = request.query.iter().filter(is_one).cloned().collect();
        Criterion { resource_type, parameters, place: None }.checked()
    }

    fn checked(self) -> Result<Criterion> {
        if self.parameters.iter().any(|(_, value)| !value.is_empty()) {
            return Ok(self);
        }
        let error = Error::invalid("A condition has a search parameter and a value, such as identifier=system|value.");
        Err(self.placed(error))
    }

    fn placed(&self, error: Error) -> Error {
        match self.place {
            Some(place) => error.at(place),
            None => error,
        }
    }

    /// What the lock on it is called. Whoever names one identifier means the same resource, with a system or without.
    pub fn key(&self) -> i64 {
        let identifier = self.parameters.iter().find(|(name, _)| name == "identifier");
        if let Some((_, value)) = identifier {
            let value = value.rsplit('|').next().unwrap_or_default();
            return hash64(&["criterion", self.resource_type.as_str(), "identifier", value]);
        }
        let mut parts: Vec<&str> = Vec::new();
        let mut sorted: Vec<_> = self.parameters.iter().collect();
        sorted.sort();
        parts.extend(sorted.into_iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
        parts.extend(["criterion", self.resource_type.as_str()]);
        hash64(&parts)
    }

    /// Up to `count` resources that meet it.
    pub async fn find(&self, context: &Context, reader: Reader<'_>, base: &str, count: usize) -> Result<Vec<Stored>> {
        let found = search::find(context, reader, self.resource_type, &self.parameters, base, count).await;
        found.map_err(|error| self.placed(error))
    }

    /// The only resource that meets it, if there is one.
    pub async fn find_one(&self, context: &Context, reader: Reader<'_>, base: &str) -> Result<Option<Stored>> {
        let mut found = self.find(context, reader, base, 2).await?;
        match (found.pop(), found.is_empty()) {
            (one, true) => Ok(one),
            (_, false) => Err(self.several()),
        }
    }

    pub fn several(&self) -> Error {
        let message = format!("Several {} resources meet the condition; it must find one at most.", self.resource_type);
        self.placed(Error::new(Kind::PreconditionFailed, message))
    }
}

/// `If-None-Exist`: creates unless something meets the criterion.
pub async fn create(
    context: &Context,
    grant: &Grant,
    request: &Request,
    criterion: &Criterion,
    receipt: Option<&str>,
) -> Result<Response> {
    // Read before anybody has to wait.
    let resource = body_resource(context, request, criterion.resource_type)?;
    locked(context, grant, criterion, async {
        match criterion.find_one(context, context.store.reader(grant), &request.base).await? {
            Some(existing) => Ok(standing(context, existing, request.prefer.returns.unwrap_or(Return::Representation))),
            None => create::new(context, grant, request, criterion.resource_type, resource, receipt).await,
        }
    })
    .await
}

/// The answer to a create that was not needed.
pub fn standing(context: &Context, existing: Stored, returns: Return) -> Response {
    let patients = patients_of(context, [&existing]);
    let at = location(existing.resource_type, &existing.id, existing.version_id);
    let told = format!("{}/{} meets the condition; nothing was created.", existing.resource_type, existing.id);
    let response = Response::of_version(existing);
    let (body, is_outcome) = match returns {
        Return::Minimal => (None, false),
        Return::Representation => (response.body, false),
        Return::OperationOutcome => (Some(informed(&told)), true),
    };
    Response { body, is_outcome, location: Some(at), patients, ..response }
}

fn informed(diagnostics: &str) -> Vec<u8> {
    let issue = Issue { severity: "information", code: "informational", diagnostics, expression: None };
    outcome(None, &issue).to_bytes()
}

/// Updates what meets the criterion, or creates it.
pub async fn update(
    context: &Context,
    grant: &Grant,
    request: &Request,
    criterion: &Criterion,
    receipt: Option<&str>,
) -> Result<Response> {
    let resource = body_resource(context, request, criterion.resource_type)?;
    let named = resource.id().map_err(|invalid| Error::from(invalid).within(criterion.resource_type.as_str()))?;
    let reader = context.store.reader(grant);
    locked(context, grant, criterion, async {
        let found = criterion.find_one(context, reader, &request.base).await?;
        let target = target(reader, criterion, found.as_ref(), named.as_ref()).await?;
        let precondition = request.conditions.precondition()?;
        let Some(id) = target else {
            write::check(precondition, None)?;
            return create::new(context, grant, request, criterion.resource_type, resource, receipt).await;
        };
        let residence = resource.residence(&id, context.own_base.as_deref());
        let mut change = Change::new(criterion.resource_type, id, Intent::Put, Some(residence.home));
        change.precondition = precondition;
        write::one(context, grant, request, change, Some(resource), receipt).await
    })
    .await
}

/// The id that a conditional update writes to: that of what was found, or the one that the body names; `None`: the server
/// makes one.
pub async fn target(
    reader: Reader<'_>,
    criterion: &Criterion,
    found: Option<&Stored>,
    named: Option<&Id>,
) -> Result<Option<Id>> {
    let at = || format!("{}.id", criterion.resource_type);
    match (found, named) {
        (Some(found), Some(named)) if found.id != *named => {
            let message = "The condition finds a resource with another id than the body names.";
            Err(Error::invalid(message).at(at()))
        }
        (Some(found), _) => Ok(Some(found.id.clone())),
        (None, None) => Ok(None),
        (None, Some(named)) => {
            let standing = reader.current(criterion.resource_type, named).await?;
            if standing.is_some_and(|standing| standing.body.is_some()) {
                let message = "The body names a resource that is there and does not meet the condition.";
                return Err(Error::conflict(message).at(at()));
            }
            Ok(Some(named.clone()))
        }
    }
}

/// Patches what meets the criterion.
pub async fn patch(
    context: &Context,
    grant: &Grant,
    request: &Request,
    criterion: &Criterion,
    receipt: Option<&str>,
) -> Result<Response> {
    patch::read(&context.limits, &request.body)?;
    locked(context, grant, criterion, async {
        let found = criterion.find_one(context, context.store.reader(grant), &request.base).await?;
        let found = found.ok_or_else(|| nothing_to_patch(criterion))?;
        patch::of_id(context, grant, request, criterion.resource_type, &found.id, receipt).await
    })
    .await
}

pub fn nothing_to_patch(criterion: &Criterion) -> Error {
    Error::not_found(format!("No {} meets the condition.", criterion.resource_type))
}

/// Deletes what meets the criterion; several only where the operator allows that.
pub async fn delete(context: &Context, grant: &Grant, request: &Request, criterion: &Criterion) -> Result<Response> {
    locked(context, grant, criterion, async {
        let found = to_delete(context, context.store.reader(grant), criterion, &request.base).await?;
        let precondition = request.conditions.precondition()?;
        let change = |stored: Stored| {
            let mut change = Change::new(stored.resource_type, stored.id, Intent::Delete, None);
            change.precondition = precondition;
            change
        };
        let changes: Vec<Change> = found.into_iter().map(change).collect();
        let (1, Some(only)) = (changes.len(), changes.first()) else {
            return delete_all(context, grant, request, &changes).await;
        };
        write::one(context, grant, request, only.clone(), None, None).await
    })
    .await
}

/// What a conditional delete is about.
pub async fn to_delete(
    context: &Context,
    reader: Reader<'_>,
    criterion: &Criterion,
    base: &str,
) -> Result<Vec<Stored>> {
    let max = context.limits.conditional_deletes_max;
    let found = criterion.find(context, reader, base, max.saturating_add(1)).await?;
    if found.len() <= max {
        return Ok(found);
    }
    if max == 1 {
        return Err(criterion.several());
    }
    let message = format!("More than {max} {} resources meet the condition.", criterion.resource_type);
    Err(Error::new(Kind::PreconditionFailed, message))
}

async fn delete_all(context: &Context, grant: &Grant, request: &Request, changes: &[Change]) -> Result<Response> {
    let gone = |_, _: Option<Resource>| Err(Error::internal("a deletion has no resource"));
    let work = Work { changes, resource: &gone, keep_bodies: false, after: None, receipt: None };
    let written: Vec<Written> =
        if changes.is_empty() { Vec::new() } else { write::apply(context, grant, &work).await? };
    if request.prefer.returns != Some(Return::OperationOutcome) {
        return Ok(Response { status: 204, recorded: !written.is_empty(), ..Response::default() });
    }
    let told = format!("{} resources were deleted.", written.len());
    let recorded = !written.is_empty();
    Ok(Response { is_outcome: true, recorded, ..Response::of_body(200, informed(&told)) })
}

/// Does something while nobody else does anything about the same criterion.
async fn locked(
    context: &Context,
    grant: &Grant,
    criterion: &Criterion,
    work: impl Future<Output = Result<Response>>,
) -> Result<Response> {
    let lock = context.store.lock_criteria(grant, vec![criterion.key()]).await?;
    let answered = work.await;
    lock.release().await;
    answered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Criterion> {
        Criterion::if_none_exist(ResourceType::PATIENT, text)
    }

    #[test]
    fn a_condition_is_understood_however_the_client_escapes_it() {
        let expected = [("identifier".to_owned(), "http://a|1 2".to_owned())];
        for text in [
            "identifier=http://a|1%202",
            "identifier=http%3A%2F%2Fa%7C1%202",
            "identifier%3Dhttp%3A%2F%2Fa%7C1%202",
            "?identifier=http://a|1+2",
            "Patient?identifier=http://a|1%202",
            "http://b/fhir/Patient?identifier=http%3A//a|1%202",
        ] {
            assert_eq!(read(text).unwrap().parameters, expected, "{text}");
        }
        for bad in ["", "identifier", "identifier=", "Observation?identifier=1", "_format="] {
            assert_eq!(read(bad).unwrap_err().expression.as_deref(), Some(IF_NONE_EXIST), "{bad}");
        }
    }

    #[test]
    fn one_criterion_has_one_lock_and_another_one_another() {
        let key = |text: &str| read(text).unwrap().key();
        assert_eq!(key("identifier=a|1"), key("identifier=1"));
        assert_eq!(key("name=a&birthdate=2000"), key("birthdate=2000&name=a"));
        assert_ne!(key("identifier=1"), key("identifier=2"));
        assert_ne!(key("name=a"), key("family=a"));
    }
}
