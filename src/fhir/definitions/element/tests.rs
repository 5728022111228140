//! Tests of the element walk, against what the specification's pages say.

use super::*;
use std::collections::BTreeSet;

fn node(name: &str) -> Node {
    ResourceType::parse(name).map_or_else(|| datatype(name).unwrap(), root)
}

fn element(path: &str) -> &'static Element {
    let (parent, name) = path.rsplit_once('.').unwrap();
    complex(parent).child(name).unwrap()
}

fn complex(path: &str) -> Node {
    if !path.contains('.') {
        return node(path);
    }
    match element(path).kind {
        ElementKind::Complex(node) => node,
        other => panic!("{path}: {other:?}"),
    }
}

fn every_element() -> impl Iterator<Item = (Node, &'static Element)> {
    let nodes = u16::try_from(DEFINITIONS.nodes.len()).unwrap();
    (0..nodes).map(Node).flat_map(|node| node.children().map(move |element| (node, element)))
}

#[test]
fn no_row_of_the_element_table_is_skipped() {
    assert_eq!(DEFINITIONS.rows_skipped, 0);
    assert_eq!(DEFINITIONS.resources.len(), 146 + 2);
    assert_eq!(DEFINITIONS.datatypes.len(), 41);
}

#[test]
fn every_resource_type_has_a_node_that_knows_its_name_and_an_id() {
    for resource_type in ResourceType::all() {
        let node = root(resource_type);
        assert_eq!(node.type_name(), resource_type.as_str());
        assert_eq!(node.child("id").unwrap().kind, ElementKind::Primitive(PrimitiveType::Id));
    }
}

#[test]
fn every_node_has_distinct_children_and_each_complex_child_has_children_too() {
    let mut names = BTreeSet::new();
    for (node, element) in every_element() {
        assert!(names.insert((node, element.name)), "{}", node.path());
        assert!(std::ptr::eq(node.child(element.name).unwrap(), element));
        if let ElementKind::Complex(child) = element.kind {
            assert!(child.child("extension").is_some(), "{}", element.name);
        }
    }
}

#[test]
fn the_value_reference_of_an_extension_is_a_reference() {
    assert!(complex("Extension.valueReference").is_reference());
    assert!(complex("Observation.subject").is_reference());
    assert!(!complex("Extension.valueQuantity").is_reference());
}

#[test]
fn an_open_choice_has_the_fifty_types_of_r4_under_their_json_names() {
    let extension = node("Extension");
    let values = extension.children().filter(|e| e.choice == Some("value"));
    assert_eq!(values.count(), 50);
    assert!(extension.child("value").is_none());
    assert!(extension.child("value[x]").is_none());
    assert!(extension.child("valueSimpleQuantity").is_none());
    assert_eq!(element("Extension.valueBase64Binary").kind, ElementKind::Primitive(PrimitiveType::Base64Binary));
}

#[test]
fn a_simple_quantity_is_a_quantity() {
    assert_eq!(complex("Dosage.doseAndRate.doseQuantity"), node("Quantity"));
    assert_eq!(datatype("SimpleQuantity"), None);
    assert_eq!(datatype("MoneyQuantity"), None);
}

#[test]
fn answers_of_deeply_nested_items_resolve_through_content_references() {
    let item = complex("QuestionnaireResponse.item");
    assert_eq!(complex("QuestionnaireResponse.item.item.item"), item);
    assert_eq!(complex("QuestionnaireResponse.item.item.item.answer.item"), item);
    assert_eq!(item.path(), "QuestionnaireResponse.item");
    assert_eq!(item.type_name(), "BackboneElement");
}

#[test]
fn a_place_for_any_resource_is_known_as_one() {
    for path in [
        "Bundle.entry.resource",
        "Bundle.entry.response.outcome",
        "Parameters.parameter.resource",
        "Parameters.parameter.part.resource",
        "Patient.contained",
    ] {
        assert_eq!(element(path).kind, ElementKind::Resource, "{path}");
    }
    assert_eq!(
        every_element()
            .filter(|(_, element)| element.kind == ElementKind::Resource)
            .map(|(_, element)| element.name)
            .collect::<BTreeSet<_>>(),
        ["contained", "outcome", "resource"].into()
    );
}

#[test]
fn types_that_the_package_writes_as_system_types_are_fhir_types() {
    for (path, expected) in [
        ("Patient.text.div", PrimitiveType::Xhtml),
        ("Extension.url", PrimitiveType::Uri),
        ("Extension.id", PrimitiveType::String),
        ("Patient.contact.id", PrimitiveType::String),
        ("Bundle.id", PrimitiveType::Id),
        ("Patient.birthDate", PrimitiveType::Date),
    ] {
        let kind = element(path).kind;
        assert_eq!(kind, ElementKind::Primitive(expected), "{path}");
    }
}

#[test]
fn cardinality_is_that_of_the_definition() {
    assert!(element("Patient.name").is_list);
    assert!(!element("Patient.name").is_required);
    assert!(!element("Observation.status").is_list);
    assert!(element("Observation.status").is_required);
}

#[test]
fn the_targets_of_a_choice_belong_to_the_type_that_points() {
    let targets = |path: &str| element(path).targets().collect::<Vec<_>>();
    let choice = "EvidenceVariable.characteristic.definition";
    assert_eq!(targets(&format!("{choice}Reference")), ["Group"]);
    assert_eq!(targets(&format!("{choice}Canonical")), ["ActivityDefinition"]);
    assert!(targets(&format!("{choice}CodeableConcept")).is_empty());
    assert_eq!(targets("Observation.subject"), ["Patient", "Group", "Device", "Location"]);
    assert_eq!(targets("Provenance.target"), ["Resource"]);
}

#[test]
fn the_sibling_of_a_primitive_is_an_element_with_an_id_and_extensions() {
    let names: Vec<_> = Node::element().children().map(|e| e.name).collect();
    assert_eq!(names, ["extension", "id"]);
}

#[test]
fn a_name_that_is_no_element_has_no_child() {
    for name in ["resourceType", "_birthDate", "birthdate", "deceased", ""] {
        assert!(node("Patient").child(name).is_none(), "{name}");
    }
}
