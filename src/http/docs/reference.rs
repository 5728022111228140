//! The document as pages to read, one for each group, without a script.

use super::words::{self, Words, in_spanish};
use crate::account::Language;
use crate::error::{Error, Result};
use crate::fhir::definitions::{ElementKind, ResourceType, root};
use crate::http::State;
use crate::http::openapi::{self, slug};
use crate::interaction::capabilities::Surface;
use askama::Template;
use serde_json::Value;

#[derive(Template)]
#[template(path = "docs/index.html")]
struct Index<'a> {
    words: &'a Words,
    groups: Vec<Group>,
    types: Vec<&'static str>,
}

/// A group that is not a resource type.
struct Group {
    name: String,
    /// Its part of the address.
    slug: String,
    description: String,
}

#[derive(Template)]
#[template(path = "docs/group.html")]
struct GroupPage<'a> {
    words: &'a Words,
    name: &'a str,
    slug: &'a str,
    description: String,
    /// Of a resource type: its page in the specification.
    specification: Option<String>,
    operations: Vec<Operation>,
    elements: Vec<Row>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    /// The language of the summary.
    language: &'static str,
    description: Vec<Span>,
    is_open: bool,
    parameters: Vec<Row>,
    body: Option<Body>,
    answers: Vec<Answer>,
}

/// A parameter or an element.
struct Row {
    name: String,
    place: String,
    kind: String,
    is_required: bool,
    meaning: Vec<Span>,
}

struct Body {
    kinds: Vec<String>,
    example: Option<String>,
}

struct Answer {
    status: String,
    meaning: Vec<Span>,
    kinds: Vec<String>,
}

/// A piece of Markdown, as far as the document has any.
struct Span {
    text: String,
    is_code: bool,
    is_strong: bool,
}

/// Every group, by its name and its part of the address.
pub fn groups(state: &State, base: &str) -> Vec<(String, String)> {
    let mut surface = Surface::of(&state.context);
    let types: Vec<String> = surface.types.drain(..).map(|of| of.resource_type.to_string()).collect();
    let document = openapi::without_schemas(&surface, state.accounts.is_some(), base);
    let others = list(&document, "/tags").map(|tag| text(tag, "name"));
    others.chain(types).map(|name| (name.clone(), slug(&name))).collect()
}

pub fn index(state: &State, base: &str, language: Language) -> Result<String> {
    let mut surface = Surface::of(&state.context);
    let types = surface.types.drain(..).map(|of| of.resource_type.as_str()).collect();
    let document = openapi::without_schemas(&surface, state.accounts.is_some(), base);
    let groups = list(&document, "/tags").map(|tag| Group {
        name: text(tag, "name"),
        slug: slug(&text(tag, "name")),
        description: text(tag, "description"),
    });
    let page = Index { words: words::of(language), groups: groups.collect(), types };
    page.render().map_err(Error::internal)
}

/// # Errors
/// 404 for a name that is no group's.
pub fn page(state: &State, base: &str, language: Language, name: &str) -> Result<String> {
    let mut surface = Surface::of(&state.context);
    surface.types.retain(|of| of.resource_type.as_str() == name);
    let resource_type = surface.types.first().map(|of| of.resource_type);
    let document = openapi::without_schemas(&surface, state.accounts.is_some(), base);
    let tag = list(&document, "/tags").find(|tag| slug(&text(tag, "name")) == name);
    let tag = tag.ok_or_else(|| Error::not_found("There is no such page. /redoc lists them."))?;
    let title = text(tag, "name");
    let page = GroupPage {
        words: words::of(language),
        name: &title,
        slug: name,
        description: text(tag, "description"),
        specification: tag.pointer("/externalDocs/url").and_then(Value::as_str).map(str::to_owned),
        operations: operations(&document, &title, language),
        elements: resource_type.map(elements).unwrap_or_default(),
    };
    page.render().map_err(Error::internal)
}

fn operations(document: &Value, tag: &str, language: Language) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            if operation.pointer("/tags/0").and_then(Value::as_str) == Some(tag) {
                found.push(of_operation(document, path, method, operation, language));
            }
        }
    }
    found
}

