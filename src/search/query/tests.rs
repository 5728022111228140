//! Requests as they are understood, with the specification's own examples. <https://hl7.org/fhir/R4/search.html>

use super::*;
use crate::fhir::id::Id;
use crate::search::clause::{Bounds, Chain, Has, Pending, Predicate};
use crate::search::entry::{DateEntry, Entries, Span, StringEntry, TokenEntry};
use crate::search::evaluate::{Fact, World, matches};
use crate::search::hash::self_hash;
use crate::search::kind::fixture::{BASE, NOW};
use crate::search::kind::{string, token};
use crate::search::registry::{CustomDefinition, ParameterKind};
use std::sync::LazyLock;

fn scope(path: &str) -> Scope {
    let parts: Vec<&str> = path.split('/').collect();
    let of = |name| ResourceType::parse(name).unwrap();
    match parts.as_slice() {
        [""] => Scope::System,
        [name] => Scope::Type(of(name)),
        [compartment, id, inner] => Scope::Compartment {
            compartment: of(compartment),
            id: Id::parse(id).unwrap(),
            inner: ResourceType::parse(inner),
        },
        _ => panic!("{path}"),
    }
}

/// Reads `path?name=value&…`; nothing is encoded.
pub(in crate::search) fn read(text: &str, strict: bool) -> error::Result<Query> {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::clone(&Registry::standard()).with_full_text());
    read_by(&REGISTRY, text, strict)
}

fn read_by(registry: &Registry, text: &str, strict: bool) -> error::Result<Query> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap());
    let parameters: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    parse(&Question { registry, strict, ..question(&scope(path), &parameters) })
}

fn question<'a>(scope: &'a Scope, parameters: &'a [(String, String)]) -> Question<'a> {
    static STANDARD: LazyLock<std::sync::Arc<Registry>> = LazyLock::new(Registry::standard);
    Question {
        scope,
        parameters,
        registry: &STANDARD,
        strict: false,
        now_us: NOW,
        base: Some(BASE),
        base_is_guessed: false,
        count_default: 20,
        count_max: 1000,
    }
}

/// Reads what must be understood entirely.
pub(in crate::search) fn ask(text: &str) -> Query {
    let query = read(text, true).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert!(query.ignored.is_empty());
    query
}

/// The one condition that a search makes.
pub(in crate::search) fn clause(text: &str) -> Clause {
    let mut query = ask(text);
    assert_eq!(query.clauses.len(), 1, "{text}");
    query.clauses.pop().unwrap()
}

/// The reason why a parameter is ignored; under strict handling it is the error.
pub(in crate::search) fn ignored(text: &str) -> String {
    let mut query = read(text, false).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert!(query.used.is_empty() && query.clauses.is_empty(), "{text}");
    let ignored = query.ignored.pop().unwrap_or_else(|| panic!("{text} was not ignored"));
    let strict = read(text, true).unwrap_err();
    assert_eq!((strict.kind, strict.expression.as_ref()), (Kind::Invalid, Some(&ignored.name)), "{text}");
    assert_eq!(strict.message, ignored.reason);
    ignored.reason
}

pub(in crate::search) fn refused(text: &str) -> Error {
    read(text, false).expect_err(text)
}

pub(in crate::search) fn of(type_name: &str, code: &str) -> std::sync::Arc<crate::search::registry::Branch> {
    let resource_type = ResourceType::parse(type_name).unwrap();
    let registry = Registry::standard();
    std::sync::Arc::clone(&registry.parameter(resource_type, code).unwrap().branches[0])
}

fn named(type_name: &str, code: &str, name: &str) -> Entries {
    let (param, value) = (of(type_name, code).hash, string::fold(name));
    let exact = string::exact(name);
    Entries { strings: vec![StringEntry { param, value, exact, system: None }], ..Entries::default() }
}

/// With a date, in the resource's own row or in the index.
pub(in crate::search) fn dated(type_name: &str, code: &str, span: Span) -> Entries {
    let branch = of(type_name, code);
    if branch.is_leading_date {
        return Entries { date: Some(span), ..Entries::default() };
    }
    Entries { dates: vec![DateEntry { param: branch.hash, span, system: None }], ..Entries::default() }
}

