//! R4's own invariants: each compiles, and HL7's examples keep those that the base definitions have.

use super::super::value::Kind;
use super::super::{Budget, Element, Expression, Item, Value, Variables};
use crate::fhir::json::parse;
use std::collections::BTreeMap;
use std::io::Read;

const INVARIANTS: &str = include_str!("../../../definitions/r4/invariants.tsv");

#[test]
fn every_invariant_of_r4_compiles() {
    let mut count = 0;
    for row in INVARIANTS.lines().skip(1) {
        let [path, key, _, expression, _] = row.split('\t').collect::<Vec<_>>().try_into().unwrap();
        if let Err(invalid) = Expression::compile(expression) {
            panic!("{path} {key}: {expression}: {invalid}");
        }
        count += 1;
    }
    assert_eq!(count, 299);
}

/// The compiled invariants of a path, each with its key.
type Rules = BTreeMap<&'static str, Vec<(&'static str, Expression)>>;

/// Counts each invariant that does not hold of an element and of what is in it. A resource inside another one has its own
/// `%resource`.
fn broken<'a>(rules: &Rules, element: Element<'a>, variables: Variables<'a>, found: &mut BTreeMap<String, usize>) {
    let mut variables = variables;
    let mut paths = vec!["Element"];
    if let Kind::Complex(node) = element.kind {
        paths = vec![node.path()];
        match super::super::TypeName::parse("DomainResource").unwrap().covers(element.type_name()) {
            true => paths.push("DomainResource"),
            false => paths.push("Element"),
        }
        if let Some(resource) = Value::resource(element.json) {
            variables.resource = resource;
            paths.retain(|path| *path != "Element");
        }
    }
    let item = Item::Element(element);
    for (key, rule) in paths.into_iter().filter_map(|path| rules.get(path)).flatten() {
        match rule.holds(&item, &variables, Budget::default()) {
            Ok(true) => {}
            Ok(false) => *found.entry((*key).to_owned()).or_default() += 1,
            Err(invalid) => *found.entry(format!("{key}: {invalid}")).or_default() += 1,
        }
    }
    let holds_resources =
        matches!(element.kind, Kind::Complex(node) if ["Bundle.entry", "Parameters.parameter"].contains(&node.path()));
    element.children(&mut |child| {
        // What stands in a Bundle is a resource of its own; what is contained is a part.
        let own = Value::resource(child.json).filter(|_| holds_resources && matches!(child.kind, Kind::Complex(_)));
        let root_resource = own.unwrap_or(variables.root_resource);
        broken(rules, child, Variables { root_resource, ..variables }, found);
    });
}

/// Where HL7's own examples break HL7's own invariants, by how often.
const BROKEN: &[(&str, usize)] = &[];

#[test]
fn hl7s_examples_keep_r4s_invariants() {
    let mut rules = Rules::new();
    for row in INVARIANTS.lines().skip(1) {
        let [path, key, severity, expression, _] = row.split('\t').collect::<Vec<_>>().try_into().unwrap();
        if severity == "error" {
            rules.entry(path).or_default().push((key, Expression::compile(expression).unwrap()));
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/examples.ndjson.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let json = parse(line.as_bytes(), 100).unwrap();
        let Some(resource) = Value::resource(&json) else { continue };
        broken(&rules, resource.into(), Variables::of(resource), &mut found);
    }
    let found: Vec<_> = found.iter().map(|(key, count)| (key.as_str(), *count)).collect();
    assert_eq!(found, BROKEN);
}
