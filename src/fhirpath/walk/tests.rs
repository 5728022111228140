//! What expressions find, and what they refuse.

use super::super::value::{Kind, Value};
use super::{Place, Steps, TypeName, Walk};
use crate::fhir::definitions::{ResourceType, root};
use crate::fhir::invalid::Fault;
use crate::fhir::json::{Json, parse};
use proptest::prelude::*;

const PATIENT: &str = r##"{"resourceType":"Patient","id":"p","active":true,"birthDate":"1970-01-01",
    "contained":[{"resourceType":"Practitioner","id":"doctor"}],
    "extension":[{"url":"http://example.org/eyes","valueCode":"blue"},{"url":"http://example.org/hair","valueString":"red"}],
    "name":[{"use":"official","family":"Pérez","given":["Ana","María"]},{"use":"nickname","given":["Ani"]}],
    "telecom":[{"system":"email","value":"ana@example.org"},{"system":"phone","value":"555"}],
    "deceasedDateTime":"2020-01-01","multipleBirthInteger":2,
    "generalPractitioner":[{"reference":"Practitioner/1"},{"reference":"http://other.example/fhir/Organization/2/_history/3"},
        {"reference":"#doctor"},{"reference":"urn:uuid:1","type":"PractitionerRole"},{"display":"nobody"}]}"##;

/// The values as JSON.
fn found(expression: &str, resource: &str) -> Vec<String> {
    let json = parse(resource.as_bytes(), 20).unwrap();
    let resource_type = ResourceType::parse(json.as_object().unwrap().get_str("resourceType").unwrap()).unwrap();
    let start = Value { json: &json, kind: Kind::Complex(root(resource_type)) };
    let mut found = Vec::new();
    let expression = Walk::compile(expression).unwrap();
    expression.evaluate(start, start, &Steps::default(), &mut |value| {
        found.push(match value.json {
            Json::String(text) | Json::Number(text) => text.to_string(),
            Json::Bool(truth) => truth.to_string(),
            _ => format!("{}:{}", value.type_name(), value.object().map_or(0, |object| object.len())),
        });
    });
    found
}

fn refusal(expression: &str) -> String {
    Walk::compile(expression).unwrap_err().message
}

#[test]
fn paths_lead_through_lists_in_order() {
    for (expression, expected) in [
        ("Patient.name.given", &["Ana", "María", "Ani"][..]),
        ("name.given", &["Ana", "María", "Ani"]),
        ("Resource.id", &["p"]),
        ("DomainResource.id", &["p"]),
        ("Observation.id", &[]),
        ("Patient.name", &["HumanName:3", "HumanName:2"]),
        ("Patient.name.nothing", &[]),
        ("Patient.contact.name", &[]),
        ("Patient.resourceType", &[]),
        ("Patient.`active`", &["true"]),
    ] {
        assert_eq!(found(expression, PATIENT), expected, "{expression}");
    }
}

#[test]
fn a_choice_has_one_name_whatever_its_type() {
    for (expression, expected) in [
        ("Patient.deceased", &["2020-01-01"][..]),
        ("Patient.deceasedDateTime", &["2020-01-01"]),
        ("(Patient.deceased as dateTime)", &["2020-01-01"]),
        ("Patient.deceased.as(dateTime)", &["2020-01-01"]),
        ("Patient.deceased.ofType(FHIR.dateTime)", &["2020-01-01"]),
        ("Patient.deceased as boolean", &[]),
        ("Patient.deceased is dateTime", &["true"]),
        ("Patient.deceased.is(boolean)", &["false"]),
        ("Patient.multipleBirth", &["2"]),
        ("Patient.multiple", &[]),
        ("Patient.birth", &[]),
    ] {
        assert_eq!(found(expression, PATIENT), expected, "{expression}");
    }
}

