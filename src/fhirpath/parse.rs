//! The grammar, read by precedence. <http://hl7.org/fhirpath/N1/grammar.html>

use super::lex::{Token, fault, tokens};
use super::syntax::{Literal, Operator, Syntax, TYPE_LEVEL, Term, TypeSpecifier};
use super::temporal::CalendarUnit;
use crate::fhir::invalid::{Invalid, Result};
use smol_str::SmolStr;

/// The longest expression that is read (bytes). The longest of R4's own has about 2,000.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Parentheses and arguments inside each other. Each takes a piece of the stack.
const NESTED_MAX: usize = 40;

/// Steps of one expression, so that a tree of them is never deep enough to harm while it is read.
const STEPS_MAX: usize = 1_000;

/// How many steps may be inside each other: evaluation takes a piece of the stack for each.
const DEPTH_MAX: usize = 100;

/// # Errors
/// What cannot be read, with its place, and what is beyond a bound.
pub(super) fn parse(text: &str) -> Result<Syntax> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Invalid::bound(format!("A FHIRPath expression has at most {TEXT_BYTES_MAX} bytes.")));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, end: text.len(), nested: 0, steps: 0 };
    let syntax = parser.expression(0)?;
    if parser.peek().is_some() {
        return Err(parser.unexpected("the end"));
    }
    if syntax.depth() > DEPTH_MAX {
        return Err(Invalid::bound(format!("A FHIRPath expression has at most {DEPTH_MAX} steps in each other.")));
    }
    Ok(syntax)
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    next: usize,
    end: usize,
    nested: usize,
    steps: usize,
}

impl Parser {
    fn nested(&mut self) -> Result<Syntax> {
        self.nested += 1;
        if self.nested > NESTED_MAX {
            return Err(Invalid::bound(format!("A FHIRPath expression nests at most {NESTED_MAX} times.")));
        }
        let syntax = self.expression(0);
        self.nested -= 1;
        syntax
    }

    /// Operators that bind at least so strongly, each with what stands left and right of it.
    fn expression(&mut self, level_min: u8) -> Result<Syntax> {
        let mut left = self.unary()?;
        loop {
            let at = self.at();
            let Some(text) = self.operator() else { return Ok(left) };
            if let "is" | "as" = text.as_str() {
                if TYPE_LEVEL < level_min {
                    return Ok(left);
                }
                self.next += 1;
                let specifier = self.specifier()?;
                let term = match text.as_str() {
                    "is" => Term::Is(left.into(), specifier),
                    _ => Term::As(left.into(), specifier),
                };
                left = self.step(at, term)?;
                continue;
            }
            let Some((operator, level)) = Operator::parse(&text).filter(|(_, level)| *level >= level_min) else {
                return Ok(left);
            };
            self.next += 1;
            let right = self.expression(level + 1)?;
            left = self.step(at, Term::Binary(operator, left.into(), right.into()))?;
        }
    }

    /// The text of the operator that comes next, if one does.
    fn operator(&self) -> Option<SmolStr> {
        match self.peek() {
            Some(Token::Symbol(symbol)) => Some(SmolStr::new_static(symbol)),
            Some(Token::Name(word)) => Some(SmolStr::new(word)),
            _ => None,
        }
    }

    fn unary(&mut self) -> Result<Syntax> {
        let at = self.at();
        if self.takes("-") {
            let inner = self.path()?;
            return self.step(at, Term::Negative(inner.into()));
        }
        if self.takes("+") {
            let inner = self.path()?;
            return self.step(at, Term::Positive(inner.into()));
        }
        self.path()
    }

    fn path(&mut self) -> Result<Syntax> {
        let mut syntax = self.term()?;
        loop {
            let at = self.at();
            if self.takes(".") {
                let at = self.at();
                let Some(Token::Name(name)) = self.peek() else { return Err(self.unexpected("a name")) };
                let name = SmolStr::new(name);
                self.next += 1;
                syntax = self.invocation(Some(syntax), at, name)?;
            } else if self.takes("[") {
                let index = self.nested()?;
                self.expect("]")?;
                syntax = self.step(at, Term::Index(syntax.into(), index.into()))?;
            } else {
                return Ok(syntax);
            }
        }
    }

