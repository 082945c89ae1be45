//! The places of a queue, and the protocol by which any number of processes fill and empty them.
//!
//! Each place has one word that says everything: which lap it is in, what is being done there, and by whom. Whoever does something to a
//! place takes it by one compare-and-exchange of that word, so a claim is never held by nobody: if its owner dies, the sweep finds it and
//! undoes it. Where the next free and the next full place are is only a hint; the words decide. (Laps per place as in Vyukov's bounded
//! queue, <https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue>; owners and hints are ours.)
//!
//! ```text
//!          put                   publish             get                 free
//! Free ----------> Writing(me) ----------> Full ----------> Taken(me) ----------> Free, next lap
//!                      | death              ^                   | death, or given back
//!                      v                    |                   v
//!                  Void (skipped)           +------ get ---- Returned (taken before all others)
//! ```

use std::ptr::NonNull;

use super::claim::Claim;
use super::state::{Phase, State, owner};
use crate::multi::arena::{BlockId, Words};
use crate::multi::bell::Bell;
use crate::multi::family;
use crate::multi::object::{BODY, Object};
use crate::multi::waybill::{self, Waybill};
use crate::multi::word::Word32;
use crate::prim::{AtomicU32, AtomicU64, CachePadded, Ordering};

/// Bits of [`Head::gone`].
pub(super) const NO_PRODUCER: u32 = 1;
pub(super) const NO_CONSUMER: u32 = 2;

/// First words of a queue.
#[repr(C)]
pub(super) struct Head {
    /// Places; a power of two.
    capacity: Word32,
    /// Bytes of a place's value.
    size: Word32,
    /// Most objects that a value has on board.
    goods: Word32,
    /// 1: nobody puts any more; 2: nobody gets any more, either.
    pub(super) shut: Word32,
    /// Who has gone for good, a bit each.
    pub(super) gone: Word32,
    /// The pid of the process whose death took the last of the producers, or of the consumers.
    pub(super) dead: [Word32; 2],
    /// A flag: there may be values that were returned.
    pub(super) returned: Word32,
    /// Rung when a value is there.
    pub(super) filled: Bell,
    /// Rung when a place is free.
    pub(super) emptied: Bell,
    /// Rung when a value has been done with.
    pub(super) done: Bell,
    /// Not before this is the next free place.
    pub(super) tail: CachePadded<AtomicU64>,
    /// Not before this is the next full place.
    pub(super) head: CachePadded<AtomicU64>,
}

// SAFETY: words only.
unsafe impl Words for Head {}

/// First words of a place; its value follows. The other words belong, as the value, to whoever has claimed the place by the first.
#[repr(C)]
pub(super) struct Place {
    pub(super) state: AtomicU64,
    pub(super) len: AtomicU32,
    /// How often it was taken and not done with.
    pub(super) attempts: AtomicU32,
}

// SAFETY: words only.
unsafe impl Words for Place {}

/// Where the first place is.
const FIRST: usize = BODY + size_of::<Head>().next_multiple_of(128);

/// Bytes of a cache line.
const LINE: usize = 64;

/// The places of one queue, as this process sees them.
#[derive(Clone, Copy)]
pub(super) struct Slots {
    pub(super) head: &'static Head,
    /// The first place. The others follow, one each `stride` bytes.
    first: NonNull<u8>,
    stride: usize,
    /// Bytes of a place's value.
    size: usize,
    /// Most objects that a value has on board.
    goods: usize,
    block: BlockId,
    pub(super) mask: u64,
    /// Binary digits of the capacity.
    pub(super) shift: u32,
}

// SAFETY: words, and bytes that belong to whoever has claimed their place; neither to a thread.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

/// Bytes from place to place: at least a cache line, so that who fills one does not take the line of who empties its neighbour. Larger
/// ones share a line with each neighbour, and no more, until a third line more or less is little (measured: with 56 to 96 bytes a value
/// 1.1 to 1.8 x as fast as with two lines each; with 8 bytes a line each is 1.6 x as fast as less).
fn stride(size: usize, goods: usize) -> usize {
    let bytes = (waybill_at(size) + waybill::bytes(goods)).max(LINE);
    bytes.next_multiple_of(if bytes < 2 * LINE { size_of::<Place>() } else { LINE })
}

/// Where in a place the bill of what its value has on board is.
fn waybill_at(size: usize) -> usize {
    (size_of::<Place>() + size).next_multiple_of(8)
}

impl Slots {
    /// Bytes that a queue needs behind its object's header; `None` if they cannot be counted.
    pub(super) fn bytes(capacity: usize, size: usize, goods: usize) -> Option<usize> {
        stride(size, goods).checked_mul(capacity)?.checked_add(FIRST - BODY)
    }

