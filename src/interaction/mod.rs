//! The FHIR interactions: one grammar of requests, one `handle` that answers them, one way to write.

mod audit;
pub mod binary;
mod bundle;
mod canonical;
pub mod capabilities;
mod conditional;
mod create;
mod delete;
mod history;
pub mod mint;
pub mod operation;
pub mod operations;
pub mod parameters;
pub mod patch;
pub mod profiles;
mod read;
pub mod reindex;
pub mod request;
pub mod response;
pub mod route;
mod search;
mod update;
mod write;

pub use bundle::entry_request;

use crate::auth::{self, Grant};
use crate::error::{Error, Issue, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::invalid::Invalid;
use crate::fhir::resource::Resource;
use crate::search::entry::Entries;
use crate::search::extract::extract_telling;
use crate::search::registry::Registry;
use crate::store::Store;
use crate::validate;
use conditional::Criterion;
use mint::Minter;
use parameters::Parameters;
use profiles::Profiles;
use request::Request;
use response::Response;
use route::Interaction;
use std::pin::Pin;
use std::sync::Arc;

/// What every interaction works with.
pub struct Context {
    pub store: Store,
    pub limits: Limits,
    pub minter: Minter,
    /// What can be asked of each type, and so what the index remembers.
    pub parameters: Parameters,
    /// What was read of stored profiles, and whether writes are held to them.
    pub profiles: Profiles,
    /// The configured address of this server; absolute references that start with it are local ones.
    pub own_base: Option<String>,
    /// Whether whoever asks must say who it is, and so how is told.
    pub has_accounts: bool,
}

impl Context {
    /// The search parameters as they are now: taken once for a request.
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.parameters.known().registry)
    }

    /// What the index holds of a resource.
    fn entries(&self, registry: &Registry, resource: &Resource) -> Entries {
        extract_telling(registry, resource, self.own_base.as_deref(), &mut |parameter| {
            self.parameters.tell_exceeded(&parameter.url);
        })
    }
}

/// Bounds on what one request may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Levels of nested JSON.
    pub json_depth_max: usize,
    /// What a resource may grow to by patches (bytes): as much as may come in one body.
    pub resource_bytes_max: usize,
    pub bundle_entries_max: usize,
    /// Entries of one batch that are answered at once.
    pub batch_concurrency: usize,
    /// Entries of a page when the client names no `_count`.
    pub page_count_default: u32,
    pub page_count_max: u32,
    /// Resources that go along with a page.
    pub included_max: usize,
    /// Resources that one conditional delete may delete.
    pub conditional_deletes_max: usize,
    /// Whether `_explain` is answered.
    pub explain: bool,
    /// How closely what is written is looked at.
    pub validation: validate::Level,
}

/// Answers one request, whoever brought it.
pub async fn handle(context: &Context, grant: &Grant, request: &Request) -> Result<Response> {
    handle_with_receipt(context, grant, request, None).await
}

/// As [`handle`]; what a transaction writes commits together with the receipt under which `brasa load` will know it.
pub async fn handle_with_receipt(
    context: &Context,
    grant: &Grant,
    request: &Request,
    receipt: Option<&str>,
) -> Result<Response> {
    let answered = match &request.interaction {
        Interaction::Bundle => bundle::answer(context, grant, request, receipt).await,
        _ => single(context, grant, request, receipt).await,
    };
    audit::note(context, grant, request, &answered).await?;
    answered
}

/// Whether the database answers.
pub async fn ping(context: &Context) -> Result<()> {
    context.store.ping().await
}

/// Whether the piece with this receipt is stored already.
pub async fn has_receipt(context: &Context, receipt: &str) -> Result<bool> {
    let grant = auth::of_server();
    context.store.reader(&grant).has_receipt(receipt).await
}

type Answering<'a> = Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>;

