//! An expression: read and checked once, evaluated as often as needed. <https://hl7.org/fhir/R4/fhirpath.html>

use super::evaluate::Frame;
use super::node::Node;
use super::parse;
use super::place::{self, Place};
use super::type_name::TypeName;
use super::value::Value;
use crate::fhir::definitions::ResourceType;
use crate::fhir::invalid::{Invalid, Result};
use smol_str::{SmolStr, format_smolstr};

/// The longest expression that is read (bytes). The longest of R4's own has about 2,000.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// How many steps may be inside each other: evaluation takes a piece of the stack for each.
const DEPTH_MAX: usize = 64;

/// The part of FHIRPath that search parameters need: paths, `where`, types, extensions, comparisons, unions.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    text: SmolStr,
    node: Node,
}

impl Expression {
    /// # Errors
    /// What cannot be read, names no type of R4, or is not supported, by its name and place.
    pub fn compile(text: &str) -> Result<Expression> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Invalid::bound(format!("A FHIRPath expression has at most {TEXT_BYTES_MAX} bytes.")));
        }
        let node = parse::parse(text)?;
        if node.depth() > DEPTH_MAX {
            return Err(Invalid::bound(format!("A FHIRPath expression has at most {DEPTH_MAX} steps in each other.")));
        }
        Ok(Expression::of(node))
    }

    fn of(node: Node) -> Expression {
        Expression { text: format_smolstr!("{node}"), node }
    }

    /// Normalized: the same for `(Observation.value as Quantity)` and `Observation.value.as(Quantity)`.
    pub fn text(&self) -> &SmolStr {
        &self.text
    }

    /// Finds the values, in order. `start` is what the expression is evaluated on, `resource` is `%resource`.
    pub fn evaluate<'a>(&'a self, start: Value<'a>, resource: Value<'a>, found: &mut dyn FnMut(Value<'a>)) {
        self.node.evaluate(Frame { this: start, resource }, found);
    }

    /// The members of the union that the expression is; itself when it is none.
    pub fn branches(&self) -> Vec<Expression> {
        match &self.node {
            Node::Union(members) => members.iter().map(|member| Expression::of(member.clone())).collect(),
            _ => vec![self.clone()],
        }
    }

    /// The union of these.
    pub fn union(branches: &[Expression]) -> Expression {
        Expression::of(Node::Union(branches.iter().map(|branch| branch.node.clone()).collect()))
    }

    /// The type that the expression starts with, if it says one.
    pub fn start_type(&self) -> Option<TypeName> {
        match self.node.start() {
            Node::Root(type_name) => Some(*type_name),
            _ => None,
        }
    }

    /// The expression without a last `.where(resolve() is Type)`, and that type.
    pub fn without_target(&self) -> Option<(Expression, TypeName)> {
        let Node::Where(input, condition) = &self.node else { return None };
        match &**condition {
            Node::ResolvesTo(reference, target) if **reference == Node::This => {
                Some((Expression::of((**input).clone()), *target))
            }
            _ => None,
        }
    }

    /// The elements of a resource type that the expression can reach.
    pub fn places(&self, resource_type: ResourceType) -> Vec<Place> {
        let root = Place::root(resource_type);
        place::reached(&self.node, std::slice::from_ref(&root), &root)
    }

    /// The same, evaluated on other places of the type.
    pub fn places_from(&self, start: &[Place], resource_type: ResourceType) -> Vec<Place> {
        place::reached(&self.node, start, &Place::root(resource_type))
    }
}
