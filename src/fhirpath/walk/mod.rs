//! The paths of search parameters: of FHIRPath only what leads from element to element, and therefore fast.
//!
//! Of R4's 1,781 branches, 1,777 have one of six shapes. A walk hands each value that it finds to a function, borrowed,
//! and makes no collection (docs/decisions/0020-fhirpath.md). Where the whole language is a matter of faults, as with
//! `as` on several items, a walk goes on with what fits: what is entered for a search must not depend on one odd value.

mod compile;
mod evaluate;
mod node;
mod place;

pub use evaluate::Steps;
pub(super) use evaluate::resolves_to;
pub use place::Place;

use self::evaluate::Frame;
use self::node::Node;
use super::parse;
use super::type_name::TypeName;
use super::value::Value;

use crate::fhir::definitions::ResourceType;
use crate::fhir::invalid::{Invalid, Result};
use smol_str::{SmolStr, format_smolstr};

/// How many steps may be inside each other: evaluation takes a piece of the stack for each.
const DEPTH_MAX: usize = 64;

/// The part of FHIRPath that search parameters need: paths, `where`, types, extensions, comparisons, unions.
#[derive(Debug, Clone, PartialEq)]
pub struct Walk {
    text: SmolStr,
    node: Node,
}

impl Walk {
    /// # Errors
    /// What cannot be read, names no type of R4, or is not supported, by its name and place.
    pub fn compile(text: &str) -> Result<Walk> {
        let node = compile::compile(&parse::parse(text)?)?;
        if node.depth() > DEPTH_MAX {
            return Err(Invalid::bound(format!("A FHIRPath expression has at most {DEPTH_MAX} steps in each other.")));
        }
        Ok(Walk::of(node))
    }

    fn of(node: Node) -> Walk {
        Walk { text: format_smolstr!("{node}"), node }
    }

    /// Normalized: the same for `(Observation.value as Quantity)` and `Observation.value.as(Quantity)`.
    pub fn text(&self) -> &SmolStr {
        &self.text
    }

    /// Finds the values, in order. `start` is what the expression is evaluated on, `resource` is `%resource`. When the
    /// steps are spent it ends, whatever else there is to find.
    pub fn evaluate<'a>(
        &'a self,
        start: Value<'a>,
        resource: Value<'a>,
        steps: &Steps,
        found: &mut dyn FnMut(Value<'a>),
    ) {
        self.node.evaluate(Frame { this: start, resource, steps }, found);
    }

    /// Whether a condition on items of a list asks the whole resource from inside another such condition: each more would
    /// multiply what it takes by the length of a list.
    pub fn asks_the_resource_again_and_again(&self) -> bool {
        self.node.resource_asked_at() > 1
    }

    /// The members of the union that the expression is; itself when it is none.
    pub fn branches(&self) -> Vec<Walk> {
        match &self.node {
            Node::Union(members) => members.iter().map(|member| Walk::of(member.clone())).collect(),
            _ => vec![self.clone()],
        }
    }

    /// The union of these.
    pub fn union(branches: &[Walk]) -> Walk {
        Walk::of(Node::Union(branches.iter().map(|branch| branch.node.clone()).collect()))
    }

    /// The type that the expression starts with, if it says one.
    pub fn start_type(&self) -> Option<TypeName> {
        match self.node.start() {
            Node::Root(type_name) => Some(*type_name),
            _ => None,
        }
    }

    /// The expression without a last `.where(resolve() is Type)`, and that type.
    pub fn without_target(&self) -> Option<(Walk, TypeName)> {
        let Node::Where(input, condition) = &self.node else { return None };
        match &**condition {
            Node::ResolvesTo(reference, target) if **reference == Node::This => {
                Some((Walk::of((**input).clone()), *target))
            }
            _ => None,
        }
    }

    /// The elements of a resource type that the expression can reach.
    ///
    /// # Errors
    /// More than a bound.
    pub fn places(&self, resource_type: ResourceType) -> Result<Vec<Place>> {
        let root = Place::root(resource_type);
        place::reached(&self.node, std::slice::from_ref(&root), &root)
    }

    /// The same, evaluated on other places of the type.
    ///
    /// # Errors
    /// As there.
    pub fn places_from(&self, start: &[Place], resource_type: ResourceType) -> Result<Vec<Place>> {
        place::reached(&self.node, start, &Place::root(resource_type))
    }
}

#[cfg(test)]
mod tests;
