//! From a resource to its entries: each branch that can find something in it is evaluated. <https://hl7.org/fhir/R4/search.html>

use super::entry::Entries;
use super::full_text;
use super::kind::{self, composite};
use super::registry::{ParameterKind, Registry, Source};
use crate::fhir::definitions::root;
use crate::fhir::resource::Resource;
use crate::fhirpath::value::{Kind, Value};

/// All that searches remember of a resource, each entry once. `base` is this server's own address: references that start
/// with it are local. Resources inside this one are not entered.
pub fn extract(registry: &Registry, resource: &Resource, base: Option<&str>) -> Entries {
    let root = Value { json: resource.json(), kind: Kind::Complex(root(resource.resource_type())) };
    let mut entries = Entries::default();
    for source in registry.sources_in(resource.resource_type(), resource.object()) {
        let Source { branch, parameter } = source;
        branch.expression.evaluate(root, root, &mut |value| match parameter.kind {
            ParameterKind::Composite => parts(source, value, root, base, &mut entries),
            kind => meant(value, &mut |value| kind::extract(kind, branch, value, base, &mut entries)),
        });
    }
    entries.dedup();
    if registry.has_full_text() {
        entries.texts = full_text::texts(resource);
    }
    entries
}

/// Some of R4's own expressions end at an extension, and what is meant is its value.
fn meant<'a>(value: Value<'a>, found: &mut dyn FnMut(Value<'a>)) {
    match value.type_name() {
        "Extension" => value.each("value", found),
        _ => found(value),
    }
}

/// One element of a composite, unless one of its components has no value there.
fn parts(source: &Source, element: Value<'_>, root: Value<'_>, base: Option<&str>, entries: &mut Entries) {
    let components = &source.parameter.components;
    let mut values = Vec::with_capacity(components.len());
    // From behind: the code that comes first is almost always there.
    for component in components.iter().rev() {
        let mut found = Vec::new();
        component.expression.evaluate(element, root, &mut |value| found.push(value));
        if found.is_empty() {
            return;
        }
        values.push(found);
    }
    values.reverse();
    let kinds: Vec<ParameterKind> = components.iter().map(|component| component.kind).collect();
    composite::extract(&source.branch, &kinds, &values, base, entries);
}

#[cfg(test)]
mod tests {
    use super::super::registry::CustomDefinition;
    use super::*;
    use crate::fhir::definitions::ResourceType;
    use crate::fhir::json::parse;
    use std::collections::BTreeSet;

    const OBSERVATION: &str = r#"{"resourceType":"Observation","meta":{"tag":[{"code":"t"}]},
        "contained":[{"resourceType":"Observation","id":"a","method":{"text":"inside"}}],
        "status":"final","code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},
        "subject":{"reference":"Patient/1"},"performer":[{"reference":"Patient/1"},{"reference":"Patient/1"}],
        "extension":[{"url":"http://hl7.org/fhir/StructureDefinition/observation-geneticsGene",
            "valueCodeableConcept":{"coding":[{"code":"BRCA1"}]}}],
        "component":[{"code":{"coding":[{"code":"8480-6"}]},"valueCodeableConcept":{"coding":[{"code":"x"}]}},
            {"code":{"coding":[{"code":"8462-4"}]}}]}"#;

    fn entries(registry: &Registry, text: &str) -> Entries {
        let resource = Resource::from_json(parse(text.as_bytes(), 20).unwrap()).unwrap();
        extract(registry, &resource, None)
    }

    /// How many token entries a parameter has.
    fn count(registry: &Registry, code: &str, entries: &Entries) -> usize {
        let parameter = registry.parameter(ResourceType::OBSERVATION, code).unwrap();
        let is_of = |param| parameter.branches.iter().any(|branch| branch.param == param);
        entries.tokens.iter().filter(|entry| is_of(entry.param)).count()
    }

    #[test]
    fn every_parameter_finds_its_values() {
        let registry = Registry::standard();
        let entries = entries(&registry, OBSERVATION);
        for (code, expected) in [
            ("code", true),
            ("combo-code", true),
            ("status", true),
            ("subject", true),
            ("patient", true),
            ("_tag", true),
            ("gene-identifier", true),
            ("component-code-value-concept", true),
            ("code-value-concept", false),
            ("method", false),
            ("encounter", false),
            ("value-concept", false),
        ] {
            assert_eq!(count(&registry, code, &entries) > 0, expected, "{code}");
        }
    }

    #[test]
    fn no_branch_that_finds_something_is_passed_over() {
        let patient = r#"{"resourceType":"Patient","birthDate":"1970-01-01"}"#;
        let condition = r#"{"resourceType":"Condition","onsetAge":{"value":1},"abatementDateTime":"2020"}"#;
        let media = r#"{"resourceType":"Media","createdPeriod":{"start":"2020"},"meta":{"source":"urn:a"}}"#;
        for text in [OBSERVATION, patient, condition, media] {
            let json = parse(text.as_bytes(), 20).unwrap();
            let resource = Resource::from_json(json.clone()).unwrap();
            let start = Value { json: &json, kind: Kind::Complex(root(resource.resource_type())) };
            let finds = |source: &&Source| {
                let mut finds = false;
                source.branch.expression.evaluate(start, start, &mut |_| finds = true);
                finds
            };
            let texts = |source: &Source| source.branch.text.clone();
            let registry = Registry::standard();
            let all: BTreeSet<_> = registry.sources(resource.resource_type()).iter().filter(finds).map(texts).collect();
            let present = registry.sources_in(resource.resource_type(), resource.object());
            assert_eq!(present.filter(finds).map(texts).collect::<BTreeSet<_>>(), all);
        }
    }

    #[test]
    fn what_a_resource_says_twice_is_entered_once() {
        let registry = Registry::standard();
        assert_eq!(count(&registry, "performer", &entries(&registry, OBSERVATION)), 1);
    }

    #[test]
    fn a_custom_parameter_is_extracted_too() {
        let custom = CustomDefinition {
            url: "http://example.org/final".into(),
            code: "is-final".into(),
            bases: vec![ResourceType::OBSERVATION],
            kind: ParameterKind::Token,
            expression: "Observation.status = 'final'".to_owned(),
            targets: Vec::new(),
            components: Vec::new(),
            unfinished: Some(0),
        };
        let (registry, _) = Registry::standard().with_custom(&[custom]);
        assert_eq!(count(&registry, "is-final", &entries(&registry, OBSERVATION)), 1);
    }
}
