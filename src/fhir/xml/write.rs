//! Writing XML: elements in the order of the definitions, values as attributes.

use super::read::is_well_formed;
use super::{FHIR, is_character};
use crate::fhir::definitions::{Element, ElementKind, Node, PrimitiveType, ResourceType, root};
use crate::fhir::invalid::{Invalid, Result};
use crate::fhir::json::{Json, Object};

/// The XML of a resource. `pretty`: an element a line.
///
/// # Errors
/// What has no form in XML: a member that R4 does not define, a value of another shape than R4's, a narrative that is not
/// well-formed.
pub fn write(resource: &Object, pretty: bool) -> Result<Vec<u8>> {
    let mut writer = Writer { out: Vec::with_capacity(2048), pretty };
    writer.out.extend_from_slice(br#"<?xml version="1.0" encoding="UTF-8"?>"#);
    writer.resource(resource, 0, true)?;
    if pretty {
        writer.out.push(b'\n');
    }
    Ok(writer.out)
}

struct Writer {
    out: Vec<u8>,
    pretty: bool,
}

/// The value of an element, and what stands beside it where it is a primitive.
type Sides<'a> = (Option<&'a Json>, Option<&'a Json>);

impl Writer {
    fn resource(&mut self, object: &Object, level: usize, is_outermost: bool) -> Result<()> {
        let resource_type = object.get_str("resourceType").and_then(ResourceType::parse);
        let resource_type =
            resource_type.ok_or_else(|| Invalid::unprocessable("resourceType", "A resource says its type."))?;
        self.line(level);
        self.raw(&format!("<{resource_type}"));
        if is_outermost {
            self.raw(&format!(" xmlns=\"{FHIR}\""));
        }
        let before = self.out.len();
        self.raw(">");
        self.children(object, root(resource_type), level + 1, true)?;
        if self.out.len() == before + 1 {
            self.out.truncate(before);
            self.raw("/>");
            return Ok(());
        }
        self.line(level);
        self.raw(&format!("</{resource_type}>"));
        Ok(())
    }

    /// The elements inside an object; `id` and, of an extension, `url` are attributes but in a resource.
    fn children(&mut self, object: &Object, node: Node, level: usize, is_resource: bool) -> Result<()> {
        let mut found: Vec<(&'static Element, Sides<'_>)> = Vec::with_capacity(object.len());
        for (key, value) in object.iter() {
            if (is_resource && key == "resourceType") || (!is_resource && is_attribute(node, key)) {
                continue;
            }
            let beside = key.strip_prefix('_').and_then(|name| node.child(name));
            let Some(element) = beside.or_else(|| node.child(key)) else {
                let message = format!("`{key}` is no element of R4: it has no form in XML.");
                return Err(Invalid::unprocessable(key, message));
            };
            let position = found.iter().position(|(known, _)| std::ptr::eq(*known, element));
            let position = position.unwrap_or_else(|| {
                found.push((element, (None, None)));
                found.len() - 1
            });
            if let Some((_, sides)) = found.get_mut(position) {
                let side = if beside.is_some() { &mut sides.1 } else { &mut sides.0 };
                *side = Some(value);
            }
        }
        found.sort_by_key(|(element, _)| element.position);
        for (element, (value, beside)) in found {
            let count =
                value.map_or(0, |value| value.items().len()).max(beside.map_or(0, |beside| beside.items().len()));
            for position in 0..count {
                let (value, beside) = (at(value, position), at(beside, position));
                self.element(element, value, beside, level)?;
            }
        }
        Ok(())
    }

    fn element(&mut self, element: &Element, value: Option<&Json>, beside: Option<&Json>, level: usize) -> Result<()> {
        match (element.kind, value) {
            (ElementKind::Primitive(PrimitiveType::Xhtml), Some(Json::String(text))) => {
                if !is_well_formed(text) {
                    return Err(Invalid::unprocessable(element.name, "The narrative is not well-formed XHTML."));
                }
                self.line(level);
                self.raw(text);
                Ok(())
            }
            (ElementKind::Primitive(_), value) => self.primitive(element, value, beside, level),
            (ElementKind::Complex(node), Some(Json::Object(inner))) => {
                self.open(element.name, inner, node, level);
                self.inside(element.name, level, |writer| writer.children(inner, node, level + 1, false))
            }
            (ElementKind::Resource, Some(Json::Object(inner))) => {
                self.line(level);
                self.raw(&format!("<{}", element.name));
                self.inside(element.name, level, |writer| writer.resource(inner, level + 1, false))
            }
            _ => Err(Invalid::unprocessable(element.name, "This value has no form in XML.")),
        }
    }

    fn primitive(
        &mut self,
        element: &Element,
        value: Option<&Json>,
        beside: Option<&Json>,
        level: usize,
    ) -> Result<()> {
        let inner = beside.and_then(Json::as_object);
        self.line(level);
        self.raw(&format!("<{}", element.name));
        if let Some(id) = inner.and_then(|inner| inner.get_str("id")) {
            self.attribute("id", id);
        }
        match value {
            None | Some(Json::Null) => {}
            Some(Json::Bool(truth)) => self.attribute("value", if *truth { "true" } else { "false" }),
            Some(Json::Number(text) | Json::String(text)) => self.attribute("value", text),
            Some(_) => return Err(Invalid::unprocessable(element.name, "This value has no form in XML.")),
        }
        self.inside(element.name, level, |writer| match inner {
            Some(inner) => writer.children(inner, Node::element(), level + 1, false),
            None => Ok(()),
        })
    }

    fn open(&mut self, name: &str, object: &Object, node: Node, level: usize) {
        self.line(level);
        self.raw(&format!("<{name}"));
        for attribute in ["id", "url"].into_iter().filter(|attribute| is_attribute(node, attribute)) {
            if let Some(text) = object.get_str(attribute) {
                self.attribute(attribute, text);
            }
        }
    }

    /// Ends the tag that was begun, with its content or at once.
    fn inside(&mut self, name: &str, level: usize, content: impl FnOnce(&mut Writer) -> Result<()>) -> Result<()> {
        let before = self.out.len();
        self.raw(">");
        content(self)?;
        if self.out.len() == before + 1 {
            self.out.truncate(before);
            self.raw("/>");
        } else {
            self.line(level);
            self.raw(&format!("</{name}>"));
        }
        Ok(())
    }

    fn attribute(&mut self, name: &str, text: &str) {
        self.raw(&format!(" {name}=\""));
        for letter in text.chars() {
            match letter {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '"' => self.raw("&quot;"),
                // Else a reader would make spaces of them.
                '\n' => self.raw("&#10;"),
                '\r' => self.raw("&#13;"),
                '\t' => self.raw("&#9;"),
                // XML 1.0 has no form for it.
                letter if !is_character(letter) => self.raw("\u{fffd}"),
                letter => self.raw(letter.encode_utf8(&mut [0; 4])),
            }
        }
        self.raw("\"");
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn line(&mut self, level: usize) {
        if self.pretty {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + 2 * level, b' ');
        }
    }
}

/// The item at a position of a list, or of a single value as the only one.
fn at(side: Option<&Json>, position: usize) -> Option<&Json> {
    side.and_then(|side| side.items().get(position))
}

/// Whether a member of an object that is no resource is an attribute of its tag.
pub(super) fn is_attribute(node: Node, name: &str) -> bool {
    name == "id" || node.has_attribute(name)
}
