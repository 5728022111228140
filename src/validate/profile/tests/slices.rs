//! Slices: extensions, and what tells slices of other elements apart.

use super::rules::{observation, patient, try_all};
use super::*;

#[test]
fn extensions_are_slices_by_their_url_with_a_profile_of_their_own() {
    let mut stored = Stored::default();
    // As US Core has race: an extension of extensions, of which one is demanded.
    stored.profile("race", "Extension", r#"
        {"path":"Extension.extension","min":1,"max":"*","slicing":{"discriminator":[{"type":"value","path":"url"}],"rules":"open"}},
        {"path":"Extension.extension","sliceName":"ombCategory","min":0,"max":"5","type":[{"code":"Extension"}]},
        {"path":"Extension.extension.url","min":1,"max":"1","fixedUri":"ombCategory"},
        {"path":"Extension.extension.value[x]","min":1,"max":"1","type":[{"code":"Coding"}]},
        {"path":"Extension.extension","sliceName":"text","min":1,"max":"1","type":[{"code":"Extension"}]},
        {"path":"Extension.extension.url","min":1,"max":"1","fixedUri":"text"},
        {"path":"Extension.extension.value[x]","min":1,"max":"1","type":[{"code":"string"}]},
        {"path":"Extension.url","min":1,"max":"1","fixedUri":"http://p/race"},
        {"path":"Extension.value[x]","min":0,"max":"0"}"#);
    stored.profile("p", "Patient", r#"
        {"path":"Patient.extension","min":0,"max":"*","slicing":{"discriminator":[{"type":"value","path":"url"}],"rules":"open"}},
        {"path":"Patient.extension","sliceName":"race","min":1,"max":"1","type":[{"code":"Extension","profile":["http://p/race"]}]},
        {"path":"Patient.extension","sliceName":"sex","min":0,"max":"1","type":[{"code":"Extension","profile":["http://p/nowhere"]}]}"#);
    let race = |inner: &str| {
        format!(
            r#""extension":[{{"url":"http://other","valueString":"x"}},{{"url":"http://p/race","extension":[{inner}]}}]"#
        )
    };
    let text = r#"{"url":"text","valueString":"x"}"#;
    let category = r#"{"url":"ombCategory","valueCoding":{"code":"x"}}"#;
    try_all(
        &stored,
        "p",
        patient,
        &[
            (&race(&format!("{category},{text}")), &[]),
            (&race(category), &["error required extension[1].extension"]),
            (&race(&format!("{text},{text}")), &["error structure extension[1].extension"]),
            (
                &race(&format!(r#"{text},{{"url":"ombCategory","valueString":"x"}}"#)),
                &["error structure extension[1].extension[1].value"],
            ),
            (r#""extension":[{"url":"http://other","valueString":"x"}]"#, &["error required extension"]),
            (
                r#""extension":[{"url":"http://p/race","valueString":"x","extension":[{"url":"text","valueString":"x"}]}]"#,
                &["error structure extension[0].value"],
            ),
            (
                &format!(r#"{},"extra":1"#, race(text).replace("http://other", "http://p/nowhere")),
                &["warning not-found extension[0]"],
            ),
        ],
    );
    // Beside a primitive, too.
    stored.profile("time", "Patient", r#"{"path":"Patient.birthDate","min":0,"max":"1"},
        {"path":"Patient.birthDate.extension","min":0,"max":"*","slicing":{"discriminator":[{"type":"value","path":"url"}],"rules":"open"}},
        {"path":"Patient.birthDate.extension","sliceName":"time","min":1,"max":"1","type":[{"code":"Extension","profile":["http://p/t"]}]}"#);
    stored.profile("t", "Extension", r#"{"path":"Extension.url","min":1,"max":"1","fixedUri":"http://p/t"},{"path":"Extension.value[x]","min":1,"max":"1","type":[{"code":"dateTime"}]}"#);
    try_all(
        &stored,
        "time",
        patient,
        &[
            ("", &[]),
            (r#""birthDate":"2000""#, &["error required birthDate.extension"]),
            (
                r#""birthDate":"2000","_birthDate":{"extension":[{"url":"http://p/t","valueDateTime":"2000-01-01T10:00:00Z"}]}"#,
                &[],
            ),
            (
                r#""birthDate":"2000","_birthDate":{"extension":[{"url":"http://p/t","valueString":"x"}]}"#,
                &["error structure birthDate.extension[0].value"],
            ),
        ],
    );
}

#[test]
fn slices_are_told_apart_by_value_and_pattern_in_order_and_closed() {
    let mut stored = Stored::default();
    stored.profile("value", "Patient", r#"
        {"path":"Patient.identifier","min":0,"max":"*","slicing":{"discriminator":[{"type":"value","path":"system"}],"rules":"closed"}},
        {"path":"Patient.identifier","sliceName":"mrn","min":1,"max":"1","patternIdentifier":{"system":"urn:mrn"}},
        {"path":"Patient.identifier.value","min":1,"max":"1"},
        {"path":"Patient.identifier","sliceName":"ssn","min":0,"max":"1"},
        {"path":"Patient.identifier.system","min":1,"max":"1","fixedUri":"urn:ssn"}"#);
    try_all(
        &stored,
        "value",
        patient,
        &[
            (r#""identifier":[{"system":"urn:ssn","value":"2"},{"system":"urn:mrn","value":"1"}]"#, &[]),
            (r#""identifier":[{"system":"urn:mrn"}]"#, &["error required identifier[0].value"]),
            (r#""identifier":[{"system":"urn:ssn","value":"2"}]"#, &["error required identifier"]),
            (
                r#""identifier":[{"system":"urn:mrn","value":"1"},{"system":"urn:mrn","value":"2"}]"#,
                &["error structure identifier"],
            ),
            (
                r#""identifier":[{"system":"urn:mrn","value":"1"},{"system":"urn:x","value":"2"}]"#,
                &["error structure identifier[1]"],
            ),
        ],
    );
    stored.profile("pattern", "Observation", r#"
        {"path":"Observation.category","min":1,"max":"*","slicing":{"discriminator":[{"type":"pattern","path":"$this"}],"rules":"openAtEnd","ordered":true}},
        {"path":"Observation.category","sliceName":"a","min":1,"max":"1","patternCodeableConcept":{"coding":[{"system":"s","code":"a"}]}},
        {"path":"Observation.category","sliceName":"b","min":0,"max":"1","patternCodeableConcept":{"coding":[{"system":"s","code":"b"}]}}"#);
    let category = |codes: &[&str]| {
        let all: Vec<String> =
            codes.iter().map(|code| format!(r#"{{"coding":[{{"system":"s","code":"{code}"}}]}}"#)).collect();
        format!(r#""category":[{}]"#, all.join(","))
    };
    try_all(
        &stored,
        "pattern",
        observation,
        &[
            (&category(&["a"]), &[]),
            (&category(&["a", "b", "c"]), &[]),
            (&category(&["b", "a"]), &["error structure category"]),
            (&category(&["a", "c", "b"]), &["error structure category[1]"]),
            (&category(&["c"]), &["error required category"]),
        ],
    );
}

#[test]
fn slices_are_told_apart_by_type_and_existence() {
    let mut stored = Stored::default();
    stored.profile("type", "Observation", r#"
        {"path":"Observation.value[x]","min":1,"max":"1","slicing":{"discriminator":[{"type":"type","path":"$this"}],"rules":"open"}},
        {"path":"Observation.value[x]","sliceName":"valueQuantity","min":0,"max":"1","type":[{"code":"Quantity"}]},
        {"path":"Observation.value[x].unit","min":1,"max":"1"}"#);
    try_all(
        &stored,
        "type",
        observation,
        &[
            (r#""valueQuantity":{"value":1,"unit":"kg"}"#, &[]),
            (r#""valueQuantity":{"value":1}"#, &["error required value.unit"]),
            (r#""valueString":"x""#, &[]),
            ("", &["error required value"]),
        ],
    );
    stored.profile("exists", "Patient", r#"
        {"path":"Patient.contact","min":0,"max":"*","slicing":{"discriminator":[{"type":"exists","path":"organization"}],"rules":"open"}},
        {"path":"Patient.contact","sliceName":"office","min":0,"max":"1"},
        {"path":"Patient.contact.organization","min":1,"max":"1"},
        {"path":"Patient.contact","sliceName":"person","min":1,"max":"*"},
        {"path":"Patient.contact.name","min":1,"max":"1"},
        {"path":"Patient.contact.organization","min":0,"max":"0"}"#);
    try_all(
        &stored,
        "exists",
        patient,
        &[
            (r#""contact":[{"name":{"family":"x"}},{"organization":{"display":"x"}}]"#, &[]),
            (r#""contact":[{"gender":"male"}]"#, &["error required contact[0].name"]),
            (r#""contact":[{"organization":{"display":"x"}}]"#, &["error required contact"]),
        ],
    );
}

#[test]
fn slices_by_profile_of_what_is_referred_to_are_told_apart_as_far_as_it_is_at_hand() {
    let mut stored = Stored::default();
    stored.profile("condition", "Condition", r#"{"path":"Condition.code","min":1,"max":"1"}"#);
    stored.profile("p", "List", r#"
        {"path":"List.entry","min":0,"max":"*","slicing":{"discriminator":[{"type":"profile","path":"item.resolve()"}],"rules":"closed"}},
        {"path":"List.entry","sliceName":"problem","min":1,"max":"*"},
        {"path":"List.entry.item","min":1,"max":"1","type":[{"code":"Reference","targetProfile":["http://p/condition"]}]}"#);
    let list = |members: &str| format!(r#"{{"resourceType":"List","status":"current","mode":"working",{members}}}"#);
    for (members, expected) in [
        (
            r##""contained":[{"resourceType":"Condition","id":"c","code":{"text":"x"}}],"entry":[{"item":{"reference":"#c"}}]"##,
            vec![],
        ),
        (
            r##""contained":[{"resourceType":"Condition","id":"c"}],"entry":[{"item":{"reference":"#c"}}]"##,
            vec!["error required entry", "error structure entry[0]"],
        ),
        (r#""entry":[{"item":{"reference":"Patient/x"}}]"#, vec!["error required entry", "error structure entry[0]"]),
        (r#""entry":[{"item":{"reference":"Condition/x"}}]"#, vec!["information not-supported entry"]),
    ] {
        assert_eq!(stored.told(&list(members), &["p"]), expected, "{members}");
    }
    // Why nothing is in the slice is said.
    let held = stored.held(
        &list(r##""contained":[{"resourceType":"Condition","id":"c"}],"entry":[{"item":{"reference":"#c"}}]"##),
        &["p"],
    );
    let told = &held.report.findings()[0].message;
    assert!(told.contains("The profile demands `code`; it is missing (http://p/condition)"), "{told}");
}

#[test]
fn profiles_that_lead_to_each_other_many_times_over_end() {
    let mut stored = Stored::default();
    // Each of ten profiles leads to all ten from each of two elements: 20 to the power of their depth.
    let names: Vec<String> = (0..10).map(|number| format!("http://p/c{number}")).collect();
    let all = serde_json::to_string(&names).unwrap();
    for number in 0..10 {
        stored.profile(
            &format!("c{number}"),
            "CodeableConcept",
            &format!(
                r#"{{"path":"CodeableConcept.extension","min":0,"max":"*","type":[{{"code":"Extension","profile":["http://p/e"]}}]}},
                {{"path":"CodeableConcept.coding","min":0,"max":"*","type":[{{"code":"Coding","profile":{all}}}]}},
                {{"path":"CodeableConcept.text","min":0,"max":"1","type":[{{"code":"string","profile":{all}}}]}}"#
            ),
        );
    }
    stored.profile(
        "p",
        "Patient",
        &format!(
            r#"{{"path":"Patient.identifier","min":0,"max":"*","slicing":{{"discriminator":[{{"type":"value","path":"type"}}],"rules":"open"}}}},
            {{"path":"Patient.identifier","sliceName":"s","min":1,"max":"1"}},
            {{"path":"Patient.identifier.type","min":1,"max":"1","type":[{{"code":"CodeableConcept","profile":{all}}}]}}"#
        ),
    );
    let told = stored.told(&patient(r#""identifier":[{"value":"x"}]"#), &["p"]);
    assert!(told.iter().any(|one| one.starts_with("error too-costly identifier")), "{told:?}");
}
