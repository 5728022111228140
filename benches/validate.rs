//! How long the validation of a resource takes: Synthea's Observations at each level, and one that grows.
//!
//! `cargo bench --bench validate`; a figure is the median of many turns, in microseconds for one resource.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

use brasa::fhir::definitions::ResourceType;
use brasa::fhir::json::{Json, parse};
use brasa::fhir::resource::Resource;
use brasa::validate::{self, Level, check};
use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

const BUNDLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/synthea/Clair_Hayes_2bf7d053.json.gz");
const TURNS: usize = 20_000;

fn main() {
    validate::prepare();
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(BUNDLE).unwrap()).read_to_end(&mut text).unwrap();
    let bundle = parse(&text, 100).unwrap();
    let resources: Vec<Resource> =
        bundle.as_object().unwrap().get("entry").unwrap().items().iter().map(resource).collect();
    for resource_type in [ResourceType::OBSERVATION, ResourceType::PATIENT, ResourceType::ENCOUNTER] {
        let all: Vec<&Resource> = resources.iter().filter(|one| one.resource_type() == resource_type).collect();
        let bytes = all.iter().map(|one| one.to_bytes().len()).sum::<usize>() / all.len();
        println!("{resource_type}: {} of {bytes} bytes in the mean", all.len());
        let texts: Vec<Vec<u8>> = all.iter().map(|one| one.to_bytes()).collect();
        report("reading the JSON", &texts, |text| drop(black_box(parse(text, 100).unwrap())));
        for level in [Level::Off, Level::Structure, Level::Full] {
            report(&format!("{level:?}"), &all, |one| assert!(!black_box(check(one, level)).has_errors()));
        }
    }
    println!("an Observation that grows");
    for components in [5, 53, 540, 5_400] {
        let one = [grown(components)];
        report(&format!("{components} components, {} bytes", one[0].to_bytes().len()), &one, |one| {
            assert!(!black_box(check(one, Level::Full)).has_errors());
        });
    }
}

fn resource(entry: &Json) -> Resource {
    Resource::from_json(entry.as_object().unwrap().get("resource").unwrap().clone()).unwrap()
}

fn grown(components: usize) -> Resource {
    let component = r#"{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}],"text":"Systolic"},
        "valueQuantity":{"value":120,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}"#;
    let text = format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"component":[{}]}}"#,
        vec![component; components].join(",")
    );
    Resource::from_json(parse(text.as_bytes(), 100).unwrap()).unwrap()
}

fn report<T>(what: &str, resources: &[T], work: impl Fn(&T)) {
    let turns = if resources.len() == 1 { TURNS / 10 } else { TURNS };
    let turn = |one: &T| {
        let start = Instant::now();
        work(one);
        start.elapsed().as_nanos()
    };
    let mut times: Vec<u128> = (0..turns).zip(resources.iter().cycle()).map(|(_, one)| turn(one)).collect();
    times.sort_unstable();
    println!("  {what}: {:.1} µs", times.get(times.len() / 2).copied().unwrap_or_default() as f64 / 1e3);
}
