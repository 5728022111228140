//! A private PostgreSQL in a data folder.
