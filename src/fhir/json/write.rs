//! Writing JSON: compact for the wire and the store, indented for people.

use super::{Json, Object};

impl Json {
    /// The compact form, without insignificant space.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        write_value(&mut out, self, None);
        out
    }

    /// The form for people (`_pretty=true`): two spaces a level, a final line break.
    pub fn to_pretty_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2048);
        write_value(&mut out, self, Some(0));
        out.push(b'\n');
        out
    }
}

impl Object {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        write_object(&mut out, self, None);
        out
    }
}

/// `indent` is the level for the indented form, or `None` for the compact one.
fn write_value(out: &mut Vec<u8>, value: &Json, indent: Option<usize>) {
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Number(text) => out.extend_from_slice(text.as_bytes()),
        Json::String(text) => write_string(out, text),
        Json::Array(items) => write_array(out, items, indent),
        Json::Object(object) => write_object(out, object, indent),
    }
}

fn write_array(out: &mut Vec<u8>, items: &[Json], indent: Option<usize>) {
    out.push(b'[');
    let inner = indent.map(|level| level + 1);
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        break_line(out, inner);
        write_value(out, item, inner);
    }
    if !items.is_empty() {
        break_line(out, indent);
    }
    out.push(b']');
}

fn write_object(out: &mut Vec<u8>, object: &Object, indent: Option<usize>) {
    out.push(b'{');
    let inner = indent.map(|level| level + 1);
    for (position, (key, value)) in object.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        break_line(out, inner);
        write_string(out, key);
        out.push(b':');
        if indent.is_some() {
            out.push(b' ');
        }
        write_value(out, value, inner);
    }
    if !object.is_empty() {
        break_line(out, indent);
    }
    out.push(b'}');
}

fn break_line(out: &mut Vec<u8>, indent: Option<usize>) {
    if let Some(level) = indent {
        out.push(b'\n');
        out.resize(out.len() + 2 * level, b' ');
    }
}

/// Writes a JSON string. Only what must be escaped is: text beyond ASCII stays as it is.
pub(super) fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(position) = rest.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        let (plain, tail) = rest.split_at(position);
        out.extend_from_slice(plain);
        let Some((&byte, after)) = tail.split_first() else { break };
        write_escape(out, byte);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        other => out.extend_from_slice(format!("\\u{other:04x}").as_bytes()),
    }
}
