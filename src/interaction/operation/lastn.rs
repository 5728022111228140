//! `$lastn`: the newest Observations of each code. <https://hl7.org/fhir/R4/observation-operation-lastn.html>

use super::input::{Given, Input};
use super::related::tree;
use super::walk::{Newest, code_keys, each_match};
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::interaction::Context;
use crate::interaction::audit::patients_of;
use crate::interaction::request::Request;
use crate::interaction::response::Response;
use crate::interaction::search::{self, include, searchset};
use crate::search::page::PageValue;
use crate::search::query::Scope;
use crate::store::Reader;
use crate::store::search::{Found, Hit};

/// What shapes another answer than this one.
const REFUSED: &[&str] = &["_sort", "_count", "_page", "_total", "_summary", "_explain"];

pub async fn answer(context: &Context, reader: Reader<'_>, request: &Request) -> Result<Response> {
    let input = Input::read_any(context, request)?;
    let max = input.number("max", 1)?.unwrap_or(1);
    let parameters = parameters(&input, reader)?;
    let strict = request.prefer.strict;
    let mut query =
        search::read(context, &Scope::Type(ResourceType::OBSERVATION), &parameters, strict, Some(&request.base))?;
    let conditions = search::conditions(context, reader, &query).await?;
    let most = context.limits.included_max;
    let mut newest = Newest::new(usize::try_from(max).unwrap_or(usize::MAX));
    let record = each_match(reader, &query.types, &conditions, |hit| {
        let keys = code_keys(tree(&hit.stored)?.object().get("code"));
        newest.take(&keys, date(&hit), hit);
        if newest.len() > most {
            let message = format!("The answer would have more than {most} Observations. Ask for fewer of each code.");
            return Err(Error::new(Kind::TooCostly, message).at("max"));
        }
        Ok(())
    })
    .await?;
    let found = Found { hits: newest.finish(), record, ..Found::default() };
    let included = include::follow(context, reader, &query, &found).await?;
    if input.one("max")?.is_some() {
        query.used.push(("max".to_owned(), max.to_string()));
    }
    let path = "Observation/$lastn".to_owned();
    let answer = searchset::Answer { context, request, path, query: &query, page: None, total: None };
    let shown = found.hits.iter().map(|hit| &hit.stored).chain(&included);
    let patients = patients_of(context, shown);
    Ok(Response { patients, ..Response::of_body(200, answer.write(&found, &included)?) })
}

/// The day or time that the search ordered it by.
fn date(hit: &Hit) -> Option<i64> {
    match hit.key.first() {
        Some(PageValue::Int(date)) if *date != i64::MIN => Some(*date),
        _ => None,
    }
}

/// The parameters of the search. Whose Observations they are must be said, and what they are about.
fn parameters(input: &Input, reader: Reader<'_>) -> Result<Vec<(String, String)>> {
    let mut parameters = Vec::new();
    for given in input.all().filter(|given| given.name != "max") {
        if REFUSED.contains(&code(given)) {
            let message = "is not for this operation, which says by itself how many there are and in which order";
            return Err(given.refuse(message));
        }
        parameters.push((given.name.clone(), given.text()?.to_owned()));
    }
    let has = |is: fn(&str) -> bool| input.all().any(|given| is(code(given)));
    if !has(|code| matches!(code, "patient" | "subject")) {
        let Some(patient) = reader.grant().patient() else {
            return Err(Error::invalid("Say whose Observations: patient=123 or subject=Patient/123.").at("patient"));
        };
        parameters.push(("patient".to_owned(), patient.to_string()));
    }
    if !has(|code| code == "category" || code.contains("code")) {
        let message =
            "Say which Observations: by category, such as category=vital-signs, or by a parameter with a code.";
        return Err(Error::invalid(message).at("category"));
    }
    Ok(parameters)
}

/// A parameter's name without modifier and chain.
fn code(given: &Given) -> &str {
    given.name.split([':', '.']).next().unwrap_or_default()
}
