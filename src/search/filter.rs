//! The `_filter` parameter. <https://hl7.org/fhir/R4/search_filter.html>

use super::clause::Clause;
use super::query::Compiler;
use crate::error::{Error, Result};
use crate::fhir::definitions::ResourceType;

/// Stub.
pub(super) fn parse(_compiler: &Compiler<'_>, _on: ResourceType, _text: &str) -> Result<Clause> {
    Err(Error::not_supported("'_filter' is not supported."))
}
