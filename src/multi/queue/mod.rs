//! Queues between any number of processes, as Python's `multiprocessing.Queue` and `JoinableQueue`.
//!
//! `put` returns when the value is in shared memory: there is no thread behind it that could lose it, and nothing is left to be flushed
//! at the end of a process.

mod both;
mod claim;
mod core;
mod ends;
mod lease;
#[cfg(test)]
#[cfg(not(miri))]
mod schedules;
#[allow(unsafe_code)]
mod slots;
mod state;

use std::io;
use std::time::Duration;

pub use both::Queue;
use claim::Claim;
use core::{CONSUMER, PRODUCER};
pub(super) use core::{Core, bereave, cannot_be_made, measures, role_is_gone, waybills};
pub use lease::Leased;
use state::Phase;

use super::arena::Kind;
use super::bell::Limit;
use super::error::{GetError, PutError};
use super::message::Message;
use super::object::Object;

/// How a queue is shut down.
///
/// ```
/// use pinring::multi::{GetError, Shutdown, queue};
///
/// let (producer, consumer) = queue::<u8>(4)?;
/// producer.put(1)?;
/// producer.shutdown(Shutdown::Drain);
/// assert!(producer.put(2).is_err());
/// assert_eq!((consumer.get(), consumer.get()), (Ok(1), Err(GetError::Closed)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Nothing is put any more; what is there can be got.
    Drain,
    /// Nothing is put or got any more.
    Immediate,
}

/// The end of a queue where values are put. Clones are further ends of the same queue.
///
/// ```
/// use pinring::multi::{Process, queue};
///
/// let (producer, consumer) = queue::<u64>(4)?;
/// let theirs = producer.clone();
/// let child = Process::spawn(move || theirs.put(1).unwrap())?;
/// producer.put(2)?;
/// assert_eq!(consumer.get()? + consumer.get()?, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Producer<T: Message> {
    core: Core<T>,
}

/// The end of a queue where values are got. Clones are further ends of the same queue: each value goes to one of them.
///
/// ```
/// use pinring::multi::{Process, queue};
///
/// let (producer, consumer) = queue::<u64>(4)?;
/// let theirs = consumer.clone();
/// let child = Process::spawn(move || theirs.iter().sum::<u64>())?;
/// producer.put_all(0..100)?;
/// drop(producer);
/// let ours: u64 = consumer.iter().sum();
/// assert_eq!(ours + child.join()?, 4950);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Consumer<T: Message> {
    core: Core<T>,
}

/// Makes a queue with room for `capacity` values, rounded up to a power of two.
///
/// ```
/// use pinring::multi::{Process, queue};
///
/// let (producer, consumer) = queue::<u64>(16)?;
/// let child = Process::spawn(move || {
///     for n in 1..=10 {
///         producer.put(n).unwrap();
///     }
/// })?;
/// // It ends when all producers have gone.
/// assert_eq!(consumer.iter().sum::<u64>(), 55);
/// child.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If there is no memory for it; InvalidInput for a capacity of 0.
pub fn queue<T: Message>(capacity: usize) -> io::Result<(Producer<T>, Consumer<T>)> {
    let (producer, consumer) = Core::create(Kind::Queue, capacity)?;
    Ok((Producer { core: producer }, Consumer { core: consumer }))
}

impl<T: Message> Producer<T> {
    /// Puts a value, waiting for room.
    ///
    /// # Errors
    /// The value comes back if nobody will take it any more, or if it does not fit.
    #[inline]
    pub fn put(&self, value: T) -> Result<(), PutError<T>> {
        self.core.put(value, Limit::NEVER)
    }

    /// Puts a value if there is room now.
    ///
    /// # Errors
    /// As [`Self::put`]; also if there is none.
    #[doc(alias = "put_nowait")]
    pub fn try_put(&self, value: T) -> Result<(), PutError<T>> {
        self.core.try_put(value)
    }

    /// Puts a value, waiting for room so long at most.
    ///
    /// # Errors
    /// As [`Self::put`]; also if there was none in time.
    pub fn put_timeout(&self, value: T, time: Duration) -> Result<(), PutError<T>> {
        self.core.put(value, Limit::after(time))
    }

    /// Puts all values, waiting for room; how many that were.
    ///
    /// # Errors
    /// As [`Self::put`], with the first that could not be put; those before it are in the queue.
    pub fn put_all(&self, values: impl IntoIterator<Item = T>) -> Result<usize, PutError<T>> {
        values.into_iter().try_fold(0, |count, value| self.put(value).map(|()| count + 1))
    }

    /// Values that wait to be got.
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.core.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no place is free: also values that are being got, or are leased, have one.
    #[doc(alias = "full")]
    pub fn is_full(&self) -> bool {
        self.core.slots.count(&[Phase::Free, Phase::Void]) == 0
    }

    /// How many values it has room for.
    pub fn capacity(&self) -> usize {
        self.core.slots.capacity()
    }

    /// Shuts the queue down, for all of its ends.
    pub fn shutdown(&self, how: Shutdown) {
        self.core.shut(how);
    }
}

