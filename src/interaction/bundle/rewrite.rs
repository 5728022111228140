//! Rewriting the links inside a transaction's resources to what the entries are called on the server.
//!
//! R4 names where: references, elements of type uri, url, oid and uuid, and `<a href>` and `<img src>` in narrative;
//! canonicals stay as they are. <https://hl7.org/fhir/R4/http.html#trules>

use super::links::{Link, Links};
use crate::error::{Error, Result};
use crate::fhir::definitions::{ElementKind, Node, PrimitiveType, ResourceType, root};
use crate::fhir::json::{Json, Object};
use crate::fhir::resource::Resource;
use std::collections::HashSet;

/// Rewrites every link of a resource. `from`: the fullUrl of its entry. `only`: of a resource that is patched, the texts
/// that the patch brings; what was stored before names nothing in this Bundle.
pub fn rewrite(
    resource: &mut Resource,
    links: &Links,
    from: Option<&str>,
    only: Option<&HashSet<String>>,
) -> Result<()> {
    let mut rewriter = Rewriter { links, from, only, path: Vec::new() };
    let node = root(resource.resource_type());
    resource.object_mut().map_or(Ok(()), |object| rewriter.object(object, node))
}

/// A member on the way to a reference, and which of its items when it is a list.
pub struct Part<'a> {
    name: &'a str,
    item: Option<usize>,
}

/// The path as a FHIRPath, such as `participant[1].individual.reference`.
pub fn path_to_reference(parts: &[Part<'_>]) -> String {
    let mut path = String::new();
    for part in parts {
        path.push_str(part.name);
        if let Some(item) = part.item {
            path.push_str(&format!("[{item}]"));
        }
        path.push('.');
    }
    path + "reference"
}

/// Calls `visit` with the text of every reference in a resource and the way to it.
pub fn each_reference<'a>(resource: &'a Resource, visit: &mut impl FnMut(&'a str, &[Part<'a>])) {
    visit_references(resource.object(), root(resource.resource_type()), &mut Vec::new(), visit);
}

fn visit_references<'a>(
    object: &'a Object,
    node: Node,
    path: &mut Vec<Part<'a>>,
    visit: &mut impl FnMut(&'a str, &[Part<'a>]),
) {
    if node.is_reference()
        && let Some(text) = object.get_str("reference")
    {
        visit(text, path);
    }
    for (name, value) in object.iter() {
        let is_list = matches!(value, Json::Array(_));
        for (position, item) in value.items().iter().enumerate() {
            if let Json::Object(inner) = item
                && let Some(inner_node) = inner_node(node, name, inner)
            {
                path.push(Part { name, item: is_list.then_some(position) });
                visit_references(inner, inner_node, path, visit);
                path.pop();
            }
        }
    }
}

/// The definition of the object under a member: known elements, extensions of primitives, resources by their type.
/// None for the entries of a Bundle that is itself stored: their references lead to each other, and it may be signed.
fn inner_node(node: Node, name: &str, inner: &Object) -> Option<Node> {
    if name == "entry" && node.path() == ResourceType::BUNDLE.as_str() {
        return None;
    }
    if name.starts_with('_') {
        return Some(Node::element());
    }
    match node.child(name)?.kind {
        ElementKind::Complex(inner_node) => Some(inner_node),
        ElementKind::Resource => ResourceType::parse(inner.get_str("resourceType")?).map(root),
        ElementKind::Primitive(_) => None,
    }
}

struct Rewriter<'a> {
    links: &'a Links,
    from: Option<&'a str>,
    only: Option<&'a HashSet<String>>,
    path: Vec<String>,
}

