//! The FHIR search interaction: over the system, a type or a compartment. <https://hl7.org/fhir/R4/http.html#search>

mod explain;
pub mod include;
mod pending;
pub mod searchset;
mod value_set;

use super::Context;
use super::audit::patients_of;
use super::request::Request;
use super::response::Response;
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::search::clause::Clause;
use crate::search::page::{Page, open};
use crate::search::query::{self, Query, Question, Scope, Summary, Total};
use crate::store::search::{Count, Found, Search, Trace};
use crate::store::{Reader, Stored};
use chrono::Utc;

/// Answers a search with a page of matches.
pub async fn answer(context: &Context, reader: Reader<'_>, request: &Request, scope: &Scope) -> Result<Response> {
    let query = read(context, scope, &request.query, request.prefer.strict, Some(&request.base))?;
    if !query.explain {
        return run(context, reader, request, scope, &query).await;
    }
    if !context.limits.explain {
        let message = "A search is explained only where the operator allows it: BRASA_EXPLAIN=on.";
        return Err(Error::not_supported(message).at("_explain"));
    }
    let trace = Trace::default();
    let answer = run(context, reader.traced(&trace), request, scope, &query).await?;
    let body = explain::write(&query, &answer, &trace.steps());
    Ok(Response { patients: answer.patients, ..Response::of_body(200, body) })
}

async fn run(
    context: &Context,
    reader: Reader<'_>,
    request: &Request,
    scope: &Scope,
    query: &Query,
) -> Result<Response> {
    let page = query.page.as_deref().map(|token| open_page(context, query, token)).transpose()?;
    let conditions = pending::settle(context, reader, query).await?;
    let search = Search {
        types: &query.types,
        conditions: &conditions,
        sort: &query.sort,
        page: page.as_ref(),
        count: usize::try_from(query.count).unwrap_or(usize::MAX),
    };
    let mut found = if query.summary == Summary::Count { Found::default() } else { reader.search(&search).await? };
    let total = total(reader, query, &search, &found).await?;
    found.within_records |= total.is_some_and(|count| count.within_records);
    if found.within_records && request.prefer.strict {
        return Err(within_records());
    }
    let included = include::follow(context, reader, query, &found).await?;
    let answer = searchset::Answer {
        context,
        request,
        path: scope.path(),
        query,
        page: page.as_ref(),
        total: total.map(|count| count.matches),
    };
    let shown = found.hits.iter().map(|hit| &hit.stored).chain(&included);
    let patients = patients_of(context, shown);
    Ok(Response { patients, ..Response::of_body(200, answer.write(&found, &included)?) })
}

/// What a search comes to when the database has told what only it knows.
pub async fn conditions(context: &Context, reader: Reader<'_>, query: &Query) -> Result<Vec<Clause>> {
    pending::settle(context, reader, query).await
}

/// Up to `count` resources of a type that meet the criterion of a conditional interaction. It is read strictly: one that
/// is not understood in all its parts would find the wrong resource.
pub async fn find(
    context: &Context,
    reader: Reader<'_>,
    resource_type: ResourceType,
    criterion: &[(String, String)],
    base: &str,
    count: usize,
) -> Result<Vec<Stored>> {
    find_with(context, reader, resource_type, criterion, base, count).await.map(|(_, found)| found)
}

/// As [`find`], with the conditions that the criterion comes to.
pub async fn find_with(
    context: &Context,
    reader: Reader<'_>,
    resource_type: ResourceType,
    criterion: &[(String, String)],
    base: &str,
    count: usize,
) -> Result<(Vec<Clause>, Vec<Stored>)> {
    let query = read(context, &Scope::Type(resource_type), criterion, true, Some(base))?;
    let conditions = pending::settle(context, reader, &query).await?;
    if conditions.is_empty() {
        return Err(Error::invalid("A condition has a search parameter and a value, such as identifier=system|value."));
    }
    let search = Search { types: &query.types, conditions: &conditions, sort: &[], page: None, count };
    let found = reader.search(&search).await?;
    if found.within_records {
        return Err(within_records());
    }
    Ok((conditions, found.hits.into_iter().map(|hit| hit.stored).collect()))
}

/// A chain that cannot be followed from one record into another, where nothing but the whole answer will do.
fn within_records() -> Error {
    let message = "More resources meet the chained condition than can be followed one by one. Narrow it.";
    Error::new(Kind::TooCostly, message)
}

/// Reads a search as it is asked.
pub fn read(
    context: &Context,
    scope: &Scope,
    parameters: &[(String, String)],
    strict: bool,
    base: Option<&str>,
) -> Result<Query> {
    query::parse(&Question {
        scope,
        parameters,
        registry: &context.registry(),
        strict,
        now_us: Utc::now().timestamp_micros(),
        base: context.own_base.as_deref().or(base),
        base_is_guessed: context.own_base.is_none(),
        count_default: context.limits.page_count_default,
        count_max: context.limits.page_count_max,
    })
}

fn open_page(context: &Context, query: &Query, token: &str) -> Result<Page> {
    let page = open(&context.store.paging_secret, &query.fingerprint, token).and_then(|bytes| Page::decode(&bytes));
    let message = "This is not a page of this search. Follow the links of its Bundle, or start again without '_page'.";
    page.ok_or_else(|| Error::invalid(message).at("_page"))
}

/// How many match in all, where it was asked for.
async fn total(reader: Reader<'_>, query: &Query, search: &Search<'_>, found: &Found) -> Result<Option<Count>> {
    let is_asked = query.summary == Summary::Count || query.total != Total::None;
    if !is_asked {
        return Ok(None);
    }
    let is_whole = query.summary != Summary::Count && search.page.is_none() && !found.more;
    if is_whole {
        let matches = i64::try_from(found.hits.len()).unwrap_or(i64::MAX);
        return Ok(Some(Count { matches, within_records: found.within_records }));
    }
    let whole = Search { page: None, ..*search };
    Ok(Some(match query.total {
        Total::Estimate => reader.estimate(&whole).await?,
        Total::None | Total::Accurate => reader.count(&whole).await?,
    }))
}
