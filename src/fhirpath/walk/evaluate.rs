//! The values that an expression finds. <http://hl7.org/fhirpath/N1/>

use super::super::type_name::TypeName;
use super::super::value::{Kind, Value};
use super::node::Node;
use crate::fhir::definitions::{PrimitiveType, ResourceType};
use crate::fhir::json::Json;
use std::cell::Cell;

static TRUE: Json = Json::Bool(true);
static FALSE: Json = Json::Bool(false);

/// What one walk over one resource may still do. An expression can ask of each element all others, and of these again:
/// it ends here.
pub struct Steps {
    left: Cell<usize>,
}

/// At most so many values are looked at for one search parameter in one resource (steps). The largest List that fits into
/// a request takes about a million; this many take less than a second.
const STEPS_MAX: usize = 10_000_000;

impl Default for Steps {
    fn default() -> Self {
        Steps { left: Cell::new(STEPS_MAX) }
    }
}

impl Steps {
    /// Whether a walk ended before it had found all.
    pub fn are_spent(&self) -> bool {
        self.left.get() == 0
    }

    /// Counts; whether it may go on.
    fn spend(&self, steps: usize) -> bool {
        self.left.set(self.left.get().saturating_sub(steps));
        !self.are_spent()
    }
}

/// What `$this` and `%resource` stand for.
#[derive(Clone, Copy)]
pub(super) struct Frame<'s, 'a> {
    pub this: Value<'a>,
    pub resource: Value<'a>,
    pub steps: &'s Steps,
}

/// The values of an expression as far as most operators want to know them.
enum Found<'a> {
    Nothing,
    One(Value<'a>),
    Many,
}

impl Node {
    pub fn evaluate<'a>(&'a self, frame: Frame<'_, 'a>, found: &mut dyn FnMut(Value<'a>)) {
        if !frame.steps.spend(1) {
            return;
        }
        match self {
            Node::This => found(frame.this),
            Node::Resource => found(frame.resource),
            Node::Root(type_name) if type_name.covers(frame.this.type_name()) => found(frame.this),
            Node::Root(_) => {}
            Node::Literal(json) => found(Value { json, kind: kind_of(json) }),
            Node::Child(input, name) => input.evaluate(frame, &mut |value| {
                if frame.steps.spend(1) {
                    value.each(name, found);
                }
            }),
            Node::Extension(input, url) => input.evaluate(frame, &mut |value| {
                frame.steps.spend(1);
                value.children("extension").filter(|one| one.child_str("url") == Some(url)).for_each(&mut *found);
            }),
            Node::Where(input, condition) => input.evaluate(frame, &mut |this| {
                if condition.truth(Frame { this, ..frame }) == Some(true) {
                    found(this);
                }
            }),
            Node::As(input, type_name) => input.evaluate(frame, &mut |value| {
                if type_name.covers(value.type_name()) {
                    found(value);
                }
            }),
            Node::Index(input, index) => {
                let mut place = 0;
                input.evaluate(frame, &mut |value| {
                    if place == *index {
                        found(value);
                    }
                    place += 1;
                });
            }
            // Duplicates stay: nothing that is supported here can tell.
            Node::Union(members) => members.iter().for_each(|member| member.evaluate(frame, found)),
            Node::Is(..) | Node::ResolvesTo(..) | Node::Exists(_) | Node::Not(_) | Node::Equal(..) => {
                self.truth(frame).into_iter().for_each(|truth| found(boolean(truth)));
            }
            Node::And(..) | Node::Or(..) => self.truth(frame).into_iter().for_each(|truth| found(boolean(truth))),
        }
    }

