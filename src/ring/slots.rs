//! The bytes of a lane's slots and of a node's state cells: raw shared memory, read and written by whoever's turn it is.

use std::ptr::NonNull;

use crate::prim::AtomicU64;
use crate::prim::Ordering;
use crate::shm::{Offset, Segment};

/// A power of two of equal slots.
#[derive(Debug)]
pub struct Slots {
    start: NonNull<u8>,
    stride: usize,
    mask: u64,
    /// Keeps the mapping alive.
    _segment: Segment,
}

// SAFETY: plain shared memory that belongs to no thread; who may touch which slot is the lane's protocol.
unsafe impl Send for Slots {}

impl Slots {
    /// Views `capacity` slots of `stride` bytes at `at`.
    ///
    /// # Panics
    /// If the capacity is no power of two, the stride no multiple of eight, or the slots are outside of the segment.
    pub fn new(segment: &Segment, at: Offset, capacity: u64, stride: usize) -> Self {
        assert!(capacity.is_power_of_two() && stride % 8 == 0, "{capacity} slots of {stride} bytes");
        let bytes = usize::try_from(capacity).ok().and_then(|count| count.checked_mul(stride));
        let start = segment.range(at, bytes.expect("the layout reserved these bytes"));
        Self { start, stride, mask: capacity - 1, _segment: segment.clone() }
    }

    /// How many there are.
    pub fn capacity(&self) -> u64 {
        self.mask + 1
    }

    #[expect(clippy::cast_possible_truncation, reason = "masked: less than the capacity, which is a usize")]
    fn slot(&self, position: u64) -> NonNull<u8> {
        let index = (position & self.mask) as usize;
        // SAFETY: `index` is below the capacity, so the slot lies within the range `new` has checked.
        unsafe { self.start.add(index * self.stride) }
    }

    /// The slot of `position`, to read in place.
    ///
    /// Only the consumer may call it, only for positions between its own and the producer's, and not on a drop-oldest
    /// lane: the producer then leaves the slot alone until the position is released.
    pub fn read(&self, position: u64) -> &[u8] {
        // SAFETY: within the mapping (see `slot`), which lives as long as `self`; the protocol above keeps the producer out.
        // Bytes are valid whatever they are.
        unsafe { std::slice::from_raw_parts(self.slot(position).as_ptr(), self.stride) }
    }

    /// Fills the slot of `position` with `bytes`; the rest of the slot stays as it was.
    ///
    /// Only the producer may call it, only for positions that [`room`](super::ProducerCursor::room) has promised.
    ///
    /// # Panics
    /// If the bytes do not fit.
    pub fn write(&mut self, position: u64, bytes: &[u8]) {
        assert!(bytes.len() <= self.stride, "{} bytes in a slot of {}", bytes.len(), self.stride);
        // SAFETY: within the slot (just checked), and the protocol above keeps the consumer out until it is published.
        unsafe { self.slot(position).as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    fn words(&self, position: u64) -> &[AtomicU64] {
        let start = self.slot(position).cast::<AtomicU64>();
        // SAFETY: slots start at multiples of 128 + n * 8 and hold whole words; atomics may be shared with anybody.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), self.stride / 8) }
    }

    /// Fills a slot of a drop-oldest lane word by word: the consumer may be reading it.
    ///
    /// # Panics
    /// If the bytes do not fit or are no whole words.
    pub fn write_racing(&mut self, position: u64, bytes: &[u8]) {
        assert!(bytes.len() % 8 == 0 && bytes.len() <= self.stride, "{} bytes in a slot", bytes.len());
        for (word, bytes) in self.words(position).iter().zip(bytes.chunks_exact(8)) {
            let value = u64::from_ne_bytes(bytes.try_into().expect("chunks of eight"));
            // ORDER(reserved): Relaxed, behind the announcement's Release fence.
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Copies a slot of a drop-oldest lane; valid only if [`still_valid`](super::ConsumerCursor::still_valid) says so afterwards.
    pub fn copy_racing(&self, position: u64, target: &mut [u8]) {
        for (word, bytes) in self.words(position).iter().zip(target.chunks_exact_mut(8)) {
            // ORDER(reserved): Relaxed, before the check's Acquire fence.
            bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
    }
}

/// A node's two state cells: one is the committed state, the other is for the next step.
#[derive(Debug)]
pub struct Cells {
    start: NonNull<u8>,
    size: usize,
    _segment: Segment,
}

// SAFETY: as for `Slots`.
unsafe impl Send for Cells {}

impl Cells {
    /// Views two cells of `size` bytes at `at`.
    ///
    /// # Panics
    /// If the size is no multiple of 64, or the cells are outside of the segment.
    pub fn new(segment: &Segment, at: Offset, size: usize) -> Self {
        assert!(size % 64 == 0, "a cell of {size} bytes");
        Self { start: segment.range(at, 2 * size), size, _segment: segment.clone() }
    }

    fn cell(&self, step: u64) -> NonNull<u8> {
        let offset = if step % 2 == 0 { 0 } else { self.size };
        // SAFETY: both cells lie within the range `new` has checked.
        unsafe { self.start.add(offset) }
    }

    /// The cell of step `step`, which is committed.
    pub fn committed(&mut self, step: u64) -> &mut [u8] {
        // SAFETY: within the mapping; only the node's own worker, single-threaded, forms references to cells, and `&mut self`
        // keeps it to one at a time. Observers read words atomically and check the step number afterwards.
        unsafe { std::slice::from_raw_parts_mut(self.cell(step).as_ptr(), self.size) }
    }

    /// The cell for the step after `step`, filled with a copy of the committed one.
    pub fn working_copy(&mut self, step: u64) -> &mut [u8] {
        let (from, to) = (self.cell(step), self.cell(step.wrapping_add(1)));
        // SAFETY: the two cells are disjoint, and both are ours (see `committed`).
        unsafe { to.as_ptr().copy_from_nonoverlapping(from.as_ptr(), self.size) };
        self.committed(step.wrapping_add(1))
    }

    /// Reads the first words of the cell of `step` as an observer: the owner may be at work.
    pub fn observe(&self, step: u64, words: &mut [u64]) {
        let count = words.len().min(self.size / 8);
        let start = self.cell(step).cast::<AtomicU64>();
        // SAFETY: within the cell, aligned to 64; atomics may be shared with anybody.
        let source = unsafe { std::slice::from_raw_parts(start.as_ptr(), count) };
        for (target, word) in words.iter_mut().zip(source) {
            // ORDER(step): Relaxed; the caller compares the step number before and after.
            *target = word.load(Ordering::Relaxed);
        }
    }
}
