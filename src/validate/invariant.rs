//! What R4 demands beyond the shape of an element, in FHIRPath. <https://hl7.org/fhir/R4/conformance-rules.html#constraints>

use super::place::Place;
use super::report::{Finding, Severity};
use super::walk::{Scope, Walk};
use crate::fhir::definitions::{Constraint, Constraints, constraints};
use crate::fhir::invalid::Fault;
use crate::fhir::json::Json;
use crate::fhirpath::{Budget, Element, Expression, Item, Variables};
use std::sync::LazyLock;

/// What one invariant may cost on one element (steps). It is some milliseconds; R4's own take a few dozen steps.
const BUDGET: Budget = Budget { steps: 200_000, text_bytes: 1 << 20 };
/// What one may cost for each value of a large resource, where it is about the resource as a whole (steps): those of R4 that look
/// at all entries of a Bundle, or all codes of a CodeSystem, take some twenty.
const STEPS_FOR_A_VALUE: usize = 64;

/// These are looked at where the walk meets what they are about, without an expression.
const WALKED: &[&str] = &["ele-1", "ext-1", "ref-1", "dom-2", "dom-3", "dom-4", "dom-5"];

/// In the order of [`constraints`]; none for those that the walk looks at.
static COMPILED: LazyLock<Vec<Option<Expression>>> = LazyLock::new(|| {
    let compile = |one: &Constraint| match WALKED.contains(&one.key) {
        true => None,
        false => Expression::compile(one.expression).ok(),
    };
    constraints().iter().map(compile).collect()
});

/// Compiles all of them: for the start of a server, so that no request waits for it.
pub fn prepare() {
    LazyLock::force(&COMPILED);
}

/// Evaluates the constraints on one element.
pub fn check<'a>(walk: &mut Walk<'a>, which: Constraints, element: Element<'a>, place: &Place<'_>, scope: Scope<'a>) {
    if which.is_empty() {
        return;
    }
    let item = Item::Element(element);
    let variables = Variables { root_resource: scope.outermost, ..Variables::of(scope.resource) };
    let both = constraints().iter().zip(COMPILED.iter());
    for (constraint, expression) in both.skip(which.range().start).take(which.range().len()) {
        let Some(expression) = expression else { continue };
        if !constraint.is_error && !walk.wants_warnings {
            continue;
        }
        let mut told = expression.holds(&item, &variables, BUDGET);
        let is_whole = std::ptr::eq(element.json, scope.resource.json);
        if is_whole && told.as_ref().is_err_and(|fault| fault.fault == Fault::Bound) {
            let steps = BUDGET.steps.max(STEPS_FOR_A_VALUE * values(element.json));
            told = expression.holds(&item, &variables, Budget { steps, ..BUDGET });
        }
        let (code, message) = match told {
            Ok(true) => continue,
            Ok(false) => ("invariant", format!("{} ({}).", constraint.human.trim_end_matches('.'), constraint.key)),
            Err(fault) if fault.fault == Fault::Bound => {
                ("too-costly", format!("The invariant {} takes too many steps here.", constraint.key))
            }
            // What is of a wrong shape was told already, and lets some of them fail.
            Err(_) if walk.report.has_errors() => continue,
            Err(fault) => {
                ("invariant", format!("The invariant {} cannot be decided: {}", constraint.key, fault.message))
            }
        };
        let severity = if constraint.is_error { Severity::Error } else { Severity::Warning };
        walk.report.add(Finding { severity, code, expression: place.expression(), message });
    }
}

/// How many values a tree has.
fn values(json: &Json) -> usize {
    1 + match json {
        Json::Array(items) => items.iter().map(values).sum(),
        Json::Object(object) => object.iter().map(|(_, value)| values(value)).sum(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_invariant_of_r4_compiles() {
        for (constraint, expression) in constraints().iter().zip(COMPILED.iter()) {
            let is_walked = WALKED.contains(&constraint.key);
            assert_eq!(
                expression.is_none(),
                is_walked,
                "{}: {:?}",
                constraint.key,
                Expression::compile(constraint.expression)
            );
        }
    }
}
