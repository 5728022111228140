//! The grammar, as far as it is supported; all else is refused by its name. <http://hl7.org/fhirpath/N1/grammar.html>

use super::lex::{Token, fault, tokens};
use super::node::Node;
use super::type_name::TypeName;
use crate::fhir::invalid::{Invalid, Result};
use crate::fhir::json::Json;
use smol_str::SmolStr;

/// Parentheses inside each other. Each takes a piece of the stack for every level of the grammar.
const NESTED_MAX: usize = 20;

/// Steps of one expression, so that a tree of them is never deep enough to harm.
const STEPS_MAX: usize = 1_000;

pub(super) fn parse(text: &str) -> Result<Node> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, end: text.len(), nested: 0, steps: 0 };
    let node = parser.expression()?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.unexpected("the end")),
    }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    next: usize,
    end: usize,
    nested: usize,
    steps: usize,
}

impl Parser {
    fn expression(&mut self) -> Result<Node> {
        self.nested += 1;
        if self.nested > NESTED_MAX {
            return Err(Invalid::bound(format!("A FHIRPath expression nests at most {NESTED_MAX} times.")));
        }
        let node = self.or();
        self.nested -= 1;
        node
    }

    fn or(&mut self) -> Result<Node> {
        let mut left = self.and()?;
        loop {
            if self.takes_word("or") {
                let right = self.and()?;
                left = self.step(Node::Or(left.into(), right.into()))?;
            } else if self.peeks_word("xor") || self.peeks_word("implies") {
                return Err(self.unsupported());
            } else {
                return Ok(left);
            }
        }
    }

    fn and(&mut self) -> Result<Node> {
        let mut left = self.equality()?;
        while self.takes_word("and") {
            let right = self.equality()?;
            left = self.step(Node::And(left.into(), right.into()))?;
        }
        if self.peeks_word("in") || self.peeks_word("contains") {
            return Err(self.unsupported());
        }
        Ok(left)
    }

    fn equality(&mut self) -> Result<Node> {
        let mut left = self.union()?;
        loop {
            if self.takes("=") {
                let right = self.union()?;
                left = self.step(Node::Equal(left.into(), right.into()))?;
            } else if self.takes("!=") {
                let equal = Node::Equal(left.into(), self.union()?.into());
                left = self.step(Node::Not(equal.into()))?;
            } else if let Some(Token::Symbol("~" | "!~" | "<" | "<=" | ">" | ">=")) = self.peek() {
                return Err(self.unsupported());
            } else {
                return Ok(left);
            }
        }
    }

    fn union(&mut self) -> Result<Node> {
        let first = self.typed()?;
        if self.peek() != Some(&Token::Symbol("|")) {
            return Ok(first);
        }
        let mut members = Vec::new();
        flatten(first, &mut members);
        while self.takes("|") {
            flatten(self.typed()?, &mut members);
        }
        self.step(Node::Union(members))
    }

    fn typed(&mut self) -> Result<Node> {
        let mut node = self.path()?;
        loop {
            if self.takes_word("is") {
                node = self.type_name().and_then(|name| self.step(Node::Is(node.into(), name)))?;
            } else if self.takes_word("as") {
                node = self.type_name().and_then(|name| self.step(Node::As(node.into(), name)))?;
            } else if self.is_arithmetic() {
                return Err(self.unsupported());
            } else {
                return Ok(node);
            }
        }
    }

    fn is_arithmetic(&self) -> bool {
        matches!(self.peek(), Some(Token::Symbol("+" | "-" | "*" | "/" | "&")))
            || self.peeks_word("div")
            || self.peeks_word("mod")
    }

    fn path(&mut self) -> Result<Node> {
        let mut node = self.term()?;
        loop {
            if self.takes(".") {
                let Some(Token::Name(name)) = self.peek().cloned() else { return Err(self.unexpected("a name")) };
                self.next += 1;
                node = self.invocation(node, name)?;
            } else if self.takes("[") {
                let Some(Token::Number(digits)) = self.peek() else { return Err(self.unexpected("a number")) };
                let index = digits.parse().map_err(|_| self.unexpected("a whole number"))?;
                self.next += 1;
                self.expect("]")?;
                node = self.step(Node::Index(node.into(), index))?;
            } else {
                return Ok(node);
            }
        }
    }

