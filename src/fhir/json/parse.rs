//! Reading JSON strictly: RFC 8259, no duplicate members, bounded depth, and a fault that names its place.

use super::{Json, Object};
use crate::fhir::invalid::{Fault, Invalid, Result};
use smol_str::{SmolStr, SmolStrBuilder};
use std::ops::Range;

/// Objects with more members than this look their keys up in a set; below it a scan is faster.
const SCAN_MEMBERS_MAX: usize = 24;

/// One reading makes at most so many values (values). A tree takes up to thirty times the bytes of its text: without
/// this bound a body of small numbers would take gigabytes. HL7's largest definition has some 300,000.
pub const VALUES_MAX: usize = 2_000_000;

/// Reads one JSON value that is the whole text. Deeper nesting than `depth_max` (levels) is refused.
pub fn parse(text: &[u8], depth_max: usize) -> Result<Json> {
    let mut parser = Parser::new(text, depth_max);
    let value = parser.value()?;
    parser.end()?;
    Ok(value)
}

/// A reader over one text, which can also step over a value and tell where it stands.
pub struct Parser<'a> {
    text: &'a [u8],
    position: usize,
    depth: usize,
    depth_max: usize,
    values: usize,
    path: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Member(SmolStr),
    Item(usize),
}

impl<'a> Parser<'a> {
    pub fn new(text: &'a [u8], depth_max: usize) -> Self {
        Parser::at(text, 0, depth_max)
    }

    /// Goes on at an offset inside the text: for a part that [`Parser::skip`] stepped over before.
    pub fn at(text: &'a [u8], position: usize, depth_max: usize) -> Self {
        // A byte order mark is not JSON, but editors write it and nobody means it.
        let marked = position == 0 && text.starts_with(b"\xEF\xBB\xBF");
        let position = if marked { 3 } else { position };
        Parser { text, position, depth: 0, depth_max, values: 0, path: Vec::new() }
    }

