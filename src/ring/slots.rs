//! The bytes of a lane's slots: raw shared memory, read and written by whoever's turn it is.

use std::ptr::NonNull;

use bytemuck::Pod;

use super::store::Store;
use crate::prim::{AtomicU64, Ordering, prefetch_for_read, prefetch_for_write};
use crate::shm::{Offset, Segment};

/// How far ahead of the writer lines are fetched, in bytes.
const AHEAD: usize = 2048;

/// So many slots of that size ahead.
pub(crate) const fn slots_ahead(bytes: usize) -> u64 {
    if bytes < AHEAD { (AHEAD / bytes) as u64 } else { 1 }
}

/// Cache lines of a value that are fetched ahead. The processor sees by itself what is longer.
const fn lines(bytes: usize) -> usize {
    let lines = bytes.div_ceil(64);
    if lines < 8 { lines } else { 8 }
}

/// Values up to so many bytes are stored word by word, also where nobody races.
///
/// Mostly they were just made by scalar stores to the stack. Loads wider than those cannot be forwarded from the store buffer;
/// they wait until it has drained, the other core's cache lines included: as bad as a fence (22 instead of 200 million
/// messages of 64 bytes a second). The compiler makes wide loads of plain copies; relaxed atomic ones it leaves alone.
const WORDWISE: usize = 256;

/// The most that a batch fetches for the next one, in bytes.
const MOST_AHEAD: usize = 2048;

/// A power of two of equal slots.
#[derive(Debug)]
pub(crate) struct Slots {
    start: NonNull<u8>,
    stride: usize,
    mask: u64,
    /// Keeps the mapping alive; none: it lives for ever.
    _segment: Option<Segment>,
}

// SAFETY: plain shared memory that belongs to no thread; who may touch which slot is the lane's protocol.
unsafe impl Send for Slots {}

impl Slots {
    /// Views `capacity` slots of `stride` bytes at `at`.
    ///
    /// # Panics
    /// If the capacity is no power of two, there are no bytes in a slot, or the slots are outside of the segment.
    pub(crate) fn new(segment: &Segment, at: Offset, capacity: u64, stride: usize) -> Self {
        assert!(capacity.is_power_of_two() && stride > 0, "{capacity} slots of {stride} bytes");
        let bytes = usize::try_from(capacity).ok().and_then(|count| count.checked_mul(stride));
        let start = segment.range(at, bytes.expect("the layout reserved these bytes"));
        Self { start, stride, mask: capacity - 1, _segment: Some(segment.clone()) }
    }

    /// Views slots of `stride` bytes in memory that is never unmapped, a power of two of them.
    ///
    /// # Panics
    /// If `words` are not so many, or a slot is not whole words.
    #[cfg(not(loom))]
    pub(crate) fn over(words: &'static [AtomicU64], stride: usize) -> Self {
        let capacity = (size_of_val(words) / stride.max(1)) as u64;
        assert!(capacity.is_power_of_two() && stride % 8 == 0, "{capacity} slots of {stride} bytes");
        Self { start: NonNull::from(words).cast(), stride, mask: capacity - 1, _segment: None }
    }

