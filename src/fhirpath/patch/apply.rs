//! Applying a patch, one operation after the other, each to what the one before has left.

use super::super::item::{Element, Item};
use super::super::value::{Kind, Value};
use super::super::{Budget, Expression, Variables};
use super::brought::{Brought, Placed};
use super::place::{self, Search, Spot, Step};
use super::{List, Misfit, Operation, Patch, misfit};
use crate::fhir::definitions::Node;
use crate::fhir::invalid::{Invalid, Result};
use crate::fhir::json::Json;
use smol_str::SmolStr;
use std::collections::HashSet;

/// What all paths of one patch together may cost (steps).
const STEPS_MAX: usize = 2_000_000;

/// A resource after a patch.
pub struct Patched {
    pub document: Json,
    /// The members at the top of the resource that operations changed, or something in them.
    pub touched: HashSet<SmolStr>,
}

impl Patch {
    /// Applies all operations, in order. Nesting deeper than `depth_max` (levels) is refused.
    pub fn apply(&self, document: Json, depth_max: usize) -> Result<Patched> {
        let budget = Budget { steps: STEPS_MAX, ..Budget::default() };
        let mut patching = Patching { document, depth_max, budget, touched: HashSet::new() };
        for (number, operation) in self.operations.iter().enumerate() {
            patching
                .step(operation)
                .map_err(|(part, invalid)| Invalid { expression: format!("patch[{number}].{part}"), ..invalid })?;
        }
        Ok(Patched { document: patching.document, touched: patching.touched })
    }
}

/// A document that is being patched.
struct Patching {
    document: Json,
    depth_max: usize,
    budget: Budget,
    touched: HashSet<SmolStr>,
}

/// What a path leads to: where it stands, and what has children there. No spot is the resource itself.
struct Target {
    spot: Option<Spot>,
    kind: Kind,
}

impl Target {
    fn node(&self) -> Node {
        match self.kind {
            Kind::Complex(node) => node,
            Kind::Primitive(_) => Node::element(),
        }
    }

    fn is_primitive(&self) -> bool {
        matches!(self.kind, Kind::Primitive(_))
    }

    /// The way to what holds its children.
    fn inside(&self) -> Vec<Step> {
        self.spot.as_ref().map_or_else(Vec::new, |spot| spot.inside(self.is_primitive()))
    }
}

impl Patching {
    fn step(&mut self, operation: &Operation) -> std::result::Result<(), Misfit> {
        match operation {
            Operation::Add { path, name, value } => self.add(path, name, value),
            Operation::Insert { list, index, value } => self.insert(list, *index, value),
            Operation::Delete { path } => self.delete(path),
            Operation::Replace { path, value, .. } => self.replace(path, value),
            Operation::Move { list, source, destination } => self.shift(list, *source, *destination),
        }
    }

    fn add(&mut self, path: &Expression, name: &str, value: &Brought) -> std::result::Result<(), Misfit> {
        let target = self.one(path)?.ok_or_else(nothing)?;
        let placed = placed(value, target.node(), name, "name")?;
        let way = self.open(&target);
        self.check_depth(&way, &placed)?;
        let touched = self.top(&target, placed.name);
        self.spend_on(&way, placed.name)?;
        let parent = place::object_mut(&mut self.document, &way).ok_or_else(nothing)?;
        let of = |key: &str| key == name || target.node().child(key).is_some_and(|one| one.choice == Some(name));
        let is_there = parent.iter().any(|(key, _)| of(key.strip_prefix('_').unwrap_or(key)));
        if !placed.is_list && is_there {
            return Err(misfit("name", format!("`{name}` is there already, and can be there only once. Replace it.")));
        }
        place::append(parent, placed);
        self.touched.insert(touched);
        Ok(())
    }

    fn insert(&mut self, list: &List, index: usize, value: &Brought) -> std::result::Result<(), Misfit> {
        let target = self.one(&list.parent)?.ok_or_else(nothing)?;
        let placed = placed(value, target.node(), &list.name, "value")?;
        if !placed.is_list {
            return Err(misfit("path", format!("`{}` is no list: add it, or replace it.", list.name)));
        }
        let way = self.open(&target);
        self.check_depth(&way, &placed)?;
        let touched = self.top(&target, placed.name);
        self.spend_on(&way, placed.name)?;
        let parent = place::object_mut(&mut self.document, &way).ok_or_else(nothing)?;
        let length = place::length(parent, placed.name);
        if index > length {
            return Err(misfit("index", format!("The list has {length} items: the index is at most that.")));
        }
        place::insert(parent, placed, index);
        self.touched.insert(touched);
        Ok(())
    }

    /// What is not there is deleted already.
    fn delete(&mut self, path: &Expression) -> std::result::Result<(), Misfit> {
        let Some(target) = self.one(path)? else { return Ok(()) };
        let spot = target.spot.ok_or_else(whole)?;
        self.spend_on(&spot.parent, &spot.name)?;
        let parent = place::object_mut(&mut self.document, &spot.parent).ok_or_else(nothing)?;
        place::take(parent, &spot.name, spot.index);
        place::prune(&mut self.document, &spot.parent);
        self.touched.insert(spot.top());
        Ok(())
    }

