//! Filters and what they find, with the specification's own examples.

use super::grammar::{Operator, message_at};
use super::*;
use crate::error::Kind;
use crate::search::clause::{Pending, Predicate};
use crate::search::entry::{Entries, NumberEntry, Span, StringEntry, TokenEntry};
use crate::search::kind::string;
use crate::search::query::tests::{ask, clause, dated, entries, find, ignored, of, read, refused, ward};
use proptest::prelude::*;

fn filtered(path: &str, filter: &str) -> Clause {
    clause(&format!("{path}?_filter={filter}"))
}

fn found(path: &str, filter: &str, world: &[(&str, Entries)]) -> Vec<String> {
    find(&format!("{path}?_filter={filter}"), world)
}

fn refusal(path: &str, filter: &str) -> String {
    let error = refused(&format!("{path}?_filter={filter}"));
    assert_eq!((error.kind.status(), error.expression.as_deref()), (400, Some("_filter")), "{filter}");
    error.message
}

/// An element of a composite that has a value.
fn present(branch: &crate::search::registry::Branch) -> TokenEntry {
    TokenEntry { token: branch.hash, param: branch.param, system: None, code: None }
}

fn people() -> Vec<(&'static str, Entries)> {
    let person = |given: &str, born: &str| {
        let (exact, value) = (string::exact(given), string::fold(given));
        let strings = ["name", "given"].map(|code| StringEntry {
            param: of("Patient", code).hash,
            value: value.clone(),
            exact,
            system: None,
        });
        let start = crate::fhir::instant::Interval::parse(born).unwrap();
        let span = Span { low: start.start.timestamp_micros(), high: start.end.timestamp_micros() };
        Entries { strings: strings.to_vec(), ..dated("Patient", "birthdate", span) }
    };
    vec![
        ("Patient/1", person("Péter", "2014-10-10")),
        ("Patient/2", person("Peterson", "2014-10-09")),
        ("Patient/3", person("Carpet", "2014-10")),
        ("Patient/4", Entries::default()),
    ]
}

