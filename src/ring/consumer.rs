//! The consumer's side of a lane: what to read, and when to ring.

use std::ops::Deref;

use super::position::{AWAKE, Peer, ask_at, is_before, is_reached, later, used};
use super::words::{Corrupt, LaneWords};
use crate::prim::{Ordering, compiler_fence, fence};

/// Position of the one consumer of a lane. Slots are read through `Slots` at [`Self::position`] and
/// following, then released.
#[derive(Debug)]
pub struct ConsumerCursor<W> {
    words: W,
    capacity: u64,
    head: u64,
    /// What the producer has been told of `head`.
    acknowledged: u64,
    tail_seen: u64,
    /// The request of the producer that was answered last.
    rung_for: u64,
}

impl<W: Deref<Target = LaneWords>> ConsumerCursor<W> {
    /// Takes the lane's consumer side up where it stands. There must be no other consumer.
    pub fn attach(words: W, capacity: u64) -> Self {
        // ORDER(head): our own word; the predecessor that wrote it has ended.
        let head = words.consumer.0.head.load(Ordering::Relaxed);
        Self { words, capacity, head, acknowledged: head, tail_seen: head, rung_for: AWAKE }
    }

    /// The lane's words.
    pub fn words(&self) -> &LaneWords {
        &self.words
    }

    /// Position of the next message to read.
    #[inline]
    pub fn position(&self) -> u64 {
        self.head
    }

    /// How many messages there are for sure, without a look.
    #[inline]
    pub fn known(&self) -> u64 {
        self.tail_seen.wrapping_sub(self.head)
    }

    /// The slots say that the next message is there.
    #[inline]
    pub fn learn_of_one(&mut self) {
        self.tail_seen = self.head.wrapping_add(1);
    }

    /// How many messages there are. Looks at the producer's word only if the copy of it does not promise `want`.
    ///
    /// # Errors
    /// The producer's position makes no sense.
    #[inline]
    pub fn available(&mut self, want: u64) -> Result<u64, Corrupt> {
        let known = self.tail_seen.wrapping_sub(self.head);
        if known >= want {
            return Ok(known);
        }
        let tail = self.look();
        let count = used(tail, self.head, self.capacity, Peer::Producer)?;
        self.tail_seen = tail;
        Ok(count)
    }

    /// Drop-oldest lanes: how many messages there are, and how many before them were overwritten unread and must be
    /// skipped by moving on to the position returned first.
    pub fn available_or_lapped(&mut self) -> (u64, u64) {
        let tail = self.look();
        let first = later(self.head, self.oldest());
        (first, if is_before(first, tail) { tail.wrapping_sub(first) } else { 0 })
    }

    /// Drop-oldest lanes: whether slot `position`, copied just now, was not overwritten meanwhile.
    pub fn still_valid(&self, position: u64) -> bool {
        // ORDER(reserved): the copy's loads, an Acquire fence, then this load (the reader's side of a seqlock).
        fence(Ordering::Acquire);
        !is_before(position, self.oldest())
    }

    fn oldest(&self) -> u64 {
        // ORDER(reserved): Relaxed, see `still_valid`; as a first guess it may be old.
        self.words.producer.0.reserved.load(Ordering::Relaxed).wrapping_sub(self.capacity)
    }

    #[inline]
    fn look(&self) -> u64 {
        // ORDER(tail): Acquire, the slots' content after it.
        self.words.producer.0.tail.load(Ordering::Acquire)
    }

    /// Gives `count` slots back. For lanes outside of a transaction.
    ///
    /// The producer is told a quarter ring at a time: its copy of our line stays valid meanwhile. This and the copies of the
    /// peers' positions are what makes the ring fast (see docs/performance.md). Until told, the slots stay taken: whoever runs
    /// dry calls [`Self::acknowledge`]. Returns whether the producer was told.
    #[inline]
    pub fn release(&mut self, count: u64) -> bool {
        self.head = self.head.wrapping_add(count);
        self.head.wrapping_sub(self.acknowledged) > self.capacity / 4 && self.acknowledge()
    }

    /// Tells the producer of all that was released. Returns whether there was something to tell.
    #[inline]
    pub fn acknowledge(&mut self) -> bool {
        let news = self.acknowledged != self.head;
        if news {
            self.acknowledged = self.head;
            // ORDER(head): Release, our reads of the slots before it.
            self.words.consumer.0.head.store(self.head, Ordering::Release);
        }
        news
    }

