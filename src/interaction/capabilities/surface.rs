//! What this server does with each type, as one list: the CapabilityStatement and OpenAPI are two ways to write it.

use super::super::Context;
use super::super::audit;
use super::super::operations::{At, Needs, OPERATIONS, Operation};
use crate::fhir::definitions::{ResourceType, in_compartment, search_description};
use crate::search::registry::{Parameter, ParameterKind, Registry};
use std::collections::{BTreeMap, BTreeSet};

const OF_TYPES: &[&str] =
    &["read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type"];
/// R4 defines no patch of a Binary.
const OF_BINARY: &[&str] =
    &["read", "vread", "update", "delete", "history-instance", "history-type", "create", "search-type"];
/// AuditEvents that the server makes of its records: nobody writes them, and they have one version.
const OF_RECORDS: &[&str] = &["read", "search-type"];
pub const OF_SYSTEM: &[&str] = &["transaction", "batch", "search-system", "history-system"];

/// All of it.
pub struct Surface {
    pub types: Vec<TypeSurface>,
    /// The operations of the system.
    pub operations: Vec<&'static Operation>,
    /// The types whose compartments can be searched.
    pub compartments: Vec<ResourceType>,
    /// Resources that one conditional delete may delete.
    pub conditional_deletes_max: usize,
}

/// What is done with one type.
pub struct TypeSurface {
    pub resource_type: ResourceType,
    /// In FHIR's words.
    pub interactions: &'static [&'static str],
    /// Whether somebody else than the server writes it: under conditions, under ids of the client, with a history.
    pub is_written: bool,
    pub parameters: Vec<SearchParameter>,
    /// Values of `_include`.
    pub includes: Vec<String>,
    /// Values of `_revinclude`.
    pub reverse_includes: Vec<String>,
    /// The operations of the type and of its resources.
    pub operations: Vec<&'static Operation>,
}

/// A search parameter that is answered now.
pub struct SearchParameter {
    pub code: String,
    /// Its definition.
    pub url: String,
    /// In FHIR's words.
    pub kind: &'static str,
    /// What HL7 says of it; empty of a parameter of one's own.
    pub description: &'static str,
}

impl Surface {
    /// As it is now: search parameters come and go.
    pub fn of(context: &Context) -> Surface {
        let registry = context.registry();
        let reverse = reverse_includes(&registry);
        let of_type = |resource_type| {
            let reverse = reverse.get(&resource_type).into_iter().flatten().cloned().collect();
            type_surface(context, &registry, resource_type, reverse)
        };
        Surface {
            types: ResourceType::all().map(of_type).collect(),
            operations: operations(context, &[At::System], None),
            compartments: ResourceType::all().filter(|of| in_compartment(*of, *of)).collect(),
            conditional_deletes_max: context.limits.conditional_deletes_max,
        }
    }
}

impl TypeSurface {
    pub fn has(&self, interaction: &str) -> bool {
        self.interactions.contains(&interaction)
    }
}

fn type_surface(
    context: &Context,
    registry: &Registry,
    resource_type: ResourceType,
    reverse_includes: Vec<String>,
) -> TypeSurface {
    let operations = operations(context, &[At::Type, At::Instance], Some(resource_type));
    if resource_type == ResourceType::AUDIT_EVENT && context.store.has_trail() {
        let is_answered = |parameter: &&Parameter| audit::SEARCHED.contains(&parameter.code.as_str());
        let parameters = answered(registry, resource_type).filter(is_answered).map(declared).collect();
        let (includes, reverse_includes) = (Vec::new(), Vec::new());
        // The operations of what is stored know nothing of records.
        let operations = Vec::new();
        let interactions = OF_RECORDS;
        return TypeSurface {
            resource_type,
            interactions,
            is_written: false,
            parameters,
            includes,
            reverse_includes,
            operations,
        };
    }
    TypeSurface {
        resource_type,
        interactions: if resource_type == ResourceType::BINARY { OF_BINARY } else { OF_TYPES },
        is_written: true,
        parameters: answered(registry, resource_type).map(declared).collect(),
        includes: includes(registry, resource_type).collect(),
        reverse_includes,
        operations,
    }
}

/// The operations that are asked at one of these levels.
fn operations(context: &Context, levels: &[At], resource_type: Option<ResourceType>) -> Vec<&'static Operation> {
    let is_asked_here = |operation: &&Operation| {
        operation.calls.iter().any(|call| levels.contains(&call.at))
            && resource_type.is_none_or(|of| operation.is_of(of))
            && is_there(context, operation)
    };
    OPERATIONS.iter().filter(is_asked_here).collect()
}

/// Whether an operation is switched on.
pub fn is_there(context: &Context, operation: &Operation) -> bool {
    match operation.needs {
        Needs::Nothing => true,
        Needs::Trail => context.store.has_trail(),
    }
}

/// The parameters of a type that searches can ask now.
fn answered(registry: &Registry, resource_type: ResourceType) -> impl Iterator<Item = &Parameter> {
    let is_answered = |parameter: &&Parameter| match parameter.code.as_str() {
        "_id" | "_lastUpdated" => true,
        "_text" | "_content" => registry.has_full_text(),
        _ => !parameter.branches.is_empty() && parameter.unfinished.is_none(),
    };
    registry.parameters(resource_type).map(AsRef::as_ref).filter(is_answered)
}

fn declared(parameter: &Parameter) -> SearchParameter {
    SearchParameter {
        code: parameter.code.to_string(),
        url: parameter.url.to_string(),
        kind: parameter.kind.as_str(),
        description: search_description(parameter.base, &parameter.code).unwrap_or_default(),
    }
}

fn references(registry: &Registry, resource_type: ResourceType) -> impl Iterator<Item = &Parameter> {
    answered(registry, resource_type).filter(|parameter| parameter.kind == ParameterKind::Reference)
}

fn includes(registry: &Registry, resource_type: ResourceType) -> impl Iterator<Item = String> {
    let of_type =
        references(registry, resource_type).map(move |parameter| format!("{resource_type}:{}", parameter.code));
    std::iter::once("*".to_owned()).chain(of_type)
}

/// By the type that is referred to. What may lead to any type is not written at each of them: `*` stands for it.
fn reverse_includes(registry: &Registry) -> BTreeMap<ResourceType, BTreeSet<String>> {
    let mut all: BTreeMap<ResourceType, BTreeSet<String>> =
        ResourceType::all().map(|target| (target, BTreeSet::from(["*".to_owned()]))).collect();
    for source in ResourceType::all() {
        for parameter in references(registry, source) {
            for target in &parameter.targets {
                all.entry(*target).or_default().insert(format!("{source}:{}", parameter.code));
            }
        }
    }
    all
}
