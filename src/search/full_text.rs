//! The words of a resource, for `_text` and `_content`. <https://hl7.org/fhir/R4/search.html#text>
//!
//! Words are cut out here and folded as the strings of searches are, so that what is stored and what is asked are cut
//! alike, whatever the locale of the database; PostgreSQL only remembers where each word stands. A word is a run of
//! letters, digits and marks: `x-ray` is two words side by side. Languages that write without spaces have sentences for
//! words.

mod xhtml;

use super::clause::TextTerm;
use super::entry::Texts;
use super::kind::string::fold;
use crate::fhir::definitions::{ElementKind, Node, PrimitiveType, ResourceType, root};
use crate::fhir::json::Json;
use crate::fhir::resource::Resource;
use unicode_normalization::char::is_combining_mark;

/// The words of one resource take at most so much (bytes); what is beyond is not found. PostgreSQL keeps at most 1 MB of
/// words with their places, and a word of three letters takes twice its place in the text: a write must never fail here.
const TEXT_BYTES_MAX: usize = 400_000;

/// Longer words are cut, in resources and in queries alike (bytes). PostgreSQL leaves out words of 2 KB.
const WORD_BYTES_MAX: usize = 200;

/// All that people read or write in a resource. Addresses (uri, url, canonical, references), ids, dates, numbers and
/// attached bytes are left out: searches have parameters for them, and they would be most of the index.
pub fn texts(resource: &Resource) -> Option<Texts> {
    let mut content = Words::default();
    walk(resource.json(), root(resource.resource_type()), &mut content);
    let mut narrative = Words::default();
    let text = resource.object().get("text").and_then(Json::as_object);
    if let Some(div) = text.and_then(|text| text.get_str("div")) {
        narrative.push(&xhtml::plain(div));
    }
    let texts = Texts { narrative: narrative.0, content: content.0 };
    (!texts.content.is_empty()).then_some(texts)
}

fn walk(json: &Json, node: Node, words: &mut Words) {
    let members = json.as_object().into_iter().flat_map(|object| object.iter());
    for (name, value) in members {
        match node.child(name).map(|element| element.kind) {
            // The address of a reference is text by its type.
            Some(_) if node.is_reference() && name == "reference" => {}
            Some(kind) => value.items().iter().for_each(|item| visit(item, kind, words)),
            // What stands beside a primitive: its extensions.
            None if name.strip_prefix('_').is_some_and(|name| node.child(name).is_some()) => {
                value.items().iter().for_each(|item| walk(item, Node::element(), words));
            }
            None => {}
        }
    }
}

fn visit(json: &Json, kind: ElementKind, words: &mut Words) {
    match kind {
        ElementKind::Complex(node) => walk(json, node, words),
        ElementKind::Resource => {
            let resource_type = json.as_object().and_then(|object| object.get_str("resourceType"));
            if let Some(resource_type) = resource_type.and_then(ResourceType::parse) {
                walk(json, root(resource_type), words);
            }
        }
        ElementKind::Primitive(PrimitiveType::Xhtml) => {
            json.as_str().into_iter().for_each(|text| words.push(&xhtml::plain(text)));
        }
        ElementKind::Primitive(PrimitiveType::String | PrimitiveType::Markdown | PrimitiveType::Code) => {
            json.as_str().into_iter().for_each(|text| words.push(text));
        }
        ElementKind::Primitive(_) => {}
    }
}

/// Words with a space between them.
#[derive(Debug, Default)]
struct Words(String);

impl Words {
    fn push(&mut self, text: &str) {
        if self.0.len() >= TEXT_BYTES_MAX {
            return;
        }
        for word in words(&fold(text)) {
            if self.0.len() + word.len() >= TEXT_BYTES_MAX {
                return;
            }
            if !self.0.is_empty() {
                self.0.push(' ');
            }
            self.0.push_str(word);
        }
    }
}

/// The words of a folded text.
pub fn words(folded: &str) -> impl Iterator<Item = &str> {
    // Marks that folding leaves are parts of letters: the virama, the voiced sound of kana.
    let is_part = |c: char| c.is_alphanumeric() || is_combining_mark(c);
    folded.split(move |c| !is_part(c)).filter(|word| !word.is_empty()).map(cut)
}

fn cut(word: &str) -> &str {
    word.get(..word.floor_char_boundary(WORD_BYTES_MAX)).unwrap_or(word)
}

/// Whether a text of [`Texts`] meets one of the alternatives: what PostgreSQL must agree with.
pub fn matches(alternatives: &[Vec<TextTerm>], text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    let stands = |term: &TextTerm| words.windows(term.words.len().max(1)).any(|run| run == term.words.as_slice());
    alternatives.iter().any(|terms| terms.iter().all(|term| stands(term) != term.is_absent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::json::parse;

    fn read(text: &str) -> Option<Texts> {
        texts(&Resource::from_json(parse(text.as_bytes(), 20).unwrap()).unwrap())
    }

    #[test]
    fn content_is_what_people_read_and_narrative_is_its_part() {
        let text = r#"{"resourceType":"Observation","id":"abc","meta":{"profile":["http://a.org/profile"]},
            "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>P&eacute;rez</p></div>"},
            "contained":[{"resourceType":"Patient","id":"p","name":[{"family":"Núñez"}]}],
            "status":"final","_status":{"extension":[{"url":"http://x.org","valueString":"beside"}]},
            "code":{"coding":[{"system":"http://loinc.org","code":"1234-5","display":"X-ray"}]},
            "subject":{"reference":"Patient/secret","display":"Ana"},"effectiveDateTime":"2020-01-01",
            "valueQuantity":{"value":5,"unit":"mg"},"note":[{"text":"Straße *bold*"}],"foo":"unknown"}"#;
        let Texts { narrative, content } = read(text).unwrap();
        assert_eq!(narrative, "perez");
        let expected = "generated perez nunez final beside 1234 5 x ray ana mg strasse bold";
        assert_eq!(content, expected);
        assert_eq!(read(r#"{"resourceType":"Patient","id":"a","active":true}"#), None);
        let data = r#"{"resourceType":"Binary","contentType":"text/plain","data":"d29yZHM="}"#;
        assert_eq!(read(data).unwrap().content, "text plain");
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let note =
            |text: &str| format!(r#"{{"resourceType":"Observation","note":[{{"text":"{text}"}},{{"text":"z"}}]}}"#);
        let content = |text: &str| read(&note(text)).unwrap().content;
        assert_eq!(content(&"é".repeat(3_000)), format!("{} z", "e".repeat(WORD_BYTES_MAX)));
        // A letter of three bytes is not cut through.
        assert_eq!(content(&"字".repeat(3_000)), format!("{} z", "字".repeat(WORD_BYTES_MAX / 3)));
        let long = content(&"word ".repeat(200_000));
        assert!(long.len() <= TEXT_BYTES_MAX && long.len() > TEXT_BYTES_MAX - 10 && long.ends_with("word"));
    }
}
