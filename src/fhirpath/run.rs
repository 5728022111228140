//! Evaluating code: each step gives a collection, and counts against the budget.

pub(super) mod function;
mod operator;
mod xhtml;

use super::code::Code;
use super::equal;
use super::expression::{Budget, Variables};
use super::item::{Element, Item, Items, Name, Type};
use super::meter::Meter;
use super::syntax::Operator;
use super::type_name::TypeName;
use super::walk;
use crate::fhir::invalid::{Invalid, Result};
use crate::fhir::json::Object;
use smallvec::smallvec;
use std::cell::OnceCell;

pub(super) use function::string::{PATTERN_BYTES_MAX, Pattern};
pub(super) use function::{Native, function};

/// More members than an object of R4 has.
const WIDE: usize = 128;

/// One evaluation.
pub(super) struct Machine<'m, 'a> {
    context: &'m Item<'a>,
    variables: &'m Variables<'a>,
    meter: Meter,
    once: Vec<OnceCell<Items<'a>>>,
}

/// What `$this`, `$index` and `$total` stand for.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s, 'a> {
    /// One item, or none.
    pub this: &'s [Item<'a>],
    pub index: Option<usize>,
    pub total: Option<&'s Items<'a>>,
}

/// A fault of an evaluation.
pub(super) fn fault(message: impl Into<String>) -> Invalid {
    Invalid::unprocessable("", format!("FHIRPath: {}", message.into()))
}

impl<'m, 'a> Machine<'m, 'a> {
    pub fn new(context: &'m Item<'a>, variables: &'m Variables<'a>, budget: Budget, slots: usize) -> Self {
        let once = (0..slots).map(|_| OnceCell::new()).collect();
        Machine { context, variables, meter: Meter::new(budget), once }
    }

