//! An expression as it is written: the tree of the grammar. <http://hl7.org/fhirpath/N1/grammar.html>

use smol_str::SmolStr;

/// A part of an expression and where it stands (bytes of the text, from 0): a path at its last name, an operation at its
/// operator.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Syntax {
    pub at: usize,
    pub term: Term,
}

/// What a part says. Without an input, a name and a function are applied to what the expression is evaluated on.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Term {
    /// `$this`, `$index`, `$total`, without the sign.
    Dollar(SmolStr),
    /// `%resource`, without the sign.
    Variable(SmolStr),
    Literal(Literal),
    Name(Option<Box<Syntax>>, SmolStr),
    Call(Option<Box<Syntax>>, SmolStr, Vec<Syntax>),
    Index(Box<Syntax>, Box<Syntax>),
    Negative(Box<Syntax>),
    Positive(Box<Syntax>),
    Is(Box<Syntax>, TypeSpecifier),
    As(Box<Syntax>, TypeSpecifier),
    Binary(Operator, Box<Syntax>, Box<Syntax>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Empty,
    Boolean(bool),
    String(SmolStr),
    /// Digits, with or without a fraction.
    Number(SmolStr),
    /// One with a `T` is a DateTime.
    Date(SmolStr),
    Time(SmolStr),
    /// A number with a unit: a word of the calendar, or UCUM's in quotes.
    Quantity {
        digits: SmolStr,
        unit: SmolStr,
        is_word: bool,
    },
}

/// `Patient`, `FHIR.Patient`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TypeSpecifier {
    pub at: usize,
    pub namespace: Option<SmolStr>,
    pub name: SmolStr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Implies,
    Or,
    Xor,
    And,
    In,
    Contains,
    Equal,
    NotEqual,
    Equivalent,
    NotEquivalent,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Union,
    Plus,
    Minus,
    Concatenate,
    Times,
    Divide,
    Div,
    Mod,
}

/// How strongly an operator binds; `is` and `as` stand between union and addition.
pub(super) const TYPE_LEVEL: u8 = 7;

impl Operator {
    /// The operator of a symbol or word, and how strongly it binds.
    pub fn parse(text: &str) -> Option<(Operator, u8)> {
        Some(match text {
            "implies" => (Operator::Implies, 0),
            "or" => (Operator::Or, 1),
            "xor" => (Operator::Xor, 1),
            "and" => (Operator::And, 2),
            "in" => (Operator::In, 3),
            "contains" => (Operator::Contains, 3),
            "=" => (Operator::Equal, 4),
            "!=" => (Operator::NotEqual, 4),
            "~" => (Operator::Equivalent, 4),
            "!~" => (Operator::NotEquivalent, 4),
            "<" => (Operator::Less, 5),
            "<=" => (Operator::LessOrEqual, 5),
            ">" => (Operator::Greater, 5),
            ">=" => (Operator::GreaterOrEqual, 5),
            "|" => (Operator::Union, 6),
            "+" => (Operator::Plus, 8),
            "-" => (Operator::Minus, 8),
            "&" => (Operator::Concatenate, 8),
            "*" => (Operator::Times, 9),
            "/" => (Operator::Divide, 9),
            "div" => (Operator::Div, 9),
            "mod" => (Operator::Mod, 9),
            _ => return None,
        })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Operator::Implies => "implies",
            Operator::Or => "or",
            Operator::Xor => "xor",
            Operator::And => "and",
            Operator::In => "in",
            Operator::Contains => "contains",
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Equivalent => "~",
            Operator::NotEquivalent => "!~",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Union => "|",
            Operator::Plus => "+",
            Operator::Minus => "-",
            Operator::Concatenate => "&",
            Operator::Times => "*",
            Operator::Divide => "/",
            Operator::Div => "div",
            Operator::Mod => "mod",
        }
    }
}

impl Syntax {
    /// The members of the union that this is; itself when it is none. A long union is a long chain to the left, which
    /// nothing must go down by calling itself.
    pub fn members(&self) -> Vec<&Syntax> {
        let (mut members, mut rest) = (Vec::new(), self);
        while let Term::Binary(Operator::Union, left, right) = &rest.term {
            members.push(&**right);
            rest = left;
        }
        members.push(rest);
        members.reverse();
        members
    }

    /// Levels of parts in each other: what walks over the tree takes a piece of the stack for each. A union is one level.
    pub fn depth(&self) -> usize {
        let inner = match &self.term {
            Term::Binary(Operator::Union, ..) => self.members().into_iter().map(Syntax::depth).max().unwrap_or(0),
            Term::Dollar(_) | Term::Variable(_) | Term::Literal(_) | Term::Name(None, _) => 0,
            Term::Name(Some(input), _) => input.depth(),
            Term::Call(input, _, arguments) => {
                let arguments = arguments.iter().map(Syntax::depth).max().unwrap_or(0);
                input.as_ref().map_or(0, |input| input.depth()).max(arguments)
            }
            Term::Index(left, right) | Term::Binary(_, left, right) => left.depth().max(right.depth()),
            Term::Negative(inner) | Term::Positive(inner) | Term::Is(inner, _) | Term::As(inner, _) => inner.depth(),
        };
        1 + inner
    }
}

impl TypeSpecifier {
    /// The type that an argument names, as in `is(FHIR.Patient)`; `None` if it is no name.
    pub fn of(argument: &Syntax) -> Option<TypeSpecifier> {
        let Term::Name(input, name) = &argument.term else { return None };
        let namespace = match input.as_deref() {
            None => None,
            Some(Syntax { term: Term::Name(None, namespace), .. }) => Some(namespace.clone()),
            Some(_) => return None,
        };
        Some(TypeSpecifier { at: argument.at, namespace, name: name.clone() })
    }
}
