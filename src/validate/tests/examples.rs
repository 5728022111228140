//! HL7's examples are valid, and each stops to be so when one thing in it is broken.

mod broken;

use crate::fhir::definitions::{Element, ElementKind, Node, PrimitiveType, ResourceType, root};
use crate::fhir::json::{Json, Object, parse};
use crate::fhir::resource::Resource;
use crate::validate::{Level, check};
use flate2::read::GzDecoder;
use smol_str::SmolStr;
use std::io::Read;

/// Examples that are not valid R4, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("ActivityDefinition/blood-tubes-supply", "its narrative is empty"),
    ("ActivityDefinition/heart-valve-replacement", "its narrative is empty"),
    ("DeviceMetric/example", "its parent is a DeviceDefinition, which the definition does not allow"),
    ("DeviceUseStatement/example", "its reason is a Procedure, which the definition does not allow"),
    ("EventDefinition/example", "its narrative is empty"),
    ("MedicationRequest/medrx0301", "its dispenser is a Practitioner, which the definition does not allow"),
    ("Observation/clinical-gender", "its performer is an Encounter, which the definition does not allow"),
    ("Questionnaire/qs1", "its display items have no linkId"),
    ("Questionnaire/zika-virus-exposure-assessment", "its narrative is empty"),
];

fn examples() -> Vec<Resource> {
    let packed = std::fs::read("tests/data/examples.ndjson.gz").unwrap();
    let mut text = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| Resource::from_json(parse(line.as_bytes(), 100).unwrap()).unwrap()).collect()
}

fn name(resource: &Resource) -> String {
    format!("{}/{}", resource.resource_type(), resource.object().get_str("id").unwrap())
}

