//! From a resource to its entries: each branch of its type is evaluated once. <https://hl7.org/fhir/R4/search.html>

use super::entry::Entries;
use super::kind::{self, composite};
use super::registry::{ParameterKind, Registry, Source};
use crate::fhir::definitions::root;
use crate::fhir::json::Json;
use crate::fhir::resource::Resource;
use crate::fhirpath::value::{Kind, Value};

/// All that searches remember of a resource, each entry once. `base` is this server's own address: references that start
/// with it are local. Resources inside this one are not entered.
pub fn extract(registry: &Registry, resource: &Resource, base: Option<&str>) -> Entries {
    let json = Json::Object(resource.object().clone());
    let root = Value { json: &json, kind: Kind::Complex(root(resource.resource_type())) };
    let mut entries = Entries::default();
    for source in registry.sources(resource.resource_type()) {
        let Source { branch, parameter } = source;
        branch.expression.evaluate(root, root, &mut |value| match parameter.kind {
            ParameterKind::Composite => parts(source, value, root, base, &mut entries),
            kind => kind::extract(kind, branch, value, base, &mut entries),
        });
    }
    entries.dedup();
    entries
}

/// One element of a composite, unless one of its components has no value there.
fn parts(source: &Source, element: Value<'_>, root: Value<'_>, base: Option<&str>, entries: &mut Entries) {
    let components = &source.parameter.components;
    let mut values = Vec::with_capacity(components.len());
    for component in components {
        let mut found = Vec::new();
        component.expression.evaluate(element, root, &mut |value| found.push(value));
        if found.is_empty() {
            return;
        }
        values.push(found);
    }
    let kinds: Vec<ParameterKind> = components.iter().map(|component| component.kind).collect();
    composite::extract(&source.branch, &kinds, &values, base, entries);
}
