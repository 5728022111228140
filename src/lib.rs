//! Brasa, a FHIR R4 server: the rooms, bottom to top. `docs/ARCHITECTURE.md` says which may use which.

pub mod account;
pub mod app;
pub mod audit;
pub mod auth;
pub mod background;
pub mod cli;
pub mod config;
pub mod error;
pub mod fhir;
pub mod fhirpath;
pub mod http;
pub mod interaction;
pub mod mail;
pub mod search;
pub mod store;
pub mod telemetry;
pub mod validate;