#[test]
fn conditions_choose_items() {
    for (expression, expected) in [
        ("Patient.telecom.where(system='email').value", &["ana@example.org"][..]),
        ("Patient.telecom.where(system='email' or system='phone').value", &["ana@example.org", "555"]),
        ("Patient.telecom.where(system='email' and value='555').value", &[]),
        ("Patient.telecom.where(system!='email').value", &["555"]),
        ("Patient.name.where(family.exists()).given.first()", &["Ana"]),
        ("Patient.name.where(family.exists().not()).given", &["Ani"]),
        ("Patient.name.where(use = %resource.name[1].use).given", &["Ani"]),
        ("Patient.name.where($this.use = 'nickname').given", &["Ani"]),
        ("Patient.name.where(period).given", &[]),
        ("Patient.name.where(use).given", &["Ana", "María", "Ani"]),
        ("Patient.name[0].given[1]", &["María"]),
        ("Patient.name[2]", &[]),
    ] {
        assert_eq!(found(expression, PATIENT), expected, "{expression}");
    }
}

#[test]
fn truths_have_three_values() {
    for (expression, expected) in [
        ("Patient.active = true", &["true"][..]),
        ("Patient.active != true", &["false"]),
        ("Patient.gender = 'male'", &[]),
        ("Patient.gender = 'male' or Patient.active", &["true"]),
        ("Patient.gender = 'male' and Patient.active", &[]),
        ("Patient.gender = 'male' and Patient.active = false", &["false"]),
        ("Patient.gender.exists()", &["false"]),
        ("Patient.name.exists(use = 'nickname')", &["true"]),
        ("Patient.multipleBirth = 2.0", &["true"]),
        ("Patient.multipleBirth = '2'", &["false"]),
        ("Patient.name.given = Patient.name.given", &["true"]),
        ("Patient.name.given = 'Ana'", &["false"]),
        ("Patient.deceased.exists() and Patient.deceased != false", &["true"]),
    ] {
        assert_eq!(found(expression, PATIENT), expected, "{expression}");
    }
    let alive = r#"{"resourceType":"Patient","deceasedBoolean":false}"#;
    for resource in [alive, r#"{"resourceType":"Patient"}"#] {
        assert_eq!(found("Patient.deceased.exists() and Patient.deceased != false", resource), ["false"]);
    }
}

#[test]
fn extensions_are_found_by_their_address() {
    let asked = "Patient.extension('http://example.org/eyes').value";
    assert_eq!(found(asked, PATIENT), ["blue"]);
    assert_eq!(found("Patient.hasExtension('http://example.org/eyes')", PATIENT), ["true"]);
    assert_eq!(found("Patient.hasExtension('http://example.org/nose')", PATIENT), ["false"]);
}

#[test]
fn a_reference_says_to_what_type_it_leads() {
    for (target, expected) in [
        ("Practitioner", &["Reference:1", "Reference:1"][..]),
        ("Organization", &["Reference:1"]),
        ("PractitionerRole", &["Reference:2"]),
        ("Patient", &[]),
        ("Resource", &["Reference:1", "Reference:1", "Reference:1", "Reference:2"]),
    ] {
        for form in ["resolve() is ", "resolve().is("] {
            let close = if form.ends_with('(') { ")" } else { "" };
            let expression = format!("Patient.generalPractitioner.where({form}{target}{close})");
            assert_eq!(found(&expression, PATIENT), expected, "{expression}");
        }
    }
}

#[test]
fn unions_have_the_values_of_each_member() {
    assert_eq!(found("Patient.name.family | (Patient.birthDate | Patient.id)", PATIENT), ["Pérez", "1970-01-01", "p"]);
    let branches = Walk::compile("Patient.name.family | (Patient.birthDate | Patient.id)").unwrap().branches();
    let texts: Vec<_> = branches.iter().map(|branch| branch.text().as_str()).collect();
    assert_eq!(texts, ["Patient.name.family", "Patient.birthDate", "Patient.id"]);
    assert_eq!(Walk::union(&branches).text(), "Patient.name.family | Patient.birthDate | Patient.id");
}

