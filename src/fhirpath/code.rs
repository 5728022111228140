//! A compiled expression: names of functions and types are resolved, constants are read.

use super::item::{Item, Type};
use super::run::{Native, Pattern};
use super::syntax::Operator;
use super::type_name::TypeName;
use smol_str::SmolStr;
use std::collections::HashSet;

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
    Pattern(Box<Pattern>),
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

impl Code {
    /// Notes the names of all elements through which this leads; false where it may lead through any.
    pub fn names<'c>(&'c self, names: &mut HashSet<&'c str>) -> bool {
        match self {
            Code::Child(input, name) => {
                names.insert(name);
                input.names(names)
            }
            Code::Call(input, function, arguments) => {
                names.extend((function.name == "extension").then_some("extension"));
                !matches!(function.name, "children" | "descendants" | "resolve")
                    && input.names(names)
                    && arguments.iter().all(|argument| argument.names(names))
            }
            Code::At(left, right) | Code::Binary(_, left, right) => left.names(names) && right.names(names),
            Code::Union(members) => members.iter().all(|member| member.names(names)),
            Code::ChildrenCount(inner) | Code::Negative(inner) | Code::Positive(inner) | Code::Once(_, inner) => {
                inner.names(names)
            }
            Code::Is(inner, _) | Code::As(inner, _) | Code::OfType(inner, _) | Code::ResolvesTo(inner, _) => {
                inner.names(names)
            }
            Code::This | Code::Index | Code::Total | Code::Resource | Code::RootResource | Code::Context => true,
            Code::Variable(_) | Code::Empty | Code::Constant(_) | Code::Pattern(_) | Code::Root(_) => true,
        }
    }
}
