//! Slots that carry the number of their message: one cache line goes across for a message instead of two.
//!
//! The consumer finds in the slot itself whether the message it waits for is there, as in FastForward (Giacomoni, Moseley,
//! Vachharajani, PPoPP 2008), with the position instead of a null as the sign. It saves the transfer of the producer's
//! position, and a quarter of a round trip; a stream is slower, since consumer and producer meet in every line.

use bytemuck::Pod;

use super::slots::Slots;
use super::store::Store;
use crate::prim::{AtomicU64, Ordering};

/// Whatever holds the words of slots.
pub(super) trait Words {
    /// The words of the slot of `position`: mark first, then the value.
    fn words(&self, position: u64) -> &[AtomicU64];
}

impl Words for Slots {
    #[inline(always)]
    fn words(&self, position: u64) -> &[AtomicU64] {
        Self::words(self, position)
    }
}

/// Slots with marks.
#[derive(Debug)]
pub(super) struct Marked<S>(pub(super) S);

/// Bytes of a marked slot for values of `size` bytes: whole cache lines.
pub(super) fn marked_size(size: usize) -> usize {
    (8 + size.next_multiple_of(8)).next_multiple_of(64)
}

impl<S: Words> Store for Marked<S> {
    const MARKED: bool = true;

    #[inline(always)]
    fn put<T: Pod>(&mut self, position: u64, value: T) {
        // Cut once, so that the compiler knows how many there are.
        let words = &self.0.words(position)[..const { 1 + size_of::<T>().div_ceil(8) }];
        for (word, part) in words[1..].iter().zip(bytemuck::bytes_of(&value).chunks(8)) {
            let mut whole = [0; 8];
            whole[..part.len()].copy_from_slice(part);
            // ORDER(mark): Relaxed, before the mark.
            word.store(u64::from_ne_bytes(whole), Ordering::Relaxed);
        }
        // Not the position itself: a fresh slot's zero must not be the mark of position 0.
        // ORDER(mark): Release, the value before it; pairs with `holds`.
        words[0].store(position.wrapping_add(1), Ordering::Release);
    }

    #[inline(always)]
    fn get<T: Pod>(&self, position: u64) -> T {
        let mut value = T::zeroed();
        let words = &self.0.words(position)[..const { 1 + size_of::<T>().div_ceil(8) }];
        for (word, part) in words[1..].iter().zip(bytemuck::bytes_of_mut(&mut value).chunks_mut(8)) {
            // ORDER(mark): Relaxed, behind the Acquire load of the mark.
            let whole = word.load(Ordering::Relaxed).to_ne_bytes();
            part.copy_from_slice(&whole[..part.len()]);
        }
        value
    }

    fn put_racing<T: Pod>(&mut self, position: u64, value: T) {
        self.put(position, value);
    }

    fn get_racing<T: Pod>(&self, position: u64) -> T {
        self.get(position)
    }

    #[inline(always)]
    fn holds(&self, position: u64) -> bool {
        // ORDER(mark): Acquire, the value after it.
        self.0.words(position)[0].load(Ordering::Acquire) == position.wrapping_add(1)
    }
}
