//! Making a lane, and its two ends for programs.

use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use bytemuck::Pod;

use super::batch::{Batch, Reserved};
use super::bell::Bell;
use super::consumer_end::ConsumerEnd;
use super::fault::{Fault, PopError, PushError};
use super::lane::Lane;
use super::options::{ChannelError, Options};
use super::producer_end::ProducerEnd;
use super::settings::Overflow;
use super::tap::Tap;
use super::{LaneWords, Slots};
use crate::shm::SharedRef;

/// A ring of `capacity` messages (rounded up to a power of two) with the default [`Options`]: the producer waits when it is
/// full, both ends look for a while before they sleep.
///
/// # Errors
/// If the memory is not to be had.
pub fn channel<T: Pod>(capacity: usize) -> Result<(Producer<T>, Consumer<T>), ChannelError> {
    Options::new(capacity).open()
}

/// The end of a ring that writes.
///
/// One process uses it at a time: the one that does so first. After a fork both processes hold a handle; let one of them use it
/// and the other drop it (which closes nothing, since it was never used there). If the user dies, another process's first
/// use takes over where it had come; likewise after it was dropped, and the ring is then open again.
#[derive(Debug)]
pub struct Producer<T> {
    end: ProducerEnd<SharedRef<LaneWords>, Slots>,
    lane: Lane,
    values: PhantomData<fn(T)>,
}

/// The end of a ring that reads. As for [`Producer`], one process uses it at a time.
///
/// Slots that were read are given back a quarter ring at a time, or when the ring runs dry: after a death of this process
/// its successor sees what was not given back once more ([`Self::acknowledge`] gives back at once). For effects that must happen exactly
/// once see [`Step`](super::Step).
#[derive(Debug)]
pub struct Consumer<T> {
    end: ConsumerEnd<SharedRef<LaneWords>, Slots>,
    lane: Lane,
    values: PhantomData<fn() -> T>,
}

impl<T: Pod> Producer<T> {
    pub(super) fn new(lane: Lane, data: Bell, space: Bell) -> Self {
        Self { end: lane.producer_end(lane.slots(), data, space), lane, values: PhantomData }
    }

    /// Writes one message. Never waits.
    ///
    /// # Errors
    /// [`PushError::Full`] with [`Overflow::Block`] only: the other policies drop and count. [`PushError::Closed`] if the ring is
    /// full and the consumer has gone.
    #[inline(always)]
    pub fn push(&mut self, value: T) -> Result<(), PushError<T>> {
        self.end.try_push(value)
    }

    /// Writes one message, and waits for room as long as it takes.
    ///
    /// # Errors
    /// As [`Self::push`], but never [`PushError::Full`].
    pub fn send(&mut self, value: T) -> Result<(), PushError<T>> {
        self.end.send(value)
    }

    /// Writes as many of `values` as there is room for, publishing them once: how many.
    ///
    /// # Errors
    /// The lane cannot be used.
    pub fn push_slice(&mut self, values: &[T]) -> Result<usize, Fault> {
        if self.end.settings.races() {
            return self.push_each(values);
        }
        let mut reserved = self.reserve(values.len())?;
        let count = reserved.len();
        let (first, second) = reserved.as_mut_slices();
        let (one, other) = values[..count].split_at(first.len());
        first.copy_from_slice(one);
        second.copy_from_slice(other);
        reserved.commit(count);
        let drops = self.end.settings.overflow == Overflow::DropNewest;
        if drops && count < values.len() {
            self.end.cursor.count_dropped((values.len() - count) as u64);
            return Ok(values.len());
        }
        Ok(count)
    }

    fn push_each(&mut self, values: &[T]) -> Result<usize, Fault> {
        for (count, value) in values.iter().enumerate() {
            if !self.end.push(*value)? {
                return Ok(count);
            }
        }
        Ok(values.len())
    }

