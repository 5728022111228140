//! References to resources here and elsewhere, by address, version or identifier. <https://hl7.org/fhir/R4/search.html#reference>

use super::super::clause::{Clause, Predicate, SystemMatch};
use super::super::entry::{Entries, TokenEntry};
use super::super::hash::{hash64, self_hash};
use super::super::registry::{Branch, Parameter};
use super::escape::unescape;
use super::token::{self, Query, present, system_hash};
use super::{Asked, Refusal, uri};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::reference::Target;
use crate::fhirpath::value::Value;

/// A reference to a version is found by the resource alone, too; one into the resource itself by nothing but `:missing`.
pub fn extract(branch: &Branch, value: Value<'_>, base: Option<&str>, entries: &mut Entries) {
    let found = hashes(value, base).into_iter().map(|hash| branch.hash ^ hash);
    let tokens = found.map(|token| TokenEntry { token, param: branch.param, system: None, code: None });
    let before = entries.tokens.len();
    entries.tokens.extend(tokens);
    entries.tokens.extend(value.children("identifier").flat_map(|one| identifier(branch, one)));
    if entries.tokens.len() == before {
        entries.tokens.push(present(branch, None));
    }
}

/// What a reference, XOR the branch's hash, is found by.
pub(super) fn hashes(value: Value<'_>, base: Option<&str>) -> Vec<i64> {
    if let Some(text) = value.as_str() {
        let mut hashes = of_text(text, base);
        hashes.extend(uri::unversioned(value).into_iter().flat_map(|address| of_text(address, base)));
        return hashes;
    }
    if let Some(text) = value.child_str("reference") {
        return of_text(text, base);
    }
    // A resource inside a Bundle stands for itself: `Bundle.entry[0].resource`.
    let itself = value.child_str("resourceType").zip(value.child_str("id"));
    itself.map(|(resource_type, id)| self_hash(resource_type, id)).into_iter().collect()
}

fn of_text(text: &str, base: Option<&str>) -> Vec<i64> {
    match Target::parse(text, base) {
        Target::Local { resource_type, id, version } => {
            let one = version.map(|version| version_hash(resource_type, &id, version));
            std::iter::once(self_hash(resource_type.as_str(), id.as_str())).chain(one).collect()
        }
        Target::Urn(address) => vec![uri::value_hash(address)],
        Target::Elsewhere(address) => {
            let unversioned = address.split_once("/_history/").map(|(resource, _)| uri::value_hash(resource));
            std::iter::once(uri::value_hash(address)).chain(unversioned).collect()
        }
        Target::Contained(_) | Target::Conditional { .. } => Vec::new(),
    }
}

fn version_hash(resource_type: ResourceType, id: &Id, version: &str) -> i64 {
    hash64(&["version", resource_type.as_str(), id.as_str(), version])
}

/// `Reference.identifier`, under a hash of its own: an identifier must not be mistaken for an address.
fn identifier(branch: &Branch, value: Value<'_>) -> Vec<TokenEntry> {
    let entry = |coded: token::Coded<'_>| {
        let system = coded.system.map(system_hash);
        let Some(code) = coded.code else { return present(branch, system) };
        let token = identifier_hash(branch) ^ token::value_hash(code, true);
        TokenEntry { token, param: branch.param, system, code: None }
    };
    token::codings(value).map(entry).collect()
}

fn identifier_hash(branch: &Branch) -> i64 {
    hash64(&["identifier", &branch.text])
}

pub fn parse(
    parameter: &Parameter,
    branch: &Branch,
    modifier: Option<&str>,
    text: &str,
    asked: &Asked<'_>,
) -> Result<Clause, Refusal> {
    if modifier == Some("identifier") {
        return Ok(Query::parse(text)?.clause(branch, identifier_hash(branch), true));
    }
    let resource_type = match modifier {
        None => None,
        Some(name) => Some(ResourceType::parse(name).ok_or_else(|| Refusal::UnknownModifier(name.to_owned()))?),
    };
    let text = unescape(text);
    let targets = resource_type.as_ref().map_or(parameter.targets.as_slice(), std::slice::from_ref);
    let sought = sought(&text, targets, asked)?;
    // Of an address elsewhere the type may be unknown.
    let is_other = |one: &Sought| resource_type.zip(one.resource_type).is_some_and(|(wanted, found)| wanted != found);
    if sought.iter().any(is_other) {
        return Err(Refusal::value("The reference leads to another type than the modifier names."));
    }
    // What puts a resource into a patient's compartment is in that patient's record, or a member of it.
    let home = parameter.branches.iter().all(|branch| branch.in_patient_compartment);
    Ok(Clause::any(sought.into_iter().map(|one| one.clause(branch, home)).collect()))
}

