//! What a search did: its statements, where they went, how long they took and what the database planned.

use crate::fhir::json::{Json, Object};
use crate::search::query::Query;
use crate::store::search::{Found, Step};

/// As a Parameters resource, one `step` for each statement.
pub fn write(query: &Query, found: &Found, total: Option<i64>) -> Vec<u8> {
    let mut parameters = Vec::new();
    let types = if query.types.is_empty() { vec!["all"] } else { query.types.iter().map(|one| one.as_str()).collect() };
    parameters.extend(types.into_iter().map(|name| parameter("type", "valueString", Json::string(name))));
    parameters.push(parameter(
        "where",
        "valueString",
        Json::string(match found.record {
            Some(_) => "the record of one patient",
            None => "the records of all patients",
        }),
    ));
    parameters.push(parameter("matches", "valueInteger", Json::from(integer(found.hits.len()))));
    parameters.push(parameter("more", "valueBoolean", Json::Bool(found.more)));
    parameters.extend(total.map(|total| parameter("total", "valueString", Json::string(total.to_string()))));
    parameters.extend(found.steps.iter().map(step));
    let resource = Object::new().with_str("resourceType", "Parameters").with("parameter", Json::Array(parameters));
    resource.to_bytes()
}

fn step(step: &Step) -> Json {
    let parts = vec![
        parameter("purpose", "valueString", Json::string(step.purpose)),
        parameter("shards", "valueString", Json::string(if step.single_shard { "one" } else { "all that can match" })),
        parameter("rows", "valueInteger", Json::from(integer(step.rows))),
        parameter("microseconds", "valueInteger", Json::from(i64::try_from(step.micros).unwrap_or(i64::MAX))),
        parameter("statement", "valueString", Json::string(&step.statement)),
        parameter("plan", "valueString", Json::string(step.plan.join("\n"))),
    ];
    Json::Object(Object::new().with_str("name", "step").with("part", Json::Array(parts)))
}

fn integer(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn parameter(name: &str, kind: &'static str, value: Json) -> Json {
    Json::Object(Object::new().with_str("name", name).with(kind, value))
}
