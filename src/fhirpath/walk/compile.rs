//! From the grammar's tree to the steps of a walk; what a walk has no step for is refused by its name.

use super::super::lex::fault;
use super::super::syntax::{Literal, Operator, Syntax, Term, TypeSpecifier};
use super::super::type_name::TypeName;
use super::node::Node;
use crate::fhir::invalid::{Invalid, Result};
use crate::fhir::json::Json;
use smol_str::SmolStr;

pub(super) fn compile(syntax: &Syntax) -> Result<Node> {
    Ok(match &syntax.term {
        Term::Dollar(name) if name == "this" => Node::This,
        Term::Dollar(_) => return refuse(syntax.at, "of the names with '$', only `$this` is supported."),
        Term::Variable(name) if name == "resource" => Node::Resource,
        Term::Variable(_) => return refuse(syntax.at, "the only variable here is `%resource`."),
        Term::Literal(literal) => Node::Literal(constant(syntax.at, literal)?),
        Term::Name(None, name) => match root(name) {
            Some(type_name) => Node::Root(type_name),
            None => Node::Child(Node::This.into(), name.clone()),
        },
        Term::Name(Some(input), name) => Node::Child(compile(input)?.into(), name.clone()),
        Term::Call(input, name, arguments) => return call(syntax.at, input.as_deref(), name, arguments),
        Term::Index(input, index) => Node::Index(compile(input)?.into(), position(index)?),
        Term::Negative(_) => return unsupported(syntax.at, "-"),
        Term::Positive(_) => return unsupported(syntax.at, "+"),
        Term::As(input, specifier) => Node::As(compile(input)?.into(), known(specifier)?),
        Term::Is(input, specifier) => typed(input, known(specifier)?)?,
        Term::Binary(Operator::Union, ..) => {
            let mut members = Vec::new();
            for member in syntax.members() {
                match compile(member)? {
                    Node::Union(inner) => members.extend(inner),
                    other => members.push(other),
                }
            }
            Node::Union(members)
        }
        Term::Binary(operator, left, right) => return binary(syntax.at, *operator, left, right),
    })
}

/// A type's name at the start of a path: types begin with a capital letter, elements do not.
fn root(name: &str) -> Option<TypeName> {
    TypeName::parse(name).filter(|_| name.starts_with(|first: char| first.is_uppercase()))
}

fn binary(at: usize, operator: Operator, left: &Syntax, right: &Syntax) -> Result<Node> {
    let both = || Ok::<_, Invalid>((Box::new(compile(left)?), Box::new(compile(right)?)));
    Ok(match operator {
        Operator::Or => both().map(|(left, right)| Node::Or(left, right))?,
        Operator::And => both().map(|(left, right)| Node::And(left, right))?,
        Operator::Equal => both().map(|(left, right)| Node::Equal(left, right))?,
        Operator::NotEqual => both().map(|(left, right)| Node::Not(Node::Equal(left, right).into()))?,
        other => return unsupported(at, other.as_str()),
    })
}

fn call(at: usize, input: Option<&Syntax>, name: &str, arguments: &[Syntax]) -> Result<Node> {
    let from = || input.map_or(Ok(Node::This), compile).map(Box::new);
    Ok(match (name, arguments) {
        ("where", [condition]) => Node::Where(from()?, compile(condition)?.into()),
        ("exists", []) => Node::Exists(from()?),
        ("exists", [condition]) => Node::Exists(Node::Where(from()?, compile(condition)?.into()).into()),
        ("as" | "ofType", [of]) => Node::As(from()?, named(of)?),
        ("is", [of]) => match input {
            Some(input) => typed(input, named(of)?)?,
            None => Node::Is(Node::This.into(), named(of)?),
        },
        ("extension", [url]) => Node::Extension(from()?, text(url)?),
        ("hasExtension", [url]) => Node::Exists(Node::Extension(from()?, text(url)?).into()),
        ("first", []) => Node::Index(from()?, 0),
        ("not", []) => Node::Not(from()?),
        ("resolve", []) => return refuse(at, "`resolve()` is supported only as in `resolve() is Patient`."),
        (
            "where" | "exists" | "as" | "ofType" | "is" | "extension" | "hasExtension" | "first" | "not" | "resolve",
            _,
        ) => {
            return refuse(at, &format!("the function `{name}` takes another number of arguments."));
        }
        _ => return refuse(at, &format!("the function `{name}` is not supported here.")),
    })
}

/// Nothing is fetched, so that of what `resolve()` would find only the type can be asked.
fn typed(input: &Syntax, type_name: TypeName) -> Result<Node> {
    match &input.term {
        Term::Call(reference, name, arguments) if name == "resolve" && arguments.is_empty() => {
            let reference = reference.as_deref().map_or(Ok(Node::This), compile)?;
            Ok(Node::ResolvesTo(reference.into(), type_name))
        }
        _ => Ok(Node::Is(compile(input)?.into(), type_name)),
    }
}

/// The type that an argument names: `Patient`, `FHIR.Patient`.
fn named(argument: &Syntax) -> Result<TypeName> {
    known(&TypeSpecifier::of(argument).ok_or_else(|| fault(argument.at, "a type was expected."))?)
}

fn known(specifier: &TypeSpecifier) -> Result<TypeName> {
    let name = specifier.name.as_str();
    let found = TypeName::parse(name).filter(|_| specifier.namespace.as_deref() != Some("System"));
    found.ok_or_else(|| fault(specifier.at, &format!("`{name}` is not a type of R4.")))
}

fn text(argument: &Syntax) -> Result<SmolStr> {
    match &argument.term {
        Term::Literal(Literal::String(text)) => Ok(text.clone()),
        _ => Err(fault(argument.at, "a text in quotes was expected.")),
    }
}

fn position(index: &Syntax) -> Result<usize> {
    let Term::Literal(Literal::Number(digits)) = &index.term else {
        return Err(fault(index.at, "a number was expected."));
    };
    digits.parse().map_err(|_| fault(index.at, "a whole number was expected."))
}

fn constant(at: usize, literal: &Literal) -> Result<Json> {
    match literal {
        Literal::Boolean(truth) => Ok(Json::Bool(*truth)),
        Literal::String(text) => Ok(Json::String(text.clone())),
        Literal::Number(digits) => Ok(Json::Number(digits.clone())),
        Literal::Empty | Literal::Date(_) | Literal::Time(_) | Literal::Quantity { .. } => {
            Err(fault(at, "of values, only texts, numbers, true and false are supported here."))
        }
    }
}

fn unsupported(at: usize, operator: &str) -> Result<Node> {
    refuse(at, &format!("the operator `{operator}` is not supported here."))
}

fn refuse(at: usize, message: &str) -> Result<Node> {
    Err(fault(at, message))
}
