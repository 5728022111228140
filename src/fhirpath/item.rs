//! The items of a collection: elements of a resource, borrowed where they stand, and values that were computed.

use super::number;
use super::quantity::{Quantity, UNIT_BYTES_MAX, Unit};
use super::temporal::{Temporal, TemporalKind};
use super::type_name::TypeName;
use super::value::{Kind, Value};
use crate::fhir::definitions::{Element as Definition, ElementKind, Node, PrimitiveType};
use crate::fhir::json::{Json, Object};
use rust_decimal::Decimal;
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::borrow::Cow;

/// A collection. Most have one item or none, and then take no memory of their own.
pub type Items<'a> = SmallVec<[Item<'a>; 1]>;

static NULL: Json = Json::Null;

/// With all its elements, what stands beside them, and some to spare. What is larger is none, so that to read one is a
/// short look, however often it is asked for.
const QUANTITY_MEMBERS_MAX: usize = 16;

#[derive(Debug, Clone)]
pub enum Item<'a> {
    Element(Element<'a>),
    Boolean(bool),
    Integer(i32),
    Decimal(Decimal),
    String(SmolStr),
    Temporal(Temporal),
    Quantity(Box<Quantity>),
    /// What `type()` tells: a namespace, `System` or `FHIR`, and a name in it.
    Type(&'static str, &'static str),
}

/// An element of a resource, or a resource. A primitive's id and extensions stand beside its value, and either can be alone.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    /// `null` where a primitive has only extensions.
    pub json: &'a Json,
    /// What stands in `_name`: an object with `id` and `extension`.
    pub beside: Option<&'a Json>,
    pub kind: Kind,
}

/// What operators look at: an item as a value of FHIRPath's own types.
pub(super) enum Simple<'s> {
    Boolean(bool),
    Integer(i32),
    Decimal(Decimal),
    String(&'s str),
    Temporal(Temporal),
    Quantity(Cow<'s, Quantity>),
}

/// Whether the definitions have an element of the name that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Known,
    Unknown,
    /// A choice with its type, as JSON has it and FHIRPath does not: `valueQuantity`.
    Concrete,
}

impl<'a> From<Value<'a>> for Element<'a> {
    fn from(value: Value<'a>) -> Self {
        Element { json: value.json, beside: None, kind: value.kind }
    }
}

impl<'a> From<Value<'a>> for Item<'a> {
    fn from(value: Value<'a>) -> Self {
        Item::Element(value.into())
    }
}

