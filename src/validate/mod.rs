//! May this resource exist? So far: is each element of the JSON shape that R4 gives it. <https://hl7.org/fhir/R4/json.html>
//!
//! Unknown elements pass here; cardinality, codes and invariants are not looked at yet.

use crate::fhir::definitions::{Element, ElementKind, Node, PrimitiveType, ResourceType, root};
use crate::fhir::invalid::{Invalid, Result};
use crate::fhir::json::{Json, Object};
use crate::fhir::resource::Resource;

/// Checks the JSON shape of every known element: list or single, object or primitive, boolean or number or string.
/// The first fault is returned, with its place relative to the resource.
pub fn check_shape(resource: &Resource) -> Result<()> {
    object(resource.object(), root(resource.resource_type()), &Place::Top)
}

/// Where the walk is; a text is only made of it when there is a fault.
enum Place<'a> {
    Top,
    Member(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl Place<'_> {
    fn expression(&self) -> String {
        match self {
            Place::Top => String::new(),
            Place::Member(Place::Top, name) => (*name).to_owned(),
            Place::Member(outer, name) => format!("{}.{name}", outer.expression()),
            Place::Item(outer, position) => format!("{}[{position}]", outer.expression()),
        }
    }
}

fn object(object: &Object, node: Node, place: &Place<'_>) -> Result<()> {
    for (name, value) in object.iter() {
        let place = Place::Member(place, name);
        let extended = name.strip_prefix('_').and_then(|name| node.child(name));
        if let Some(element) = extended.filter(|element| matches!(element.kind, ElementKind::Primitive(_))) {
            extensions(value, element, &place)?;
        } else if let Some(element) = node.child(name) {
            member(value, element, &place)?;
        }
    }
    Ok(())
}

fn member(value: &Json, element: &Element, place: &Place<'_>) -> Result<()> {
    match (value, element.is_list) {
        (Json::Array(items), true) => {
            for (position, value) in items.iter().enumerate() {
                item(value, element, &Place::Item(place, position))?;
            }
            Ok(())
        }
        (Json::Array(_), false) => Err(fault(place, &format!("one {}, not an array", kind_of(element)), value)),
        (other, true) => Err(fault(place, "an array", other)),
        (single, false) => item(single, element, place),
    }
}

fn item(value: &Json, element: &Element, place: &Place<'_>) -> Result<()> {
    match (element.kind, value) {
        (ElementKind::Complex(node), Json::Object(inner)) => object(inner, node, place),
        (ElementKind::Resource, Json::Object(inner)) => match inner.get_str("resourceType").map(ResourceType::parse) {
            Some(Some(resource_type)) => object(inner, root(resource_type), place),
            _ => {
                Err(Invalid::structure(place.expression(), "A resource says its type, one of R4's, in `resourceType`."))
            }
        },
        // In a list of primitives, null stands where only the extension beside it has something to say.
        (ElementKind::Primitive(_), Json::Null) if matches!(place, Place::Item(..)) => Ok(()),
        (ElementKind::Primitive(primitive), value) if has_form(primitive, value) => Ok(()),
        _ => Err(fault(place, kind_of(element), value)),
    }
}

/// The member beside a primitive that carries its id and extensions: an object, or for a list a list with gaps.
fn extensions(value: &Json, element: &Element, place: &Place<'_>) -> Result<()> {
    let one = |value: &Json, place: &Place<'_>| match value {
        Json::Object(inner) => object(inner, Node::element(), place),
        Json::Null if element.is_list => Ok(()),
        other => Err(fault(place, "an object with id and extension", other)),
    };
    match value {
        Json::Array(items) if element.is_list => {
            items.iter().enumerate().try_for_each(|(position, value)| one(value, &Place::Item(place, position)))
        }
        other if !element.is_list => one(other, place),
        other => Err(fault(place, "an array", other)),
    }
}

fn has_form(primitive: PrimitiveType, value: &Json) -> bool {
    match form_of(primitive) {
        Form::Boolean => matches!(value, Json::Bool(_)),
        Form::Number => matches!(value, Json::Number(_)),
        Form::Text => matches!(value, Json::String(_)),
    }
}