/// Only chooses: what answers is boxed by itself, so that the task of a read is not as large as that of the largest
/// interaction, nor its stack as deep.
fn single<'a>(context: &'a Context, grant: &'a Grant, request: &'a Request, receipt: Option<&'a str>) -> Answering<'a> {
    if context.store.has_trail() && request.interaction.resource_type() == Some(ResourceType::AUDIT_EVENT) {
        return Box::pin(audit::answer(context, grant, request));
    }
    match &request.interaction {
        Interaction::Read(..) | Interaction::Vread(..) | Interaction::History(_) | Interaction::Search(_) => {
            reading(context, context.store.reader(grant), request)
        }
        Interaction::Create(of) => Box::pin(create::answer(context, grant, request, *of, receipt)),
        Interaction::Update(of, id) => Box::pin(update::answer(context, grant, request, *of, id, receipt)),
        Interaction::Patch(of, id) => Box::pin(patch::answer(context, grant, request, *of, id, receipt)),
        Interaction::ConditionalUpdate(of) => Box::pin(async move {
            let criterion = Criterion::of_query(*of, request)?;
            conditional::update(context, grant, request, &criterion, receipt).await
        }),
        Interaction::ConditionalPatch(of) => Box::pin(async move {
            let criterion = Criterion::of_query(*of, request)?;
            conditional::patch(context, grant, request, &criterion, receipt).await
        }),
        Interaction::ConditionalDelete(of) => Box::pin(async move {
            let criterion = Criterion::of_query(*of, request)?;
            conditional::delete(context, grant, request, &criterion).await
        }),
        Interaction::Delete(of, id) => Box::pin(delete::answer(context, grant, request, *of, id)),
        Interaction::Reindex(level) => Box::pin(reindex::start(context, grant, request, level)),
        Interaction::ReindexStatus => Box::pin(reindex::status(context, grant, request)),
        Interaction::Accesses(patient) => Box::pin(audit::accesses(context, grant, request, patient)),
        Interaction::Operation(code, level) => Box::pin(operation::answer(context, grant, request, *code, level)),
        Interaction::Capabilities => at_once(capabilities::answer(context, request)),
        Interaction::Definition(operation) => at_once(capabilities::definition(context, request, operation)),
        Interaction::Bundle => at_once(Err(Error::invalid("A Bundle cannot be an entry's request."))),
    }
}

/// Answers what only reads, inside a transaction or outside.
fn reading<'a>(context: &'a Context, reader: crate::store::Reader<'a>, request: &'a Request) -> Answering<'a> {
    let refused = |message: &str| at_once(Err(Error::not_supported(message)));
    if context.store.has_trail() && request.interaction.resource_type() == Some(ResourceType::AUDIT_EVENT) {
        return refused("AuditEvents cannot be part of a transaction: ask for them by themselves.");
    }
    match &request.interaction {
        Interaction::Read(of, id) => Box::pin(read::current(context, reader, request, *of, id)),
        Interaction::Vread(of, id, version) => Box::pin(read::version(context, reader, request, *of, id, version)),
        Interaction::History(scope) => Box::pin(history::answer(context, reader, request, scope)),
        Interaction::Search(scope) => Box::pin(search::answer(context, reader, request, scope)),
        Interaction::Operation(code, level) => Box::pin(operation::read(context, reader, request, *code, level)),
        Interaction::Capabilities => at_once(capabilities::answer(context, request)),
        Interaction::Definition(operation) => at_once(capabilities::definition(context, request, operation)),
        Interaction::Reindex(_) | Interaction::ReindexStatus => {
            refused("$reindex cannot be part of a transaction: send it by itself.")
        }
        Interaction::Accesses(_) => refused("$accesses cannot be part of a transaction: send it by itself."),
        _ => at_once(Err(Error::internal("a writing interaction was sent to be read"))),
    }
}

fn at_once<'a>(answered: Result<Response>) -> Answering<'a> {
    Box::pin(std::future::ready(answered))
}

/// The resource in a request's body, of the type that its address names.
fn body_resource(context: &Context, request: &Request, resource_type: ResourceType) -> Result<Resource> {
    if request.body.is_empty() {
        return Err(Error::invalid(format!("A {resource_type} was expected in the body, which is empty.")));
    }
    let read = Resource::read(&request.body, 0..request.body.len(), context.limits.json_depth_max);
    let resource = read.map_err(|invalid| placed(resource_type, invalid))?;
    if resource.resource_type() != resource_type {
        let message = format!("The address says {resource_type}, the body says {}.", resource.resource_type());
        return Err(Error::new(Kind::Invalid, message).at(format!("{resource_type}.resourceType")));
    }
    check(context.limits.validation, &resource, "").map_err(|error| error.within(resource_type.as_str()))?;
    Ok(resource)
}

/// Refuses what may not be stored, with each fault and its place from the resource on. `before`: what is said before each.
fn check(level: validate::Level, resource: &Resource, before: &str) -> Result<()> {
    refusal(validate::check(resource, level), before)
}

/// What a report says, as a refusal with 422 where it has errors.
fn refusal(report: validate::Report, before: &str) -> Result<()> {
    if !report.has_errors() {
        return Ok(());
    }
    let issue = |finding: validate::Finding| Issue {
        severity: finding.severity.as_str(),
        code: finding.code,
        message: format!("{before}{}", finding.message),
        expression: Some(finding.expression).filter(|place| !place.is_empty()),
    };
    let issues: Vec<Issue> = report.into_findings().into_iter().map(issue).collect();
    let first = issues.first().cloned().ok_or_else(|| Error::internal("a report of errors has none"))?;
    Err(Error { expression: first.expression, issues, ..Error::new(Kind::Unprocessable, first.message) })
}

/// A fault inside a resource, with its place from the resource's type on.
fn placed(resource_type: ResourceType, invalid: Invalid) -> Error {
    let place = if invalid.expression.is_empty() {
        resource_type.as_str().to_owned()
    } else {
        format!("{resource_type}.{}", invalid.expression)
    };
    Error::from(invalid).at(place)
}