    /// At most `count` slots to fill in place; as many as there is room for, perhaps none. What is in them is what was written
    /// there before. Nothing is seen by the consumer before [`Reserved::commit`].
    ///
    /// # Errors
    /// The lane cannot be used.
    ///
    /// # Panics
    /// On a ring with racing readers ([`Overflow::DropOldest`], [`Options::taps`]): its slots are never one side's alone.
    pub fn reserve(&mut self, count: usize) -> Result<Reserved<'_, T>, Fault> {
        assert!(!self.end.settings.races(), "slots of a ring with racing readers are written by `push`, not in place");
        if !self.end.is_owner {
            self.end.claim()?;
        }
        Reserved::new(&mut self.end, count)
    }

    /// Waits until there is room for `count` messages (at most the capacity). `false`: the time is over, or the consumer has gone.
    ///
    /// # Errors
    /// The lane cannot be used, or the system would not let us sleep.
    pub fn wait_for_room(&mut self, count: usize, timeout: Option<Duration>) -> Result<bool, Fault> {
        let count = (count as u64).min(self.lane.regions.capacity);
        self.end.wait_for_room(count, timeout)
    }

    /// Messages that the policy has dropped because the ring was full, over all users of this end.
    pub fn dropped(&self) -> u64 {
        self.lane.dropped()
    }

    /// A tap on the ring, from now on.
    ///
    /// # Errors
    /// The ring was not made for taps.
    pub fn tap(&self) -> Result<Tap<T>, ChannelError> {
        Tap::new(&self.lane)
    }

    /// The bell that is rung when there is room again and this end sleeps, to wait for with epoll; `None` without
    /// [`Options::doorbell`]. Before the wait call [`Self::prepare_to_sleep`].
    pub fn doorbell(&self) -> Option<BorrowedFd<'_>> {
        door(&self.end.space)
    }

    /// Asks for the doorbell when there is room for a message. `false`: there is some, so do not sleep. After the wait call [`Self::awake`].
    ///
    /// # Errors
    /// The lane cannot be used.
    pub fn prepare_to_sleep(&mut self) -> Result<bool, Fault> {
        if !self.end.is_owner {
            self.end.claim()?;
        }
        self.end.prepare_to_sleep(1)
    }

    /// Silences the doorbell and says that this end looks by itself again.
    ///
    /// # Errors
    /// What the system answered.
    pub fn awake(&mut self) -> Result<(), Fault> {
        self.end.awake()
    }

    /// A handle for another process: see [`attach_producer`].
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.lane.segment.as_fd()
    }
}

impl<T: Pod> Consumer<T> {
    pub(super) fn new(lane: Lane, data: Bell, space: Bell) -> Self {
        Self { end: lane.consumer_end(lane.slots(), data, space), lane, values: PhantomData }
    }

    /// Takes the next message. Never waits.
    ///
    /// # Errors
    /// [`PopError::Empty`], or [`PopError::Closed`] once the producer has gone and all was read.
    #[inline(always)]
    pub fn pop(&mut self) -> Result<T, PopError> {
        self.end.pop()
    }

    /// Takes the next message, and waits for it as long as it takes.
    ///
    /// # Errors
    /// As [`Self::pop`], but never [`PopError::Empty`].
    pub fn recv(&mut self) -> Result<T, PopError> {
        self.end.recv(None)
    }

