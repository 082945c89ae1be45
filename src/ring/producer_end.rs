//! The producing end of a lane outside of a transaction: the protocol of [`Producer`](super::Producer), whatever holds its
//! words and its values (a segment, or the model checker's cells).

use std::ops::Deref;
use std::time::{Duration, Instant};

use bytemuck::Pod;

use super::bell::Bell;
use super::fault::{Fault, PushError};
use super::owner;
use super::position::Peer;
use super::producer::ProducerCursor;
use super::settings::{Overflow, Settings, Wait};
use super::store::Store;
use super::words::LaneWords;
use crate::prim::{Ordering, fence, spin_loop};

/// Cursor, slots and bells of the end.
#[derive(Debug)]
pub(super) struct ProducerEnd<W, S> {
    pub(super) cursor: ProducerCursor<W>,
    pub(super) slots: S,
    pub(super) settings: Settings,
    /// Wakes the consumer.
    pub(super) data: Bell,
    /// Wakes us.
    pub(super) space: Bell,
    pub(super) capacity: u64,
    /// This process uses the end: nobody else does.
    pub(super) is_owner: bool,
    /// It does, and nobody reads while we write.
    pub(super) is_plain: bool,
}

impl<W: Deref<Target = LaneWords> + Clone, S: Store> ProducerEnd<W, S> {
    /// Claims the end on its first use in this process, and takes the position up where a predecessor left it.
    #[cold]
    pub(super) fn claim(&mut self) -> Result<(), Fault> {
        let words = self.cursor.share_words();
        owner::claim(&words.producer.0.owner, Peer::Producer)?;
        self.cursor = ProducerCursor::attach(words, self.capacity);
        if S::MARKED {
            self.find_tail();
        }
        self.is_owner = true;
        self.is_plain = !self.settings.races();
        // A predecessor may have died between a publication and its bell. ORDER(data_at): SeqCst, as after a publication.
        fence(Ordering::SeqCst);
        self.ring();
        Ok(())
    }

    /// Marked slots: nobody has written down how far our predecessor came, but the slots tell.
    fn find_tail(&mut self) {
        let head = self.cursor.head_seen();
        let written = (0..self.capacity).take_while(|offset| self.slots.holds(head.wrapping_add(*offset))).count();
        self.cursor.moved_to(head.wrapping_add(written as u64));
    }

    /// Stores `value` as the overflow policy has it. `Ok(false)`: the ring is full.
    ///
    /// What a message takes nearly always is inlined, so that its value goes from the caller's registers into the slot; the
    /// rest is apart. A call with the value in memory costs as much as all else together (19 instead of 5 ns for 64 bytes).
    #[inline(always)]
    pub(super) fn push<T: Pod>(&mut self, value: T) -> Result<bool, Fault> {
        if self.is_plain && self.cursor.known_room() > 0 {
            self.slots.put(self.cursor.position(), value);
            self.publish(1);
            return Ok(true);
        }
        self.push_with_care(value)
    }

    #[inline(never)]
    fn push_with_care<T: Pod>(&mut self, value: T) -> Result<bool, Fault> {
        if !self.is_owner {
            self.claim()?;
        }
        if self.settings.overflow == Overflow::DropOldest {
            self.cursor.announce(1);
            self.slots.put_racing(self.cursor.position(), value);
        } else {
            if self.cursor.room(1)? == 0 {
                return Ok(self.refuse());
            }
            self.store(value);
        }
        self.publish(1);
        Ok(true)
    }

    fn store<T: Pod>(&mut self, value: T) {
        if self.settings.announce > 0 {
            self.cursor.announce_in_steps(self.settings.announce);
            self.slots.put_racing(self.cursor.position(), value);
        } else {
            self.slots.put(self.cursor.position(), value);
        }
    }

    /// A full ring: whether that is no reason to wait.
    #[cold]
    fn refuse(&mut self) -> bool {
        let drops = self.settings.overflow == Overflow::DropNewest;
        if drops {
            self.cursor.count_dropped(1);
        }
        drops
    }

    /// What a message that was not stored is told.
    #[inline(never)]
    pub(super) fn refused<T>(&self, value: T, refused: Result<bool, Fault>) -> PushError<T> {
        match refused {
            Ok(_) if self.cursor.is_deserted() => PushError::Closed(value),
            Ok(_) => PushError::Full(value),
            Err(fault) => PushError::Fault(value, fault),
        }
    }

    /// Stores `value`, and waits for room as long as it takes.
    pub(super) fn send<T: Pod>(&mut self, value: T) -> Result<(), PushError<T>> {
        loop {
            match self.push(value) {
                Ok(true) => return Ok(()),
                Ok(false) if !self.cursor.is_deserted() => {
                    self.wait_for_room(1, None).map_err(|fault| PushError::Fault(value, fault))?;
                }
                refused => return Err(self.refused(value, refused)),
            }
        }
    }

    /// Publishes `count` messages and wakes a consumer that sleeps for them.
    #[inline(always)]
    pub(super) fn publish(&mut self, count: u64) {
        if S::MARKED {
            self.cursor.moved_to(self.cursor.position().wrapping_add(count));
        } else {
            self.cursor.publish(count);
        }
        if self.settings.peer_sleeps {
            self.settings.fences.published();
            self.ring();
        }
    }

    #[inline(always)]
    fn ring(&mut self) {
        if self.cursor.consumer_wants_bell() {
            self.data.ring(&self.cursor.words().producer.0.rings);
        }
    }

    /// Waits until there is room for `count` messages, or the time is over, or the consumer has gone: whether there is room.
    pub(super) fn wait_for_room(&mut self, count: u64, timeout: Option<Duration>) -> Result<bool, Fault> {
        if !self.is_owner {
            self.claim()?;
        }
        let started = Instant::now();
        while self.cursor.room(count)? < count {
            let waited = started.elapsed();
            if timeout.is_some_and(|timeout| waited >= timeout) || self.cursor.is_deserted() {
                return Ok(false);
            }
            let spins = match self.settings.wait {
                Wait::Busy => true,
                Wait::SpinThenSleep(spin) => waited < spin,
                Wait::Sleep => false,
            };
            if spins {
                spin_loop();
            } else {
                self.sleep(count, timeout.map(|timeout| timeout - waited))?;
            }
        }
        Ok(true)
    }

    /// Announce, fence, look again, sleep; awake again, take the announcement back.
    fn sleep(&mut self, count: u64, timeout: Option<Duration>) -> Result<(), Fault> {
        let heard = Bell::listen(&self.cursor.words().consumer.0.rings);
        self.cursor.sleep_until(count);
        self.settings.fences.before_sleep();
        let result = if self.cursor.room(count)? < count && !self.cursor.is_deserted() {
            self.space.sleep(&self.cursor.words().consumer.0.rings, heard, timeout)
        } else {
            Ok(())
        };
        self.cursor.stay_awake();
        Ok(result?)
    }

    /// Says that nothing will follow, and wakes whoever waits for more.
    pub(super) fn close(&mut self) {
        self.cursor.close();
        self.settings.fences.published();
        self.data.ring(&self.cursor.words().producer.0.rings);
        owner::leave(&self.cursor.words().producer.0.owner);
        (self.is_owner, self.is_plain) = (false, false);
    }
}