/// With a code, and referring to something.
pub(in crate::search) fn entries(
    type_name: &str,
    code: Option<(&str, &str)>,
    reference: Option<(&str, &str)>,
) -> Entries {
    let mut entries = Entries::default();
    if let Some((parameter, code)) = code {
        let branch = of(type_name, parameter);
        let token = branch.hash ^ token::value_hash(code, branch.is_identifier);
        entries.tokens.push(TokenEntry { token, param: branch.param, system: None, code: Some(code.into()) });
    }
    if let Some((parameter, target)) = reference {
        let (target, id) = target.split_once('/').unwrap();
        let branch = of(type_name, parameter);
        let token = branch.hash ^ self_hash(target, id);
        entries.tokens.push(TokenEntry { token, param: branch.param, system: None, code: None });
    }
    entries
}

/// Which of the resources (`Type/id`) a search finds.
pub(in crate::search) fn find(text: &str, world: &[(&str, Entries)]) -> Vec<String> {
    let query = ask(text);
    let facts: Vec<Fact<'_>> = world
        .iter()
        .map(|(reference, entries)| {
            let (resource_type, id) = reference.split_once('/').unwrap();
            Fact { resource_type: ResourceType::parse(resource_type).unwrap(), id, last_updated_us: NOW, entries }
        })
        .collect();
    let is_asked = |fact: &&Fact<'_>| query.types.is_empty() || query.types.contains(&fact.resource_type);
    let world = World::of(&facts);
    let found = facts.iter().filter(is_asked).filter(|fact| query.clauses.iter().all(|one| matches(one, fact, &world)));
    found.map(|fact| format!("{}/{}", fact.resource_type, fact.id)).collect()
}

pub(in crate::search) fn ward() -> Vec<(&'static str, Entries)> {
    vec![
        ("Patient/a", named("Patient", "name", "Peter")),
        ("Patient/b", named("Patient", "name", "Paula")),
        ("Device/d", named("Device", "device-name", "Peter's pump")),
        ("Observation/1", entries("Observation", Some(("code", "1234-5")), Some(("subject", "Patient/a")))),
        ("Observation/2", entries("Observation", Some(("code", "9999-9")), Some(("subject", "Patient/b")))),
        ("Observation/3", entries("Observation", Some(("code", "1234-5")), Some(("performer", "Patient/b")))),
        ("Observation/4", entries("Observation", None, Some(("subject", "Device/d")))),
        ("DiagnosticReport/r", entries("DiagnosticReport", None, Some(("result", "Observation/1")))),
        ("AuditEvent/e", entries("AuditEvent", None, Some(("entity", "Observation/2")))),
        ("Condition/c", entries("Condition", Some(("code", "R51")), Some(("subject", "Patient/a")))),
    ]
}

#[test]
fn a_parameter_that_is_being_indexed_is_refused_or_reported_wherever_it_stands() {
    let token = |code: &str, kind, expression: &str, base: &str| CustomDefinition {
        url: format!("http://example.org/{code}").into(),
        code: code.into(),
        bases: vec![ResourceType::parse(base).unwrap()],
        kind,
        expression: expression.to_owned(),
        targets: Vec::new(),
        components: Vec::new(),
        unfinished: Some(43),
    };
    let definitions = [
        // Group has a standard parameter of this name, so that a chain could leave patients out.
        token("type", ParameterKind::Token, "Patient.gender", "Patient"),
        token("given-by", ParameterKind::Reference, "Observation.performer", "Observation"),
    ];
    let (registry, faults) = Registry::standard().with_custom(&definitions);
    assert_eq!(faults, []);
    for text in [
        "Patient?type=x",
        "Patient?_sort=type",
        "Observation?subject.type=x",
        "Observation?given-by=Practitioner/1",
        "Observation?given-by.name=x",
        "Observation?_include=Observation:given-by",
        "Practitioner?_revinclude=Observation:given-by",
        "Practitioner?_has:Observation:given-by:code=x",
    ] {
        let refused = read_by(&registry, text, true).expect_err(text);
        assert!(refused.kind == Kind::Invalid && refused.message.contains("(43 %)"), "{text}: {refused}");
        let lenient = read_by(&registry, text, false).unwrap();
        assert!(lenient.ignored[0].reason.contains("being indexed"), "{text}: {lenient:?}");
    }
    assert!(read_by(&registry, "Patient?_filter=type eq x", false).is_err());
    assert!(read_by(&registry, "Observation?subject:Group.type=x", true).is_ok());
}