/// What a reference's value asks for, before it is bound to a branch.
pub(super) struct Sought {
    pub hash: i64,
    resource_type: Option<ResourceType>,
    /// `None` for a version and for what is elsewhere.
    resource: Option<(ResourceType, Id)>,
}

impl Sought {
    fn resource(resource_type: ResourceType, id: Id) -> Sought {
        let hash = self_hash(resource_type.as_str(), id.as_str());
        Sought { hash, resource_type: Some(resource_type), resource: Some((resource_type, id)) }
    }

    fn clause(self, branch: &Branch, home: bool) -> Clause {
        let (token, only) = (branch.hash ^ self.hash, branch.only);
        Clause::Match(match self.resource {
            Some(target) => {
                let home = home && target.0 == ResourceType::PATIENT;
                Predicate::Reference { token, target, home, only }
            }
            None => Predicate::Token { token, system: SystemMatch::Any, only, identifier: None },
        })
    }
}

/// An id alone may be of any of the types; of none: of every type.
pub(super) fn sought(text: &str, targets: &[ResourceType], asked: &Asked<'_>) -> Result<Vec<Sought>, Refusal> {
    if let Ok(id) = Id::parse(text) {
        let of = |target| Sought::resource(target, id.clone());
        return Ok(match targets {
            [] => ResourceType::all().map(of).collect(),
            targets => targets.iter().copied().map(of).collect(),
        });
    }
    let elsewhere = |address: &str| Sought {
        hash: uri::value_hash(address),
        resource_type: elsewhere_type(address),
        resource: None,
    };
    let target = Target::parse(text, asked.base);
    let is_guess = asked.base_is_guessed && text.contains(':') && matches!(target, Target::Local { .. });
    let one = match target {
        Target::Local { resource_type, id, version: None } => Sought::resource(resource_type, id),
        Target::Local { resource_type, id, version: Some(version) } => {
            let hash = version_hash(resource_type, &id, version);
            Sought { hash, resource_type: Some(resource_type), resource: None }
        }
        Target::Urn(address) | Target::Elsewhere(address) if address.contains(':') => elsewhere(address),
        _ => return Err(Refusal::value("A reference was expected: id, Type/id or an absolute address.")),
    };
    Ok(std::iter::once(one).chain(is_guess.then(|| elsewhere(text))).collect())
}

/// The type in an address of FHIR's form on another server: `http://example.org/fhir/Patient/1`.
fn elsewhere_type(address: &str) -> Option<ResourceType> {
    let resource = address.split_once("/_history/").map_or(address, |(resource, _)| resource);
    resource.rsplit('/').nth(1).and_then(ResourceType::parse)
}
#[cfg(test)]
mod tests {
    use super::super::fixture::{ASKED, BASE, branch, found, parameter, value};
    use super::super::parse_all;
    use super::*;
    use crate::search::registry::ParameterKind;
    use crate::search::registry::ParameterKind::Reference as Kind;

    fn entries(type_name: &str, text: &str) -> Entries {
        let mut entries = Entries::default();
        extract(&branch(Kind, "Observation.subject"), value(type_name, text), Some(BASE), &mut entries);
        entries
    }