impl<'a> Element<'a> {
    /// `Quantity`, `string`, `BackboneElement`, `Patient`.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Primitive(primitive) => primitive.as_str(),
            Kind::Complex(node) => node.type_name(),
        }
    }

    pub fn has_value(&self) -> bool {
        matches!(self.kind, Kind::Primitive(_)) && *self.json != Json::Null
    }

    /// The members that hold its children, and their definitions.
    fn inside(&self) -> Option<(&'a Object, Node)> {
        match self.kind {
            Kind::Complex(node) => Some((self.json.as_object()?, node)),
            Kind::Primitive(_) => Some((self.beside?.as_object()?, Node::element())),
        }
    }

    pub fn object(&self) -> Option<&'a Object> {
        self.inside().map(|(object, _)| object)
    }

    /// The children of a name, a choice by its name without type.
    pub(super) fn each(&self, name: &str, found: &mut impl FnMut(Element<'a>)) -> Name {
        let node = match self.kind {
            Kind::Complex(node) => node,
            Kind::Primitive(_) => Node::element(),
        };
        let object = self.object();
        if let Some(definition) = node.child(name) {
            if definition.choice.is_some() {
                return Name::Concrete;
            }
            if let Some(object) = object {
                member(object, name, definition, found);
            }
            return Name::Known;
        }
        if let Some(object) = object {
            for (key, json) in object.iter() {
                let (plain, is_beside) = key.strip_prefix('_').map_or((key, false), |plain| (plain, true));
                let definition = plain.starts_with(name).then(|| node.child(plain)).flatten();
                let Some(definition) = definition.filter(|one| one.choice == Some(name)) else { continue };
                if is_beside && object.get(plain).is_none() {
                    items(None, Some(json), definition.kind, found);
                } else if !is_beside {
                    member(object, plain, definition, found);
                }
            }
        }
        if node.children().any(|one| one.choice == Some(name)) { Name::Known } else { Name::Unknown }
    }

    /// All children, in the order they are written.
    pub fn each_child(&self, found: &mut dyn FnMut(Element<'a>)) {
        self.children(&mut |child| found(child));
    }

    pub(super) fn children(&self, found: &mut impl FnMut(Element<'a>)) {
        let Some((object, node)) = self.inside() else { return };
        let has_beside = object.iter().any(|(key, _)| key.starts_with('_'));
        for (key, json) in object.iter() {
            if let Some(plain) = key.strip_prefix('_') {
                let definition = node.child(plain).filter(|_| object.get(plain).is_none());
                if let Some(definition) = definition {
                    items(None, Some(json), definition.kind, found);
                }
            } else if let Some(definition) = node.child(key) {
                match has_beside {
                    true => member(object, key, definition, found),
                    false => items(Some(json), None, definition.kind, found),
                }
            }
        }
    }

    /// A child that is a JSON string.
    pub(super) fn child_str(&self, name: &str) -> Option<&'a str> {
        self.object()?.get_str(name)
    }

    /// As search's values have it.
    pub(super) fn value(&self) -> Value<'a> {
        Value { json: self.json, kind: self.kind }
    }

    /// The text of a primitive that JSON writes as a string.
    pub(super) fn text(&self) -> Option<&'a str> {
        matches!(self.kind, Kind::Primitive(_)).then(|| self.json.as_str()).flatten()
    }

    fn quantity(&self) -> Option<Quantity> {
        let is_quantity = matches!(self.type_name(), "Quantity" | "Age" | "Count" | "Distance" | "Duration");
        let object = self.object().filter(|object| is_quantity && object.len() <= QUANTITY_MEMBERS_MAX)?;
        let Some(Json::Number(digits)) = object.get("value") else { return None };
        let [system, code, text] = ["system", "code", "unit"].map(|name| object.get_str(name));
        if code.or(text).is_some_and(|unit| unit.len() > UNIT_BYTES_MAX) {
            return None;
        }
        let unit = match (system, code) {
            (Some("http://unitsofmeasure.org"), Some(code)) => Unit::Ucum(SmolStr::new(code)),
            (_, None) if text.is_none() => Unit::Ucum(SmolStr::new_static("1")),
            _ => Unit::Other(SmolStr::new(code.or(text).unwrap_or_default())),
        };
        Some(Quantity { value: number::decimal(digits)?, unit })
    }

    fn simple(&self) -> Option<Simple<'a>> {
        let Kind::Primitive(primitive) = self.kind else {
            return self.quantity().map(|quantity| Simple::Quantity(Cow::Owned(quantity)));
        };
        match (primitive, self.json) {
            (_, Json::Bool(truth)) => Some(Simple::Boolean(*truth)),
            (PrimitiveType::Decimal, Json::Number(digits)) => number::decimal(digits).map(Simple::Decimal),
            (_, Json::Number(digits)) => {
                digits.parse().ok().map(Simple::Integer).or_else(|| number::decimal(digits).map(Simple::Decimal))
            }
            (PrimitiveType::Date, Json::String(text)) => temporal(Temporal::date(text), text),
            (PrimitiveType::DateTime | PrimitiveType::Instant, Json::String(text)) => {
                temporal(Temporal::date_time(text), text)
            }
            (PrimitiveType::Time, Json::String(text)) => temporal(Temporal::time(text), text),
            (_, Json::String(text)) => Some(Simple::String(text)),
            _ => None,
        }
    }
}

/// What is no date stays the text that it is.
fn temporal(read: Option<Temporal>, text: &str) -> Option<Simple<'_>> {
    Some(read.map_or(Simple::String(text), Simple::Temporal))
}

/// The items of one member, each with what stands beside it.
fn member<'a>(object: &'a Object, name: &str, definition: &Definition, found: &mut impl FnMut(Element<'a>)) {
    if !matches!(definition.kind, ElementKind::Primitive(_)) {
        return items(object.get(name), None, definition.kind, found);
    }
    let (mut json, mut beside) = (None, None);
    for (key, value) in object.iter() {
        if key == name {
            json = Some(value);
        } else if key.strip_prefix('_') == Some(name) {
            beside = Some(value);
        }
    }
    items(json, beside, definition.kind, found);
}

