//! The search parameters of every type: R4's own and those that were added at run time.

mod build;
mod leading_date;

use super::clause::{self, Link};
use super::hash::hash64;
use crate::fhir::definitions::{ResourceType, search_parameters};
use crate::fhir::invalid::{Invalid, Result};
use crate::fhir::json::Object;
use crate::fhirpath::{TypeName, Walk};
use build::Definition;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

static STANDARD: LazyLock<(Arc<Registry>, Vec<Invalid>)> = LazyLock::new(|| {
    let (registry, faults) = Registry::read();
    (Arc::new(registry), faults)
});

/// All parameters of all types.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    types: HashMap<ResourceType, TypeParameters>,
    /// What the components of composites name.
    kinds: HashMap<SmolStr, (ParameterKind, SmolStr)>,
    has_full_text: bool,
}

#[derive(Debug, Clone, Default)]
struct TypeParameters {
    by_code: BTreeMap<SmolStr, Arc<Parameter>>,
    sources: Vec<Source>,
    /// The same by the JSON name that a resource must have for them to find anything.
    by_element: HashMap<&'static str, Vec<Source>>,
    /// Those that find something in any resource: truths, and composites of the resource itself.
    in_any: Vec<Source>,
}

/// What is evaluated on a resource: one branch, whatever the number of parameters that have it.
#[derive(Debug, Clone)]
pub struct Source {
    pub branch: Arc<Branch>,
    /// One of the parameters that have the branch; all of them have its kind and, of composites, its components.
    pub parameter: Arc<Parameter>,
}

/// A SearchParameter resource that is not one of R4's own.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomDefinition {
    pub url: SmolStr,
    pub code: SmolStr,
    /// See [`bases`].
    pub bases: Vec<ResourceType>,
    pub kind: ParameterKind,
    pub expression: String,
    /// The types that a reference may lead to; empty: any.
    pub targets: Vec<ResourceType>,
    /// Of a composite: the address of the parameter that says the kind, and the expression from the element.
    pub components: Vec<(SmolStr, String)>,
    /// See [`Parameter::unfinished`].
    pub unfinished: Option<u8>,
}

/// The resource types that a base stands for: one, or all of `Resource` and `DomainResource`. Empty for any other name.
pub fn bases(name: &str) -> Vec<ResourceType> {
    let base = TypeName::parse(name).filter(|base| base.is_resource());
    let covers = |resource_type: &ResourceType| base.is_some_and(|base| base.covers(resource_type.as_str()));
    ResourceType::all().filter(covers).collect()
}

impl Registry {
    /// R4's own parameters. <https://hl7.org/fhir/R4/searchparameter-registry.html>
    pub fn standard() -> Arc<Registry> {
        Arc::clone(&STANDARD.0)
    }

    /// The same with `_text` and `_content`, whose words are then entered, too.
    #[must_use]
    pub fn with_full_text(self) -> Registry {
        Registry { has_full_text: true, ..self }
    }

    pub fn has_full_text(&self) -> bool {
        self.has_full_text
    }

    /// The parameter of a type, those of all types included. `_id` and `_lastUpdated` have no branches: they are in the
    /// resource's own row.
    pub fn parameter(&self, resource_type: ResourceType, code: &str) -> Option<&Arc<Parameter>> {
        self.types.get(&resource_type)?.by_code.get(code)
    }

    /// Every parameter of a type, in the order of their codes.
    pub fn parameters(&self, resource_type: ResourceType) -> impl Iterator<Item = &Arc<Parameter>> {
        self.types.get(&resource_type).into_iter().flat_map(|of_type| of_type.by_code.values())
    }

    /// Every branch of a type, once.
    pub fn sources(&self, resource_type: ResourceType) -> &[Source] {
        self.types.get(&resource_type).map_or(&[], |of_type| &of_type.sources)
    }