    /// Checks that nothing but space follows.
    pub fn end(&mut self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault("nothing more was expected after the end of the value")),
        }
    }

    pub fn value(&mut self) -> Result<Json> {
        self.values += 1;
        if self.values > VALUES_MAX {
            let message = format!("the JSON holds more than {VALUES_MAX} values, the most that is read at once");
            return Err(Invalid { fault: Fault::Bound, ..self.fault(&message) });
        }
        match self.peek() {
            Some(b'{') => self.object_value(),
            Some(b'[') => self.array_value(),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b't') => self.word(b"true", Json::Bool(true)),
            Some(b'f') => self.word(b"false", Json::Bool(false)),
            Some(b'n') => self.word(b"null", Json::Null),
            Some(b'-' | b'0'..=b'9') => Ok(Json::Number(self.number()?)),
            Some(_) => Err(self.fault("a JSON value was expected here")),
            None => Err(self.fault("the text ends where a JSON value was expected")),
        }
    }

    fn object_value(&mut self) -> Result<Json> {
        let mut object = Object::new();
        let mut seen = std::collections::HashSet::new();
        self.each_member(|parser, key| {
            let value = parser.value()?;
            let twice = if object.len() < SCAN_MEMBERS_MAX {
                object.get(&key).is_some()
            } else {
                if seen.is_empty() {
                    seen.extend(object.iter().map(|(name, _)| SmolStr::new(name)));
                }
                !seen.insert(key.clone())
            };
            if twice {
                return Err(parser.fault("this member stands twice in its object"));
            }
            object.push(key, value);
            Ok(())
        })?;
        Ok(Json::Object(object))
    }

    fn array_value(&mut self) -> Result<Json> {
        let mut items = Vec::new();
        self.each_item(|parser, _| {
            items.push(parser.value()?);
            Ok(())
        })?;
        Ok(Json::Array(items))
    }

    /// Calls `read` for each member of the object here; `read` must consume the member's value.
    pub fn each_member(&mut self, mut read: impl FnMut(&mut Self, SmolStr) -> Result<()>) -> Result<()> {
        self.open(b'{', "an object was expected here")?;
        if self.take(b'}') {
            return self.close();
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.fault("a member's name in quotes was expected here"));
            }
            let key = self.string()?;
            self.path.push(Step::Member(key.clone()));
            if !self.take(b':') {
                return Err(self.fault("a colon was expected after the member's name"));
            }
            read(self, key)?;
            self.path.pop();
            if self.take(b'}') {
                return self.close();
            }
            if !self.take(b',') {
                return Err(self.fault("a comma or a closing brace was expected here"));
            }
        }
    }

    /// Calls `read` for each item of the array here; `read` must consume the item.
    pub fn each_item(&mut self, mut read: impl FnMut(&mut Self, usize) -> Result<()>) -> Result<()> {
        self.open(b'[', "an array was expected here")?;
        if self.take(b']') {
            return self.close();
        }
        let mut position = 0;
        loop {
            self.path.push(Step::Item(position));
            read(self, position)?;
            self.path.pop();
            if self.take(b']') {
                return self.close();
            }
            if !self.take(b',') {
                return Err(self.fault("a comma or a closing bracket was expected here"));
            }
            position += 1;
        }
    }

    /// Steps over the value here and returns the bytes it spans. Only its brackets and strings are checked: whoever
    /// wants the value reads the span with a parser of its own.
    pub fn skip(&mut self) -> Result<Range<usize>> {
        self.peek();
        let start = self.position;
        let mut open = 0usize;
        loop {
            match self.peek() {
                None => return Err(self.fault("the text ends inside a value")),
                Some(b'"') => self.skip_string()?,
                Some(b'{' | b'[') => {
                    open += 1;
                    self.position += 1;
                }
                Some(b'}' | b']') if open > 0 => {
                    open -= 1;
                    self.position += 1;
                }
                Some(b'}' | b']' | b',' | b':') if open == 0 => {
                    return Err(self.fault("a JSON value was expected here"));
                }
                Some(b',' | b':') => self.position += 1,
                Some(_) => self.skip_word(),
            }
            if open == 0 {
                return Ok(start..self.position);
            }
        }
    }

    fn skip_word(&mut self) {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let length = rest.iter().position(|byte| b",:{}[]\" \t\r\n".contains(byte)).unwrap_or(rest.len());
        self.position += length;
    }

    fn skip_string(&mut self) -> Result<()> {
        self.position += 1;
        loop {
            match self.text.get(self.position) {
                None => return Err(self.fault("the text ends inside a string")),
                Some(b'"') => {
                    self.position += 1;
                    return Ok(());
                }
                Some(b'\\') => self.position += 2,
                Some(_) => self.position += 1,
            }
        }
    }

    fn open(&mut self, bracket: u8, otherwise: &str) -> Result<()> {
        if !self.take(bracket) {
            return Err(self.fault(otherwise));
        }
        self.depth += 1;
        if self.depth > self.depth_max {
            let message = format!("the JSON is nested deeper than {} levels, the most that is read", self.depth_max);
            return Err(Invalid { fault: Fault::Bound, ..self.fault(&message) });
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.depth -= 1;
        Ok(())
    }

    /// The next byte that is not space, without taking it.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.position).copied() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.position += 1,
                other => return other,
            }
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        if here {
            self.position += 1;
        }
        here
    }

    fn word(&mut self, word: &[u8], value: Json) -> Result<Json> {
        let rest = self.text.get(self.position..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(self.fault("a JSON value was expected here"));
        }
        self.position += word.len();
        Ok(value)
    }

    /// A number's text, checked against JSON's grammar and kept as it is.
    fn number(&mut self) -> Result<SmolStr> {
        let start = self.position;
        self.step(b'-');
        if !self.step(b'0') && self.digits() == 0 {
            return Err(self.fault("a digit was expected in this number"));
        }
        if self.step(b'.') && self.digits() == 0 {
            return Err(self.fault("a digit was expected after the decimal point"));
        }
        if self.step(b'e') || self.step(b'E') {
            let _sign = self.step(b'+') || self.step(b'-');
            if self.digits() == 0 {
                return Err(self.fault("a digit was expected in the exponent"));
            }
        }
        if self.text.get(self.position).is_some_and(u8::is_ascii_alphanumeric) {
            return Err(self.fault("this is not a JSON number"));
        }
        let text = self.text.get(start..self.position).unwrap_or_default();
        std::str::from_utf8(text).map(SmolStr::new).map_err(|_| self.fault("this is not a JSON number"))
    }

    fn step(&mut self, byte: u8) -> bool {
        let here = self.text.get(self.position) == Some(&byte);
        self.position += usize::from(here);
        here
    }

    fn digits(&mut self) -> usize {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.position += count;
        count
    }

    fn string(&mut self) -> Result<SmolStr> {
        self.position += 1;
        let plain = self.plain_run()?;
        if self.step(b'"') {
            return Ok(SmolStr::new(plain));
        }
        let mut text = SmolStrBuilder::new();
        text.push_str(plain);
        loop {
            match self.text.get(self.position) {
                Some(b'"') => {
                    self.position += 1;
                    return Ok(text.finish());
                }
                Some(b'\\') => {
                    self.position += 1;
                    text.push(self.escape()?);
                }
                Some(_) => text.push_str(self.plain_run()?),
                None => return Err(self.fault("the text ends inside a string")),
            }
        }
    }

    /// The characters up to the next quote or backslash.
    fn plain_run(&mut self) -> Result<&'a str> {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20).unwrap_or(rest.len());
        if rest.get(length).is_some_and(|&byte| byte < 0x20) {
            self.position += length;
            return Err(self.fault("a control character in a string must be escaped"));
        }
        let run = std::str::from_utf8(rest.get(..length).unwrap_or_default()).map_err(|fault| {
            self.position += fault.valid_up_to();
            self.fault("the text is not UTF-8 here")
        })?;
        self.position += length;
        Ok(run)
    }

    fn escape(&mut self) -> Result<char> {
        let Some(&byte) = self.text.get(self.position) else {
            return Err(self.fault("the text ends inside a string"));
        };
        self.position += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return Err(self.fault("this is not one of JSON's escapes")),
        })
    }

    /// The character of `\uXXXX`, or of the surrogate pair `\uXXXX\uXXXX`.
    fn unicode_escape(&mut self) -> Result<char> {
        let first = self.hex4()?;
        if !(0xD800..0xE000).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.fault("this is not a character"));
        }
        let lone = "half of a surrogate pair is not a character";
        if first >= 0xDC00 || !(self.step(b'\\') && self.step(b'u')) {
            return Err(self.fault(lone));
        }
        let second = self.hex4()?;
        if !(0xDC00..0xE000).contains(&second) {
            return Err(self.fault(lone));
        }
        char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)).ok_or_else(|| self.fault(lone))
    }

    fn hex4(&mut self) -> Result<u32> {
        let digits = self.text.get(self.position..self.position + 4).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let value = digits.and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u32::from_str_radix(d, 16).ok());
        self.position += 4;
        value.ok_or_else(|| self.fault("four hexadecimal digits were expected after \\u"))
    }

    /// The fault at the current place: the path in FHIRPath's form, and line and column for those who look at the text.
    fn fault(&self, what: &str) -> Invalid {
        let before = self.text.get(..self.position.min(self.text.len())).unwrap_or_default();
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |position| position + 1);
        let column = 1 + String::from_utf8_lossy(before.get(line_start..).unwrap_or_default()).chars().count();
        Invalid { expression: self.expression(), ..Invalid::syntax(format!("Line {line}, column {column}: {what}.")) }
    }

    fn expression(&self) -> String {
        let mut expression = String::new();
        for step in &self.path {
            match step {
                Step::Member(name) => {
                    if !expression.is_empty() {
                        expression.push('.');
                    }
                    expression.push_str(name);
                }
                Step::Item(position) => expression.push_str(&format!("[{position}]")),
            }
        }
        expression
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(text: &str) -> String {
        String::from_utf8(parse(text.as_bytes(), 64).unwrap().to_bytes()).unwrap()
    }

    fn fault(text: &str) -> Invalid {
        parse(text.as_bytes(), 8).unwrap_err()
    }

    #[test]
    fn decimals_keep_their_digits_and_members_their_order() {
        let text = r#"{"z":1.00,"a":1E-22,"m":[-0.0,1e+5,12345678901234567890.10]}"#;
        assert_eq!(round_trip(text), text);
    }

    #[test]
    fn text_survives_whatever_its_escapes() {
        assert_eq!(round_trip(r#"["\u00e9\ud83d\ude00\/\n\u0001\"\\"]"#), "[\"é😀/\\n\\u0001\\\"\\\\\"]");
    }

    #[test]
    fn a_member_that_stands_twice_is_refused_with_its_path() {
        let fault = fault(r#"{"name":[{"use":"a"},{"use":"a","use":"b"}]}"#);
        assert_eq!(fault.expression, "name[1].use");
        let mut many: String = (0..40).map(|n| format!("\"k{n}\":1,")).collect();
        many.push_str("\"k7\":2");
        assert_eq!(parse(format!("{{{many}}}").as_bytes(), 8).unwrap_err().expression, "k7");
    }

    #[test]
    fn malformed_text_is_refused_with_line_and_column() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\"}",
            "{\"a\":}",
            "01",
            "1.",
            "1e",
            "-",
            "tru",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"a",
            "[1 2]",
            "{\"a\":1 \"b\":2}",
            "nul",
            "1 2",
            "{a:1}",
            "\"\u{1}\"",
            "+1",
            ".5",
            "NaN",
            "[",
            "\"\\u12\"",
        ] {
            let fault = fault(text);
            assert_eq!(fault.fault, Fault::Syntax, "{text}");
            assert!(fault.message.starts_with("Line 1, column "), "{text}: {}", fault.message);
        }
        assert!(fault("{\n  \"é\": 1,\n  \"b\": x}").message.starts_with("Line 3, column 8"));
        assert!(parse(b"\"\xff\"", 8).is_err());
    }

    #[test]
    fn nesting_beyond_the_bound_is_refused_and_names_the_bound() {
        let fault = fault(&"[".repeat(100_000));
        assert_eq!(fault.fault, Fault::Bound);
        assert!(fault.message.contains("8 levels"));
        assert!(parse("[".repeat(8).as_bytes(), 8).unwrap_err().fault == Fault::Syntax);
    }

    #[test]
    fn more_values_than_the_bound_are_refused_and_name_the_bound() {
        let text = format!("[{}0]", "0,".repeat(VALUES_MAX));
        let fault = fault(&text);
        assert_eq!(fault.fault, Fault::Bound);
        assert!(fault.message.contains("2000000 values"));
    }

    #[test]
    fn a_skipped_value_spans_what_reading_it_would_consume() {
        for text in [r#"{"a":["]}\"",{"b":null}],"c":1.5e3}"#, "[[],{}]", "\"x\\\\\"", "12", "null"] {
            let padded = format!("  {text} ,");
            let mut parser = Parser::new(padded.as_bytes(), 64);
            assert_eq!(parser.skip().unwrap(), 2..2 + text.len());
        }
        for text in ["", "{\"a\":", "[1", "]", ",", "\"a"] {
            assert!(Parser::new(text.as_bytes(), 64).skip().is_err(), "{text}");
        }
    }
}
