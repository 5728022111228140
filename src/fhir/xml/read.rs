//! Reading XML into the tree of JSON: without DTDs, without entities of its own, no deeper than allowed.

use super::write::is_attribute;
use super::{FHIR, XHTML, character, is_character};
use crate::fhir::definitions::{Element, ElementKind, Node, PrimitiveType, ResourceType, root};
use crate::fhir::invalid::{Invalid, Result};
use crate::fhir::json::{Json, Object, VALUES_MAX, parse};
use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::{NsReader, Reader as Plain};
use smol_str::SmolStr;

/// An element declares at most so many namespaces. Each is looked through for each element inside.
const NAMESPACES_MAX: usize = 8;

/// Reads a resource. `depth_max`: elements inside elements.
///
/// # Errors
/// What is not XML, with line and column; what R4 does not define, with its place; what is deeper than allowed.
pub fn read(text: &[u8], depth_max: usize) -> Result<Json> {
    let text = std::str::from_utf8(text).map_err(|_| Invalid::syntax("The XML is not UTF-8."))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut xml = NsReader::from_str(text);
    xml.resolver_mut().set_max_declarations_per_element(NAMESPACES_MAX);
    xml.config_mut().check_comments = true;
    let mut reader = Reader { xml, text, places: Vec::new(), depth_max, elements: 0 };
    if let Some((at, _)) = text.char_indices().find(|(_, letter)| !is_character(*letter)) {
        return Err(reader.syntax_at(at, "A character that XML does not have."));
    }
    let resource = match reader.next()? {
        Met::Open(tag) => reader.resource(&tag)?,
        Met::Close | Met::End => return Err(reader.syntax("A resource was expected; there is no element.")),
    };
    match reader.next()? {
        Met::End => Ok(Json::Object(resource)),
        _ => Err(reader.syntax("After the resource nothing more was expected.")),
    }
}

struct Reader<'t> {
    xml: NsReader<&'t [u8]>,
    text: &'t str,
    /// The elements around, for messages.
    places: Vec<String>,
    depth_max: usize,
    /// So many were read.
    elements: usize,
}

/// A tag, with its attributes read.
struct Tag {
    name: String,
    is_xhtml: bool,
    /// Whether it has no content and no tag that closes it.
    is_empty: bool,
    /// Whether it declares its own default namespace.
    has_namespace: bool,
    attributes: Vec<(String, String)>,
    /// Where it begins (bytes).
    start: usize,
}

enum Met {
    Open(Tag),
    Close,
    End,
}

/// What was read of the elements of one name.
struct Gathered {
    element: &'static Element,
    items: Vec<(Option<Json>, Option<Json>)>,
}

