//! Bundles: reading one entry by entry, and writing one around bodies that are not parsed. <https://hl7.org/fhir/R4/bundle.html>

use super::invalid::{Fault, Invalid, Result};
use super::json::{Json, Object, Parser};
use smol_str::SmolStr;
use std::ops::Range;

/// A Bundle whose resources have not been read yet: memory holds the text and an index into it.
#[derive(Debug)]
pub struct Bundle {
    pub kind: Option<SmolStr>,
    pub entries: Vec<Entry>,
}

#[derive(Debug, Default)]
pub struct Entry {
    pub full_url: Option<SmolStr>,
    /// The bytes of the resource within the Bundle's text.
    pub resource: Option<Range<usize>>,
    pub request: Option<EntryRequest>,
}

/// What an entry asks for. <https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.request>
#[derive(Debug, Default)]
pub struct EntryRequest {
    pub method: Option<SmolStr>,
    pub url: Option<SmolStr>,
    pub if_none_match: Option<SmolStr>,
    pub if_modified_since: Option<SmolStr>,
    pub if_match: Option<SmolStr>,
    pub if_none_exist: Option<SmolStr>,
}

impl Bundle {
    /// Reads the frame of a Bundle. More entries than `entries_max` are refused.
    pub fn read(text: &[u8], depth_max: usize, entries_max: usize) -> Result<Bundle> {
        Bundle::read_frame(text, depth_max, entries_max).map_err(|mut invalid| {
            if !invalid.expression.starts_with("Bundle") {
                let separator = if invalid.expression.is_empty() { "" } else { "." };
                invalid.expression = format!("Bundle{separator}{}", invalid.expression);
            }
            invalid
        })
    }

    fn read_frame(text: &[u8], depth_max: usize, entries_max: usize) -> Result<Bundle> {
        let mut head = Object::new();
        let mut entries = Vec::new();
        let mut has_entries = false;
        let mut parser = Parser::new(text, depth_max);
        parser.each_member(|parser, name| {
            if name != "entry" {
                let value = parser.value()?;
                return add_once(&mut head, name, value, "Bundle");
            }
            if std::mem::replace(&mut has_entries, true) {
                return Err(Invalid::structure("Bundle.entry", "This member stands twice in its object."));
            }
            parser.each_item(|parser, position| {
                if position >= entries_max {
                    let message =
                        format!("A Bundle of more than {entries_max} entries is not read here. Send several.");
                    return Err(Invalid { expression: "Bundle.entry".to_owned(), ..Invalid::bound(message) });
                }
                entries.push(read_entry(parser, position)?);
                Ok(())
            })
        })?;
        parser.end()?;
        if head.get_str("resourceType") != Some("Bundle") {
            return Err(Invalid::structure("resourceType", "A Bundle was expected at this address."));
        }
        Ok(Bundle { kind: head.get_str("type").map(SmolStr::new), entries })
    }
}

fn read_entry(parser: &mut Parser<'_>, position: usize) -> Result<Entry> {
    let place = format!("Bundle.entry[{position}]");
    let mut members = Object::new();
    let mut resource = None;
    parser.each_member(|parser, name| {
        if name != "resource" {
            let value = parser.value()?;
            return add_once(&mut members, name, value, &place);
        }
        if resource.replace(parser.skip()?).is_some() {
            return Err(Invalid::structure(format!("{place}.resource"), "This member stands twice in its object."));
        }
        Ok(())
    })?;
    let full_url = text(&members, "fullUrl", &place)?;
    let request = match members.get("request") {
        None => None,
        Some(Json::Object(request)) => Some(read_request(request, &format!("{place}.request"))?),
        Some(_) => return Err(Invalid::structure(format!("{place}.request"), "A request is an object.")),
    };
    Ok(Entry { full_url, resource, request })
}

fn read_request(request: &Object, place: &str) -> Result<EntryRequest> {
    Ok(EntryRequest {
        method: text(request, "method", place)?,
        url: text(request, "url", place)?,
        if_none_match: text(request, "ifNoneMatch", place)?,
        if_modified_since: text(request, "ifModifiedSince", place)?,
        if_match: text(request, "ifMatch", place)?,
        if_none_exist: text(request, "ifNoneExist", place)?,
    })
}

fn text(object: &Object, name: &str, place: &str) -> Result<Option<SmolStr>> {
    match object.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(other) => {
            let message = format!("A string was expected here, not {}.", other.kind());
            Err(Invalid::structure(format!("{place}.{name}"), message))
        }
    }
}

