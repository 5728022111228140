//! JSON Patch: a list of operations that turn one JSON document into another. <https://www.rfc-editor.org/rfc/rfc6902>
//!
//! Our own, because crates work on `serde_json::Value`, which loses the digits of decimals (docs/decisions/0001-json-tree.md).
//! What is malformed is a fault of the patch's syntax or structure; what does not fit the document is unprocessable.

use super::invalid::{Invalid, Result};
use super::json::{Json, Object, Pointer, index, parse};

/// At most this many operations are read from one patch (operations).
pub const OPERATIONS_MAX: usize = 1_000;
/// At most this much is copied and moved by all operations of one patch together (bytes, as JSON). A few operations
/// that each copy the document into itself would otherwise double it until no memory is left.
pub const CARRIED_BYTES_MAX: usize = 4 << 20;

/// A patch that is well formed. Whether it fits a document, applying it tells.
#[derive(Debug, Clone)]
pub struct Patch {
    operations: Vec<Operation>,
}

#[derive(Debug, Clone)]
struct Operation {
    path: Pointer,
    action: Action,
}

#[derive(Debug, Clone)]
enum Action {
    Add(Json),
    Remove,
    Replace(Json),
    Move(Pointer),
    Copy(Pointer),
    Test(Json),
}

impl Patch {
    /// Reads a patch; a fault names the operation, as in `patch[2].path`.
    pub fn read(text: &[u8], depth_max: usize) -> Result<Patch> {
        let json = parse(text, depth_max).map_err(|invalid| {
            let separator = if invalid.expression.is_empty() || invalid.expression.starts_with('[') { "" } else { "." };
            Invalid { expression: format!("patch{separator}{}", invalid.expression), ..invalid }
        })?;
        let Json::Array(items) = json else {
            let message = format!("A JSON Patch is an array of operations; this is {}.", json.kind());
            return Err(Invalid::structure("patch", message));
        };
        if items.len() > OPERATIONS_MAX {
            let message = format!("A patch of more than {OPERATIONS_MAX} operations is not read here. Send several.");
            return Err(Invalid { expression: "patch".to_owned(), ..Invalid::bound(message) });
        }
        let read = |(number, item)| read_operation(item, &format!("patch[{number}]"));
        Ok(Patch { operations: items.into_iter().enumerate().map(read).collect::<Result<_>>()? })
    }

    /// Applies all operations, in order. Nesting deeper than `depth_max` (levels) is refused.
    pub fn apply(&self, document: Json, depth_max: usize) -> Result<Json> {
        let mut patching = Patching { document, depth_max, carried: 0 };
        for (number, operation) in self.operations.iter().enumerate() {
            patching
                .step(operation)
                .map_err(|(member, invalid)| Invalid { expression: format!("patch[{number}].{member}"), ..invalid })?;
        }
        Ok(patching.document)
    }

    /// What the patch brings along: the number of the operation, where the value goes, and the value.
    pub fn values(&self) -> impl Iterator<Item = (usize, &Pointer, &Json)> {
        self.operations.iter().enumerate().filter_map(|(number, operation)| match &operation.action {
            Action::Add(value) | Action::Replace(value) => Some((number, &operation.path, value)),
            Action::Remove | Action::Move(_) | Action::Copy(_) | Action::Test(_) => None,
        })
    }

    /// Whether an operation names the member at the top of the document or something in it, if only to test it.
    pub fn names(&self, member: &str) -> bool {
        self.operations.iter().flat_map(Operation::pointers).any(|pointer| top(pointer).is_none_or(|top| top == member))
    }

    /// Whether an operation changes anything outside of these members at the top.
    pub fn changes_beyond(&self, members: &[&str]) -> bool {
        let changing = self.operations.iter().filter(|operation| !matches!(operation.action, Action::Test(_)));
        changing.flat_map(Operation::pointers).any(|pointer| top(pointer).is_none_or(|top| !members.contains(&top)))
    }
}

impl Operation {
    fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        let from = match &self.action {
            Action::Move(from) | Action::Copy(from) => Some(from),
            Action::Add(_) | Action::Remove | Action::Replace(_) | Action::Test(_) => None,
        };
        std::iter::once(&self.path).chain(from)
    }
}

/// The member at the top of the document that a pointer leads into; `None` for the whole document.
fn top(pointer: &Pointer) -> Option<&str> {
    pointer.tokens().first().map(|token| token.as_str())
}

