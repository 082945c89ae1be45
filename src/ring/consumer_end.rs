//! The consuming end of a lane outside of a transaction: the protocol of [`Consumer`](super::Consumer), whatever holds its
//! words and its values.

use std::ops::Deref;
use std::time::Duration;

use bytemuck::Pod;

use super::bell::Bell;
use super::consumer::ConsumerCursor;
use super::fault::{Fault, PopError};
use super::owner;
use super::patience::{Next, Patience};
use super::position::Peer;
use super::settings::{Overflow, Settings, Wait};
use super::slots::slots_ahead;
use super::store::Store;
use super::words::LaneWords;
use crate::prim::{Ordering, fence, spin_loop};

/// How often a message that is overwritten while it is copied is followed by another try: a producer gone mad must not hold us.
const TRIES: u32 = 1000;

/// Looks for a message before anything else is thought of.
const LOOKS: u32 = 64;

/// Cursor, slots and bells of the end.
#[derive(Debug)]
pub(super) struct ConsumerEnd<W, S> {
    pub(super) cursor: ConsumerCursor<W>,
    pub(super) slots: S,
    pub(super) settings: Settings,
    /// Wakes us.
    pub(super) data: Bell,
    /// Wakes the producer.
    pub(super) space: Bell,
    pub(super) capacity: u64,
    /// This process uses the end: nobody else does.
    pub(super) is_owner: bool,
    /// It does, and nobody writes while we read.
    pub(super) is_plain: bool,
}

impl<W: Deref<Target = LaneWords> + Clone, S: Store> ConsumerEnd<W, S> {
    /// Claims the end on its first use in this process, and takes the position up where a predecessor left it.
    #[cold]
    pub(super) fn claim(&mut self) -> Result<(), Fault> {
        let words = self.cursor.share_words();
        owner::claim(&words.consumer.0.owner, Peer::Consumer)?;
        self.cursor = ConsumerCursor::attach(words, self.capacity);
        self.cursor.recover();
        self.cursor.reopen();
        self.is_owner = true;
        self.is_plain = self.settings.overflow != Overflow::DropOldest;
        // A predecessor may have died between a release and its bell. ORDER(space_at): SeqCst, as after a release.
        fence(Ordering::SeqCst);
        self.ring();
        Ok(())
    }

    /// Takes the next message. As in `push` only what is nearly always done is inlined.
    #[inline(always)]
    pub(super) fn pop<T: Pod>(&mut self) -> Result<T, PopError> {
        for _ in 0..TRIES {
            if !(self.is_plain && self.cursor.known() > 0) {
                self.get_ready()?;
            }
            if self.is_plain {
                let ahead = const { slots_ahead(size_of::<T>()) };
                // Not beyond what is there: that line would be taken from the producer, who is about to write it.
                if self.cursor.known() > ahead {
                    self.slots.prefetch::<T>(self.cursor.position().wrapping_add(ahead));
                }
                let value = self.slots.get(self.cursor.position());
                self.release(1);
                return Ok(value);
            }
            // Drop-oldest: the producer does not wait for us, so the message is copied first and then found valid or not.
            let value = self.slots.get_racing(self.cursor.position());
            if self.accept() {
                return Ok(value);
            }
        }
        Err(PopError::Empty)
    }

    /// Everything that may be needed before a message is read. `Ok`: there is one at our position.
    #[inline(never)]
    fn get_ready(&mut self) -> Result<(), PopError> {
        if !self.is_owner {
            self.claim()?;
        }
        if self.is_plain {
            return if self.cursor.known() > 0 { Ok(()) } else { self.refill() };
        }
        let closed = self.cursor.is_closed();
        let (first, count) = self.cursor.available_or_lapped();
        self.cursor.skip_to(first);
        match (count, closed) {
            (0, true) => Err(PopError::Closed),
            (0, false) => Err(PopError::Empty),
            _ => Ok(()),
        }
    }

    /// Whether the message just copied was not overwritten meanwhile; then it is consumed.
    #[inline(never)]
    fn accept(&mut self) -> bool {
        let valid = self.cursor.still_valid(self.cursor.position());
        if valid {
            self.cursor.release(1);
            // At once: the producer does not wait for us, and what was read must not be counted as skipped by a successor.
            self.cursor.acknowledge();
        }
        valid
    }

