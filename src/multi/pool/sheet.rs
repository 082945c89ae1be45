//! What a task is written on: its argument, and its result.

use std::marker::PhantomData;
use std::ptr::NonNull;

/// A task's bytes. The result may have the argument's place, so who wants to write it must be done with the argument.
pub(super) struct Sheet {
    start: NonNull<u8>,
    size: usize,
    /// Where the result begins.
    result_at: usize,
    bytes: PhantomData<&'static mut [u8]>,
}

impl Sheet {
    /// From `start` on an argument of at most `size` bytes, and `result_at` bytes after that as much for a result.
    ///
    /// # Safety
    /// `result_at + size` bytes from `start` on are mapped and nobody else's as long as this is used.
    pub(super) unsafe fn new(start: NonNull<u8>, size: usize, result_at: usize) -> Self {
        Self { start, size, result_at, bytes: PhantomData }
    }

    /// The argument, of so many bytes.
    pub(super) fn argument(&self, len: usize) -> &[u8] {
        // SAFETY: so much is ours, as `new` was promised; nobody writes there while this is borrowed.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), len.min(self.size)) }
    }

    /// Room for the argument.
    pub(super) fn argument_mut(&mut self) -> &mut [u8] {
        // SAFETY: so much is ours, as `new` was promised, and this is borrowed for writing.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.size) }
    }

    /// The result, or room for it.
    pub(super) fn result(&mut self) -> &mut [u8] {
        // SAFETY: within what is ours, as `new` was promised.
        let start = unsafe { self.start.add(self.result_at) };
        // SAFETY: as above, and this is borrowed for writing.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), self.size) }
    }
}
