//! One small profile for each rule.

use super::*;

const PATIENT: &str = r#""resourceType":"Patient""#;

pub fn patient(members: &str) -> String {
    format!("{{{PATIENT}{}{members}}}", if members.is_empty() { "" } else { "," })
}

pub fn observation(members: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}}{}{members}}}"#,
        if members.is_empty() { "" } else { "," }
    )
}

/// Cases of members of one type.
fn cases<'a>(of: fn(&str) -> String, all: &[(&str, &'a [&'a str])]) -> Vec<(String, &'a [&'a str])> {
    all.iter().map(|(members, expected)| (of(members), *expected)).collect()
}

pub fn try_all(stored: &Stored, name: &str, of: fn(&str) -> String, all: &[(&str, &[&str])]) {
    let all = cases(of, all);
    let all: Vec<(&str, &[&str])> = all.iter().map(|(text, expected)| (text.as_str(), *expected)).collect();
    stored.try_all(name, &all);
}

#[test]
fn cardinalities_are_those_of_the_profile() {
    let mut stored = Stored::default();
    stored.profile(
        "p",
        "Patient",
        r#"{"path":"Patient.name","min":2,"max":"3"},{"path":"Patient.name.family","min":1,"max":"1"},
        {"path":"Patient.photo","min":0,"max":"0"},{"path":"Patient.birthDate","min":1,"max":"1"},
        {"path":"Patient.deceased[x]","min":1,"max":"1"}"#,
    );
    let good = r#""name":[{"family":"a"},{"family":"b"}],"birthDate":"2000","deceasedBoolean":false"#;
    try_all(
        &stored,
        "p",
        patient,
        &[
            (good, &[]),
            ("", &["error required name", "error required birthDate", "error required deceased"]),
            (r#""name":[{"family":"a"},{"family":"b"}],"_birthDate":{"id":"x"},"deceasedDateTime":"2000""#, &[]),
            (
                r#""name":[{"family":"a"},{"given":["b"]}],"birthDate":"2000","deceasedBoolean":false"#,
                &["error required name[1].family"],
            ),
            (&format!(r#"{good},"photo":[{{"title":"x"}}]"#), &["error structure photo"]),
            (
                r#""name":[{"family":"a"},{"family":"b"},{"family":"c"},{"family":"d"}],"birthDate":"2000","deceasedBoolean":false"#,
                &["error structure name"],
            ),
        ],
    );
}

#[test]
fn values_are_fixed_patterned_and_limited() {
    let mut stored = Stored::default();
    stored.profile("p", "Observation", r#"{"path":"Observation.status","min":1,"max":"1","fixedCode":"final"},
        {"path":"Observation.code","min":1,"max":"1","patternCodeableConcept":{"coding":[{"system":"http://loinc.org","code":"1-8"}]}},
        {"path":"Observation.value[x]","min":0,"max":"1","type":[{"code":"Quantity"},{"code":"string"}],
            "minValueQuantity":{"value":10,"system":"http://unitsofmeasure.org","code":"kg"},"maxLength":3}"#);
    let of = |status: &str, coding: &str, value: &str| {
        format!(
            r#"{{"resourceType":"Observation","status":"{status}","code":{{"coding":[{{"system":"x","code":"1-8"}},{coding}]}},{value}}}"#
        )
    };
    let loinc = r#"{"system":"http://loinc.org","code":"1-8","display":"more"}"#;
    for (text, expected) in [
        (of("final", loinc, r#""valueString":"abc""#), vec![]),
        (of("amended", loinc, r#""valueString":"abc""#), vec!["error value status"]),
        (
            of("final", r#"{"system":"http://loinc.org","code":"2"}"#, r#""valueString":"abc""#),
            vec!["error value code"],
        ),
        (of("final", loinc, r#""valueString":"abcd""#), vec!["error value value"]),
        (of("final", loinc, r#""valueBoolean":true"#), vec!["error structure value"]),
        (
            of("final", loinc, r#""valueQuantity":{"value":9,"system":"http://unitsofmeasure.org","code":"kg"}"#),
            vec!["error value value"],
        ),
        (
            of("final", loinc, r#""valueQuantity":{"value":10000,"system":"http://unitsofmeasure.org","code":"g"}"#),
            vec![],
        ),
    ] {
        assert_eq!(stored.told(&text, &["p"]), expected, "{text}");
    }
}

#[test]
fn codes_are_bound_to_value_sets_and_what_cannot_be_known_is_said() {
    let mut stored = Stored::default();
    stored.add(r#"{"resourceType":"ValueSet","url":"http://v/listed","compose":{"include":[{"system":"s","concept":[{"code":"a"},{"code":"b"}]}],
        "exclude":[{"system":"s","concept":[{"code":"b"}]}]}}"#);
    stored.add(r#"{"resourceType":"ValueSet","url":"http://v/whole","compose":{"include":[{"system":"http://c"}]}}"#);
    stored.add(r#"{"resourceType":"CodeSystem","url":"http://c","content":"complete","concept":[{"code":"x","concept":[{"code":"y"}]}]}"#);
    stored.add(r#"{"resourceType":"CodeSystem","url":"http://nocase","content":"complete","caseSensitive":false,"concept":[{"code":"Xy"}]}"#);
    stored.add(
        r#"{"resourceType":"ValueSet","url":"http://v/nocase","compose":{"include":[{"system":"http://nocase"}]}}"#,
    );
    stored.add(r#"{"resourceType":"ValueSet","url":"http://v/empty","compose":{"include":[{}]}}"#);
    stored.add(r#"{"resourceType":"ValueSet","url":"http://v/others","compose":{"include":[{"valueSet":["http://v/listed"]},{"valueSet":["http://v/whole"]}]}}"#);
    stored.add(r#"{"resourceType":"ValueSet","url":"http://v/filtered","compose":{"include":[{"system":"s","filter":[{"property":"p","op":"=","value":"v"}]}]}}"#);
    stored.add(r#"{"resourceType":"ValueSet","url":"http://v/circle","compose":{"include":[{"valueSet":["http://v/circle"]}]}}"#);
    stored.add(r#"{"resourceType":"ValueSet","url":"http://v/expanded","compose":{"include":[{"system":"s","filter":[{"property":"p","op":"=","value":"v"}]}]},
        "expansion":{"total":1,"contains":[{"system":"s","code":"a"}]}}"#);
    let bound = |name: &str, strength: &str| {
        format!(
            r#"{{"path":"Observation.code","min":1,"max":"1","binding":{{"strength":"{strength}","valueSet":"http://v/{name}"}}}}"#
        )
    };
    for name in ["listed", "whole", "nocase", "empty", "others", "filtered", "circle", "expanded", "nowhere"] {
        stored.profile(name, "Observation", &bound(name, "required"));
        stored.profile(&format!("{name}-extensible"), "Observation", &bound(name, "extensible"));
    }
    let of = |system: &str, code: &str| {
        format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"coding":[{{"system":"{system}","code":"{code}"}}]}}}}"#
        )
    };
    const WRONG: &[&str] = &["error code-invalid code"];
    const UNKNOWN: &[&str] = &["information not-supported code"];
    for (name, system, code, expected) in [
        ("listed", "s", "a", &[][..]),
        ("listed", "s", "b", WRONG),
        ("listed", "t", "a", WRONG),
        ("listed-extensible", "s", "b", &["warning code-invalid code"]),
        ("whole", "http://c", "y", &[]),
        ("whole", "http://c", "z", WRONG),
        ("whole", "http://c", "Y", WRONG),
        ("nocase", "http://nocase", "xY", &[]),
        ("nocase", "http://nocase", "x", WRONG),
        ("empty", "s", "a", UNKNOWN),
        ("others", "s", "a", &[]),
        ("others", "http://c", "x", &[]),
        ("others", "s", "c", WRONG),
        ("filtered", "s", "a", UNKNOWN),
        ("filtered", "t", "a", WRONG),
        ("circle", "s", "a", UNKNOWN),
        ("expanded", "s", "a", &[]),
        ("expanded", "s", "b", WRONG),
        ("nowhere", "s", "a", UNKNOWN),
        ("nowhere-extensible", "s", "a", UNKNOWN),
    ] {
        assert_eq!(stored.told(&of(system, code), &[name]), expected, "{name} {system} {code}");
    }
    let text = r#"{"resourceType":"Observation","status":"final","code":{"text":"only"}}"#;
    assert_eq!(stored.told(text, &["listed"]), WRONG);
    assert_eq!(stored.told(text, &["listed-extensible"]), Vec::<String>::new());
}

#[test]
fn constraints_are_told_by_their_keys_and_end() {
    let mut stored = Stored::default();
    let of = |key: &str, severity: &str, expression: &str| {
        format!(r#"{{"key":"{key}","severity":"{severity}","human":"It is so.","expression":"{expression}"}}"#)
    };
    let all = [
        of("t-1", "error", "name.exists()"),
        of("t-2", "warning", "gender.exists()"),
        // Eight children deep, each item times all others: more steps than there are.
        of(
            "t-3",
            "error",
            "(1|2|3|4|5|6|7|8|9|10).repeat($this).combine(1|2).select(%resource.descendants().where(%resource.descendants().where(%resource.descendants().exists()).exists())).exists().not() or true",
        ),
        of("t-4", "error", "unknown_function()"),
    ];
    stored.add(&format!(
        r#"{{"resourceType":"StructureDefinition","url":"http://p/c","type":"Patient","derivation":"constraint","snapshot":{{"element":[
            {{"path":"Patient","constraint":[{}]}}]}}}}"#,
        all.join(",")
    ));
    let held = stored.held(&patient(r#""name":[{"family":"x"}],"gender":"male""#), &["c"]);
    let told: Vec<&str> = held.report.findings().iter().map(|one| one.code).collect();
    assert_eq!(told, ["not-supported"], "{:?}", held.report);
    assert!(held.report.findings()[0].message.contains("t-4"));
    let held = stored.held(&patient(""), &["c"]);
    let told: Vec<_> = held.report.findings().iter().map(|one| (one.severity.as_str(), one.message.as_str())).collect();
    assert_eq!(told[1], ("error", "It is so (t-1, http://p/c)."));
    assert_eq!(told[2], ("warning", "It is so (t-2, http://p/c)."));
    // One that would go on for ever.
    stored.add(
        r#"{"resourceType":"StructureDefinition","url":"http://p/long","type":"Patient","derivation":"constraint","snapshot":{"element":[
            {"path":"Patient","constraint":[{"key":"long-1","severity":"error","human":"x",
             "expression":"descendants().select(%resource.descendants().select(%resource.descendants())).count() > 1"}]}]}}"#,
    );
    let names = vec![r#"{"given":["a","b","c","d"]}"#; 40].join(",");
    assert_eq!(stored.told(&patient(&format!(r#""name":[{names}]"#)), &["long"]), ["error too-costly "]);
}

#[test]
fn types_and_targets_of_references_are_narrowed() {
    let mut stored = Stored::default();
    stored.profile("author", "Practitioner", r#"{"path":"Practitioner.name","min":1,"max":"*"}"#);
    stored.profile("p", "Observation", r#"{"path":"Observation.subject","min":0,"max":"1","type":[{"code":"Reference",
            "targetProfile":["http://hl7.org/fhir/StructureDefinition/Patient"]}]},
        {"path":"Observation.effective[x]","min":0,"max":"1","type":[{"code":"dateTime"},{"code":"Period"}]},
        {"path":"Observation.performer","min":0,"max":"*","type":[{"code":"Reference","targetProfile":["http://p/author"]}]},
        {"path":"Observation.focus","min":0,"max":"*","type":[{"code":"Reference","targetProfile":["http://p/missing"]}]}"#);
    try_all(
        &stored,
        "p",
        observation,
        &[
            (r#""subject":{"reference":"Patient/p"}"#, &[]),
            (r#""subject":{"reference":"http://x/fhir/Patient/p"}"#, &[]),
            (r#""subject":{"reference":"Group/p"}"#, &["error value subject"]),
            (r#""subject":{"display":"x"}"#, &[]),
            (r#""effectiveDateTime":"2020""#, &[]),
            (r#""effectiveInstant":"2020-01-01T00:00:00Z""#, &["error structure effective"]),
            (r#""performer":[{"reference":"Practitioner/x"}]"#, &[]),
            (r#""performer":[{"reference":"Patient/x"}]"#, &["error value performer[0]"]),
            // What is at hand is held to its profile, too.
            (
                r##""performer":[{"reference":"#a"}],"contained":[{"resourceType":"Practitioner","id":"a","name":[{"family":"x"}]}]"##,
                &[],
            ),
            (
                r##""performer":[{"reference":"#a"}],"contained":[{"resourceType":"Practitioner","id":"a"}]"##,
                &["error value performer[0]"],
            ),
            (r#""focus":[{"reference":"Patient/x"},{"reference":"Patient/y"}]"#, &["warning not-found focus[0]"]),
        ],
    );
    stored.profile(
        "bundle",
        "Bundle",
        r#"{"path":"Bundle.entry","min":0,"max":"*"},{"path":"Bundle.entry.resource","min":1,"max":"1",
        "type":[{"code":"Observation","profile":["http://p/p"]},{"code":"Practitioner"}]}"#,
    );
    let bundle = |name: &str, reference: &str| {
        format!(
            r#"{{"resourceType":"Bundle","type":"collection","entry":[
            {{"fullUrl":"http://x/Observation/1","resource":{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"performer":[{{"reference":"{reference}"}}]}}}},
            {{"fullUrl":"http://x/Practitioner/2","resource":{{"resourceType":"Practitioner"{name}}}}}]}}"#
        )
    };
    let named = r#","name":[{"family":"x"}]"#;
    assert_eq!(stored.told(&bundle(named, "Practitioner/2"), &["bundle"]), Vec::<String>::new());
    assert_eq!(stored.told(&bundle("", "Practitioner/2"), &["bundle"]), ["error value entry[0].resource.performer[0]"]);
    assert_eq!(stored.told(&bundle("", "Practitioner/3"), &["bundle"]), Vec::<String>::new());
    let other = r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient"}}]}"#;
    assert_eq!(stored.told(other, &["bundle"]), ["error structure entry[0].resource"]);
}

#[test]
fn children_by_reference_and_profiles_of_datatypes_are_followed() {
    let mut stored = Stored::default();
    stored.profile(
        "q",
        "Questionnaire",
        r##"
        {"path":"Questionnaire.item","min":1,"max":"*"},
        {"path":"Questionnaire.item.text","min":1,"max":"1"},
        {"path":"Questionnaire.item.item","min":0,"max":"*","contentReference":"#Questionnaire.item"}"##,
    );
    let item = |inner: &str| {
        format!(
            r#"{{"resourceType":"Questionnaire","status":"draft","item":[{{"linkId":"1","type":"group","text":"x","item":[{inner}]}}]}}"#
        )
    };
    assert_eq!(stored.told(&item(r#"{"linkId":"2","type":"string","text":"y"}"#), &["q"]), Vec::<String>::new());
    let deep = item(r#"{"linkId":"2","type":"group","text":"y","item":[{"linkId":"3","type":"string"}]}"#);
    assert_eq!(stored.told(&deep, &["q"]), ["error required item[0].item[0].item[0].text"]);
    stored.profile("coded", "CodeableConcept", r#"{"path":"CodeableConcept.coding","min":1,"max":"*"}"#);
    stored.profile("p", "Observation", r#"
        {"path":"Observation.code","min":1,"max":"1","type":[{"code":"CodeableConcept","profile":["http://p/coded"]}]},
        {"path":"Observation.value[x]","min":0,"max":"1","type":[{"code":"Quantity","profile":["http://hl7.org/fhir/StructureDefinition/SimpleQuantity"]}]},
        {"path":"Observation.method","min":0,"max":"1","type":[{"code":"CodeableConcept","profile":["http://p/coded","http://p/text"]}]}"#);
    stored.profile("text", "CodeableConcept", r#"{"path":"CodeableConcept.text","min":1,"max":"1"}"#);
    let of = |members: &str| {
        format!(r#"{{"resourceType":"Observation","status":"final","code":{{"coding":[{{"code":"x"}}]}},{members}}}"#)
    };
    for (members, expected) in [
        (r#""valueQuantity":{"value":1}"#, vec![]),
        (r#""valueQuantity":{"value":1,"comparator":"<"}"#, vec!["error structure value.comparator"]),
        (r#""method":{"text":"x"}"#, vec![]),
        (r#""method":{"coding":[{"code":"x"}]}"#, vec![]),
        (r#""method":{"id":"x"}"#, vec!["error structure method"]),
    ] {
        assert_eq!(stored.told(&of(members), &["p"]), expected, "{members}");
    }
    assert_eq!(stored.told(&observation(""), &["p"]), ["error required code.coding"]);
}

#[test]
fn a_profile_that_cannot_be_checked_is_named_and_circles_end() {
    let mut stored = Stored::default();
    stored.add(r#"{"resourceType":"StructureDefinition","url":"http://p/bare","type":"Patient","derivation":"constraint","differential":{"element":[]}}"#);
    stored.add(r#"{"resourceType":"StructureDefinition","url":"http://p/logical","type":"http://x/Model","derivation":"constraint","snapshot":{"element":[]}}"#);
    stored.profile("observed", "Observation", r#"{"path":"Observation.issued","min":1,"max":"1"}"#);
    for (name, expected) in [
        ("nowhere", "warning not-found "),
        ("bare", "warning not-supported "),
        ("logical", "warning not-supported "),
        ("observed", "error structure "),
    ] {
        let held = stored.held(&patient(""), &[name]);
        let told = stored.told(&patient(""), &[name]);
        assert_eq!(told, [expected]);
        assert!(held.report.findings()[0].message.contains(&format!("http://p/{name}")), "{:?}", held.report);
    }
    let strict = Against { shelf: &stored, named: &["http://p/nowhere".to_owned()], must_be_known: true, now: None };
    assert!(hold(&resource(&patient("")), &strict).report.has_errors());
    // The base definitions are no profiles, but they are of a type.
    let of = |name: &str| {
        let named = [format!("http://hl7.org/fhir/StructureDefinition/{name}")];
        let against = Against { shelf: &stored, named: &named, must_be_known: true, now: None };
        hold(&resource(&patient("")), &against).report.has_errors()
    };
    assert_eq!([of("Patient"), of("DomainResource"), of("Observation")], [false, false, true]);
    // Two that lead to each other, and a constraint that asks for its own profile.
    let circle = |name: &str, other: &str| {
        format!(
            r#"{{"resourceType":"StructureDefinition","url":"http://p/{name}","type":"CodeableConcept","derivation":"constraint","snapshot":{{"element":[
            {{"path":"CodeableConcept","constraint":[{{"key":"c-1","severity":"error","human":"x","expression":"conformsTo('http://p/{other}')"}}]}},
            {{"path":"CodeableConcept.extension","min":0,"max":"*","type":[{{"code":"Extension","profile":["http://p/ext"]}}]}}]}}}}"#
        )
    };
    stored.add(&circle("one", "two"));
    stored.add(&circle("two", "one"));
    stored.profile("ext", "Extension", r#"{"path":"Extension.extension","min":0,"max":"*","type":[{"code":"Extension","profile":["http://p/ext"]}]},
        {"path":"Extension.value[x]","min":0,"max":"1","type":[{"code":"CodeableConcept","profile":["http://p/one"]}]}"#);
    stored.profile("round", "Observation", r#"{"path":"Observation.code","min":1,"max":"1","type":[{"code":"CodeableConcept","profile":["http://p/one"]}]}"#);
    let deep = r#"{"resourceType":"Observation","status":"final","code":{"text":"x","extension":[{"url":"http://e","extension":[{"url":"http://e","valueCodeableConcept":{"text":"x"}}]}]}}"#;
    let told = stored.told(deep, &["round"]);
    assert!(told.iter().all(|one| !one.starts_with("error")), "{told:?}");
}

#[test]
fn what_nobody_looked_for_yet_is_asked_for_and_only_where_it_matters() {
    let mut stored = Stored { unseen: vec!["http://p/later", "http://v/later", "http://p/ext"], ..Stored::default() };
    stored.profile(
        "p",
        "Observation",
        r#"{"path":"Observation.extension","min":0,"max":"*","type":[{"code":"Extension","profile":["http://p/ext"]}]},
        {"path":"Observation.method","min":0,"max":"1","binding":{"strength":"required","valueSet":"http://v/later"}}"#,
    );
    let missed = |members: &str, named: &[&str]| {
        let held = stored.held(&observation(members), named);
        assert!(!held.report.has_errors());
        held.missed.iter().map(|wanted| wanted.canonical.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(missed("", &["p"]), Vec::<String>::new());
    assert_eq!(missed("", &["later"]), ["http://p/later"]);
    assert_eq!(missed(r#""method":{"coding":[{"system":"s","code":"c"}]}"#, &["p"]), ["http://v/later"]);
    assert_eq!(missed(r#""extension":[{"url":"http://e","valueString":"x"}]"#, &["p"]), ["http://p/ext"]);
}

#[test]
fn what_is_claimed_inside_is_held_to_it_at_its_place() {
    let mut stored = Stored::default();
    stored.profile("p", "Patient", r#"{"path":"Patient.name","min":1,"max":"*"}"#);
    let claims = r#""meta":{"profile":["http://p/p","http://hl7.org/fhir/StructureDefinition/Patient"]}"#;
    let patient = format!(r#"{{"resourceType":"Patient",{claims}}}"#);
    assert_eq!(stored.told(&patient, &[]), ["error required name"]);
    // Named and claimed, it is told once.
    assert_eq!(stored.told(&patient, &["p"]), ["error required name"]);
    let entry = format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"resource":{patient}}}]}}"#);
    assert_eq!(stored.told(&entry, &[]), ["error required entry[0].resource.name"]);
    let contained = format!(
        r##"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"subject":{{"reference":"#p"}},"contained":[{}]}}"##,
        patient.replace("\"meta\"", "\"id\":\"p\",\"meta\"")
    );
    assert_eq!(stored.told(&contained, &[]), ["error required contained[0].name"]);
    let parameters = format!(
        r#"{{"resourceType":"Parameters","parameter":[{{"name":"x","part":[{{"name":"y","resource":{patient}}}]}}]}}"#
    );
    assert_eq!(stored.told(&parameters, &[]), ["error required parameter[0].part[0].resource.name"]);
    assert!(claims_any(&resource(&contained)) && !claims_any(&resource(r#"{"resourceType":"Patient"}"#)));
}

#[test]
fn of_very_many_faults_a_hundred_are_told_and_many_rules_end() {
    let mut stored = Stored::default();
    stored.profile(
        "p",
        "Patient",
        r#"{"path":"Patient.name","min":0,"max":"*"},{"path":"Patient.name.family","min":1,"max":"1"}"#,
    );
    let names = vec![r#"{"text":"x"}"#; 100_000].join(",");
    let held = stored.held(&patient(&format!(r#""name":[{names}]"#)), &["p"]);
    assert_eq!(held.report.into_findings().len(), crate::validate::FINDINGS_MAX + 1);
    // A thousand slices, each of them a candidate for each of many items.
    stored.sliced("many", 1_000, "closed");
    let names = vec![r#"{"text":"x"}"#; 5_000].join(",");
    let told = stored.told(&patient(&format!(r#""name":[{names}]"#)), &["many"]);
    assert!(told.iter().any(|one| one.starts_with("error too-costly")), "{:?}", told.first());
}
