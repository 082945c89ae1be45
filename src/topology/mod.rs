//! What board this is, what cores it has, and which worker goes where.
mod placement;
pub use placement::*;
