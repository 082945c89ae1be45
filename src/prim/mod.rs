//! The atomics and the spin hint that everything above is written against.
//!
//! Under `cfg(loom)` they are loom's, so that the model checker runs the very source that ships.

#[cfg(not(loom))]
pub use core::hint::spin_loop;
#[cfg(not(loom))]
#[expect(clippy::disallowed_types, reason = "this is the one place that names core's atomics")]
pub use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

#[cfg(loom)]
pub use loom::hint::spin_loop;
#[cfg(loom)]
pub use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

mod padded;
pub use padded::CachePadded;
