//! A value that an expression reaches: JSON and the FHIR type that it has at its place.

use crate::fhir::definitions::{ElementKind, Node, PrimitiveType, ResourceType, root};
use crate::fhir::json::{Json, Object};

/// JSON with its type. A resource inside another one has the node of its own type.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    pub json: &'a Json,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Primitive(PrimitiveType),
    /// A datatype, a backbone element or a resource.
    Complex(Node),
}

impl<'a> Value<'a> {
    /// `Quantity`, `string`, `BackboneElement`, `Patient`.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Primitive(primitive) => primitive.as_str(),
            Kind::Complex(node) => node.type_name(),
        }
    }

    pub fn object(&self) -> Option<&'a Object> {
        self.json.as_object()
    }

    /// The text of a primitive that is a JSON string.
    pub fn as_str(&self) -> Option<&'a str> {
        self.json.as_str()
    }

    /// The text of a child that is a JSON string.
    pub fn child_str(&self, name: &str) -> Option<&'a str> {
        self.object()?.get_str(name)
    }

    /// The children under one JSON name (for a choice the concrete one), each item of a list by itself.
    pub fn children(&self, name: &str) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let kind = match self.kind {
            Kind::Complex(node) => node.child(name).map(|element| element.kind),
            Kind::Primitive(_) => None,
        };
        let items = kind.and(self.object()).and_then(|object| object.get(name)).map(Json::items).unwrap_or_default();
        items.iter().filter_map(move |json| Value::of(json, kind?))
    }

    /// The children under a name as FHIRPath has it: a choice has one name, whatever its type.
    pub fn each(&self, name: &str, found: &mut dyn FnMut(Value<'a>)) {
        let (Kind::Complex(node), Some(object)) = (self.kind, self.object()) else { return };
        if let (Some(json), Some(element)) = (object.get(name), node.child(name)) {
            return Value::items(json, element.kind, found);
        }
        for (key, json) in object.iter().filter(|(key, _)| key.starts_with(name)) {
            if let Some(element) = node.child(key).filter(|element| element.choice == Some(name)) {
                Value::items(json, element.kind, found);
            }
        }
    }

    fn items(json: &'a Json, kind: ElementKind, found: &mut dyn FnMut(Value<'a>)) {
        json.items().iter().filter_map(|json| Value::of(json, kind)).for_each(found);
    }

    fn of(json: &'a Json, kind: ElementKind) -> Option<Value<'a>> {
        let kind = Kind::of(json, kind)?;
        (*json != Json::Null).then_some(Value { json, kind })
    }

    /// A resource by its own `resourceType`; `None` for anything else.
    pub fn resource(json: &'a Json) -> Option<Value<'a>> {
        Some(Value { json, kind: Kind::of(json, ElementKind::Resource)? })
    }
}

impl Kind {
    /// What JSON is at its place; of a resource inside another one, only it says which it is.
    pub(super) fn of(json: &Json, kind: ElementKind) -> Option<Kind> {
        Some(match kind {
            ElementKind::Primitive(primitive) => Kind::Primitive(primitive),
            ElementKind::Complex(node) => Kind::Complex(node),
            ElementKind::Resource => {
                Kind::Complex(root(ResourceType::parse(json.as_object()?.get_str("resourceType")?)?))
            }
        })
    }
}
