//! What the language does: HL7's cases, R4's invariants, and where neither looks.

mod bounds;
mod cases;
mod fhir;
mod invariants;

use super::{Budget, Expression, Items, Value, Variables};
use crate::fhir::invalid::Result;
use crate::fhir::json::{Json, parse};

/// Evaluates on a resource, and hands the outcome over.
fn with<T>(resource: &Json, expression: &str, look: impl FnOnce(Result<Items<'_>>) -> T) -> T {
    let value = Value::resource(resource).unwrap();
    let variables = Variables::of(value);
    let outcome = Expression::compile(expression)
        .and_then(|expression| expression.evaluate(&value.into(), &variables, Budget::default()));
    look(outcome)
}

/// The items as text.
fn found(resource: &str, expression: &str) -> Vec<String> {
    let json = parse(resource.as_bytes(), 64).unwrap();
    with(&json, expression, |items| items.unwrap().iter().map(cases::text).collect())
}

fn refusal(resource: &str, expression: &str) -> String {
    let json = parse(resource.as_bytes(), 64).unwrap();
    with(&json, expression, |items| items.unwrap_err().message)
}