fn read_operation(item: Json, place: &str) -> Result<Operation> {
    let Json::Object(mut object) = item else {
        return Err(Invalid::structure(place, format!("An operation is an object; this is {}.", item.kind())));
    };
    let path = pointer(&object, "path", place)?;
    let missing = || Invalid::structure(format!("{place}.value"), "This operation needs a value; null is one.");
    let value = object.remove("value").ok_or_else(missing);
    let action = match object.get_str("op") {
        Some("add") => Action::Add(value?),
        Some("remove") => Action::Remove,
        Some("replace") => Action::Replace(value?),
        Some("move") => Action::Move(pointer(&object, "from", place)?),
        Some("copy") => Action::Copy(pointer(&object, "from", place)?),
        Some("test") => Action::Test(value?),
        _ => {
            let message = "An operation says what it does in `op`: add, remove, replace, move, copy or test.";
            return Err(Invalid::structure(format!("{place}.op"), message));
        }
    };
    if let Action::Move(from) = &action
        && path != *from
        && path.tokens().starts_with(from.tokens())
    {
        return Err(Invalid::structure(format!("{place}.path"), "A value cannot be moved into itself."));
    }
    Ok(Operation { path, action })
}

fn pointer(object: &Object, name: &str, place: &str) -> Result<Pointer> {
    let pointer = object.get_str(name).and_then(Pointer::parse);
    pointer.ok_or_else(|| {
        let message =
            format!("`{name}` is a JSON Pointer such as /name/0/given, in which ~0 stands for ~ and ~1 for /.");
        Invalid::structure(format!("{place}.{name}"), message)
    })
}

