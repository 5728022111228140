//! A compiled expression as a tree, and its normalized text.

use super::super::type_name::TypeName;
use crate::fhir::json::Json;
use smol_str::SmolStr;
use std::fmt::{self, Display, Formatter};

/// One step of an expression; the box is what it is applied to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// What the expression is evaluated on; inside `where` the item.
    This,
    /// `%resource`.
    Resource,
    /// A type's name at the start of a path: what the expression is evaluated on, if it is of that type.
    Root(TypeName),
    Literal(Json),
    Child(Box<Node>, SmolStr),
    Extension(Box<Node>, SmolStr),
    Where(Box<Node>, Box<Node>),
    /// `as`, `.as()` and `.ofType()`: they differ only where the specification makes a fault of several items.
    As(Box<Node>, TypeName),
    Is(Box<Node>, TypeName),
    /// `resolve() is Type`, decided from what the reference says of its target.
    ResolvesTo(Box<Node>, TypeName),
    Exists(Box<Node>),
    Index(Box<Node>, usize),
    Not(Box<Node>),
    Equal(Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Union(Vec<Node>),
}

impl Node {
    /// The parts that this one is made of.
    pub fn parts(&self) -> Vec<&Node> {
        match self {
            Node::This | Node::Resource | Node::Root(_) | Node::Literal(_) => Vec::new(),
            Node::Child(input, _) | Node::Extension(input, _) | Node::Index(input, _) => vec![input],
            Node::As(input, _) | Node::Is(input, _) | Node::ResolvesTo(input, _) => vec![input],
            Node::Exists(input) | Node::Not(input) => vec![input],
            Node::Where(left, right) | Node::Equal(left, right) | Node::And(left, right) | Node::Or(left, right) => {
                vec![left, right]
            }
            Node::Union(members) => members.iter().collect(),
        }
    }

    pub fn depth(&self) -> usize {
        1 + self.parts().into_iter().map(Node::depth).max().unwrap_or(0)
    }

    /// In how many conditions inside each other `%resource` stands, at most.
    pub fn resource_asked_at(&self) -> usize {
        match self {
            Node::Where(input, condition) => {
                let inner = if condition.has_resource() { condition.resource_asked_at() + 1 } else { 0 };
                inner.max(input.resource_asked_at())
            }
            _ => self.parts().into_iter().map(Node::resource_asked_at).max().unwrap_or(0),
        }
    }

    fn has_resource(&self) -> bool {
        *self == Node::Resource || self.parts().into_iter().any(Node::has_resource)
    }

    /// Where the expression starts: the leftmost part.
    pub fn start(&self) -> &Node {
        self.parts().first().map_or(self, |part| part.start())
    }
}

/// Written so that it compiles to itself, and that two expressions of the same meaning are mostly the same text.
impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Node::This => f.write_str("$this"),
            Node::Resource => f.write_str("%resource"),
            Node::Root(type_name) => f.write_str(type_name.as_str()),
            Node::Literal(Json::String(text)) => write!(f, "{}", Quoted(text)),
            Node::Literal(Json::Number(digits)) => f.write_str(digits),
            Node::Literal(json) => f.write_str(if *json == Json::Bool(true) { "true" } else { "false" }),
            Node::Child(input, name) if **input == Node::This => write!(f, "{}", Name(name)),
            Node::Child(input, name) => write!(f, "{}.{}", Operand(input), Name(name)),
            Node::Extension(input, url) => write!(f, "{}.extension({})", Operand(input), Quoted(url)),
            Node::Where(input, condition) => write!(f, "{}.where({condition})", Operand(input)),
            Node::As(input, type_name) => write!(f, "{}.as({})", Operand(input), type_name.as_str()),
            Node::Is(input, type_name) => write!(f, "{}.is({})", Operand(input), type_name.as_str()),
            Node::ResolvesTo(input, type_name) => write!(f, "{}.resolve().is({})", Operand(input), type_name.as_str()),
            Node::Exists(input) => write!(f, "{}.exists()", Operand(input)),
            Node::Index(input, index) => write!(f, "{}[{index}]", Operand(input)),
            Node::Not(input) => write!(f, "{}.not()", Operand(input)),
            Node::Equal(left, right) => write!(f, "{} = {}", Operand(left), Operand(right)),
            Node::And(left, right) => write!(f, "{} and {}", Operand(left), Operand(right)),
            Node::Or(left, right) => write!(f, "{} or {}", Operand(left), Operand(right)),
            Node::Union(members) => {
                for (place, member) in members.iter().enumerate() {
                    let separator = if place == 0 { "" } else { " | " };
                    write!(f, "{separator}{}", Operand(member))?;
                }
                Ok(())
            }
        }
    }
}

/// In parentheses where it would else read otherwise.
struct Operand<'a>(&'a Node);

impl Display for Operand<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Node::Equal(..) | Node::And(..) | Node::Or(..) | Node::Union(_) => write!(f, "({})", self.0),
            node => write!(f, "{node}"),
        }
    }
}

struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

/// Between grave accents when it is no plain name.
struct Name<'a>(&'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let is_plain = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        match is_plain(self.0) {
            true => f.write_str(self.0),
            false => write!(f, "`{}`", self.0.replace('\\', "\\\\").replace('`', "\\`")),
        }
    }
}