    fn replace(&mut self, path: &Expression, value: &Brought) -> std::result::Result<(), Misfit> {
        let target = self.one(path)?.ok_or_else(nothing)?;
        let spot = target.spot.ok_or_else(whole)?;
        let node = spot.node;
        let choice = node.child(&spot.name).and_then(|element| element.choice);
        let placed = placed(value, node, choice.unwrap_or(&spot.name), "value")?;
        self.check_depth(&spot.parent, &placed)?;
        self.spend_on(&spot.parent, &spot.name)?;
        let parent = place::object_mut(&mut self.document, &spot.parent).ok_or_else(nothing)?;
        place::replace(parent, &spot, placed);
        self.touched.insert(spot.top());
        Ok(())
    }

    fn shift(&mut self, list: &List, source: usize, destination: usize) -> std::result::Result<(), Misfit> {
        let target = self.one(&list.parent)?.ok_or_else(nothing)?;
        let element = target.node().child(&list.name).filter(|element| element.is_list);
        let element = element.ok_or_else(|| misfit("path", format!("`{}` is no list.", list.name)))?;
        let way = target.inside();
        let touched = self.top(&target, element.name);
        self.spend_on(&way, element.name)?;
        let parent = place::object_mut(&mut self.document, &way).ok_or_else(nothing)?;
        let length = place::length(parent, element.name);
        for (part, place) in [("source", source), ("destination", destination)] {
            if place >= length {
                return Err(misfit(
                    part,
                    format!("The list has {length} items: there is no place {place}, from 0 on."),
                ));
            }
        }
        let (json, beside) = place::take(parent, element.name, Some(source));
        place::insert(parent, Placed { name: element.name, is_list: true, json, beside }, destination);
        self.touched.insert(touched);
        Ok(())
    }

    /// The only element that a path leads to, if it leads to any.
    fn one(&mut self, path: &Expression) -> std::result::Result<Option<Target>, Misfit> {
        let resource =
            Value::resource(&self.document).ok_or_else(|| misfit("path", "What is patched is no resource of R4."))?;
        let variables = Variables { is_strict: true, ..Variables::of(resource) };
        let found = path
            .evaluate_spending(&resource.into(), &variables, &mut self.budget)
            .map_err(|invalid| ("path", invalid))?;
        let element = match found.as_slice() {
            [] => return Ok(None),
            [Item::Element(element)] => *element,
            [_] => return Err(misfit("path", "The path leads to a value that is computed, not to an element.")),
            several => {
                let message = format!("The path leads to {} elements, and must lead to one. Say which.", several.len());
                return Err(misfit("path", message));
            }
        };
        let (target, visited) = self.target(element, path)?;
        drop(found);
        self.spend(visited)?;
        Ok(Some(target))
    }

    /// What is found, and what it took to find where it stands (steps).
    fn target(&self, element: Element<'_>, path: &Expression) -> std::result::Result<(Target, usize), Misfit> {
        if std::ptr::eq(element.json, &raw const self.document) {
            return Ok((Target { spot: None, kind: element.kind }, 0));
        }
        let root = Value::resource(&self.document).and_then(|resource| match resource.kind {
            Kind::Complex(node) => Some(node),
            Kind::Primitive(_) => None,
        });
        let mut search = Search { element: &element, names: path.names(), visited: 0 };
        let spot = root.and_then(|root| search.locate(&self.document, root));
        let spot = spot.ok_or_else(|| misfit("path", "The path leads to something that is not in this resource."))?;
        Ok((Target { spot: Some(spot), kind: element.kind }, search.visited))
    }

    /// Takes from what all operations together may cost.
    fn spend(&mut self, steps: usize) -> std::result::Result<(), Misfit> {
        self.budget.steps = self.budget.steps.checked_sub(steps).ok_or_else(|| {
            let message = format!("The paths of the patch take more than {STEPS_MAX} steps together. Send several.");
            ("path", Invalid::bound(message))
        })?;
        Ok(())
    }

    /// Counts what it takes to change a member of the object at the end of a way.
    fn spend_on(&mut self, way: &[Step], name: &str) -> std::result::Result<(), Misfit> {
        let cost = place::object_mut(&mut self.document, way).map_or(0, |parent| place::cost(parent, name));
        self.spend(cost)
    }

    /// The way to what holds the children of a target; beside a primitive, it is made.
    fn open(&mut self, target: &Target) -> Vec<Step> {
        if let Some(spot) = target.spot.as_ref().filter(|_| target.is_primitive())
            && let Some(parent) = place::object_mut(&mut self.document, &spot.parent)
        {
            place::ensure_beside(parent, &spot.name, spot.index);
        }
        target.inside()
    }

    fn top(&self, target: &Target, name: &str) -> SmolStr {
        target.spot.as_ref().map_or_else(|| SmolStr::new(name), Spot::top)
    }

    /// Checked at each step: what is nested too deep could not even be measured later.
    fn check_depth(&self, way: &[Step], placed: &Placed) -> std::result::Result<(), Misfit> {
        let value = [&placed.json, &placed.beside].into_iter().flatten().map(depth).max().unwrap_or(0);
        if way.len() + 2 + value <= self.depth_max {
            return Ok(());
        }
        let message =
            format!("The resource would be nested deeper than {} levels, the most that is kept.", self.depth_max);
        Err(("path", Invalid::bound(message)))
    }
}

fn placed(value: &Brought, node: Node, name: &str, part: &'static str) -> std::result::Result<Placed, Misfit> {
    value.place(node, name).map_err(|message| misfit(if node.child(name).is_some() { "value" } else { part }, message))
}

fn nothing() -> Misfit {
    misfit("path", "There is nothing at this path.")
}

fn whole() -> Misfit {
    misfit("path", "The path leads to the resource itself: a patch changes elements of it.")
}

/// Levels of objects and arrays in a value.
fn depth(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(object) => 1 + object.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    }
}
