//! From the grammar's tree to code; what is unknown is refused here, before anything is evaluated.

use super::code::{Code, Function};
use super::item::{Item, Type};
use super::lex::fault;
use super::number;
use super::quantity::{Quantity, Unit};
use super::run::function;
use super::syntax::{Literal, Operator, Syntax, Term, TypeSpecifier};
use super::temporal::{CalendarUnit, Temporal};
use super::type_name::TypeName;
use crate::fhir::invalid::Result;
use smol_str::{SmolStr, format_smolstr};

/// FHIRPath's own types.
const SYSTEM_TYPES: [&str; 9] =
    ["Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity", "TypeInfo"];

pub(super) struct Compiler {
    /// Places for what is evaluated once.
    pub slots: usize,
    /// What regular expressions may still take (bytes).
    pub pattern_bytes_left: usize,
    /// Loops around what is compiled.
    loops: usize,
}

impl Compiler {
    /// With so much for all regular expressions (bytes).
    pub fn new(pattern_bytes: usize) -> Compiler {
        Compiler { slots: 0, pattern_bytes_left: pattern_bytes, loops: 0 }
    }

    pub fn compile(&mut self, syntax: &Syntax) -> Result<Code> {
        let slot = self.loops > 0 && is_constant(syntax) && is_costly(syntax);
        if !slot {
            return self.term(syntax);
        }
        let loops = std::mem::take(&mut self.loops);
        let code = self.term(syntax);
        self.loops = loops;
        self.slots += 1;
        Ok(Code::Once(self.slots - 1, code?.into()))
    }

    fn boxed(&mut self, syntax: &Syntax) -> Result<Box<Code>> {
        self.compile(syntax).map(Box::new)
    }

    fn input(&mut self, input: Option<&Syntax>) -> Result<Box<Code>> {
        input.map_or(Ok(Box::new(Code::This)), |input| self.boxed(input))
    }

    fn term(&mut self, syntax: &Syntax) -> Result<Code> {
        Ok(match &syntax.term {
            Term::Dollar(name) => match name.as_str() {
                "this" => Code::This,
                "index" => Code::Index,
                "total" => Code::Total,
                _ => return Err(fault(syntax.at, "of names with '$' there are `$this`, `$index` and `$total`.")),
            },
            Term::Variable(name) => variable(name),
            Term::Literal(literal) => constant(syntax.at, literal)?,
            Term::Name(None, name) => match TypeName::parse(name) {
                Some(type_name) if name.starts_with(|first: char| first.is_uppercase()) => Code::Root(type_name),
                _ => Code::Child(Code::This.into(), name.clone()),
            },
            Term::Name(Some(input), name) => Code::Child(self.boxed(input)?, name.clone()),
            Term::Call(input, name, arguments) => return self.call(syntax.at, input.as_deref(), name, arguments),
            Term::Index(input, index) => Code::At(self.boxed(input)?, self.boxed(index)?),
            Term::Negative(inner) => Code::Negative(self.boxed(inner)?),
            Term::Positive(inner) => Code::Positive(self.boxed(inner)?),
            Term::Is(input, specifier) => return self.is(Some(input), named(specifier)?),
            Term::As(input, specifier) => Code::As(self.boxed(input)?, named(specifier)?),
            Term::Binary(Operator::Union, ..) => {
                let mut members = Vec::new();
                for member in syntax.members() {
                    match self.compile(member)? {
                        Code::Union(inner) => members.extend(inner),
                        other => members.push(other),
                    }
                }
                Code::Union(members)
            }
            Term::Binary(operator, left, right) => Code::Binary(*operator, self.boxed(left)?, self.boxed(right)?),
        })
    }

    fn is(&mut self, input: Option<&Syntax>, of: Type) -> Result<Code> {
        if let Some(Syntax { term: Term::Call(reference, name, arguments), .. }) = input
            && let (Some(fhir), "resolve", true) = (of.fhir, name.as_str(), arguments.is_empty())
        {
            return Ok(Code::ResolvesTo(self.input(reference.as_deref())?, fhir));
        }
        Ok(Code::Is(self.input(input)?, of))
    }

