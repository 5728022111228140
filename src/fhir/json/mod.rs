//! JSON as FHIR needs it: decimals keep their digits, members keep their order, no member stands twice. <https://hl7.org/fhir/R4/json.html>
//!
//! The tree is the project's own because `serde_json::Value` loses digits without a build-wide switch, keeps the last of
//! two equal keys without a word, and cannot say where in the tree a fault is (docs/decisions/0001-json-tree.md).

mod equal;
mod parse;
mod pointer;
mod write;

pub use parse::{Parser, VALUES_MAX, parse};
pub use pointer::{Pointer, index};
use smol_str::SmolStr;

/// A JSON value. Numbers hold their text, so `1.00` and `1E-22` come out as they went in.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(SmolStr),
    String(SmolStr),
    Array(Vec<Json>),
    Object(Object),
}

/// The members of a JSON object, in the order they came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object {
    members: Vec<(SmolStr, Json)>,
}

impl Json {
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Json::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The items of an array, or the value itself as the only item: FHIR's "one or many" read alike.
    pub fn items(&self) -> &[Json] {
        match self {
            Json::Array(items) => items,
            single => std::slice::from_ref(single),
        }
    }

    pub fn string(text: impl AsRef<str>) -> Json {
        Json::String(SmolStr::new(text))
    }

    /// What kind of value this is, in words for a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }
}

impl From<i64> for Json {
    fn from(number: i64) -> Json {
        Json::Number(SmolStr::new(number.to_string()))
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Json {
        Json::Object(object)
    }
}

impl Object {
    pub const fn new() -> Self {
        Object { members: Vec::new() }
    }

    pub fn get(&self, name: &str) -> Option<&Json> {
        self.members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        self.members.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Json::as_str)
    }

    /// Replaces the member where it stands, or puts it at `position` (clamped to the end) when there is none.
    pub fn set_at(&mut self, position: usize, name: &'static str, value: Json) {
        match self.get_mut(name) {
            Some(present) => *present = value,
            None => {
                let position = position.min(self.members.len());
                self.members.insert(position, (SmolStr::new_static(name), value));
            }
        }
    }

    /// Appends a member without looking for an equal one: for building, not for editing.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Json) -> Self {
        self.members.push((SmolStr::new_static(name), value));
        self
    }

    #[must_use]
    pub fn with_str(self, name: &'static str, value: impl AsRef<str>) -> Self {
        self.with(name, Json::string(value))
    }

    pub(crate) fn push(&mut self, name: SmolStr, value: Json) {
        self.members.push((name, value));
    }

    pub fn remove(&mut self, name: &str) -> Option<Json> {
        let position = self.position(name)?;
        Some(self.members.remove(position).1)
    }

    /// Where the member stands among its siblings, from 0.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.members.iter().position(|(key, _)| key == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.members.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Json)> {
        self.members.iter_mut().map(|(key, value)| (key.as_str(), value))
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}
