//! A node's ends of its lanes: records in, records out, both within the step's transaction.

use std::sync::Arc;

use super::plan::PlannedEdge;
use super::regions::LaneRegions;
use crate::message::{Header, Record, Schema};
use crate::prim::AtomicU64;
use crate::ring::{ConsumerCursor, Corrupt, IntentWords, LaneWords, Overflow, ProducerCursor, Slots, Transaction};
use crate::shm::{Segment, SharedRef};

/// The transaction of a node's step.
pub(super) type Step = Transaction<SharedRef<IntentWords>, SharedRef<AtomicU64>>;
/// The words that a step changes, collected while the node is put together.
pub(super) type Targets = Vec<SharedRef<AtomicU64>>;

/// Words of each end of a lane that a step changes.
pub(super) const TARGETS_PER_LANE: usize = 2;

/// The words that the consumer of a lane changes, in the order an [`Inlet`] expects.
pub(super) fn consumer_targets(segment: &Segment, regions: LaneRegions) -> [SharedRef<AtomicU64>; TARGETS_PER_LANE] {
    let words: SharedRef<LaneWords> = segment.shared(regions.words);
    [words.map(|words| &words.consumer.0.head), words.map(|words| &words.consumer.0.skipped)]
}

/// The words that the producer of a lane changes, in the order an [`Outlet`] expects.
pub(super) fn producer_targets(segment: &Segment, regions: LaneRegions) -> [SharedRef<AtomicU64>; TARGETS_PER_LANE] {
    let words: SharedRef<LaneWords> = segment.shared(regions.words);
    [words.map(|words| &words.producer.0.tail), words.map(|words| &words.producer.0.dropped)]
}

/// Where a node reads.
#[derive(Debug)]
pub(super) struct Inlet {
    cursor: ConsumerCursor<SharedRef<LaneWords>>,
    slots: Slots,
    schema: Arc<Schema>,
    /// Copies of the slots of a drop-oldest lane, whose producer does not wait for the reader.
    copies: Option<Vec<u64>>,
    slot_size: usize,
    first: u64,
    head_target: usize,
    skipped_target: usize,
    /// Which edge it is.
    pub(super) edge: usize,
    /// The producer's worker, if it is another.
    pub(super) peer: Option<usize>,
}

impl Inlet {
    /// Takes the lane up where it stands. The node's transaction must have been recovered before: it may move the position.
    pub(super) fn new(
        segment: &Segment,
        edge: &PlannedEdge,
        regions: LaneRegions,
        schema: Arc<Schema>,
        producer: usize,
        batch: usize,
        first_target: usize,
    ) -> Self {
        let words: SharedRef<LaneWords> = segment.shared(regions.words);
        let copies = (edge.overflow == Overflow::DropOldest).then(|| vec![0; batch * edge.slot_size / 8]);
        Self {
            cursor: ConsumerCursor::attach(words, edge.depth),
            slots: Slots::new(segment, regions.slots, edge.depth, edge.slot_size),
            schema,
            copies,
            slot_size: edge.slot_size,
            first: 0,
            head_target: first_target,
            skipped_target: first_target + 1,
            edge: 0,
            peer: edge.crosses.then_some(producer),
        }
    }

    /// Notes which edge it is.
    pub(super) fn of_edge(self, edge: usize) -> Self {
        Self { edge, ..self }
    }

    /// Looks for at most `max` messages (the batch at most).
    pub(super) fn fill(&mut self, max: usize) -> Result<usize, Corrupt> {
        if self.copies.is_some() {
            return Ok(self.copy(max));
        }
        self.first = self.cursor.position();
        Ok(usize::try_from(self.cursor.available(max as u64)?).unwrap_or(max).min(max))
    }

    fn copy(&mut self, max: usize) -> usize {
        let Some(copies) = &mut self.copies else { return 0 };
        let words = self.slot_size / 8;
        loop {
            let (first, count) = self.cursor.available_or_lapped();
            let count = usize::try_from(count).unwrap_or(max).min(max);
            for (index, copy) in copies.chunks_exact_mut(words).take(count).enumerate() {
                self.slots.copy_racing(first + index as u64, bytemuck::cast_slice_mut(copy));
            }
            // Slots are overwritten oldest first, so what is still valid is a tail of what was copied.
            let Some(valid) = (0..count).find(|index| self.cursor.still_valid(first + *index as u64)) else {
                if count == 0 {
                    self.first = first;
                    return 0;
                }
                continue;
            };
            copies.copy_within(valid * words..count * words, 0);
            self.first = first + valid as u64;
            return count - valid;
        }
    }

    /// Position of message `index` of those that [`Self::fill`] found.
    pub(super) fn position(&self, index: usize) -> u64 {
        self.first + index as u64
    }

