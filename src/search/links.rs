//! The references that `_include` and `_revinclude` follow. <https://hl7.org/fhir/R4/search.html#revinclude>

use super::hash::self_hash;
use super::query::Include;
use super::registry::{Parameter, ParameterKind, Registry};
use crate::fhir::definitions::{ResourceType, root};
use crate::fhir::id::Id;
use crate::fhir::reference::Target;
use crate::fhir::resource::Resource;
use crate::fhirpath::Steps;
use crate::fhirpath::value::{Kind, Value};
use std::sync::Arc;

/// What a resource refers to by the parameters of an `_include`, as far as it is on this server.
pub fn targets(
    registry: &Registry,
    resource: &Resource,
    include: &Include,
    base: Option<&str>,
) -> Vec<(ResourceType, Id)> {
    let resource_type = resource.resource_type();
    let root = Value { json: resource.json(), kind: Kind::Complex(root(resource_type)) };
    let mut found = Vec::new();
    for parameter in parameters(registry, resource_type, include) {
        let leads = |to: ResourceType| leads_to(parameter, to) && include.target.is_none_or(|target| target == to);
        for branch in &parameter.branches {
            branch.expression.evaluate(root, root, &Steps::default(), &mut |value| {
                let text = value.child_str("reference").unwrap_or_default();
                if let Target::Local { resource_type, id, .. } = Target::parse(text, base)
                    && leads(resource_type)
                    && !found.contains(&(resource_type, id.clone()))
                {
                    found.push((resource_type, id));
                }
            });
        }
    }
    found
}

/// What a `_revinclude` looks for in the index: the entries of references to a resource. The second: each of them puts
/// the resource that refers into the record of the patient who is referred to, or makes it a member of that record.
pub fn referring(registry: &Registry, to: ResourceType, id: &Id, include: &Include) -> Vec<(i64, bool)> {
    if include.target.is_some_and(|target| target != to) {
        return Vec::new();
    }
    let own = self_hash(to.as_str(), id.as_str());
    let mut tokens: Vec<(i64, bool)> = Vec::new();
    let sources = include.source.map_or_else(|| ResourceType::all().collect(), |source| vec![source]);
    for source in sources {
        for parameter in parameters(registry, source, include).filter(|parameter| leads_to(parameter, to)) {
            let branches = parameter.branches.iter();
            tokens.extend(branches.map(|branch| (branch.hash ^ own, branch.in_patient_compartment)));
        }
    }
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}

fn parameters<'r>(
    registry: &'r Registry,
    source: ResourceType,
    include: &'r Include,
) -> impl Iterator<Item = &'r Arc<Parameter>> {
    let is_source = include.source.is_none_or(|wanted| wanted == source);
    let of_source = is_source.then(|| registry.parameters(source)).into_iter().flatten();
    of_source.filter(|parameter| {
        // `*` stands for those that can be answered.
        parameter.kind == ParameterKind::Reference
            && parameter.unfinished.is_none()
            && include.parameter.as_ref().is_none_or(|code| *code == parameter.code)
    })
}

fn leads_to(parameter: &Parameter, target: ResourceType) -> bool {
    parameter.targets.is_empty() || parameter.targets.contains(&target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::query::tests::ask;

    const ENCOUNTER: &str = r#"{"resourceType":"Encounter","subject":{"reference":"Patient/p"},
        "participant":[{"individual":{"reference":"Practitioner/d"}},{"individual":{"reference":"http://a/PractitionerRole/r"}}],
        "serviceProvider":{"reference":"http://here/Organization/o/_history/3"},"partOf":{"reference":"urn:uuid:1"}}"#;

    fn found(include: &str) -> Vec<String> {
        let resource = Resource::read(ENCOUNTER.as_bytes(), 0..ENCOUNTER.len(), 64).unwrap();
        let query = ask(&format!("Encounter?_include={include}"));
        let found = targets(&Registry::standard(), &resource, &query.includes[0], Some("http://here"));
        let mut found: Vec<_> = found.iter().map(|(resource_type, id)| format!("{resource_type}/{id}")).collect();
        found.sort();
        found
    }

    #[test]
    fn an_include_finds_what_is_on_this_server_and_of_the_type_asked_for() {
        assert_eq!(found("Encounter:subject"), ["Patient/p"]);
        assert_eq!(found("Encounter:participant"), ["Practitioner/d"]);
        assert_eq!(found("Encounter:*"), ["Organization/o", "Patient/p", "Practitioner/d"]);
        assert_eq!(found("Encounter:*:Patient"), ["Patient/p"]);
        assert_eq!(found("*"), ["Organization/o", "Patient/p", "Practitioner/d"]);
        assert_eq!(found("Encounter:part-of"), [""; 0]);
    }

    #[test]
    fn a_revinclude_looks_for_each_branch_that_can_lead_to_the_resource() {
        let registry = Registry::standard();
        let id = Id::parse("p").unwrap();
        let tokens = |include: &str, to| {
            let query = ask(&format!("{to}?_revinclude={include}"));
            referring(&registry, to, &id, &query.revincludes[0])
        };
        assert_eq!(tokens("Observation:patient", ResourceType::PATIENT).len(), 1);
        assert!(tokens("Observation:patient", ResourceType::PATIENT)[0].1);
        assert!(tokens("*", ResourceType::PATIENT).len() > 100);
        assert_eq!(
            tokens("Observation:subject", ResourceType::PATIENT),
            tokens("Observation:patient", ResourceType::PATIENT)
        );
    }
}