    /// Takes the next message, and waits for it at most `timeout`.
    ///
    /// # Errors
    /// As [`Self::pop`]; [`PopError::Empty`] when the time is over.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, PopError> {
        self.end.recv(Some(timeout))
    }

    /// Takes as many messages as there are and `values` holds: how many.
    ///
    /// # Errors
    /// As [`Self::pop`]; an empty ring is no error but 0.
    pub fn pop_slice(&mut self, values: &mut [T]) -> Result<usize, PopError> {
        if self.end.settings.overflow == Overflow::DropOldest {
            return self.pop_each(values);
        }
        let batch = match self.peek(values.len()) {
            Err(PopError::Empty) => return Ok(0),
            other => other?,
        };
        let count = batch.len();
        let (first, second) = batch.as_slices();
        let (one, other) = values[..count].split_at_mut(first.len());
        one.copy_from_slice(first);
        other.copy_from_slice(second);
        batch.release(count);
        Ok(count)
    }

    fn pop_each(&mut self, values: &mut [T]) -> Result<usize, PopError> {
        for (count, slot) in values.iter_mut().enumerate() {
            match self.pop() {
                Ok(value) => *slot = value,
                Err(PopError::Empty) => return Ok(count),
                Err(_) if count > 0 => return Ok(count),
                Err(error) => return Err(error),
            }
        }
        Ok(values.len())
    }

    /// At most `count` messages to read in place. They stay in the ring until [`Batch::release`].
    ///
    /// # Errors
    /// As [`Self::pop`].
    ///
    /// # Panics
    /// On a ring with [`Overflow::DropOldest`], whose producer overwrites what we would be reading.
    pub fn peek(&mut self, count: usize) -> Result<Batch<'_, T>, PopError> {
        let races = self.end.settings.overflow == Overflow::DropOldest;
        assert!(!races, "messages of a drop-oldest ring are copied by `pop`, not read in place");
        if !self.end.is_owner {
            self.end.claim()?;
        }
        if self.end.cursor.known() == 0 {
            self.end.refill()?;
        }
        Batch::new(&mut self.end, count)
    }

    /// Waits until there are `count` messages (at most the capacity). `false`: there are none, and the time is over or the producer has gone.
    ///
    /// # Errors
    /// The lane cannot be used, or the system would not let us sleep.
    pub fn wait_for_data(&mut self, count: usize, timeout: Option<Duration>) -> Result<bool, Fault> {
        let count = (count as u64).min(self.lane.regions.capacity);
        self.end.wait_for_data(count, timeout)
    }

    /// Gives all that was read back to the producer now.
    pub fn acknowledge(&mut self) {
        if self.end.is_owner {
            self.end.acknowledge();
        }
    }

    /// Messages that were overwritten before they were read ([`Overflow::DropOldest`]), over all users of this end.
    pub fn skipped(&self) -> u64 {
        self.lane.skipped()
    }

    /// The bell that is rung when a message comes and this end sleeps, to wait for with epoll; `None` without
    /// [`Options::doorbell`]. Before the wait call [`Self::prepare_to_sleep`].
    pub fn doorbell(&self) -> Option<BorrowedFd<'_>> {
        door(&self.end.data)
    }

    /// Asks for the doorbell at the next message. `false`: a message is there, so do not sleep. After the wait call [`Self::awake`].
    ///
    /// # Errors
    /// The lane cannot be used.
    pub fn prepare_to_sleep(&mut self) -> Result<bool, Fault> {
        if !self.end.is_owner {
            self.end.claim()?;
        }
        self.end.prepare_to_sleep(1)
    }

    /// Silences the doorbell and says that this end looks by itself again.
    ///
    /// # Errors
    /// What the system answered.
    pub fn awake(&mut self) -> Result<(), Fault> {
        self.end.awake()
    }

    /// A handle for another process: see [`attach_consumer`].
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.lane.segment.as_fd()
    }
}

fn door(bell: &Bell) -> Option<BorrowedFd<'_>> {
    match bell {
        Bell::Futex => None,
        Bell::Door(bell) => Some(bell.as_fd()),
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        // A handle that was never used here is the other process's business.
        if self.end.is_owner {
            self.end.close();
        }
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        if self.end.is_owner {
            self.end.close();
        }
    }
}

/// The producer's end of the ring behind a descriptor that another process gave us.
///
/// # Errors
/// If it is no ring of messages of this size and alignment. Whether another process uses the end shows at the first use.
pub fn attach_producer<T: Pod>(fd: OwnedFd) -> Result<Producer<T>, ChannelError> {
    Lane::attach::<T>(fd).map(|lane| Producer::new(lane, Bell::Futex, Bell::Futex))
}

/// The consumer's end of the ring behind a descriptor that another process gave us.
///
/// # Errors
/// As [`attach_producer`].
pub fn attach_consumer<T: Pod>(fd: OwnedFd) -> Result<Consumer<T>, ChannelError> {
    Lane::attach::<T>(fd).map(|lane| Consumer::new(lane, Bell::Futex, Bell::Futex))
}