    pub fn evaluate(&self, code: &Code) -> Result<Items<'a>> {
        self.run(code, self.outermost())
    }

    pub fn holds(&self, code: &Code) -> Result<bool> {
        Ok(self.truth(code, self.outermost())?.unwrap_or(false))
    }

    pub fn steps_left(&self) -> usize {
        self.meter.steps_left()
    }

    fn outermost(&self) -> Scope<'m, 'a> {
        Scope { this: std::slice::from_ref(self.context), index: None, total: None }
    }

    /// Counts steps.
    pub fn spend(&self, steps: usize) -> Result<()> {
        self.meter.spend(steps)
    }

    pub fn run(&self, code: &Code, scope: Scope<'_, 'a>) -> Result<Items<'a>> {
        self.spend(1)?;
        match code {
            Code::This => Ok(scope.this.iter().cloned().collect()),
            Code::Child(input, name) => self.child(input, name, scope),
            Code::Call(input, function, arguments) => {
                let input = self.run(input, scope)?;
                (function.native)(Call { machine: self, name: function.name, input, arguments, scope: &scope })
            }
            Code::Constant(item) => Ok(smallvec![item.clone()]),
            Code::Binary(operator, left, right) => self.binary(*operator, left, right, scope),
            Code::Union(members) => self.union(members, scope),
            Code::Empty => Ok(Items::new()),
            Code::Root(type_name) => self.root(*type_name, scope),
            Code::At(input, index) => self.at(input, index, scope),
            Code::Once(slot, inner) => self.once(*slot, inner, scope),
            Code::Is(input, of) => self.is(input, *of, scope),
            Code::As(input, of) | Code::OfType(input, of) => {
                let mut items = self.run(input, scope)?;
                items.retain(|item| of.casts(item));
                Ok(items)
            }
            other => self.rare(other, scope),
        }
    }

    /// Apart, so that the frames of what nests are small.
    fn rare(&self, code: &Code, scope: Scope<'_, 'a>) -> Result<Items<'a>> {
        match code {
            Code::Index => {
                Ok(scope.index.and_then(|index| i32::try_from(index).ok()).map(Item::Integer).into_iter().collect())
            }
            Code::Total => {
                let total = scope.total.map_or(&[][..], |total| total.as_slice());
                self.spend(total.len())?;
                Ok(total.iter().cloned().collect())
            }
            Code::Resource => Ok(smallvec![self.variables.resource.into()]),
            Code::RootResource => Ok(smallvec![self.variables.root_resource.into()]),
            Code::Context => Ok(smallvec![self.context.clone()]),
            Code::Variable(name) => {
                let named = self.variables.named.iter().filter(|(known, _)| known == name);
                let found: Items<'a> = named.map(|(_, item)| item.clone()).collect();
                match found.is_empty() {
                    true => Err(fault(format!("there is no variable `%{name}`."))),
                    false => Ok(found),
                }
            }
            Code::ChildrenCount(input) => self.children_count(input, scope),
            Code::Negative(inner) => self.signed(inner, true, scope),
            Code::Positive(inner) => self.signed(inner, false, scope),
            Code::ResolvesTo(input, target) => self.resolves_to(input, *target, scope),
            _ => Err(fault("a pattern stands alone.")),
        }
    }

    fn child(&self, input: &Code, name: &str, scope: Scope<'_, 'a>) -> Result<Items<'a>> {
        let mut found = Items::new();
        match input {
            // Without a copy of the item.
            Code::This => self.children_of(scope.this, name, &mut found)?,
            other => self.children_of(&self.run(other, scope)?, name, &mut found)?,
        }
        self.spend(found.len())?;
        Ok(found)
    }

    fn children_of(&self, items: &[Item<'a>], name: &str, found: &mut Items<'a>) -> Result<()> {
        for item in items {
            let known = match item {
                Item::Element(element) => {
                    self.look_into(element)?;
                    element.each(name, &mut |child| found.push(Item::Element(child)))
                }
                Item::Type(namespace, type_name) => {
                    let text = match name {
                        "namespace" => Some(*namespace),
                        "name" => Some(*type_name),
                        _ => None,
                    };
                    found.extend(text.map(|text| Item::String(text.into())));
                    Name::Known
                }
                // `unit` and `value` of a computed quantity, and all else, have no elements.
                _ => Name::Unknown,
            };
            match known {
                Name::Known => {}
                Name::Unknown if !self.variables.is_strict => {}
                Name::Unknown => return Err(fault(format!("{} has no element `{name}`.", item.type_name().1))),
                Name::Concrete => {
                    let message =
                        format!("`{name}` is how JSON names the element; FHIRPath names it without its type.");
                    return Err(fault(message));
                }
            }
        }
        Ok(())
    }

    /// Counts what it takes to find a member of an element.
    pub fn look_into(&self, element: &Element<'a>) -> Result<()> {
        self.meter.look_among(element.object().map_or(0, Object::len))
    }

    /// All children of an element; each may be looked for among all members.
    pub fn children(&self, element: &Element<'a>, found: &mut impl FnMut(Element<'a>)) -> Result<()> {
        let mut count = 0usize;
        element.children(&mut |child| {
            count += 1;
            found(child);
        });
        self.spend(count)?;
        let members = element.object().map_or(0, Object::len);
        self.meter.look_among(members.saturating_mul(if members > WIDE { count.saturating_add(1) } else { 1 }))
    }

    fn children_count(&self, input: &Code, scope: Scope<'_, 'a>) -> Result<Items<'a>> {
        let mut count = 0usize;
        let mut counted = |items: &[Item<'a>]| {
            items.iter().filter_map(Item::element).try_for_each(|element| self.children(&element, &mut |_| count += 1))
        };
        match input {
            Code::This => counted(scope.this)?,
            other => counted(&self.run(other, scope)?)?,
        }
        Ok(smallvec![Item::Integer(i32::try_from(count).unwrap_or(i32::MAX))])
    }

    fn root(&self, type_name: TypeName, scope: Scope<'_, 'a>) -> Result<Items<'a>> {
        let fits = |item: &&Item<'a>| matches!(item.type_name(), ("FHIR", name) if type_name.covers(name));
        let found: Items<'a> = scope.this.iter().filter(fits).cloned().collect();
        if found.is_empty() && self.variables.is_strict {
            return Err(fault(format!("it begins with {}, but is evaluated on something else.", type_name.as_str())));
        }
        Ok(found)
    }

    fn at(&self, input: &Code, index: &Code, scope: Scope<'_, 'a>) -> Result<Items<'a>> {
        let items = self.run(input, scope)?;
        let index = operator::integer(&self.run(index, scope)?, "an index")?;
        let place = index.and_then(|index| usize::try_from(index).ok());
        Ok(place.and_then(|place| items.into_iter().nth(place)).into_iter().collect())
    }

    fn once(&self, slot: usize, inner: &Code, scope: Scope<'_, 'a>) -> Result<Items<'a>> {
        let Some(cell) = self.once.get(slot) else { return self.run(inner, scope) };
        if let Some(items) = cell.get() {
            self.spend(items.len())?;
            return Ok(items.clone());
        }
        let items = self.run(inner, scope)?;
        let _ = cell.set(items.clone());
        Ok(items)
    }

    fn is(&self, input: &Code, of: Type, scope: Scope<'_, 'a>) -> Result<Items<'a>> {
        let items = self.run(input, scope)?;
        Ok(operator::single(&items, "`is`")?.map(|item| Item::Boolean(of.covers(item))).into_iter().collect())
    }

    fn resolves_to(&self, input: &Code, target: TypeName, scope: Scope<'_, 'a>) -> Result<Items<'a>> {
        let items = self.run(input, scope)?;
        let Some(reference) = operator::single(&items, "`is`")?.and_then(Item::element) else {
            return Ok(Items::new());
        };
        let resolved = self.resolved(&Item::Element(reference))?;
        let truth = match resolved {
            Some(found) => target.covers(found.type_name()),
            None => walk::resolves_to(reference.value(), self.variables.root_resource, target),
        };
        Ok(smallvec![Item::Boolean(truth)])
    }

    fn union(&self, members: &[Code], scope: Scope<'_, 'a>) -> Result<Items<'a>> {
        let mut all = Items::new();
        for member in members {
            all.extend(self.run(member, scope)?);
        }
        equal::distinct(all, &self.meter)
    }

    /// What code says as a condition: one boolean is itself, one other item is true, none is `None`.
    pub fn truth(&self, code: &Code, scope: Scope<'_, 'a>) -> Result<Option<bool>> {
        if let Code::Binary(
            operator @ (Operator::And | Operator::Or | Operator::Xor | Operator::Implies),
            left,
            right,
        ) = code
        {
            self.spend(1)?;
            return self.logic(*operator, left, right, scope);
        }
        operator::truth(&self.run(code, scope)?)
    }
}

