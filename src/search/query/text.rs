//! Full text: `_text` and `_content`. <https://hl7.org/fhir/R4/search.html#content>

use super::refused::Refused;
use crate::search::clause::{Clause, Predicate};
use crate::search::kind::escape::unescape;

pub(super) fn parse(code: &str, value: &str) -> Result<Clause, Refused> {
    let query = web_syntax(&unescape(value)).map_err(|expected| Refused::value(code, value, expected))?;
    Ok(Clause::Match(Predicate::FullText { narrative_only: code == "_text", query }))
}

/// AND, OR and NOT as PostgreSQL's web syntax has them: a space, `or`, a minus. It has no groups.
fn web_syntax(text: &str) -> Result<String, &'static str> {
    let mut query = String::with_capacity(text.len());
    let (mut has_word, mut negated) = (false, false);
    // What is in quotes stays as it is.
    for (place, part) in text.split('"').enumerate() {
        if place % 2 == 1 {
            query.push_str(if negated { " -\"" } else { " \"" });
            query.push_str(part);
            query.push('"');
            (has_word, negated) = (has_word || part.contains(char::is_alphanumeric), false);
            continue;
        }
        if part.contains(['(', ')']) {
            return Err("Words, \"phrases\", AND, OR and NOT are understood, parentheses are not.");
        }
        for word in part.split_whitespace() {
            match word {
                "AND" | "and" => continue,
                "NOT" | "not" => {
                    negated = true;
                    continue;
                }
                "OR" | "or" => query.push_str(" or"),
                word => {
                    query.push_str(if negated { " -" } else { " " });
                    query.push_str(word);
                    (has_word, negated) = (has_word || word.contains(char::is_alphanumeric), false);
                }
            }
        }
    }
    if has_word { Ok(query.trim_start().to_owned()) } else { Err("A word to search for was expected.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_become_those_of_the_web_syntax() {
        for (text, expected) in [
            ("bone", "bone"),
            ("bone AND liver", "bone liver"),
            ("bone or liver and NOT metastases", "bone or liver -metastases"),
            ("\"bone marrow\" NOT \"and or\"", "\"bone marrow\" -\"and or\""),
        ] {
            assert_eq!(web_syntax(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn groups_and_texts_without_a_word_are_refused() {
        for text in ["(bone OR liver) AND metastases", "", " ", "AND", "- -"] {
            assert!(web_syntax(text).is_err(), "{text}");
        }
        assert!(web_syntax("\"(bone)\"").is_ok());
    }
}
