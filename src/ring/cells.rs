//! A node's state, twice: the committed one, and the one that the step under way works on.

use std::ptr::NonNull;

use crate::prim::AtomicU64;
use crate::prim::Ordering;
use crate::shm::{Offset, Segment};

/// A node's two state cells: one is the committed state, the other is for the next step.
#[derive(Debug)]
pub(crate) struct Cells {
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
    pub(crate) fn new(segment: &Segment, at: Offset, size: usize) -> Self {
        assert!(size % 64 == 0, "a cell of {size} bytes");
        Self { start: segment.range(at, 2 * size), size, _segment: segment.clone() }
    }

    fn cell(&self, step: u64) -> NonNull<u8> {
        let offset = if step % 2 == 0 { 0 } else { self.size };
        // SAFETY: both cells lie within the range `new` has checked.
        unsafe { self.start.add(offset) }
    }

    /// The cell of step `step`, which is committed.
    pub(crate) fn committed(&mut self, step: u64) -> &mut [u8] {
        // SAFETY: within the mapping; only the node's own worker, single-threaded, forms references to cells, and `&mut self`
        // keeps it to one at a time. Observers read words atomically and check the step number afterwards.
        unsafe { std::slice::from_raw_parts_mut(self.cell(step).as_ptr(), self.size) }
    }

    /// The cell for the step after `step`, filled with a copy of the committed one.
    pub(crate) fn working_copy(&mut self, step: u64) -> &mut [u8] {
        let (from, to) = (self.cell(step), self.cell(step.wrapping_add(1)));
        // SAFETY: the two cells are disjoint, and both are ours (see `committed`).
        unsafe { to.as_ptr().copy_from_nonoverlapping(from.as_ptr(), self.size) };
        self.committed(step.wrapping_add(1))
    }

    /// Reads the first words of the cell of `step` as an observer: the owner may be at work.
    pub(crate) fn observe(&self, step: u64, words: &mut [u64]) {
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
