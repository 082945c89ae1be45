//! The end where values are got.

use std::time::Duration;

use super::LOOKS;
use super::lane::{Lane, PRODUCER};
use crate::multi::bell::{Bell, Limit};
use crate::multi::error::GetError;
use crate::multi::message::Message;
use crate::multi::queue::{self, Shutdown};
use crate::prim::{Ordering, spin_loop};
use crate::ring::{ConsumerCursor, LaneWords, slots_ahead};

/// The end of a [`queue`](super::queue) where values are got. There is one.
#[derive(Debug)]
pub struct Rx<T: Message> {
    lane: Lane<T>,
    cursor: ConsumerCursor<&'static LaneWords>,
    /// What was told of the position.
    told: u64,
}

impl<T: Message> Rx<T> {
    pub(super) fn of(lane: Lane<T>) -> Self {
        let cursor = ConsumerCursor::attach(&lane.head.words, lane.capacity());
        Self { told: cursor.position(), lane, cursor }
    }

    pub(super) fn lane(&self) -> &Lane<T> {
        &self.lane
    }

    /// Gets the next value, waiting for one.
    ///
    /// # Errors
    /// If there will be none, or it cannot be read.
    #[inline]
    pub fn get(&mut self) -> Result<T, GetError> {
        if self.cursor.known() == 0 {
            self.wait_for_value(Limit::NEVER);
        }
        self.try_get()
    }

    /// Gets the next value if there is one now.
    ///
    /// # Errors
    /// As [`Self::get`]; also if there is none.
    #[doc(alias = "get_nowait")]
    #[inline]
    pub fn try_get(&mut self) -> Result<T, GetError> {
        if self.lane.head.is_shut() {
            return Err(GetError::Closed);
        }
        if self.cursor.known() == 0 {
            self.look_for_values()?;
        }
        let ahead = const { slots_ahead(Lane::<T>::STRIDE) };
        let position = self.cursor.position();
        // Not beyond what is there: that line would be taken from the producer, who is about to write it.
        if self.cursor.known() > ahead {
            self.lane.slots.prefetch_to_read(position.wrapping_add(ahead), T::SLOT);
        }
        let value = self.lane.value_at(position);
        self.give_back();
        Ok(value?)
    }

    /// Gets the next value, waiting for one so long at most.
    ///
    /// # Errors
    /// As [`Self::get`]; also if none came in time.
    pub fn get_timeout(&mut self, time: Duration) -> Result<T, GetError> {
        if self.cursor.known() == 0 && !self.wait_for_value(Limit::after(time)) {
            return Err(GetError::Timeout);
        }
        self.try_get()
    }

    /// Gets the next value for as long as there will be one: ends when the producer has gone, or the queue is shut down, and what was
    /// left is got. A value that cannot be read is passed over.
    pub fn iter(&mut self) -> Iter<'_, T> {
        Iter(self)
    }

    /// Values that wait to be got.
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        // ORDER(tail): Acquire, as in the cursor's own look.
        let tail = self.cursor.words().producer.0.tail.load(Ordering::Acquire);
        usize::try_from(tail.wrapping_sub(self.cursor.position())).unwrap_or(usize::MAX)
    }

    /// Whether none waits. A value is there as soon as its `put` has returned.
    #[doc(alias = "empty")]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shuts the queue down, for both ends.
    pub fn shutdown(&self, how: Shutdown) {
        self.lane.head.shut(how);
    }

    /// The pid of the process whose death took the producer; none if it is there, or was dropped.
    pub fn dead_producer(&self) -> Option<u32> {
        self.lane.head.dead(PRODUCER)
    }

    /// Whether a get would not have to wait.
    pub(in crate::multi) fn is_ready(&self) -> bool {
        !self.is_empty() || self.lane.head.is_over()
    }

    /// Rung when that may have changed, if one has [asked](Self::ask).
    pub(in crate::multi) fn bell(&self) -> &'static Bell {
        &self.lane.head.filled.0
    }

    /// Asks for the bell at the next value. Then one must look once more.
    pub(in crate::multi) fn ask(&self) {
        self.cursor.sleep_until(1);
        self.lane.fences.before_sleep();
    }

    /// Looks for more than is known of, or says why there is nothing.
    #[cold]
    #[inline(never)]
    fn look_for_values(&mut self) -> Result<(), GetError> {
        // Before the look: what was put before the producer went is there.
        let over = self.lane.head.is_over();
        match self.cursor.available(1) {
            Ok(0) if over => Err(GetError::Closed),
            Ok(0) => Err(GetError::Empty),
            Ok(_) => Ok(()),
            Err(corrupt) => {
                log::error!("a queue is given up: {corrupt}");
                self.shutdown(Shutdown::Immediate);
                Err(GetError::Closed)
            }
        }
    }

    /// The value at our position has been read.
    #[inline(always)]
    fn give_back(&mut self) {
        self.cursor.release(1);
        self.cursor.acknowledge();
        let position = self.cursor.position();
        if position.wrapping_sub(self.told) > self.lane.capacity() / 4 {
            self.told = position;
            // ORDER(multi.spsc.told): Release, our reads of the slots before it.
            self.lane.head.told.0.store(position, Ordering::Release);
        }
        self.lane.fences.published();
        if self.cursor.producer_wants_bell() {
            self.ring();
        }
    }

    #[cold]
    fn ring(&self) {
        self.lane.head.emptied.0.ring(1);
    }

    /// Waits until there is a value, or will be none; false: the time is over.
    #[cold]
    #[inline(never)]
    fn wait_for_value(&mut self, limit: Limit) -> bool {
        for _ in 0..LOOKS {
            if self.is_ready() {
                return true;
            }
            spin_loop();
        }
        let found = self.lane.head.filled.0.wait_with(limit, || self.ask(), || self.is_ready().then_some(()));
        self.cursor.stay_awake();
        found.is_some()
    }
}

impl<T: Message> Drop for Rx<T> {
    fn drop(&mut self) {
        self.lane.consumer_goes(&mut self.cursor);
    }
}

/// The values of a queue, until there will be none: [`Rx::iter`].
#[derive(Debug)]
pub struct Iter<'r, T: Message>(&'r mut Rx<T>);

impl<T: Message> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        queue::next(|| self.0.get())
    }
}

impl<'r, T: Message> IntoIterator for &'r mut Rx<T> {
    type Item = T;
    type IntoIter = Iter<'r, T>;

    fn into_iter(self) -> Iter<'r, T> {
        self.iter()
    }
}