#[test]
fn every_example_is_valid_but_those_that_are_listed() {
    let mut wrong = Vec::new();
    for example in examples() {
        let report = check(&example, Level::Full);
        let name = name(&example);
        let is_listed = EXCEPTIONS.iter().any(|(listed, _)| *listed == name);
        if report.has_errors() != is_listed {
            wrong.push(format!("{name}: {:?}", report.findings().first()));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn synthetic_patients_are_valid() {
    let (mut count, mut wrong) = (0, Vec::new());
    for file in std::fs::read_dir("tests/data/synthea").unwrap() {
        let mut text = String::new();
        GzDecoder::new(std::fs::File::open(file.unwrap().path()).unwrap()).read_to_string(&mut text).unwrap();
        let bundle = parse(text.as_bytes(), 100).unwrap();
        for entry in bundle.as_object().unwrap().get("entry").unwrap().items() {
            let json = entry.as_object().unwrap().get("resource").unwrap().clone();
            let resource = Resource::from_json(json).unwrap();
            let report = check(&resource, Level::Full);
            let faults = report
                .findings()
                .iter()
                .map(|one| format!("{}: {} {}: {}", resource.resource_type(), one.code, one.expression, one.message));
            wrong.extend(faults);
            count += 1;
        }
    }
    wrong.sort();
    wrong.dedup();
    assert_eq!(wrong, Vec::<String>::new());
    assert!(count > 26_000, "{count}");
}

/// One thing to break.
struct Mutation {
    /// Names and positions, from the resource on.
    path: Vec<Step>,
    change: Change,
}

#[derive(Clone)]
enum Step {
    Name(&'static str),
    Position(usize),
}

#[derive(Clone, Debug, PartialEq)]
enum Change {
    /// The object here loses a required member.
    Remove(&'static str),
    /// The value here becomes one of another JSON type.
    Retype,
    /// The code here becomes one that does not exist.
    Recode,
    /// The date here becomes one that no calendar has.
    Redate,
    /// The object here gets a member that R4 does not have.
    Add,
}

/// All that can be broken in an object.
fn mutations(object: &Object, node: Node, path: &[Step], found: &mut Vec<Mutation>) {
    found.push(Mutation { path: path.to_vec(), change: Change::Add });
    for demand in node.demands() {
        let there: Vec<_> = demand.properties.iter().filter(|name| object.get(name).is_some()).collect();
        if let [name] = there.as_slice()
            && !object.iter().any(|(key, _)| key.strip_prefix('_') == Some(**name))
        {
            found.push(Mutation { path: path.to_vec(), change: Change::Remove(name) });
        }
    }
    for (key, value) in object.iter() {
        let Some(element) = node.child(key) else { continue };
        let mut path = path.to_vec();
        path.push(Step::Name(element.name));
        for (position, value) in value.items().iter().enumerate() {
            if element.is_list {
                path.push(Step::Position(position));
            }
            of_item(value, element, &path, found);
            if element.is_list {
                path.pop();
            }
        }
    }
}

fn of_item(value: &Json, element: &Element, path: &[Step], found: &mut Vec<Mutation>) {
    let mut push = |change| found.push(Mutation { path: path.to_vec(), change });
    match (element.kind, value) {
        (ElementKind::Primitive(primitive), value) if *value != Json::Null => {
            push(Change::Retype);
            if element.binding.is_some_and(|set| set.contains(None, "no-such-code") == Some(false)) {
                push(Change::Recode);
            }
            if matches!(primitive, PrimitiveType::Date | PrimitiveType::DateTime | PrimitiveType::Instant) {
                push(Change::Redate);
            }
        }
        (ElementKind::Complex(node), Json::Object(inner)) => mutations(inner, node, path, found),
        (ElementKind::Resource, Json::Object(inner)) => {
            let resource_type = inner.get_str("resourceType").and_then(ResourceType::parse).unwrap();
            mutations(inner, root(resource_type), path, found);
        }
        _ => {}
    }
}

fn at<'j>(json: &'j mut Json, path: &[Step]) -> &'j mut Json {
    path.iter().fold(json, |json, step| match (step, json) {
        (Step::Name(name), Json::Object(object)) => object.get_mut(name).unwrap(),
        (Step::Position(position), Json::Array(items)) => &mut items[*position],
        (_, json) => panic!("no such place: {json:?}"),
    })
}

fn broken(example: &Resource, mutation: &Mutation) -> Resource {
    let mut json = example.json().clone();
    let value = at(&mut json, &mutation.path);
    match (&mutation.change, value) {
        (Change::Remove(name), Json::Object(object)) => drop(object.remove(name)),
        (Change::Add, Json::Object(object)) => object.push(SmolStr::new_static("noSuchElement"), Json::Bool(true)),
        (Change::Retype, value) => {
            *value = match value {
                Json::Bool(_) => Json::string("true"),
                _ => Json::Bool(true),
            }
        }
        (Change::Recode, value) => *value = Json::string("no-such-code"),
        (Change::Redate, value) => *value = Json::string("2021-02-30"),
        (change, value) => panic!("{change:?} of {value:?}"),
    }
    Resource::from_json(json).unwrap()
}

#[test]
fn an_example_with_one_thing_broken_is_refused_for_that() {
    let mut tried = [0; 5];
    for example in examples() {
        let name = name(&example);
        let before = check(&example, Level::Full);
        if before.has_errors() {
            continue;
        }
        let mut all = Vec::new();
        mutations(example.object(), root(example.resource_type()), &[], &mut all);
        // Not each of the hundreds in a long one: some from all over it.
        let step = all.len() / 40 + 1;
        for mutation in all.iter().step_by(step) {
            let (code, kind) = match mutation.change {
                Change::Remove(_) => ("required", 0),
                Change::Retype => ("structure", 1),
                Change::Recode => ("code-invalid", 2),
                Change::Redate => ("value", 3),
                Change::Add => ("structure", 4),
            };
            tried[kind] += 1;
            let report = check(&broken(&example, mutation), Level::Full);
            let is_told = report.findings().iter().any(|finding| finding.code == code);
            assert!(is_told, "{name}: {:?}: {:?}", mutation.change, report.findings());
        }
    }
    assert!(tried.iter().all(|count| *count > 50), "{tried:?}");
}
