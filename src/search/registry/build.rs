//! A search parameter from its definition: its branches, and what the definitions say of them.

use super::super::hash::{hash32, hash64};
use super::{Branch, Component, CustomDefinition, Parameter, ParameterKind};
use crate::fhir::definitions::{ResourceType, SearchParameterRow, patient_compartment_paths};
use crate::fhir::invalid::{Invalid, Result};
use crate::fhirpath::{Place, TypeName, Walk};
use smol_str::{SmolStr, format_smolstr};
use std::collections::HashMap;
use std::sync::Arc;

/// They are answered from the resource's own row.
const IN_THE_ROW: [&str; 2] = ["_id", "_lastUpdated"];

/// A parameter as it is defined, for one of its bases.
pub(super) struct Definition<'a> {
    pub url: &'a str,
    pub code: &'a str,
    pub base: ResourceType,
    pub kind: ParameterKind,
    /// Empty where none is given.
    pub expression: &'a str,
    pub targets: Vec<ResourceType>,
    pub components: Vec<(&'a str, &'a str)>,
    pub unfinished: Option<u8>,
}

/// What the components of composites name: the kind and the code by the address.
pub(super) type Kinds = HashMap<SmolStr, (ParameterKind, SmolStr)>;

impl<'a> Definition<'a> {
    pub fn standard(row: &SearchParameterRow, base: ResourceType, kinds: &Kinds) -> Result<Definition<'static>> {
        let unknown = || Invalid::structure(row.url, "This is no kind of search parameter.");
        Ok(Definition {
            url: row.url,
            code: row.code,
            base,
            kind: kinds.get(row.url).map(|(kind, _)| *kind).ok_or_else(unknown)?,
            expression: if IN_THE_ROW.contains(&row.code) { "" } else { row.expression },
            // `Resource` is none of the types: it leaves the list empty, which stands for any.
            targets: row.targets().filter_map(ResourceType::parse).collect(),
            components: row.components().collect(),
            unfinished: None,
        })
    }

    pub fn custom(custom: &'a CustomDefinition, base: ResourceType) -> Definition<'a> {
        Definition {
            url: &custom.url,
            code: &custom.code,
            base,
            kind: custom.kind,
            expression: &custom.expression,
            targets: custom.targets.clone(),
            components: custom.components.iter().map(|(url, expression)| (url.as_str(), expression.as_str())).collect(),
            unfinished: custom.unfinished,
        }
    }
}

pub(super) fn parameter(definition: &Definition<'_>, kinds: &Kinds) -> Result<Parameter> {
    let components = components(definition, kinds)?;
    let (expressions, target) = without_target(applying(definition)?);
    let mut branches: Vec<Arc<Branch>> = Vec::new();
    for expression in expressions {
        let branch = branch(definition, expression, &components)?;
        if !branches.iter().any(|known| known.hash == branch.hash) {
            branches.push(Arc::new(branch));
        }
    }
    Ok(Parameter {
        code: definition.code.into(),
        url: definition.url.into(),
        kind: definition.kind,
        base: definition.base,
        branches,
        targets: target.map_or_else(|| definition.targets.clone(), |target| vec![target]),
        components,
        unfinished: definition.unfinished,
    })
}

/// The branches of the expression that start at the base.
fn applying(definition: &Definition<'_>) -> Result<Vec<Walk>> {
    if definition.expression.is_empty() {
        return Ok(Vec::new());
    }
    let starts = |one: &Walk| one.start_type().is_none_or(|start| start.covers(definition.base.as_str()));
    let branches = compile(definition, definition.expression)?.branches();
    let applying: Vec<_> = branches.into_iter().filter(starts).collect();
    match applying.is_empty() {
        false => Ok(applying),
        true => Err(fault(definition, &format!("no part of the expression starts at {}.", definition.base))),
    }
}

/// When all branches lead to one type only, that is said of the parameter, and the branches are those of its siblings:
/// `patient` is `subject` with the target Patient.
fn without_target(branches: Vec<Walk>) -> (Vec<Walk>, Option<ResourceType>) {
    let split: Option<Vec<_>> = branches.iter().map(Walk::without_target).collect();
    let Some(split) = split else { return (branches, None) };
    let mut targets = split.iter().map(|(_, target)| *target);
    let first: Option<TypeName> = targets.next();
    let target = first.filter(|first| targets.all(|target| target == *first));
    match target.and_then(|target| ResourceType::parse(target.as_str())) {
        Some(target) => (split.into_iter().map(|(branch, _)| branch).collect(), Some(target)),
        None => (branches, None),
    }
}

