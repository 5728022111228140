//! SMART App Launch and the OAuth that it stands on, as far as it is words and rules: who may come back where, and with what.
//! <https://hl7.org/fhir/smart-app-launch/>

pub mod address;
pub mod assertion;
pub mod challenge;
pub mod discovery;
pub mod redirect;
pub mod wish;