    /// The branches that can find something in a resource with these members. One that starts at several of them comes as
    /// often.
    pub fn sources_in<'a>(
        &'a self,
        resource_type: ResourceType,
        members: &'a Object,
    ) -> impl Iterator<Item = &'a Source> {
        let of_type = self.types.get(&resource_type).into_iter();
        of_type.flat_map(|of_type| {
            let present = members.iter().filter_map(|(name, _)| of_type.by_element.get(name));
            of_type.in_any.iter().chain(present.flatten())
        })
    }

    /// The parameter whose values are the leading date of the type, kept in the resource's own row.
    pub fn leading_date(&self, resource_type: ResourceType) -> Option<&Arc<Parameter>> {
        self.parameters(resource_type).find(|one| one.branches.iter().any(|branch| branch.is_leading_date))
    }

    /// A registry with those of these parameters that can be added, and what is wrong with the others, by their position:
    /// an expression that cannot be compiled or reaches nothing, a code that a base has already, an unknown component.
    /// Components may name parameters of this registry and each other.
    pub fn with_custom(&self, custom: &[CustomDefinition]) -> (Registry, Vec<(usize, Invalid)>) {
        let mut registry = self.clone();
        for one in custom {
            registry.kinds.entry(one.url.clone()).or_insert((one.kind, one.code.clone()));
        }
        let mut faults = Vec::new();
        for (position, one) in custom.iter().enumerate() {
            match registry.built(one) {
                Ok(parameters) => {
                    for parameter in parameters {
                        registry.types.entry(parameter.base).or_default().add(parameter);
                    }
                }
                Err(fault) => faults.push((position, fault)),
            }
        }
        (registry, faults)
    }

    /// A custom parameter for each of its bases.
    fn built(&self, custom: &CustomDefinition) -> Result<Vec<Parameter>> {
        if custom.bases.is_empty() {
            return Err(Invalid::structure("base", format!("The search parameter '{}' has no base.", custom.code)));
        }
        let of_base = |base: &ResourceType| {
            self.refuse_conflict(*base, custom)?;
            build::parameter(&Definition::custom(custom, *base), &self.kinds)
        };
        custom.bases.iter().map(of_base).collect()
    }

    fn refuse_conflict(&self, base: ResourceType, custom: &CustomDefinition) -> Result<()> {
        let Some(present) = self.parameter(base, &custom.code) else { return Ok(()) };
        Err(Invalid::structure(
            "code",
            format!("{base} has a search parameter '{}' already: {}.", custom.code, present.url),
        ))
    }

    /// Whether a search parameter of this address is one of this registry's.
    pub fn has_url(&self, url: &str) -> bool {
        self.kinds.contains_key(url)
    }

    /// Stands for all that the index holds of a parameter: while it stays the same, so do the entries.
    pub fn index_hash(&self, custom: &CustomDefinition) -> i64 {
        let of_base = |base: &ResourceType| self.parameter(*base, &custom.code);
        let mut branches: Vec<String> = Vec::new();
        for parameter in custom.bases.iter().filter_map(of_base) {
            let named = |branch: &Arc<Branch>| format!("{} {:x}", parameter.base, branch.hash);
            branches.extend(parameter.branches.iter().map(named));
        }
        branches.sort_unstable();
        let parts: Vec<&str> = branches.iter().map(String::as_str).collect();
        hash64(&parts)
    }

    /// The standard registry, and what of the table could not be understood: nothing, the tests prove.
    fn read() -> (Registry, Vec<Invalid>) {
        let mut registry = Registry::default();
        let mut faults = Vec::new();
        let rows: Vec<_> = search_parameters().flatten().collect();
        for row in &rows {
            match ParameterKind::parse(row.kind) {
                Some(kind) => drop(registry.kinds.insert(row.url.into(), (kind, row.code.into()))),
                None => faults.push(Invalid::structure(row.url, "This is no kind of search parameter.")),
            }
        }
        let mut by_type: HashMap<ResourceType, Vec<Parameter>> = HashMap::new();
        for row in &rows {
            for base in bases(row.base) {
                let parameter = Definition::standard(row, base, &registry.kinds)
                    .and_then(|definition| build::parameter(&definition, &registry.kinds));
                match parameter {
                    Ok(parameter) => by_type.entry(base).or_default().push(parameter),
                    Err(fault) => faults.push(fault),
                }
            }
        }
        for (resource_type, mut parameters) in by_type {
            // The leading one comes first, so that others with its branch share it.
            leading_date::mark(&mut parameters);
            let of_type = registry.types.entry(resource_type).or_default();
            parameters.into_iter().for_each(|parameter| of_type.add(parameter));
        }
        (registry, faults)
    }
}

impl TypeParameters {
    fn add(&mut self, mut parameter: Parameter) {
        for branch in &mut parameter.branches {
            let known = self.sources.iter().find(|source| source.branch.hash == branch.hash);
            *branch = known.map_or_else(|| Arc::clone(branch), |source| Arc::clone(&source.branch));
        }
        let parameter = Arc::new(parameter);
        for branch in &parameter.branches {
            if !self.sources.iter().any(|source| Arc::ptr_eq(&source.branch, branch)) {
                self.add_source(Source { branch: Arc::clone(branch), parameter: Arc::clone(&parameter) });
            }
        }
        self.by_code.insert(parameter.code.clone(), parameter);
    }

    fn add_source(&mut self, source: Source) {
        let places = source.branch.expression.places(source.parameter.base).unwrap_or_default();
        let names: Option<BTreeSet<_>> = places.iter().map(|place| place.names.first().copied()).collect();
        match names {
            Some(names) => {
                names.into_iter().for_each(|name| self.by_element.entry(name).or_default().push(source.clone()))
            }
            None => self.in_any.push(source.clone()),
        }
        self.sources.push(source);
    }
}