#[test]
fn nothing_asked_is_everything_of_the_type() {
    let query = ask("Patient");
    assert_eq!((query.types, query.clauses.len(), query.count), (vec![ResourceType::PATIENT], 0, 20));
    assert_eq!((query.summary, query.total, query.page), (Summary::None, Total::None, None));
    assert_eq!(ask("").types, []);
}

#[test]
fn repeated_parameters_all_hold_and_commas_are_alternatives() {
    let world = ward();
    assert_eq!(find("Observation?code=1234-5,9999-9&subject=Patient/b", &world), ["Observation/2"]);
    assert_eq!(find("Observation?code=1234-5&code=9999-9", &world), [""; 0]);
    assert_eq!(find("Patient?name=pet,pau", &world), ["Patient/a", "Patient/b"]);
    assert_eq!(find(r"Patient?name=pet\,pau", &world), [""; 0]);
}

#[test]
fn ids_are_alternatives_and_can_be_negated() {
    let world = ward();
    assert_eq!(find("Patient?_id=a", &world), ["Patient/a"]);
    assert_eq!(find("Patient?_id=a,b,x", &world), ["Patient/a", "Patient/b"]);
    assert_eq!(find("Patient?_id:not=a,x", &world), ["Patient/b"]);
    assert_eq!(find("?_id=a,1", &world), ["Patient/a", "Observation/1"]);
    let error = refused("Patient?_id=a b");
    assert_eq!((error.kind, error.expression.as_deref()), (Kind::Invalid, Some("_id")));
    assert!(error.message.contains("'a b'"), "{error}");
}

#[test]
fn the_last_update_is_compared_with_prefixes() {
    let clause = clause("Patient?_lastUpdated=ge2010-10-01");
    assert!(matches!(clause, Clause::Match(Predicate::LastUpdated(Bounds { .. }))));
    let world = ward();
    assert_eq!(find("Patient?_lastUpdated=ge2010-10-01&_lastUpdated=lt2030", &world).len(), 2);
    assert_eq!(find("Patient?_lastUpdated=le2010-10-01", &world), [""; 0]);
    assert!(refused("Patient?_lastUpdated=yesterday").message.contains("yesterday"));
}

#[test]
fn a_list_waits_for_its_members_and_computed_lists_are_refused() {
    assert_eq!(clause("Patient?_list=42"), Clause::Pending(Pending::InList(Id::parse("42").unwrap())));
    assert_eq!(clause("Patient?_list=List/42"), clause("Patient?_list=42"));
    assert_eq!(refused("AllergyIntolerance?_list=$current-allergies").kind, Kind::NotSupported);
    assert_eq!(refused("Patient?_list=a/b").kind, Kind::Invalid);
}

#[test]
fn full_text_searches_the_narrative_or_everything() {
    for (name, expected) in [("_text", true), ("_content", false)] {
        let asked = clause(&format!("Patient?{name}=bone"));
        let Clause::Match(Predicate::FullText { narrative_only, alternatives }) = asked else { panic!("{name}") };
        assert_eq!((narrative_only, alternatives[0][0].words.as_slice()), (expected, &["bone".to_owned()][..]));
    }
    assert_eq!(refused("Patient?_text=(a or b").expression.as_deref(), Some("_text"));
    for name in ["_text", "_content", "_filter"] {
        let value = if name == "_filter" { "_text eq bone" } else { "bone" };
        let parameters = [(name.to_owned(), value.to_owned())];
        let question = Question { registry: &Registry::standard(), ..question(&Scope::System, &parameters) };
        let error = parse(&question).unwrap_err();
        assert_eq!((error.kind, error.expression.as_deref()), (Kind::NotSupported, Some(name)));
        assert!(error.message.contains("BRASA_FULL_TEXT"), "{error}");
    }
}