    fn term(&mut self) -> Result<Node> {
        let token = self.peek().cloned().ok_or_else(|| self.unexpected("a value or a name"))?;
        let node = match token {
            Token::Symbol("(") => {
                self.next += 1;
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(inner);
            }
            Token::Symbol("$") => return self.this(),
            Token::Symbol("{" | "@" | "-" | "+") => return Err(self.unsupported()),
            Token::Symbol(_) => return Err(self.unexpected("a value or a name")),
            Token::Variable(name) if name == "resource" => Node::Resource,
            Token::Variable(_) => return Err(self.refuse("the only variable here is `%resource`.")),
            Token::Text(text) => Node::Literal(Json::string(text)),
            Token::Number(digits) => Node::Literal(Json::Number(SmolStr::new(digits))),
            Token::Name(name) if name == "true" => Node::Literal(Json::Bool(true)),
            Token::Name(name) if name == "false" => Node::Literal(Json::Bool(false)),
            Token::Name(name) => {
                self.next += 1;
                let is_call = self.peek() == Some(&Token::Symbol("("));
                // Types begin with a capital letter, elements do not.
                return match TypeName::parse(&name).filter(|_| name.starts_with(|first: char| first.is_uppercase())) {
                    Some(type_name) if !is_call => self.step(Node::Root(type_name)),
                    _ => self.invocation(Node::This, name),
                };
            }
        };
        self.next += 1;
        self.step(node)
    }

    fn this(&mut self) -> Result<Node> {
        match self.tokens.get(self.next + 1) {
            Some((Token::Name(name), _)) if name == "this" => {
                self.next += 2;
                self.step(Node::This)
            }
            _ => Err(self.refuse("of the names with '$', only `$this` is supported.")),
        }
    }

    /// An element or a function, behind its name.
    fn invocation(&mut self, input: Node, name: String) -> Result<Node> {
        let at = self.next - 1;
        if !self.takes("(") {
            return self.step(Node::Child(input.into(), SmolStr::new(name)));
        }
        let node = match name.as_str() {
            "where" => Node::Where(input.into(), self.expression()?.into()),
            "exists" if self.peek() == Some(&Token::Symbol(")")) => Node::Exists(input.into()),
            "exists" => Node::Exists(Node::Where(input.into(), self.expression()?.into()).into()),
            "as" | "ofType" => Node::As(input.into(), self.type_name()?),
            "is" => Node::Is(input.into(), self.type_name()?),
            "extension" => Node::Extension(input.into(), self.text()?),
            "hasExtension" => Node::Exists(Node::Extension(input.into(), self.text()?).into()),
            "first" => Node::Index(input.into(), 0),
            "not" => Node::Not(input.into()),
            "resolve" => return self.resolved(input),
            _ => {
                self.next = at;
                return Err(self.refuse(&format!("the function `{name}` is not supported here.")));
            }
        };
        self.expect(")")?;
        self.step(node)
    }

    /// Behind `resolve(`: nothing is fetched, so that only the type can be asked of it.
    fn resolved(&mut self, input: Node) -> Result<Node> {
        self.expect(")")?;
        let is_call = self.takes(".");
        if !self.takes_word("is") {
            return Err(self.refuse("`resolve()` is supported only as in `resolve() is Patient`."));
        }
        if is_call {
            self.expect("(")?;
        }
        let target = self.type_name()?;
        if is_call {
            self.expect(")")?;
        }
        self.step(Node::ResolvesTo(input.into(), target))
    }

    fn type_name(&mut self) -> Result<TypeName> {
        let Some(Token::Name(mut name)) = self.peek().cloned() else { return Err(self.unexpected("a type")) };
        let is_qualified = matches!(self.tokens.get(self.next + 1), Some((Token::Symbol("."), _)));
        if let Some((Token::Name(inner), _)) = self.tokens.get(self.next + 2)
            && name == "FHIR"
            && is_qualified
        {
            name = inner.clone();
            self.next += 2;
        }
        let found = TypeName::parse(&name).ok_or_else(|| self.refuse(&format!("`{name}` is not a type of R4.")))?;
        self.next += 1;
        Ok(found)
    }

    fn text(&mut self) -> Result<SmolStr> {
        let Some(Token::Text(text)) = self.peek() else { return Err(self.unexpected("a text in quotes")) };
        let text = SmolStr::new(text);
        self.next += 1;
        Ok(text)
    }

    /// Counts what was made.
    fn step(&mut self, node: Node) -> Result<Node> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(Invalid::bound(format!("A FHIRPath expression has at most {STEPS_MAX} steps.")));
        }
        Ok(node)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn takes(&mut self, symbol: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol);
        self.next += usize::from(is_there);
        is_there
    }

    fn peeks_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(found)) if found == word)
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_there = self.peeks_word(word);
        self.next += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, symbol: &str) -> Result<()> {
        if self.takes(symbol) { Ok(()) } else { Err(self.unexpected(&format!("'{symbol}'"))) }
    }

    fn refuse(&self, message: &str) -> Invalid {
        fault(self.tokens.get(self.next).map_or(self.end, |(_, at)| *at), message)
    }

    fn unexpected(&self, expected: &str) -> Invalid {
        self.refuse(&format!("{expected} was expected."))
    }

    fn unsupported(&self) -> Invalid {
        let operator = match self.peek() {
            Some(Token::Name(word)) => word,
            Some(Token::Symbol(symbol)) => *symbol,
            _ => "",
        };
        self.refuse(&format!("the operator `{operator}` is not supported here."))
    }
}

fn flatten(node: Node, members: &mut Vec<Node>) {
    match node {
        Node::Union(inner) => members.extend(inner),
        other => members.push(other),
    }
}