#[test]
fn the_examples_of_the_specification_are_answered() {
    let world = people();
    assert_eq!(found("Patient", r#"name co "pet""#, &world), ["Patient/1", "Patient/2", "Patient/3"]);
    assert_eq!(found("Patient", r#"given eq "peter" and birthdate ge 2014-10-10"#, &world), ["Patient/1"]);
    let ward = ward();
    assert_eq!(found("Observation", "code eq 1234-5", &ward), ["Observation/1", "Observation/3"]);
    assert_eq!(found("Observation", r#"subject.name co "et""#, &ward), ["Observation/1"]);
    assert_eq!(
        filtered("Observation", "code eq loinc|1234-5"),
        filtered("Observation", "code eq http://loinc.org|1234-5")
    );
    assert_eq!(found("Patient", r#"name sw pet and _has:Observation:patient:code eq 1234-5"#, &ward), ["Patient/a"]);
}

#[test]
fn texts_are_compared_whole_at_the_start_in_the_middle_and_at_the_end() {
    let world = people();
    for (filter, expected) in [
        ("name eq peter", &["Patient/1"][..]),
        ("name eq \"PETER\"", &["Patient/1"]),
        ("name sw pet", &["Patient/1", "Patient/2"]),
        ("name co erso", &["Patient/2"]),
        ("name ew pet", &["Patient/3"]),
        ("name ne peter", &["Patient/2", "Patient/3"]),
        ("name pr true", &["Patient/1", "Patient/2", "Patient/3"]),
        ("name pr false", &["Patient/4"]),
    ] {
        assert_eq!(found("Patient", filter, &world), expected, "{filter}");
    }
}

#[test]
fn and_and_or_bind_alike_from_left_to_right() {
    let world = people();
    for (filter, expected) in [
        ("name eq peter or name eq carpet and name eq carpet", &["Patient/3"][..]),
        ("name eq peter or (name eq carpet and name eq carpet)", &["Patient/1", "Patient/3"]),
        ("name eq carpet and name eq carpet or name eq peter", &["Patient/1", "Patient/3"]),
        ("not (name eq peter or name eq carpet)", &["Patient/2", "Patient/4"]),
        ("name pr true and not(name eq peter)", &["Patient/2", "Patient/3"]),
        ("((name eq peter))", &["Patient/1"]),
    ] {
        assert_eq!(found("Patient", filter, &world), expected, "{filter}");
    }
}

#[test]
fn dates_are_compared_with_all_operators() {
    let world = people();
    for (filter, expected) in [
        ("birthdate eq 2014-10-10", &["Patient/1"][..]),
        ("birthdate eq 2014-10", &["Patient/1", "Patient/2", "Patient/3"]),
        ("birthdate sa 2014-10-09", &["Patient/1"]),
        ("birthdate eb 2014-10-10", &["Patient/2"]),
        ("birthdate co 2014-10-09", &["Patient/2", "Patient/3"]),
        ("birthdate co 2014-10", &["Patient/3"]),
        ("birthdate po 2014-10-09", &["Patient/2", "Patient/3"]),
        ("birthdate po 2014-10", &["Patient/1", "Patient/2", "Patient/3"]),
        ("birthdate po 2014-11", &[]),
        ("_lastUpdated gt 2020-01-01 and _id eq 4", &["Patient/4"]),
        ("_lastUpdated po 2026-11-26 and _id ne 4", &["Patient/1", "Patient/2", "Patient/3"]),
    ] {
        assert_eq!(found("Patient", filter, &world), expected, "{filter}");
    }
    let date = filtered("Observation", "date po 2014");
    assert!(matches!(date, Clause::Match(Predicate::LeadingDate(_))));
}

#[test]
fn codes_numbers_references_and_value_sets_are_compared_by_their_kinds() {
    let world = ward();
    assert_eq!(found("Observation", "code ne 1234-5", &world), ["Observation/2"]);
    assert_eq!(found("Observation", "subject re Patient/a", &world), ["Observation/1"]);
    assert_eq!(found("DiagnosticReport", "result re Observation/1", &world), ["DiagnosticReport/r"]);
    let pending = filtered("Observation", "code in http://acme.org/vs");
    assert!(matches!(pending, Clause::Pending(Pending::InValueSet { .. })));
    assert_eq!(filtered("Observation", "code ni http://acme.org/vs"), pending.negated());
    for word in ["eq", "ne", "gt", "lt", "ge", "le", "ap", "sa", "eb"] {
        let asked = clause(&format!("Observation?value-quantity={word}5.4|http://unitsofmeasure.org|mg"));
        assert_eq!(filtered("Observation", &format!("value-quantity {word} 5.4|ucum|mg")), asked);
    }
    let param = of("RiskAssessment", "probability").hash;
    let (low, high) = (0.8, 0.8);
    let number = NumberEntry {
        param,
        low,
        high,
        raw_low: low,
        raw_high: high,
        unit: 0,
        unit_code: 0,
        unit_text: 0,
        system: None,
    };
    let world = [("RiskAssessment/1", Entries { numbers: vec![number], ..Entries::default() })];
    assert_eq!(found("RiskAssessment", "probability gt 0.7", &world).len(), 1);
    assert_eq!(found("RiskAssessment", "probability gt 0.9", &world).len(), 0);
}

#[test]
fn a_composite_is_asked_whole_and_whether_it_is_there() {
    let branch = of("Observation", "code-value-quantity");
    let there = Entries { tokens: vec![present(&branch)], ..Entries::default() };
    let world = [("Observation/1", there), ("Observation/2", Entries::default())];
    assert_eq!(found("Observation", "code-value-quantity pr true", &world), ["Observation/1"]);
    assert_eq!(found("Observation", "code-value-quantity pr false", &world), ["Observation/2"]);
    assert_eq!(found("Observation", "code-value-quantity ne 1234-5$5", &world), ["Observation/1"]);
    assert_eq!(find("Observation?component-code-value-quantity:missing=true", &world).len(), 2);
}

#[test]
fn a_path_leads_over_references_with_a_filter_on_the_way() {
    let mut world = ward();
    world.push(("Patient/c", entries("Patient", Some(("gender", "male")), None)));
    world.push(("Observation/5", entries("Observation", None, Some(("subject", "Patient/c")))));
    assert_eq!(found("Observation", "subject:Patient.gender eq male", &world), ["Observation/5"]);
    assert_eq!(found("Observation", "subject[gender eq male].name pr false", &world), ["Observation/5"]);
    assert_eq!(found("Observation", "subject[gender eq male].name pr true", &world), [""; 0]);
    assert_eq!(found("DiagnosticReport", "result[code eq 1234-5].subject.name sw pet", &world), ["DiagnosticReport/r"]);
    assert_eq!(found("DiagnosticReport", "result[code eq 9999-9].subject.name sw pet", &world), [""; 0]);
    assert_eq!(found("Patient", "_has:Condition:subject:code eq R51", &world), ["Patient/a"]);
    assert_eq!(found("Patient", "_has:Observation:patient:_has:AuditEvent:entity:_id eq e", &world), ["Patient/b"]);
    assert_eq!(found("Condition", "subject._has:Observation:patient:code eq 1234-5", &world), ["Condition/c"]);
}

#[test]
fn strings_hold_spaces_brackets_quotes_and_backslashes() {
    let whole = |filter: &str| match filtered("Patient", filter) {
        Clause::Match(Predicate::Text { matching: crate::search::clause::TextMatch::Whole(text), .. }) => text,
        other => panic!("{other:?}"),
    };
    for (filter, expected) in [
        (r#"family eq "a) b] \"c\" and d""#, r#"a) b] "c" and d"#),
        (r#"family eq "a\\,b""#, r"a\,b"),
        (r#"family eq "a\u00e9b""#, "aeb"),
        (r"family eq a\,b", "a,b"),
    ] {
        assert_eq!(whole(filter), expected, "{filter}");
    }
}

#[test]
fn what_is_no_filter_is_refused_with_its_position() {
    for (filter, character, what) in [
        (" ", 2, "the name of a parameter"),
        ("name", 5, "one of eq, ne"),
        ("name = x", 6, "one of eq, ne"),
        ("name eq", 8, "a value"),
        ("name eq x y", 11, "'and', 'or' or the end"),
        ("name eq x and", 14, "the name of a parameter"),
        ("(name eq x", 11, "'and', 'or' or ')'"),
        ("name eq x)", 10, "'and', 'or' or the end"),
        ("link[name eq x] eq y", 17, "'.' and the rest"),
        ("link[name eq x.name eq y", 21, "'and', 'or' or ']'"),
        ("name eq \"é", 9, "a string as in JSON"),
        (r#"name eq "a\u0000""#, 9, "without U+0000"),
        ("é eq x", 1, "the name of a parameter"),
        ("_has:Observation:code eq x", 23, "'_has:Type:parameter:'"),
    ] {
        let message = refusal("Patient", filter);
        assert!(message.starts_with(&message_at(character, "")) && message.contains(what), "{filter}: {message}");
    }
}

#[test]
fn what_cannot_be_answered_is_refused_by_name_and_position() {
    for (path, filter, character, what) in [
        ("Patient", "name eq x and foo eq y", 15, "'foo' is not a search parameter of Patient"),
        ("Patient", "name gt x", 1, "'gt' is not supported for 'name', which is a string"),
        ("Patient", "name pr maybe", 1, "'maybe'"),
        ("Patient", "name:exact eq x", 1, "operators instead"),
        ("Patient", "birthdate eq ge2014", 1, "'ge2014'"),
        ("Patient", "birthdate po soon", 1, "soon"),
        ("Patient", "_id eq a/b", 1, "'a/b'"),
        ("Patient", "_id co a", 1, "'co' is not supported for '_id'"),
        ("Patient", "name eq x and _id pr true", 15, "'pr' is not supported for '_id'"),
        ("Patient", "_text pr true", 1, "'pr' is not supported for '_text'"),
        ("Patient", "_lastUpdated pr true", 1, "'pr' is not supported for '_lastUpdated'"),
        ("", "foo eq x", 1, "'foo' is not a search parameter of Account. The same holds for ActivityDefinition,"),
        ("Observation", "code ss 123", 1, "'ss' is not supported for 'code', which is a token"),
        ("Observation", "code sb 123", 1, "'sb' is not supported"),
        ("Observation", "code re Patient/1", 1, "'re' is not supported"),
        ("Observation", "status eq a and subject.foo eq x", 17, "'foo' is not a search parameter"),
        ("Observation", "code.name eq x", 1, "not a reference"),
        ("Observation", "subject[foo eq x].name eq y", 9, "'foo' is not a search parameter"),
    ] {
        let message = refusal(path, filter);
        assert!(message.starts_with(&message_at(character, "")) && message.contains(what), "{filter}: {message}");
    }
}

#[test]
fn filters_have_bounds_that_are_told() {
    let nested = |depth: usize| format!("{}name eq x{}", "(".repeat(depth), ")".repeat(depth));
    filtered("Patient", &nested(19));
    assert_eq!(refused(&format!("Patient?_filter={}", nested(20))).kind, Kind::TooCostly);
    let long = |count: usize| vec!["name eq x"; count].join(" and ");
    filtered("Patient", &long(1000));
    assert_eq!(refused(&format!("Patient?_filter={}", long(1001))).kind, Kind::TooCostly);
    let chain = "partof.".repeat(5);
    assert_eq!(refused(&format!("Organization?_filter={chain}name eq x")).kind, Kind::TooCostly);
}

#[test]
fn a_long_filter_is_read_and_its_places_are_those_of_characters() {
    // 100 KB, two bytes a character.
    let long = format!("name eq \"{}\" and ", "é".repeat(50)).repeat(900);
    filtered("Patient", &format!("{long}name eq x"));
    let characters = long.chars().count();
    assert!(long.len() > 100_000 && characters < 70_000);
    let message = refusal("Patient", &format!("{long}foo eq x"));
    assert!(message.starts_with(&message_at(characters + 1, "'foo'")), "{message}");
    let message = refusal("Patient", &format!("{long}(name eq x"));
    assert!(message.starts_with(&message_at(characters + 11, "Expected")), "{message}");
    // A string that is not closed is looked through once.
    let message = refusal("Patient", &format!("name eq \"{}", "é\\\"".repeat(30_000)));
    assert!(message.starts_with(&message_at(9, "Expected")), "{message}");
}

#[test]
fn several_filters_all_hold_and_several_types_are_filtered_alike() {
    assert_eq!(ask("Patient?_filter=name eq a&_filter=name eq b").clauses.len(), 2);
    let world = ward();
    assert_eq!(
        found("", "code eq 1234-5 or code eq R51&_type=Observation,Condition", &world),
        ["Observation/1", "Observation/3", "Condition/c"]
    );
    assert!(ignored("Patient?_filter=").contains("no value"));
}

#[test]
fn every_operator_is_read_by_its_word() {
    for word in [
        "eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le", "ap", "sa", "eb", "pr", "po", "ss", "sb", "in", "ni",
        "re",
    ] {
        let filter = format!("a {word} b");
        let Filter::Comparison(comparison) = grammar::parse(&filter).unwrap() else { panic!("{word}") };
        assert_eq!(comparison.operator.word(), word);
        assert_eq!(comparison.operator == Operator::Equal, word == "eq");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_breaks_the_reading(
        filter in "((name|subject\\.|code|_has:|not|and|or|eq|co|x|é|[\\[\\]()\"\\\\.]| ){1,2} ?){0,12}",
        name in "(name|subject|_has:|Observation:|patient|:|\\.|_sort|_include|é){0,6}",
    ) {
        // An answer or a refusal: what it is the other tests say.
        for path in ["Patient", "Observation"] {
            let _ = read(&format!("{path}?_filter={filter}&{name}={filter}"), false);
        }
    }
}
