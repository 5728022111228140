//! Who is asking and what they may do. Until accounts exist there is one answer: everything, on a loopback address only.

pub mod access;
pub mod key;
pub mod membership;
pub mod password;
pub mod policy;
pub mod role;
pub mod scope;
pub mod sight;
pub mod token;
pub mod types;

/// Which rows may be seen. Every store call holds one; there is no query without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// No row is hidden: development without accounts.
    Everything,
}

/// The right to call the store. Only this room makes one.
#[derive(Debug, Clone)]
pub struct Grant {
    filter: Filter,
}

impl Grant {
    pub fn filter(&self) -> Filter {
        self.filter
    }
}

/// What an unauthenticated caller may do when `BRASA_AUTH=off`, which settings allow only in development on a loopback
/// address.
pub fn without_accounts() -> Grant {
    Grant { filter: Filter::Everything }
}
