//! Where in a resource an element stands, and changing what stands there: a primitive's value and what is beside it together.

use super::super::item::Element;
use super::super::value::Kind;
use super::brought::Placed;
use crate::fhir::definitions::{Element as Definition, Node};
use crate::fhir::json::{Json, Object};
use smol_str::{SmolStr, format_smolstr};
use std::collections::HashSet;

/// Members and items that are passed over or moved count one step for so many.
const MEMBERS_A_STEP: usize = 16;

/// An element by the object that holds it, its JSON name there, and which it is in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub parent: Vec<Step>,
    /// What that object is.
    pub node: Node,
    pub name: SmolStr,
    pub index: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Member(SmolStr),
    Item(usize),
}

impl Spot {
    /// The member at the top of the resource that it is in.
    pub fn top(&self) -> SmolStr {
        match self.parent.first() {
            Some(Step::Member(name)) => name.strip_prefix('_').map_or_else(|| name.clone(), SmolStr::new),
            _ => self.name.clone(),
        }
    }

    /// The way to the element itself. Of a primitive, to what stands beside it.
    pub fn inside(&self, is_primitive: bool) -> Vec<Step> {
        let name = if is_primitive { beside(&self.name) } else { self.name.clone() };
        let mut way = self.parent.clone();
        way.push(Step::Member(name));
        way.extend(self.index.map(Step::Item));
        way
    }
}

/// The name of what stands beside a primitive.
fn beside(name: &str) -> SmolStr {
    format_smolstr!("_{name}")
}

/// A look for where an element of a document stands.
pub(super) struct Search<'s, 'e> {
    pub element: &'s Element<'e>,
    /// The names of elements through which the way leads, a choice's without its type; `None`: any.
    pub names: Option<HashSet<&'s str>>,
    /// Elements that were looked at.
    pub visited: usize,
}

impl Search<'_, '_> {
    /// `None` for the document itself and for what is not in it.
    pub fn locate(&mut self, document: &Json, root: Node) -> Option<Spot> {
        self.within(document, root, &mut Vec::new())
    }

    fn leads_through(&self, name: &str, definition: &Definition) -> bool {
        let Some(names) = &self.names else { return true };
        names.contains(name) || definition.choice.is_some_and(|choice| names.contains(choice))
    }

    fn within(&mut self, json: &Json, node: Node, way: &mut Vec<Step>) -> Option<Spot> {
        let object = json.as_object()?;
        self.visited += 1 + object.len() / MEMBERS_A_STEP;
        for (key, value) in object.iter() {
            let plain = key.strip_prefix('_').unwrap_or(key);
            let definition = node.child(plain).filter(|definition| self.leads_through(plain, definition));
            let Some(definition) = definition else { continue };
            let is_list = matches!(value, Json::Array(_));
            for (place, item) in value.items().iter().enumerate() {
                let index = is_list.then_some(place);
                self.visited += 1;
                let element = self.element;
                if std::ptr::eq(item, element.json) || element.beside.is_some_and(|beside| std::ptr::eq(item, beside)) {
                    return Some(Spot { parent: way.clone(), node, name: SmolStr::new(plain), index });
                }
                let inner = match Kind::of(item, definition.kind) {
                    Some(Kind::Complex(inner)) => inner,
                    Some(Kind::Primitive(_)) => Node::element(),
                    None => continue,
                };
                let before = way.len();
                way.push(Step::Member(SmolStr::new(key)));
                way.extend(index.map(Step::Item));
                if let Some(found) = self.within(item, inner, way) {
                    return Some(found);
                }
                way.truncate(before);
            }
        }
        None
    }
}

/// How much is looked at or moved to change a member of an object (steps).
pub(super) fn cost(parent: &Object, name: &str) -> usize {
    (parent.len() + length(parent, name)) / MEMBERS_A_STEP
}

/// The object at the end of a way. `None` if there is none.
pub(super) fn object_mut<'d>(document: &'d mut Json, way: &[Step]) -> Option<&'d mut Object> {
    let found = way.iter().try_fold(document, |at, step| match (at, step) {
        (Json::Object(object), Step::Member(name)) => object.get_mut(name),
        (Json::Array(items), Step::Item(place)) => items.get_mut(*place),
        _ => None,
    })?;
    match found {
        Json::Object(object) => Some(object),
        _ => None,
    }
}

/// Makes sure that beside a primitive an object stands.
pub(super) fn ensure_beside(parent: &mut Object, name: &str, index: Option<usize>) {
    let key = beside(name);
    let Some(index) = index else {
        if parent.get(&key).is_none() {
            parent.push(key, Json::Object(Object::new()));
        }
        return;
    };
    let mut items = take_items(parent, &key);
    items.resize(items.len().max(index + 1), Json::Null);
    if let Some(item) = items.get_mut(index).filter(|item| **item == Json::Null) {
        *item = Json::Object(Object::new());
    }
    set(parent, &key, Json::Array(items));
}

