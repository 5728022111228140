//! FHIR's words: types, ids, references, dates, JSON that keeps its digits, Bundles, outcomes, the R4 definitions.

pub mod bundle;
pub mod definitions;
pub mod id;
pub mod instant;
pub mod invalid;
pub mod json;
pub mod json_patch;
pub mod outcome;
pub mod reference;
pub mod resource;
pub mod subset;
pub mod xml;