/// What is wrong with an operation, and with which of its members.
type Misfit = (&'static str, Invalid);

fn misfit(member: &'static str, message: &str) -> Misfit {
    (member, Invalid::unprocessable("", message))
}

/// A document that is being patched.
struct Patching {
    document: Json,
    depth_max: usize,
    /// What copies and moves have carried so far (bytes).
    carried: usize,
}

impl Patching {
    fn step(&mut self, operation: &Operation) -> std::result::Result<(), Misfit> {
        let path = &operation.path;
        match &operation.action {
            Action::Add(value) => self.add(path, value.clone()),
            Action::Remove => self.take(path, "path").map(drop),
            Action::Replace(value) => {
                self.check_depth(path, value)?;
                let slot = path.find_mut(&mut self.document).ok_or_else(|| nothing("path"))?;
                *slot = value.clone();
                Ok(())
            }
            Action::Move(from) => {
                self.carry(from)?;
                if from == path {
                    return Ok(());
                }
                let value = self.take(from, "from")?;
                self.add(path, value)
            }
            Action::Copy(from) => {
                let value = self.carry(from)?.clone();
                self.add(path, value)
            }
            Action::Test(value) => match path.find(&self.document) {
                None => Err(nothing("path")),
                Some(found) if found.means_same(value) => Ok(()),
                Some(_) => Err(misfit("value", "The test failed: the value at the path is another one.")),
            },
        }
    }

    fn add(&mut self, path: &Pointer, value: Json) -> std::result::Result<(), Misfit> {
        self.check_depth(path, &value)?;
        if path.tokens().is_empty() {
            self.document = value;
            return Ok(());
        }
        match path.parent_mut(&mut self.document) {
            Some((Json::Object(object), name)) => match object.get_mut(name) {
                Some(present) => *present = value,
                None => object.push(name.into(), value),
            },
            Some((Json::Array(items), token)) => {
                let at = if token == "-" { Some(items.len()) } else { index(token) };
                let message = "An array takes a value at an index up to its length, without leading zeros, or at `-`.";
                let at = at.filter(|&at| at <= items.len()).ok_or_else(|| misfit("path", message))?;
                items.insert(at, value);
            }
            Some(_) | None => {
                return Err(misfit("path", "There is no object or array that could hold a value at this path."));
            }
        }
        Ok(())
    }

    /// Takes the value at a pointer out. Of the whole document null is left.
    fn take(&mut self, pointer: &Pointer, member: &'static str) -> std::result::Result<Json, Misfit> {
        if pointer.tokens().is_empty() {
            return Ok(std::mem::replace(&mut self.document, Json::Null));
        }
        let taken = match pointer.parent_mut(&mut self.document) {
            Some((Json::Object(object), name)) => object.remove(name),
            Some((Json::Array(items), token)) => index(token).filter(|&at| at < items.len()).map(|at| items.remove(at)),
            Some(_) | None => None,
        };
        taken.ok_or_else(|| nothing(member))
    }

    /// The value that is copied or moved, counted against the bound.
    fn carry(&mut self, from: &Pointer) -> std::result::Result<&Json, Misfit> {
        let value = from.find(&self.document).ok_or_else(|| nothing("from"))?;
        self.carried = self.carried.saturating_add(value.to_bytes().len());
        if self.carried > CARRIED_BYTES_MAX {
            let message = format!("The patch copies and moves more than {CARRIED_BYTES_MAX} bytes. Send several.");
            return Err(("from", Invalid::bound(message)));
        }
        Ok(value)
    }

    /// Checked at each step: what is nested too deep could not even be measured later.
    fn check_depth(&self, path: &Pointer, value: &Json) -> std::result::Result<(), Misfit> {
        if path.tokens().len() + depth(value) <= self.depth_max {
            return Ok(());
        }
        let message =
            format!("The document would be nested deeper than {} levels, the most that is kept.", self.depth_max);
        Err(("path", Invalid::bound(message)))
    }
}

fn nothing(member: &'static str) -> Misfit {
    misfit(member, "There is nothing at this path.")
}

/// Levels of objects and arrays in a value.
fn depth(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(object) => 1 + object.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::invalid::Fault;

    const DEPTH_MAX: usize = 16;

    fn patched(document: &str, patch: &str) -> Result<String> {
        let document = parse(document.as_bytes(), DEPTH_MAX).unwrap();
        let json = Patch::read(patch.as_bytes(), DEPTH_MAX)?.apply(document, DEPTH_MAX)?;
        Ok(String::from_utf8(json.to_bytes()).unwrap())
    }

    #[track_caller]
    fn refused(document: &str, patch: &str, fault: Fault, place: &str) {
        let invalid = patched(document, patch).unwrap_err();
        assert_eq!((invalid.fault, invalid.expression.as_str()), (fault, place), "{document} {patch}: {invalid}");
        assert!(invalid.message.len() > 15, "{invalid}");
    }

    /// Appendix A of RFC 6902, by the numbers of its sections.
    #[test]
    fn the_examples_of_the_rfc_give_their_results() {
        for (document, patch, expected) in [
            // A.1, A.2
            (r#"{"foo":"bar"}"#, r#"[{"op":"add","path":"/baz","value":"qux"}]"#, r#"{"foo":"bar","baz":"qux"}"#),
            (
                r#"{"foo":["bar","baz"]}"#,
                r#"[{"op":"add","path":"/foo/1","value":"qux"}]"#,
                r#"{"foo":["bar","qux","baz"]}"#,
            ),
            // A.3, A.4, A.5
            (r#"{"baz":"qux","foo":"bar"}"#, r#"[{"op":"remove","path":"/baz"}]"#, r#"{"foo":"bar"}"#),
            (r#"{"foo":["bar","qux","baz"]}"#, r#"[{"op":"remove","path":"/foo/1"}]"#, r#"{"foo":["bar","baz"]}"#),
            (
                r#"{"baz":"qux","foo":"bar"}"#,
                r#"[{"op":"replace","path":"/baz","value":"boo"}]"#,
                r#"{"baz":"boo","foo":"bar"}"#,
            ),
            // A.6, A.7
            (
                r#"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#,
                r#"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#,
                r#"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#,
            ),
            (
                r#"{"foo":["all","grass","cows","eat"]}"#,
                r#"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#,
                r#"{"foo":["all","cows","eat","grass"]}"#,
            ),
            // A.8
            (
                r#"{"baz":"qux","foo":["a",2,"c"]}"#,
                r#"[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]"#,
                r#"{"baz":"qux","foo":["a",2,"c"]}"#,
            ),
            // A.10, A.11
            (
                r#"{"foo":"bar"}"#,
                r#"[{"op":"add","path":"/child","value":{"grandchild":{}}}]"#,
                r#"{"foo":"bar","child":{"grandchild":{}}}"#,
            ),
            (
                r#"{"foo":"bar"}"#,
                r#"[{"op":"add","path":"/baz","value":"qux","xyz":123}]"#,
                r#"{"foo":"bar","baz":"qux"}"#,
            ),
            // A.14, A.16
            (r#"{"/":9,"~1":10}"#, r#"[{"op":"test","path":"/~01","value":10}]"#, r#"{"/":9,"~1":10}"#),
            (
                r#"{"foo":["bar"]}"#,
                r#"[{"op":"add","path":"/foo/-","value":["abc","def"]}]"#,
                r#"{"foo":["bar",["abc","def"]]}"#,
            ),
        ] {
            assert_eq!(patched(document, patch).unwrap(), expected, "{patch}");
        }
    }

    #[test]
    fn the_examples_of_the_rfc_that_fail_fail_and_name_their_operation() {
        // A.9, A.12, A.13, A.15
        let baz = r#"{"baz":"qux"}"#;
        refused(baz, r#"[{"op":"test","path":"/baz","value":"bar"}]"#, Fault::Unprocessable, "patch[0].value");
        let add = r#"[{"op":"add","path":"/baz/bat","value":"qux"}]"#;
        refused(r#"{"foo":"bar"}"#, add, Fault::Unprocessable, "patch[0].path");
        let twice = r#"[{"op":"add","path":"/baz","value":"qux","op":"remove"}]"#;
        refused(r#"{"foo":"bar"}"#, twice, Fault::Syntax, "patch[0].op");
        let test = r#"[{"op":"test","path":"/~01","value":"10"}]"#;
        refused(r#"{"/":9,"~1":10}"#, test, Fault::Unprocessable, "patch[0].value");
    }

    #[test]
    fn numbers_keep_their_digits_members_their_place_and_copies_stay_apart() {
        let document = r#"{"a":1.00,"b":[1E-22],"c":{"d":0.10}}"#;
        let patch = r#"[{"op":"test","path":"/a","value":1},{"op":"copy","from":"/c","path":"/e"},
            {"op":"replace","path":"/c/d","value":2.50},{"op":"move","from":"/b/0","path":"/b/0"},
            {"op":"add","path":"/a","value":3.000},{"op":"move","from":"/b","path":"/b"}]"#;
        let expected = r#"{"a":3.000,"b":[1E-22],"c":{"d":2.50},"e":{"d":0.10}}"#;
        assert_eq!(patched(document, patch).unwrap(), expected);
        assert_eq!(patched(document, "[]").unwrap(), document);
    }

    #[test]
    fn the_whole_document_can_be_replaced_tested_copied_and_taken_away() {
        let whole = r#"[{"op":"replace","path":"","value":{"b":2}}]"#;
        assert_eq!(patched(r#"{"a":1}"#, whole).unwrap(), r#"{"b":2}"#);
        assert_eq!(
            patched(r#"{"a":1}"#, &whole.replace("replace", "test").replace("{\"b\":2}", "{\"a\":1.0}")).unwrap(),
            r#"{"a":1}"#
        );
        assert_eq!(
            patched(r#"{"a":1}"#, r#"[{"op":"copy","from":"","path":"/c"}]"#).unwrap(),
            r#"{"a":1,"c":{"a":1}}"#
        );
        assert_eq!(patched(r#"{"a":1}"#, r#"[{"op":"move","from":"/a","path":""}]"#).unwrap(), "1");
        let anew =
            r#"[{"op":"remove","path":""},{"op":"add","path":"","value":[]},{"op":"add","path":"/0","value":null}]"#;
        assert_eq!(patched(r#"{"a":1}"#, anew).unwrap(), "[null]");
    }

    #[test]
    fn what_is_not_there_cannot_be_changed() {
        let document = r#"{"a":[1,2],"b":"text"}"#;
        for (operation, place) in [
            (r#"{"op":"remove","path":"/x"}"#, "path"),
            (r#"{"op":"remove","path":"/a/2"}"#, "path"),
            (r#"{"op":"remove","path":"/a/-"}"#, "path"),
            (r#"{"op":"remove","path":"/a/01"}"#, "path"),
            (r#"{"op":"remove","path":"/b/0"}"#, "path"),
            (r#"{"op":"replace","path":"/x","value":1}"#, "path"),
            (r#"{"op":"replace","path":"/a/-","value":1}"#, "path"),
            (r#"{"op":"test","path":"/x","value":null}"#, "path"),
            (r#"{"op":"add","path":"/a/3","value":1}"#, "path"),
            (r#"{"op":"add","path":"/a/01","value":1}"#, "path"),
            (r#"{"op":"add","path":"/a/x","value":1}"#, "path"),
            (r#"{"op":"add","path":"/x/y","value":1}"#, "path"),
            (r#"{"op":"move","from":"/x","path":"/a/0"}"#, "from"),
            (r#"{"op":"copy","from":"/a/2","path":"/a/0"}"#, "from"),
            (r#"{"op":"move","from":"/b","path":"/a/9"}"#, "path"),
        ] {
            let patch = format!(r#"[{{"op":"test","path":"/b","value":"text"}},{operation}]"#);
            refused(document, &patch, Fault::Unprocessable, &format!("patch[1].{place}"));
        }
    }

    #[test]
    fn a_malformed_patch_is_refused_whatever_the_document() {
        for (patch, place) in [
            (r#"{"op":"remove","path":"/a"}"#, "patch"),
            ("7", "patch"),
            ("[7]", "patch[0]"),
            (r#"[{"path":"/a"}]"#, "patch[0].op"),
            (r#"[{"op":"merge","path":"/a"}]"#, "patch[0].op"),
            (r#"[{"op":"remove"}]"#, "patch[0].path"),
            (r#"[{"op":"remove","path":7}]"#, "patch[0].path"),
            (r#"[{"op":"remove","path":"a"}]"#, "patch[0].path"),
            (r#"[{"op":"remove","path":"/~2"}]"#, "patch[0].path"),
            (r#"[{"op":"add","path":"/a"}]"#, "patch[0].value"),
            (r#"[{"op":"test","path":"/a"}]"#, "patch[0].value"),
            (r#"[{"op":"remove","path":"/a"},{"op":"copy","path":"/a"}]"#, "patch[1].from"),
            (r#"[{"op":"move","path":"/a/b","from":"/a"}]"#, "patch[0].path"),
            (r#"[{"op":"move","path":"/a","from":""}]"#, "patch[0].path"),
        ] {
            refused(r#"{"a":1}"#, patch, Fault::Structure, place);
        }
        for (patch, place) in
            [("", "patch"), ("[{", "patch[0]"), ("[{},{\"op\":x}]", "patch[1].op"), ("{\"a\":x}", "patch.a")]
        {
            refused(r#"{"a":1}"#, patch, Fault::Syntax, place);
        }
    }

    #[test]
    fn more_operations_bytes_or_levels_than_the_bounds_are_refused() {
        let many = format!("[{}]", vec![r#"{"op":"test","path":"/a","value":1}"#; OPERATIONS_MAX + 1].join(","));
        refused(r#"{"a":1}"#, &many, Fault::Bound, "patch");
        let deeper = format!("[{}]", vec![r#"{"op":"copy","from":"/a","path":"/a/0"}"#; 20].join(","));
        refused(r#"{"a":[]}"#, &deeper, Fault::Bound, "patch[14].path");
        let nested = r#"[{"op":"replace","path":"/a/b/c","value":[[[[[[[[[[[[[[]]]]]]]]]]]]]]}]"#;
        refused(r#"{"a":{"b":{"c":1}}}"#, nested, Fault::Bound, "patch[0].path");
        // Copies into each other double what is there.
        let doubling = r#"[{"op":"copy","from":"/a","path":"/b"},{"op":"copy","from":"/b","path":"/a/x"}]"#;
        let text = "x".repeat(CARRIED_BYTES_MAX / 2);
        refused(&format!(r#"{{"a":{{"t":"{text}"}}}}"#), doubling, Fault::Bound, "patch[1].from");
    }

    #[test]
    fn what_a_patch_names_and_changes_is_told() {
        let patch = |text: &str| Patch::read(text.as_bytes(), DEPTH_MAX).unwrap();
        let meta =
            patch(r#"[{"op":"test","path":"/text/status","value":""},{"op":"add","path":"/meta/tag","value":[]}]"#);
        assert!(meta.names("text") && meta.names("meta") && !meta.names("status"));
        assert!(!meta.changes_beyond(&["meta"]) && meta.changes_beyond(&["text"]));
        let moves = patch(r#"[{"op":"move","from":"/name","path":"/meta/x"}]"#);
        assert!(moves.names("name") && moves.changes_beyond(&["meta"]));
        assert!(patch(r#"[{"op":"remove","path":""}]"#).names("anything"));
    }
}