#[test]
fn a_chain_names_the_type_or_leads_to_all_that_have_the_rest() {
    let world = ward();
    assert_eq!(find("Observation?subject:Patient.name=peter", &world), ["Observation/1"]);
    assert_eq!(find("Observation?subject.name=peter", &world), ["Observation/1"]);
    assert_eq!(find("Observation?subject:Device.device-name=peter", &world), ["Observation/4"]);
    assert_eq!(find("Observation?subject:Patient.name:exact=peter", &world), [""; 0]);
    assert_eq!(find("Observation?subject:Patient._id=b", &world), ["Observation/2"]);
    assert_eq!(find("DiagnosticReport?result.subject:Patient.name=peter", &world), ["DiagnosticReport/r"]);
    let Clause::Chain(Chain { source, targets, .. }) = clause("Observation?subject.name=peter") else { panic!() };
    assert_eq!(source, ResourceType::OBSERVATION);
    let types: Vec<_> = targets.iter().map(|(target, _)| target.as_str()).collect();
    assert_eq!(types, ["Patient", "Location"]);
    let Clause::Chain(chain) = clause("Observation?patient.organization.name=x") else { panic!() };
    assert!(matches!(&chain.targets[..], [(ResourceType::PATIENT, Clause::Chain(_))]));
}

#[test]
fn a_chain_that_cannot_be_followed_is_reported() {
    for (text, reason) in [
        ("Observation?subject.foo=x", "not a search parameter"),
        ("Observation?subject:Practitioner.name=x", "does not lead to 'Practitioner'"),
        ("Observation?subject:Patent.name=x", "does not lead to 'Patent'"),
        ("Observation?code.name=x", "not a reference"),
        ("Observation?foo.name=x", "'foo' is not a search parameter of Observation"),
        ("Observation?subject:Patient.name:soundex=x", "no modifier ':soundex'"),
    ] {
        assert!(ignored(text).contains(reason), "{text}: {}", ignored(text));
    }
    let error = refused("Observation?subject.birthdate=x");
    assert_eq!((error.kind, error.expression.as_deref()), (Kind::Invalid, Some("subject.birthdate")));
}

#[test]
fn has_comes_back_on_a_reference_and_may_be_nested() {
    let world = ward();
    assert_eq!(find("Patient?_has:Observation:patient:code=1234-5", &world), ["Patient/a"]);
    assert_eq!(find("Patient?_has:Observation:patient:code=1234-5,9999-9", &world), ["Patient/a", "Patient/b"]);
    assert_eq!(find("Patient?_has:Observation:patient:_has:AuditEvent:entity:_id=e", &world), ["Patient/b"]);
    assert_eq!(find("Patient?_has:Condition:subject:patient.name=pet", &world), ["Patient/a"]);
    assert_eq!(find("Condition?subject:Patient._has:Observation:patient:code=1234-5", &world), ["Condition/c"]);
    let nested = "Patient?_has:Observation:patient:_has:AuditEvent:entity:agent=Practitioner/x";
    let Clause::Has(Has { target, source, condition, .. }) = clause(nested) else { panic!() };
    assert_eq!((target, source), (ResourceType::PATIENT, ResourceType::OBSERVATION));
    assert!(matches!(*condition, Clause::Has(Has { target: ResourceType::OBSERVATION, .. })));
}

#[test]
fn has_that_cannot_come_back_is_reported() {
    for (text, reason) in [
        ("Patient?_has:Observation=x", "is written with"),
        ("Patient?_has:Observation:patient=x", "is written with"),
        ("Patient?_has:Foo:patient:code=x", "not a resource type"),
        ("Patient?_has:Observation:foo:code=x", "not a search parameter of Observation"),
        ("Patient?_has:Observation:code:code=x", "not a reference"),
        ("Practitioner?_has:Observation:patient:code=x", "does not lead to Practitioner"),
        ("Patient?_has:Observation:patient:foo=x", "'foo' is not a search parameter of Observation"),
    ] {
        assert!(ignored(text).contains(reason), "{text}: {}", ignored(text));
    }
}

