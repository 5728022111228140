//! When two items are equal, when they mean the same, and which comes first. <http://hl7.org/fhirpath/N1/#equality>

use super::item::{Element, Item, Items, Simple};
use super::number;
use super::quantity::Quantity;
use super::temporal::TemporalKind;
use super::value::Kind;
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;

/// `=` of two items; `None` where it is not certain.
pub(super) fn equal(left: &Item<'_>, right: &Item<'_>) -> Option<bool> {
    if let (Some(left), Some(right)) = (left.plain_text(), right.plain_text()) {
        return Some(left == right);
    }
    match (left.simple(), right.simple()) {
        (Some(left), Some(right)) => simple_equal(&left, &right),
        (None, None) => Some(same(left, right)),
        _ => Some(false),
    }
}

fn simple_equal(left: &Simple<'_>, right: &Simple<'_>) -> Option<bool> {
    match (left, right) {
        (Simple::Boolean(left), Simple::Boolean(right)) => Some(left == right),
        (Simple::String(left), Simple::String(right)) => Some(left == right),
        (Simple::Temporal(left), Simple::Temporal(right)) => {
            match (left.kind == TemporalKind::Time) == (right.kind == TemporalKind::Time) {
                true => left.compare(*right).map(|order| order == Ordering::Equal),
                false => Some(false),
            }
        }
        _ => match (numeric(left), numeric(right)) {
            (Some(left), Some(right)) => Some(left == right),
            _ => match quantities(left, right) {
                Some((left, right)) => left.compare(&right).map(|order| order == Ordering::Equal),
                None => Some(false),
            },
        },
    }
}

/// Two things that are no simple values: elements by what they hold, whatever the order of their members.
fn same(left: &Item<'_>, right: &Item<'_>) -> bool {
    match (left, right) {
        (Item::Element(left), Item::Element(right)) => {
            let beside = match (left.beside, right.beside) {
                (Some(left), Some(right)) => std::ptr::eq(left, right) || left.means_same(right),
                (None, None) => true,
                _ => false,
            };
            beside
                && same_kind(left, right)
                && (std::ptr::eq(left.json, right.json) || left.json.means_same(right.json))
        }
        (Item::Type(..), Item::Type(..)) => left.type_text() == right.type_text(),
        _ => false,
    }
}

fn same_kind(left: &Element<'_>, right: &Element<'_>) -> bool {
    left.kind == right.kind || matches!((left.kind, right.kind), (Kind::Complex(_), Kind::Complex(_)))
}

impl Item<'_> {
    fn type_text(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Item::Type(namespace, name) => Some((namespace, name)),
            _ => None,
        }
    }
}

fn numeric(value: &Simple<'_>) -> Option<Decimal> {
    match value {
        Simple::Integer(number) => Some(Decimal::from(*number)),
        Simple::Decimal(number) => Some(*number),
        _ => None,
    }
}

/// Both as quantities, if one is one: a number is a quantity of the unit one.
pub(super) fn quantities<'s>(
    left: &'s Simple<'_>,
    right: &'s Simple<'_>,
) -> Option<(Cow<'s, Quantity>, Cow<'s, Quantity>)> {
    let quantity = |value: &'s Simple<'_>| match value {
        Simple::Quantity(quantity) => Some(Cow::Borrowed(quantity.as_ref())),
        other => numeric(other).map(|number| Cow::Owned(Quantity::plain(number))),
    };
    let is_quantity = |value: &Simple<'_>| matches!(value, Simple::Quantity(_));
    (is_quantity(left) || is_quantity(right)).then(|| Some((quantity(left)?, quantity(right)?))).flatten()
}

/// `~` of two items: text without regard to case and space, numbers to the digits of the less precise one.
pub(super) fn equivalent(left: &Item<'_>, right: &Item<'_>) -> bool {
    match (left.simple(), right.simple()) {
        (Some(Simple::String(left)), Some(Simple::String(right))) => left == right || folded(left) == folded(right),
        (Some(Simple::Temporal(left)), Some(Simple::Temporal(right))) => {
            simple_equal(&Simple::Temporal(left), &Simple::Temporal(right)) == Some(true)
        }
        (Some(left), Some(right)) => match (numeric(&left), numeric(&right)) {
            (Some(left), Some(right)) => number::equivalent(left, right),
            _ => match quantities(&left, &right) {
                Some((left, right)) => left.is_equivalent(&right),
                None => simple_equal(&left, &right) == Some(true),
            },
        },
        (None, None) => same(left, right),
        _ => false,
    }
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Which of two items comes first.
pub(super) enum Order {
    Known(Ordering),
    /// Not certain: dates known to different precision, quantities of different dimensions.
    Unknown,
    /// Of types that have no order with each other.
    Mismatch,
}

pub(super) fn order(left: &Item<'_>, right: &Item<'_>) -> Order {
    let (Some(left), Some(right)) = (left.simple(), right.simple()) else { return Order::Mismatch };
    let known = |order: Option<Ordering>| order.map_or(Order::Unknown, Order::Known);
    match (&left, &right) {
        (Simple::String(left), Simple::String(right)) => Order::Known(left.cmp(right)),
        (Simple::Temporal(left), Simple::Temporal(right)) => {
            match (left.kind == TemporalKind::Time) == (right.kind == TemporalKind::Time) {
                true => known(left.compare(*right)),
                false => Order::Mismatch,
            }
        }
        _ => match (numeric(&left), numeric(&right)) {
            (Some(left), Some(right)) => Order::Known(left.cmp(&right)),
            _ => match quantities(&left, &right) {
                Some((left, right)) => known(left.compare(&right)),
                None => Order::Mismatch,
            },
        },
    }
}

/// Items that were seen. Texts are looked up at once; of others each is compared.
#[derive(Default)]
pub(super) struct Seen<'s, 'a> {
    texts: HashSet<&'s str>,
    others: Vec<&'s Item<'a>>,
}

impl<'s, 'a> Seen<'s, 'a> {
    pub fn of(items: &'s [Item<'a>]) -> Seen<'s, 'a> {
        let mut seen = Seen::default();
        items.iter().for_each(|item| seen.remember(item));
        seen
    }

    pub fn remember(&mut self, item: &'s Item<'a>) {
        match item.plain_text() {
            Some(text) => {
                self.texts.insert(text);
            }
            None => self.others.push(item),
        }
    }

    pub fn contains(&self, item: &Item<'_>) -> bool {
        match item.plain_text() {
            Some(text) => self.texts.contains(text),
            None => self.others.iter().any(|other| equal(other, item) == Some(true)),
        }
    }

    /// How many comparisons the next look takes at most.
    pub fn cost(&self) -> usize {
        1 + self.others.len()
    }
}

/// Each item once, where it comes first. `cost` is asked before each comparison.
pub(super) fn distinct<'a, E>(items: Items<'a>, mut cost: impl FnMut(usize) -> Result<(), E>) -> Result<Items<'a>, E> {
    if items.len() < 2 {
        return Ok(items);
    }
    let mut keep = Vec::with_capacity(items.len());
    let mut seen = Seen::default();
    for item in &items {
        cost(seen.cost())?;
        let is_new = !seen.contains(item);
        if is_new {
            seen.remember(item);
        }
        keep.push(is_new);
    }
    Ok(items.into_iter().zip(keep).filter_map(|(item, is_new)| is_new.then_some(item)).collect())
}
