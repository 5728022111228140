//! What a search did: its statements, the shards they asked, how long they took and what the database planned.

use crate::fhir::json::{Json, Object};
use crate::interaction::response::Response;
use crate::search::query::Query;
use crate::store::search::Step;

/// As a Parameters resource, one `step` for each statement. The answer itself is left out but for its size.
pub fn write(query: &Query, answer: &Response, steps: &[Step]) -> Vec<u8> {
    let types = if query.types.is_empty() { vec!["*"] } else { query.types.iter().map(|one| one.as_str()).collect() };
    let mut parameters: Vec<Json> = types.into_iter().map(|name| text("type", name)).collect();
    let bytes = answer.body.as_ref().map_or(0, Vec::len);
    parameters.push(integer("bytes", u128::try_from(bytes).unwrap_or_default()));
    parameters.extend(steps.iter().map(step));
    let resource = Object::new().with_str("resourceType", "Parameters").with("parameter", Json::Array(parameters));
    resource.to_bytes()
}

fn step(step: &Step) -> Json {
    let mut parts = vec![text("purpose", step.purpose)];
    parts.extend(step.shards.map(|shards| integer("shards", shards.into())));
    parts.push(integer("rows", u128::try_from(step.rows).unwrap_or_default()));
    parts.push(integer("microseconds", step.took.as_micros()));
    parts.push(text("statement", &step.statement));
    parts.extend(step.runnable.as_deref().map(|runnable| text("runnable", runnable)));
    parts.push(text("plan", &step.plan.join("\n")));
    Json::Object(Object::new().with_str("name", "step").with("part", Json::Array(parts)))
}

fn text(name: &str, value: &str) -> Json {
    Json::Object(Object::new().with_str("name", name).with("valueString", Json::string(value)))
}

/// An integer of FHIR has 32 bits.
fn integer(name: &str, value: u128) -> Json {
    let value = i32::try_from(value).unwrap_or(i32::MAX);
    Json::Object(Object::new().with_str("name", name).with("valueInteger", Json::from(i64::from(value))))
}