    /// Message `index` of those that [`Self::fill`] found.
    pub(super) fn record(&self, index: usize) -> Record<'_> {
        let slot = match &self.copies {
            Some(copies) => &bytemuck::cast_slice(copies)[index * self.slot_size..][..self.slot_size],
            None => self.slots.read(self.first + index as u64),
        };
        let (header, payload) = slot.split_at(Header::SIZE);
        Record::new(&self.schema, bytemuck::from_bytes(header), payload)
    }

    /// The step takes `count` messages.
    pub(super) fn take(&self, count: usize, step: &mut Step) {
        let skipped = self.first - self.cursor.position();
        step.set(self.head_target, self.first + count as u64);
        step.set(self.skipped_target, step.current(self.skipped_target) + skipped);
    }

    /// The step drops the `count` messages that [`Self::fill`] found: they count as dropped, not as handled.
    pub(super) fn skip(&self, count: usize, step: &mut Step) {
        self.take(count, step);
        step.set(self.skipped_target, step.next(self.skipped_target) + count as u64);
    }

    /// The step is committed.
    pub(super) fn committed(&mut self, step: &Step) {
        self.cursor.moved_to(step.current(self.head_target));
    }

    /// Messages waiting.
    pub(super) fn waiting(&mut self) -> Result<u64, Corrupt> {
        if self.copies.is_some() {
            return Ok(self.cursor.available_or_lapped().1);
        }
        self.cursor.available(u64::MAX)
    }

    /// Whether nothing is there and nothing will come.
    pub(super) fn is_over(&mut self) -> Result<bool, Corrupt> {
        Ok(self.cursor.is_closed() && self.waiting()? == 0)
    }

    /// Whether it is closed, though messages may be left.
    pub(super) fn is_closed(&self) -> bool {
        self.cursor.is_closed()
    }

    pub(super) fn capacity(&self) -> u64 {
        self.slots.capacity()
    }

    pub(super) fn cursor(&self) -> &ConsumerCursor<SharedRef<LaneWords>> {
        &self.cursor
    }

    /// The producer's worker, if it is another, sleeps and is to be woken.
    pub(super) fn peer_to_wake(&mut self) -> Option<usize> {
        self.peer.filter(|_| self.cursor.producer_wants_bell())
    }
}

/// Where a node writes.
#[derive(Debug)]
pub(super) struct Outlet {
    cursor: ProducerCursor<SharedRef<LaneWords>>,
    slots: Slots,
    overflow: Overflow,
    tail_target: usize,
    dropped_target: usize,
    /// Which edge it is.
    pub(super) edge: usize,
    /// The consumer's worker, if it is another.
    pub(super) peer: Option<usize>,
}

impl Outlet {
    /// As [`Inlet::new`].
    pub(super) fn new(
        segment: &Segment,
        edge: &PlannedEdge,
        regions: LaneRegions,
        consumer: usize,
        first_target: usize,
    ) -> Self {
        let words: SharedRef<LaneWords> = segment.shared(regions.words);
        Self {
            cursor: ProducerCursor::attach(words, edge.depth),
            slots: Slots::new(segment, regions.slots, edge.depth, edge.slot_size),
            overflow: edge.overflow,
            tail_target: first_target,
            dropped_target: first_target + 1,
            edge: 0,
            peer: edge.crosses.then_some(consumer),
        }
    }

    /// Notes which edge it is.
    pub(super) fn of_edge(self, edge: usize) -> Self {
        Self { edge, ..self }
    }

    /// How many messages a step may emit as far as this lane is concerned.
    pub(super) fn room(&mut self, want: usize) -> Result<usize, Corrupt> {
        if self.overflow != Overflow::Block {
            return Ok(usize::MAX);
        }
        let room = self.cursor.room(want as u64)?;
        if room == 0 && self.cursor.is_deserted() {
            // Nobody will read any more: what still comes is dropped, and counted.
            self.overflow = Overflow::DropNewest;
            return Ok(usize::MAX);
        }
        Ok(usize::try_from(room).unwrap_or(usize::MAX))
    }

    /// Puts the step's messages into slots that nobody reads yet; the commit publishes them.
    pub(super) fn write<'m>(
        &mut self,
        messages: impl ExactSizeIterator<Item = &'m [u8]>,
        step: &mut Step,
    ) -> Result<(), Corrupt> {
        let (tail, count) = (self.cursor.position(), messages.len());
        let fits = match self.overflow {
            Overflow::DropNewest => usize::try_from(self.cursor.room(count as u64)?).unwrap_or(count).min(count),
            Overflow::Block | Overflow::DropOldest => count,
        };
        if self.overflow == Overflow::DropOldest {
            self.cursor.announce(count as u64);
        }
        for (index, message) in messages.take(fits).enumerate() {
            let position = tail + index as u64;
            match self.overflow {
                Overflow::DropOldest => self.slots.write_racing(position, message),
                Overflow::Block | Overflow::DropNewest => self.slots.write(position, message),
            }
        }
        step.set(self.tail_target, tail + fits as u64);
        step.set(self.dropped_target, step.current(self.dropped_target) + (count - fits) as u64);
        Ok(())
    }

    /// The step is committed.
    pub(super) fn committed(&mut self, step: &Step) {
        self.cursor.moved_to(step.current(self.tail_target));
    }

    pub(super) fn cursor(&self) -> &ProducerCursor<SharedRef<LaneWords>> {
        &self.cursor
    }

    /// The consumer's worker, if it is another, sleeps and is to be woken.
    pub(super) fn peer_to_wake(&mut self) -> Option<usize> {
        self.peer.filter(|_| self.cursor.consumer_wants_bell())
    }
}
