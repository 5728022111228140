//! Each invariant of R4 is broken in one of HL7's examples, which is then refused for that and for nothing else.

use super::{examples, name};
use crate::fhir::json::{Json, parse};
use crate::fhir::resource::Resource;
use crate::validate::{Level, check};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

/// `path key others example change…`, with tabs between them: where R4 defines the invariant, its key, what else cannot be
/// right then, an example, and what is changed in it. A change is a place and, after a space, what comes there; without it what
/// stands there goes.
const TABLE: &str = "tests/data/broken-invariants.tsv";

/// Invariants that nothing breaks, and why.
const NEVER_BROKEN: &[(&str, &str, &str)] = &[(
    "ElementDefinition",
    "eld-11",
    "its expression asks whether a comparison exists, which is so wherever there is a type",
)];

/// What the definitions have: `path key severity expression human`.
const DEFINITIONS: &str = "definitions/r4/invariants.tsv";

fn rows(file: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// The part of `json` at a place such as `entry.0.resource`.
fn within<'j>(json: &'j mut Json, place: &str) -> &'j mut Json {
    place.split('.').fold(json, |json, step| match json {
        Json::Object(object) => object.get_mut(step).unwrap_or_else(|| panic!("{place}: no {step}")),
        Json::Array(items) => &mut items[step.parse::<usize>().unwrap()],
        other => panic!("{place}: {other:?} has no {step}"),
    })
}

fn change(json: &mut Json, change: &str) {
    let (place, value) = change.split_once(' ').map_or((change, None), |(place, value)| (place, Some(value)));
    let value = value.map(|text| parse(text.as_bytes(), 64).unwrap());
    let (parent, last) = match place.rsplit_once('.') {
        Some((parent, last)) => (within(json, parent), last),
        None => (json, place),
    };
    match (parent, value) {
        (Json::Object(object), None) => drop(object.remove(last).unwrap_or_else(|| panic!("{place} is not there"))),
        (Json::Object(object), Some(value)) => match object.get_mut(last) {
            Some(before) => *before = value,
            None => object.push(SmolStr::new(last), value),
        },
        (Json::Array(items), value) => {
            let position = last.parse::<usize>().unwrap();
            items.splice(position..items.len().min(position + 1), value);
        }
        (other, _) => panic!("{place}: {other:?} has no parts"),
    }
}

/// What an example is refused for: the keys of invariants, and the codes of all else.
fn reasons(resource: &Resource) -> BTreeSet<String> {
    let report = check(resource, Level::Full);
    let reason = |message: &str, code: &str| {
        let key = message.rsplit_once('(').and_then(|(_, rest)| rest.strip_suffix(")."));
        match (code, key) {
            ("invariant", Some(key)) => key.to_owned(),
            // R4's JSON says the same of an object.
            ("structure", _) if message == "An object has at least one member." => "ele-1".to_owned(),
            _ => code.to_owned(),
        }
    };
    report.findings().iter().map(|finding| reason(&finding.message, finding.code)).collect()
}

#[test]
fn an_example_in_which_an_invariant_is_broken_is_refused_for_that_invariant() {
    let examples: BTreeMap<String, Resource> =
        examples().into_iter().map(|example| (name(&example), example)).collect();
    let mut wrong = Vec::new();
    for row in rows(TABLE) {
        let [path, key, others, example, changes @ ..] = row.as_slice() else { panic!("{row:?}") };
        let whole = examples.get(example).unwrap_or_else(|| panic!("no example {example}"));
        assert_eq!(reasons(whole), BTreeSet::new(), "{example}");
        let mut json = whole.json().clone();
        changes.iter().for_each(|one| change(&mut json, one));
        let reasons = reasons(&Resource::from_json(json).unwrap());
        let expected = std::iter::once(key.as_str()).chain(others.split_whitespace()).map(str::to_owned);
        if reasons != expected.collect() {
            wrong.push(format!("{path} {key} in {example}: {reasons:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_invariant_of_severity_error_is_broken_somewhere() {
    let defined = rows(DEFINITIONS).into_iter().filter(|row| row[2] == "error");
    let defined: BTreeSet<(String, String)> = defined.map(|row| (row[0].clone(), row[1].clone())).collect();
    // One of the profile that R4 has for these elements: it is broken at some of them, of each form.
    let (of_simple, defined): (BTreeSet<_>, BTreeSet<_>) = defined.into_iter().partition(|(_, key)| key == "sqty-1");
    let never = NEVER_BROKEN.iter().map(|(path, key, _)| ((*path).to_owned(), (*key).to_owned()));
    let broken = rows(TABLE).into_iter().map(|row| (row[0].clone(), row[1].clone()));
    let (simple, broken): (BTreeSet<_>, BTreeSet<_>) = broken.partition(|(_, key)| key == "sqty-1");
    assert_eq!(broken.into_iter().chain(never).collect::<BTreeSet<_>>(), defined);
    assert_eq!((defined.len(), of_simple.len()), (210, 55));
    assert!(simple.is_subset(&of_simple) && simple.iter().any(|(path, _)| path.ends_with("[x]")), "{simple:?}");
}