impl<'t> Reader<'t> {
    /// The next tag. Comments and instructions say nothing; text outside a narrative is a fault.
    fn next(&mut self) -> Result<Met> {
        loop {
            let start = self.offset();
            let event = self.xml.read_event().map_err(|fault| self.broken(&fault.to_string()))?;
            match event {
                Event::Start(tag) => return self.tag(&tag, false, start).map(Met::Open),
                Event::Empty(tag) => return self.tag(&tag, true, start).map(Met::Open),
                Event::End(_) => return Ok(Met::Close),
                Event::Eof => return Ok(Met::End),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Decl(declaration) => {
                    let encoding = declaration.encoding().and_then(|encoding| encoding.ok());
                    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"utf-8")) {
                        return Err(self.syntax("Only UTF-8 is read here."));
                    }
                }
                Event::DocType(_) => return Err(self.syntax("A document type is not allowed.")),
                Event::Text(text) if text.iter().all(u8::is_ascii_whitespace) => {}
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    return Err(
                        self.syntax("Text stands only in narratives; a value is written as an attribute `value`.")
                    );
                }
            }
        }
    }

    fn tag(&mut self, tag: &BytesStart<'_>, is_empty: bool, start: usize) -> Result<Tag> {
        self.elements += 1;
        if self.elements > VALUES_MAX {
            return Err(Invalid::bound(format!(
                "The XML holds more than {VALUES_MAX} elements, the most that is read at once."
            )));
        }
        let (namespace, name) = self.xml.resolver().resolve_element(tag.name());
        let is_xhtml = match namespace {
            ResolveResult::Bound(Namespace(bound)) if bound == FHIR.as_bytes() => false,
            ResolveResult::Bound(Namespace(bound)) if bound == XHTML.as_bytes() => true,
            _ => return Err(self.syntax("Elements are of the namespace http://hl7.org/fhir.")),
        };
        let name = String::from_utf8_lossy(name.as_ref()).into_owned();
        let mut attributes = Vec::new();
        let mut has_namespace = false;
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|fault| self.broken(&fault.to_string()))?;
            let key = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
            has_namespace |= key == "xmlns";
            if key == "xmlns" || key.starts_with("xmlns:") || key.ends_with(":schemaLocation") || is_xhtml {
                continue;
            }
            let value =
                attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|fault| self.broken(&fault.to_string()))?;
            if !value.chars().all(is_character) {
                return Err(self.syntax("A character that XML does not have."));
            }
            attributes.push((key, value.into_owned()));
        }
        Ok(Tag { name, is_xhtml, is_empty, has_namespace, attributes, start })
    }

    fn resource(&mut self, tag: &Tag) -> Result<Object> {
        let Some(resource_type) = ResourceType::parse(&tag.name).filter(|_| !tag.is_xhtml) else {
            let message = "This is not one of R4's resource types. <https://hl7.org/fhir/R4/resourcelist.html>";
            return Err(Invalid::structure(self.place(), format!("{message} {}", self.where_now())));
        };
        self.no_attributes(tag, &[])?;
        let mut object = Object::new().with_str("resourceType", resource_type.as_str());
        // Inside another one it is at a place already.
        let is_outermost = self.places.is_empty();
        if is_outermost {
            self.places.push(tag.name.clone());
        }
        self.children(tag, root(resource_type), true, &mut object)?;
        if is_outermost {
            self.places.pop();
        }
        Ok(object)
    }

    /// Reads what is inside a tag, up to the one that closes it.
    fn children(&mut self, tag: &Tag, node: Node, is_resource: bool, object: &mut Object) -> Result<()> {
        let mut gathered: Vec<Gathered> = Vec::new();
        loop {
            let inner = match if tag.is_empty { Met::Close } else { self.next()? } {
                Met::Open(inner) => inner,
                Met::Close => break,
                Met::End => return Err(self.syntax("The XML ends in the middle.")),
            };
            let element = self.child(&inner, node, is_resource)?;
            let position = gathered.iter().position(|one| std::ptr::eq(one.element, element));
            let position = position.unwrap_or_else(|| {
                gathered.push(Gathered { element, items: Vec::new() });
                gathered.len() - 1
            });
            let count = gathered.get(position).map_or(0, |one| one.items.len());
            self.enter(match element.is_list {
                true => format!("{}[{count}]", inner.name),
                false => inner.name.clone(),
            })?;
            if count > 0 && !element.is_list {
                let message = format!("`{}` can be there only once. {}", inner.name, self.where_now());
                return Err(Invalid::structure(self.place(), message));
            }
            let item = self.element(&inner, element)?;
            self.places.pop();
            if let Some(one) = gathered.get_mut(position) {
                one.items.push(item);
            }
        }
        for one in gathered {
            settle(one, object);
        }
        Ok(())
    }

    /// What a tag inside another one is of.
    fn child(&self, inner: &Tag, node: Node, is_resource: bool) -> Result<&'static Element> {
        let refused = |place, message| Err(Invalid::structure(place, format!("{message} {}", self.where_now())));
        let place = || format!("{}.{}", self.place(), inner.name);
        if !is_resource && is_attribute(node, &inner.name) {
            return refused(place(), format!("`{}` is an attribute here, not an element.", inner.name));
        }
        let Some(element) = node.child(&inner.name) else {
            return refused(self.place(), format!("R4 has no element `{}` here.", inner.name));
        };
        if inner.is_xhtml != (element.kind == ElementKind::Primitive(PrimitiveType::Xhtml)) {
            let namespace = if inner.is_xhtml { FHIR } else { XHTML };
            return refused(place(), format!("`{}` is of the namespace {namespace}.", inner.name));
        }
        Ok(element)
    }

    fn element(&mut self, tag: &Tag, element: &'static Element) -> Result<(Option<Json>, Option<Json>)> {
        match element.kind {
            ElementKind::Primitive(PrimitiveType::Xhtml) => Ok((Some(self.narrative(tag)?), None)),
            ElementKind::Primitive(primitive) => self.primitive(tag, primitive),
            ElementKind::Complex(node) => {
                let mut object = Object::new();
                for name in ["id", "url"].into_iter().filter(|name| is_attribute(node, name)) {
                    if let Some(value) = attribute(tag, name) {
                        object.push(SmolStr::new_static(name), Json::string(value));
                    }
                }
                self.no_attributes(tag, if node.type_name() == "Extension" { &["id", "url"] } else { &["id"] })?;
                self.children(tag, node, false, &mut object)?;
                Ok((Some(Json::Object(object)), None))
            }
            ElementKind::Resource => {
                self.no_attributes(tag, &[])?;
                let Met::Open(inner) = self.next()? else {
                    return Err(Invalid::structure(
                        self.place(),
                        format!("A resource was expected. {}", self.where_now()),
                    ));
                };
                let resource = self.resource(&inner)?;
                match self.next()? {
                    Met::Close => Ok((Some(Json::Object(resource)), None)),
                    _ => Err(Invalid::structure(
                        self.place(),
                        format!("Only one resource can stand here. {}", self.where_now()),
                    )),
                }
            }
        }
    }

    fn primitive(&mut self, tag: &Tag, primitive: PrimitiveType) -> Result<(Option<Json>, Option<Json>)> {
        self.no_attributes(tag, &["id", "value"])?;
        let value = match attribute(tag, "value") {
            None => None,
            Some(text) => Some(self.value(text, primitive)?),
        };
        let mut beside = Object::new();
        if let Some(id) = attribute(tag, "id") {
            beside.push(SmolStr::new_static("id"), Json::string(id));
        }
        self.children(tag, Node::element(), false, &mut beside)?;
        if value.is_none() && beside.is_empty() {
            let message = format!("`{}` has neither a value nor an extension. {}", tag.name, self.where_now());
            return Err(Invalid::structure(self.place(), message));
        }
        Ok((value, Some(beside).filter(|beside| !beside.is_empty()).map(Json::Object)))
    }

    fn value(&self, text: &str, primitive: PrimitiveType) -> Result<Json> {
        let wrong = |expected: &str| {
            Err(Invalid::structure(self.place(), format!("R4 has {expected} here. {}", self.where_now())))
        };
        match primitive {
            PrimitiveType::Boolean => match text {
                "true" => Ok(Json::Bool(true)),
                "false" => Ok(Json::Bool(false)),
                _ => wrong("true or false"),
            },
            PrimitiveType::Integer
            | PrimitiveType::Decimal
            | PrimitiveType::UnsignedInt
            | PrimitiveType::PositiveInt => match parse(text.as_bytes(), 1) {
                Ok(Json::Number(digits)) if digits == text => Ok(Json::Number(digits)),
                _ => wrong("a number"),
            },
            _ => Ok(Json::string(text)),
        }
    }

    /// The whole `div`, as it is written.
    fn narrative(&mut self, tag: &Tag) -> Result<Json> {
        if !tag.has_namespace {
            let message = format!("A narrative is a `div` that declares xmlns=\"{XHTML}\". {}", self.where_now());
            return Err(Invalid::structure(self.place(), message));
        }
        let mut depth = usize::from(!tag.is_empty);
        while depth > 0 {
            match self.xml.read_event().map_err(|fault| self.broken(&fault.to_string()))? {
                Event::Start(_) => depth += 1,
                Event::End(_) => depth -= 1,
                Event::Eof => return Err(self.syntax("The XML ends in the middle.")),
                Event::DocType(_) => return Err(self.syntax("A document type is not allowed.")),
                Event::GeneralRef(name) if !is_known(&name) => {
                    return Err(self.syntax("An entity that XML does not have."));
                }
                _ => {}
            }
            if depth + self.places.len() > self.depth_max {
                return Err(self.too_deep());
            }
        }
        let whole = self.text.get(tag.start..self.offset()).unwrap_or_default();
        if !whole.starts_with("<div") {
            return Err(self.syntax("A narrative is a `div`, without a prefix before its name."));
        }
        Ok(Json::string(whole))
    }

    fn no_attributes(&self, tag: &Tag, but: &[&str]) -> Result<()> {
        match tag.attributes.iter().find(|(name, _)| !but.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => {
                let message = format!("`{}` has no attribute `{name}`. {}", tag.name, self.where_now());
                Err(Invalid::structure(self.place(), message))
            }
        }
    }

    fn enter(&mut self, place: String) -> Result<()> {
        self.places.push(place);
        if self.places.len() > self.depth_max { Err(self.too_deep()) } else { Ok(()) }
    }

    fn too_deep(&self) -> Invalid {
        Invalid::bound(format!("Elements stand inside each other more than {} deep.", self.depth_max))
    }

    fn place(&self) -> String {
        self.places.iter().map(String::as_str).collect::<Vec<_>>().join(".")
    }

    fn offset(&self) -> usize {
        usize::try_from(self.xml.buffer_position()).unwrap_or(usize::MAX)
    }

    fn where_now(&self) -> String {
        self.line_and_column(self.offset())
    }

    fn line_and_column(&self, at: usize) -> String {
        let read = self.text.get(..at).unwrap_or(self.text);
        let line = read.matches('\n').count() + 1;
        let column = read.rsplit('\n').next().map_or(0, |rest| rest.chars().count());
        format!("(Line {line}, column {column}.)")
    }

    fn syntax(&self, message: &str) -> Invalid {
        Invalid::syntax(format!("{message} {}", self.where_now()))
    }

    fn syntax_at(&self, at: usize, message: &str) -> Invalid {
        Invalid::syntax(format!("{message} {}", self.line_and_column(at)))
    }

    fn broken(&self, why: &str) -> Invalid {
        let why: String = why.chars().take(200).collect();
        self.syntax(&format!("The XML cannot be read: {why}."))
    }
}

