//! Both ends of a queue in one.

use std::io;

use super::{Consumer, Producer, queue};
use crate::multi::error::{GetError, PutError};
use crate::multi::message::Message;

/// Both ends in one, as in Python.
///
/// ```
/// use pinring::multi::{Process, Queue};
///
/// let queue = Queue::new(4)?;
/// let theirs = queue.clone();
/// Process::spawn(move || theirs.put(42u64).unwrap())?.join()?;
/// assert_eq!(queue.get(), Ok(42));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Queue<T: Message> {
    producer: Producer<T>,
    consumer: Consumer<T>,
}

impl<T: Message> Queue<T> {
    /// As [`queue`], with both ends in one.
    ///
    /// # Errors
    /// As [`queue`].
    pub fn new(capacity: usize) -> io::Result<Self> {
        let (producer, consumer) = queue(capacity)?;
        Ok(Self { producer, consumer })
    }

    /// Its two ends.
    pub fn split(self) -> (Producer<T>, Consumer<T>) {
        (self.producer, self.consumer)
    }

    /// The end where values are put.
    pub fn producer(&self) -> &Producer<T> {
        &self.producer
    }

    /// The end where values are got.
    pub fn consumer(&self) -> &Consumer<T> {
        &self.consumer
    }

    /// As [`Producer::put`].
    ///
    /// # Errors
    /// As [`Producer::put`].
    #[inline]
    pub fn put(&self, value: T) -> Result<(), PutError<T>> {
        self.producer.put(value)
    }

    /// As [`Consumer::get`]. A process that holds both ends is a producer itself: it never learns that the others have gone.
    ///
    /// # Errors
    /// As [`Consumer::get`].
    #[inline]
    pub fn get(&self) -> Result<T, GetError> {
        self.consumer.get()
    }
}
