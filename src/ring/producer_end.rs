//! The producing end of a lane outside of a transaction: the protocol of [`Producer`](super::Producer), whatever holds its
//! words and its values (a segment, or the model checker's cells).

use std::ops::Deref;
use std::time::Duration;

use bytemuck::Pod;

use super::bell::Bell;
use super::fault::{Fault, PushError};
use super::owner;
use super::patience::{Next, Patience};
use super::position::Peer;
use super::producer::ProducerCursor;
use super::settings::{Overflow, Settings};
use super::store::Store;
use super::words::LaneWords;
use crate::prim::{Ordering, fence, spin_loop};

/// Whether a message can be stored now.
enum Ready {
    Go,
    Full,
    /// It was dropped and counted instead.
    Dropped,
}

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
        self.cursor.reopen();
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
    /// What a message takes nearly always is inlined; what is seldom is apart and does not get the value: it would have to
    /// lie in memory for that, and be written twice by everybody (162 instead of 250 million messages of 64 bytes a second).
    #[inline(always)]
    pub(super) fn push<T: Pod>(&mut self, value: T) -> Result<bool, Fault> {
        if !(self.is_plain && self.cursor.known_room() > 0) {
            match self.get_ready()? {
                Ready::Go => {}
                Ready::Full => return Ok(false),
                Ready::Dropped => return Ok(true),
            }
        }
        if self.is_plain {
            self.slots.put(self.cursor.position(), value);
        } else {
            self.slots.put_racing(self.cursor.position(), value);
        }
        self.publish(1);
        Ok(true)
    }

    /// Everything that may be needed before a message is stored.
    #[cold]
    #[inline(never)]
    fn get_ready(&mut self) -> Result<Ready, Fault> {
        if !self.is_owner {
            self.claim()?;
        }
        if self.settings.overflow == Overflow::DropOldest {
            self.cursor.announce(1);
            return Ok(Ready::Go);
        }
        if self.cursor.room(1)? == 0 {
            if self.settings.overflow == Overflow::Block {
                return Ok(Ready::Full);
            }
            self.cursor.count_dropped(1);
            return Ok(Ready::Dropped);
        }
        if self.settings.announce > 0 {
            self.cursor.announce_in_steps(self.settings.announce);
        }
        Ok(Ready::Go)
    }

    /// Stores `value`, or says why not.
    #[inline(always)]
    pub(super) fn try_push<T: Pod>(&mut self, value: T) -> Result<(), PushError<T>> {
        match self.push(value) {
            Ok(true) => Ok(()),
            Ok(false) if self.cursor.is_deserted() => Err(PushError::Closed(value)),
            Ok(false) => Err(PushError::Full(value)),
            Err(fault) => Err(PushError::Fault(value, fault)),
        }
    }

    /// Stores `value`, and waits for room as long as it takes.
    pub(super) fn send<T: Pod>(&mut self, value: T) -> Result<(), PushError<T>> {
        loop {
            match self.try_push(value) {
                Err(PushError::Full(value)) => {
                    self.wait_for_room(1, None).map_err(|fault| PushError::Fault(value, fault))?;
                }
                other => return other,
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
        let mut patience = Patience::new(self.settings.wait, timeout);
        while self.cursor.room(count)? < count {
            if self.cursor.is_deserted() {
                return Ok(false);
            }
            match patience.next() {
                Next::Look => spin_loop(),
                Next::Sleep(left) => self.sleep(count, left)?,
                Next::GiveUp => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Announce, fence, look again, sleep; awake again, take the announcement back.
    fn sleep(&mut self, count: u64, timeout: Option<Duration>) -> Result<(), Fault> {
        let heard = Bell::listen(&self.cursor.words().consumer.0.rings);
        let result = if self.prepare_to_sleep(count)? {
            self.space.sleep(&self.cursor.words().consumer.0.rings, heard, timeout)
        } else {
            Ok(())
        };
        self.cursor.stay_awake();
        Ok(result?)
    }

    /// Announces a sleep until there is room for `count` messages: whether there is still reason to.
    pub(super) fn prepare_to_sleep(&mut self, count: u64) -> Result<bool, Fault> {
        self.cursor.sleep_until(count);
        self.settings.fences.before_sleep();
        Ok(self.cursor.room(count)? < count && !self.cursor.is_deserted())
    }

    /// After a sleep that the caller did by itself, on the doorbell.
    pub(super) fn awake(&mut self) -> Result<(), Fault> {
        self.cursor.stay_awake();
        if let Bell::Door(bell) = &self.space {
            bell.silence()?;
        }
        Ok(())
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
