//! Rings for the lowest latency.

use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use bytemuck::Pod;

use super::bell::Bell;
use super::consumer_end::ConsumerEnd;
use super::fault::{PopError, PushError};
use super::lane::Lane;
use super::marked::Marked;
use super::options::{ChannelError, Options};
use super::producer_end::ProducerEnd;
use super::{LaneWords, Slots};
use crate::shm::SharedRef;

/// A ring like [`channel`](super::channel()) whose slots carry the number of their message: a message of up to 56 bytes takes
/// one cache line across instead of two. For request and reply, and for events that come one at a time; a stream is faster
/// through a [`channel`](super::channel()).
///
/// ```
/// let (mut tx, mut rx) = pinring::ring::line_channel::<[u64; 7]>(pinring::ring::Options::new(8))?;
/// tx.push([7; 7]).map_err(|error| error.to_string())?;
/// assert_eq!(rx.pop()?, [7; 7]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the memory is not to be had, or the options ask for what this kind of ring has not: another overflow policy than
/// [`Overflow::Block`](super::Overflow::Block), a doorbell, taps.
pub fn line_channel<T: Pod>(options: Options) -> Result<(LineProducer<T>, LineConsumer<T>), ChannelError> {
    let lane = Lane::create_marked::<T>(options)?;
    let producer = lane.producer_end(Marked(lane.slots()), Bell::Futex, Bell::Futex);
    let consumer = lane.consumer_end(Marked(lane.slots()), Bell::Futex, Bell::Futex);
    let producer = LineProducer { end: producer, lane: lane.clone(), values: PhantomData };
    Ok((producer, LineConsumer { end: consumer, lane, values: PhantomData }))
}

/// The producer's end of the [`line_channel`] behind a descriptor that another process gave us.
///
/// # Errors
/// If it is no such ring of messages of this size.
pub fn attach_line_producer<T: Pod>(fd: OwnedFd) -> Result<LineProducer<T>, ChannelError> {
    let lane = Lane::attach_marked::<T>(fd)?;
    let end = lane.producer_end(Marked(lane.slots()), Bell::Futex, Bell::Futex);
    Ok(LineProducer { end, lane, values: PhantomData })
}

/// The consumer's end of the [`line_channel`] behind a descriptor that another process gave us.
///
/// # Errors
/// As [`attach_line_producer`].
pub fn attach_line_consumer<T: Pod>(fd: OwnedFd) -> Result<LineConsumer<T>, ChannelError> {
    let lane = Lane::attach_marked::<T>(fd)?;
    let end = lane.consumer_end(Marked(lane.slots()), Bell::Futex, Bell::Futex);
    Ok(LineConsumer { end, lane, values: PhantomData })
}

/// The end of a [`line_channel`] that writes. Used as a [`Producer`](super::Producer).
#[derive(Debug)]
pub struct LineProducer<T> {
    end: ProducerEnd<SharedRef<LaneWords>, Marked<Slots>>,
    lane: Lane,
    values: PhantomData<fn(T)>,
}

/// The end of a [`line_channel`] that reads. Used as a [`Consumer`](super::Consumer).
#[derive(Debug)]
pub struct LineConsumer<T> {
    end: ConsumerEnd<SharedRef<LaneWords>, Marked<Slots>>,
    lane: Lane,
    values: PhantomData<fn() -> T>,
}

impl<T: Pod> LineProducer<T> {
    /// Writes one message. Never waits.
    ///
    /// # Errors
    /// As [`Producer::push`](super::Producer::push).
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

    /// A handle for another process: see [`attach_line_producer`].
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.lane.segment.as_fd()
    }
}

impl<T: Pod> LineConsumer<T> {
    /// Takes the next message. Never waits.
    ///
    /// # Errors
    /// As [`Consumer::pop`](super::Consumer::pop).
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

    /// A handle for another process: see [`attach_line_consumer`].
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.lane.segment.as_fd()
    }
}

impl<T> Drop for LineProducer<T> {
    fn drop(&mut self) {
        if self.end.is_owner {
            self.end.close();
        }
    }
}

impl<T> Drop for LineConsumer<T> {
    fn drop(&mut self) {
        if self.end.is_owner {
            self.end.close();
        }
    }
}