    fn term(&mut self) -> Result<Syntax> {
        let at = self.at();
        let token = self.peek().cloned().ok_or_else(|| self.unexpected("a value or a name"))?;
        self.next += 1;
        let term = match token {
            Token::Symbol("(") => {
                let inner = self.nested()?;
                self.expect(")")?;
                return Ok(inner);
            }
            Token::Symbol("{") => {
                self.expect("}")?;
                Term::Literal(Literal::Empty)
            }
            Token::Symbol(_) => {
                self.next -= 1;
                return Err(self.unexpected("a value or a name"));
            }
            Token::Dollar(name) => Term::Dollar(SmolStr::new(name)),
            Token::Variable(name) => Term::Variable(SmolStr::new(name)),
            Token::Text(text) => Term::Literal(Literal::String(SmolStr::new(text))),
            Token::Date(text) => Term::Literal(Literal::Date(SmolStr::new(text))),
            Token::Time(text) => Term::Literal(Literal::Time(SmolStr::new(text))),
            Token::Number(digits) => Term::Literal(self.number(SmolStr::new(digits))),
            Token::Name(name) if name == "true" => Term::Literal(Literal::Boolean(true)),
            Token::Name(name) if name == "false" => Term::Literal(Literal::Boolean(false)),
            Token::Name(name) => return self.invocation(None, at, SmolStr::new(name)),
        };
        self.step(at, term)
    }

    /// A number, with its unit if one follows.
    fn number(&mut self, digits: SmolStr) -> Literal {
        let (unit, is_word) = match self.peek() {
            Some(Token::Text(unit)) => (SmolStr::new(unit), false),
            Some(Token::Name(word)) if CalendarUnit::parse(word).is_some() => (SmolStr::new(word), true),
            _ => return Literal::Number(digits),
        };
        self.next += 1;
        Literal::Quantity { digits, unit, is_word }
    }

    /// An element or a function, behind its name.
    fn invocation(&mut self, input: Option<Syntax>, at: usize, name: SmolStr) -> Result<Syntax> {
        let input = input.map(Box::new);
        if !self.takes("(") {
            return self.step(at, Term::Name(input, name));
        }
        let mut arguments = Vec::new();
        if !self.takes(")") {
            loop {
                arguments.push(self.nested()?);
                if !self.takes(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        self.step(at, Term::Call(input, name, arguments))
    }

    fn specifier(&mut self) -> Result<TypeSpecifier> {
        let at = self.at();
        let Some(Token::Name(first)) = self.peek() else { return Err(self.unexpected("a type")) };
        let first = SmolStr::new(first);
        self.next += 1;
        if !self.takes(".") {
            return Ok(TypeSpecifier { at, namespace: None, name: first });
        }
        if !matches!(first.as_str(), "FHIR" | "System") {
            return Err(fault(at, &format!("`{first}` is no namespace; FHIR and System are.")));
        }
        let Some(Token::Name(name)) = self.peek() else { return Err(self.unexpected("a type")) };
        let name = SmolStr::new(name);
        self.next += 1;
        Ok(TypeSpecifier { at, namespace: Some(first), name })
    }

    /// Counts what was made.
    fn step(&mut self, at: usize, term: Term) -> Result<Syntax> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(Invalid::bound(format!("A FHIRPath expression has at most {STEPS_MAX} steps.")));
        }
        Ok(Syntax { at, term })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(_, at)| *at)
    }

    fn takes(&mut self, symbol: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol);
        self.next += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, symbol: &str) -> Result<()> {
        if self.takes(symbol) { Ok(()) } else { Err(self.unexpected(&format!("'{symbol}'"))) }
    }

    fn unexpected(&self, expected: &str) -> Invalid {
        fault(self.at(), &format!("{expected} was expected."))
    }
}
