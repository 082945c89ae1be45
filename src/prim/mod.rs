//! The atomics and the spin hint that everything above is written against.
//!
//! Under `cfg(loom)` they are loom's, so that the model checker runs the very source that ships.

#[cfg(not(loom))]
pub use core::hint::spin_loop;
#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence, fence};

#[cfg(loom)]
pub use loom::hint::spin_loop;
#[cfg(loom)]
pub use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Loom has no compiler fence: it models the machine, and the fence only binds the compiler.
#[cfg(loom)]
pub fn compiler_fence(_: Ordering) {}

mod padded;
#[allow(unsafe_code)]
mod prefetch;

pub use padded::CachePadded;
pub use prefetch::{prefetch_for_read, prefetch_for_write};
