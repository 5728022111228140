//! Tests: HL7's examples go through XML and come back, and what is not FHIR's XML is refused with its place.

use super::*;
use crate::fhir::invalid::Fault;
use crate::fhir::json::{Json, Object, parse};
use flate2::read::GzDecoder;
use std::io::Read;

/// Without the order of the members, which XML does not keep, and with lists that stand beside each other equally long.
fn sorted(json: &Json) -> Json {
    match json {
        Json::Object(object) => {
            let mut members: Vec<_> = object.iter().map(|(key, value)| (key.to_owned(), sorted(value))).collect();
            members.sort_by(|one, other| one.0.cmp(&other.0));
            let mut sorted = Object::new();
            for (key, value) in members {
                sorted.push(key.into(), value);
            }
            Json::Object(sorted)
        }
        Json::Array(items) => Json::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[test]
fn every_example_comes_back_from_xml_as_it_was() {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open("tests/data/examples.ndjson.gz").unwrap()).read_to_string(&mut text).unwrap();
    let mut count = 0;
    for line in text.lines() {
        let json = parse(line.as_bytes(), 100).unwrap();
        let object = json.as_object().unwrap();
        let name = format!("{:?}/{:?}", object.get_str("resourceType"), object.get_str("id"));
        for pretty in [false, true] {
            let xml = write(object, pretty).unwrap_or_else(|fault| panic!("{name}: {fault}"));
            let back = read(&xml, 100).unwrap_or_else(|fault| panic!("{name}: {fault}"));
            assert!(sorted(&back) == sorted(&json), "{name}: {}", String::from_utf8_lossy(&xml));
        }
        count += 1;
    }
    assert!(count > 600);
}

fn written(text: &str) -> String {
    String::from_utf8(write(parse(text.as_bytes(), 100).unwrap().as_object().unwrap(), false).unwrap()).unwrap()
}

#[test]
fn elements_are_written_in_r4s_order_with_values_and_ids_as_attributes() {
    let text = r#"{"resourceType":"Patient","name":[{"given":[null,"a<b\n\"c\""],"_given":[{"id":"g"},null],"id":"n"}],
        "extension":[{"url":"http://x","valueDecimal":1.50}],"id":"p","contained":[{"resourceType":"Basic"}],
        "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a &amp; b</p></div>"}}"#;
    let expected = concat!(
        r#"<?xml version="1.0" encoding="UTF-8"?><Patient xmlns="http://hl7.org/fhir"><id value="p"/>"#,
        r#"<text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><p>a &amp; b</p></div></text>"#,
        r#"<contained><Basic/></contained><extension url="http://x"><valueDecimal value="1.50"/></extension>"#,
        r#"<name id="n"><given id="g"/><given value="a&lt;b&#10;&quot;c&quot;"/></name></Patient>"#
    );
    assert_eq!(written(text), expected);
    assert_eq!(sorted(&read(expected.as_bytes(), 100).unwrap()), sorted(&parse(text.as_bytes(), 100).unwrap()));
}