#[derive(Clone, Copy)]
enum Form {
    Boolean,
    Number,
    Text,
}

fn form_of(primitive: PrimitiveType) -> Form {
    match primitive {
        PrimitiveType::Boolean => Form::Boolean,
        PrimitiveType::Integer | PrimitiveType::Decimal | PrimitiveType::UnsignedInt | PrimitiveType::PositiveInt => {
            Form::Number
        }
        PrimitiveType::String
        | PrimitiveType::Uri
        | PrimitiveType::Url
        | PrimitiveType::Canonical
        | PrimitiveType::Oid
        | PrimitiveType::Uuid
        | PrimitiveType::Id
        | PrimitiveType::Code
        | PrimitiveType::Markdown
        | PrimitiveType::Base64Binary
        | PrimitiveType::Instant
        | PrimitiveType::Date
        | PrimitiveType::DateTime
        | PrimitiveType::Time
        | PrimitiveType::Xhtml => Form::Text,
    }
}

fn kind_of(element: &Element) -> &'static str {
    match element.kind {
        ElementKind::Primitive(primitive) => match form_of(primitive) {
            Form::Boolean => "true or false",
            Form::Number => "a number",
            Form::Text => "a string",
        },
        ElementKind::Complex(_) => "an object",
        ElementKind::Resource => "a resource",
    }
}

fn fault(place: &Place<'_>, expected: &str, found: &Json) -> Invalid {
    Invalid::structure(place.expression(), format!("R4 has {expected} here; this is {}.", found.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::json::parse;

    fn checked(text: &str) -> Result<()> {
        check_shape(&Resource::from_json(parse(text.as_bytes(), 64).unwrap()).unwrap())
    }

    #[test]
    fn a_wrong_shape_is_named_with_its_place() {
        for (text, place) in [
            (r#"{"resourceType":"Patient","birthDate":5}"#, "birthDate"),
            (r#"{"resourceType":"Patient","active":"yes"}"#, "active"),
            (r#"{"resourceType":"Patient","name":{"family":"x"}}"#, "name"),
            (r#"{"resourceType":"Patient","gender":["male"]}"#, "gender"),
            (r#"{"resourceType":"Patient","name":["x"]}"#, "name[0]"),
            (r#"{"resourceType":"Patient","name":[{},{"given":["a",7]}]}"#, "name[1].given[1]"),
            (r#"{"resourceType":"Patient","name":[null]}"#, "name[0]"),
            (r#"{"resourceType":"Patient","birthDate":null}"#, "birthDate"),
            (r#"{"resourceType":"Patient","_birthDate":"x"}"#, "_birthDate"),
            (r#"{"resourceType":"Patient","_birthDate":{"extension":{}}}"#, "_birthDate.extension"),
            (r#"{"resourceType":"Observation","valueQuantity":{"value":"1.0"}}"#, "valueQuantity.value"),
            (r#"{"resourceType":"Observation","subject":{"reference":{}}}"#, "subject.reference"),
            (r#"{"resourceType":"Observation","contained":[{"id":"x"}]}"#, "contained[0]"),
            (
                r#"{"resourceType":"Observation","contained":[{"resourceType":"Patient","active":1}]}"#,
                "contained[0].active",
            ),
            (r#"{"resourceType":"Patient","extension":[{"url":"x","valueInteger":"1"}]}"#, "extension[0].valueInteger"),
        ] {
            assert_eq!(checked(text).unwrap_err().expression, place, "{text}");
        }
    }

    #[test]
    fn right_shapes_and_unknown_elements_pass() {
        for text in [
            r#"{"resourceType":"Patient","name":[{"given":["a",null],"_given":[null,{"id":"x"}]}],"_birthDate":{"extension":[]}}"#,
            r#"{"resourceType":"Patient","unknown":[1,{"x":null}],"_unknown":7}"#,
            r#"{"resourceType":"Observation","valueQuantity":{"value":1E-22},"effectiveDateTime":"2020"}"#,
            r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","active":true}}]}"#,
        ] {
            checked(text).unwrap();
        }
    }
}
