//! The consumer's side of a lane: what to read, and when to ring.

use std::ops::Deref;

use super::producer::wants;
use super::words::{AWAKE, Corrupt, LaneWords};
use crate::prim::{Ordering, fence};

/// Position of the one consumer of a lane. Slots are read through [`Slots`](super::Slots) at [`Self::position`] and
/// following, then released.
#[derive(Debug)]
pub struct ConsumerCursor<W> {
    words: W,
    capacity: u64,
    head: u64,
    tail_seen: u64,
}

impl<W: Deref<Target = LaneWords>> ConsumerCursor<W> {
    /// Takes the lane's consumer side up where it stands. There must be no other consumer.
    pub fn attach(words: W, capacity: u64) -> Self {
        // ORDER(head): our own word; the predecessor that wrote it has ended.
        let head = words.consumer.0.head.load(Ordering::Relaxed);
        Self { words, capacity, head, tail_seen: head }
    }

    /// The lane's words.
    pub fn words(&self) -> &LaneWords {
        &self.words
    }

    /// Position of the next message to read.
    pub fn position(&self) -> u64 {
        self.head
    }

    /// How many messages there are. Looks at the producer's word only if the copy of it does not promise `want`.
    ///
    /// # Errors
    /// The producer's position makes no sense.
    pub fn available(&mut self, want: u64) -> Result<u64, Corrupt> {
        let known = self.tail_seen.wrapping_sub(self.head);
        if known >= want {
            return Ok(known);
        }
        let tail = self.look();
        let count = tail.wrapping_sub(self.head);
        if count > self.capacity {
            return Err(Corrupt { peer: "producer", claimed: tail, own: self.head, capacity: self.capacity });
        }
        self.tail_seen = tail;
        Ok(count)
    }

    /// Drop-oldest lanes: how many messages there are, and how many before them were overwritten unread and must be
    /// skipped by moving on to the position returned first.
    pub fn available_or_lapped(&mut self) -> (u64, u64) {
        let tail = self.look();
        let first = self.head.max(self.oldest());
        (first, tail.saturating_sub(first))
    }

    /// Drop-oldest lanes: whether slot `position`, copied just now, was not overwritten meanwhile.
    pub fn still_valid(&self, position: u64) -> bool {
        // ORDER(reserved): the copy's loads, an Acquire fence, then this load (the reader's side of a seqlock).
        fence(Ordering::Acquire);
        position >= self.oldest()
    }

    fn oldest(&self) -> u64 {
        // ORDER(reserved): Relaxed, see `still_valid`; as a first guess it may be old.
        self.words.producer.0.reserved.load(Ordering::Relaxed).saturating_sub(self.capacity)
    }

    fn look(&self) -> u64 {
        // ORDER(tail): Acquire, the slots' content after it.
        self.words.producer.0.tail.load(Ordering::Acquire)
    }

    /// Gives `count` slots back. For lanes outside of a transaction.
    pub fn release(&mut self, count: u64) {
        self.head = self.head.wrapping_add(count);
        // ORDER(head): Release, our reads of the slots before it.
        self.words.consumer.0.head.store(self.head, Ordering::Release);
    }

    /// A transaction has consumed: the new position.
    pub fn moved_to(&mut self, head: u64) {
        self.head = head;
    }

    /// Whether the producer has said that nothing will follow. Ask before [`Self::available`]: closed first and then empty is the end.
    pub fn is_closed(&self) -> bool {
        // ORDER(closed): Acquire, the final `tail` is seen after it.
        self.words.producer.0.closed.load(Ordering::Acquire) != 0
    }

    /// After a release and a SeqCst fence: whether the producer sleeps and wants the bell now. Answers so once.
    pub fn producer_wants_bell(&self) -> bool {
        // ORDER(space_at): Relaxed, behind the caller's SeqCst fence; as `data_at`.
        wants(&self.words.bell.0.space_at, self.head)
    }

    /// Announces that we are about to sleep until `count` messages are there; a SeqCst fence and another look at
    /// [`Self::available`] must follow before the sleep.
    pub fn sleep_until(&self, count: u64) {
        // ORDER(data_at): Relaxed, ordered by the caller's SeqCst fence.
        self.words.bell.0.data_at.store(self.head.wrapping_add(count), Ordering::Relaxed);
    }

    /// We do not sleep (any more).
    pub fn stay_awake(&self) {
        // ORDER(data_at): Relaxed; at worst one superfluous bell.
        self.words.bell.0.data_at.store(AWAKE, Ordering::Relaxed);
    }
}
