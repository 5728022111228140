//! Work that the server does at its own pace, beside what clients ask for. Each worker is one step that may be repeated.

mod audit;
mod parameters;
mod reindex;

pub use audit::Sealer;
pub use parameters::keep as keep_parameters;
pub use reindex::keep as keep_index;
