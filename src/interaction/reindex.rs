//! The `$reindex` operation: writes the index of stored resources again, of one at once, of many in the background.
//! <https://hl7.org/fhir/R4/async.html>

use super::Context;
use super::parameters::{Custom, Known};
use super::request::{COMMON_PARAMETERS, Request};
use super::response::Response;
use super::route::Level;
use crate::auth::{self, Grant};
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::instant::to_instant;
use crate::fhir::json::{Json, Object};
use crate::fhir::outcome::{Issue, outcome};
use crate::fhir::resource::Resource;
use crate::search::entry::Entries;
use crate::store::{Indexer, Listed, ReindexJob};
use chrono::Utc;
use std::sync::Arc;

/// Jobs of the list that is answered when none is named.
const LISTED_MAX: i64 = 20;

/// What the index holds by the search parameters of one time. It counts as a write under way: while it lasts, no server
/// takes this one for knowing what is newer.
pub struct Indexing<'a> {
    context: &'a Context,
    known: Arc<Known>,
}

impl Indexing<'_> {
    pub fn now(context: &Context) -> Indexing<'_> {
        Indexing { context, known: context.parameters.known() }
    }
}

impl Indexer for Indexing<'_> {
    fn entries(&self, resource: &Resource) -> Entries {
        self.context.entries(&self.known.registry, resource)
    }

    fn key(&self) -> i64 {
        self.context.minter.key()
    }
}

/// Starts a job and says where to ask for it; one resource is indexed at once.
pub async fn start(context: &Context, grant: &Grant, request: &Request, level: &Level) -> Result<Response> {
    grant.demand_administration()?;
    request.refuse_unknown(COMMON_PARAMETERS)?;
    refuse_parameters(context, request)?;
    let (scope, types) = match level {
        Level::Instance(resource_type, id) => return one(context, *resource_type, id).await,
        Level::Version(..) => return Err(Error::not_supported("Current versions are indexed, and no others.")),
        Level::Type(resource_type) => (resource_type.to_string(), vec![*resource_type]),
        Level::System => ("everything".to_owned(), ResourceType::all().collect()),
    };
    let number = context.store.make_job(&scope, &types, false).await?;
    let job = context.store.job(number).await?.ok_or_else(|| Error::internal("a job is lost"))?;
    let mut response = Response::of_body(202, parameters(fields(&job)).to_bytes());
    response.headers.push(("content-location", format!("{}/$reindex?job={number}", request.base)));
    Ok(response)
}

/// It has none: a restriction that was ignored would make another job of it.
fn refuse_parameters(context: &Context, request: &Request) -> Result<()> {
    if request.body.is_empty() {
        return Ok(());
    }
    let body = super::body_resource(context, request, ResourceType::PARAMETERS)?;
    match body.object().get("parameter") {
        None => Ok(()),
        Some(_) => Err(Error::not_supported("$reindex has no parameters: its address says what is indexed.")
            .at("Parameters.parameter")),
    }
}

/// What an administrator may not read may be indexed all the same: nothing of it is answered.
async fn one(context: &Context, resource_type: ResourceType, id: &Id) -> Result<Response> {
    let grant = &auth::of_server();
    let current = context.store.reader(grant).current(resource_type, id).await?;
    let current = current.ok_or_else(|| Error::not_found(format!("{resource_type}/{id} does not exist.")))?;
    if current.body.is_none() {
        return Err(Error::new(Kind::Gone, format!("{resource_type}/{id} was deleted.")));
    }
    let listed =
        Listed { compartment: current.compartment, resource_type, id: id.clone(), last_updated: current.last_updated };
    let failed = context.store.reindex(grant, &[listed], &Indexing::now(context)).await?;
    if failed > 0 {
        return Err(Error::internal("a stored body cannot be read"));
    }
    let diagnostics = format!("{resource_type}/{id} is indexed.");
    let issue = Issue { severity: "information", code: "informational", diagnostics: &diagnostics, expression: None };
    Ok(Response { is_outcome: true, ..Response::of_body(200, outcome(None, &issue).to_bytes()) })
}