fn of_operation(document: &Value, path: &str, method: &str, operation: &Value, language: Language) -> Operation {
    let id = text(operation, "operationId");
    let spanish = if language == Language::Spanish { in_spanish(&id) } else { None };
    let parameters = list(operation, "/parameters");
    let answers = operation.get("responses").and_then(Value::as_object).into_iter().flatten();
    Operation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        language: if spanish.is_some() { "es" } else { "en" },
        summary: spanish.unwrap_or_else(|| text(operation, "summary")),
        description: spans(&text(operation, "description")),
        is_open: operation.pointer("/security").and_then(Value::as_array).is_some_and(Vec::is_empty),
        parameters: parameters.map(|parameter| row(resolved(document, parameter))).collect(),
        body: operation.get("requestBody").map(|body| of_body(resolved(document, body))),
        answers: answers.map(|(status, answer)| of_answer(status, resolved(document, answer))).collect(),
        id,
    }
}

fn row(parameter: &Value) -> Row {
    Row {
        name: text(parameter, "name"),
        place: text(parameter, "in"),
        kind: kind(parameter.get("schema")),
        is_required: parameter.get("required") == Some(&Value::Bool(true)),
        meaning: spans(&text(parameter, "description")),
    }
}

fn of_body(body: &Value) -> Body {
    let content = body.get("content").and_then(Value::as_object).into_iter().flatten();
    let example = content.clone().find_map(|(_, of)| of.get("example"));
    Body {
        kinds: content.map(|(name, of)| format!("{name}: {}", kind(of.get("schema")))).collect(),
        example: example.and_then(|example| serde_json::to_string_pretty(example).ok()),
    }
}

fn of_answer(status: &str, answer: &Value) -> Answer {
    let content = answer.get("content").and_then(Value::as_object).into_iter().flatten();
    Answer {
        status: status.to_owned(),
        meaning: spans(&text(answer, "description")),
        kinds: content.map(|(name, of)| format!("{name}: {}", kind(of.get("schema")))).collect(),
    }
}

/// The elements at the top of a resource.
fn elements(resource_type: ResourceType) -> Vec<Row> {
    let of = |element: &crate::fhir::definitions::Element| {
        let kind = match element.kind {
            ElementKind::Primitive(primitive) => primitive.as_str(),
            ElementKind::Complex(node) => node.type_name(),
            ElementKind::Resource => "Resource",
        };
        let targets: Vec<&str> = element.targets().collect();
        Row {
            name: element.name.to_owned(),
            place: format!("{}..{}", u8::from(element.is_required), if element.is_list { "*" } else { "1" }),
            kind: kind.to_owned(),
            is_required: element.is_required && element.choice.is_none(),
            meaning: spans(&targets.join(", ")),
        }
    };
    root(resource_type).children().map(of).collect()
}

/// What a reference leads to inside the document, or the value itself.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let place = value.get("$ref").and_then(Value::as_str).and_then(|place| place.strip_prefix('#'));
    place.and_then(|place| document.pointer(place)).unwrap_or(value)
}

/// A schema in a word or two.
fn kind(schema: Option<&Value>) -> String {
    let Some(schema) = schema else { return String::new() };
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        return name.rsplit('/').next().unwrap_or_default().trim_start_matches("search.").to_owned();
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ");
    }
    if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
        return any.iter().map(|one| kind(Some(one))).collect::<Vec<_>>().join(" | ");
    }
    text(schema, "type")
}

/// The pieces between backticks and between double stars. A link keeps its words.
fn spans(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    for (number, piece) in text.split('`').enumerate() {
        let is_code = number % 2 == 1;
        for (number, piece) in piece.split("**").enumerate().filter(|(_, piece)| !piece.is_empty()) {
            spans.push(Span { text: piece.to_owned(), is_code, is_strong: number % 2 == 1 && !is_code });
        }
    }
    spans
}

fn list<'v>(value: &'v Value, place: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value.pointer(place).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_name_for_addresses_and_text_has_its_pieces() {
        assert_eq!(slug("FHIR: the system"), "FHIR-the-system");
        assert_eq!(slug("Patient"), "Patient");
        let pieces = spans("As in `a`, **400** malformed.");
        let told: Vec<(&str, bool, bool)> =
            pieces.iter().map(|one| (one.text.as_str(), one.is_code, one.is_strong)).collect();
        let expected = [
            ("As in ", false, false),
            ("a", true, false),
            (", ", false, false),
            ("400", false, true),
            (" malformed.", false, false),
        ];
        assert_eq!(told, expected);
    }
}
