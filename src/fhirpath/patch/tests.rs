//! HL7's cases (tests/data/README.md), and what becomes of primitives and of what is left empty.

use super::Patch;
use crate::fhir::invalid::Fault;
use crate::fhir::json::{Json, parse};

const CASES: &str = include_str!("../../../tests/data/fhirpath/patches.ndjson");
const DEPTH_MAX: usize = 32;

fn patched(document: Json, patch: &Json) -> crate::fhir::invalid::Result<Json> {
    Ok(Patch::read(&patch.to_bytes(), DEPTH_MAX)?.apply(document, DEPTH_MAX)?.document)
}

#[test]
fn hl7s_cases_of_fhirpath_patch_give_their_outcome() {
    let mut count = 0;
    for line in CASES.lines() {
        let case = parse(line.as_bytes(), DEPTH_MAX).unwrap();
        let part = |name: &str| case.as_object().unwrap().get(name).unwrap().clone();
        let outcome = patched(part("input"), &part("diff"));
        match part("output") {
            Json::Null => assert_eq!(outcome.unwrap_err().fault, Fault::Unprocessable, "{line}"),
            expected => {
                let outcome = outcome.unwrap_or_else(|invalid| panic!("{line}: {invalid}"));
                let text = |json: &Json| String::from_utf8(json.to_bytes()).unwrap();
                assert!(outcome.means_same(&expected), "{line}\n{}", text(&outcome));
            }
        }
        count += 1;
    }
    assert_eq!(count, 33);
}

