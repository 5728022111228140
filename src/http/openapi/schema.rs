//! JSON schemas of FHIR's types, made from R4's definitions. <https://hl7.org/fhir/R4/json.html>

use crate::fhir::definitions::{Element, ElementKind, Node, PrimitiveType, ResourceType, root};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// R4's primitive types and their JSON types. <https://hl7.org/fhir/R4/datatypes.html>
const PRIMITIVES: &[(PrimitiveType, &str)] = &[
    (PrimitiveType::Base64Binary, "string"),
    (PrimitiveType::Boolean, "boolean"),
    (PrimitiveType::Canonical, "string"),
    (PrimitiveType::Code, "string"),
    (PrimitiveType::Date, "string"),
    (PrimitiveType::DateTime, "string"),
    (PrimitiveType::Decimal, "number"),
    (PrimitiveType::Id, "string"),
    (PrimitiveType::Instant, "string"),
    (PrimitiveType::Integer, "integer"),
    (PrimitiveType::Markdown, "string"),
    (PrimitiveType::Oid, "string"),
    (PrimitiveType::PositiveInt, "integer"),
    (PrimitiveType::String, "string"),
    (PrimitiveType::Time, "string"),
    (PrimitiveType::UnsignedInt, "integer"),
    (PrimitiveType::Uri, "string"),
    (PrimitiveType::Url, "string"),
    (PrimitiveType::Uuid, "string"),
    (PrimitiveType::Xhtml, "string"),
];
const YEAR: &str = "[0-9]{4}";
const MONTH: &str = "(0[1-9]|1[0-2])";
const DAY: &str = "(0[1-9]|[12][0-9]|3[01])";
/// A second 60 is a leap second.
const TIME: &str = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?";
const ZONE: &str = r"(Z|[+\-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))";

/// What the texts of a primitive look like, as narrowly as can be read. What it lets through (a 30th of February) is refused
/// with its place. Empty: no pattern says it.
fn pattern(primitive: PrimitiveType) -> String {
    match primitive {
        PrimitiveType::String | PrimitiveType::Markdown | PrimitiveType::Xhtml => r"\S".to_owned(),
        PrimitiveType::Uri | PrimitiveType::Url | PrimitiveType::Canonical => r"^\S+$".to_owned(),
        PrimitiveType::Code => r"^\S+( \S+)*$".to_owned(),
        PrimitiveType::Id => r"^[A-Za-z0-9\-\.]{1,64}$".to_owned(),
        PrimitiveType::Oid => r"^urn:oid:[0-2](\.(0|[1-9][0-9]*))+$".to_owned(),
        PrimitiveType::Uuid => "^urn:uuid:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$".to_owned(),
        PrimitiveType::Date => format!("^{YEAR}(-{MONTH}(-{DAY})?)?$"),
        PrimitiveType::DateTime => format!("^{YEAR}(-{MONTH}(-{DAY}(T{TIME}{ZONE})?)?)?$"),
        PrimitiveType::Instant => format!("^{YEAR}-{MONTH}-{DAY}T{TIME}{ZONE}$"),
        PrimitiveType::Time => format!("^{TIME}$"),
        PrimitiveType::Base64Binary
        | PrimitiveType::Boolean
        | PrimitiveType::Decimal
        | PrimitiveType::Integer
        | PrimitiveType::PositiveInt
        | PrimitiveType::UnsignedInt => String::new(),
    }
}

pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Every resource type, datatype and backbone element, each under its path, such as `Patient` and `Patient.contact`.
pub fn schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    for (primitive, json_type) in PRIMITIVES {
        schemas.insert(primitive.as_str().to_owned(), of_primitive(*primitive, json_type));
    }
    schemas.insert("Resource".to_owned(), any_resource());
    let mut open: Vec<Node> = Vec::new();
    for resource_type in ResourceType::all() {
        schemas.insert(resource_type.as_str().to_owned(), of_resource(resource_type, &mut open));
    }
    let mut done: BTreeSet<Node> = ResourceType::all().map(root).collect();
    while let Some(node) = open.pop() {
        if done.insert(node) {
            let (properties, required) = properties(node, &mut open);
            schemas.insert(node.path().to_owned(), object(properties, required));
        }
    }
    schemas
}

