//! FHIRPath: expressions compiled once and evaluated over checked JSON, without I/O. <https://hl7.org/fhir/R4/fhirpath.html>

pub mod value;

pub use value::Value;
