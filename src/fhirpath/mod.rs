//! FHIRPath: expressions compiled once and evaluated over checked JSON, without I/O. <https://hl7.org/fhir/R4/fhirpath.html>
//!
//! One grammar, and two ways of going over its tree: [`Walk`] for the paths of search parameters, [`Expression`] for all
//! of the language (docs/decisions/0020-fhirpath.md).

mod code;
mod compile;
mod equal;
mod expression;
mod item;
mod lex;
mod meter;
mod number;
mod parse;
pub mod patch;
mod quantity;
mod run;
mod syntax;
mod temporal;
mod type_name;
pub mod value;
mod walk;

pub use expression::{Budget, Expression, Knowledge, Variables};
pub use item::{Element, Item, Items};
pub use quantity::{Quantity, Unit};
pub use temporal::{CalendarUnit, Temporal, TemporalKind};
pub use type_name::TypeName;
pub use value::Value;
pub use walk::{Place, Steps, Walk};

#[cfg(test)]
mod tests;
