//! Tests of the walk: what the specification's pages demand, HL7's examples, and what is made of them by breaking one thing.

mod examples;

use super::*;
use crate::fhir::json::parse;

fn resource(text: &str) -> Resource {
    Resource::from_json(parse(text.as_bytes(), 64).unwrap()).unwrap()
}

/// The faults as `code place`.
fn faults(text: &str, level: Level) -> Vec<String> {
    let report = check(&resource(text), level);
    report.findings().iter().map(|finding| format!("{} {}", finding.code, finding.expression)).collect()
}

/// A type and its members, the required ones among them.
fn of(resource_type: &str, members: &str) -> String {
    let required = match resource_type {
        "Observation" => r#","status":"final","code":{"text":"x"}"#,
        _ => "",
    };
    format!(r#"{{"resourceType":"{resource_type}"{required}{}{members}}}"#, if members.is_empty() { "" } else { "," })
}

#[test]
fn a_wrong_shape_is_named_with_its_place_at_every_level() {
    for (text, place) in [
        (of("Patient", r#""birthDate":5"#), "birthDate"),
        (of("Patient", r#""active":"yes""#), "active"),
        (of("Patient", r#""name":{"family":"x"}"#), "name"),
        (of("Patient", r#""gender":["male"]"#), "gender"),
        (of("Patient", r#""name":["x"]"#), "name[0]"),
        (of("Patient", r#""name":[{"family":"x"},{"given":["a",7]}]"#), "name[1].given[1]"),
        (of("Patient", r#""name":[null]"#), "name[0]"),
        (of("Patient", r#""birthDate":null"#), "birthDate"),
        (of("Patient", r#""_birthDate":"x""#), "_birthDate"),
        (of("Patient", r#""_birthDate":{"extension":{}}"#), "_birthDate.extension"),
        (of("Observation", r#""valueQuantity":{"value":"1.0"}"#), "value.value"),
        (of("Observation", r#""subject":{"reference":{}}"#), "subject.reference"),
        (of("Observation", r#""contained":[{"id":"x"}]"#), "contained[0]"),
        (of("Patient", r#""extension":[{"url":"http://x","valueInteger":"1"}]"#), "extension[0].value"),
    ] {
        for level in [Level::Off, Level::Structure, Level::Full] {
            assert!(faults(&text, level).contains(&format!("structure {place}")), "{text}: {:?}", faults(&text, level));
        }
    }
}

#[test]
fn without_validation_only_shapes_are_looked_at() {
    for text in [
        of("Patient", r#""name":[{"given":["a",null],"_given":[null,{"id":"x"}]}],"_birthDate":{"extension":[]}"#),
        of("Patient", r#""unknown":[1,{"x":null}],"_unknown":7"#),
        of("Patient", r#""gender":"?","birthDate":"yesterday","name":[]"#),
        r#"{"resourceType":"Observation"}"#.to_owned(),
    ] {
        assert_eq!(faults(&text, Level::Off), Vec::<String>::new(), "{text}");
        assert_ne!(faults(&text, Level::Structure), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn what_r4_does_not_have_lacks_or_forbids_is_named_with_its_place() {
    for (text, expected) in [
        (of("Patient", r#""colour":"red""#), "structure colour"),
        (of("Patient", r#""contact":[{"resourceType":"x"}]"#), "structure contact[0].resourceType"),
        (of("Patient", r#""_name":[{"id":"x"}]"#), "structure _name"),
        (of("Patient", r#""name":[]"#), "structure name"),
        (of("Patient", r#""name":[{}]"#), "structure name[0]"),
        (of("Patient", r#""name":[{"id":"x"}]"#), "invariant name[0]"),
        (of("Patient", r#""_birthDate":{"id":"x"}"#), "invariant _birthDate"),
        (of("Patient", r#""name":[{"given":["a",null],"_given":[{"id":"x"},{"id":"y"}]}]"#), "invariant name[0]._given[1]"),
        (of("Patient", r#""name":[{"family":"a","_given":[]}]"#), "structure name[0]._given"),
        (of("Patient", r#""name":[{"family":"a","_id":{"id":"x"}}]"#), "structure name[0]._id"),
        (of("Patient", r#""extension":[{"url":"http://x","_url":{"id":"x"},"valueString":"x"}]"#), "structure extension[0]._url"),
        (of("Observation", r##""contained":[{"resourceType":"Basic","id":"o","code":{"text":"x"}}],"valueString":"#o""##), "invariant contained[0]"),
        (of("Observation", r##""contained":[{"resourceType":"Basic","id":"o","code":{"text":"#"}}]"##), "invariant contained[0]"),
        (r#"{"resourceType":"Observation","code":{"text":"x"}}"#.to_owned(), "required status"),
        (of("Patient", r#""communication":[{"preferred":true}]"#), "required communication[0].language"),
        (of("Patient", r#""link":[{"type":"refer"}]"#), "required link[0].other"),
        (of("Observation", r#""valueString":"x","valueBoolean":true"#), "structure value"),
        (of("Observation", r#""valueString":"x","_valueBoolean":{"extension":[{"url":"http://x","valueString":"x"}]}"#), "structure value"),
        (r#"{"resourceType":"MedicationRequest","status":"active","intent":"order","subject":{"reference":"Patient/p"}}"#.to_owned(), "required medication"),
        (of("Patient", r#""birthDate":"2021-02-29""#), "value birthDate"),
        (of("Patient", r#""multipleBirthInteger":1.5"#), "value multipleBirth"),
        (of("Patient", r#""name":[{"given":["a",""]}]"#), "value name[0].given[1]"),
        (of("Patient", r#""name":[{"given":["a",null]}]"#), "structure name[0].given[1]"),
        (of("Patient", r#""name":[{"given":["a"],"_given":[{"id":"x"},null]}]"#), "structure name[0]._given[1]"),
        (of("Patient", r#""id":"a_b""#), "value id"),
        (of("Patient", r#""extension":[{"valueString":"x"}]"#), "required extension[0].url"),
        (of("Patient", r#""extension":[{"url":"http://x"}]"#), "invariant extension[0]"),
        (of("Patient", r#""extension":[{"url":"http://x","valueString":"x","extension":[{"url":"y","valueString":"z"}]}]"#), "invariant extension[0]"),
        (of("Patient", r#""extension":[{"url":"x","valueString":"x"}]"#), "value extension[0].url"),
        (of("Patient", r#""managingOrganization":{"reference":"Patient/p"}"#), "value managingOrganization.reference"),
        (of("Patient", r#""managingOrganization":{"reference":"http://x/fhir/Patient/p/_history/2"}"#), "value managingOrganization.reference"),
        (of("Patient", r#""managingOrganization":{"type":"Organisation"}"#), "code-invalid managingOrganization.type"),
        (of("Observation", r#""subject":{"type":"Patient","reference":"Group/o"}"#), "value subject.type"),
        (of("Observation", r#""subject":{"type":"Patient","reference":"http://x/fhir/Group/o"}"#), "value subject.type"),
        (of("Observation", r##""contained":[{"resourceType":"Group","id":"o","type":"person","actual":true}],"subject":{"type":"Patient","reference":"#o"}"##), "value subject.type"),
        (of("Patient", r#""managingOrganization":{"type":"Device","display":"x"}"#), "value managingOrganization.type"),
        (of("Patient", r##""managingOrganization":{"reference":"#o"}"##), "invariant managingOrganization.reference"),
        (of("Patient", r##""contained":[{"resourceType":"Practitioner","id":"o"}],"managingOrganization":{"reference":"#o"}"##), "value managingOrganization.reference"),
        (of("Patient", r#""contained":[{"resourceType":"Organization","id":"o"}]"#), "invariant contained[0]"),
        (of("Patient", r##""contained":[{"resourceType":"Organization","id":"o","name":"x","meta":{"versionId":"1"}}],"managingOrganization":{"reference":"#o"}"##), "invariant contained[0].meta"),
        (of("Patient", r##""contained":[{"resourceType":"Organization","id":"o","name":"x","contained":[{"resourceType":"Basic","id":"b","code":{"text":"x"}}]}],"managingOrganization":{"reference":"#o"}"##), "invariant contained[0].contained"),
    ] {
        assert_eq!(faults(&text, Level::Structure), [expected], "{text}");
    }
}

/// Something measured in this unit.
fn estimated_in(system: &str, code: &str) -> String {
    let unit = format!(r#"{{"coding":[{{"system":"{system}","code":"{code}"}}]}}"#);
    let refers = r#"{"reference":"EvidenceVariable/v"}"#;
    let inside = format!(
        r#""status":"active","population":{refers},"exposure":{refers},"exposureAlternative":{refers},"outcome":{refers},
        "effectEstimate":[{{"unitOfMeasure":{unit}}}]"#
    );
    of("EffectEvidenceSynthesis", &inside)
}

#[test]
fn codes_are_from_the_value_sets_that_r4_requires() {
    for (text, expected) in [
        (of("Patient", r#""gender":"mann""#), Some("code-invalid gender")),
        (of("Patient", r#""gender":"female","name":[{"use":"official","family":"x"}]"#), None),
        (of("Patient", r#""photo":[{"contentType":"jpeg","title":"x"}]"#), Some("code-invalid photo[0].contentType")),
        (of("Patient", r#""photo":[{"contentType":"image/jpeg; q=1","title":"x"}]"#), None),
        (
            r#"{"resourceType":"Condition","subject":{"reference":"Patient/p"},"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]}}"#.to_owned(),
            None,
        ),
        (
            r#"{"resourceType":"Condition","subject":{"reference":"Patient/p"},"clinicalStatus":{"coding":[{"code":"active"}]}}"#.to_owned(),
            Some("code-invalid clinicalStatus"),
        ),
        (
            r#"{"resourceType":"Condition","subject":{"reference":"Patient/p"},"clinicalStatus":{"text":"active"}}"#.to_owned(),
            Some("code-invalid clinicalStatus"),
        ),
        (estimated_in("http://unitsofmeasure.org", "mg/dL"), None),
        (estimated_in("http://unitsofmeasure.org", "milligrams"), Some("code-invalid effectEstimate[0].unitOfMeasure")),
        (estimated_in("http://example.org", "mg/dL"), Some("code-invalid effectEstimate[0].unitOfMeasure")),
    ] {
        assert_eq!(faults(&text, Level::Full), Vec::from_iter(expected), "{text}");
        assert_eq!(faults(&text, Level::Structure), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn invariants_are_told_by_their_keys_and_doubt_is_no_breach() {
    let dosage = |dose: &str| {
        let what =
            r#""status":"active","intent":"order","medicationCodeableConcept":{"text":"x"},"subject":{"display":"x"}"#;
        of("MedicationRequest", &format!(r#"{what},"dosageInstruction":[{{"doseAndRate":[{{{dose}}}]}}]"#))
    };
    let period = |period: &str| of("Patient", &format!(r#""name":[{{"family":"x","period":{period}}}]"#));
    for (text, expected) in [
        (of("Observation", r#""valueString":"x","dataAbsentReason":{"text":"y"}"#), Some("invariant ")),
        (of("Patient", r#""contact":[{"gender":"male"}]"#), Some("invariant contact[0]")),
        (of("Observation", r#""referenceRange":[{"low":{"value":1,"comparator":"<"}}]"#), Some("invariant referenceRange[0].low")),
        (of("Observation", r#""valueQuantity":{"value":1,"comparator":"<"}"#), None),
        (dosage(r#""doseQuantity":{"value":1,"comparator":"<"}"#), Some("invariant dosageInstruction[0].doseAndRate[0].dose")),
        (dosage(r#""doseRange":{"high":{"value":1}}"#), None),
        (dosage(r#""doseRange":{"high":{"value":1,"comparator":"<"}}"#), Some("invariant dosageInstruction[0].doseAndRate[0].dose.high")),
        (period(r#"{"start":"2021","end":"2020"}"#), Some("invariant name[0].period")),
        (period(r#"{"start":"2020","end":"2020-05-01"}"#), None),
        (period(r#"{"start":"2020"}"#), None),
        (r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient"}}]}"#.to_owned(), None),
        (r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"http://x/Patient/1/_history/1","resource":{"resourceType":"Patient"}}]}"#.to_owned(), Some("invariant entry[0]")),
        (r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"http://x"}]}"#.to_owned(), Some("invariant entry[0]")),
    ] {
        assert_eq!(faults(&text, Level::Full), Vec::from_iter(expected), "{text}");
        assert_eq!(faults(&text, Level::Structure), Vec::<String>::new(), "{text}");
    }
    let report =
        check(&resource(&of("Observation", r#""valueString":"x","dataAbsentReason":{"text":"y"}"#)), Level::Full);
    assert!(report.findings()[0].message.ends_with("(obs-6)."), "{:?}", report.findings());
}

#[test]
fn resources_in_entries_are_checked_by_themselves() {
    let bundle = r##"{"resourceType":"Bundle","type":"collection","entry":[
        {"resource":{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"x"}],
            "managingOrganization":{"reference":"#o"}}},
        {"resource":{"resourceType":"Patient","managingOrganization":{"reference":"#o"},"gender":"x"}}]}"##;
    let expected =
        ["invariant entry[1].resource.managingOrganization.reference", "code-invalid entry[1].resource.gender"];
    assert_eq!(faults(bundle, Level::Full), expected);
}

#[test]
fn the_cost_grows_as_the_resource_does() {
    let repeated = |text: &str, count: usize| vec![text; count].join(",");
    // References that lead to none of many contained resources, and gaps beside very many members that R4 does not have.
    let contained: Vec<String> =
        (0..20_000).map(|id| format!(r#"{{"resourceType":"Organization","id":"{id}","name":"x"}}"#)).collect();
    let referring = repeated(r##"{"reference":"#z"}"##, 20_000);
    let text = of("Patient", &format!(r#""contained":[{}],"generalPractitioner":[{referring}]"#, contained.join(",")));
    assert!(check(&resource(&text), Level::Full).is_full());
    let unknown: Vec<String> = (0..50_000).map(|number| format!(r#""a{number}":0"#)).collect();
    let text = of("Patient", &format!(r#""name":[{{"given":[{}],{}}}]"#, repeated("null", 50_000), unknown.join(",")));
    assert!(check(&resource(&text), Level::Full).is_full());
    // What takes more steps than an invariant has, and is right.
    let entries: Vec<String> = (0..12_000)
        .map(|id| {
            format!(r#"{{"fullUrl":"http://x/Patient/{id}","resource":{{"resourceType":"Patient","id":"{id}"}}}}"#)
        })
        .collect();
    let text = of("Bundle", &format!(r#""type":"collection","entry":[{}]"#, entries.join(",")));
    assert_eq!(faults(&text, Level::Full), Vec::<String>::new());
    let codes: Vec<String> = (0..30_000).map(|code| format!(r#"{{"code":"{code}"}}"#)).collect();
    let text = of("CodeSystem", &format!(r#""status":"active","content":"complete","concept":[{}]"#, codes.join(",")));
    assert_eq!(faults(&text, Level::Full), Vec::<String>::new());
}

#[test]
fn of_very_many_faults_the_first_hundred_are_told_and_that_there_are_more() {
    let items = vec![r#"{"wrong":1}"#; 100_000].join(",");
    let report = check(&resource(&of("Patient", &format!(r#""name":[{items}]"#))), Level::Full);
    let findings = report.into_findings();
    assert_eq!(findings.len(), FINDINGS_MAX + 1);
    assert_eq!(findings.last().unwrap().code, "too-costly");
    assert!(findings.iter().take(FINDINGS_MAX).all(|finding| finding.severity == Severity::Error));
}
