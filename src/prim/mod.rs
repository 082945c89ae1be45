//! The atomics and the spin hint that everything above is written against.
//!
//! Under `cfg(loom)` they are loom's, and in unit tests they are the steps of an explorer of schedules, so that both check the very source
//! that ships.

#[cfg(not(loom))]
pub use core::hint::spin_loop;
#[cfg(not(any(loom, all(test, not(miri)))))]
pub use core::sync::atomic::{AtomicU32, AtomicU64};
#[cfg(not(loom))]
pub use core::sync::atomic::{Ordering, compiler_fence, fence};
#[cfg(all(test, not(any(loom, miri))))]
pub use stepped::{AtomicU32, AtomicU64};

#[cfg(loom)]
pub use loom::hint::spin_loop;
#[cfg(loom)]
pub use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Loom has no compiler fence: it models the machine, and the fence only binds the compiler.
#[cfg(loom)]
pub fn compiler_fence(_: Ordering) {}

#[cfg(test)]
#[cfg(not(any(loom, miri)))]
pub(crate) mod explore;
mod padded;
#[allow(unsafe_code)]
mod prefetch;
#[cfg(all(test, not(any(loom, miri))))]
mod stepped;

pub use padded::CachePadded;
pub use prefetch::{prefetch_for_read, prefetch_for_write};
