//! How long R4's invariants take: to compile, and to hold of an Observation of Synthea and of the Bundle it came in.
//!
//! `cargo bench --bench invariants`; a figure is the best of ten rounds, in microseconds.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

use brasa::fhir::json::{Json, parse};
use brasa::fhirpath::value::Kind;
use brasa::fhirpath::{Budget, Element, Expression, Item, TypeName, Value, Variables};
use std::collections::HashMap;
use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

const BUNDLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/synthea/Clair_Hayes_2bf7d053.json.gz");
const INVARIANTS: &str = include_str!("../definitions/r4/invariants.tsv");

/// The invariants of severity error, by the path that they stand at.
type Rules = HashMap<&'static str, Vec<Expression>>;

fn rows(keys: &'static [&'static str]) -> impl Iterator<Item = (&'static str, &'static str)> {
    let rows =
        INVARIANTS.lines().skip(1).map(|row| <[&str; 5]>::try_from(row.split('\t').collect::<Vec<_>>()).unwrap());
    let wanted = move |key: &str| keys.is_empty() || keys.contains(&key);
    rows.filter(move |[_, key, severity, ..]| *severity == "error" && wanted(key))
        .map(|[path, _, _, text, _]| (path, text))
}

fn rules(keys: &'static [&'static str]) -> Rules {
    let mut rules = Rules::new();
    rows(keys).for_each(|(path, text)| rules.entry(path).or_default().push(Expression::compile(text).unwrap()));
    rules
}

/// Whether all rules hold of an element and of what is in it.
fn hold<'a>(rules: &Rules, element: Element<'a>, variables: &Variables<'a>) -> bool {
    let domain = TypeName::parse("DomainResource").unwrap();
    let (own, base) = match element.kind {
        Kind::Complex(node) if domain.covers(node.type_name()) => (node.path(), "DomainResource"),
        Kind::Complex(node) => (node.path(), "Element"),
        Kind::Primitive(_) => ("", "Element"),
    };
    let item = Item::Element(element);
    let of = |path: &str| {
        rules.get(path).into_iter().flatten().all(|rule| rule.holds(&item, variables, Budget::default()).unwrap())
    };
    let mut all = of(own) && of(base);
    element.each_child(&mut |child| all &= hold(rules, child, variables));
    all
}

fn main() {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(BUNDLE).unwrap()).read_to_end(&mut text).unwrap();
    let bundle = parse(&text, 100).unwrap();
    let entries = bundle.as_object().unwrap().get("entry").unwrap().items();
    let resources = entries.iter().filter_map(|entry| entry.as_object()?.get("resource"));
    let observations: Vec<&Json> =
        resources.filter(|one| one.as_object().unwrap().get_str("resourceType") == Some("Observation")).collect();
    let bytes = observations.iter().map(|one| one.to_bytes().len()).sum::<usize>() / observations.len();
    println!("Observation: {} read, {bytes} bytes on average", observations.len());
    let count = rows(&[]).count();
    let each = best(20, || rows(&[]).for_each(|(_, text)| drop(black_box(Expression::compile(text).unwrap()))));
    println!("  compile one invariant of {count}: {:.2} µs", each / f64::from(u32::try_from(count).unwrap()));
    let of = |what: &str, keys| {
        let rules = rules(keys);
        let all = best(4_000 / observations.len().max(1), || {
            for one in &observations {
                let resource = Value::resource(one).unwrap();
                black_box(hold(&rules, resource.into(), &Variables::of(resource)));
            }
        });
        println!("  {what}: {:.2} µs", all / f64::from(u32::try_from(observations.len()).unwrap()));
    };
    of("the walk without any", &["nothing"]);
    of("with ele-1 of every element", &["ele-1"]);
    of("with dom-2, dom-3, dom-4 and dom-5", &["dom-2", "dom-3", "dom-4", "dom-5"]);
    of("with all", &[]);
    let resource = Value::resource(&bundle).unwrap();
    for key in ["bdl-7", "bdl-3", "bdl-1"] {
        let (_, rest) = INVARIANTS.lines().find_map(|row| row.split_once(&format!("\t{key}\terror\t"))).unwrap();
        let (text, _human) = rest.split_once('\t').unwrap();
        let rule = Expression::compile(text).unwrap();
        let micros =
            best(5, || drop(black_box(rule.holds(&resource.into(), &Variables::of(resource), Budget::default()))));
        println!("  {key} on a Bundle of {} entries: {micros:.0} µs", entries.len());
    }
}

/// Microseconds of one turn.
fn best(turns: usize, work: impl Fn()) -> f64 {
    let turns = u32::try_from(turns.max(1)).unwrap();
    let round = || {
        let start = Instant::now();
        (0..turns).for_each(|_| work());
        start.elapsed().as_secs_f64() * 1e6 / f64::from(turns)
    };
    (0..10).map(|_| round()).fold(f64::INFINITY, f64::min)
}