/// How many items a list has.
pub(super) fn length(parent: &Object, name: &str) -> usize {
    let count = |name: &str| parent.get(name).map_or(0, |json| json.items().len());
    count(name).max(count(&beside(name)))
}

/// Puts a value at its place, behind what is in the list.
pub(super) fn append(parent: &mut Object, placed: Placed) {
    let index = length(parent, placed.name);
    insert(parent, placed, index);
}

/// Puts a value into its list at an index, or where one may be, in its place.
pub(super) fn insert(parent: &mut Object, placed: Placed, index: usize) {
    let Placed { name, is_list, json, beside: extra } = placed;
    if !is_list {
        json.into_iter().for_each(|json| set(parent, name, json));
        extra.into_iter().for_each(|extra| set(parent, &beside(name), extra));
        return;
    }
    let before = length(parent, name);
    for (key, value) in [(SmolStr::new_static(name), json), (beside(name), extra)] {
        if value.is_none() && parent.get(&key).is_none() {
            continue;
        }
        let mut items = take_items(parent, &key);
        items.resize(before, Json::Null);
        items.insert(index.min(before), value.unwrap_or(Json::Null));
        set_list(parent, &key, items);
    }
}

/// Puts a value where an element stands. One of a choice may have another name than what it replaces.
pub(super) fn replace(parent: &mut Object, spot: &Spot, placed: Placed) {
    if let Some(index) = spot.index {
        take(parent, &spot.name, spot.index);
        return insert(parent, placed, index);
    }
    let keys = [spot.name.clone(), beside(&spot.name)];
    let position = keys.iter().filter_map(|key| parent.position(key)).min().unwrap_or(parent.len());
    keys.iter().for_each(|key| drop(parent.remove(key)));
    placed.json.into_iter().for_each(|json| parent.set_at(position, placed.name, json));
    placed.beside.into_iter().for_each(|extra| set(parent, &beside(placed.name), extra));
}

/// Takes an element out: its value, and what stands beside it.
pub(super) fn take(parent: &mut Object, name: &str, index: Option<usize>) -> (Option<Json>, Option<Json>) {
    let mut one = |key: &str| {
        let Some(index) = index else { return parent.remove(key) };
        parent.get(key)?;
        let mut items = take_items(parent, key);
        let taken = (index < items.len()).then(|| items.remove(index)).filter(|json| *json != Json::Null);
        set_list(parent, key, items);
        taken
    };
    (one(name), one(&beside(name)))
}

/// The items of a member; it stays where it is, empty.
fn take_items(parent: &mut Object, key: &str) -> Vec<Json> {
    match parent.get_mut(key).map(|json| std::mem::replace(json, Json::Array(Vec::new()))) {
        Some(Json::Array(items)) => items,
        Some(other) => vec![other],
        None => Vec::new(),
    }
}

/// A list without anything in it is left out: FHIR has no empty ones.
fn set_list(parent: &mut Object, key: &str, items: Vec<Json>) {
    match items.iter().all(|item| *item == Json::Null) {
        true => drop(parent.remove(key)),
        false => set(parent, key, Json::Array(items)),
    }
}

fn set(parent: &mut Object, key: &str, value: Json) {
    match parent.get_mut(key) {
        Some(present) => *present = value,
        None => parent.push(SmolStr::new(key), value),
    }
}

/// Leaves out what became empty on the way to an element that was taken, from the inside out.
pub(super) fn prune(document: &mut Json, way: &[Step]) {
    let mut way = way.to_vec();
    while !way.is_empty() {
        if object_mut(document, &way).is_none_or(|object| !object.is_empty()) {
            return;
        }
        let index = match way.last() {
            Some(Step::Item(index)) => Some(*index),
            _ => None,
        };
        way.truncate(way.len() - usize::from(index.is_some()));
        let Some(Step::Member(name)) = way.pop() else { return };
        let Some(parent) = object_mut(document, &way) else { return };
        match name.strip_prefix('_') {
            // Beside a value, nothing is left.
            Some(_) => match index {
                None => drop(parent.remove(&name)),
                Some(index) => {
                    let mut items = take_items(parent, &name);
                    if let Some(item) = items.get_mut(index) {
                        *item = Json::Null;
                    }
                    set_list(parent, &name, items);
                }
            },
            None => drop(take(parent, &name, index)),
        }
    }
}
