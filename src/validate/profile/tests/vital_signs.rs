//! HL7's own profiles of vital signs, with its examples that claim them, whole and with one thing broken.

use super::*;
use flate2::read::GzDecoder;
use std::io::Read;

const BASE: &str = "http://hl7.org/fhir/StructureDefinition/";

fn lines(path: &str) -> Vec<String> {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn stored() -> Stored {
    let mut stored = Stored::default();
    lines("tests/data/profiles.ndjson.gz").iter().for_each(|line| stored.add(line));
    stored
}

fn example(id: &str) -> String {
    let id = format!("\"id\":\"{id}\"");
    lines("tests/data/examples.ndjson.gz")
        .into_iter()
        .find(|line| line.replace(": ", ":").contains(&id) && line.contains("\"Observation\""))
        .unwrap_or_else(|| panic!("no example {id}"))
}

/// The errors as `code place`, and all else by itself.
fn held(stored: &Stored, text: &str, profile: &str) -> (Vec<String>, Vec<String>) {
    let named = [format!("{BASE}{profile}")];
    let held = hold(&resource(text), &Against { shelf: stored, named: &named, must_be_known: true, now: None });
    assert!(held.missed.is_empty());
    let findings = held.report.into_findings();
    let (errors, others): (Vec<_>, Vec<_>) = findings.into_iter().partition(|one| one.severity == Severity::Error);
    (
        errors.iter().map(|one| format!("{} {}", one.code, one.expression)).collect(),
        others.iter().map(|one| format!("{} {}: {}", one.code, one.expression, one.message)).collect(),
    )
}

#[test]
fn hl7s_profiles_are_read_without_a_gap() {
    for line in lines("tests/data/profiles.ndjson.gz").iter().filter(|line| line.contains("\"StructureDefinition\",")) {
        let definition = resource(line);
        let read = read::read(definition.object())
            .unwrap_or_else(|why| panic!("{why}: {:?}", definition.object().get_str("url")));
        assert_eq!(read.gaps, Vec::<String>::new(), "{}", read.url);
    }
}

#[test]
fn hl7s_examples_conform_to_the_profiles_of_vital_signs_that_they_claim() {
    let (stored, mut count) = (stored(), 0);
    for line in
        lines("tests/data/examples.ndjson.gz").iter().filter(|line| line.contains("StructureDefinition/vitalsigns"))
    {
        let (errors, _) = held(&stored, line, "vitalsigns");
        assert_eq!(errors, Vec::<String>::new(), "{line}");
        count += 1;
    }
    assert_eq!(count, 12);
    for (id, profile) in [
        ("blood-pressure", "bp"),
        ("blood-pressure-cancel", "bp"),
        ("body-height", "bodyheight"),
        ("body-length", "bodyheight"),
        ("body-temperature", "bodytemp"),
        ("bmi", "bmi"),
        ("head-circumference", "headcircum"),
        ("heart-rate", "heartrate"),
        ("respiratory-rate", "resprate"),
        ("satO2", "oxygensat"),
        ("vitals-panel", "vitalspanel"),
    ] {
        let (errors, _) = held(&stored, &example(id), profile);
        assert_eq!(errors, Vec::<String>::new(), "{id}");
    }
}

#[test]
fn an_example_with_one_thing_broken_does_not_conform() {
    let stored = stored();
    let pressure = example("blood-pressure");
    for (from, to, expected) in [
        // The slices of the components are told apart by their codes.
        ("\"8480-6\"", "\"8480-7\"", vec!["required component"]),
        ("\"85354-9\"", "\"85354-8\"", vec!["required code.coding"]),
        ("\"vital-signs\"", "\"laboratory\"", vec!["required category"]),
        (
            "\"mm[Hg]\"",
            "\"kPa\"",
            vec![
                "code-invalid component[0].value",
                "code-invalid component[1].value",
                "value component[0].value.code",
                "value component[1].value.code",
            ],
        ),
        ("\"effectiveDateTime\":\"2012-09-17\"", "\"effectiveDateTime\":\"2012\"", vec!["invariant effective"]),
        ("\"effectiveDateTime\":\"2012-09-17\"", "\"issued\":\"2012-09-17T00:00:00Z\"", vec!["required effective"]),
    ] {
        let spaced = from.replacen("\":\"", "\": \"", 1);
        let broken = if pressure.contains(from) { pressure.replace(from, to) } else { pressure.replace(&spaced, to) };
        assert_ne!(broken, pressure, "{from} is not in the example");
        let (mut errors, _) = held(&stored, &broken, "bp");
        // The example claims `vitalsigns` by itself, on which `bp` stands.
        errors.sort();
        errors.dedup();
        assert_eq!(errors, expected, "{from} -> {to}");
    }
}
