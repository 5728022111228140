//! What FHIR adds to the language, and what R4's resources have that HL7's cases do not ask.

use super::super::{Budget, Expression, Item, Knowledge, Value, Variables};
use super::{found, refusal};
use crate::fhir::json::parse;

const OBSERVATION: &str = r##"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"1"}]},
    "contained":[{"resourceType":"Patient","id":"p","active":true}],"subject":{"reference":"#p"},
    "effectiveDateTime":"2020-05","issued":"2020-05-01T10:00:00.000+02:00","_status":{"id":"s"},
    "valueQuantity":{"value":72.50,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"},
    "modifierExtension":[{"url":"http://x"}],"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>"}}"##;

#[test]
fn references_lead_to_what_is_contained_and_to_entries_and_nothing_is_fetched() {
    for (expression, expected) in [
        ("subject.resolve().active", &["true"][..]),
        ("subject.resolve() is Patient", &["true"]),
        ("subject.resolve().is(Group)", &["false"]),
        ("'#p'.resolve().id", &["p"]),
        ("'#'.resolve().status", &["final"]),
        ("'#q'.resolve()", &[]),
        ("'Patient/1'.resolve()", &[]),
    ] {
        assert_eq!(found(OBSERVATION, expression), expected, "{expression}");
    }
    let bundle = r#"{"resourceType":"Bundle","entry":[
        {"fullUrl":"http://x/fhir/Patient/1","resource":{"resourceType":"Patient","id":"1","gender":"male"}},
        {"fullUrl":"urn:uuid:2","resource":{"resourceType":"Observation","subject":{"reference":"Patient/1"}}}]}"#;
    for (expression, expected) in [
        ("entry.resource.subject.resolve().gender", &["male"][..]),
        ("'urn:uuid:2'.resolve().subject.reference", &["Patient/1"]),
        ("'http://x/fhir/Patient/1/_history/3'.resolve().id", &["1"]),
        ("'1'.resolve()", &[]),
        ("entry.resource.ofType(Observation).subject.resolve() is Patient", &["true"]),
    ] {
        assert_eq!(found(bundle, expression), expected, "{expression}");
    }
}

#[test]
fn decimals_and_dates_are_compared_by_what_they_mean() {
    for (expression, expected) in [
        ("value.value = 72.5", &["true"][..]),
        ("value.value.toString()", &["72.50"]),
        ("value = 72.5 'kg'", &["true"]),
        ("value > 72000 'g'", &["true"]),
        ("value > 1 'm'", &[]),
        ("effective < @2020-05-02", &[]),
        ("effective < @2020-06", &["true"]),
        ("issued = @2020-05-01T08:00:00Z", &["true"]),
        ("issued > effective", &[]),
        ("status.id", &["s"]),
        ("status.hasValue() and code.hasValue().not()", &["true"]),
        ("status.getValue() is System.String", &["true"]),
        ("(1 'kg' + 500 'g').value", &[]),
        ("1 'kg' + 500 'g' = 1500 'g'", &["true"]),
        ("effective + 1 month", &["@2020-06"]),
    ] {
        assert_eq!(found(OBSERVATION, expression), expected, "{expression}");
    }
}

#[test]
fn narratives_modifiers_and_profiles_are_looked_at() {
    assert_eq!(found(OBSERVATION, "text.`div`.htmlChecks()"), ["true"]);
    let active = OBSERVATION.replace(">a<", "><script>a</script><");
    assert_eq!(found(&active, "text.div.htmlChecks()"), ["false"]);
    assert_eq!(found(OBSERVATION, "checkModifiers('http://x').status"), ["final"]);
    assert!(refusal(OBSERVATION, "checkModifiers('http://y')").contains("modifier"));
    assert_eq!(found(OBSERVATION, "conformsTo('http://hl7.org/fhir/StructureDefinition/DomainResource')"), ["true"]);
    assert!(refusal(OBSERVATION, "conformsTo('http://x')").contains("not known"));
    assert_eq!(found(OBSERVATION, "code.memberOf('http://x')"), [""; 0]);
}

/// Knows of one value set and of one profile.
struct Known;

impl Knowledge for Known {
    fn member_of(&self, item: &Item<'_>, value_set: &str) -> Option<bool> {
        (value_set == "http://x").then(|| item.text() == Some("final"))
    }