#[test]
fn chains_are_followed_over_four_references_and_no_more() {
    let partof = |times| format!("Organization?{}name=x", "partof.".repeat(times));
    ask(&partof(LINKS));
    let error = refused(&partof(LINKS + 1));
    assert_eq!((error.kind, error.message.contains("at most 4")), (Kind::TooCostly, true));
    let has = "_has:Observation:has-member:".repeat(LINKS + 1);
    assert_eq!(refused(&format!("Observation?{has}code=x")).kind, Kind::TooCostly);
    // Where not every type that a chain leads to is too far.
    assert_eq!(refused("Observation?focus.focus.focus.focus.focus.code=x").kind, Kind::TooCostly);
}

#[test]
fn a_chain_over_many_types_is_refused_before_all_of_them_are_tried() {
    // Each step leads to every type, and nine of them have the next step.
    let chain = |times: usize, end: &str| format!("Library?{}{end}=x", "derived-from.".repeat(times));
    for text in [chain(6, "title"), chain(4, "nothing"), format!("{}&{0}", chain(3, "title"))] {
        let error = refused(&text);
        assert_eq!(error.kind, Kind::TooCostly, "{text}");
        assert!(error.message.contains("10000") || error.message.contains("at most 4"), "{error}");
    }
    assert!(refused(&chain(4, "nothing")).message.contains("10000"));
    ask(&chain(2, "title"));
    assert!(ignored(&chain(2, "nothing")).contains("not a search parameter"));
}

const LINKS: usize = chain::LINKS_MAX;

#[test]
fn what_is_not_known_is_reported_or_refused_by_name() {
    for (text, reason) in [
        ("Patient?foo=bar", "'foo' is not a search parameter of Patient"),
        ("Patient?_foo=bar", "'_foo' is not a search parameter"),
        ("Patient?name:sounds=x", "'name' has no modifier ':sounds'"),
        ("Patient?_lastUpdated:missing=true", "no modifier"),
        ("Patient?_list:not=1", "no modifier"),
        ("Patient?_count:x=1", "no modifier"),
        ("Patient?_sort:desc=name", "no modifier"),
        ("Patient?name=", "has no value"),
        ("Patient?_count=", "has no value"),
        ("Patient?_type=Patient", "search of one type"),
        ("Patient?_include:foo=Patient:organization", "no modifier"),
    ] {
        assert!(ignored(text).contains(reason), "{text}: {}", ignored(text));
    }
}

#[test]
fn what_is_ignored_is_not_among_what_was_used() {
    let query = read("Patient?name=peter&foo=bar&_count=5000&_format=json&_page=abc", false).unwrap();
    let used: Vec<_> = query.used.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(used, ["name=peter", "_count=1000", "_format=json"]);
    let Ignored { name, value, reason } = &query.ignored[0];
    assert_eq!((name.as_str(), value.as_str(), query.ignored.len()), ("foo", "bar", 1));
    assert!(reason.ends_with('.'));
    assert_eq!(query.page.as_deref(), Some("abc"));
}

#[test]
fn a_value_that_cannot_be_read_is_refused_by_parameter_and_value() {
    for (text, value) in [
        ("Patient?birthdate=soon", "'soon'"),
        ("Patient?name=a&birthdate=1990-13", "'1990-13'"),
        ("Patient?name:missing=maybe", "'maybe'"),
        ("RiskAssessment?probability=x", "'x'"),
        ("Observation?subject=Foo/1", "'Foo/1'"),
    ] {
        let error = refused(text);
        assert!(error.kind == Kind::Invalid && error.message.contains(value), "{error}");
        assert!(text.contains(&error.expression.clone().unwrap()), "{error}");
    }
    assert!(refused(&format!("Patient?_count={}", "x".repeat(1000))).message.len() < 250);
}

