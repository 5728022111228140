//! What a value that is known to some precision may be at most and at least. <http://hl7.org/fhirpath/#utility-functions>

use super::super::super::item::{Item, Items, Simple};
use super::super::super::number;
use super::super::super::quantity::Quantity;
use super::super::{Call, operator, optional};
use super::{Known, plain};
use crate::fhir::invalid::Result;
use rust_decimal::Decimal;

pub(super) const TABLE: &[Known] = &[
    plain("lowBoundary", 0, 1, |call| boundary(&call, false)),
    plain("highBoundary", 0, 1, |call| boundary(&call, true)),
    plain("precision", 0, 0, precision),
    plain("comparable", 1, 1, comparable),
];

fn boundary<'a>(call: &Call<'_, 'a>, is_high: bool) -> Result<Items<'a>> {
    let digits = match operator::integer(&call.argument(0)?, "the digits of a boundary")? {
        None => None,
        Some(digits) => match u32::try_from(digits) {
            Ok(digits) if digits <= number::DIGITS_MAX => Some(digits),
            _ => return Ok(Items::new()),
        },
    };
    let decimal = |value: Decimal| number::boundary(value, digits.unwrap_or(number::BOUNDARY_DIGITS), is_high);
    let Some(item) = call.single()? else { return Ok(Items::new()) };
    optional(match item.simple() {
        Some(Simple::Integer(value)) => decimal(Decimal::from(value)).map(Item::Decimal),
        Some(Simple::Decimal(value)) => decimal(value).map(Item::Decimal),
        Some(Simple::Quantity(quantity)) => decimal(quantity.value).map(|value| {
            let unit = quantity.unit.clone();
            Item::Quantity(Box::new(Quantity { value, unit }))
        }),
        Some(Simple::Temporal(temporal)) => temporal.boundary(digits, is_high).map(Item::Temporal),
        _ => return Err(call.fault("a number, a quantity, a date or a time was expected.")),
    })
}

fn precision<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let Some(item) = call.single()? else { return Ok(Items::new()) };
    let digits = match item.simple() {
        Some(Simple::Integer(_)) => 0,
        Some(Simple::Decimal(value)) => value.scale(),
        Some(Simple::Temporal(temporal)) => temporal.digits(),
        _ => return Err(call.fault("a number, a date or a time was expected.")),
    };
    optional(i32::try_from(digits).ok().map(Item::Integer))
}

fn comparable<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let other = call.argument(0)?;
    let (Some(one), Some(two)) = (call.single()?, operator::single(&other, "`comparable()`")?) else {
        return Ok(Items::new());
    };
    match (one.simple(), two.simple()) {
        (Some(Simple::Quantity(one)), Some(Simple::Quantity(two))) => {
            optional(Some(Item::Boolean(one.is_comparable(&two))))
        }
        _ => Err(call.fault("quantities were expected.")),
    }
}