impl Rewriter<'_> {
    fn object(&mut self, object: &mut Object, node: Node) -> Result<()> {
        let is_reference = node.is_reference();
        for (name, value) in object.iter_mut() {
            self.path.push(name.to_owned());
            let name = name.to_owned();
            match value {
                Json::Array(items) => {
                    for (position, item) in items.iter_mut().enumerate() {
                        self.path.push(format!("[{position}]"));
                        self.item(item, node, &name, is_reference)?;
                        self.path.pop();
                    }
                }
                single => self.item(single, node, &name, is_reference)?,
            }
            self.path.pop();
        }
        Ok(())
    }

    fn item(&mut self, item: &mut Json, node: Node, name: &str, in_reference: bool) -> Result<()> {
        match item {
            Json::Object(inner) => match inner_node(node, name, inner) {
                Some(inner_node) => self.object(inner, inner_node),
                None => Ok(()),
            },
            Json::String(text) if self.only.is_none_or(|only| only.contains(text.as_str())) => {
                let link = if in_reference && name == "reference" {
                    self.links.of_reference(text, self.from)
                } else {
                    match node.child(name).map(|element| element.kind) {
                        Some(ElementKind::Primitive(primitive)) => self.primitive(text, primitive),
                        _ => Link::Unchanged,
                    }
                };
                match link {
                    Link::To(new) => *text = new.into(),
                    Link::Unchanged => {}
                    Link::Dangling => return Err(self.dangling()),
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn primitive(&self, text: &str, primitive: PrimitiveType) -> Link {
        match primitive {
            PrimitiveType::Uri | PrimitiveType::Url | PrimitiveType::Oid | PrimitiveType::Uuid => {
                self.links.of_uri(text)
            }
            PrimitiveType::Xhtml => narrative(text, self.links),
            _ => Link::Unchanged,
        }
    }

    fn dangling(&self) -> Error {
        let message = "This names an entry by its fullUrl, but no entry of the Bundle has that fullUrl.";
        Error::invalid(message).at(self.path.join(".").replace(".[", "["))
    }
}

/// Rewrites the links of a narrative; all else of it stays, byte by byte.
fn narrative(text: &str, links: &Links) -> Link {
    let mut rewritten = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some((before, value, after)) = next_attribute(rest) {
        rewritten.push_str(before);
        match links.of_uri(value) {
            Link::To(new) => {
                rewritten.push_str(&new);
                changed = true;
            }
            Link::Unchanged | Link::Dangling => rewritten.push_str(value),
        }
        rest = after;
    }
    rewritten.push_str(rest);
    if changed { Link::To(rewritten) } else { Link::Unchanged }
}

/// Splits at the next `href="…"` or `src="…"`: what is before the value, the value, what is after.
fn next_attribute(text: &str) -> Option<(&str, &str, &str)> {
    let starts = ["href=\"", "href='", "src=\"", "src='"];
    let found = starts.iter().filter_map(|start| text.find(start).map(|at| (at, *start)));
    let (at, start) = found.min_by_key(|(at, _)| *at)?;
    let (before, rest) = text.split_at_checked(at + start.len())?;
    let quote = if start.ends_with('"') { '"' } else { '\'' };
    let (value, after) = rest.split_at_checked(rest.find(quote)?)?;
    Some((before, value, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::id::Id;
    use crate::fhir::json::parse;

    fn links() -> Links {
        let mut links = Links::default();
        links.add(Some("urn:uuid:1"), None, ResourceType::PATIENT, &Id::parse("p").unwrap(), true);
        links
    }

    fn rewritten(text: &str) -> Result<String> {
        let mut resource = Resource::from_json(parse(text.as_bytes(), 64).unwrap()).unwrap();
        rewrite(&mut resource, &links(), None, None)?;
        Ok(String::from_utf8(resource.to_bytes()).unwrap())
    }

    #[test]
    fn links_are_rewritten_wherever_r4_says_and_nowhere_else() {
        let before = r#"{"resourceType":"DocumentReference","text":{"div":"<div><a href=\"urn:uuid:1\">urn:uuid:1</a><img src='urn:uuid:1'/></div>"},
            "contained":[{"resourceType":"Basic","subject":{"reference":"urn:uuid:1"}}],"subject":{"reference":"urn:uuid:1","display":"urn:uuid:1"},
            "_status":{"extension":[{"url":"http://x","valueReference":{"reference":"urn:uuid:1"}}]},
            "identifier":[{"system":"urn:uuid:1","value":"urn:uuid:1"}],
            "extension":[{"url":"http://x","valueCanonical":"urn:uuid:1"},{"url":"http://x","valueUrl":"urn:uuid:1"}],
            "content":[{"attachment":{"url":"urn:uuid:1"}}]}"#;
        let expected = r#"{"resourceType":"DocumentReference","text":{"div":"<div><a href=\"Patient/p\">urn:uuid:1</a><img src='Patient/p'/></div>"},
            "contained":[{"resourceType":"Basic","subject":{"reference":"Patient/p"}}],"subject":{"reference":"Patient/p","display":"urn:uuid:1"},
            "_status":{"extension":[{"url":"http://x","valueReference":{"reference":"Patient/p"}}]},
            "identifier":[{"system":"Patient/p","value":"urn:uuid:1"}],
            "extension":[{"url":"http://x","valueCanonical":"urn:uuid:1"},{"url":"http://x","valueUrl":"Patient/p"}],
            "content":[{"attachment":{"url":"Patient/p"}}]}"#;
        let compact = |text: &str| String::from_utf8(parse(text.as_bytes(), 64).unwrap().to_bytes()).unwrap();
        assert_eq!(rewritten(before).unwrap(), compact(expected));
    }

    #[test]
    fn a_dangling_reference_is_named_with_its_place() {
        let text = r#"{"resourceType":"Encounter","participant":[{},{"individual":{"reference":"urn:uuid:9"}}]}"#;
        assert_eq!(rewritten(text).unwrap_err().expression.as_deref(), Some("participant[1].individual.reference"));
    }

    #[test]
    fn the_entries_of_a_bundle_that_is_stored_are_left_alone() {
        let text = r#"{"resourceType":"Bundle","type":"document","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Basic","subject":{"reference":"urn:uuid:7"}}}]}"#;
        assert_eq!(rewritten(text).unwrap(), text);
    }

    #[test]
    fn every_reference_is_visited() {
        let text = r#"{"resourceType":"Encounter","subject":{"reference":"a"},"contained":[{"resourceType":"Basic","author":{"reference":"b"}}],
            "extension":[{"url":"http://x","valueReference":{"reference":"c"}}]}"#;
        let resource = Resource::from_json(parse(text.as_bytes(), 64).unwrap()).unwrap();
        let mut seen = Vec::new();
        each_reference(&resource, &mut |text, path| seen.push(format!("{text} {}", path_to_reference(path))));
        let expected =
            ["a subject.reference", "b contained[0].author.reference", "c extension[0].valueReference.reference"];
        assert_eq!(seen, expected);
    }
}
