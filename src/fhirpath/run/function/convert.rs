//! Conversions, and asking whether there is one. <http://hl7.org/fhirpath/N1/#conversion>

use super::super::super::item::{Item, Items, Simple};
use super::super::super::number;
use super::super::super::quantity::{Quantity, Unit};
use super::super::super::temporal::{CalendarUnit, Temporal, TemporalKind};
use super::super::{Call, boolean, operator, optional};
use super::{Known, plain};
use crate::fhir::invalid::Result;
use rust_decimal::Decimal;
use smol_str::{SmolStr, format_smolstr};

pub(super) const TABLE: &[Known] = &[
    plain("toBoolean", 0, 0, |call| convert(&call, to_boolean)),
    plain("convertsToBoolean", 0, 0, |call| converts(&call, to_boolean)),
    plain("toInteger", 0, 0, |call| convert(&call, to_integer)),
    plain("convertsToInteger", 0, 0, |call| converts(&call, to_integer)),
    plain("toDecimal", 0, 0, |call| convert(&call, to_decimal)),
    plain("convertsToDecimal", 0, 0, |call| converts(&call, to_decimal)),
    plain("toDate", 0, 0, |call| convert(&call, to_date)),
    plain("convertsToDate", 0, 0, |call| converts(&call, to_date)),
    plain("toDateTime", 0, 0, |call| convert(&call, to_date_time)),
    plain("convertsToDateTime", 0, 0, |call| converts(&call, to_date_time)),
    plain("toTime", 0, 0, |call| convert(&call, to_time)),
    plain("convertsToTime", 0, 0, |call| converts(&call, to_time)),
    plain("toString", 0, 0, |call| convert(&call, to_string)),
    plain("convertsToString", 0, 0, |call| converts(&call, to_string)),
    plain("toQuantity", 0, 1, quantity),
    plain("convertsToQuantity", 0, 1, |call| {
        let is_there = !call.input.is_empty();
        let converted = quantity(call)?;
        if is_there { boolean(!converted.is_empty()) } else { Ok(Items::new()) }
    }),
];

type Conversion = for<'a> fn(&Item<'a>) -> Option<Item<'a>>;

/// The only item; what is made of a text may be as long as the text.
fn single<'i, 'a>(call: &'i Call<'_, 'a>) -> Result<Option<&'i Item<'a>>> {
    let item = call.single()?;
    call.machine.meter.text_of(item.and_then(Item::text).map_or(0, str::len))?;
    Ok(item)
}

fn convert<'a>(call: &Call<'_, 'a>, to: Conversion) -> Result<Items<'a>> {
    optional(single(call)?.and_then(to))
}

fn converts<'a>(call: &Call<'_, 'a>, to: Conversion) -> Result<Items<'a>> {
    optional(single(call)?.map(|item| Item::Boolean(to(item).is_some())))
}

fn to_boolean<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let truth = match item.simple()? {
        Simple::Boolean(truth) => Some(truth),
        Simple::Integer(number) => of_number(Decimal::from(number)),
        Simple::Decimal(number) => of_number(number),
        Simple::String(text) => match text.to_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
            "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
            _ => None,
        },
        Simple::Temporal(_) | Simple::Quantity(_) => None,
    };
    truth.map(Item::Boolean)
}

fn of_number(number: Decimal) -> Option<bool> {
    (number == Decimal::ONE || number.is_zero()).then(|| !number.is_zero())
}

fn to_integer<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let number = match item.simple()? {
        Simple::Boolean(truth) => Some(i32::from(truth)),
        Simple::Integer(number) => Some(number),
        Simple::String(text) => text.parse().ok(),
        Simple::Decimal(_) | Simple::Temporal(_) | Simple::Quantity(_) => None,
    };
    number.map(Item::Integer)
}

fn to_decimal<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let number = match item.simple()? {
        Simple::Boolean(truth) => Some(Decimal::from(u8::from(truth))),
        Simple::Integer(number) => Some(Decimal::from(number)),
        Simple::Decimal(number) => Some(number),
        Simple::String(text) => number::written(text),
        Simple::Temporal(_) | Simple::Quantity(_) => None,
    };
    number.map(Item::Decimal)
}

fn to_date<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let date = match item.simple()? {
        Simple::Temporal(temporal) if temporal.kind != TemporalKind::Time => Some(temporal.to_date()),
        Simple::String(text) => Temporal::date(text).or_else(|| Temporal::date_time(text).map(Temporal::to_date)),
        _ => None,
    };
    date.map(Item::Temporal)
}

fn to_date_time<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let time = match item.simple()? {
        Simple::Temporal(temporal) if temporal.kind != TemporalKind::Time => Some(temporal.to_date_time()),
        Simple::String(text) => Temporal::date_time(text),
        _ => None,
    };
    time.map(Item::Temporal)
}

fn to_time<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let time = match item.simple()? {
        Simple::Temporal(temporal) if temporal.kind == TemporalKind::Time => Some(temporal),
        Simple::String(text) => Temporal::time(text.strip_prefix('T').unwrap_or(text)),
        _ => None,
    };
    time.map(Item::Temporal)
}

fn to_string<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    // As it was written, where it was.
    if let Some(text) = item.text() {
        return Some(Item::String(SmolStr::new(text)));
    }
    Some(Item::String(match item.simple()? {
        Simple::Boolean(truth) => SmolStr::new_static(if truth { "true" } else { "false" }),
        Simple::Integer(number) => format_smolstr!("{number}"),
        Simple::Decimal(number) => format_smolstr!("{number}"),
        Simple::String(text) => SmolStr::new(text),
        Simple::Temporal(temporal) => format_smolstr!("{temporal}"),
        Simple::Quantity(quantity) => format_smolstr!("{quantity}"),
    }))
}

fn quantity<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let unit = call.argument(0)?;
    let unit = operator::text(&unit, "the unit of `toQuantity()`")?;
    call.machine.meter.text_of(unit.map_or(0, str::len))?;
    let found = match single(&call)?.and_then(Item::simple) {
        Some(Simple::Boolean(truth)) => Some(Quantity::plain(Decimal::from(u8::from(truth)))),
        Some(Simple::Integer(number)) => Some(Quantity::plain(Decimal::from(number))),
        Some(Simple::Decimal(number)) => Some(Quantity::plain(number)),
        Some(Simple::String(text)) => Quantity::parse(text),
        Some(Simple::Quantity(quantity)) => Some(quantity.into_owned()),
        Some(Simple::Temporal(_)) | None => None,
    };
    let converted = match unit {
        None => found,
        Some(unit) => found.and_then(|quantity| {
            let unit = CalendarUnit::parse(unit).map_or_else(|| Unit::Ucum(SmolStr::new(unit)), Unit::Calendar);
            Quantity { value: Decimal::ZERO, unit }.plus(&quantity)
        }),
    };
    optional(converted.map(|quantity| Item::Quantity(Box::new(quantity))))
}
