//! What the tests of the kinds share: a parameter of one branch, values from JSON, and whether a clause finds entries.

use super::super::clause::Clause;
use super::super::entry::Entries;
use super::super::evaluate::{Fact, World, matches};
use super::super::hash::{hash32, hash64};
use super::super::registry::{Branch, Component, Parameter, ParameterKind};
use super::{Asked, Refusal, parse_all};
use crate::fhir::definitions::{PrimitiveType, ResourceType, datatype, root};
use crate::fhir::json;
use crate::fhirpath::Walk;
use crate::fhirpath::value::{Kind, Value};
use std::sync::Arc;

pub const BASE: &str = "http://localhost:8000/fhir";
/// 2026-11-26, in microseconds.
pub const NOW: i64 = 1_795_651_200_000_000;
pub const ASKED: Asked<'static> = Asked { base: Some(BASE), base_is_guessed: false, now: NOW };

pub fn branch(kind: ParameterKind, text: &str) -> Branch {
    let kind = format!("{kind:?}");
    Branch {
        only: None,
        text: text.into(),
        expression: Walk::compile(text).unwrap(),
        hash: hash64(&["branch", &kind, text]),
        param: hash32(&["branch", &kind, text]),
        in_patient_compartment: false,
        decides_home: false,
        is_leading_date: false,
        is_identifier: false,
        is_code: false,
    }
}

pub fn parameter(kind: ParameterKind, branches: Vec<Branch>) -> Parameter {
    Parameter {
        code: "test".into(),
        url: "http://example.org/test".into(),
        kind,
        base: ResourceType::OBSERVATION,
        branches: branches.into_iter().map(Arc::new).collect(),
        targets: Vec::new(),
        components: Vec::new(),
        unfinished: None,
    }
}

pub fn component(kind: ParameterKind, code: &str) -> Component {
    Component { kind, code: code.into(), expression: Walk::compile(code).unwrap() }
}

/// A value of a datatype or a resource type; it lives as long as the test.
pub fn value(type_name: &str, text: &str) -> Value<'static> {
    let kind = match (PrimitiveType::parse(type_name), datatype(type_name)) {
        (Some(primitive), _) => Kind::Primitive(primitive),
        (None, Some(node)) => Kind::Complex(node),
        (None, None) => Kind::Complex(root(ResourceType::parse(type_name).unwrap())),
    };
    Value { json: Box::leak(Box::new(json::parse(text.as_bytes(), 20).unwrap())), kind }
}

/// The clause of one value asked of one branch.
pub fn ask(kind: ParameterKind, text: &str, modifier: Option<&str>, value: &str) -> Clause {
    parse_all(&parameter(kind, vec![branch(kind, text)]), modifier, &[value], &ASKED).unwrap()
}

pub fn refuse(kind: ParameterKind, text: &str, modifier: Option<&str>, value: &str) -> Refusal {
    parse_all(&parameter(kind, vec![branch(kind, text)]), modifier, &[value], &ASKED).unwrap_err()
}

/// Whether a resource with these entries meets the clause.
pub fn found(clause: &Clause, entries: &Entries) -> bool {
    let fact = Fact { resource_type: ResourceType::OBSERVATION, id: "1", last_updated_us: 0, entries };
    matches(clause, &fact, &World::default())
}
