//! Temporary trial.
#[path = "it/embedded.rs"]
mod embedded;