#[test]
fn a_text_that_the_database_cannot_hold_is_refused_by_parameter() {
    for (text, place) in [
        ("Patient?name=a\0b", "name"),
        ("Patient?name:exact=\0", "name:exact"),
        ("Patient?active=true&_filter=name eq \"a\0\"", "_filter"),
        ("Observation?subject:Patient.name=\0", "subject:Patient.name"),
        ("Patient?_has:Observation:patient:code=\0", "_has:Observation:patient:code"),
        ("Patient?_sort=\0", "_sort"),
        ("Patient?na\0me=a", "na\u{FFFD}me"),
        ("?_type=Patient\0", "_type"),
    ] {
        let error = refused(text);
        assert_eq!((error.kind, error.expression.as_deref()), (Kind::Invalid, Some(place)), "{text:?}");
        assert!(error.message.contains(place) && error.message.contains("U+0000"), "{error}");
    }
}

#[test]
fn searches_have_bounds_that_are_told() {
    let many = |count: usize| format!("Patient?{}", vec!["name=x"; count].join("&"));
    ask(&many(PARAMETERS_MAX));
    let error = refused(&many(PARAMETERS_MAX + 1));
    assert_eq!((error.kind, error.message.contains("100")), (Kind::TooCostly, true));
    let alternatives = |count: usize| format!("Patient?name=x&name={}", vec!["x"; count - 1].join(","));
    ask(&alternatives(condition::ALTERNATIVES_MAX));
    let error = refused(&alternatives(condition::ALTERNATIVES_MAX + 1));
    assert_eq!((error.kind, error.message.contains("1000")), (Kind::TooCostly, true));
}

#[test]
fn several_types_are_searched_by_what_all_of_them_have() {
    let world = ward();
    assert_eq!(ask("?_type=Patient,Observation,Patient").types.len(), 2);
    assert_eq!(
        find("?_type=Observation,Condition&code=1234-5,r51&patient=a", &world),
        ["Observation/1", "Condition/c"]
    );
    assert_eq!(find("?_type=Condition,Patient&_id=a,c", &world), ["Patient/a", "Condition/c"]);
    let Clause::Any(each) = clause("?_type=Observation,Condition&code=x") else { panic!() };
    assert!(each.iter().all(|one| matches!(one, Clause::All(both) if both.len() == 2)));
    let same = clause("?_type=Observation,Condition&_tag=x");
    assert_eq!((&same, &same), (&clause("Patient?_tag=x"), &clause("?_tag=x")));
    assert!(ignored("?code=x").contains("'code' is not a search parameter of"));
    let query = read("?_type=Patient,Observation&code=x", false).unwrap();
    assert_eq!(query.ignored[0].reason, "'code' is not a search parameter of Patient.");
    let query = read("?_type=Patient,Group&status=x", false).unwrap();
    assert!(query.ignored[0].reason.ends_with("of Patient. The same holds for Group."));
    for (text, reason) in [
        ("?foo=x", "of Account. The same holds for ActivityDefinition, AdverseEvent, AllergyIntolerance and 14"),
        ("?_tag:foo=x", "'_tag' has no modifier ':foo' here."),
        ("?_sort=foo", "of Account. The same holds for ActivityDefinition,"),
        ("?code.foo=x", "'code' is not a search parameter of Account. The same holds for ActivityDefinition,"),
    ] {
        assert!(ignored(text).contains(reason), "{text}: {}", ignored(text));
    }
    let error = refused("?_type=Patient,Foo");
    assert_eq!((error.kind, error.expression.as_deref()), (Kind::Invalid, Some("_type")));
}

#[test]
fn a_date_is_compared_where_it_is_kept() {
    let world = [("Patient/x", dated("Patient", "birthdate", Span { low: 0, high: 1 }))];
    assert_eq!(find("Patient?birthdate=1970-01-01", &world), ["Patient/x"]);
    assert_eq!(find("Patient?birthdate=gt1970-01-01", &world), [""; 0]);
}