/// The kinds of search parameters. <https://hl7.org/fhir/R4/search.html#ptypes>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParameterKind {
    String,
    Token,
    Reference,
    Date,
    Number,
    Quantity,
    Uri,
    Composite,
    Special,
}

impl ParameterKind {
    const ALL: [ParameterKind; 9] = [
        ParameterKind::String,
        ParameterKind::Token,
        ParameterKind::Reference,
        ParameterKind::Date,
        ParameterKind::Number,
        ParameterKind::Quantity,
        ParameterKind::Uri,
        ParameterKind::Composite,
        ParameterKind::Special,
    ];

    /// The code of `SearchParameter.type`.
    pub fn parse(code: &str) -> Option<ParameterKind> {
        ParameterKind::ALL.into_iter().find(|kind| kind.as_str() == code)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            ParameterKind::String => "string",
            ParameterKind::Token => "token",
            ParameterKind::Reference => "reference",
            ParameterKind::Date => "date",
            ParameterKind::Number => "number",
            ParameterKind::Quantity => "quantity",
            ParameterKind::Uri => "uri",
            ParameterKind::Composite => "composite",
            ParameterKind::Special => "special",
        }
    }

    /// Stands for the kind in hashes, which are stored.
    fn letter(self) -> &'static str {
        match self {
            ParameterKind::String => "s",
            ParameterKind::Token => "t",
            ParameterKind::Reference => "r",
            ParameterKind::Date => "d",
            ParameterKind::Number => "n",
            ParameterKind::Quantity => "q",
            ParameterKind::Uri => "u",
            ParameterKind::Composite => "c",
            ParameterKind::Special => "p",
        }
    }
}

/// A search parameter as it applies to one resource type.
#[derive(Debug)]
pub struct Parameter {
    pub code: SmolStr,
    pub url: SmolStr,
    pub kind: ParameterKind,
    /// The type that it is asked of.
    pub base: ResourceType,
    /// The parts of its expression that apply to this type. What is indexed is the branch, so that `code` and
    /// `combo-code` share `Observation.code`. Empty for a parameter that has no expression.
    pub branches: Vec<Arc<Branch>>,
    /// The types that a reference may lead to; empty: any.
    pub targets: Vec<ResourceType>,
    /// Of a composite, in order.
    pub components: Vec<Component>,
    /// Added a short time ago: so many percent of the resources are looked through for its values. It is not answered
    /// before all are (`None`), for an answer would leave the others out.
    pub unfinished: Option<u8>,
}

/// One path from a type to values.
#[derive(Debug)]
pub struct Branch {
    /// Normalized: without `.where(resolve() is T)`, types always as `.as(Quantity)`. `Observation.code`. A composite has
    /// its components in it: `Observation(t:code,q:value.as(Quantity))`.
    pub text: SmolStr,
    /// From the resource to the values; of a composite to the element.
    pub expression: Walk,
    /// `hash64` and `hash32` of the kind's letter and the text.
    pub hash: i64,
    pub param: i32,
    /// The only type that has it; `None`: what starts at any resource, such as `Resource.meta.tag`.
    pub only: Option<ResourceType>,
    /// Of a reference branch: every value that is a Patient puts the resource into that patient's compartment.
    pub in_patient_compartment: bool,
    /// Of a reference branch: it is the one that decides the home, and holds one value.
    pub decides_home: bool,
    /// Of a date branch: it is the type's leading date, kept in the resource's own row instead of the index.
    pub is_leading_date: bool,
    /// Of a token branch: its values are Identifiers, whose case matters.
    pub is_identifier: bool,
    /// Of a token branch: its values are primitives (code, boolean …), whose system is implied. Of a composite branch: those
    /// of its first token component are.
    pub is_code: bool,
}

/// A part of a composite: its values are found from the element that the composite's own branch selects.
#[derive(Debug)]
pub struct Component {
    pub kind: ParameterKind,
    pub code: SmolStr,
    /// From the element to the values.
    pub expression: Walk,
}

impl Branch {
    pub fn link(&self) -> Link {
        Link { hash: self.hash, param: self.param, decides_home: self.decides_home, only: self.only }
    }

    /// Where entries of this branch are, for a parameter of this kind.
    pub fn place(&self, kind: ParameterKind) -> clause::Branch {
        match kind {
            ParameterKind::String => clause::Branch::String(self.hash),
            ParameterKind::Token | ParameterKind::Reference | ParameterKind::Uri | ParameterKind::Composite => {
                clause::Branch::Token(self.param)
            }
            ParameterKind::Date if self.is_leading_date => clause::Branch::LeadingDate,
            ParameterKind::Date => clause::Branch::Date(self.hash),
            ParameterKind::Number | ParameterKind::Quantity => clause::Branch::Number(self.hash),
            ParameterKind::Special => clause::Branch::Position,
        }
    }
}

#[cfg(test)]
mod tests;
