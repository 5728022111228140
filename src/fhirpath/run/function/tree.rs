//! Going down the tree, telling types, and the clock. <http://hl7.org/fhirpath/N1/#tree-navigation>

use super::super::super::item::{Element, Item, Items};
use super::super::super::temporal::Temporal;
use super::super::{Call, optional};
use super::{Known, plain};
use crate::fhir::invalid::Result;

pub(super) const TABLE: &[Known] = &[
    plain("children", 0, 0, children),
    plain("descendants", 0, 0, descendants),
    plain("type", 0, 0, types),
    plain("now", 0, 0, |call| now(&call, |time| time)),
    plain("today", 0, 0, |call| now(&call, Temporal::to_date)),
    plain("timeOfDay", 0, 0, |call| now(&call, Temporal::to_time)),
];

fn children<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let mut found = Items::new();
    for element in call.input.iter().filter_map(Item::element) {
        call.machine.children(&element, &mut |child| found.push(Item::Element(child)))?;
    }
    Ok(found)
}

/// Level by level, as `repeat(children())` would find them. Nothing calls itself, however deep the tree is.
fn descendants<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let mut found: Vec<Element<'a>> = Vec::new();
    let roots: Vec<Element<'a>> = call.input.iter().filter_map(Item::element).collect();
    let below = |element: Element<'a>, found: &mut Vec<Element<'a>>| {
        call.machine.children(&element, &mut |child| found.push(child))
    };
    for root in roots {
        below(root, &mut found)?;
    }
    let mut next = 0;
    while let Some(element) = found.get(next).copied() {
        below(element, &mut found)?;
        next += 1;
    }
    Ok(found.into_iter().map(Item::Element).collect())
}

fn types<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    Ok(call.input.iter().map(Item::type_name).map(|(namespace, name)| Item::Type(namespace, name)).collect())
}

fn now<'a>(call: &Call<'_, 'a>, part: fn(Temporal) -> Temporal) -> Result<Items<'a>> {
    let now = call.machine.variables.now.ok_or_else(|| call.fault("what time it is, nobody tells here."))?;
    optional(Some(Item::Temporal(part(Temporal::instant(now)))))
}