impl<T: Message> Producer<T> {
    fn core(&self) -> &Core<T> {
        &self.core
    }

    fn from_core(core: Core<T>) -> Self {
        Self { core }
    }

    /// Has `put` put something into a queue that somebody else is known to hold as long as this call takes. It does not count as a
    /// producer.
    pub(super) fn lend<R>(object: Object, put: impl FnOnce(&Self) -> R) -> R {
        let producer = std::mem::ManuallyDrop::new(Self { core: Core::assume(object) });
        put(&producer)
    }

    /// Puts back what was got once, also if nothing new is put any more; false if there is no room.
    pub(super) fn put_again(&self, value: T) -> bool {
        self.core.put_again(value)
    }
}

impl<T: Message> Clone for Producer<T> {
    fn clone(&self) -> Self {
        Self { core: self.core.other(PRODUCER) }
    }
}

impl<T: Message> Consumer<T> {
    /// Gets the next value, waiting for one.
    ///
    /// # Errors
    /// If there will be none, or it cannot be read.
    #[inline]
    pub fn get(&self) -> Result<T, GetError> {
        self.core.get(Limit::NEVER)
    }

    /// Gets the next value if there is one now.
    ///
    /// # Errors
    /// As [`Self::get`]; also if there is none.
    #[doc(alias = "get_nowait")]
    pub fn try_get(&self) -> Result<T, GetError> {
        self.core.try_get()
    }

    /// Gets the next value, waiting for one so long at most.
    ///
    /// # Errors
    /// As [`Self::get`]; also if none came in time.
    pub fn get_timeout(&self, time: Duration) -> Result<T, GetError> {
        self.core.get(Limit::after(time))
    }

    /// Gets the next value for as long as there will be one: ends when all producers have gone, or the queue is shut down, and what was
    /// left is got. A value that cannot be read is passed over.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self)
    }

    /// Gets the next value, waiting for one, to be [acknowledged](Leased::ack) when it is done with. If this process ends before, another
    /// gets it, and can see that it is not the first.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn lease(&self) -> Result<Leased<'_, T>, GetError> {
        Leased::take(self, Limit::NEVER)
    }

    /// As [`Self::lease`], waiting so long at most.
    ///
    /// # Errors
    /// As [`Self::get_timeout`].
    pub fn lease_timeout(&self, time: Duration) -> Result<Leased<'_, T>, GetError> {
        Leased::take(self, Limit::after(time))
    }

    /// Waits until all that was put is done with: got, and where it was leased, acknowledged. At once if the queue is shut down with
    /// [`Shutdown::Immediate`].
    pub fn join(&self) {
        self.wait_idle(Limit::NEVER);
    }

    /// As [`Self::join`], so long at most; whether all is done with.
    pub fn join_timeout(&self, time: Duration) -> bool {
        self.wait_idle(Limit::after(time))
    }

    fn wait_idle(&self, limit: Limit) -> bool {
        let slots = &self.core.slots;
        let busy = [Phase::Writing, Phase::Full, Phase::Taken, Phase::Returned];
        let idle = || (slots.head.shut.get() == 2 || slots.count(&busy) == 0).then_some(());
        slots.head.done.wait(limit, idle).is_some()
    }

    /// Values that wait to be got.
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.core.len()
    }

    /// Whether none waits. A value is there as soon as its `put` has returned, for every process.
    #[doc(alias = "empty")]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shuts the queue down, for all of its ends.
    pub fn shutdown(&self, how: Shutdown) {
        self.core.shut(how);
    }

    pub(super) fn core(&self) -> &Core<T> {
        &self.core
    }

    fn from_core(core: Core<T>) -> Self {
        Self { core }
    }

    /// The block it lies in.
    pub(super) fn block(&self) -> u32 {
        self.core.handle().object().block.0
    }

    /// An end of a queue that somebody else is known to hold as long as this call takes.
    pub(super) fn join_block(object: Object) -> Self {
        Self { core: Core::join(object, CONSUMER) }
    }
}

impl<T: Message> Clone for Consumer<T> {
    fn clone(&self) -> Self {
        Self { core: self.core.other(CONSUMER) }
    }
}

/// What comes next in an iteration by `get`: it ends with the queue, and passes over what cannot be read.
pub(super) fn next<T>(mut get: impl FnMut() -> Result<T, GetError>) -> Option<T> {
    loop {
        match get() {
            Ok(value) => return Some(value),
            Err(GetError::Decode(error)) => log::warn!("a value of a queue is passed over: {error}"),
            Err(_) => return None,
        }
    }
}

/// The values of a queue, until there will be none: [`Consumer::iter`].
#[derive(Debug)]
pub struct Iter<'c, T: Message>(&'c Consumer<T>);

impl<T: Message> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        next(|| self.0.get())
    }
}

impl<'c, T: Message> IntoIterator for &'c Consumer<T> {
    type Item = T;
    type IntoIter = Iter<'c, T>;

    fn into_iter(self) -> Iter<'c, T> {
        self.iter()
    }
}
