//! The R4 definitions as compact tables of facts.