    /// What it says as a condition; `None` where FHIRPath has the empty collection.
    fn truth<'a>(&'a self, frame: Frame<'_, 'a>) -> Option<bool> {
        match self {
            Node::Is(input, type_name) => input.one(frame).map(|value| type_name.covers(value.type_name())),
            Node::ResolvesTo(input, target) => {
                frame.steps.spend(
                    frame.resource.object().and_then(|one| one.get("contained")).map_or(0, |all| all.items().len()),
                );
                input.one(frame).map(|reference| resolves_to(reference, frame.resource, *target))
            }
            Node::Exists(input) => Some(!matches!(input.found(frame), Found::Nothing)),
            Node::Not(input) => input.truth(frame).map(|truth| !truth),
            Node::Equal(left, right) => equal(left, right, frame),
            Node::And(left, right) => match (left.truth(frame), right.truth(frame)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Node::Or(left, right) => match (left.truth(frame), right.truth(frame)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            // A single value that is no boolean counts as true.
            _ => self.one(frame).map(|value| *value.json != FALSE),
        }
    }

    fn found<'a>(&'a self, frame: Frame<'_, 'a>) -> Found<'a> {
        let mut all = Found::Nothing;
        self.evaluate(frame, &mut |value| {
            all = if matches!(all, Found::Nothing) { Found::One(value) } else { Found::Many };
        });
        all
    }

    fn one<'a>(&'a self, frame: Frame<'_, 'a>) -> Option<Value<'a>> {
        match self.found(frame) {
            Found::One(value) => Some(value),
            Found::Nothing | Found::Many => None,
        }
    }

    fn all<'a>(&'a self, frame: Frame<'_, 'a>) -> Vec<&'a Json> {
        let mut all = Vec::new();
        self.evaluate(frame, &mut |value| all.push(value.json));
        all
    }
}

fn boolean(truth: bool) -> Value<'static> {
    Value { json: if truth { &TRUE } else { &FALSE }, kind: Kind::Primitive(PrimitiveType::Boolean) }
}

fn kind_of(literal: &Json) -> Kind {
    Kind::Primitive(match literal {
        Json::Number(_) => PrimitiveType::Decimal,
        Json::Bool(_) => PrimitiveType::Boolean,
        _ => PrimitiveType::String,
    })
}

fn equal<'a>(left: &'a Node, right: &'a Node, frame: Frame<'_, 'a>) -> Option<bool> {
    match (left.found(frame), right.found(frame)) {
        (Found::Nothing, _) | (_, Found::Nothing) => None,
        (Found::One(left), Found::One(right)) => Some(is_same(left.json, right.json, frame.steps)),
        (Found::Many, Found::Many) => {
            let (left, right) = (left.all(frame), right.all(frame));
            Some(
                left.len() == right.len()
                    && left.iter().zip(right).all(|(left, right)| is_same(left, right, frame.steps)),
            )
        }
        _ => Some(false),
    }
}

/// `1.0` is the same number as `1`.
fn is_same(left: &Json, right: &Json, steps: &Steps) -> bool {
    match (left, right) {
        (Json::Object(_), Json::Object(_)) => {
            let mut count = |values: usize, bytes: usize| steps.spend(values + bytes / 64).then_some(()).ok_or(());
            left.means_same_counting(right, &mut count) == Ok(true)
        }
        (Json::Number(left), Json::Number(right)) => left == right || left.parse::<f64>() == right.parse::<f64>(),
        _ => left == right,
    }
}

/// Whether a reference, canonical or uri leads to a resource of the type, as far as it says itself: nothing is looked up.
pub(in super::super) fn resolves_to(reference: Value<'_>, resource: Value<'_>, target: TypeName) -> bool {
    let text = reference.as_str().or_else(|| reference.child_str("reference")).unwrap_or_default();
    let said = match text.strip_prefix('#') {
        Some(id) => contained_type(resource, id),
        None => type_in(text),
    };
    said.or_else(|| reference.child_str("type")).is_some_and(|said| target.covers(said))
}

fn contained_type<'a>(resource: Value<'a>, id: &str) -> Option<&'a str> {
    if id.is_empty() {
        return Some(resource.type_name());
    }
    let contained = resource.children("contained").find(|one| one.child_str("id") == Some(id));
    contained.map(|one| one.type_name())
}

/// The type in `Type/id`, `Type/id/_history/1`, `Type?name=value` and in the addresses that end with such.
fn type_in(text: &str) -> Option<&'static str> {
    let text = text.split_once("/_history/").map_or(text, |(resource, _)| resource);
    let path = match text.split_once('?') {
        Some((path, _)) => path,
        None => text.rsplit_once('/')?.0,
    };
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    ResourceType::parse(name).map(ResourceType::as_str)
}
