//! Math. <http://hl7.org/fhirpath/N1/#math>

use super::super::super::item::{Item, Items, Simple};
use super::super::super::number;
use super::super::{Call, operator, optional};
use super::{Known, plain};
use crate::fhir::invalid::Result;
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, MathematicalOps};

/// Beyond it, e to the power of it has more digits than are kept.
const EXPONENT_MAX: i64 = 66;

pub(super) const TABLE: &[Known] = &[
    plain("abs", 0, 0, abs),
    plain("ceiling", 0, 0, |call| to_whole(&call, |number| number.ceil())),
    plain("floor", 0, 0, |call| to_whole(&call, |number| number.floor())),
    plain("truncate", 0, 0, |call| to_whole(&call, |number| number.trunc())),
    plain("exp", 0, 0, |call| change(&call, exp)),
    plain("ln", 0, 0, |call| change(&call, |number| number.checked_ln())),
    plain("sqrt", 0, 0, |call| change(&call, |number| number.sqrt())),
    plain("log", 1, 1, log),
    plain("power", 1, 1, power),
    plain("round", 0, 1, round),
];

/// A collection's number; whether it is a whole one.
fn number_of(call: &Call<'_, '_>, items: &[Item<'_>]) -> Result<Option<(Decimal, bool)>> {
    match operator::single(items, call.name)?.map(Item::simple) {
        None => Ok(None),
        Some(Some(Simple::Integer(number))) => Ok(Some((Decimal::from(number), true))),
        Some(Some(Simple::Decimal(number))) => Ok(Some((number, false))),
        Some(_) => Err(call.fault("a number was expected.")),
    }
}

fn change<'a>(call: &Call<'_, 'a>, change: fn(Decimal) -> Option<Decimal>) -> Result<Items<'a>> {
    let number = number_of(call, &call.input)?;
    optional(number.and_then(|(number, _)| change(number)).map(Item::Decimal))
}

fn to_whole<'a>(call: &Call<'_, 'a>, change: fn(Decimal) -> Decimal) -> Result<Items<'a>> {
    let number = number_of(call, &call.input)?;
    optional(number.and_then(|(number, _)| change(number).to_i32()).map(Item::Integer))
}

fn abs<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let Some(item) = call.single()? else { return Ok(Items::new()) };
    match item.simple() {
        Some(Simple::Integer(number)) => optional(number.checked_abs().map(Item::Integer)),
        Some(Simple::Decimal(number)) => optional(Some(Item::Decimal(number.abs()))),
        Some(Simple::Quantity(quantity)) => {
            let mut quantity = quantity.into_owned();
            quantity.value = quantity.value.abs();
            optional(Some(Item::Quantity(Box::new(quantity))))
        }
        _ => Err(call.fault("a number was expected.")),
    }
}

fn exp(number: Decimal) -> Option<Decimal> {
    number.abs().le(&Decimal::from(EXPONENT_MAX)).then(|| number.checked_exp()).flatten()
}

fn log<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let base = number_of(&call, &call.argument(0)?)?;
    let (Some((number, _)), Some((base, _))) = (number_of(&call, &call.input)?, base) else { return Ok(Items::new()) };
    let quotient = number.checked_ln().zip(base.checked_ln()).and_then(|(number, base)| number.checked_div(base));
    // The last digits of a logarithm are not certain: 100 has the logarithm 2 to the base of 10, not 1.9999….
    optional(quotient.map(|quotient| Item::Decimal(number::rounded(quotient, 16).normalize())))
}

fn power<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let exponent = number_of(&call, &call.argument(0)?)?;
    let (Some((base, is_whole)), Some((exponent, is_whole_exponent))) = (number_of(&call, &call.input)?, exponent)
    else {
        return Ok(Items::new());
    };
    if is_whole && is_whole_exponent && exponent >= Decimal::ZERO {
        let power = base.to_i32().zip(exponent.to_u32()).and_then(|(base, exponent)| base.checked_pow(exponent));
        return optional(power.map(Item::Integer));
    }
    let power = match exponent.is_integer() {
        true => exponent.to_i64().and_then(|exponent| base.checked_powi(exponent)),
        // The root of what is below zero is no number.
        false if base < Decimal::ZERO => None,
        false => base.checked_powd(exponent),
    };
    optional(power.map(Item::Decimal))
}

fn round<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let digits = match operator::integer(&call.argument(0)?, "the digits of `round()`")? {
        None => 0,
        Some(digits) => u32::try_from(digits).map_err(|_| call.fault("the digits are below zero."))?,
    };
    let number = number_of(&call, &call.input)?;
    optional(number.map(|(number, _)| Item::Decimal(number::rounded(number, digits.min(number::DIGITS_MAX)))))
}