    fn conforms_to(&self, _: &Item<'_>, profile: &str) -> Option<bool> {
        (profile == "http://x").then_some(true)
    }
}

#[test]
fn others_may_tell_what_they_know() {
    let json = parse(OBSERVATION.as_bytes(), 32).unwrap();
    let resource = Value::resource(&json).unwrap();
    let named = [("limit", Item::Integer(70))];
    let variables = Variables { knowledge: Some(&Known), named: &named, ..Variables::of(resource) };
    for (expression, expected) in [
        ("status.memberOf('http://x')", true),
        ("status.memberOf('http://y')", false),
        ("conformsTo('http://x')", true),
        ("value.value > %limit", true),
        ("status = 'final' and nothing", false),
        ("subject.reference", true),
        ("{}", false),
    ] {
        let holds = Expression::compile(expression).unwrap().holds(&resource.into(), &variables, Budget::default());
        assert_eq!(holds, Ok(expected), "{expression}");
    }
    let several = Expression::compile("code | status").unwrap();
    assert!(several.holds(&resource.into(), &variables, Budget::default()).is_err());
}

#[test]
fn what_cannot_be_is_refused_by_name_and_place() {
    for (expression, expected) in [
        ("a.fetch()", "FHIRPath, at 3: there is no function `fetch`."),
        ("a.first(1)", "FHIRPath, at 3: the function `first` takes 0 arguments."),
        ("a.substring()", "FHIRPath, at 3: the function `substring` takes 1 to 2 arguments."),
        ("a is Nothing", "FHIRPath, at 6: `Nothing` is not a type of R4."),
        ("$that", "FHIRPath, at 1: of names with '$' there are `$this`, `$index` and `$total`."),
        ("%nothing", "FHIRPath: there is no variable `%nothing`."),
        ("@2020-02-30", "FHIRPath, at 1: there is no such number, date, time or quantity."),
        ("now()", "FHIRPath: `now()`: what time it is, nobody tells here."),
        (
            "valueQuantity.value",
            "FHIRPath: `valueQuantity` is how JSON names the element; FHIRPath names it without its type.",
        ),
        ("(1|2) > 1", "FHIRPath: `>` has 2 items where one may be."),
        ("1 < 'a'", "FHIRPath: `<` does not go between Integer and String."),
    ] {
        assert_eq!(refusal(OBSERVATION, expression), expected, "{expression}");
    }
}

#[test]
fn repeat_tells_what_is_equal_once_and_goes_on_where_it_stands() {
    let names = r#"{"resourceType":"Patient","name":[{"given":["Ana"]},{"given":["Ana","Eva"]}]}"#;
    assert_eq!(found(names, "Patient.name.repeat(given)"), ["Ana", "Eva"]);
    assert_eq!(found(names, "Patient.name.repeat(given).count()"), ["2"]);
    assert_eq!(found(names, "(1 | 2).repeat(iif($this < 4, $this + 1))"), ["2", "3", "4"]);
    // The two outer items are equal only from outside.
    let items = r#"{"resourceType":"Questionnaire","status":"draft","item":[
        {"linkId":"a","type":"group","item":[{"linkId":"b","type":"group","item":[{"linkId":"c","type":"display"}]}]},
        {"linkId":"a","type":"group","item":[{"linkId":"b","type":"group","item":[{"linkId":"d","type":"display"}]}]},
        {"linkId":"a","type":"group","item":[{"linkId":"b","type":"group","item":[{"linkId":"d","type":"display"}]}]}]}"#;
    assert_eq!(found(items, "Questionnaire.repeat(item).linkId"), ["a", "a", "b", "b", "c", "d"]);
}

#[test]
fn a_decimal_is_converted_from_digits_alone() {
    let patient = r#"{"resourceType":"Patient"}"#;
    assert_eq!(found(patient, "'1_000'.toDecimal()"), [""; 0]);
    assert_eq!(found(patient, "'1_000'.convertsToDecimal()"), ["false"]);
    assert_eq!(found(patient, "'+1000.50'.toDecimal()"), ["1000.50"]);
    assert_eq!(found(patient, "'1_000 \\'mg\\''.convertsToQuantity()"), ["false"]);
}
