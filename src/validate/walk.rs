//! One walk over a resource beside its definition: shapes, names, cardinalities and forms.

use super::contained::Within;
use super::place::Place;
use super::primitive::{self, Shape};
use super::report::{Finding, Report, Severity};
use super::{Level, code, contained, extension, invariant, reference};
use crate::fhir::definitions::{
    Constraints, Element as Definition, ElementKind, Node, PrimitiveType, ResourceType, root,
};
use crate::fhir::json::{Json, Object};
use crate::fhirpath::value::Kind;
use crate::fhirpath::{Element, Value};

const EMPTY_LIST: &str = "A list has at least one item; leave it out when there is none.";

/// The walk, and what it has met so far.
pub struct Walk<'a> {
    pub level: Level,
    /// Whether what is only bad practice is told, too.
    pub wants_warnings: bool,
    pub report: Report,
    pub within: Within<'a>,
}

/// The resources around what is looked at.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The one that it is an element of.
    pub resource: Value<'a>,
    /// The one that holds the contained resources.
    pub outermost: Value<'a>,
}

impl Scope<'_> {
    pub fn is_contained(&self) -> bool {
        !std::ptr::eq(self.resource.json, self.outermost.json)
    }
}

impl<'a> Walk<'a> {
    pub fn new(level: Level) -> Walk<'a> {
        Walk { level, wants_warnings: false, report: Report::default(), within: Within::default() }
    }

    /// A resource that stands by itself, or in an entry or a parameter.
    pub fn resource(&mut self, json: &'a Json, resource_type: ResourceType, place: &Place<'_>) {
        let Json::Object(object) = json else { return };
        let around = std::mem::replace(&mut self.within, Within::of(object));
        let resource = Value { json, kind: Kind::Complex(root(resource_type)) };
        self.resource_in(json, object, resource_type, place, Scope { resource, outermost: resource });
        if self.level != Level::Off {
            contained::check(self, object, place);
        }
        if self.wants_warnings {
            self.narrative(object, resource_type, place);
        }
        self.within = around;
    }

    /// Good practice for all that can have one (dom-6); contained resources are told of in their container's.
    fn narrative(&mut self, object: &Object, resource_type: ResourceType, place: &Place<'_>) {
        let text = object.get("text").and_then(Json::as_object);
        if root(resource_type).child("text").is_some() && text.is_none_or(|text| text.get("div").is_none()) {
            self.report.add(Finding {
                severity: Severity::Warning,
                code: "invariant",
                expression: place.expression(),
                message: "A resource should have a narrative, for readers that do not know its data (dom-6)."
                    .to_owned(),
            });
        }
    }

    fn resource_in(
        &mut self,
        json: &'a Json,
        object: &'a Object,
        resource_type: ResourceType,
        place: &Place<'_>,
        scope: Scope<'a>,
    ) {
        let node = root(resource_type);
        self.object(object, node, place, scope);
        self.holds(node.constraints(), Element { json, beside: None, kind: Kind::Complex(node) }, place, scope);
    }

    fn holds(&mut self, which: Constraints, element: Element<'a>, place: &Place<'_>, scope: Scope<'a>) {
        if self.level == Level::Full && !which.is_empty() {
            invariant::check(self, which, element, place, scope);
        }
    }

    pub fn fault(&mut self, code: &'static str, place: &Place<'_>, message: String) {
        let finding = Finding { severity: Severity::Error, code, expression: place.expression(), message };
        self.report.add(finding);
    }

    fn wrong_shape(&mut self, place: &Place<'_>, expected: &str, found: &Json) {
        self.fault("structure", place, format!("R4 has {expected} here; this is {}.", found.kind()));
    }

    fn object(&mut self, object: &'a Object, node: Node, place: &Place<'_>, scope: Scope<'a>) {
        if self.report.is_full() {
            return;
        }
        if self.level == Level::Off {
            return self.members(object, node, place, scope);
        }
        // What the server writes of its own is in `meta`: there it is no fault to have brought nothing.
        if object.is_empty() && !matches!(place, Place::Member(Place::Top, "meta")) {
            self.fault("structure", place, "An object has at least one member.".to_owned());
        }
        // What stands beside a primitive may be an id alone, where there is a value.
        let has_only_id = || object.len() == 1 && object.get("id").is_some();
        if node != Node::element() && has_only_id() && !node.is_resource() {
            self.only_id(place);
        }
        self.members(object, node, place, scope);
        self.demands(object, node, place);
        if node.type_name() == "Extension" {
            extension::check(self, object, place);
        }
    }

    fn only_id(&mut self, place: &Place<'_>) {
        self.fault("invariant", place, "An element has a value or children besides its id (ele-1).".to_owned());
    }

    fn members(&mut self, object: &'a Object, node: Node, place: &Place<'_>, scope: Scope<'a>) {
        let mut chosen: Vec<(&'static str, &'static str)> = Vec::new();
        for (name, value) in object.iter() {
            let beside =
                name.strip_prefix('_').filter(|name| !node.has_attribute(name)).and_then(|name| node.child(name));
            if let Some(element) = beside.filter(|element| matches!(element.kind, ElementKind::Primitive(_))) {
                self.choose(element, &mut chosen, place);
                let sibling = object.get(element.name);
                self.extensions(value, element, sibling, &Place::Member(place, name), scope);
            } else if let Some(element) = node.child(name) {
                self.choose(element, &mut chosen, place);
                let place = Place::Member(place, element.choice.unwrap_or(element.name));
                self.member(value, element, object, &place, scope);
            } else if self.level != Level::Off && !(name == "resourceType" && node.is_resource()) {
                let message = format!("{} has no element `{}`.", describe(node), shortened(name));
                self.fault("structure", &Place::Member(place, name), message);
            }
        }
    }

    /// Of a choice there is one type only.
    fn choose(&mut self, element: &Definition, chosen: &mut Vec<(&'static str, &'static str)>, place: &Place<'_>) {
        let Some(choice) = element.choice.filter(|_| self.level != Level::Off) else { return };
        match chosen.iter().find(|(known, _)| *known == choice) {
            Some((_, name)) if *name != element.name => {
                let message = format!("`{choice}[x]` has one type; here are `{name}` and `{}`.", element.name);
                self.fault("structure", &Place::Member(place, choice), message);
            }
            Some(_) => {}
            None => chosen.push((choice, element.name)),
        }
    }

    fn demands(&mut self, object: &Object, node: Node, place: &Place<'_>) {
        for demand in node.demands() {
            let is_there = |name: &&str| {
                object.get(name).is_some() || !node.has_attribute(name) && beside_of(object, name).is_some()
            };
            if !demand.properties.iter().any(is_there) {
                let forms = match demand.properties.as_slice() {
                    [_] => format!("`{}`", demand.name),
                    several => format!("`{}[x]` ({})", demand.name, listed(several)),
                };
                let message = format!("{} has {forms}; it is missing.", describe(node));
                self.fault("required", &Place::Member(place, demand.name), message);
            }
        }
    }

    fn member(
        &mut self,
        value: &'a Json,
        element: &'static Definition,
        object: &'a Object,
        place: &Place<'_>,
        scope: Scope<'a>,
    ) {
        match (value, element.is_list) {
            (Json::Array(items), true) => {
                if items.is_empty() && self.level != Level::Off {
                    self.fault("structure", place, EMPTY_LIST.to_owned());
                }
                // Looked for once, and only where it matters.
                let has_gaps = self.level != Level::Off && items.contains(&Json::Null);
                let besides = has_gaps.then(|| beside_of(object, element.name)).flatten().map(Json::items);
                let is_filled =
                    |position| matches!(besides.and_then(|besides| besides.get(position)), Some(Json::Object(_)));
                for (position, value) in items.iter().enumerate() {
                    let place = Place::Item(place, position);
                    if has_gaps && matches!(value, Json::Null) && !is_filled(position) {
                        let message = format!(
                            "null stands for a value only where `_{}` has something at the same position.",
                            element.name
                        );
                        self.fault("structure", &place, message);
                        continue;
                    }
                    self.item(value, element, &place, scope);
                }
            }
            (Json::Array(_), false) => {
                self.wrong_shape(place, &format!("one {}, not an array", kind_of(element)), value);
            }
            (other, true) => self.wrong_shape(place, "an array", other),
            (single, false) => self.item(single, element, place, scope),
        }
    }

    fn item(&mut self, value: &'a Json, element: &'static Definition, place: &Place<'_>, scope: Scope<'a>) {
        match (element.kind, value) {
            (ElementKind::Complex(node), Json::Object(inner)) => {
                self.object(inner, node, place, scope);
                if self.level != Level::Off && node.is_reference() {
                    reference::check(self, inner, element, place, scope);
                }
                if let (Level::Full, Some(value_set)) = (self.level, element.binding) {
                    code::check_concept(self, inner, value_set, place);
                }
                let complex = Element { json: value, beside: None, kind: Kind::Complex(node) };
                self.holds(node.constraints(), complex, place, scope);
                // Where the children are defined in place, both are the same.
                if element.constraints != node.constraints() {
                    self.holds(element.constraints, complex, place, scope);
                }
            }
            (ElementKind::Resource, Json::Object(inner)) => self.inner_resource(value, inner, element, place, scope),
            // In a list of primitives, null stands where only the extension beside it has something to say.
            (ElementKind::Primitive(_), Json::Null) if place.is_item() => {}
            (ElementKind::Primitive(primitive), value) if Shape::of(primitive).fits(value) => {
                self.primitive(value, primitive, element, place, scope);
                let primitive = Element { json: value, beside: None, kind: Kind::Primitive(primitive) };
                self.holds(element.constraints, primitive, place, scope);
            }
            _ => self.wrong_shape(place, kind_of(element), value),
        }
    }

    fn inner_resource(
        &mut self,
        json: &'a Json,
        inner: &'a Object,
        element: &Definition,
        place: &Place<'_>,
        scope: Scope<'a>,
    ) {
        let Some(Some(resource_type)) = inner.get_str("resourceType").map(ResourceType::parse) else {
            let message = "A resource says its type, one of R4's, in `resourceType`.";
            return self.fault("structure", place, message.to_owned());
        };
        if element.name == "contained" {
            let resource = Value { json, kind: Kind::Complex(root(resource_type)) };
            self.resource_in(json, inner, resource_type, place, Scope { resource, ..scope });
        } else {
            self.resource(json, resource_type, place);
        }
    }

    fn primitive(
        &mut self,
        value: &'a Json,
        primitive: PrimitiveType,
        element: &Definition,
        place: &Place<'_>,
        scope: Scope<'a>,
    ) {
        if self.level == Level::Off {
            return;
        }
        if let Some(expected) = primitive::fault(primitive, value) {
            return self.fault("value", place, format!("R4 has {expected} here; this is not one."));
        }
        let Json::String(text) = value else { return };
        if matches!(primitive, PrimitiveType::Uri | PrimitiveType::Url | PrimitiveType::Canonical) {
            self.within.note(text, scope);
        }
        if let (Level::Full, PrimitiveType::Code, Some(value_set)) = (self.level, primitive, element.binding) {
            code::check_code(self, text, value_set, place);
        }
    }

    /// The member beside a primitive that carries its id and extensions: an object, or for a list a list with gaps.
    fn extensions(
        &mut self,
        value: &'a Json,
        element: &'static Definition,
        sibling: Option<&Json>,
        place: &Place<'_>,
        scope: Scope<'a>,
    ) {
        let values = sibling.map(Json::items).unwrap_or_default();
        let value_at = |position| values.get(position).is_some_and(|value| !matches!(value, Json::Null));
        match value {
            Json::Array(items) if element.is_list => {
                if items.is_empty() && self.level != Level::Off {
                    self.fault("structure", place, EMPTY_LIST.to_owned());
                }
                for (position, value) in items.iter().enumerate() {
                    let place = Place::Item(place, position);
                    let has_value = || value_at(position);
                    match value {
                        Json::Object(inner) => self.beside(inner, has_value(), &place, scope),
                        Json::Null if self.level == Level::Off || has_value() => {}
                        Json::Null => {
                            let message = "At each position there is a value or something beside it.";
                            self.fault("structure", &place, message.to_owned());
                        }
                        other => self.wrong_shape(&place, "an object with id and extension", other),
                    }
                }
            }
            Json::Object(inner) if !element.is_list => self.beside(inner, value_at(0), place, scope),
            other if element.is_list => self.wrong_shape(place, "an array", other),
            other => self.wrong_shape(place, "an object with id and extension", other),
        }
    }

    fn beside(&mut self, inner: &'a Object, has_value: bool, place: &Place<'_>, scope: Scope<'a>) {
        if !has_value && self.level != Level::Off && inner.len() == 1 && inner.get("id").is_some() {
            self.only_id(place);
        }
        self.object(inner, Node::element(), place, scope);
    }
}

/// What stands beside the primitives of a name.
fn beside_of<'o>(object: &'o Object, name: &str) -> Option<&'o Json> {
    object.iter().find(|(key, _)| key.strip_prefix('_') == Some(name)).map(|(_, value)| value)
}

/// `A Patient`, `Patient.contact`.
fn describe(node: Node) -> String {
    match node.path() {
        path if path.contains('.') => format!("`{path}`"),
        path if path.starts_with(['A', 'E', 'I', 'O']) => format!("An {path}"),
        path => format!("A {path}"),
    }
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A name that a client made up, so much of it that it can be found.
fn shortened(name: &str) -> String {
    const CHARS_MAX: usize = 64;
    name.chars().take(CHARS_MAX).collect()
}

fn kind_of(element: &Definition) -> &'static str {
    match element.kind {
        ElementKind::Primitive(primitive) => Shape::of(primitive).describe(),
        ElementKind::Complex(_) => "an object",
        ElementKind::Resource => "a resource",
    }
}