    /// How many there are.
    pub(crate) fn capacity(&self) -> u64 {
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
    pub(crate) fn read(&self, position: u64) -> &[u8] {
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
    pub(crate) fn write(&mut self, position: u64, bytes: &[u8]) {
        assert!(bytes.len() <= self.stride, "{} bytes in a slot of {}", bytes.len(), self.stride);
        // SAFETY: within the slot (just checked), and the protocol above keeps the consumer out until it is published.
        unsafe { self.slot(position).as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    /// The slot of `position`, to write in place. It holds what was written there before. Same rules as [`Self::write`].
    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn fill(&mut self, position: u64) -> &mut [u8] {
        // SAFETY: within the mapping (see `slot`), which lives as long as `self`; `&mut self` and the protocol keep everybody else out.
        // Bytes are valid whatever they are.
        unsafe { std::slice::from_raw_parts_mut(self.slot(position).as_ptr(), self.stride) }
    }

    /// Fetches that many bytes of the slot of `position`, which will be written soon.
    #[inline(always)]
    pub(crate) fn prefetch_to_fill(&self, position: u64, bytes: usize) {
        let start = self.slot(position).as_ptr();
        for line in 0..lines(bytes) {
            prefetch_for_write(start.wrapping_add(64 * line));
        }
    }

    /// Fetches that many bytes of the slot of `position`, which will be read soon.
    #[inline(always)]
    pub(crate) fn prefetch_to_read(&self, position: u64, bytes: usize) {
        let start = self.slot(position).as_ptr();
        for line in 0..lines(bytes) {
            prefetch_for_read(start.wrapping_add(64 * line));
        }
    }

    /// Words of a slot, for those who race. Their slots are whole words, which the layout sees to.
    pub(super) fn words(&self, position: u64) -> &[AtomicU64] {
        debug_assert!(self.stride % 8 == 0, "racing readers and writers need whole words");
        let start = self.slot(position).cast::<AtomicU64>();
        // SAFETY: slots start at multiples of 128 + n * 8 and hold whole words; atomics may be shared with anybody.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), self.stride / 8) }
    }

    /// Fills a slot of a drop-oldest lane word by word: the consumer may be reading it.
    ///
    /// # Panics
    /// If the bytes do not fit or are no whole words.
    pub(crate) fn write_racing(&mut self, position: u64, bytes: &[u8]) {
        assert!(bytes.len() % 8 == 0 && bytes.len() <= self.stride, "{} bytes in a slot", bytes.len());
        for (word, bytes) in self.words(position).iter().zip(bytes.chunks_exact(8)) {
            let value = u64::from_ne_bytes(bytes.try_into().expect("chunks of eight"));
            // ORDER(reserved): Relaxed, behind the announcement's Release fence.
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Copies a slot of a drop-oldest lane; valid only if [`still_valid`](super::ConsumerCursor::still_valid) says so afterwards.
    pub(crate) fn copy_racing(&self, position: u64, target: &mut [u8]) {
        for (word, bytes) in self.words(position).iter().zip(target.chunks_exact_mut(8)) {
            // ORDER(reserved): Relaxed, before the check's Acquire fence.
            bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
    }
}

// Values in slots. That a slot is as large as the value, and aligned for it, is checked once, by whoever lays the lane out.
impl Slots {
    /// Whether values of type `T` can lie in the slots: in whole, and aligned for references to them.
    pub(crate) fn fit<T: Pod>(&self) -> bool {
        size_of::<T>() <= self.stride && self.stride % align_of::<T>() == 0 && self.start.cast::<T>().is_aligned()
    }

    /// The messages of `count` positions from `position` on, in place: those up to the end of the slots, and the rest from
    /// their beginning. Same rules as [`Self::read`].
    #[inline]
    pub(crate) fn values<T: Pod>(&self, position: u64, count: usize) -> (&[T], &[T]) {
        let (first, second) = self.parts::<T>(position, count);
        // SAFETY: `parts` has checked that the slots are values laid next to each other; the protocol keeps the producer out.
        let first = unsafe { std::slice::from_raw_parts(first.0.as_ptr(), first.1) };
        // SAFETY: as above.
        let second = unsafe { std::slice::from_raw_parts(second.0.as_ptr(), second.1) };
        (first, second)
    }

    /// The slots of `count` positions, to write in place; as [`Self::values`]. They hold what was written there before.
    /// Same rules as [`Self::write`].
    #[inline]
    pub(crate) fn values_mut<T: Pod>(&mut self, position: u64, count: usize) -> (&mut [T], &mut [T]) {
        let (first, second) = self.parts::<T>(position, count);
        // SAFETY: as in `values`; `&mut self` and the protocol keep everybody else out, and the two parts are disjoint.
        let first = unsafe { std::slice::from_raw_parts_mut(first.0.as_ptr(), first.1) };
        // SAFETY: as above.
        let second = unsafe { std::slice::from_raw_parts_mut(second.0.as_ptr(), second.1) };
        (first, second)
    }

    /// Fetches the lines behind `count` slots from `position` on, where the next batch will be written.
    #[inline]
    pub(super) fn prefetch_behind(&self, position: u64, count: usize) {
        let bytes = (count * self.stride).min(MOST_AHEAD);
        let start = self.slot(position.wrapping_add(count as u64)).as_ptr();
        for line in 0..bytes.div_ceil(64) {
            prefetch_for_write(start.wrapping_add(64 * line));
        }
    }

    /// The slot of `position`, as a value. The slots of values in whole words lie next to each other, so that the compiler knows
    /// their size.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "masked: less than the capacity, which is a usize")]
    fn slot_of<T: Pod>(&self, position: u64) -> NonNull<T> {
        debug_assert!(self.fit::<T>(), "slots of {} bytes", self.stride);
        if const { size_of::<T>() % 8 != 0 } {
            return self.slot(position).cast();
        }
        debug_assert_eq!(self.stride, size_of::<T>());
        // SAFETY: the index is below the capacity, so the slot lies within the range `new` has checked.
        unsafe { self.start.cast::<T>().add((position & self.mask) as usize) }
    }

    /// The words of that slot that hold a value.
    #[inline(always)]
    fn words_of<T: Pod>(&self, position: u64) -> &[AtomicU64] {
        let start = self.slot_of::<T>(position).cast::<AtomicU64>();
        // SAFETY: within the slot, which is whole words where anybody races (see `Lane::create`); atomics may be shared.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), size_of::<T>().div_ceil(8)) }
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "masked: less than the capacity, which is a usize")]
    fn parts<T: Pod>(&self, position: u64, count: usize) -> ((NonNull<T>, usize), (NonNull<T>, usize)) {
        assert!(size_of::<T>() == self.stride && self.fit::<T>(), "slots of {} bytes", self.stride);
        assert!(count as u64 <= self.mask + 1, "{count} messages in {} slots", self.mask + 1);
        let index = (position & self.mask) as usize;
        let before_end = ((self.mask + 1) as usize - index).min(count);
        let (first, second) = (self.slot(position).cast::<T>(), self.start.cast::<T>());
        ((first, before_end), (second, count - before_end))
    }
}

impl Store for Slots {
    #[inline(always)]
    fn put<T: Pod>(&mut self, position: u64, value: T) {
        debug_assert!(self.fit::<T>(), "slots of {} bytes", self.stride);
        // The line is fetched for writing some messages ahead, so that the store finds it here: 1.6 x the throughput of 64-byte
        // messages. Ahead by bytes rather than slots: small messages share a line.
        let ahead = const { slots_ahead(size_of::<T>()) };
        let start = self.slot_of::<T>(position.wrapping_add(ahead)).as_ptr().cast::<u8>();
        for line in 0..const { lines(size_of::<T>()) } {
            prefetch_for_write(start.wrapping_add(64 * line));
        }
        if const { size_of::<T>() % 8 == 0 && size_of::<T>() <= WORDWISE } {
            return self.put_racing(position, value);
        }
        // SAFETY: within the slot and aligned (`fit`, checked where the lane was laid out); the protocol keeps the consumer out
        // until it is published.
        unsafe { self.slot_of::<T>(position).as_ptr().write(value) };
    }

    #[inline(always)]
    fn get<T: Pod>(&self, position: u64) -> T {
        debug_assert!(self.fit::<T>(), "slots of {} bytes", self.stride);
        // SAFETY: as in `put`; the protocol keeps the producer out until it is released, and any bytes are a `T`.
        unsafe { self.slot_of::<T>(position).as_ptr().read() }
    }

    #[inline(always)]
    fn prefetch<T: Pod>(&self, position: u64) {
        let start = self.slot_of::<T>(position).as_ptr().cast::<u8>();
        for line in 0..const { lines(size_of::<T>()) } {
            prefetch_for_read(start.wrapping_add(64 * line));
        }
    }

    #[inline(always)]
    fn put_racing<T: Pod>(&mut self, position: u64, value: T) {
        let words = self.words_of::<T>(position);
        for (word, part) in words.iter().zip(bytemuck::bytes_of(&value).chunks(8)) {
            let mut whole = [0; 8];
            whole[..part.len()].copy_from_slice(part);
            // ORDER(reserved): Relaxed, behind the announcement's Release fence.
            word.store(u64::from_ne_bytes(whole), Ordering::Relaxed);
        }
    }

    fn get_racing<T: Pod>(&self, position: u64) -> T {
        let mut value = T::zeroed();
        for (word, part) in self.words_of::<T>(position).iter().zip(bytemuck::bytes_of_mut(&mut value).chunks_mut(8)) {
            // ORDER(reserved): Relaxed, before the check's Acquire fence.
            let whole = word.load(Ordering::Relaxed).to_ne_bytes();
            part.copy_from_slice(&whole[..part.len()]);
        }
        value
    }
}
