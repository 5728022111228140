//! FHIR's XML, by the same definitions as its JSON. <https://hl7.org/fhir/R4/xml.html>
//!
//! A resource is read into the tree that JSON is read into, and written from it; nothing else in the server knows of XML.

mod read;
mod write;

pub use read::read;
pub use write::write;

const FHIR: &str = "http://hl7.org/fhir";
const XHTML: &str = "http://www.w3.org/1999/xhtml";

#[cfg(test)]
mod tests;
