//! Full text: `_text` and `_content`. <https://hl7.org/fhir/R4/search.html#text>
//!
//! Words, "phrases", AND, OR, NOT and parentheses, as in the specification's example `(bone OR liver) and metastases`.
//! Words side by side must all be there; AND binds before OR.

use super::refused::Refused;
use crate::search::clause::{Clause, Predicate, TextTerm};
use crate::search::full_text::words;
use crate::search::kind::escape::unescape;
use crate::search::kind::string::fold;
use crate::search::registry::Registry;

/// At most this many alternatives may come out of a text whose parentheses are multiplied out (alternatives).
const ALTERNATIVES_MAX: usize = 100;

/// At most this many terms may stand in a text (terms).
const TERMS_MAX: usize = 100;

/// At most this many parentheses and NOTs may lie inside each other.
const DEPTH_MAX: usize = 20;

const FORM: &str = "Words, \"phrases\", AND, OR, NOT and parentheses that are closed were expected.";
const TOO_LONG: &str =
    "This text has too many words, or too many alternatives when its parentheses are multiplied out.";

pub(super) fn parse(registry: &Registry, code: &str, value: &str) -> Result<Clause, Refused> {
    if !registry.has_full_text() {
        let message = format!("'{code}' is not supported by this server: it was started with BRASA_FULL_TEXT=off.");
        return Err(Refused::not_supported(message));
    }
    let alternatives = read(&unescape(value)).map_err(|expected| Refused::value(code, value, expected))?;
    Ok(Clause::Match(Predicate::FullText { narrative_only: code == "_text", alternatives }))
}

/// Each alternative is of terms that all hold.
type Alternatives = Vec<Vec<TextTerm>>;

fn read(text: &str) -> Result<Alternatives, &'static str> {
    let mut reader = Reader { rest: text.trim_start(), terms: 0, depth: 0 };
    let alternatives = reader.any()?;
    if !reader.rest.is_empty() {
        return Err(FORM);
    }
    // What lacks a word cannot be looked up, and whatever has no text at all would be meant, too.
    let is_found = |terms: &Vec<TextTerm>| terms.iter().any(|term| !term.is_absent);
    match !alternatives.is_empty() && alternatives.iter().all(is_found) {
        true => Ok(alternatives),
        false => Err("A word to search for was expected, in each alternative of OR at least one without NOT."),
    }
}

struct Reader<'t> {
    /// Begins with no space.
    rest: &'t str,
    terms: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn any(&mut self) -> Result<Alternatives, &'static str> {
        let mut any = self.all()?;
        while self.takes_word("OR") {
            any.extend(self.all()?);
            bounded(any.len())?;
        }
        Ok(any)
    }

    fn all(&mut self) -> Result<Alternatives, &'static str> {
        let mut all = self.one()?;
        loop {
            let must_follow = self.takes_word("AND");
            if !must_follow && (self.rest.is_empty() || self.rest.starts_with(')') || is_word(self.rest, "OR")) {
                return Ok(all);
            }
            all = both(&all, &self.one()?)?;
        }
    }

    fn one(&mut self) -> Result<Alternatives, &'static str> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(TOO_LONG);
        }
        let one = if self.takes_word("NOT") || self.takes('-') {
            negated(&self.one()?)
        } else if self.takes('(') {
            let any = self.any()?;
            if self.takes(')') { Ok(any) } else { Err(FORM) }
        } else {
            self.term()
        };
        self.depth -= 1;
        one
    }

    fn term(&mut self) -> Result<Alternatives, &'static str> {
        let text = match self.rest.strip_prefix('"') {
            Some(phrase) => {
                let (phrase, behind) = phrase.split_once('"').ok_or(FORM)?;
                self.rest = behind.trim_start();
                phrase
            }
            None if is_word(self.rest, "AND") || is_word(self.rest, "OR") => return Err(FORM),
            None => match self.word() {
                "" => return Err(FORM),
                word => word,
            },
        };
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(TOO_LONG);
        }
        let words: Vec<String> = words(&fold(text)).map(str::to_owned).collect();
        // A sign alone asks for nothing.
        Ok(vec![if words.is_empty() { Vec::new() } else { vec![TextTerm { words, is_absent: false }] }])
    }

    fn word(&mut self) -> &'t str {
        let (word, behind) = split_word(self.rest);
        self.rest = behind.trim_start();
        word
    }

    fn takes(&mut self, expected: char) -> bool {
        let behind = self.rest.strip_prefix(expected);
        self.rest = behind.map_or(self.rest, str::trim_start);
        behind.is_some()
    }

    fn takes_word(&mut self, operator: &str) -> bool {
        let is_there = is_word(self.rest, operator);
        if is_there {
            self.word();
        }
        is_there
    }
}