    /// Writes the first words of a new queue.
    pub(super) fn set_up(object: Object, capacity: u32, size: u32, goods: u32) {
        let head: &Head = object.body();
        head.capacity.set(capacity);
        head.size.set(size);
        head.goods.set(goods);
    }

    pub(super) fn of(object: Object) -> Self {
        let head: &'static Head = object.body();
        let capacity = u64::from(head.capacity.get()).max(1);
        let size = head.size.get() as usize;
        let goods = head.goods.get() as usize;
        let stride = stride(size, goods);
        // Checked once for all places.
        let all = stride * head.capacity.get().max(1) as usize;
        let first = family::get().arena.place(object.block, FIRST, all);
        let (block, mask, shift) = (object.block, capacity - 1, capacity.trailing_zeros());
        Self { head, first, stride, size, goods, block, mask, shift }
    }

    /// Bytes of a place's value.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Most objects that a value has on board.
    pub(super) fn goods(&self) -> usize {
        self.goods
    }

    pub(super) fn capacity(&self) -> usize {
        self.head.capacity.get() as usize
    }

    /// Bytes from the first place to that of `position`.
    fn offset(&self, position: u64) -> usize {
        usize::try_from(position & self.mask).unwrap_or(0) * self.stride
    }

    /// First byte of the place of `position`.
    fn at(&self, position: u64) -> NonNull<u8> {
        // SAFETY: one of the places that `of` has checked.
        unsafe { self.first.add(self.offset(position)) }
    }

    pub(super) fn place(&self, position: u64) -> &'static Place {
        // SAFETY: in the arena, which is never unmapped, and aligned, as `FIRST` and the stride are; words are valid whatever they hold,
        // and nobody writes them but by their operations.
        unsafe { self.at(position).cast().as_ref() }
    }

    /// The position in that lap at the place of `position`.
    pub(super) fn position(&self, lap: u64, position: u64) -> u64 {
        lap << self.shift | (position & self.mask)
    }

    /// First byte of the value of `position`.
    fn value_at(&self, position: u64) -> NonNull<u8> {
        // SAFETY: the value of a place follows its words.
        unsafe { self.at(position).add(size_of::<Place>()) }
    }

    /// The bytes of a claimed place, to be filled.
    pub(super) fn value_mut<'c>(&self, claim: &'c mut Claim) -> &'c mut [u8] {
        // SAFETY: the place is claimed by this, so nobody else touches its bytes, and `of` has checked that they lie in the arena.
        unsafe { std::slice::from_raw_parts_mut(self.value_at(claim.position()).as_ptr(), self.size) }
    }

    /// The bytes of a claimed place's value.
    pub(super) fn value<'c>(&self, claim: &'c Claim) -> &'c [u8] {
        // SAFETY: as above; bytes of any content are bytes.
        unsafe { std::slice::from_raw_parts(self.value_at(claim.position()).as_ptr(), claim.len().min(self.size)) }
    }

    /// What the value of that position has on board, where values may have something.
    pub(super) fn waybill_of(&self, position: u64) -> Waybill {
        Waybill::at(self.block, FIRST + self.offset(position) + waybill_at(self.size), self.goods)
    }

    /// All bills.
    pub(super) fn waybills(self) -> impl Iterator<Item = Waybill> {
        (0..=self.mask).filter(move |_| self.goods > 0).map(move |position| self.waybill_of(position))
    }

    /// What is done at each place.
    pub(super) fn states(&self) -> impl Iterator<Item = State> + '_ {
        (0..=self.mask).map(|position| {
            // ORDER(multi.queue.place): Acquire, for the counts' sake: what was put before is seen.
            State::unpack(self.place(position).state.load(Ordering::Acquire))
        })
    }

    /// How many places are in one of these phases.
    pub(super) fn count(&self, phases: &[Phase]) -> usize {
        self.states().filter(|state| phases.contains(&state.phase)).count()
    }

    /// Whether nobody puts any more: the queue was shut down, or all producers have gone.
    pub(super) fn is_over(&self) -> bool {
        self.head.shut.get() != 0 || self.head.gone.get() & NO_PRODUCER != 0
    }

    /// Whether a value is there, is being put, or may come back from another process that has it.
    pub(super) fn may_have(&self) -> bool {
        self.states().any(|state| match state.phase {
            Phase::Writing | Phase::Full | Phase::Returned => true,
            Phase::Taken => state.owner != owner(),
            Phase::Free | Phase::Void => false,
        })
    }

    pub(super) fn ring_all(&self) {
        self.head.filled.ring_all();
        self.head.emptied.ring_all();
        self.head.done.ring_all();
    }
}
