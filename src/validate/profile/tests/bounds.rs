//! What would take for ever ends, and says so.

use super::rules::{observation, patient};
use super::*;

const CODED: &str = r#""category":[{"coding":[{"system":"http://c","code":"x"}]}]"#;

fn bound_to(stored: &mut Stored, value_set: &str) {
    let element = format!(
        r#"{{"path":"Observation.category","min":0,"max":"*","binding":{{"strength":"required","valueSet":"{value_set}"}}}}"#
    );
    stored.profile("p", "Observation", &element);
}

#[test]
fn value_sets_that_lead_to_each_other_many_times_over_end() {
    let mut stored = Stored::default();
    for number in 0..12 {
        let include = format!(r#"{{"valueSet":["http://v/{}"]}}"#, number + 1);
        let includes = vec![include; 10].join(",");
        stored.add(&format!(
            r#"{{"resourceType":"ValueSet","url":"http://v/{number}","compose":{{"include":[{includes}]}}}}"#
        ));
    }
    let last = |code: &str| {
        format!(
            r#"{{"resourceType":"ValueSet","url":"http://v/12","compose":{{"include":[{{"system":"http://c","concept":[{{"code":"{code}"}}]}}]}}}}"#
        )
    };
    stored.add(&last("other"));
    bound_to(&mut stored, "http://v/0");
    let told = stored.told(&observation(CODED), &["p"]);
    assert!(told.contains(&"error too-costly ".to_owned()), "{told:?}");
    // Who finds the code goes no further.
    stored.add(&last("x"));
    assert_eq!(stored.told(&observation(CODED), &["p"]), [""; 0]);
}

#[test]
fn a_long_pattern_beside_a_long_list_ends() {
    let mut stored = Stored::default();
    let codings = |prefix: &str, count: usize| {
        let of = |number| format!(r#"{{"system":"http://c","code":"{prefix}{number}"}}"#);
        (0..count).map(of).collect::<Vec<_>>().join(",")
    };
    let pattern = |prefix: &str, count: usize| {
        format!(
            r#"{{"path":"Observation.code","min":1,"max":"1","patternCodeableConcept":{{"coding":[{}]}}}}"#,
            codings(prefix, count)
        )
    };
    stored.profile("p", "Observation", &pattern("a", 2_000));
    stored.profile("short", "Observation", &pattern("a", 20));
    let text =
        format!(r#"{{"resourceType":"Observation","status":"final","code":{{"coding":[{}]}}}}"#, codings("a", 2_000));
    assert_eq!(stored.told(&text, &["short"]), [""; 0]);
    let told = stored.told(&text, &["p"]);
    assert!(told.contains(&"error too-costly ".to_owned()), "{told:?}");
}

#[test]
fn what_an_invariant_asks_of_other_profiles_is_of_the_same_allowance() {
    let mut stored = Stored::default();
    // Each item asks for a profile that has very many rules for it.
    stored.sliced("many", 400, "open");
    stored.add(
        r#"{"resourceType":"StructureDefinition","url":"http://p/p","type":"Patient","derivation":"constraint","snapshot":{"element":[
            {"path":"Patient"},
            {"path":"Patient.name","min":0,"max":"*","constraint":[{"key":"c-1","severity":"error","human":"x",
             "expression":"%resource.conformsTo('http://p/many')"}]}]}}"#,
    );
    let names = vec![r#"{"text":"x"}"#; 100].join(",");
    let told = stored.told(&patient(&format!(r#""name":[{names}]"#)), &["p"]);
    assert!(told.contains(&"error too-costly ".to_owned()), "{told:?}");
}
