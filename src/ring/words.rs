//! The words of a lane, as they lie in shared memory.

use crate::prim::{AtomicU64, CachePadded};
use crate::shm::Shared;

/// Value of a bell word while its owner is awake: no position ever reaches it.
pub const AWAKE: u64 = u64::MAX;

/// What only the producer writes.
#[repr(C)]
#[derive(Debug, Default)]
pub struct ProducerWords {
    /// Messages published.
    pub tail: AtomicU64,
    /// Position below which slots may be overwritten at this moment; at least `tail`. Drop-oldest lanes only.
    pub reserved: AtomicU64,
    /// Messages not stored because the ring was full. Drop-newest lanes only.
    pub dropped: AtomicU64,
    /// Not zero: nothing will follow.
    pub closed: AtomicU64,
}

/// What only the consumer writes.
#[repr(C)]
#[derive(Debug, Default)]
pub struct ConsumerWords {
    /// Messages consumed (or skipped).
    pub head: AtomicU64,
    /// Messages overwritten before they were read. Drop-oldest lanes only.
    pub skipped: AtomicU64,
}

/// Who sleeps, and until when. [`AWAKE`] is stored as zero minus one, so a fresh segment's zeros ask for a bell at once:
/// one superfluous ring at the start, never a missing one.
#[repr(C)]
#[derive(Debug, Default)]
pub struct BellWords {
    /// The sleeping consumer wants to be woken when `tail` reaches this.
    pub data_at: AtomicU64,
    /// The sleeping producer wants to be woken when `head` reaches this.
    pub space_at: AtomicU64,
}

/// All words of a lane.
#[repr(C)]
#[derive(Debug, Default)]
pub struct LaneWords {
    /// The producer's.
    pub producer: CachePadded<ProducerWords>,
    /// The consumer's.
    pub consumer: CachePadded<ConsumerWords>,
    /// Apart from both, since both look at it at each publication but it seldom changes.
    pub bell: CachePadded<BellWords>,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<LaneWords>() == 384 && align_of::<LaneWords>() == 128);

// SAFETY: `repr(C)` of atomics and padding, aligned to 128.
unsafe impl Shared for LaneWords {}

/// A peer's position makes no sense: it claims more messages than there are slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {peer} claims position {claimed}, which does not fit to ours, {own}, in a ring of {capacity} slots")]
pub struct Corrupt {
    /// `producer` or `consumer`: who wrote the word.
    pub peer: &'static str,
    /// What it wrote.
    pub claimed: u64,
    /// Our own position.
    pub own: u64,
    /// Slots of the ring.
    pub capacity: u64,
}
