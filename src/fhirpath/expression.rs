//! An expression: read and checked once, evaluated as often as needed. <https://hl7.org/fhir/R4/fhirpath.html>

use super::code::Code;
use super::compile::Compiler;
use super::item::{Item, Items};
use super::parse;
use super::run::{Machine, PATTERN_BYTES_MAX};
use super::syntax::Term;
use super::value::Value;
use crate::fhir::invalid::Result;
use chrono::{DateTime, FixedOffset};
use smol_str::SmolStr;
use std::collections::HashSet;
use std::fmt::{self, Debug, Formatter};

/// FHIRPath, compiled. Nothing is fetched, and no clock is read.
pub struct Expression {
    text: SmolStr,
    code: Code,
    slots: usize,
}

/// What an expression may know besides what it is evaluated on.
#[derive(Clone, Copy)]
pub struct Variables<'a> {
    /// `%resource`: the resource that holds what is looked at; inside a contained one, that one.
    pub resource: Value<'a>,
    /// `%rootResource`: the outermost resource, in which references to contained ones and entries are resolved.
    pub root_resource: Value<'a>,
    /// What `now()` and `today()` tell. Without it they are faults.
    pub now: Option<DateTime<FixedOffset>>,
    /// Further variables by their names, without the sign. Of one name several make a collection.
    pub named: &'a [(&'a str, Item<'a>)],
    /// Whether a name that the definitions do not have is a fault, instead of finding nothing.
    pub is_strict: bool,
    /// What is known of value sets and profiles.
    pub knowledge: Option<&'a dyn Knowledge>,
}

/// What only others can tell.
pub trait Knowledge {
    /// Whether a code, Coding, CodeableConcept or string is in a value set; `None` if that is not known.
    fn member_of(&self, item: &Item<'_>, value_set: &str) -> Option<bool>;

    /// Whether a resource or element conforms to a profile; `None` if the profile is not known. The base definitions are
    /// known without asking.
    fn conforms_to(&self, item: &Item<'_>, profile: &str) -> Option<bool>;
}

/// How much one evaluation may do. Beyond it is a fault of the kind `Bound`.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Items that are looked at, made and compared (steps); what is large counts for more. A million take about 50 ms.
    pub steps: usize,
    /// The longest text that is made (bytes). All of them together may be sixteen times as long.
    pub text_bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { steps: 2_000_000, text_bytes: 4 << 20 }
    }
}

impl<'a> Variables<'a> {
    /// Those of a resource that is in no other.
    pub fn of(resource: Value<'a>) -> Variables<'a> {
        Variables { resource, root_resource: resource, now: None, named: &[], is_strict: false, knowledge: None }
    }
}

impl Expression {
    /// # Errors
    /// What cannot be read, or names no function and no type of R4, by its name and place.
    pub fn compile(text: &str) -> Result<Expression> {
        Expression::compile_sharing(text, &mut PATTERN_BYTES_MAX.clone())
    }

    /// One of several that are kept together: what its regular expressions take comes out of what all of them may
    /// (`pattern_bytes_left`), and is at most what those of one expression may.
    ///
    /// # Errors
    /// As of [`Expression::compile`].
    pub fn compile_sharing(text: &str, pattern_bytes_left: &mut usize) -> Result<Expression> {
        Expression::of(text, pattern_bytes_left, |compiler| compiler.compile(&parse::parse(text)?))
    }

    fn of(
        text: &str,
        pattern_bytes_left: &mut usize,
        code: impl FnOnce(&mut Compiler) -> Result<Code>,
    ) -> Result<Expression> {
        let before = (*pattern_bytes_left).min(PATTERN_BYTES_MAX);
        let mut compiler = Compiler::new(before);
        let code = code(&mut compiler);
        *pattern_bytes_left -= before - compiler.pattern_bytes_left;
        Ok(Expression { text: SmolStr::new(text), code: code?, slots: compiler.slots })
    }

    /// What holds the list that a path names, and the list's name: `Patient` and `name` of `Patient.name`. `None` if the
    /// path does not end with the name of an element.
    pub(super) fn compile_parent(text: &str, pattern_bytes_left: &mut usize) -> Result<Option<(Expression, SmolStr)>> {
        let Term::Name(input, name) = parse::parse(text)?.term else { return Ok(None) };
        let code = |compiler: &mut Compiler| input.map_or(Ok(Code::This), |input| compiler.compile(&input));
        Ok(Some((Expression::of(text, pattern_bytes_left, code)?, name)))
    }

    /// The name of the element that a path ends with, if it does.
    pub(super) fn last_name(text: &str) -> Option<SmolStr> {
        match parse::parse(text).ok()?.term {
            Term::Name(_, name) => Some(name),
            _ => None,
        }
    }

    /// The names of all elements through which it leads; `None`: it may lead through any.
    pub(super) fn names(&self) -> Option<HashSet<&str>> {
        let mut names = HashSet::new();
        self.code.names(&mut names).then_some(names)
    }

    /// As it was given.
    pub fn text(&self) -> &SmolStr {
        &self.text
    }

    /// Evaluates on one item, which is `%context`, too.
    ///
    /// # Errors
    /// What the language has as a fault, such as several items where one may be, and what is beyond the budget.
    pub fn evaluate<'a>(&self, context: &Item<'a>, variables: &Variables<'a>, budget: Budget) -> Result<Items<'a>> {
        Machine::new(context, variables, budget, self.slots).evaluate(&self.code)
    }

    /// Evaluates, and takes what it cost from the budget.
    pub(super) fn evaluate_spending<'a>(
        &self,
        context: &Item<'a>,
        variables: &Variables<'a>,
        budget: &mut Budget,
    ) -> Result<Items<'a>> {
        let machine = Machine::new(context, variables, *budget, self.slots);
        let found = machine.evaluate(&self.code);
        budget.steps = machine.steps_left();
        found
    }

    /// As [`Expression::holds`], and takes what it cost from the budget.
    ///
    /// # Errors
    /// As there.
    pub fn holds_spending<'a>(
        &self,
        context: &Item<'a>,
        variables: &Variables<'a>,
        budget: &mut Budget,
    ) -> Result<bool> {
        let machine = Machine::new(context, variables, *budget, self.slots);
        let holds = machine.holds(&self.code);
        budget.steps = machine.steps_left();
        holds
    }

    /// Whether an invariant holds: the result, taken as a boolean, is true. An empty result does not hold, as in HL7's
    /// validator; invariants that have nothing to say of an element are written so that they are true of it.
    ///
    /// # Errors
    /// As of [`Expression::evaluate`], and several items.
    pub fn holds<'a>(&self, context: &Item<'a>, variables: &Variables<'a>, budget: Budget) -> Result<bool> {
        Machine::new(context, variables, budget, self.slots).holds(&self.code)
    }
}

impl Debug for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}