    /// Takes the next message, and waits for it, at most `timeout`.
    pub(super) fn recv<T: Pod>(&mut self, timeout: Option<Duration>) -> Result<T, PopError> {
        if self.is_plain && self.cursor.known() == 0 {
            // What was read is given back before we wait; after that only the next message matters.
            self.acknowledge();
            for _ in 0..LOOKS {
                if self.settings.wait == Wait::Sleep || self.waiting(1)? > 0 {
                    break;
                }
                spin_loop();
            }
        }
        loop {
            match self.pop() {
                Err(PopError::Empty) => {}
                other => return other,
            }
            if !self.wait_for_data(1, timeout)? && timeout.is_some() {
                return self.pop();
            }
        }
    }

    /// All that was known of is read: gives it back, and looks for more.
    #[inline]
    pub(super) fn refill(&mut self) -> Result<(), PopError> {
        self.acknowledge();
        if self.waiting(1)? > 0 {
            return Ok(());
        }
        // Closed first and then still empty is the end.
        let closed = self.cursor.is_closed();
        match (self.waiting(1)?, closed) {
            (0, true) => Err(PopError::Closed),
            (0, false) => Err(PopError::Empty),
            _ => Ok(()),
        }
    }

    /// Tells the producer of all that was given back, and wakes it if it sleeps for that.
    #[inline]
    pub(super) fn acknowledge(&mut self) {
        if self.cursor.acknowledge() {
            self.told();
        }
    }

    #[inline(never)]
    fn told(&mut self) {
        if self.settings.peer_sleeps {
            self.settings.fences.published();
            self.ring();
        }
    }

    /// Gives `count` slots back and wakes a producer that sleeps for them.
    #[inline(always)]
    pub(super) fn release(&mut self, count: u64) {
        if self.cursor.release(count) {
            self.told();
        }
    }

    #[inline]
    fn ring(&mut self) {
        if self.cursor.producer_wants_bell() {
            self.space.ring(&self.cursor.words().consumer.0.rings);
        }
    }

    /// Waits until there are `count` messages, or the time is over, or the producer has closed: whether there are some.
    pub(super) fn wait_for_data(&mut self, count: u64, timeout: Option<Duration>) -> Result<bool, Fault> {
        if !self.is_owner {
            self.claim()?;
        }
        let mut patience = Patience::new(self.settings.wait, timeout);
        while self.waiting(count)? < count {
            if self.cursor.is_closed() {
                return Ok(self.waiting(1)? > 0);
            }
            match patience.next() {
                Next::Look => spin_loop(),
                Next::Sleep(left) => self.sleep(count, left)?,
                Next::GiveUp => return Ok(self.waiting(1)? > 0),
            }
        }
        Ok(true)
    }

    /// How many messages there are; looks afresh only if fewer than `want` are known of. Marked slots are looked at one at a time.
    #[inline]
    pub(super) fn waiting(&mut self, want: u64) -> Result<u64, Fault> {
        if self.settings.overflow == Overflow::DropOldest {
            return Ok(self.cursor.available_or_lapped().1);
        }
        if S::MARKED {
            if self.slots.holds(self.cursor.position()) {
                self.cursor.learn_of_one();
            }
            return Ok(self.cursor.known());
        }
        Ok(self.cursor.available(want)?)
    }

    /// Announce, fence, look again, sleep; awake again, take the announcement back.
    fn sleep(&mut self, count: u64, timeout: Option<Duration>) -> Result<(), Fault> {
        let heard = Bell::listen(&self.cursor.words().producer.0.rings);
        let result = if self.prepare_to_sleep(count)? {
            self.data.sleep(&self.cursor.words().producer.0.rings, heard, timeout)
        } else {
            Ok(())
        };
        self.cursor.stay_awake();
        Ok(result?)
    }

    /// Announces a sleep until there are `count` messages: whether there is still reason to.
    pub(super) fn prepare_to_sleep(&mut self, count: u64) -> Result<bool, Fault> {
        self.cursor.acknowledge();
        self.cursor.sleep_until(count);
        self.settings.fences.before_sleep();
        // What was just given back may be what the producer sleeps for.
        self.ring();
        Ok(self.waiting(count)? < count && !self.cursor.is_closed())
    }

    /// After a sleep that the caller did by itself, on the doorbell.
    pub(super) fn awake(&mut self) -> Result<(), Fault> {
        self.cursor.stay_awake();
        if let Bell::Door(bell) = &self.data {
            bell.silence()?;
        }
        Ok(())
    }

    /// Says that nobody will read any more, and wakes whoever waits for room.
    pub(super) fn close(&mut self) {
        self.cursor.acknowledge();
        self.cursor.desert();
        self.settings.fences.published();
        self.space.ring(&self.cursor.words().consumer.0.rings);
        owner::leave(&self.cursor.words().consumer.0.owner);
        (self.is_owner, self.is_plain) = (false, false);
    }
}
