//! Existence, filtering, subsetting and combining. <http://hl7.org/fhirpath/N1/#existence>

use super::super::super::code::Code;
use super::super::super::equal::{self, Order, Seen};
use super::super::super::item::{Item, Items, Simple};
use super::super::{Call, Scope, boolean, operator, optional};
use super::{Known, looping, plain};
use crate::fhir::invalid::Result;
use smallvec::smallvec;
use std::cmp::Ordering;

pub(super) const TABLE: &[Known] = &[
    plain("empty", 0, 0, |call| boolean(call.input.is_empty())),
    looping("exists", 0, 1, exists),
    looping("all", 1, 1, all),
    plain("allTrue", 0, 0, |call| quantify(&call, |truths| !truths.contains(&false))),
    plain("anyTrue", 0, 0, |call| quantify(&call, |truths| truths.contains(&true))),
    plain("allFalse", 0, 0, |call| quantify(&call, |truths| !truths.contains(&true))),
    plain("anyFalse", 0, 0, |call| quantify(&call, |truths| truths.contains(&false))),
    plain("subsetOf", 1, 1, |call| boolean(is_subset(&call, &call.input, &call.argument(0)?)?)),
    plain("supersetOf", 1, 1, |call| boolean(is_subset(&call, &call.argument(0)?, &call.input)?)),
    plain("count", 0, 0, |call| count(call.input.len())),
    plain("distinct", 0, 0, |call| equal::distinct(call.input, &call.machine.meter)),
    plain("isDistinct", 0, 0, is_distinct),
    looping("where", 1, 1, filter),
    looping("select", 1, 1, select),
    looping("repeat", 1, 1, repeat),
    looping("aggregate", 1, 2, aggregate),
    plain("single", 0, 0, |call| optional(call.single()?.cloned())),
    plain("first", 0, 0, |call| optional(call.input.into_iter().next())),
    plain("last", 0, 0, |call| optional(call.input.into_iter().next_back())),
    plain("tail", 0, 0, |call| Ok(call.input.into_iter().skip(1).collect())),
    plain("skip", 1, 1, |call| part(call, true)),
    plain("take", 1, 1, |call| part(call, false)),
    plain("intersect", 1, 1, intersect),
    plain("exclude", 1, 1, exclude),
    plain("union", 1, 1, union),
    plain("combine", 1, 1, combine),
    looping("iif", 2, 3, iif),
    plain("not", 0, 0, |call| optional(operator::truth(&call.input)?.map(|truth| Item::Boolean(!truth)))),
    looping("sort", 0, 16, sort),
    // What is traced could be anybody's data, and goes nowhere.
    looping("trace", 1, 2, |call| Ok(call.input)),
];

fn count<'a>(length: usize) -> Result<Items<'a>> {
    Ok(smallvec![Item::Integer(i32::try_from(length).unwrap_or(i32::MAX))])
}

fn exists<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    if !call.has_argument(0) {
        return boolean(!call.input.is_empty());
    }
    for (index, item) in call.input.iter().enumerate() {
        if call.truth_of_item(index, item)? == Some(true) {
            return boolean(true);
        }
    }
    boolean(false)
}

fn all<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    for (index, item) in call.input.iter().enumerate() {
        if call.truth_of_item(index, item)? != Some(true) {
            return boolean(false);
        }
    }
    boolean(true)
}

fn quantify<'a>(call: &Call<'_, 'a>, decide: fn(&[bool]) -> bool) -> Result<Items<'a>> {
    let truth = |item: &Item<'a>| match item.simple() {
        Some(Simple::Boolean(truth)) => Ok(truth),
        _ => Err(call.fault("one of the items is no boolean.")),
    };
    let truths = call.input.iter().map(truth).collect::<Result<Vec<_>>>()?;
    boolean(decide(&truths))
}

fn is_subset<'a>(call: &Call<'_, 'a>, inner: &Items<'a>, outer: &Items<'a>) -> Result<bool> {
    let seen = Seen::of(outer, &call.machine.meter)?;
    for item in inner {
        if !seen.contains(item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_distinct<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let mut seen = Seen::new(&call.machine.meter);
    for item in &call.input {
        if !seen.is_new(item)? {
            return boolean(false);
        }
    }
    boolean(true)
}

fn filter<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let mut found = Items::new();
    for (index, item) in call.input.iter().enumerate() {
        if call.truth_of_item(index, item)? == Some(true) {
            found.push(item.clone());
        }
    }
    Ok(found)
}

fn select<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let mut found = Items::new();
    for (index, item) in call.input.iter().enumerate() {
        found.extend(call.of_item(0, index, item)?);
    }
    Ok(found)
}