    fn call(&mut self, at: usize, input: Option<&Syntax>, name: &str, arguments: &[Syntax]) -> Result<Code> {
        if let ("is" | "as" | "ofType", [of]) = (name, arguments) {
            let specifier = TypeSpecifier::of(of).ok_or_else(|| fault(of.at, "a type was expected."))?;
            let of = named(&specifier)?;
            return match name {
                "is" => self.is(input, of),
                "as" => Ok(Code::As(self.input(input)?, of)),
                _ => Ok(Code::OfType(self.input(input)?, of)),
            };
        }
        if let ("count", [], Some(Syntax { term: Term::Call(of, inner, none), .. })) = (name, arguments, input)
            && inner == "children"
            && none.is_empty()
        {
            return Ok(Code::ChildrenCount(self.input(of.as_deref())?));
        }
        let Some(known) = function(name) else {
            return Err(fault(at, &format!("there is no function `{name}`.")));
        };
        if !(known.arguments_min..=known.arguments_max).contains(&arguments.len()) {
            let count = match known.arguments_min == known.arguments_max {
                true => known.arguments_min.to_string(),
                false => format!("{} to {}", known.arguments_min, known.arguments_max),
            };
            return Err(fault(at, &format!("the function `{name}` takes {count} arguments.")));
        }
        let input = self.input(input)?;
        self.loops += usize::from(known.is_loop);
        let arguments = arguments.iter().enumerate().map(|(place, argument)| match (&argument.term, place) {
            (Term::Literal(Literal::String(text)), 0) if known.is_pattern => {
                let pattern = function::string::pattern(known.name, text, &mut self.pattern_bytes_left);
                pattern.map(|pattern| Code::Pattern(pattern.into())).map_err(|message| fault(argument.at, &message))
            }
            _ => self.compile(argument),
        });
        let arguments = arguments.collect::<Result<_>>();
        self.loops -= usize::from(known.is_loop);
        Ok(Code::Call(input, Function { name: known.name, native: known.native }, arguments?))
    }
}

/// Whether it is the same for each item of a loop: it begins with the resource, and asks nothing of the item.
fn is_constant(syntax: &Syntax) -> bool {
    match &syntax.term {
        Term::Variable(name) => matches!(name.as_str(), "resource" | "rootResource" | "context"),
        Term::Name(Some(input), _) | Term::Is(input, _) | Term::As(input, _) => is_constant(input),
        Term::Call(Some(input), name, arguments) => {
            let is_loop = function(name).is_none_or(|known| known.is_loop);
            is_constant(input) && (arguments.is_empty() || !is_loop && arguments.iter().all(is_fixed))
                || is_constant(input) && matches!(name.as_str(), "ofType" | "as" | "is")
        }
        Term::Binary(Operator::Union, ..) => syntax.members().into_iter().all(is_constant),
        _ => false,
    }
}

fn is_fixed(argument: &Syntax) -> bool {
    matches!(argument.term, Term::Literal(_))
}

/// Whether it is more than a look at a variable.
fn is_costly(syntax: &Syntax) -> bool {
    !matches!(syntax.term, Term::Variable(_))
}

fn variable(name: &SmolStr) -> Code {
    let text = |text: SmolStr| Code::Constant(Item::String(text));
    match name.as_str() {
        "resource" => Code::Resource,
        "rootResource" => Code::RootResource,
        "context" => Code::Context,
        "sct" => text(SmolStr::new_static("http://snomed.info/sct")),
        "loinc" => text(SmolStr::new_static("http://loinc.org")),
        "ucum" => text(SmolStr::new_static("http://unitsofmeasure.org")),
        other => match (other.strip_prefix("vs-"), other.strip_prefix("ext-")) {
            (Some(set), _) => text(format_smolstr!("http://hl7.org/fhir/ValueSet/{set}")),
            (_, Some(extension)) => text(format_smolstr!("http://hl7.org/fhir/StructureDefinition/{extension}")),
            (None, None) => Code::Variable(name.clone()),
        },
    }
}

fn constant(at: usize, literal: &Literal) -> Result<Code> {
    let item = match literal {
        Literal::Empty => return Ok(Code::Empty),
        Literal::Boolean(truth) => Some(Item::Boolean(*truth)),
        Literal::String(text) => Some(Item::String(text.clone())),
        Literal::Number(digits) if digits.contains('.') => number::decimal(digits).map(Item::Decimal),
        Literal::Number(digits) => digits.parse().ok().map(Item::Integer),
        Literal::Date(text) if text.contains('T') => Temporal::date_time(text).map(Item::Temporal),
        Literal::Date(text) => Temporal::date(text).map(Item::Temporal),
        Literal::Time(text) => Temporal::time(text).map(Item::Temporal),
        Literal::Quantity { digits, unit, is_word } => quantity(digits, unit, *is_word).map(Item::Quantity),
    };
    let message = "there is no such number, date, time or quantity.";
    item.map(Code::Constant).ok_or_else(|| fault(at, message))
}

fn quantity(digits: &str, unit: &SmolStr, is_word: bool) -> Option<Box<Quantity>> {
    let calendar = CalendarUnit::parse(unit);
    let unit = match calendar {
        Some(unit) => Unit::Calendar(unit),
        None if is_word => return None,
        None => Unit::Ucum(unit.clone()),
    };
    Some(Box::new(Quantity { value: number::decimal(digits)?, unit }))
}

/// # Errors
/// A name without namespace that is no type. A name that its namespace lacks is a type that nothing is of.
fn named(specifier: &TypeSpecifier) -> Result<Type> {
    let name = specifier.name.as_str();
    let fhir = TypeName::parse(name).filter(|_| specifier.namespace.as_deref() != Some("System"));
    let system = SYSTEM_TYPES.into_iter().find(|known| *known == name);
    let system = system.filter(|_| specifier.namespace.as_deref() != Some("FHIR"));
    if fhir.is_none() && system.is_none() && specifier.namespace.is_none() {
        return Err(fault(specifier.at, &format!("`{name}` is not a type of R4.")));
    }
    Ok(Type { fhir, system })
}