#[test]
fn comments_prefixes_and_schema_locations_are_read_over() {
    let text = r#"<?xml version="1.0"?><!-- a --><f:Patient xmlns:f="http://hl7.org/fhir" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
        xsi:schemaLocation="http://hl7.org/fhir patient.xsd"><?a b?><f:active value="true"/></f:Patient>"#;
    let expected = parse(br#"{"resourceType":"Patient","active":true}"#, 9).unwrap();
    assert_eq!(read(text.as_bytes(), 100).unwrap(), expected);
}

#[test]
fn what_is_not_fhirs_xml_is_refused_with_its_place() {
    let patient = |inside: &str| format!("<Patient xmlns=\"http://hl7.org/fhir\">{inside}</Patient>");
    for (text, fault, place) in [
        (String::new(), Fault::Syntax, ""),
        ("<Patient".to_owned(), Fault::Syntax, ""),
        ("<Patient/>".to_owned(), Fault::Syntax, ""),
        ("<Pacient xmlns=\"http://hl7.org/fhir\"/>".to_owned(), Fault::Structure, ""),
        (patient("") + "x", Fault::Syntax, ""),
        (patient("") + &patient(""), Fault::Syntax, ""),
        (patient("<active value=\"true\">"), Fault::Syntax, ""),
        (patient("<active value=\"yes\"/>"), Fault::Structure, "Patient.active"),
        (patient("<active>true</active>"), Fault::Syntax, ""),
        (patient("<colour value=\"red\"/>"), Fault::Structure, "Patient"),
        (patient("<active value=\"true\"/><active value=\"true\"/>"), Fault::Structure, "Patient.active"),
        (patient("<active wert=\"true\"/>"), Fault::Structure, "Patient.active"),
        (patient("<multipleBirthInteger value=\"01\"/>"), Fault::Structure, "Patient.multipleBirthInteger"),
        (
            patient("<name><given value=\"a\"/><given value=\"b\"><x/></given></name>"),
            Fault::Structure,
            "Patient.name[0].given[1]",
        ),
        (patient("<text><status value=\"empty\"/><div>x</div></text>"), Fault::Structure, "Patient.text.div"),
        (patient("<active value=\"&nbsp;\"/>"), Fault::Syntax, ""),
        (patient("<active/>"), Fault::Structure, "Patient.active"),
        (
            patient("<active xmlns=\"http://www.w3.org/1999/xhtml\" value=\"true\"/>"),
            Fault::Structure,
            "Patient.active",
        ),
        (patient("<name><id value=\"a\"/><family value=\"b\"/></name>"), Fault::Structure, "Patient.name[0].id"),
        (patient("<extension><url value=\"http://a\"/></extension>"), Fault::Structure, "Patient.extension[0].url"),
        (patient("<name><family value=\"a\u{1}\"/></name>"), Fault::Syntax, ""),
        (patient("<name><family value=\"a&#1;\"/></name>"), Fault::Syntax, ""),
        (patient("<!-- a -- b -->"), Fault::Syntax, ""),
        (patient("<text><div xmlns=\"http://www.w3.org/1999/xhtml\">&nbsp;</div></text>"), Fault::Syntax, ""),
        (format!("<!DOCTYPE Patient [<!ENTITY a \"b\">]>{}", patient("<active value=\"&a;\"/>")), Fault::Syntax, ""),
        (format!("<!DOCTYPE Patient SYSTEM \"file:///etc/passwd\">{}", patient("")), Fault::Syntax, ""),
        (
            patient(&format!("{}{}", "<contained><Basic>".repeat(99), "</Basic></contained>".repeat(99))),
            Fault::Bound,
            "",
        ),
    ] {
        let refused = read(text.as_bytes(), 64).unwrap_err();
        assert_eq!((refused.fault, refused.expression.as_str()), (fault, place), "{text}: {refused}");
    }
    assert_eq!(read(b"<\xff", 9).unwrap_err().fault, Fault::Syntax);
}

#[test]
fn what_has_no_form_in_xml_is_refused_by_name() {
    for (text, place) in [
        (r#"{"resourceType":"Patient","colour":"red"}"#, "colour"),
        (r#"{"resourceType":"Patient","active":{}}"#, "active"),
        (r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div>"}}"#, "div"),
        (r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div>\u0001</div>"}}"#, "div"),
        (r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div>&#1;</div>"}}"#, "div"),
        (r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div>&nbsp;</div>"}}"#, "div"),
    ] {
        let refused = write(parse(text.as_bytes(), 100).unwrap().as_object().unwrap(), false).unwrap_err();
        assert_eq!(refused.expression, place, "{text}");
    }
}

#[test]
fn very_many_elements_and_namespaces_are_too_many() {
    let many = |inside: &str, count: usize| {
        format!("<Patient xmlns=\"http://hl7.org/fhir\">{}</Patient>", inside.repeat(count))
    };
    let refused = read(many("<name/>", crate::fhir::json::VALUES_MAX).as_bytes(), 64).unwrap_err();
    assert_eq!(refused.fault, Fault::Bound);
    let declared: String = (0..9).map(|number| format!(" xmlns:n{number}=\"http://n\"")).collect();
    let refused = read(many(&format!("<name{declared}/>"), 1).as_bytes(), 64).unwrap_err();
    assert_eq!(refused.fault, Fault::Syntax, "{refused}");
}