#[test]
fn a_resource_in_another_has_its_own_type() {
    let bundle = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Composition","id":"c"}}]}"#;
    assert_eq!(found("Bundle.entry[0].resource", bundle), ["Composition:2"]);
    assert_eq!(found("Bundle.entry.resource.ofType(Patient)", bundle), [""; 0]);
    assert_eq!(found("Bundle.entry.resource.as(Composition).id", bundle), ["c"]);
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (expression, expected) in [
        ("", "FHIRPath, at 1: a value or a name was expected."),
        ("Patient.", "FHIRPath, at 9: a name was expected."),
        ("Patient.name.count()", "FHIRPath, at 14: the function `count` is not supported here."),
        ("today()", "FHIRPath, at 1: the function `today` is not supported here."),
        ("1 + 1", "FHIRPath, at 3: the operator `+` is not supported here."),
        ("a > 1", "FHIRPath, at 3: the operator `>` is not supported here."),
        ("a implies b", "FHIRPath, at 3: the operator `implies` is not supported here."),
        ("a in b", "FHIRPath, at 3: the operator `in` is not supported here."),
        ("%context.a", "FHIRPath, at 1: the only variable here is `%resource`."),
        ("$index", "FHIRPath, at 1: of the names with '$', only `$this` is supported."),
        ("a.as(DateTime)", "FHIRPath, at 6: `DateTime` is not a type of R4."),
        ("a is Foo.Bar", "FHIRPath, at 6: `Foo` is no namespace; FHIR and System are."),
        ("a.resolve().name", "FHIRPath, at 3: `resolve()` is supported only as in `resolve() is Patient`."),
        ("a b", "FHIRPath, at 3: the end was expected."),
        ("(a", "FHIRPath, at 3: ')' was expected."),
        ("a[b]", "FHIRPath, at 3: a number was expected."),
        ("a[1.5]", "FHIRPath, at 3: a whole number was expected."),
        ("a.extension(url)", "FHIRPath, at 13: a text in quotes was expected."),
        ("@2020", "FHIRPath, at 1: of values, only texts, numbers, true and false are supported here."),
        ("{}", "FHIRPath, at 1: of values, only texts, numbers, true and false are supported here."),
    ] {
        assert_eq!(refusal(expression), expected, "{expression}");
    }
}

#[test]
fn no_expression_is_too_long_or_too_deep_to_be_refused() {
    for expression in [
        "a".repeat(20_000),
        format!("a{}", ".a".repeat(70)),
        format!("a{}", ".a".repeat(5_000)),
        format!("{}a{}", "(".repeat(100), ")".repeat(100)),
        "a.where(".repeat(100),
        format!("a{}", " and a".repeat(100)),
        format!("a{}", " | a.b".repeat(1_000)),
    ] {
        assert_eq!(Walk::compile(&expression).unwrap_err().fault, Fault::Bound, "{:.20}", expression);
    }
    assert!(Walk::compile(&format!("a{}", " | a.b".repeat(200))).is_ok());
}

#[test]
fn the_text_is_normalized() {
    for (expression, expected) in [
        ("(Observation.value  as Quantity)", "Observation.value.as(Quantity)"),
        ("Observation.value.ofType(Quantity)", "Observation.value.as(Quantity)"),
        ("a.where(b='it\\'s')", "a.where(b = 'it\\'s')"),
        ("a.hasExtension('u')", "a.extension('u').exists()"),
        ("(a and b) or c", "(a and b) or c"),
        ("a and (b or c)", "a and (b or c)"),
        ("(a | b).c", "(a | b).c"),
        ("a != 1", "(a = 1).not()"),
        ("$this.a", "a"),
        ("`a-b`.c", "`a-b`.c"),
    ] {
        let compiled = Walk::compile(expression).unwrap();
        assert_eq!(compiled.text(), expected);
        assert_eq!(Walk::compile(compiled.text()).unwrap(), compiled, "{expression}");
    }
}