/// Up to the next space, parenthesis or quote.
fn split_word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"')).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Operators are written large or small.
fn is_word(text: &str, operator: &str) -> bool {
    let (word, _) = split_word(text);
    word == operator || word == operator.to_ascii_lowercase()
}

fn both(left: &Alternatives, right: &Alternatives) -> Result<Alternatives, &'static str> {
    bounded(left.len() * right.len())?;
    let pairs = left.iter().flat_map(|left| right.iter().map(move |right| [left.as_slice(), right].concat()));
    Ok(pairs.collect())
}

/// None of the alternatives: of each, some term does not hold.
fn negated(any: &Alternatives) -> Result<Alternatives, &'static str> {
    let opposite = |term: &TextTerm| vec![TextTerm { words: term.words.clone(), is_absent: !term.is_absent }];
    any.iter().try_fold(vec![Vec::new()], |none, terms| both(&none, &terms.iter().map(opposite).collect()))
}

fn bounded(alternatives: usize) -> Result<(), &'static str> {
    if alternatives > ALTERNATIVES_MAX { Err(TOO_LONG) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{entries, find};
    use super::*;
    use crate::search::entry::{Entries, Texts};
    use proptest::prelude::*;

    /// As `bone liver -metastases | …`.
    fn shown(text: &str) -> String {
        let term = |term: &TextTerm| format!("{}{}", if term.is_absent { "-" } else { "" }, term.words.join("_"));
        let terms = |terms: &Vec<TextTerm>| terms.iter().map(term).collect::<Vec<_>>().join(" ");
        read(text).unwrap_or_else(|fault| panic!("{text}: {fault}")).iter().map(terms).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn texts_become_alternatives_of_terms() {
        for (text, expected) in [
            ("bone", "bone"),
            ("(bone OR liver) and metastases", "bone metastases | liver metastases"),
            ("bone AND liver", "bone liver"),
            ("bone or liver and NOT metastases", "bone | liver -metastases"),
            ("\"Bone marrow\" NOT \"and or\"", "bone_marrow -and_or"),
            ("Pérez-Straße", "perez_strasse"),
            ("x-ray -CT", "x_ray -ct"),
            ("a NOT (b or c)", "a -b -c"),
            ("a NOT (b c)", "a -b | a -c"),
            ("a NOT NOT b", "a b"),
            ("bone & liver", "bone liver"),
            ("ór andy", "or andy"),
            ("(a)(b)\"c\"d", "a b c d"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_asks_for_no_word_or_too_many_is_refused() {
        for text in [
            "",
            " ",
            "AND",
            "- -",
            "&",
            "\"\"",
            "NOT bone",
            "a or NOT b",
            "NOT &",
            "bone OR",
            "OR bone",
            "bone AND",
            "AND bone",
            "(bone",
            "bone)",
            "()",
            "\"bone",
            "a (",
            "a NOT",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&"(a or b) ".repeat(6)).is_ok());
        assert!(read(&"(a or b) ".repeat(7)).is_err());
        assert!(read(&"a ".repeat(100)).is_ok());
        assert!(read(&"a ".repeat(101)).is_err());
        assert!(read(&format!("{}a{}", "(".repeat(21), ")".repeat(21))).is_err());
    }

    #[test]
    fn texts_are_found_by_their_words() {
        let texts = |narrative: &str, content: &str| {
            let texts = Texts { narrative: narrative.to_owned(), content: content.to_owned() };
            Entries { texts: Some(texts), ..entries("Condition", Some(("code", "R51")), None) }
        };
        let world = [
            ("Condition/1", texts("bone metastases", "bone metastases final")),
            ("Condition/2", texts("liver", "liver x ray perez")),
            ("Condition/3", Entries::default()),
        ];
        for (text, expected) in [
            ("_text=(bone OR liver) and metastases", &["Condition/1"][..]),
            ("_text=bone,liver", &["Condition/1", "Condition/2"]),
            ("_text=final", &[]),
            ("_content=final", &["Condition/1"]),
            ("_content=X-Ray", &["Condition/2"]),
            ("_content=\"ray x\"", &[]),
            ("_content=ray x", &["Condition/2"]),
            ("_content=Pérez", &["Condition/2"]),
            ("_content=bon", &[]),
            ("_content=liver NOT ray", &[]),
            ("_filter=_text eq bone and code eq R51", &["Condition/1"]),
            ("_filter=_text ne bone", &["Condition/2", "Condition/3"]),
        ] {
            assert_eq!(find(&format!("Condition?{text}"), &world), expected, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_breaks_the_reading(text in "(and|or|not|-|\\(|\\)|\"|é|&|a|b| ){0,20}") {
            let alternatives = read(&text).unwrap_or_default();
            prop_assert!(alternatives.len() <= ALTERNATIVES_MAX);
            prop_assert!(alternatives.iter().flatten().all(|term| !term.words.is_empty()));
        }
    }
}