/// Goes on with what it finds until nothing new comes. What equals something before is not told again, but an element that
/// stands elsewhere is gone on with: what is in it may be new.
fn repeat<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let meter = &call.machine.meter;
    let mut found: Vec<Item<'a>> = Vec::new();
    let mut next: Items<'a> = call.input.iter().cloned().collect();
    let mut places = std::collections::HashSet::new();
    while !next.is_empty() {
        let mut newer = Vec::new();
        for (index, item) in next.iter().enumerate() {
            for one in call.of_item(0, index, item)? {
                let place = one.element().map(|element| (std::ptr::from_ref(element.json), element.beside));
                let place = place.map(|(json, beside)| (json, beside.map(std::ptr::from_ref)));
                if place.is_none_or(|place| places.insert(place)) {
                    meter.spend(1)?;
                    newer.push(one);
                }
            }
        }
        let told = {
            let (before, mut here) = (Seen::of(&found, meter)?, Seen::new(meter));
            let is_told = |one| Ok(!before.contains(one)? && here.is_new(one)?);
            newer.iter().map(is_told).collect::<Result<Vec<bool>>>()?
        };
        next = Items::new();
        for (one, is_told) in newer.into_iter().zip(told) {
            if is_told {
                found.push(one.clone());
            }
            if is_told || one.element().is_some() {
                next.push(one);
            }
        }
    }
    Ok(found.into())
}

fn aggregate<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let mut total = call.argument(1)?;
    for (index, item) in call.input.iter().enumerate() {
        let scope = Scope { this: std::slice::from_ref(item), index: Some(index), total: Some(&total) };
        total = call.arguments.first().map_or(Ok(Items::new()), |code| call.machine.run(code, scope))?;
    }
    Ok(total)
}

fn part<'a>(call: Call<'_, 'a>, is_skip: bool) -> Result<Items<'a>> {
    let Some(number) = operator::integer(&call.argument(0)?, "the number of items")? else { return Ok(Items::new()) };
    let number = usize::try_from(number).unwrap_or(0);
    Ok(match is_skip {
        true => call.input.into_iter().skip(number).collect(),
        false => call.input.into_iter().take(number).collect(),
    })
}

fn intersect<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let other = call.argument(0)?;
    let seen = Seen::of(&other, &call.machine.meter)?;
    let both = kept(call.input, |item| seen.contains(item))?;
    equal::distinct(both, &call.machine.meter)
}

fn exclude<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let other = call.argument(0)?;
    let seen = Seen::of(&other, &call.machine.meter)?;
    kept(call.input, |item| Ok(!seen.contains(item)?))
}

fn kept<'a>(items: Items<'a>, keeps: impl Fn(&Item<'a>) -> Result<bool>) -> Result<Items<'a>> {
    let mut kept = Items::new();
    for item in items {
        if keeps(&item)? {
            kept.push(item);
        }
    }
    Ok(kept)
}

fn union<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let other = call.argument(0)?;
    let both = call.input.into_iter().chain(other).collect();
    equal::distinct(both, &call.machine.meter)
}

fn combine<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let other = call.argument(0)?;
    call.machine.spend(other.len())?;
    Ok(call.input.into_iter().chain(other).collect())
}

fn iif<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let this = call.single()?.map(std::slice::from_ref).unwrap_or(call.scope.this);
    let scope = Scope { this, ..*call.scope };
    let condition = call.arguments.first().map_or(Ok(Items::new()), |code| call.machine.run(code, scope))?;
    let is_boolean = |item: &Item<'a>| matches!(item.simple(), Some(Simple::Boolean(_)));
    if call.machine.variables.is_strict && !condition.iter().all(is_boolean) {
        return Err(call.fault("the condition is no boolean."));
    }
    let place = if operator::truth(&condition)? == Some(true) { 1 } else { 2 };
    call.arguments.get(place).map_or(Ok(Items::new()), |code| call.machine.run(code, scope))
}

/// By each key in turn; a key with a sign before it, the other way round. Items without a key come first.
fn sort<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let mut keyed = Vec::with_capacity(call.input.len());
    let is_down = |code: &Code| matches!(code, Code::Negative(_));
    for (index, item) in call.input.iter().enumerate() {
        let scope = Scope { this: std::slice::from_ref(item), index: Some(index), ..*call.scope };
        let key = |code: &Code| {
            let inner = if let Code::Negative(inner) = code { inner } else { code };
            Ok(operator::single(&call.machine.run(inner, scope)?, "a key of `sort`")?.cloned())
        };
        let mut keys = call.arguments.iter().map(key).collect::<Result<Vec<_>>>()?;
        if keys.is_empty() {
            keys.push(Some(item.clone()));
        }
        keyed.push((keys, item.clone()));
    }
    // Each is compared about so many times.
    let times = keyed.len().checked_ilog2().unwrap_or(0) as usize;
    call.machine.spend(keyed.len().saturating_mul(times))?;
    let texts = keyed.iter().flat_map(|(keys, _)| keys).flatten().filter_map(Item::text).map(str::len);
    call.machine.meter.look_at(texts.fold(0, usize::saturating_add).saturating_mul(times))?;
    let directions: Vec<bool> = call.arguments.iter().map(is_down).collect();
    keyed.sort_by(|(left, _), (right, _)| {
        let each = left.iter().zip(right).enumerate().map(|(place, (left, right))| {
            let order = match (left, right) {
                (Some(left), Some(right)) => match equal::order(left, right) {
                    Order::Known(order) => order,
                    Order::Unknown | Order::Mismatch => Ordering::Equal,
                },
                (left, right) => return left.is_some().cmp(&right.is_some()),
            };
            if directions.get(place) == Some(&true) { order.reverse() } else { order }
        });
        each.fold(Ordering::Equal, Ordering::then)
    });
    Ok(keyed.into_iter().map(|(_, item)| item).collect())
}
