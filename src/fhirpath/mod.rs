//! FHIRPath: expressions compiled once and evaluated over checked JSON, without I/O. <https://hl7.org/fhir/R4/fhirpath.html>

mod evaluate;
mod expression;
mod lex;
mod node;
mod parse;
mod place;
mod type_name;
pub mod value;

pub use expression::Expression;
pub use place::Place;
pub use type_name::TypeName;
pub use value::Value;

#[cfg(test)]
mod tests;
