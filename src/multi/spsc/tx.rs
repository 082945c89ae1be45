//! The end where values are put.

use std::time::Duration;

use super::LOOKS;
use super::lane::{CONSUMER, Lane, waybill_of};
use crate::multi::bell::Limit;
use crate::multi::error::PutError;
use crate::multi::message::{Message, Writer, hand_over};
use crate::multi::queue::Shutdown;
use crate::prim::{Ordering, spin_loop};
use crate::ring::{LaneWords, ProducerCursor, slots_ahead};

/// The end of a [`queue`](super::queue) where values are put. There is one.
#[derive(Debug)]
pub struct Tx<T: Message> {
    lane: Lane<T>,
    cursor: ProducerCursor<&'static LaneWords>,
}

impl<T: Message> Tx<T> {
    pub(super) fn of(lane: Lane<T>) -> Self {
        let cursor = ProducerCursor::attach(&lane.head.words, lane.capacity());
        Self { lane, cursor }
    }

    pub(super) fn lane(&self) -> &Lane<T> {
        &self.lane
    }

    /// Puts a value, waiting for room.
    ///
    /// # Errors
    /// The value comes back if nobody will take it any more, or if it does not fit.
    #[inline]
    pub fn put(&mut self, value: T) -> Result<(), PutError<T>> {
        if self.cursor.known_room() == 0 {
            self.wait_for_room(Limit::NEVER);
        }
        self.try_put(value)
    }

    /// Puts a value if there is room now.
    ///
    /// # Errors
    /// As [`Self::put`]; also if there is none.
    #[doc(alias = "put_nowait")]
    #[inline]
    pub fn try_put(&mut self, value: T) -> Result<(), PutError<T>> {
        let has_room = self.cursor.known_room() > 0 || self.finds_room();
        if self.lane.head.refuses() {
            return Err(PutError::Closed(value));
        }
        if !has_room {
            return Err(PutError::Full(value));
        }
        self.store(value)
    }

    /// Puts a value, waiting for room so long at most.
    ///
    /// # Errors
    /// As [`Self::put`]; also if there was none in time.
    pub fn put_timeout(&mut self, value: T, time: Duration) -> Result<(), PutError<T>> {
        if self.cursor.known_room() == 0 && !self.wait_for_room(Limit::after(time)) {
            return Err(PutError::Timeout(value));
        }
        self.try_put(value)
    }

    /// Puts all values, waiting for room; how many that were.
    ///
    /// # Errors
    /// As [`Self::put`], with the first that could not be put; those before it are in the queue.
    pub fn put_all(&mut self, values: impl IntoIterator<Item = T>) -> Result<usize, PutError<T>> {
        values.into_iter().try_fold(0, |count, value| self.put(value).map(|()| count + 1))
    }

    /// Values that wait to be got.
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        usize::try_from(self.cursor.position().wrapping_sub(self.head())).unwrap_or(0)
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no place is free.
    #[doc(alias = "full")]
    pub fn is_full(&self) -> bool {
        self.len() >= self.capacity()
    }

    /// How many values it has room for.
    pub fn capacity(&self) -> usize {
        usize::try_from(self.lane.capacity()).unwrap_or(usize::MAX)
    }

    /// Shuts the queue down, for both ends.
    pub fn shutdown(&self, how: Shutdown) {
        self.lane.head.shut(how);
    }

    /// The pid of the process whose death took the consumer; none if it is there, or was dropped.
    pub fn dead_consumer(&self) -> Option<u32> {
        self.lane.head.dead(CONSUMER)
    }

    /// There is room, and somebody who will get it.
    #[inline(always)]
    fn store(&mut self, value: T) -> Result<(), PutError<T>> {
        let position = self.cursor.position();
        let ahead = const { slots_ahead(Lane::<T>::STRIDE) };
        self.lane.slots.prefetch_to_fill(position.wrapping_add(ahead), T::SLOT);
        let object = self.lane.handle.object();
        let mut out = Writer::new(&mut self.lane.slots.fill(position)[..T::SLOT]);
        if let Err(too_large) = hand_over(&value, &mut out, || waybill_of(object, position)) {
            return Err(PutError::TooLarge(value, too_large));
        }
        self.cursor.publish(1);
        self.lane.fences.published();
        if self.cursor.consumer_wants_bell() {
            self.ring();
        }
        Ok(())
    }

    #[cold]
    fn ring(&self) {
        self.lane.head.filled.0.ring(1);
    }

    /// The consumer's position, as it is.
    fn head(&self) -> u64 {
        // ORDER(head): Acquire, as in the cursor's own look.
        self.cursor.words().consumer.0.head.load(Ordering::Acquire)
    }

    /// The consumer's position, as it was told last.
    fn told(&self) -> u64 {
        // ORDER(multi.spsc.told): Acquire, so that our writes into the slots come after the consumer's reads of them.
        self.lane.head.told.0.load(Ordering::Acquire)
    }

    /// Looks for room, first at what was told, then at the consumer's own position.
    #[cold]
    #[inline(never)]
    fn finds_room(&mut self) -> bool {
        let told = self.told();
        if self.cursor.learn(told).is_ok_and(|room| room > 0) {
            return true;
        }
        match self.cursor.room(1) {
            Ok(room) => room > 0,
            Err(corrupt) => {
                log::error!("a queue is given up: {corrupt}");
                self.shutdown(Shutdown::Immediate);
                false
            }
        }
    }

    /// Waits until there is room, or nobody takes anything any more; false: the time is over.
    #[cold]
    #[inline(never)]
    fn wait_for_room(&mut self, limit: Limit) -> bool {
        let (head, cursor) = (self.lane.head, &self.cursor);
        let is_full = |head: u64| cursor.position().wrapping_sub(head) == self.lane.capacity();
        for _ in 0..LOOKS {
            // Behind the consumer's own position, so what is not full by this is not full.
            if cursor.position().wrapping_sub(self.told()) < self.lane.capacity() || head.refuses() {
                return true;
            }
            spin_loop();
        }
        let ask = || {
            cursor.sleep_until(1);
            self.lane.fences.before_sleep();
        };
        let look = || (!is_full(self.head()) || head.refuses()).then_some(());
        let found = head.emptied.0.wait_with(limit, ask, look);
        cursor.stay_awake();
        found.is_some()
    }
}

impl<T: Message> Drop for Tx<T> {
    fn drop(&mut self) {
        self.lane.producer_goes();
    }
}