fn of_primitive(primitive: PrimitiveType, json_type: &str) -> Value {
    let page = match primitive {
        PrimitiveType::Xhtml => "https://hl7.org/fhir/R4/narrative.html".to_owned(),
        other => format!("https://hl7.org/fhir/R4/datatypes.html#{}", other.as_str()),
    };
    let mut schema = json!({"type": json_type, "description": format!("[{}]({page})", primitive.as_str())});
    let Some(members) = schema.as_object_mut() else { return schema };
    let pattern = pattern(primitive);
    if !pattern.is_empty() {
        members.insert("pattern".to_owned(), pattern.into());
    }
    let minimum = match primitive {
        PrimitiveType::PositiveInt => Some(1),
        PrimitiveType::UnsignedInt => Some(0),
        PrimitiveType::Integer => Some(i32::MIN),
        _ => None,
    };
    if let Some(minimum) = minimum {
        members.insert("minimum".to_owned(), minimum.into());
        members.insert("maximum".to_owned(), i32::MAX.into());
    }
    schema
}

/// Any of them, told by `resourceType`. Not `oneOf` the 146: whoever reads one Bundle would read all of R4.
fn any_resource() -> Value {
    let names: Vec<&str> = ResourceType::all().map(ResourceType::as_str).collect();
    json!({
        "type": "object",
        "description": "A resource of any type: the schema of this document that `resourceType` names.",
        "properties": {"resourceType": {"type": "string", "enum": names}, "id": reference("id"), "meta": reference("Meta")},
        "required": ["resourceType"],
        "additionalProperties": true,
    })
}

fn of_resource(resource_type: ResourceType, open: &mut Vec<Node>) -> Value {
    let (mut properties, mut required) = properties(root(resource_type), open);
    properties.insert("resourceType".to_owned(), json!({"type": "string", "enum": [resource_type.as_str()]}));
    required.push("resourceType".to_owned());
    let mut schema = object(properties, required);
    let page = format!("https://hl7.org/fhir/R4/{}.html", resource_type.as_str().to_lowercase());
    let description = format!(
        "[{resource_type}]({page}). Beside a primitive element `x` its id and extensions may stand in `_x`. What is not \
            defined is refused, unless the server was told to look less closely."
    );
    if let Some(members) = schema.as_object_mut() {
        members.insert("description".to_owned(), description.into());
    }
    schema
}

fn object(properties: Map<String, Value>, required: Vec<String>) -> Value {
    let mut schema = json!({"type": "object", "properties": properties});
    if let Some(members) = schema.as_object_mut().filter(|_| !required.is_empty()) {
        members.insert("required".to_owned(), required.into());
    }
    schema
}

/// The properties of a node, and which must be there; where a choice has several, none of them alone must.
fn properties(node: Node, open: &mut Vec<Node>) -> (Map<String, Value>, Vec<String>) {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for element in node.children() {
        properties.insert(element.name.to_owned(), of_element(element, open));
        // A primitive may have its extensions alone, in place of a value.
        if element.is_required && element.choice.is_none() && !matches!(element.kind, ElementKind::Primitive(_)) {
            required.push(element.name.to_owned());
        }
    }
    (properties, required)
}

fn of_element(element: &Element, open: &mut Vec<Node>) -> Value {
    let one = match element.kind {
        ElementKind::Primitive(primitive) => reference(primitive.as_str()),
        ElementKind::Resource => reference("Resource"),
        ElementKind::Complex(node) => {
            open.push(node);
            reference(node.path())
        }
    };
    match element.is_list {
        false => one,
        // Where items have extensions and no value, null holds their place.
        true if matches!(element.kind, ElementKind::Primitive(_)) => {
            json!({"type": "array", "minItems": 1, "items": {"anyOf": [one, {"type": "null"}]}})
        }
        true => json!({"type": "array", "minItems": 1, "items": one}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_between_schemas_leads_to_one() {
        let schemas = schemas();
        assert!(schemas.len() > 600, "{}", schemas.len());
        let text = serde_json::to_string(&schemas).unwrap();
        for (_, rest) in text.match_indices("#/components/schemas/").map(|(at, found)| text.split_at(at + found.len()))
        {
            let name = rest.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
        }
        assert_eq!(schemas["Patient"]["properties"]["contact"]["items"], reference("Patient.contact"));
        assert_eq!(schemas["Observation"]["required"], json!(["code", "resourceType"]));
        assert_eq!(schemas["Observation"]["properties"]["valueQuantity"], reference("Quantity"));
        // A content reference leads to where its children are defined.
        let item = &schemas["Questionnaire.item"]["properties"]["item"]["items"];
        assert_eq!(*item, reference("Questionnaire.item"));
    }
}
