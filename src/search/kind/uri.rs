//! Uris: equal letter by letter, or along the path. <https://hl7.org/fhir/R4/search.html#uri>

use super::super::clause::{Clause, Predicate, SystemMatch, TextMatch, Under};
use super::super::entry::{Entries, StringEntry, TokenEntry};
use super::super::hash::hash64;
use super::super::registry::Branch;
use super::Refusal;
use super::escape::unescape;
use super::string::exact;
use crate::fhirpath::value::Value;
use smol_str::SmolStr;

/// A canonical with a version is found by its address alone, too. Beside the token stands the text, for `:below`.
pub fn extract(branch: &Branch, value: Value<'_>, _base: Option<&str>, entries: &mut Entries) {
    let Some(text) = value.as_str() else { return };
    let whole = std::iter::once(text);
    let texts = whole.chain(unversioned(value));
    for text in texts {
        let token = branch.hash ^ value_hash(text);
        entries.tokens.push(TokenEntry { token, param: branch.param, system: None, code: Some(SmolStr::new(text)) });
    }
    let entry = StringEntry { param: below(branch), value: text.to_owned(), exact: exact(text), system: None };
    entries.strings.push(entry);
}

/// The address of a canonical that has a version.
pub(super) fn unversioned<'a>(value: Value<'a>) -> Option<&'a str> {
    let (address, _version) = value.as_str()?.split_once('|')?;
    (value.type_name() == "canonical").then_some(address)
}

/// What a uri, XOR the branch's hash, is found by.
pub fn value_hash(uri: &str) -> i64 {
    hash64(&["uri", uri])
}

/// Under which the texts themselves stand.
fn below(branch: &Branch) -> i64 {
    hash64(&["below", &branch.text])
}

pub fn parse(branch: &Branch, modifier: Option<&str>, text: &str) -> Result<Clause, Refusal> {
    let uri = unescape(text);
    if uri.is_empty() {
        return Err(Refusal::value("A uri was expected."));
    }
    let is = |uri: &str| {
        Clause::Match(Predicate::Token {
            token: branch.hash ^ value_hash(uri),
            system: SystemMatch::Any,
            only: branch.only,
            identifier: None,
        })
    };
    match modifier {
        None => Ok(is(&uri)),
        Some("below") => {
            let matching = TextMatch::Prefix(format!("{}/", uri.trim_end_matches('/')));
            let under = Under { param: below(branch), ..Under::of(branch) };
            let text = Predicate::Text { under, matching };
            Ok(Clause::any(vec![is(&uri), Clause::Match(text)]))
        }
        Some("above") => Ok(Clause::any(ancestors(&uri).map(is).collect())),
        Some(other) => Err(Refusal::UnknownModifier(other.to_owned())),
    }
}

/// The uri and what stands above it, with and without a slash at the end, down to the host. A urn has nothing above.
fn ancestors(uri: &str) -> impl Iterator<Item = &str> {
    let host_at = uri.find("://").map_or(uri.len(), |at| at + 3);
    let slashes = uri.char_indices().filter(move |(at, c)| *c == '/' && *at > host_at);
    let cuts = slashes.flat_map(|(at, _)| [at, at + 1]).filter(|at| *at < uri.len());
    cuts.filter_map(|at| uri.get(..at)).chain(std::iter::once(uri))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{ask, branch, found, refuse, value};
    use super::*;
    use crate::search::registry::ParameterKind::Uri as Kind;

    fn entries(type_name: &str, uri: &str) -> Entries {
        let mut entries = Entries::default();
        extract(&branch(Kind, "ValueSet.url"), value(type_name, &format!("\"{uri}\"")), None, &mut entries);
        entries
    }

    fn of(modifier: Option<&str>, asked: &str, uri: &str) -> bool {
        found(&ask(Kind, "ValueSet.url", modifier, asked), &entries("uri", uri))
    }

    #[test]
    fn a_uri_matches_letter_by_letter() {
        assert!(of(None, "http://acme.org/fhir/ValueSet/123", "http://acme.org/fhir/ValueSet/123"));
        assert!(!of(None, "http://acme.org/fhir/valueset/123", "http://acme.org/fhir/ValueSet/123"));
        assert!(!of(None, "http://acme.org/fhir", "http://acme.org/fhir/ValueSet/123"));
        assert!(of(None, "urn:oid:1.2.3.4.5", "urn:oid:1.2.3.4.5"));
    }

    #[test]
    fn below_goes_down_the_path_and_not_into_the_middle_of_a_name() {
        let of = |asked, uri| of(Some("below"), asked, uri);
        assert!(of("http://acme.org/fhir/", "http://acme.org/fhir/ValueSet/123"));
        assert!(of("http://acme.org/fhir", "http://acme.org/fhir/ValueSet/123"));
        assert!(of("http://acme.org/fhir", "http://acme.org/fhir"));
        assert!(!of("http://acme.org/fhir", "http://acme.org/fhirs"));
    }

    #[test]
    fn above_goes_up_the_path_to_the_host() {
        let of = |asked, uri| of(Some("above"), asked, uri);
        let asked = "http://acme.org/fhir/ValueSet/123/_history/5";
        for uri in ["http://acme.org/fhir/ValueSet/123", "http://acme.org/fhir/", "http://acme.org", asked] {
            assert!(of(asked, uri), "{uri}");
        }
        assert!(!of(asked, "http://acme.org/fhir/ValueSet/12"));
        assert!(!of(asked, "http://acme.org/fhir/ValueSet/123/_history/5/6"));
        assert!(of("urn:oid:1.2.3", "urn:oid:1.2.3"));
        assert!(!of("urn:oid:1.2.3", "urn:oid:1.2"));
    }

    #[test]
    fn a_canonical_is_found_with_and_without_its_version() {
        let entries = entries("canonical", "http://acme.org/p|2.0");
        for (asked, expected) in
            [(r"http://acme.org/p\|2.0", true), ("http://acme.org/p", true), (r"http://acme.org/p\|1.0", false)]
        {
            assert_eq!(found(&ask(Kind, "ValueSet.url", None, asked), &entries), expected, "{asked}");
        }
    }

    #[test]
    fn another_modifier_is_unknown() {
        assert_eq!(refuse(Kind, "ValueSet.url", Some("in"), "a"), Refusal::UnknownModifier("in".to_owned()));
    }
}
