//! How long the entries of a resource take: an Observation and a Patient of Synthea, and the expressions alone.
//!
//! `cargo bench --bench extract`; a figure is the best of ten rounds, in microseconds for one resource.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

use brasa::fhir::definitions::{ResourceType, root};
use brasa::fhir::json::{Json, parse};
use brasa::fhir::resource::Resource;
use brasa::fhirpath::Steps;
use brasa::fhirpath::value::{Kind, Value};
use brasa::search::extract::extract;
use brasa::search::registry::{ParameterKind, Registry};
use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

const BUNDLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/synthea/Clair_Hayes_2bf7d053.json.gz");

fn main() {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(BUNDLE).unwrap()).read_to_end(&mut text).unwrap();
    let bundle = parse(&text, 100).unwrap();
    let resources: Vec<Resource> =
        bundle.as_object().unwrap().get("entry").unwrap().items().iter().map(resource).collect();
    let registry = Registry::standard();
    for resource_type in [ResourceType::OBSERVATION, ResourceType::PATIENT] {
        let all: Vec<_> = resources.iter().filter(|one| one.resource_type() == resource_type).collect();
        let entries = all.iter().map(|one| extract(&registry, one, None)).map(|one| {
            one.tokens.len() + one.strings.len() + one.dates.len() + one.numbers.len() + one.positions.len()
        });
        println!("{resource_type}: {} read, {} entries", all.len(), entries.sum::<usize>());
        report("all", &all, |one| drop(black_box(extract(&registry, one, None))));
        let trees: Vec<_> = all.iter().map(|one| Json::Object(one.object().clone())).collect();
        report("expressions", &trees, |json| evaluate(&registry, resource_type, json));
        report("copy of the tree", &all, |one| drop(black_box(one.object().clone())));
    }
}

fn resource(entry: &Json) -> Resource {
    Resource::from_json(entry.as_object().unwrap().get("resource").unwrap().clone()).unwrap()
}

/// The expressions of the single parameters, without those of composites.
fn evaluate(registry: &Registry, resource_type: ResourceType, json: &Json) {
    let root = Value { json, kind: Kind::Complex(root(resource_type)) };
    let sources = registry.sources_in(resource_type, json.as_object().unwrap());
    for source in sources.filter(|source| source.parameter.kind != ParameterKind::Composite) {
        source.branch.expression.evaluate(root, root, &Steps::default(), &mut |value| {
            black_box(value);
        });
    }
}

fn report<T>(what: &str, resources: &[T], work: impl Fn(&T)) {
    const TURNS: u32 = 2_000;
    let round = || {
        let start = Instant::now();
        (0..TURNS).zip(resources.iter().cycle()).for_each(|(_, one)| work(one));
        start.elapsed().as_secs_f64() * 1e6 / f64::from(TURNS)
    };
    let best = (0..10).map(|_| round()).fold(f64::INFINITY, f64::min);
    println!("  {what}: {best:.2} µs");
}
