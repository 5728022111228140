//! JSON Pointer: the way from the top of a document to one value. <https://www.rfc-editor.org/rfc/rfc6901>

use super::Json;
use smol_str::SmolStr;

/// The names and indexes on the way, unescaped. Without any it names the whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    tokens: Vec<SmolStr>,
}

impl Pointer {
    /// Reads `/name/0/given`. `None`: it does not begin with a slash, or has a `~` that is neither `~0` nor `~1`.
    pub fn parse(text: &str) -> Option<Pointer> {
        if text.is_empty() {
            return Some(Pointer { tokens: Vec::new() });
        }
        let tokens = text.strip_prefix('/')?.split('/').map(unescape).collect::<Option<_>>()?;
        Some(Pointer { tokens })
    }

    pub fn tokens(&self) -> &[SmolStr] {
        &self.tokens
    }

    pub fn find<'a>(&self, document: &'a Json) -> Option<&'a Json> {
        self.tokens.iter().try_fold(document, |at, token| match at {
            Json::Object(object) => object.get(token),
            Json::Array(items) => items.get(index(token)?),
            _ => None,
        })
    }

    pub fn find_mut<'a>(&self, document: &'a mut Json) -> Option<&'a mut Json> {
        down(&self.tokens, document)
    }

    /// What holds the place that the pointer names, and the last name or index. `None` for the whole document, and where
    /// there is nothing to hold it.
    pub fn parent_mut<'a>(&self, document: &'a mut Json) -> Option<(&'a mut Json, &str)> {
        let (last, way) = self.tokens.split_last()?;
        Some((down(way, document)?, last))
    }
}

fn down<'a>(tokens: &[SmolStr], document: &'a mut Json) -> Option<&'a mut Json> {
    tokens.iter().try_fold(document, |at, token| match at {
        Json::Object(object) => object.get_mut(token),
        Json::Array(items) => items.get_mut(index(token)?),
        _ => None,
    })
}

/// An array's index: digits without a leading zero.
pub fn index(token: &str) -> Option<usize> {
    let plain = token.bytes().all(|byte| byte.is_ascii_digit()) && (token == "0" || !token.starts_with('0'));
    if plain { token.parse().ok() } else { None }
}

fn unescape(token: &str) -> Option<SmolStr> {
    let mut parts = token.split('~');
    let mut text = String::from(parts.next().unwrap_or_default());
    for part in parts {
        let (escaped, rest) = match part.strip_prefix('0') {
            Some(rest) => ('~', rest),
            None => ('/', part.strip_prefix('1')?),
        };
        text.push(escaped);
        text.push_str(rest);
    }
    Some(SmolStr::new(text))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_find_their_values() {
        let text = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
        let document = parse(text.as_bytes(), 8).unwrap();
        for (pointer, expected) in [
            ("", text),
            ("/foo", r#"["bar","baz"]"#),
            ("/foo/0", r#""bar""#),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ] {
            let found = Pointer::parse(pointer).unwrap().find(&document).unwrap().to_bytes();
            assert_eq!(String::from_utf8(found).unwrap(), expected, "{pointer}");
        }
    }

    #[test]
    fn what_is_no_pointer_or_leads_nowhere_finds_nothing() {
        for text in ["foo", "~0", "/~", "/~2", "/a~/b"] {
            assert_eq!(Pointer::parse(text), None, "{text}");
        }
        let document = parse(br#"{"foo":["bar"],"x":1}"#, 8).unwrap();
        for text in ["/foo/1", "/foo/00", "/foo/-", "/foo/+0", "/foo/", "/foo/99999999999999999999", "/x/y", "/~01"] {
            assert_eq!(Pointer::parse(text).unwrap().find(&document), None, "{text}");
        }
        assert_eq!(Pointer::parse("/~01").unwrap().tokens(), ["~1"]);
    }
}