/// How far a job is: 202 until it has ended, then 200. Without a job's number, the newest jobs and how far the custom
/// search parameters are.
pub async fn status(context: &Context, grant: &Grant, request: &Request) -> Result<Response> {
    grant.demand_administration()?;
    request.refuse_unknown(&[COMMON_PARAMETERS, &["job"]].concat())?;
    let Some(number) = request.parameter("job")? else { return list(context).await };
    let number: i64 = number.parse().map_err(|_| Error::invalid("A job has a number.").at("job"))?;
    let job = context.store.job(number).await?;
    let job = job.ok_or_else(|| Error::not_found("There is no such job.").at("job"))?;
    let mut response = Response::of_body(200, parameters(fields(&job)).to_bytes());
    if job.ended.is_none() {
        response.status = 202;
        response.headers.push(("x-progress", progress(&job)));
        response.headers.push(("retry-after", "1".to_owned()));
    }
    Ok(response)
}

async fn list(context: &Context) -> Result<Response> {
    let jobs = context.store.jobs(LISTED_MAX).await?;
    let known = context.parameters.known();
    let jobs = jobs.iter().map(|job| part("job", fields(job)));
    let custom = known.custom().iter().map(|custom| part("searchParameter", custom_fields(custom)));
    Ok(Response::of_body(200, parameters(jobs.chain(custom).collect()).to_bytes()))
}

/// `running, 43 %`.
pub fn progress(job: &ReindexJob) -> String {
    let state = state(job);
    match percent(job) {
        Some(percent) if job.ended.is_none() => format!("{state}, {percent} %"),
        _ => state.to_owned(),
    }
}

fn state(job: &ReindexJob) -> &'static str {
    match (job.started, job.ended) {
        (None, _) => "waiting",
        (_, None) => "running",
        (_, Some(_)) => "complete",
    }
}

fn percent(job: &ReindexJob) -> Option<i64> {
    let most = if job.ended.is_some() { 100 } else { 99 };
    Some((100 * job.done).checked_div(job.total?).unwrap_or(most).min(most))
}

/// Resources a second since its start.
pub fn per_second(job: &ReindexJob) -> Option<i64> {
    let took = job.ended.unwrap_or_else(Utc::now) - job.started?;
    Some((job.done * 1000).checked_div(took.num_milliseconds()).unwrap_or(job.done))
}

fn fields(job: &ReindexJob) -> Vec<Json> {
    let number = |name: &str, value: i64| field(name, "valueDecimal", Json::from(value));
    let time = |name: &str, at| Some(field(name, "valueInstant", Json::string(to_instant(at?))));
    let mut fields = vec![
        field("job", "valueString", Json::string(job.id.to_string())),
        field("scope", "valueString", Json::string(&job.scope)),
        field("state", "valueCode", Json::string(state(job))),
        number("done", job.done),
        number("failed", job.failed),
    ];
    fields.extend(job.total.map(|total| number("total", total)));
    fields.extend(percent(job).map(|percent| number("percent", percent)));
    fields.extend(per_second(job).map(|rate| number("perSecond", rate)));
    let times = [("made", Some(job.made)), ("started", job.started), ("updated", job.updated), ("ended", job.ended)];
    fields.extend(times.into_iter().filter_map(|(name, at)| time(name, at)));
    fields
}

fn custom_fields(custom: &Custom) -> Vec<Json> {
    let definition = &custom.definition;
    let percent = definition.unfinished.map_or(100, i64::from);
    vec![
        field("reference", "valueString", Json::string(format!("SearchParameter/{}", custom.id))),
        field("code", "valueCode", Json::string(&definition.code)),
        field("state", "valueCode", Json::string(if percent == 100 { "complete" } else { "indexing" })),
        field("percent", "valueDecimal", Json::from(percent)),
    ]
}

fn field(name: &str, kind: &'static str, value: Json) -> Json {
    Json::Object(Object::new().with_str("name", name).with(kind, value))
}

fn part(name: &str, parts: Vec<Json>) -> Json {
    Json::Object(Object::new().with_str("name", name).with("part", Json::Array(parts)))
}

fn parameters(parameters: Vec<Json>) -> Object {
    Object::new().with_str("resourceType", "Parameters").with("parameter", Json::Array(parameters))
}