fn attribute<'a>(tag: &'a Tag, name: &str) -> Option<&'a str> {
    tag.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Writes the elements of one name as JSON has them: values, and beside them what they carry.
fn settle(gathered: Gathered, object: &mut Object) {
    let Gathered { element, items } = gathered;
    let name = SmolStr::new_static(element.name);
    let beside_name = || SmolStr::new(format!("_{}", element.name));
    if !element.is_list {
        for (value, beside) in items {
            if let Some(value) = value {
                object.push(name.clone(), value);
            }
            if let Some(beside) = beside {
                object.push(beside_name(), beside);
            }
        }
        return;
    }
    let (values, besides): (Vec<_>, Vec<_>) = items.into_iter().unzip();
    let list =
        |items: Vec<Option<Json>>| Json::Array(items.into_iter().map(|item| item.unwrap_or(Json::Null)).collect());
    if values.iter().any(Option::is_some) {
        object.push(name, list(values));
    }
    if besides.iter().any(Option::is_some) {
        object.push(beside_name(), list(besides));
    }
}

/// A character by its number, or one of the five that XML itself has.
fn is_known(name: &BytesRef<'_>) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| character(name).is_some())
}

/// Whether a text is one element, closed, without document type and foreign entities.
pub(super) fn is_well_formed(text: &str) -> bool {
    if !text.chars().all(is_character) {
        return false;
    }
    let mut xml = Plain::from_str(text);
    xml.config_mut().check_comments = true;
    let (mut depth, mut roots) = (0_usize, 0_usize);
    loop {
        match xml.read_event() {
            Ok(Event::Start(tag)) => {
                roots += usize::from(depth == 0);
                depth += 1;
                if tag.attributes().any(|attribute| attribute.is_err()) {
                    return false;
                }
            }
            Ok(Event::Empty(_)) => roots += usize::from(depth == 0),
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::DocType(_) | Event::Decl(_)) | Err(_) => return false,
            Ok(Event::GeneralRef(name)) if depth == 0 || !is_known(&name) => return false,
            Ok(Event::Text(text)) if depth == 0 && !text.iter().all(u8::is_ascii_whitespace) => return false,
            Ok(Event::Eof) => return depth == 0 && roots == 1,
            Ok(_) => {}
        }
    }
}
