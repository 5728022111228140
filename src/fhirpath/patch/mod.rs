//! FHIRPath Patch: operations on the elements that paths lead to, in a Parameters resource.
//! <https://hl7.org/fhir/R4/fhirpatch.html>
//!
//! What is malformed is a fault of the patch's structure or syntax; what does not fit the resource is unprocessable. A fault
//! names the operation by its number and part, as in `patch[2].path`.

mod apply;
mod brought;
mod place;

use self::brought::Brought;
use super::Expression;
use crate::fhir::invalid::{Invalid, Result};
use crate::fhir::json::{Json, Object, parse};
use smol_str::SmolStr;

pub use apply::Patched;

/// At most this many operations are read from one patch (operations).
pub const OPERATIONS_MAX: usize = 1_000;

/// What the regular expressions in all paths of one patch take (bytes, compiled): they are kept together.
const PATTERN_BYTES_MAX: usize = 16 << 20;

/// A patch that is well formed. Whether it fits a resource, applying it tells.
#[derive(Debug)]
pub struct Patch {
    operations: Vec<Operation>,
}

#[derive(Debug)]
enum Operation {
    /// At what the path leads to, under the name.
    Add {
        path: Expression,
        name: SmolStr,
        value: Brought,
    },
    /// Into the list of this name, at the index.
    Insert {
        list: List,
        index: usize,
        value: Brought,
    },
    Delete {
        path: Expression,
    },
    Replace {
        path: Expression,
        last: SmolStr,
        value: Brought,
    },
    Move {
        list: List,
        source: usize,
        destination: usize,
    },
}

/// A list by what holds it, so that one without items can be named.
#[derive(Debug)]
struct List {
    parent: Expression,
    name: SmolStr,
}

impl Patch {
    /// Reads a patch; a fault names the operation.
    pub fn read(text: &[u8], depth_max: usize) -> Result<Patch> {
        let json = parse(text, depth_max).map_err(|invalid| {
            let separator = if invalid.expression.is_empty() { "" } else { "." };
            Invalid { expression: format!("patch{separator}{}", invalid.expression), ..invalid }
        })?;
        let parameters = json.as_object().filter(|object| object.get_str("resourceType") == Some("Parameters"));
        let Some(parameters) = parameters else {
            let message = "A FHIRPath Patch is a Parameters resource with a parameter `operation` for each operation.";
            return Err(Invalid::structure("patch", message));
        };
        let items = parameters.get("parameter").map(Json::items).unwrap_or_default();
        if items.len() > OPERATIONS_MAX {
            let message = format!("A patch of more than {OPERATIONS_MAX} operations is not read here. Send several.");
            return Err(Invalid { expression: "patch".to_owned(), ..Invalid::bound(message) });
        }
        let mut pattern_bytes_left = PATTERN_BYTES_MAX;
        let read = |(number, item): (usize, &Json)| {
            Operation::read(item, &mut pattern_bytes_left).map_err(|(part, invalid)| {
                let separator = if part.is_empty() { "" } else { "." };
                Invalid { expression: format!("patch[{number}]{separator}{part}"), ..invalid }
            })
        };
        Ok(Patch { operations: items.iter().enumerate().map(read).collect::<Result<_>>()? })
    }

    /// Every text that the patch brings along: the number of its operation, the member that it stands in, and the text.
    pub fn texts(&self) -> Vec<(usize, &str, &str)> {
        let mut texts = Vec::new();
        for (number, operation) in self.operations.iter().enumerate() {
            let (member, value) = match operation {
                Operation::Add { name, value, .. } => (name, value),
                Operation::Insert { list, value, .. } => (&list.name, value),
                Operation::Replace { last, value, .. } => (last, value),
                Operation::Delete { .. } | Operation::Move { .. } => continue,
            };
            value.each_text(member, &mut |member, text| texts.push((number, member, text)));
        }
        texts
    }
}

