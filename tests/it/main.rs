//! The integration tests: the real server on a real database, plain PostgreSQL or (BRASA_TEST_CITUS_URL) a Citus cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

mod citus;
mod embedded;
mod interactions;
mod support;