    /// Another handle to the lane's words.
    pub fn share_words(&self) -> W
    where
        W: Clone,
    {
        self.words.clone()
    }

    /// Drop-oldest lanes: moves on to `position`; what lies between was overwritten unread, and is counted so.
    ///
    /// Count and position are two words, and a kill may come between: so the count before and the new position are written
    /// down first, and whoever finds a skip begun takes its count back ([`Self::recover`]).
    pub fn skip_to(&mut self, position: u64) {
        let count = position.wrapping_sub(self.head);
        if count == 0 {
            return;
        }
        let words = &self.words.consumer.0;
        // ORDER(skip): Relaxed and in this order: only a kill can come between, and that keeps the order of the program, which
        // the compiler keeps for the fence.
        let skipped = words.skipped.load(Ordering::Relaxed);
        words.skip_base.store(skipped, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        // ORDER(skip): as above.
        words.skip_to.store(position, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        // ORDER(counts): Relaxed; a counter with one writer.
        words.skipped.store(skipped.wrapping_add(count), Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        self.head = position;
        self.acknowledge();
    }

    /// After [`Self::attach`], by who is to use the lane: takes back the count of a skip that the predecessor had begun and not
    /// ended.
    pub fn recover(&self) {
        let (words, head) = (&self.words.consumer.0, self.head);
        // ORDER(skip): Relaxed; the predecessor has ended.
        if is_before(head, words.skip_to.load(Ordering::Relaxed)) {
            let base = words.skip_base.load(Ordering::Relaxed);
            // ORDER(counts): Relaxed; a counter with one writer.
            words.skipped.store(base, Ordering::Relaxed);
            compiler_fence(Ordering::SeqCst);
            // ORDER(skip): Relaxed, after the count.
            words.skip_to.store(head, Ordering::Relaxed);
        }
    }

    /// A transaction has consumed: the new position.
    pub fn moved_to(&mut self, head: u64) {
        self.head = head;
        self.acknowledged = head;
    }

    /// Whether the producer has said that nothing will follow. Ask before [`Self::available`]: closed first and then empty is the end.
    pub fn is_closed(&self) -> bool {
        // ORDER(closed): Acquire, the final `tail` is seen after it.
        self.words.producer.0.closed.load(Ordering::Acquire) != 0
    }

    /// A new user of this end: somebody reads again, whatever the last one said.
    pub fn reopen(&self) {
        // ORDER(closed): Release, as in `desert`.
        self.words.consumer.0.closed.store(0, Ordering::Release);
    }

    /// Says that nobody will read any more.
    pub fn desert(&self) {
        // ORDER(closed): Release, as the producer's.
        self.words.consumer.0.closed.store(1, Ordering::Release);
    }

    /// After a release and a SeqCst fence: whether the producer sleeps and wants the bell now. Each request is answered once, see
    /// [`ProducerCursor::consumer_wants_bell`](super::ProducerCursor::consumer_wants_bell).
    #[inline]
    pub fn producer_wants_bell(&mut self) -> bool {
        // ORDER(space_at): Relaxed, behind the caller's SeqCst fence; as `data_at`.
        let asked = self.words.space_at.0.load(Ordering::Relaxed);
        if !is_reached(asked, self.acknowledged) || asked == self.rung_for {
            return false;
        }
        self.rung_for = asked;
        true
    }

    /// Announces that we are about to sleep until `count` messages are there; a SeqCst fence and another look at
    /// [`Self::available`] must follow before the sleep. What was released must have been [acknowledged](Self::acknowledge):
    /// the producer may be about to sleep, too.
    pub fn sleep_until(&self, count: u64) {
        debug_assert!(self.acknowledged == self.head, "asleep with slots that nobody can use");
        // ORDER(data_at): Relaxed, ordered by the caller's SeqCst fence.
        self.words.data_at.0.store(ask_at(self.head.wrapping_add(count)), Ordering::Relaxed);
    }

    /// We do not sleep (any more).
    pub fn stay_awake(&self) {
        // ORDER(data_at): Relaxed; at worst one superfluous bell.
        self.words.data_at.0.store(AWAKE, Ordering::Relaxed);
    }
}