/// A function that is called.
pub(super) struct Call<'c, 'a> {
    pub machine: &'c Machine<'c, 'a>,
    pub name: &'static str,
    pub input: Items<'a>,
    pub arguments: &'c [Code],
    pub scope: &'c Scope<'c, 'a>,
}

impl<'a> Call<'_, 'a> {
    /// An argument, evaluated where the call stands. Empty if it was not given.
    pub fn argument(&self, place: usize) -> Result<Items<'a>> {
        self.arguments.get(place).map_or(Ok(Items::new()), |code| self.machine.run(code, *self.scope))
    }

    pub fn has_argument(&self, place: usize) -> bool {
        self.arguments.len() > place
    }

    /// An argument evaluated on an item of the input.
    pub fn of_item(&self, place: usize, index: usize, item: &Item<'a>) -> Result<Items<'a>> {
        let scope = Scope { this: std::slice::from_ref(item), index: Some(index), ..*self.scope };
        self.arguments.get(place).map_or(Ok(Items::new()), |code| self.machine.run(code, scope))
    }

    /// An argument as a condition on an item of the input.
    pub fn truth_of_item(&self, index: usize, item: &Item<'a>) -> Result<Option<bool>> {
        let scope = Scope { this: std::slice::from_ref(item), index: Some(index), ..*self.scope };
        self.arguments.first().map_or(Ok(None), |code| self.machine.truth(code, scope))
    }

    /// The only item of the input.
    ///
    /// # Errors
    /// Several items.
    pub fn single(&self) -> Result<Option<&Item<'a>>> {
        operator::single(&self.input, self.name)
    }

    pub fn fault(&self, message: &str) -> Invalid {
        fault(format!("`{}()`: {message}", self.name))
    }
}

/// A collection of one boolean.
pub(super) fn boolean<'a>(truth: bool) -> Result<Items<'a>> {
    Ok(smallvec![Item::Boolean(truth)])
}

/// A collection of one item or none.
pub(super) fn optional<'a>(item: Option<Item<'a>>) -> Result<Items<'a>> {
    Ok(item.into_iter().collect())
}
