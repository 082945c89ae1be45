//! What a task is written on: its argument, and its result.

use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::multi::error::{DecodeError, TooLarge};
use crate::multi::message::{Message, Writer, hand_over_within, receive};
use crate::multi::waybill::Waybill;

/// A task's bytes. The result may have the argument's place, so who wants to write it must be done with the argument.
pub(super) struct Sheet {
    start: NonNull<u8>,
    size: usize,
    /// Where the result begins.
    result_at: usize,
    /// What the argument has on board, and the result.
    bills: (Waybill, Waybill),
    bytes: PhantomData<&'static mut [u8]>,
}

impl Sheet {
    /// `bills` are what both have on board. From `start` on an argument of at most `size` bytes, and `result_at` bytes after that as much for a result.
    ///
    /// # Safety
    /// `result_at + size` bytes from `start` on are mapped and nobody else's as long as this is used.
    pub(super) unsafe fn new(start: NonNull<u8>, size: usize, result_at: usize, bills: (Waybill, Waybill)) -> Self {
        Self { start, size, result_at, bills, bytes: PhantomData }
    }

    /// The argument, of so many bytes.
    pub(super) fn argument(&self, len: usize) -> &[u8] {
        // SAFETY: so much is ours, as `new` was promised; nobody writes there while this is borrowed.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), len.min(self.size)) }
    }

    /// Writes the argument; its bytes.
    ///
    /// # Errors
    /// If it does not fit.
    pub(super) fn fill<A: Message>(&mut self, argument: &A) -> Result<usize, TooLarge> {
        let waybill = self.bills.0;
        let mut out = Writer::new(self.argument_mut());
        hand_over_within(argument, &mut out, || waybill).map(|()| out.len())
    }

    /// Makes the argument, of so many bytes. It can be made once, if it has something on board.
    ///
    /// # Errors
    /// If the bytes are none.
    pub(super) fn read<A: Message>(&self, len: usize) -> Result<A, DecodeError> {
        receive(self.argument(len), || self.bills.0)
    }

    /// Writes the result; its bytes.
    ///
    /// # Errors
    /// If it does not fit.
    pub(super) fn answer<R: Message>(&mut self, result: &R) -> Result<usize, TooLarge> {
        let waybill = self.bills.1;
        let mut out = Writer::new(self.result());
        hand_over_within(result, &mut out, || waybill).map(|()| out.len())
    }

    /// Makes the result, of so many bytes, once.
    ///
    /// # Errors
    /// If the bytes are none.
    pub(super) fn take<R: Message>(&mut self, len: usize) -> Result<R, DecodeError> {
        let waybill = self.bills.1;
        let bytes = self.result();
        receive(&bytes[..len.min(bytes.len())], || waybill)
    }

    /// Room for the argument.
    fn argument_mut(&mut self) -> &mut [u8] {
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
