//! From a resource to its entries: each branch that can find something in it is evaluated. <https://hl7.org/fhir/R4/search.html>

use super::entry::Entries;
use super::full_text;
use super::kind::{self, composite};
use super::registry::{Parameter, ParameterKind, Registry, Source};
use crate::fhir::definitions::root;
use crate::fhir::resource::Resource;
use crate::fhirpath::Steps;
use crate::fhirpath::value::{Kind, Value};

/// All that searches remember of a resource, each entry once. `base` is this server's own address: references that start
/// with it are local. Resources inside this one are not entered.
pub fn extract(registry: &Registry, resource: &Resource, base: Option<&str>) -> Entries {
    extract_telling(registry, resource, base, &mut |_| {})
}

/// The same. `exceeded` is told of each parameter that has a branch of which the resource has no entries, since it takes
/// too many steps there.
pub fn extract_telling(
    registry: &Registry,
    resource: &Resource,
    base: Option<&str>,
    exceeded: &mut dyn FnMut(&Parameter),
) -> Entries {
    let root = Value { json: resource.json(), kind: Kind::Complex(root(resource.resource_type())) };
    let mut entries = Entries::default();
    for source in registry.sources_in(resource.resource_type(), resource.object()) {
        let Source { branch, parameter } = source;
        let (steps, before) = (Steps::default(), entries.lengths());
        branch.expression.evaluate(root, root, &steps, &mut |value| match parameter.kind {
            ParameterKind::Composite => parts(source, value, (root, &steps), base, &mut entries),
            kind => meant(value, &mut |value| kind::extract(kind, branch, value, base, &mut entries)),
        });
        if steps.are_spent() {
            entries.truncate(before);
            exceeded(parameter);
        }
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
fn parts(
    source: &Source,
    element: Value<'_>,
    (root, steps): (Value<'_>, &Steps),
    base: Option<&str>,
    entries: &mut Entries,
) {
    let components = &source.parameter.components;
    let mut values = Vec::with_capacity(components.len());
    // From behind: the code that comes first is almost always there.
    for component in components.iter().rev() {
        let mut found = Vec::new();
        component.expression.evaluate(element, root, steps, &mut |value| found.push(value));
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
                source.branch.expression.evaluate(start, start, &Steps::default(), &mut |_| finds = true);
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
        let (registry, _) = Registry::standard().with_custom(&[custom("is-final", "Observation.status = 'final'")]);
        assert_eq!(count(&registry, "is-final", &entries(&registry, OBSERVATION)), 1);
    }

    #[test]
    fn a_resource_that_is_too_large_for_an_expression_has_no_entries_of_it_and_all_others() {
        let quadratic = "Observation.component.where(%resource.component.where(valueString = 'y').exists())";
        let parameter = custom("quadratic", &format!("{quadratic}.code | Observation.component.code"));
        let (registry, faults) = Registry::standard().with_custom(&[parameter]);
        assert!(faults.is_empty(), "{faults:?}");
        let of_size = |size: usize| {
            let component = r#"{"code":{"coding":[{"code":"x"}]},"valueString":"z"}"#;
            let components = vec![component; size].join(",");
            let text = format!(
                r#"{{"resourceType":"Observation","status":"final","code":{{"coding":[{{"code":"c"}}]}},"component":[{components}]}}"#
            );
            let resource = Resource::from_json(parse(text.as_bytes(), 20).unwrap()).unwrap();
            let mut exceeded = Vec::new();
            let entries = extract_telling(&registry, &resource, None, &mut |one| exceeded.push(one.code.clone()));
            (count(&registry, "code", &entries), count(&registry, "quadratic", &entries), exceeded)
        };
        assert_eq!(of_size(10), (1, 1, Vec::new()));
        let (code, _, exceeded) = of_size(3_000);
        assert_eq!((code, exceeded), (1, vec!["quadratic".into()]));
    }

    fn custom(code: &str, expression: &str) -> CustomDefinition {
        CustomDefinition {
            url: format!("http://example.org/{code}").into(),
            code: code.into(),
            bases: vec![ResourceType::OBSERVATION],
            kind: ParameterKind::Token,
            expression: expression.to_owned(),
            targets: Vec::new(),
            components: Vec::new(),
            unfinished: Some(0),
        }
    }
}
