//! Properties of reading and writing JSON and Bundles, over generated input. <https://hl7.org/fhir/R4/json.html>

use brasa::fhir::bundle::Bundle;
use brasa::fhir::json::{Json, Parser, parse};
use brasa::fhir::resource::Resource;
use proptest::prelude::*;

/// A JSON value as a test makes it.
#[derive(Debug, Clone)]
enum Tree {
    Word(&'static str),
    Number(String),
    Text(String),
    List(Vec<Tree>),
    Members(Vec<(String, Tree)>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        prop_oneof![Just("null"), Just("true"), Just("false")].prop_map(Tree::Word),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?".prop_map(Tree::Number),
        any::<String>().prop_map(Tree::Text),
    ];
    leaf.prop_recursive(6, 60, 40, |inner| {
        let members = prop::collection::btree_map(any::<String>(), inner.clone(), 0..40);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Tree::List),
            (members, any::<bool>()).prop_map(|(members, reversed)| {
                let mut members: Vec<_> = members.into_iter().collect();
                if reversed {
                    members.reverse();
                }
                Tree::Members(members)
            }),
        ]
    })
}

/// Writes a string with or without escapes.
fn write_text(out: &mut String, text: &str, escaped: bool) {
    if !escaped {
        out.push_str(&serde_json::to_string(text).unwrap());
        return;
    }
    out.push('"');
    for unit in text.encode_utf16() {
        out.push_str(&format!("\\u{unit:04X}"));
    }
    out.push('"');
}

/// Writes a tree as some client may: with `space` between tokens, strings escaped or not.
fn write(out: &mut String, tree: &Tree, space: &str, escaped: bool) {
    let separate = |out: &mut String, position: usize| {
        out.push_str(if position > 0 { "," } else { "" });
        out.push_str(space);
    };
    match tree {
        Tree::Word(word) => out.push_str(word),
        Tree::Number(digits) => out.push_str(digits),
        Tree::Text(text) => write_text(out, text, escaped),
        Tree::List(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                separate(out, position);
                write(out, item, space, escaped);
            }
            out.push_str(space);
            out.push(']');
        }
        Tree::Members(members) => {
            out.push('{');
            for (position, (name, value)) in members.iter().enumerate() {
                separate(out, position);
                write_text(out, name, escaped);
                out.push_str(space);
                out.push(':');
                write(out, value, space, escaped);
            }
            out.push('}');
        }
    }
}

fn is_same(tree: &Tree, json: &Json) -> bool {
    match (tree, json) {
        (Tree::Word(word), Json::Null) => *word == "null",
        (Tree::Word(word), Json::Bool(value)) => *word == value.to_string(),
        (Tree::Number(digits), Json::Number(read)) => digits == read,
        (Tree::Text(text), Json::String(read)) => text == read,
        (Tree::List(items), Json::Array(read)) => {
            items.len() == read.len() && items.iter().zip(read).all(|(item, read)| is_same(item, read))
        }
        (Tree::Members(members), Json::Object(read)) => {
            let same =
                |((name, value), (key, read)): (&(String, Tree), (&str, &Json))| name == key && is_same(value, read);
            members.len() == read.len() && members.iter().zip(read.iter()).all(same)
        }
        _ => false,
    }
}

const BUNDLE: &str = r#"{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","name":[{"family":"é\"\\"}],"n":-1.5e+3},"request":{"method":"POST","url":"Patient","ifNoneExist":"x"}},{"request":{"method":"GET","url":"Patient/1"}}]}"#;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_is_what_was_sent_and_is_written_so_again(tree in tree(), escaped: bool, space in "[ \n\r\t]{0,3}") {
        let mut text = String::new();
        write(&mut text, &tree, &space, escaped);
        let json = parse(text.as_bytes(), 64).unwrap();
        prop_assert!(is_same(&tree, &json), "{text}");
        prop_assert_eq!(&parse(&json.to_bytes(), 64).unwrap(), &json);
        prop_assert_eq!(&parse(&json.to_pretty_bytes(), 64).unwrap(), &json);
        let padded = format!("{space}{text}{space},");
        let mut parser = Parser::new(padded.as_bytes(), 64);
        let span = parser.skip().unwrap();
        prop_assert_eq!(padded.get(span), Some(text.as_str()));
        prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&json.to_bytes()).is_ok());
    }

    #[test]
    fn no_bytes_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let read = parse(&bytes, 8);
        let valid = serde_json::from_slice::<serde_json::Value>(&bytes).is_ok();
        prop_assert!(valid || read.is_err(), "{bytes:?}");
        prop_assert!(Bundle::read(&bytes, 8, 4).is_err());
        prop_assert!(Resource::read(&bytes, 0..bytes.len(), 8).is_err());
    }

    #[test]
    fn texts_of_jsons_own_characters_are_read_as_serde_reads_them(text in "[\\[\\]{}:,\"\\\\u0-2deE.+\\- truefalsn]{0,40}") {
        // An unpaired surrogate and a member that stands twice are refused here on purpose.
        if let Ok(json) = parse(text.as_bytes(), 100) {
            prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(text.as_bytes()).is_ok(), "{text}");
            prop_assert_eq!(&parse(&json.to_bytes(), 100).unwrap(), &json);
        }
        let _read = Bundle::read(text.as_bytes(), 8, 4);
    }

    #[test]
    fn a_damaged_bundle_is_read_or_refused_and_never_panics(
        at in 0..BUNDLE.len(), byte: u8, cut in 0..BUNDLE.len(), cuts: bool
    ) {
        let mut text = BUNDLE.as_bytes().to_vec();
        text[at] = byte;
        if cuts {
            text.truncate(cut);
        }
        match Bundle::read(&text, 16, 4) {
            Ok(bundle) => {
                for span in bundle.entries.into_iter().filter_map(|entry| entry.resource) {
                    prop_assert!(text.get(span.clone()).is_some());
                    let _read = Resource::read(&text, span, 16);
                }
            }
            Err(fault) => prop_assert!(fault.expression.starts_with("Bundle"), "{}", fault.expression),
        }
    }
}
