//! The values that a patch brings, and what JSON they are at their place.

use super::super::TypeName;
use crate::fhir::definitions::{Element, ElementKind, Node, PrimitiveType, ResourceType, root};
use crate::fhir::json::{Json, Object};
use smol_str::{SmolStr, format_smolstr};

#[derive(Debug)]
pub(super) enum Brought {
    /// A `value[x]`: its type as the name has it (`HumanName`, `Code`), what it holds, and what stands beside a primitive.
    Typed(SmolStr, Option<Json>, Option<Json>),
    /// A value for each element: for what has no type of its own.
    Parts(Vec<(SmolStr, Brought)>),
    Resource(Json),
}

/// A value at its place: the JSON name, which of a choice has the type; the value, and what stands beside a primitive.
#[derive(Debug)]
pub(super) struct Placed {
    pub name: &'static str,
    pub is_list: bool,
    pub json: Option<Json>,
    pub beside: Option<Json>,
}

impl Brought {
    /// `None`: there is no value, or more than one.
    pub fn read(part: &Object) -> Option<Brought> {
        let mut found = None;
        for (name, json) in part.iter() {
            let brought = if let Some(of) = name.strip_prefix("value") {
                let beside = part.get(&format_smolstr!("_{name}")).cloned();
                Brought::Typed(SmolStr::new(of), Some(json.clone()), beside)
            } else if let Some(of) = name.strip_prefix("_value") {
                if part.get(&format_smolstr!("value{of}")).is_some() {
                    continue;
                }
                Brought::Typed(SmolStr::new(of), None, Some(json.clone()))
            } else if name == "part" {
                let one = |part: &Json| {
                    let part = part.as_object()?;
                    Some((SmolStr::new(part.get_str("name")?), Brought::read(part)?))
                };
                Brought::Parts(json.items().iter().map(one).collect::<Option<_>>()?)
            } else if name == "resource" {
                Brought::Resource(json.clone())
            } else {
                continue;
            };
            if found.replace(brought).is_some() {
                return None;
            }
        }
        found
    }

    /// Calls with each text and the member that it stands in.
    pub fn each_text<'p>(&'p self, member: &'p str, found: &mut dyn FnMut(&'p str, &'p str)) {
        match self {
            Brought::Typed(_, json, beside) => {
                [json, beside].into_iter().flatten().for_each(|json| each_text(json, member, found));
            }
            Brought::Parts(parts) => parts.iter().for_each(|(name, value)| value.each_text(name, found)),
            Brought::Resource(json) => each_text(json, member, found),
        }
    }

    /// The value under a name of a node.
    ///
    /// # Errors
    /// In words: an element that is not there, a value of another type.
    pub fn place(&self, node: Node, name: &str) -> Result<Placed, String> {
        let of = match self {
            Brought::Typed(of, ..) => of.as_str(),
            Brought::Parts(_) | Brought::Resource(_) => "",
        };
        let element =
            node.child(name).or_else(|| node.child(&format!("{name}{of}")).filter(|one| one.choice == Some(name)));
        let Some(element) = element else {
            let is_choice = node.children().any(|one| one.choice == Some(name));
            return Err(match is_choice {
                true => format!("`{name}` cannot have a value of this type."),
                false => format!("{} has no element `{name}`.", node.path()),
            });
        };
        let (json, beside) = self.fitting(element)?;
        Ok(Placed { name: element.name, is_list: element.is_list, json, beside })
    }

    fn fitting(&self, element: &Element) -> Result<(Option<Json>, Option<Json>), String> {
        match (self, element.kind) {
            (Brought::Typed(of, json, beside), ElementKind::Primitive(primitive)) if fits(of, primitive) => {
                Ok((json.clone(), beside.clone()))
            }
            (Brought::Typed(of, Some(json), None), ElementKind::Complex(node)) if covers(node, of) => {
                Ok((Some(json.clone()), None))
            }
            (Brought::Parts(parts), ElementKind::Complex(node)) => Ok((Some(Json::Object(object(parts, node)?)), None)),
            (Brought::Resource(json), ElementKind::Resource) => {
                let of =
                    json.as_object().and_then(|object| object.get_str("resourceType")).and_then(ResourceType::parse);
                of.map(root)
                    .map(|_| (Some(json.clone()), None))
                    .ok_or_else(|| "The resource says no type of R4.".to_owned())
            }
            (_, ElementKind::Complex(node)) if node.type_name() == node.path() => {
                Err(format!("`{}` takes a value{}, or its elements as parts.", element.name, node.type_name()))
            }
            (_, ElementKind::Complex(_)) => Err(format!("`{}` takes its elements as parts.", element.name)),
            (_, ElementKind::Primitive(primitive)) => {
                Err(format!("`{}` takes a value of the type {primitive}.", element.name))
            }
            (_, ElementKind::Resource) => Err(format!("`{}` takes a resource.", element.name)),
        }
    }
}

/// An object of a value for each of its elements.
fn object(parts: &[(SmolStr, Brought)], node: Node) -> Result<Object, String> {
    let mut object = Object::new();
    for (name, value) in parts {
        let placed = value.place(node, name)?;
        if !placed.is_list && (object.get(placed.name).is_some() || object.get(&format!("_{}", placed.name)).is_some())
        {
            return Err(format!("`{name}` stands twice."));
        }
        super::place::append(&mut object, placed);
    }
    Ok(object)
}

/// Whether a complex type is what the name of a value says, or a kind of it that R4 has no value of.
fn covers(node: Node, of: &str) -> bool {
    node.type_name() == of
        || TypeName::parse(of).is_some_and(|of| of.covers(node.type_name()) && node.type_name() == node.path())
}

/// Whether a primitive goes where another one is: Parameters has no value for each of them, and whoever writes a patch
/// often takes a string for a code. That the text is right for its type is a matter of the outcome.
fn fits(of: &str, primitive: PrimitiveType) -> bool {
    let name = primitive.as_str();
    let capital = |name: &str| name.chars().next().map(|first| first.to_ascii_uppercase()) == of.chars().next();
    if of.get(1..) == name.get(1..) && capital(name) {
        return true;
    }
    let is_time = |name: &str| matches!(name, "Date" | "DateTime" | "Instant" | "date" | "dateTime" | "instant");
    let is_number = |name: &str| {
        matches!(name, "Integer" | "PositiveInt" | "UnsignedInt" | "integer" | "positiveInt" | "unsignedInt")
    };
    let is_other = |name: &str| matches!(name, "Boolean" | "Decimal" | "boolean" | "decimal");
    match of {
        "String" => !is_number(name) && !is_other(name),
        _ if is_time(of) => is_time(name),
        _ if is_number(of) => is_number(name) || name == "decimal",
        _ if is_other(of) || of == "Time" || of == "Base64Binary" => false,
        "Code" | "Uri" | "Url" | "Canonical" | "Oid" | "Uuid" | "Id" | "Markdown" => {
            !is_number(name) && !is_other(name) && !is_time(name) && !matches!(name, "time" | "base64Binary")
        }
        _ => false,
    }
}

fn each_text<'p>(json: &'p Json, member: &'p str, found: &mut dyn FnMut(&'p str, &'p str)) {
    match json {
        Json::String(text) => found(member, text),
        Json::Array(items) => items.iter().for_each(|item| each_text(item, member, found)),
        Json::Object(object) => object.iter().for_each(|(name, value)| each_text(value, name, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}
