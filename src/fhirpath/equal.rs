//! When two items are equal, when they mean the same, and which comes first. <http://hl7.org/fhirpath/N1/#equality>

use super::item::{Element, Item, Items, Simple};
use super::meter::Meter;
use super::number;
use super::quantity::Quantity;
use super::temporal::TemporalKind;
use super::value::Kind;
use crate::fhir::invalid::Result;
use crate::fhir::json::Json;
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

/// `=` of two items; `None` where it is not certain.
///
/// # Errors
/// As all here: beyond the budget, from which what is looked at is taken.
pub(super) fn equal(left: &Item<'_>, right: &Item<'_>, meter: &Meter) -> Result<Option<bool>> {
    if let (Some(left), Some(right)) = (left.plain_text(), right.plain_text()) {
        return same_text(left, right, meter).map(Some);
    }
    match (left.simple(), right.simple()) {
        (Some(Simple::String(left)), Some(Simple::String(right))) => same_text(left, right, meter).map(Some),
        (Some(left), Some(right)) => Ok(simple_equal(&left, &right)),
        (None, None) => same(left, right, meter).map(Some),
        _ => Ok(Some(false)),
    }
}

fn same_text(left: &str, right: &str, meter: &Meter) -> Result<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    meter.look_at(left.len())?;
    Ok(left == right)
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
fn same(left: &Item<'_>, right: &Item<'_>, meter: &Meter) -> Result<bool> {
    match (left, right) {
        (Item::Element(left), Item::Element(right)) => {
            let is_same_beside = match (left.beside, right.beside) {
                (Some(left), Some(right)) => same_json(left, right, meter)?,
                (None, None) => true,
                _ => false,
            };
            Ok(is_same_beside && same_kind(left, right) && same_json(left.json, right.json, meter)?)
        }
        (Item::Type(..), Item::Type(..)) => Ok(left.type_text() == right.type_text()),
        _ => Ok(false),
    }
}

fn same_json(left: &Json, right: &Json, meter: &Meter) -> Result<bool> {
    if std::ptr::eq(left, right) {
        return Ok(true);
    }
    left.means_same_counting(right, &mut |values, bytes| {
        meter.spend(values)?;
        meter.look_at(bytes)
    })
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
pub(super) fn equivalent(left: &Item<'_>, right: &Item<'_>, meter: &Meter) -> Result<bool> {
    Ok(match (left.simple(), right.simple()) {
        (Some(Simple::String(left)), Some(Simple::String(right))) => {
            if same_text(left, right, meter)? {
                return Ok(true);
            }
            // Both are written anew: each letter is dearer than a look at it.
            meter.spend((left.len() + right.len()) / 16)?;
            folded(left) == folded(right)
        }
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
        (None, None) => same(left, right, meter)?,
        _ => false,
    })
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

/// What it takes to look at both, whoever asks counts.
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

/// Items that were seen. Texts are looked up at once, elements among those that look alike from outside; of other values
/// each is compared.
pub(super) struct Seen<'s, 'a> {
    meter: &'s Meter,
    texts: HashSet<&'s str>,
    elements: HashMap<u64, Vec<&'s Item<'a>>>,
    others: Vec<&'s Item<'a>>,
    hashes: RandomState,
}

impl<'s, 'a> Seen<'s, 'a> {
    pub fn new(meter: &'s Meter) -> Seen<'s, 'a> {
        Seen {
            meter,
            texts: HashSet::new(),
            elements: HashMap::new(),
            others: Vec::new(),
            hashes: RandomState::default(),
        }
    }

    pub fn of(items: &'s [Item<'a>], meter: &'s Meter) -> Result<Seen<'s, 'a>> {
        let mut seen = Seen::new(meter);
        items.iter().try_for_each(|item| seen.remember(item))?;
        Ok(seen)
    }

    pub fn remember(&mut self, item: &'s Item<'a>) -> Result<()> {
        self.meter.spend(1)?;
        if let Some(text) = item.plain_text() {
            self.meter.look_at(text.len())?;
            self.texts.insert(text);
        } else if let Some(outside) = self.outside(item)? {
            self.elements.entry(outside).or_default().push(item);
        } else {
            self.others.push(item);
        }
        Ok(())
    }

    pub fn contains(&self, item: &Item<'_>) -> Result<bool> {
        self.meter.spend(1)?;
        if let Some(text) = item.plain_text() {
            self.meter.look_at(text.len())?;
            return Ok(self.texts.contains(text));
        }
        let others = match self.outside(item)? {
            Some(outside) => self.elements.get(&outside).map(Vec::as_slice).unwrap_or_default(),
            None => &self.others,
        };
        self.meter.spend(others.len())?;
        for other in others {
            if equal(other, item, self.meter)? == Some(true) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Remembers an item unless one like it was seen; whether it is new.
    pub fn is_new(&mut self, item: &'s Item<'a>) -> Result<bool> {
        let is_new = !self.contains(item)?;
        if is_new {
            self.remember(item)?;
        }
        Ok(is_new)
    }

    /// A hash that is the same for elements that are: of the names of the members and the texts in them, whatever their
    /// order. `None`: it is not compared as an element.
    fn outside(&self, item: &Item<'_>) -> Result<Option<u64>> {
        let Item::Element(element) = item else { return Ok(None) };
        let Some(object) = element.json.as_object().filter(|_| item.simple().is_none()) else { return Ok(None) };
        self.meter.spend(object.len())?;
        let texts = object.iter().map(|(_, value)| value.as_str().map_or(0, str::len)).sum();
        self.meter.look_at(texts)?;
        let one = |(name, value): (&str, &Json)| self.hashes.hash_one((name, value.as_str()));
        Ok(Some(object.iter().map(one).fold(0, u64::wrapping_add)))
    }
}

/// Each item once, where it comes first.
pub(super) fn distinct<'a>(items: Items<'a>, meter: &Meter) -> Result<Items<'a>> {
    if items.len() < 2 {
        return Ok(items);
    }
    let mut keep = Vec::with_capacity(items.len());
    let mut seen = Seen::new(meter);
    for item in &items {
        keep.push(seen.is_new(item)?);
    }
    Ok(items.into_iter().zip(keep).filter_map(|(item, is_new)| is_new.then_some(item)).collect())
}
