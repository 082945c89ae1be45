//! The producer's side of a lane: where to write, and when to ring.

use std::ops::Deref;

use super::position::{AWAKE, Peer, ask_at, is_before, is_reached, later, used};
use super::words::{Corrupt, LaneWords};
use crate::prim::{Ordering, fence};

/// Position of the one producer of a lane. Slots are written through `Slots` at
/// [`Self::position`] and following, then published.
#[derive(Debug)]
pub struct ProducerCursor<W> {
    words: W,
    capacity: u64,
    tail: u64,
    /// A copy of the consumer's position. Textbook, and worth most of the throughput: without it every message would fetch the
    /// consumer's line.
    head_seen: u64,
    /// Position below which racing readers have been told that slots may change.
    announced: u64,
    /// The request of the consumer that was answered last.
    rung_for: u64,
}

impl<W: Deref<Target = LaneWords>> ProducerCursor<W> {
    /// Takes the lane's producer side up where it stands. There must be no other producer.
    pub fn attach(words: W, capacity: u64) -> Self {
        // ORDER(tail): our own word; the predecessor that wrote it has ended.
        let tail = words.producer.0.tail.load(Ordering::Relaxed);
        // ORDER(head): a lower bound to start with; `room` looks again before it is relied upon.
        let head_seen = words.consumer.0.head.load(Ordering::Relaxed);
        // ORDER(reserved): Relaxed, our own word. A predecessor that died while it wrote had announced more than it published,
        // and what it has spoilt stays announced.
        let reserved = words.producer.0.reserved.load(Ordering::Relaxed);
        Self { words, capacity, tail, head_seen, announced: later(tail, reserved), rung_for: AWAKE }
    }

    /// The lane's words.
    pub fn words(&self) -> &LaneWords {
        &self.words
    }

    /// Position of the next message.
    #[inline]
    pub fn position(&self) -> u64 {
        self.tail
    }

    /// The consumer's position, as far as we know.
    pub fn head_seen(&self) -> u64 {
        self.head_seen
    }

    /// How many messages fit for sure, without a look.
    #[inline]
    pub fn known_room(&self) -> u64 {
        self.capacity - self.tail.wrapping_sub(self.head_seen).min(self.capacity)
    }

    /// How many messages fit now. Looks at the consumer's word only if the copy of it does not promise `want`.
    ///
    /// # Errors
    /// The consumer's position makes no sense.
    #[inline]
    pub fn room(&mut self, want: u64) -> Result<u64, Corrupt> {
        let room = self.known_room();
        if room >= want {
            return Ok(room);
        }
        self.look()
    }

    #[cold]
    fn look(&mut self) -> Result<u64, Corrupt> {
        // ORDER(head): Acquire, so that our writes into the slots come after the consumer's reads of them.
        let head = self.words.consumer.0.head.load(Ordering::Acquire);
        self.take_up(head)
    }

    /// The consumer has said elsewhere that it is at `head` at least, after it had read what is before: how many messages fit. For who
    /// wants to look at its own word less often.
    ///
    /// # Errors
    /// That position makes no sense.
    pub fn learn(&mut self, head: u64) -> Result<u64, Corrupt> {
        self.take_up(later(self.head_seen, head))
    }

    fn take_up(&mut self, head: u64) -> Result<u64, Corrupt> {
        let used = used(self.tail, head, self.capacity, Peer::Consumer)?;
        self.head_seen = head;
        Ok(self.capacity - used)
    }

    /// Lanes with racing readers: says that the next `count` slots are about to be overwritten. Comes before the first write.
    #[inline]
    pub fn announce(&mut self, count: u64) {
        let until = self.tail.wrapping_add(count);
        if is_before(self.announced, until) {
            self.announced = until;
            // ORDER(reserved): Relaxed store, then a Release fence: whoever sees a word of the overwritten slots and then
            // looks here (after an Acquire fence) sees this value (the writer's side of a seqlock).
            self.words.producer.0.reserved.store(until, Ordering::Relaxed);
            fence(Ordering::Release);
        }
    }

    /// As [`Self::announce`] for the next message, but for `step` of them at once where a new announcement is needed: the fence
    /// is shared.
    #[inline]
    pub fn announce_in_steps(&mut self, step: u64) {
        if !is_before(self.tail, self.announced) {
            self.announce(step);
        }
    }

    /// Another handle to the lane's words.
    pub fn share_words(&self) -> W
    where
        W: Clone,
    {
        self.words.clone()
    }

    /// Publishes `count` messages. For lanes outside of a transaction.
    #[inline]
    pub fn publish(&mut self, count: u64) {
        self.tail = self.tail.wrapping_add(count);
        // ORDER(tail): Release, the slots' content before it.
        self.words.producer.0.tail.store(self.tail, Ordering::Release);
    }

    /// A transaction has published: the new position.
    pub fn moved_to(&mut self, tail: u64) {
        self.tail = tail;
    }

    /// Counts `count` messages that were not stored.
    #[cold]
    pub fn count_dropped(&self, count: u64) {
        let dropped = &self.words.producer.0.dropped;
        // ORDER(counts): Relaxed; a counter with one writer.
        dropped.store(dropped.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// A new user of this end: something may follow again, whatever the last one said.
    pub fn reopen(&self) {
        // ORDER(closed): Release, as in `close`.
        self.words.producer.0.closed.store(0, Ordering::Release);
    }

    /// Says that nothing will follow.
    pub fn close(&self) {
        // ORDER(closed): Release, `tail` before it.
        self.words.producer.0.closed.store(1, Ordering::Release);
    }

    /// Whether the consumer has said that it reads no more.
    pub fn is_deserted(&self) -> bool {
        // ORDER(closed): Acquire, as in the consumer's look at ours; nothing hangs on it but the answer.
        self.words.consumer.0.closed.load(Ordering::Acquire) != 0
    }

    /// After a publication and a SeqCst fence: whether the consumer sleeps and wants the bell now. Each request is answered once.
    ///
    /// The same position asked for twice needs no second bell: we rang because `tail` had reached it, so a consumer that asks
    /// again finds the messages when it looks again before it sleeps.
    #[inline]
    pub fn consumer_wants_bell(&mut self) -> bool {
        // ORDER(data_at): Relaxed, behind the caller's SeqCst fence: either we see the announced sleep, or the sleeper, which
        // fences between its announcement and its second look, sees our publication.
        let asked = self.words.data_at.0.load(Ordering::Relaxed);
        if !is_reached(asked, self.tail) || asked == self.rung_for {
            return false;
        }
        self.rung_for = asked;
        true
    }

    /// Announces that we are about to sleep until `count` slots are free; a SeqCst fence and another look at
    /// [`Self::room`] must follow before the sleep.
    pub fn sleep_until(&self, count: u64) {
        let head = self.tail.wrapping_add(count).wrapping_sub(self.capacity);
        // ORDER(space_at): Relaxed, ordered by the caller's SeqCst fence.
        self.words.space_at.0.store(ask_at(head), Ordering::Relaxed);
    }

    /// We do not sleep (any more).
    pub fn stay_awake(&self) {
        // ORDER(space_at): Relaxed; at worst one superfluous bell.
        self.words.space_at.0.store(AWAKE, Ordering::Relaxed);
    }
}