    fn to(reference: &str) -> Entries {
        entries("Reference", &format!(r#"{{"reference":"{reference}"}}"#))
    }

    fn ask(modifier: Option<&str>, text: &str) -> Result<Clause, Refusal> {
        let mut parameter = parameter(Kind, vec![branch(Kind, "Observation.subject")]);
        parameter.targets = vec![ResourceType::GROUP, ResourceType::PATIENT];
        parse_all(&parameter, modifier, &[text], &ASKED)
    }

    fn of(modifier: Option<&str>, text: &str, entries: &Entries) -> bool {
        found(&ask(modifier, text).unwrap(), entries)
    }

    #[test]
    fn a_local_reference_is_found_by_id_type_and_id_or_address() {
        for reference in ["Patient/23", "http://localhost:8000/fhir/Patient/23", "Patient/23/_history/2"] {
            let entries = to(reference);
            for text in ["23", "Patient/23", "http://localhost:8000/fhir/Patient/23"] {
                assert!(of(None, text, &entries), "{reference} by {text}");
            }
            assert!(of(Some("Patient"), "23", &entries));
            assert!(of(Some("Patient"), "Patient/23", &entries));
            assert!(!of(Some("Group"), "23", &entries));
            assert!(!of(None, "24", &entries));
            assert!(!of(None, "http://example.org/fhir/Patient/23", &entries));
        }
        assert!(!of(None, "23", &to("Practitioner/23")));
    }

    #[test]
    fn a_version_finds_only_references_to_that_version() {
        assert!(of(None, "Patient/23/_history/2", &to("Patient/23/_history/2")));
        assert!(!of(None, "Patient/23/_history/2", &to("Patient/23/_history/1")));
        assert!(!of(None, "Patient/23/_history/2", &to("Patient/23")));
    }

    #[test]
    fn a_reference_elsewhere_is_found_by_its_address() {
        let elsewhere = to("http://example.org/fhir/Patient/23/_history/2");
        assert!(of(None, "http://example.org/fhir/Patient/23", &elsewhere));
        assert!(of(Some("Patient"), "http://example.org/fhir/Patient/23", &elsewhere));
        assert!(!of(None, "23", &elsewhere));
        assert!(of(None, "urn:uuid:1-2", &to("urn:uuid:1-2")));
    }

    #[test]
    fn a_canonical_is_found_with_and_without_its_version() {
        let canonical = entries("canonical", "\"http://example.org/q|1.0\"");
        assert!(of(None, "http://example.org/q", &canonical));
        assert!(of(None, r"http://example.org/q\|1.0", &canonical));
        assert!(of(None, "http://example.org/q|1.0", &canonical));
        assert!(!of(None, "http://example.org/q|2.0", &canonical));
        assert!(of(None, "Patient/1", &entries("canonical", "\"http://localhost:8000/fhir/Patient/1|3\"")));
    }

    #[test]
    fn an_identifier_is_found_by_its_modifier_only() {
        let entries = entries("Reference", r#"{"identifier":{"system":"http://acme.org/mrn","value":"X1"}}"#);
        for (text, expected) in [
            ("http://acme.org/mrn|X1", true),
            ("X1", true),
            ("|X1", false),
            ("http://acme.org/mrn|", true),
            ("x1", false),
        ] {
            assert_eq!(of(Some("identifier"), text, &entries), expected, "{text}");
        }
        assert!(!of(None, "X1", &entries));
        assert!(of(Some("missing"), "false", &entries));
    }

    #[test]
    fn a_contained_resource_or_a_display_alone_is_not_missing_but_found_by_nothing() {
        for entries in [to("#p"), entries("Reference", r#"{"display":"Peter"}"#)] {
            assert!(of(Some("missing"), "false", &entries));
            assert!(!of(None, "p", &entries));
        }
    }

    #[test]
    fn only_a_patient_by_parameters_of_the_compartment_decides_the_home() {
        let in_compartment = || Branch { in_patient_compartment: true, ..branch(Kind, "Observation.subject") };
        let home = |branches, text| match parse_all(&parameter(Kind, branches), None, &[text], &ASKED).unwrap() {
            Clause::Match(Predicate::Reference { home, .. }) => home,
            other => panic!("{other:?}"),
        };
        assert!(home(vec![in_compartment()], "Patient/1"));
        assert!(!home(vec![in_compartment()], "Group/1"));
        assert!(!home(vec![branch(Kind, "Observation.focus")], "Patient/1"));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in ["", "#p", "Foo/1", "Patient/a b", "Patient?name=x", "Patient/1/2"] {
            assert!(matches!(ask(None, text), Err(Refusal::Value(_))), "{text}");
        }
        assert!(matches!(ask(Some("Patient"), "Group/1"), Err(Refusal::Value(_))));
        assert_eq!(ask(Some("below"), "1"), Err(Refusal::UnknownModifier("below".to_owned())));
    }

    #[test]
    fn a_resource_in_a_bundle_stands_for_itself() {
        let mut entries = Entries::default();
        let patient = value("Patient", r#"{"resourceType":"Patient","id":"23"}"#);
        extract(&branch(ParameterKind::Reference, "Observation.subject"), patient, None, &mut entries);
        assert!(of(None, "Patient/23", &entries));
    }
}
