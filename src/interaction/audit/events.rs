//! AuditEvents as they are read and searched for, and who opened a patient's record.

use super::super::Context;
use super::super::request::{COMMON_PARAMETERS, Request, written};
use super::super::response::Response;
use super::super::route::Interaction;
use super::query::{Asked, PAGE, read};
use crate::audit::event::event;
use crate::auth::Grant;
use crate::error::{Error, Kind, Result};
use crate::fhir::bundle::BundleWriter;
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::json::{Json, Object};
use crate::fhir::outcome::{Issue, outcome_of};
use crate::search::query::Scope;
use crate::store::{AuditKey, AuditQuery, NamedRecord, missing};

/// Answers what is asked of the type AuditEvent.
pub async fn answer(context: &Context, grant: &Grant, request: &Request) -> Result<Response> {
    match &request.interaction {
        Interaction::Read(resource_type, id) => {
            request.refuse_unknown(COMMON_PARAMETERS)?;
            let found = match AuditKey::from_id(id.as_str()) {
                Some(key) => context.store.audit_record(grant, key).await?,
                // Whoever may not see the audit is told so, whatever the id is.
                None => context.store.audit_record(grant, AuditKey::default()).await?,
            };
            let found = found.ok_or_else(|| missing(*resource_type))?;
            Ok(Response::of_body(200, of_record(request, &found).to_bytes()))
        }
        Interaction::Search(_) => search(context, grant, request).await,
        _ => Err(super::never_written()),
    }
}

fn of_record(request: &Request, NamedRecord { key, record }: &NamedRecord) -> Object {
    event(&key.to_id(), record, &request.base)
}

async fn search(context: &Context, grant: &Grant, request: &Request) -> Result<Response> {
    let mut asked = read(context, request)?;
    if let Interaction::Search(Scope::Compartment { compartment, id, .. }) = &request.interaction {
        if *compartment != ResourceType::PATIENT {
            return Err(Error::not_supported("The audit has a compartment for each patient, and no other."));
        }
        asked.query.patient = Some(id.clone());
    }
    let (found, more) = match asked.id {
        Some(key) => (context.store.audit_record(grant, key).await?.into_iter().collect(), false),
        None => page(&asked.query, |query| async move { context.store.audit_list(grant, &query).await }).await?,
    };
    if asked.id.is_some() && asked.used.len() > 1 {
        return Err(Error::not_supported("A record's id is searched for alone.").at("_id"));
    }
    let events: Vec<Object> = found.iter().map(|one| of_record(request, one)).collect();
    let last = found.last().map(|one| one.key).filter(|_| more);
    let path = match &request.interaction {
        Interaction::Search(scope) => scope.path(),
        _ => "AuditEvent".to_owned(),
    };
    Ok(Response::of_body(200, bundle(request, &path, &asked, &events, last)))
}

/// `Patient/{id}/$accesses`: who opened the record, when, and why, for the patient.
pub async fn accesses(context: &Context, grant: &Grant, request: &Request, patient: &Id) -> Result<Response> {
    let mut asked = read(context, request)?;
    let only = ["date", "_count", "_sort"];
    if let Some((name, _)) = asked.used.iter().find(|(name, _)| !only.contains(&name.as_str())) {
        return Err(Error::new(Kind::NotSupported, "Accesses are narrowed by date only.").at(name));
    }
    asked.query.patient = Some(patient.clone());
    let list = |query: AuditQuery| async move { context.store.accesses_of(grant, &query).await };
    let (found, more) = page(&asked.query, list).await?;
    let events: Vec<Object> = found.iter().map(|one| of_record(request, &for_patient(one))).collect();
    let last = found.last().map(|one| one.key).filter(|_| more);
    let body = bundle(request, &format!("Patient/{patient}/$accesses"), &asked, &events, last);
    Ok(Response { patients: vec![patient.clone()], ..Response::of_body(200, body) })
}

/// What concerns the patient: not from where somebody asked, nor the words of a search, which may name others.
fn for_patient(NamedRecord { key, record }: &NamedRecord) -> NamedRecord {
    let mut record = record.clone();
    (record.agent.address, record.what.query) = (None, None);
    NamedRecord { key: *key, record }
}

/// A page, and whether there is another one: one more than the page tells.
async fn page<F: Future<Output = Result<Vec<NamedRecord>>>>(
    query: &AuditQuery,
    list: impl FnOnce(AuditQuery) -> F,
) -> Result<(Vec<NamedRecord>, bool)> {
    let count = usize::try_from(query.count).unwrap_or(usize::MAX);
    let mut found = list(AuditQuery { count: query.count.saturating_add(1), ..query.clone() }).await?;
    let more = found.len() > count;
    found.truncate(count);
    Ok((found, more && count > 0))
}

fn bundle(request: &Request, path: &str, asked: &Asked, events: &[Object], last: Option<AuditKey>) -> Vec<u8> {
    let link = |relation: &str, page: Option<&str>| {
        let used = asked.used.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let query = written(used.chain(page.map(|page| (PAGE, page))));
        let url = format!("{}/{path}", request.base);
        let url = if query.is_empty() { url } else { format!("{url}?{query}") };
        Json::Object(Object::new().with_str("relation", relation).with_str("url", url))
    };
    let page = asked.query.after.map(AuditKey::to_id);
    let mut links = vec![link("self", page.as_deref()), link("first", None)];
    links.extend(last.map(|last| link("next", Some(&last.to_id()))));
    let head = Object::new().with_str("resourceType", "Bundle").with_str("type", "searchset");
    let mut writer = BundleWriter::new(&head.with("link", Json::Array(links)));
    let mode = |mode: &str| Object::new().with("search", Object::new().with_str("mode", mode).into());
    for event in events {
        let id = event.get("id").and_then(Json::as_str).unwrap_or_default();
        let full_url = format!("{}/AuditEvent/{id}", request.base);
        writer.entry(Some(&full_url), Some(&event.to_bytes()), &mode("match"));
    }
    if !asked.ignored.is_empty() {
        writer.entry(None, Some(&caveats(request, &asked.ignored)), &mode("outcome"));
    }
    writer.finish()
}

fn caveats(request: &Request, ignored: &[(String, String)]) -> Vec<u8> {
    let told = |(name, value): &(String, String)| {
        format!("The audit is not searched by {name}. The search was made without '{name}={value}'.")
    };
    let told: Vec<String> = ignored.iter().map(told).collect();
    let issues = told.iter().zip(ignored).map(|(diagnostics, (name, _))| Issue {
        severity: "warning",
        code: "not-supported",
        diagnostics,
        expression: Some(name),
    });
    outcome_of(Some(&request.id), issues).to_bytes()
}
