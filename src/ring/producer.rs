//! The producer's side of a lane: where to write, and when to ring.

use std::ops::Deref;

use super::words::{AWAKE, Corrupt, LaneWords};
use crate::prim::{Ordering, fence};

/// Position of the one producer of a lane. Slots are written through [`Slots`](super::Slots) at
/// [`Self::position`] and following, then published.
#[derive(Debug)]
pub struct ProducerCursor<W> {
    words: W,
    capacity: u64,
    tail: u64,
    head_seen: u64,
}

impl<W: Deref<Target = LaneWords>> ProducerCursor<W> {
    /// Takes the lane's producer side up where it stands. There must be no other producer.
    pub fn attach(words: W, capacity: u64) -> Self {
        // ORDER(tail): our own word; the predecessor that wrote it has ended.
        let tail = words.producer.0.tail.load(Ordering::Relaxed);
        // ORDER(head): a lower bound to start with; `room` looks again before it is relied upon.
        let head_seen = words.consumer.0.head.load(Ordering::Relaxed);
        Self { words, capacity, tail, head_seen }
    }

    /// The lane's words.
    pub fn words(&self) -> &LaneWords {
        &self.words
    }

    /// Position of the next message.
    pub fn position(&self) -> u64 {
        self.tail
    }

    /// How many messages fit now. Looks at the consumer's word only if the copy of it does not promise `want`.
    ///
    /// # Errors
    /// The consumer's position makes no sense.
    pub fn room(&mut self, want: u64) -> Result<u64, Corrupt> {
        let room = self.capacity - self.tail.wrapping_sub(self.head_seen).min(self.capacity);
        if room >= want {
            return Ok(room);
        }
        // ORDER(head): Acquire, so that our writes into the slots come after the consumer's reads of them.
        let head = self.words.consumer.0.head.load(Ordering::Acquire);
        let used = self.tail.wrapping_sub(head);
        if used > self.capacity {
            return Err(Corrupt { peer: "consumer", claimed: head, own: self.tail, capacity: self.capacity });
        }
        self.head_seen = head;
        Ok(self.capacity - used)
    }

    /// Drop-oldest lanes: says that the next `count` slots are about to be overwritten. Comes before the first write.
    pub fn announce(&self, count: u64) {
        // ORDER(reserved): Relaxed store, then a Release fence: whoever sees a word of the overwritten slots and then
        // looks here (after an Acquire fence) sees this value (the writer's side of a seqlock).
        self.words.producer.0.reserved.store(self.tail.wrapping_add(count), Ordering::Relaxed);
        fence(Ordering::Release);
    }

    /// Publishes `count` messages. For lanes outside of a transaction.
    pub fn publish(&mut self, count: u64) {
        self.tail = self.tail.wrapping_add(count);
        // ORDER(tail): Release, the slots' content before it.
        self.words.producer.0.tail.store(self.tail, Ordering::Release);
    }

    /// A transaction has published: the new position.
    pub fn moved_to(&mut self, tail: u64) {
        self.tail = tail;
    }

    /// Says that nothing will follow.
    pub fn close(&self) {
        // ORDER(closed): Release, `tail` before it.
        self.words.producer.0.closed.store(1, Ordering::Release);
    }

    /// After a publication and a SeqCst fence: whether the consumer sleeps and wants the bell now. Answers so once.
    pub fn consumer_wants_bell(&self) -> bool {
        // ORDER(data_at): Relaxed, behind the caller's SeqCst fence: either we see the announced sleep, or the sleeper, which
        // fences between its announcement and its second look, sees our publication.
        wants(&self.words.bell.0.data_at, self.tail)
    }

    /// Announces that we are about to sleep until `count` slots are free; a SeqCst fence and another look at
    /// [`Self::room`] must follow before the sleep.
    pub fn sleep_until(&self, count: u64) {
        let head = self.tail.wrapping_add(count).wrapping_sub(self.capacity);
        // ORDER(space_at): Relaxed, ordered by the caller's SeqCst fence.
        self.words.bell.0.space_at.store(head, Ordering::Relaxed);
    }

    /// We do not sleep (any more).
    pub fn stay_awake(&self) {
        // ORDER(space_at): Relaxed; at worst one superfluous bell.
        self.words.bell.0.space_at.store(AWAKE, Ordering::Relaxed);
    }
}

/// Whether the sleeper that asked for `position` in `word` is to be woken now; takes the request.
pub(super) fn wants(word: &crate::prim::AtomicU64, position: u64) -> bool {
    // ORDER(data_at): Relaxed, behind the caller's SeqCst fence. ORDER(space_at): likewise.
    let asked = word.load(Ordering::Relaxed);
    if asked == AWAKE || position < asked {
        return false;
    }
    // Taking the request keeps a burst of publications from ringing more than once. A death between this and the bell
    // is covered: whoever restarts a worker rings all of its neighbours. ORDER(data_at): Relaxed; which of two takers gets it
    // does not matter. ORDER(space_at): likewise.
    word.swap(AWAKE, Ordering::Relaxed) != AWAKE
}
