//! Where in a resource type an expression leads, by the definitions alone.

use super::super::type_name::TypeName;
use super::node::Node;
use crate::fhir::definitions::{Element, ElementKind, PrimitiveType, ResourceType, root};
use crate::fhir::invalid::{Invalid, Result};
use crate::fhir::json::Json;
use std::collections::HashSet;

/// An element that an expression reaches.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The JSON names from the resource down: `["onsetAge"]`. Empty for the resource itself and for a computed value.
    pub names: Vec<&'static str>,
    pub kind: ElementKind,
    /// Whether one resource can have several values here.
    pub is_list: bool,
    /// The name without type that its last element has as a choice: `onset`.
    pub choice: Option<&'static str>,
}

impl Place {
    pub fn root(resource_type: ResourceType) -> Place {
        Place::computed(ElementKind::Complex(root(resource_type)))
    }

    /// `Reference`, `code`, `BackboneElement` …
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            ElementKind::Primitive(primitive) => primitive.as_str(),
            ElementKind::Complex(node) => node.type_name(),
            ElementKind::Resource => "Resource",
        }
    }

    pub fn is_primitive(&self) -> bool {
        matches!(self.kind, ElementKind::Primitive(_))
    }

    /// The names of what it is in.
    pub fn parent(&self) -> &[&'static str] {
        self.names.split_last().map_or(&[], |(_, parent)| parent)
    }

    fn computed(kind: ElementKind) -> Place {
        Place { names: Vec::new(), kind, is_list: false, choice: None }
    }

    fn child(&self, element: &'static Element) -> Place {
        let mut names = self.names.clone();
        names.push(element.name);
        Place { names, kind: element.kind, is_list: self.is_list || element.is_list, choice: element.choice }
    }

    /// The element of this name; of a choice, each of its types.
    fn children(&self, name: &str) -> Vec<Place> {
        let ElementKind::Complex(node) = self.kind else { return Vec::new() };
        let elements = node.children().filter(|element| element.name == name || element.choice == Some(name));
        elements.map(|element| self.child(element)).collect()
    }

    fn is(&self, type_name: TypeName) -> bool {
        // Of which type a resource inside another is, only the resource says.
        self.kind == ElementKind::Resource && type_name.is_resource() || type_name.covers(self.type_name())
    }
}

/// At most so many places are told of one expression (places). R4's own have some fifty.
const PLACES_MAX: usize = 1_000;

/// The places that an expression leads to from those it is evaluated on, each once.
///
/// # Errors
/// More than a bound: `value.extension.value.extension` multiplies them by all types at each step.
pub(super) fn reached(node: &Node, this: &[Place], resource: &Place) -> Result<Vec<Place>> {
    let from = |input: &Node| reached(input, this, resource);
    let found = match node {
        Node::This => this.to_vec(),
        Node::Resource => vec![resource.clone()],
        Node::Root(type_name) => this.iter().filter(|place| place.is(*type_name)).cloned().collect(),
        Node::Child(input, name) => from(input)?.iter().flat_map(|place| place.children(name)).collect(),
        Node::Extension(input, _) => from(input)?.iter().flat_map(|place| place.children("extension")).collect(),
        Node::Where(input, _) => from(input)?,
        Node::As(input, type_name) => from(input)?.into_iter().filter(|place| place.is(*type_name)).collect(),
        Node::Index(input, _) => from(input)?.into_iter().map(|place| Place { is_list: false, ..place }).collect(),
        Node::Union(members) => {
            let mut all = Vec::new();
            for member in members {
                all.extend(from(member)?);
            }
            let mut seen = HashSet::new();
            all.retain(|place| seen.insert((place.names.clone(), place.type_name(), place.is_list)));
            all
        }
        Node::Literal(Json::String(_)) => vec![Place::computed(ElementKind::Primitive(PrimitiveType::String))],
        Node::Literal(Json::Number(_)) => vec![Place::computed(ElementKind::Primitive(PrimitiveType::Decimal))],
        Node::Literal(_) | Node::Is(..) | Node::ResolvesTo(..) | Node::Exists(_) | Node::Not(_) => boolean(),
        Node::Equal(..) | Node::And(..) | Node::Or(..) => boolean(),
    };
    if found.len() > PLACES_MAX {
        let message =
            format!("`{node}` leads to more than {PLACES_MAX} elements. Say of which type they are, with `as`.");
        return Err(Invalid::unprocessable("", message));
    }
    Ok(found)
}

fn boolean() -> Vec<Place> {
    vec![Place::computed(ElementKind::Primitive(PrimitiveType::Boolean))]
}
