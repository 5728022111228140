//! Who did what to whose record: the records, the chain that shows whether one was changed or taken away, and the
//! AuditEvent that people read. No clock and no database: what is told is handed in.

pub mod chain;
pub mod event;
pub mod head;
pub mod record;