/// What is wrong with an operation, and with which of its parts.
type Misfit = (&'static str, Invalid);

fn misfit(part: &'static str, message: impl Into<String>) -> Misfit {
    (part, Invalid::unprocessable("", message))
}

fn malformed(part: &'static str, message: impl Into<String>) -> Misfit {
    (part, Invalid::structure("", message))
}

impl Operation {
    fn read(item: &Json, pattern_bytes_left: &mut usize) -> std::result::Result<Operation, Misfit> {
        let object = item.as_object().filter(|object| object.get_str("name") == Some("operation"));
        let object =
            object.ok_or_else(|| malformed("", "Each parameter of a patch has the name `operation`, and parts."))?;
        let parts = Parts(object.get("part").map(Json::items).unwrap_or_default());
        parts.check()?;
        let text = parts
            .text("path")
            .ok_or_else(|| malformed("path", "An operation has a part `path` with a valueString."))?;
        let of_path = |invalid| ("path", invalid);
        let list = |left: &mut usize| match Expression::compile_parent(text, left).map_err(of_path)? {
            Some((parent, name)) => Ok(List { parent, name }),
            None => {
                Err(malformed("path", "The path of a list ends with the name of an element, as in `Patient.name`."))
            }
        };
        let path = |left: &mut usize| Expression::compile_sharing(text, left).map_err(of_path);
        Ok(match parts.text("type") {
            Some("add") => {
                let name = parts.text("name").filter(|name| !name.is_empty());
                let name = name.ok_or_else(|| malformed("name", "This operation needs the name of an element."))?;
                Operation::Add { path: path(pattern_bytes_left)?, name: SmolStr::new(name), value: parts.value()? }
            }
            Some("insert") => Operation::Insert {
                list: list(pattern_bytes_left)?,
                index: parts.place("index")?,
                value: parts.value()?,
            },
            Some("delete") => Operation::Delete { path: path(pattern_bytes_left)? },
            Some("replace") => {
                let last = Expression::last_name(text).unwrap_or_default();
                Operation::Replace { path: path(pattern_bytes_left)?, last, value: parts.value()? }
            }
            Some("move") => {
                let (source, destination) = (parts.place("source")?, parts.place("destination")?);
                Operation::Move { list: list(pattern_bytes_left)?, source, destination }
            }
            _ => {
                let message = "An operation says what it does in `type`: add, insert, delete, replace or move.";
                return Err(malformed("type", message));
            }
        })
    }
}

/// The parts of an operation.
struct Parts<'a>(&'a [Json]);

/// Their names.
const PARTS: [&str; 7] = ["type", "path", "name", "value", "index", "source", "destination"];

impl<'a> Parts<'a> {
    /// # Errors
    /// A part that no operation has, and one that stands twice.
    fn check(&self) -> std::result::Result<(), Misfit> {
        let mut seen: Vec<&str> = Vec::new();
        for part in self.0 {
            let name = part.as_object().and_then(|part| part.get_str("name")).unwrap_or_default();
            if !PARTS.contains(&name) || seen.contains(&name) {
                return Err(malformed(
                    "part",
                    "An operation has the parts type, path, name, value, index, source and destination, each once.",
                ));
            }
            seen.push(name);
        }
        Ok(())
    }

    fn part(&self, name: &str) -> Option<&'a Object> {
        self.0.iter().filter_map(Json::as_object).find(|part| part.get_str("name") == Some(name))
    }

    /// The text of a part, whatever its type.
    fn text(&self, name: &str) -> Option<&'a str> {
        ["valueCode", "valueString"].into_iter().find_map(|member| self.part(name)?.get_str(member))
    }

    fn place(&self, name: &'static str) -> std::result::Result<usize, Misfit> {
        let members = ["valueInteger", "valueUnsignedInt", "valuePositiveInt"];
        let digits = members.into_iter().find_map(|member| match self.part(name)?.get(member)? {
            Json::Number(digits) => digits.parse().ok(),
            _ => None,
        });
        digits.ok_or_else(|| {
            malformed(name, "This operation needs here a place in the list, as a valueInteger from 0 on.")
        })
    }

    fn value(&self) -> std::result::Result<Brought, Misfit> {
        let part = self.part("value").ok_or_else(|| malformed("value", "This operation needs a value."))?;
        let message = "A value is one value[x], or parts for each of its elements, or a resource.";
        Brought::read(part).ok_or_else(|| malformed("value", message))
    }
}

#[cfg(test)]
mod tests;
