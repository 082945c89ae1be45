//! Many messages at once, in place.

use std::marker::PhantomData;

use bytemuck::Pod;

use super::consumer_end::ConsumerEnd;
use super::fault::{Fault, PopError};
use super::producer_end::ProducerEnd;
use super::{LaneWords, Slots};
use crate::shm::SharedRef;

/// Slots that are ours to fill. Dropped without [`Self::commit`], nothing has happened.
#[derive(Debug)]
pub struct Reserved<'p, T> {
    end: &'p mut ProducerEnd<SharedRef<LaneWords>, Slots>,
    count: usize,
    values: PhantomData<T>,
}

impl<'p, T: Pod> Reserved<'p, T> {
    #[inline]
    pub(super) fn new(end: &'p mut ProducerEnd<SharedRef<LaneWords>, Slots>, count: usize) -> Result<Self, Fault> {
        let room = end.cursor.room(count as u64)?;
        let count = usize::try_from(room).unwrap_or(usize::MAX).min(count);
        Ok(Self { end, count, values: PhantomData })
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none: the ring is full.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The slots in order: first all of the first slice, then the second (empty unless the end of the ring lies between).
    #[inline]
    pub fn as_mut_slices(&mut self) -> (&mut [T], &mut [T]) {
        let position = self.end.cursor.position();
        self.end.slots.prefetch_behind(position, self.count);
        self.end.slots.values_mut(position, self.count)
    }

    /// Publishes the first `count` of them together.
    ///
    /// # Panics
    /// If there are not so many.
    #[inline]
    pub fn commit(self, count: usize) {
        assert!(count <= self.count, "{count} messages in {} reserved slots", self.count);
        if count > 0 {
            self.end.publish(count as u64);
        }
    }
}

/// Messages to read in place. Dropped without [`Self::release`], they come again.
#[derive(Debug)]
pub struct Batch<'c, T> {
    end: &'c mut ConsumerEnd<SharedRef<LaneWords>, Slots>,
    count: usize,
    values: PhantomData<T>,
}

impl<'c, T: Pod> Batch<'c, T> {
    #[inline]
    pub(super) fn new(end: &'c mut ConsumerEnd<SharedRef<LaneWords>, Slots>, count: usize) -> Result<Self, PopError> {
        let known = usize::try_from(end.cursor.known()).unwrap_or(usize::MAX);
        // A look at the producer's position costs a cache miss, so what is known of is enough unless little is left of it.
        let known = if known < count {
            end.waiting(count as u64).map(|found| usize::try_from(found).unwrap_or(known))?
        } else {
            known
        };
        Ok(Self { end, count: known.min(count), values: PhantomData })
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none. Never: an empty ring is [`PopError::Empty`].
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The messages in order: first all of the first slice, then the second (empty unless the end of the ring lies between).
    #[inline]
    pub fn as_slices(&self) -> (&[T], &[T]) {
        self.end.slots.values(self.end.cursor.position(), self.count)
    }

    /// The messages in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let (first, second) = self.as_slices();
        first.iter().chain(second)
    }

    /// Gives the first `count` of them back to the producer.
    ///
    /// # Panics
    /// If there are not so many.
    #[inline]
    pub fn release(self, count: usize) {
        assert!(count <= self.count, "{count} messages of a batch of {}", self.count);
        self.end.release(count as u64);
    }
}
