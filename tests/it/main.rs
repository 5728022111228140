//! The integration tests: the real server on a real database, plain PostgreSQL or (BRASA_TEST_CITUS_URL) a Citus cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

mod accounts;
mod attack;
mod audit_events;
mod bad_input;
mod batch;
mod citus;
mod conditional;
mod conditions;
mod cors;
mod embedded;
mod encryption;
mod examples;
mod faults;
mod full_text;
mod history;
mod interactions;
mod json;
mod large;
mod limits;
mod load;
mod negotiation;
mod operations;
mod patch;
mod references;
mod reindex;
mod search;
mod search_plans;
mod search_property;
mod slow;
mod sqlstate;
mod support;
mod synthea;
mod transaction;
mod upgrade;
