//! The search parameters of every type: R4's own and those that were added at run time.

use super::clause::{self, Link};
use crate::fhir::definitions::ResourceType;
use smol_str::SmolStr;
use std::sync::Arc;

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
}

/// One path from a type to values.
#[derive(Debug)]
pub struct Branch {
    /// Normalized: without `.where(resolve() is T)`, the types of a choice as concrete names. `Observation.code`.
    pub text: SmolStr,
    /// `hash64` and `hash32` of the kind's letter and the text.
    pub hash: i64,
    pub param: i32,
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
}

impl Branch {
    pub fn link(&self) -> Link {
        Link { hash: self.hash, param: self.param, decides_home: self.decides_home }
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
