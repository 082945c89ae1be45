//! The words of a lane, as they lie in shared memory. Each word has one writer.

use super::position::Peer;
use crate::prim::{AtomicU32, AtomicU64, CachePadded};
use crate::shm::Shared;

/// What only the producer writes.
#[repr(C)]
#[derive(Debug, Default)]
pub struct ProducerWords {
    /// Messages published.
    pub tail: AtomicU64,
    /// Position below which slots may be overwritten at this moment; at least `tail`. Lanes with racing readers only.
    pub reserved: AtomicU64,
    /// Messages not stored because the ring was full. Drop-newest lanes only.
    pub dropped: AtomicU64,
    /// Not zero: nothing will follow.
    pub closed: AtomicU64,
    /// Who uses this end, 0 for nobody.
    pub owner: AtomicU64,
    /// How often a sleeping consumer was woken: what its futex waits for.
    pub rings: AtomicU32,
}

/// What only the consumer writes.
#[repr(C)]
#[derive(Debug, Default)]
pub struct ConsumerWords {
    /// Messages consumed (or skipped), as far as the producer has been told.
    pub head: AtomicU64,
    /// Messages overwritten before they were read, or thrown away unread.
    pub skipped: AtomicU64,
    /// Where the last skip leads; beyond `head` as long as the skip is under way.
    pub skip_to: AtomicU64,
    /// `skipped` before the last skip.
    pub skip_base: AtomicU64,
    /// Not zero: nobody will read any more.
    pub closed: AtomicU64,
    /// Who uses this end, 0 for nobody.
    pub owner: AtomicU64,
    /// As [`ProducerWords::rings`], for a sleeping producer.
    pub rings: AtomicU32,
}

/// All words of a lane.
///
/// The sleep words lie apart from the positions: the other side reads them at each publication, and a position that moves
/// would take the line away each time. They hold [`AWAKE`](super::position::AWAKE) or the position at which the sleeper wants
/// to be woken; a fresh segment's zeros ask for a bell at once: one superfluous ring at the start, never a missing one.
#[repr(C)]
#[derive(Debug, Default)]
pub struct LaneWords {
    /// The producer's.
    pub producer: CachePadded<ProducerWords>,
    /// The consumer's.
    pub consumer: CachePadded<ConsumerWords>,
    /// Written by the producer: the `head` at which it wants to be woken.
    pub space_at: CachePadded<AtomicU64>,
    /// Written by the consumer: the `tail` at which it wants to be woken.
    pub data_at: CachePadded<AtomicU64>,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<LaneWords>() == 512 && align_of::<LaneWords>() == 128);

// SAFETY: `repr(C)` of atomics and padding, aligned to 128.
unsafe impl Shared for LaneWords {}

/// A peer's position makes no sense: it claims more messages than there are slots, or less than none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {peer} claims position {claimed}, which does not fit to ours, {own}, in a ring of {capacity} slots")]
pub struct Corrupt {
    /// Who wrote the word.
    pub peer: Peer,
    /// What it wrote.
    pub claimed: u64,
    /// Our own position.
    pub own: u64,
    /// Slots of the ring.
    pub capacity: u64,
}
