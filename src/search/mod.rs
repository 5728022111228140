//! What may be asked and what must be remembered for it. <https://hl7.org/fhir/R4/search.html>
//!
//! Two halves that must agree: [`extract`](extract::extract) turns a resource into entries, `query::parse` turns a request
//! into clauses over such entries. Each kind of search parameter has one file under `kind` that holds both.

pub mod clause;
pub mod custom;
pub mod entry;
pub mod evaluate;
pub mod extract;
pub mod filter;
pub mod form;
pub mod full_text;
pub mod guard;
pub mod hash;
pub mod kind;
pub mod links;
pub mod page;
pub mod query;
pub mod registry;
