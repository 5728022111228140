//! A compiled expression: names of functions and types are resolved, constants are read.

use super::item::{Item, Type};
use super::run::Native;
use super::syntax::Operator;
use super::type_name::TypeName;
use regex::Regex;
use smol_str::SmolStr;

pub(super) enum Code {
    This,
    Index,
    Total,
    Resource,
    RootResource,
    Context,
    /// A variable that the caller gives.
    Variable(SmolStr),
    Empty,
    Constant(Item<'static>),
    /// A regular expression that stands in the text, read once.
    Pattern(Box<Regex>),
    /// A type's name at the start of a path: what the expression is evaluated on, if it is of that type.
    Root(TypeName),
    Child(Box<Code>, SmolStr),
    /// `children().count()`, which needs no collection: it is asked of every element.
    ChildrenCount(Box<Code>),
    Call(Box<Code>, Function, Vec<Code>),
    At(Box<Code>, Box<Code>),
    Negative(Box<Code>),
    Positive(Box<Code>),
    Is(Box<Code>, Type),
    As(Box<Code>, Type),
    OfType(Box<Code>, Type),
    /// `resolve() is Type`, which the reference itself can tell.
    ResolvesTo(Box<Code>, TypeName),
    Union(Vec<Code>),
    Binary(Operator, Box<Code>, Box<Code>),
    /// The same wherever in a loop it is asked: evaluated once and kept at this place.
    Once(usize, Box<Code>),
}

/// A function and its name for messages.
#[derive(Clone, Copy)]
pub(super) struct Function {
    pub name: &'static str,
    pub native: Native,
}