#[test]
fn the_last_restriction_to_a_type_can_be_taken_off() {
    let expression = Walk::compile("Observation.subject.where(resolve() is Patient)").unwrap();
    let (rest, target) = expression.without_target().unwrap();
    assert_eq!((rest.text().as_str(), target), ("Observation.subject", TypeName::parse("Patient").unwrap()));
    assert_eq!(rest.without_target(), None);
    let other = Walk::compile("Observation.subject.where(type = 'Patient')").unwrap();
    assert_eq!(other.without_target(), None);
}

#[test]
fn places_tell_where_an_expression_leads() {
    let places = |resource_type: &str, expression: &str| {
        let places = Walk::compile(expression).unwrap().places(ResourceType::parse(resource_type).unwrap()).unwrap();
        let told = |place: &Place| format!("{}:{}:{}", place.names.join("."), place.type_name(), place.is_list);
        places.iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(places("Observation", "Observation.subject"), ["subject:Reference:false"]);
    assert_eq!(places("Observation", "Observation.value.as(Quantity)"), ["valueQuantity:Quantity:false"]);
    assert_eq!(places("Patient", "Patient.name.given"), ["name.given:string:true"]);
    assert_eq!(places("Patient", "Patient.name[0].family"), ["name.family:string:false"]);
    assert_eq!(
        places("Patient", "Patient.deceased"),
        ["deceasedBoolean:boolean:false", "deceasedDateTime:dateTime:false"]
    );
    assert_eq!(places("Patient", "Patient.active = true"), [":boolean:false"]);
    assert_eq!(places("Patient", "Observation.subject | Patient.nothing"), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_breaks_the_reading(text in "[a-zA-Z.()|='%$` \\\\\\[\\]0-9!<>@é]{0,40}") {
        if let Ok(expression) = Walk::compile(&text) {
            prop_assert_eq!(Walk::compile(expression.text()), Ok(expression));
        }
    }
}

#[test]
fn a_walk_that_asks_all_of_each_and_again_of_each_ends() {
    let json = parse(PATIENT.as_bytes(), 20).unwrap();
    let start = Value { json: &json, kind: Kind::Complex(root(ResourceType::PATIENT)) };
    let counted = |expression: &str| {
        let (steps, mut found) = (Steps::default(), 0);
        Walk::compile(expression).unwrap().evaluate(start, start, &steps, &mut |_| found += 1);
        (found, steps.are_spent())
    };
    let nested = (0..20).fold("family".to_owned(), |inner, _| format!("%resource.telecom.where({inner}.exists())"));
    assert!(counted(&format!("Patient.telecom.where({nested}.exists())")).1);
    assert_eq!(counted("Patient.telecom.where(%resource.name.where(use = 'official').exists())"), (2, false));
}

#[test]
fn the_resource_is_asked_from_inside_the_outermost_conditions_only() {
    let asks = |expression: &str| Walk::compile(expression).unwrap().asks_the_resource_again_and_again();
    assert!(!asks("Patient.name.where(%resource.active = true).where(%resource.id = 'a')"));
    assert!(!asks("Patient.name.where(%resource.telecom.where(system = 'email').exists())"));
    assert!(!asks("Patient.contact.where(telecom.where(extension.where(url = 'a').exists()).exists())"));
    assert!(asks("Patient.name.where(%resource.name.where(%resource.active = true).exists())"));
    assert!(asks("Patient.contact.where(telecom.where(%resource.active).exists())"));
}

#[test]
fn places_are_told_once_and_not_without_end() {
    let places = |expression: &str| Walk::compile(expression).unwrap().places(ResourceType::PATIENT);
    assert_eq!(places("(Patient.name | Patient.name).given").unwrap().len(), 1);
    assert!(places("Patient.extension.extension.value").is_ok_and(|places| places.len() > 40));
    let refused = places(&format!("Patient{}", ".extension.value".repeat(6))).unwrap_err();
    assert_eq!(refused.fault, Fault::Unprocessable);
}