fn items<'a>(json: Option<&'a Json>, beside: Option<&'a Json>, kind: ElementKind, found: &mut impl FnMut(Element<'a>)) {
    let (values, extensions) = (json.map_or(&[][..], Json::items), beside.map_or(&[][..], Json::items));
    for place in 0..values.len().max(extensions.len()) {
        let json = values.get(place).unwrap_or(&NULL);
        let beside = extensions.get(place).filter(|beside| matches!(beside, Json::Object(_)));
        if *json == Json::Null && beside.is_none() {
            continue;
        }
        if let Some(kind) = Kind::of(json, kind) {
            found(Element { json, beside, kind });
        }
    }
}

impl<'a> Item<'a> {
    pub fn element(&self) -> Option<Element<'a>> {
        match self {
            Item::Element(element) => Some(*element),
            _ => None,
        }
    }

    /// The namespace and the name in it: `System` and `Integer`, `FHIR` and `code`.
    pub fn type_name(&self) -> (&'static str, &'static str) {
        let name = match self {
            Item::Element(element) => return ("FHIR", element.type_name()),
            Item::Type(..) => "TypeInfo",
            Item::Boolean(_) => "Boolean",
            Item::Integer(_) => "Integer",
            Item::Decimal(_) => "Decimal",
            Item::String(_) => "String",
            Item::Quantity(_) => "Quantity",
            Item::Temporal(temporal) => match temporal.kind {
                TemporalKind::Date => "Date",
                TemporalKind::DateTime => "DateTime",
                TemporalKind::Time => "Time",
            },
        };
        ("System", name)
    }

    pub(super) fn simple(&self) -> Option<Simple<'_>> {
        Some(match self {
            Item::Element(element) => return element.simple(),
            Item::Boolean(truth) => Simple::Boolean(*truth),
            Item::Integer(number) => Simple::Integer(*number),
            Item::Decimal(number) => Simple::Decimal(*number),
            Item::String(text) => Simple::String(text),
            Item::Temporal(temporal) => Simple::Temporal(*temporal),
            Item::Quantity(quantity) => Simple::Quantity(Cow::Borrowed(quantity)),
            Item::Type(..) => return None,
        })
    }

    /// The text of a string, and of a primitive that is written as one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Item::String(text) => Some(text),
            Item::Element(element) => element.text(),
            _ => None,
        }
    }

    /// The text that equality may compare as it is: of a type whose values are no dates.
    pub(super) fn plain_text(&self) -> Option<&str> {
        match self {
            Item::String(text) => Some(text),
            Item::Element(Element { kind: Kind::Primitive(primitive), json: Json::String(text), .. }) => {
                let is_temporal = matches!(
                    primitive,
                    PrimitiveType::Date | PrimitiveType::DateTime | PrimitiveType::Instant | PrimitiveType::Time
                );
                (!is_temporal).then_some(text.as_str())
            }
            _ => None,
        }
    }

    /// The item as a value of FHIRPath's own types, apart from where it stood.
    pub(super) fn into_simple(self) -> Item<'a> {
        let Item::Element(element) = &self else { return self };
        match element.simple() {
            None => self,
            Some(Simple::Boolean(truth)) => Item::Boolean(truth),
            Some(Simple::Integer(number)) => Item::Integer(number),
            Some(Simple::Decimal(number)) => Item::Decimal(number),
            Some(Simple::String(text)) => Item::String(SmolStr::new(text)),
            Some(Simple::Temporal(temporal)) => Item::Temporal(temporal),
            Some(Simple::Quantity(quantity)) => Item::Quantity(Box::new(quantity.into_owned())),
        }
    }
}

/// A type that an expression names. A name without namespace can be both, as `Quantity` is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Type {
    pub fhir: Option<TypeName>,
    pub system: Option<&'static str>,
}

impl Type {
    /// `is`: of the type, or of one that specializes it.
    pub fn covers(self, item: &Item<'_>) -> bool {
        match item.type_name() {
            ("FHIR", name) => self.fhir.is_some_and(|of| of.covers(name)),
            (_, name) => self.system == Some(name),
        }
    }

    /// `as` and `ofType`: of a primitive, the very type.
    pub fn casts(self, item: &Item<'_>) -> bool {
        match item {
            Item::Element(Element { kind: Kind::Primitive(primitive), .. }) => {
                self.fhir.is_some_and(|of| of.as_str() == primitive.as_str())
            }
            _ => self.covers(item),
        }
    }
}