fn components(definition: &Definition<'_>, kinds: &Kinds) -> Result<Vec<Component>> {
    if (definition.kind == ParameterKind::Composite) == definition.components.is_empty() {
        return Err(fault(definition, "a composite has components, and nothing else has."));
    }
    let component = |(url, expression): &(&str, &str)| {
        let known = kinds.get(*url);
        let (kind, code) = known.ok_or_else(|| fault(definition, &format!("the component '{url}' is not known.")))?;
        Ok(Component { kind: *kind, code: code.clone(), expression: compile(definition, expression)? })
    };
    definition.components.iter().map(component).collect()
}

fn branch(definition: &Definition<'_>, expression: Walk, components: &[Component]) -> Result<Branch> {
    let Definition { base, kind, .. } = *definition;
    let named = |fault| in_expression(definition, fault);
    let places = expression.places(base).map_err(named)?;
    if places.is_empty() {
        return Err(fault(definition, &format!("`{}` leads to no element of {base}.", expression.text())));
    }
    let coded = match components.iter().find(|component| component.kind == ParameterKind::Token) {
        Some(component) => component.expression.places_from(&places, base).map_err(named)?,
        None => places.clone(),
    };
    let holds_tokens = matches!(kind, ParameterKind::Token | ParameterKind::Composite);
    let all = |type_name: &str| places.iter().all(|place| place.type_name() == type_name);
    let text = text(base, &expression, components);
    Ok(Branch {
        hash: hash64(&["branch", kind.letter(), &text]),
        param: hash32(&["branch", kind.letter(), &text]),
        in_patient_compartment: kind == ParameterKind::Reference && is_in_patient_compartment(base, &places),
        decides_home: kind == ParameterKind::Reference && decides_home(base, &places),
        is_leading_date: false,
        only: only(base, &text),
        is_identifier: kind == ParameterKind::Token && all("Identifier"),
        is_code: holds_tokens && !coded.is_empty() && coded.iter().all(Place::is_primitive),
        text,
        expression,
    })
}

/// What the hashes are made of.
fn text(base: ResourceType, expression: &Walk, components: &[Component]) -> SmolStr {
    let path = match expression.start_type() {
        Some(_) => expression.text().clone(),
        None => format_smolstr!("{base}.{}", expression.text()),
    };
    if components.is_empty() {
        return path;
    }
    let part = |one: &Component| format!("{}:{}", one.kind.letter(), one.expression.text());
    format_smolstr!("{path}({})", components.iter().map(part).collect::<Vec<_>>().join(","))
}

/// The type whose resources alone can have a branch with this text.
fn only(base: ResourceType, text: &str) -> Option<ResourceType> {
    let rest = text.strip_prefix(base.as_str())?;
    rest.starts_with(|next: char| !next.is_alphanumeric()).then_some(base)
}

fn references(places: &[Place]) -> impl Iterator<Item = &Place> {
    places.iter().filter(|place| place.type_name() == "Reference")
}

fn is_in_patient_compartment(base: ResourceType, places: &[Place]) -> bool {
    let paths = patient_compartment_paths(base);
    references(places).next().is_some() && references(places).all(|place| paths.contains(&place.names))
}

fn decides_home(base: ResourceType, places: &[Place]) -> bool {
    let mut references = references(places);
    let only = references.next().filter(|place| references.next().is_none() && !place.is_list);
    only.is_some_and(|place| patient_compartment_paths(base).first() == Some(&place.names))
}

fn compile(definition: &Definition<'_>, expression: &str) -> Result<Walk> {
    let walk = Walk::compile(expression).map_err(|fault| in_expression(definition, fault))?;
    if walk.asks_the_resource_again_and_again() {
        let message = "`%resource` stands in a condition inside another one, so that what it takes to find the values grows \
            beyond all measure with a resource. Use it in the outermost conditions only.";
        return Err(in_expression(definition, Invalid::unprocessable("", message)));
    }
    Ok(walk)
}

fn in_expression(definition: &Definition<'_>, fault: Invalid) -> Invalid {
    Invalid {
        expression: "expression".to_owned(),
        message: format!("The search parameter '{}': {}", definition.code, fault.message),
        ..fault
    }
}

fn fault(definition: &Definition<'_>, message: &str) -> Invalid {
    Invalid::structure("expression", format!("The search parameter '{}': {message}", definition.code))
}

/// Its branches as one: a date that is one element, of whatever type.
pub(super) fn merged(parameter: &Parameter) -> Option<Branch> {
    let expressions: Vec<_> = parameter.branches.iter().map(|branch| branch.expression.clone()).collect();
    let expression = match expressions.as_slice() {
        [] => return None,
        [only] => only.clone(),
        several => Walk::union(several),
    };
    let text = text(parameter.base, &expression, &[]);
    let letter = parameter.kind.letter();
    Some(Branch {
        hash: hash64(&["branch", letter, &text]),
        param: hash32(&["branch", letter, &text]),
        only: only(parameter.base, &text),
        in_patient_compartment: false,
        decides_home: false,
        is_leading_date: false,
        is_identifier: false,
        is_code: false,
        text,
        expression,
    })
}