fn add_once(object: &mut Object, name: SmolStr, value: Json, place: &str) -> Result<()> {
    if object.get(&name).is_some() {
        let invalid = Invalid::structure(format!("{place}.{name}"), "This member stands twice in its object.");
        return Err(Invalid { fault: Fault::Syntax, ..invalid });
    }
    object.push(name, value);
    Ok(())
}

/// Writes a Bundle whose resources are bytes that go out as they were stored.
pub struct BundleWriter {
    out: Vec<u8>,
    entries: usize,
}

impl BundleWriter {
    /// `head`: all members before `entry`, `resourceType` included.
    pub fn new(head: &Object) -> BundleWriter {
        let mut out = head.to_bytes();
        out.pop();
        BundleWriter { out, entries: 0 }
    }

    /// `rest`: the members besides fullUrl and resource, such as `request` and `response`.
    pub fn entry(&mut self, full_url: Option<&str>, resource: Option<&[u8]>, rest: &Object) {
        self.out.extend_from_slice(if self.entries == 0 { b",\"entry\":[{" } else { b",{" });
        self.entries += 1;
        let mut separate = false;
        let mut member = |out: &mut Vec<u8>, name: &str, value: &[u8]| {
            if std::mem::replace(&mut separate, true) {
                out.push(b',');
            }
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            out.extend_from_slice(value);
        };
        if let Some(url) = full_url {
            member(&mut self.out, "fullUrl", &Json::string(url).to_bytes());
        }
        if let Some(resource) = resource {
            member(&mut self.out, "resource", resource);
        }
        for (name, value) in rest.iter() {
            member(&mut self.out, name, &value.to_bytes());
        }
        self.out.push(b'}');
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(if self.entries == 0 { b"}" } else { b"]}" });
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_read_without_reading_its_resources() {
        let text = br#"{"resourceType":"Bundle","type":"batch","entry":[{"fullUrl":"urn:uuid:1","resource":{"a":[1,{}]},"request":{"method":"POST","url":"Patient"}},{}]}"#;
        let bundle = Bundle::read(text, 64, 2).unwrap();
        assert_eq!(bundle.kind.as_deref(), Some("batch"));
        assert_eq!(bundle.entries.len(), 2);
        assert_eq!(&text[bundle.entries[0].resource.clone().unwrap()], br#"{"a":[1,{}]}"#);
        assert_eq!(Bundle::read(text, 64, 1).unwrap_err().fault, Fault::Bound);
    }

    #[test]
    fn what_is_wrong_with_a_bundle_is_named_with_its_place() {
        for (text, place) in [
            (r#"{"resourceType":"Patient"}"#, "Bundle.resourceType"),
            (r#"{"resourceType":"Bundle","entry":{}}"#, "Bundle.entry"),
            (r#"{"resourceType":"Bundle","entry":[{},7]}"#, "Bundle.entry[1]"),
            (r#"{"resourceType":"Bundle","entry":[{"request":7}]}"#, "Bundle.entry[0].request"),
            (r#"{"resourceType":"Bundle","entry":[{"request":{"url":[]}}]}"#, "Bundle.entry[0].request.url"),
            (r#"{"resourceType":"Bundle","type":"a","type":"b"}"#, "Bundle.type"),
            (r#"{"resourceType":"Bundle","entry":[],"entry":[{}]}"#, "Bundle.entry"),
            (r#"{"resourceType":"Bundle","entry":[{"resource":{},"resource":{}}]}"#, "Bundle.entry[0].resource"),
            (r#"{"resourceType":"Bundle","entry":[{"resource":{}]}"#, "Bundle.entry[0]"),
        ] {
            assert_eq!(Bundle::read(text.as_bytes(), 64, 9).unwrap_err().expression, place, "{text}");
        }
    }

    #[test]
    fn a_bundle_is_written_around_bytes() {
        let mut writer = BundleWriter::new(&Object::new().with_str("resourceType", "Bundle"));
        writer.entry(Some("a"), Some(b"{}"), &Object::new());
        writer.entry(None, None, &Object::new().with_str("x", "y"));
        let text = String::from_utf8(writer.finish()).unwrap();
        assert_eq!(text, r#"{"resourceType":"Bundle","entry":[{"fullUrl":"a","resource":{}},{"x":"y"}]}"#);
        let empty = BundleWriter::new(&Object::new().with_str("resourceType", "Bundle")).finish();
        assert_eq!(empty, br#"{"resourceType":"Bundle"}"#);
    }
}