/// One operation on a Patient; `value` is JSON with the name of its type.
fn one(members: &str, kind: &str, path: &str, rest: &str) -> String {
    let document = parse(format!(r#"{{"resourceType":"Patient"{members}}}"#).as_bytes(), DEPTH_MAX).unwrap();
    let path = path.replace('"', "\\\"");
    let patch = format!(
        r#"{{"resourceType":"Parameters","parameter":[{{"name":"operation","part":[{{"name":"type","valueCode":"{kind}"}},{{"name":"path","valueString":"{path}"}}{rest}]}}]}}"#
    );
    match patched(document, &parse(patch.as_bytes(), DEPTH_MAX).unwrap()) {
        Ok(json) => String::from_utf8(json.to_bytes()).unwrap().replacen(r#"{"resourceType":"Patient""#, "", 1),
        Err(invalid) => invalid.expression,
    }
}

#[test]
fn a_primitive_and_what_is_beside_it_stay_together() {
    let name = r#","name":[{"given":["a",null,"c"],"_given":[null,{"id":"b"},null]}]"#;
    let value = r#",{"name":"value","valueString":"x"}"#;
    let index = r#",{"name":"index","valueInteger":1}"#;
    for (kind, path, rest, expected) in [
        ("delete", "Patient.name.given[0]", "", r#","name":[{"given":[null,"c"],"_given":[{"id":"b"},null]}]}"#),
        ("delete", "Patient.name.given[1]", "", r#","name":[{"given":["a","c"]}]}"#),
        ("replace", "Patient.name.given[1]", value, r#","name":[{"given":["a","x","c"]}]}"#),
        (
            "insert",
            "Patient.name.given",
            &format!("{index}{value}"),
            r#","name":[{"given":["a","x",null,"c"],"_given":[null,null,{"id":"b"},null]}]}"#,
        ),
        (
            "move",
            "Patient.name.given",
            r#",{"name":"source","valueInteger":1},{"name":"destination","valueInteger":0}"#,
            r#","name":[{"given":[null,"a","c"],"_given":[{"id":"b"},null,null]}]}"#,
        ),
        ("delete", "Patient.name.given[1].id", "", r#","name":[{"given":["a",null,"c"]}]}"#),
    ] {
        assert_eq!(one(name, kind, path, rest), expected, "{kind} {path}");
    }
}

#[test]
fn what_is_left_empty_is_left_out() {
    let members = r#","active":true,"contact":[{"name":{"text":"a"}},{"gender":"male"}],"_birthDate":{"extension":[{"url":"x"}]}"#;
    for (path, expected) in [
        (
            "Patient.contact[0].name.text",
            r#","active":true,"contact":[{"gender":"male"}],"_birthDate":{"extension":[{"url":"x"}]}}"#,
        ),
        ("Patient.birthDate.extension", r#","active":true,"contact":[{"name":{"text":"a"}},{"gender":"male"}]}"#),
        ("Patient.birthDate", r#","active":true,"contact":[{"name":{"text":"a"}},{"gender":"male"}]}"#),
    ] {
        assert_eq!(one(members, "delete", path, ""), expected, "{path}");
    }
}

#[test]
fn a_value_has_the_type_of_its_place() {
    let members = r#","deceasedBoolean":false"#;
    for (name, value, expected) in [
        ("gender", r#""valueString":"male""#, r#","deceasedBoolean":false,"gender":"male"}"#),
        ("birthDate", r#""valueDateTime":"2020""#, r#","deceasedBoolean":false,"birthDate":"2020"}"#),
        ("birthDate", r#""valueInteger":2020"#, "patch[0].value"),
        ("gender", r#""valueDate":"2020""#, "patch[0].value"),
        ("name", r#""valueAddress":{}"#, "patch[0].value"),
        (
            "name",
            r#""part":[{"name":"family","valueString":"a"}]"#,
            r#","deceasedBoolean":false,"name":[{"family":"a"}]}"#,
        ),
        ("name", r#""part":[{"name":"fam","valueString":"a"}]"#, "patch[0].value"),
        ("contact", r#""valueHumanName":{}"#, "patch[0].value"),
        ("deceased", r#""valueDateTime":"2020""#, "patch[0].name"),
        ("multipleBirth", r#""valueInteger":2"#, r#","deceasedBoolean":false,"multipleBirthInteger":2}"#),
        ("multipleBirth", r#""valueString":"2""#, "patch[0].name"),
        (
            "contained",
            r#""resource":{"resourceType":"Group","id":"g"}"#,
            r#","deceasedBoolean":false,"contained":[{"resourceType":"Group","id":"g"}]}"#,
        ),
    ] {
        let rest = format!(r#",{{"name":"name","valueString":"{name}"}},{{"name":"value",{value}}}"#);
        assert_eq!(one(members, "add", "Patient", &rest), expected, "{name} {value}");
    }
    let other = r#",{"name":"value","valueDateTime":"2020"}"#;
    assert_eq!(one(members, "replace", "Patient.deceased", other), r#","deceasedDateTime":"2020"}"#);
    let extension = r#",{"name":"name","valueString":"extension"},{"name":"value","valueExtension":{"url":"x"}}"#;
    assert_eq!(
        one(members, "add", "Patient.deceased", extension),
        r#","deceasedBoolean":false,"_deceasedBoolean":{"extension":[{"url":"x"}]}}"#
    );
}

/// A patch of many operations; each has its type, its path, and its other parts.
fn many(count: usize, kind: &str, path: &str, rest: &str) -> Json {
    let operation = format!(
        r#"{{"name":"operation","part":[{{"name":"type","valueCode":"{kind}"}},{{"name":"path","valueString":"{path}"}}{rest}]}}"#
    );
    let operations = vec![operation; count].join(",");
    parse(format!(r#"{{"resourceType":"Parameters","parameter":[{operations}]}}"#).as_bytes(), DEPTH_MAX).unwrap()
}

#[test]
fn the_regular_expressions_of_a_patch_share_their_memory() {
    let read = |count: usize| {
        Patch::read(
            &many(count, "delete", "Patient.name.where(family.matches('^[a-z]{9}$'))", "").to_bytes(),
            DEPTH_MAX,
        )
    };
    assert!(read(100).is_ok());
    let refused = read(1_000).unwrap_err();
    assert!(refused.message.contains("memory") && refused.expression.ends_with("].path"), "{refused}");
}

#[test]
fn where_an_element_stands_is_found_along_its_path_and_what_it_takes_counts() {
    let entries = vec![r#"{"item":{"display":"x"}}"#; 3_000].join(",");
    let text =
        format!(r#"{{"resourceType":"List","status":"current","mode":"working","entry":[{entries}],"title":"a"}}"#);
    let document = || parse(text.as_bytes(), DEPTH_MAX).unwrap();
    let value = r#",{"name":"value","valueString":"b"}"#;
    // However large the rest is.
    let titled = patched(document(), &many(1_000, "replace", "List.title", value)).unwrap();
    assert_eq!(titled.as_object().unwrap().get_str("title"), Some("b"));
    // The path leads to it at once, but could lead through anything: all that stands before is gone through each time.
    let anywhere = many(1_000, "replace", "'#'.resolve().title", value);
    assert_eq!(patched(document(), &anywhere).unwrap_err().fault, Fault::Bound);
    assert!(patched(document(), &many(50, "replace", "'#'.resolve().title", value)).is_ok());
    for (path, expected) in [
        ("List.entry[1].item.display", 1),
        ("List.entry.where(item.display = 'x')[2].item.display", 2),
        ("List.entry.item.display.skip(3).first()", 3),
        ("List.descendants().where($this = 'x').skip(4).first()", 4),
    ] {
        let outcome = patched(document(), &many(1, "replace", path, value)).unwrap();
        let entries = outcome.as_object().unwrap().get("entry").unwrap().items().to_vec();
        let display = |entry: &Json| entry.as_object()?.get("item")?.as_object()?.get_str("display").map(str::to_owned);
        assert_eq!(entries.iter().position(|entry| display(entry).as_deref() == Some("b")), Some(expected), "{path}");
    }
}

#[test]
fn what_is_moved_in_a_long_list_counts() {
    let places = r#",{"name":"source","valueInteger":0},{"name":"destination","valueInteger":1}"#;
    let moved = |length: usize| {
        let entries = vec![r#"{"deleted":true}"#; length].join(",");
        let text = format!(r#"{{"resourceType":"List","status":"current","mode":"working","entry":[{entries}]}}"#);
        patched(parse(text.as_bytes(), DEPTH_MAX).unwrap(), &many(1_000, "move", "List.entry", places))
    };
    assert!(moved(3_000).is_ok());
    assert_eq!(moved(60_000).unwrap_err().fault, Fault::Bound);
}
