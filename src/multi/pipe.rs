//! Pipes between two processes, as Python's `multiprocessing.Pipe`.

use std::io;
use std::time::Duration;

use super::arena::Kind;
use super::bell::Limit;
use super::error::{GetError, PutError, RecvError};
use super::message::Message;
use super::object::Role;
use super::queue::Core;

/// How many messages can be under way in one direction.
const CAPACITY: usize = 64;

/// The end of a pipe where messages go in. Clones are further ends of it.
///
/// ```
/// use pinring::multi::{PutError, pipe};
///
/// let (sender, receiver) = pipe::<u8>()?;
/// sender.send(1)?;
/// assert_eq!(receiver.recv(), Ok(1));
/// drop(receiver);
/// assert_eq!(sender.send(2), Err(PutError::Closed(2)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Sender<T: Message> {
    core: Core<T>,
}

/// The end of a pipe where messages come out.
///
/// ```
/// use std::time::Duration;
/// use pinring::multi::{Process, RecvError, pipe};
///
/// let (sender, receiver) = pipe::<u8>()?;
/// assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvError::Timeout));
/// let child = Process::spawn(move || sender.send(1).unwrap())?;
/// assert_eq!(receiver.recv(), Ok(1));
/// // Nobody else has a sender: that was all.
/// assert_eq!(receiver.recv(), Err(RecvError::Eof));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Receiver<T: Message> {
    core: Core<T>,
}

/// An end of a pipe that goes both ways: sends `S` and receives `R`.
///
/// ```
/// use pinring::multi::{Process, Serde, duplex};
///
/// let (asking, answering) = duplex::<u64, Serde<String>>()?;
/// let child = Process::spawn(move || {
///     while let Ok(number) = answering.recv() {
///         answering.send(Serde(format!("{number:x}"))).unwrap();
///     }
/// })?;
/// asking.send(255)?;
/// assert_eq!(asking.recv()?.0, "ff");
/// drop(asking);
/// child.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Connection<S: Message, R: Message> {
    sender: Sender<S>,
    receiver: Receiver<R>,
}

/// Makes a pipe in one direction.
///
/// ```
/// use pinring::multi::{Process, RecvError, pipe};
///
/// let (sender, receiver) = pipe::<u32>()?;
/// let child = Process::spawn(move || sender.send(7).unwrap())?;
/// assert_eq!(receiver.recv(), Ok(7));
/// child.join()?;
/// assert_eq!(receiver.recv(), Err(RecvError::Eof));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If there is no memory for it.
pub fn pipe<T: Message>() -> io::Result<(Sender<T>, Receiver<T>)> {
    let (sender, receiver) = Core::create(Kind::Pipe, CAPACITY)?;
    Ok((Sender { core: sender }, Receiver { core: receiver }))
}

/// Makes a pipe in both directions.
///
/// # Errors
/// If there is no memory for it.
pub fn duplex<A: Message, B: Message>() -> io::Result<(Connection<A, B>, Connection<B, A>)> {
    let (there, back) = (pipe()?, pipe()?);
    Ok((Connection { sender: there.0, receiver: back.1 }, Connection { sender: back.0, receiver: there.1 }))
}

impl<T: Message> Sender<T> {
    pub(super) fn core(&self) -> &Core<T> {
        &self.core
    }

    pub(super) fn from_core(core: Core<T>) -> Self {
        Self { core }
    }

    /// Sends a message, waiting for room.
    ///
    /// # Errors
    /// The message comes back if nobody will receive it, or if it does not fit.
    pub fn send(&self, message: T) -> Result<(), PutError<T>> {
        self.core.put(message, Limit::NEVER)
    }

    /// Sends a message if there is room now.
    ///
    /// # Errors
    /// As [`Self::send`]; also if there is none.
    pub fn try_send(&self, message: T) -> Result<(), PutError<T>> {
        self.core.try_put(message)
    }

    /// Sends a message, waiting for room so long at most.
    ///
    /// # Errors
    /// As [`Self::send`]; also if there was none in time.
    pub fn send_timeout(&self, message: T, time: Duration) -> Result<(), PutError<T>> {
        self.core.put(message, Limit::after(time))
    }
}

impl<T: Message> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { core: self.core.other(Role::First) }
    }
}

impl<T: Message> Receiver<T> {
    fn say(&self, result: Result<T, GetError>) -> Result<T, RecvError> {
        result.map_err(|error| match error {
            GetError::Empty => RecvError::Empty,
            GetError::Timeout => RecvError::Timeout,
            GetError::Closed => self.core.dead_producer().map_or(RecvError::Eof, |pid| RecvError::PeerDied { pid }),
            GetError::Decode(error) => RecvError::Decode(error),
        })
    }

    /// Receives the next message, waiting for one.
    ///
    /// # Errors
    /// If there will be none: the sender has gone. What it had sent before has been received by then.
    pub fn recv(&self) -> Result<T, RecvError> {
        self.say(self.core.get(Limit::NEVER))
    }

    /// Receives the next message if there is one now.
    ///
    /// # Errors
    /// As [`Self::recv`]; also if there is none.
    pub fn try_recv(&self) -> Result<T, RecvError> {
        self.say(self.core.try_get())
    }

    /// Receives the next message, waiting for one so long at most.
    ///
    /// # Errors
    /// As [`Self::recv`]; also if none came in time.
    pub fn recv_timeout(&self, time: Duration) -> Result<T, RecvError> {
        self.say(self.core.get(Limit::after(time)))
    }

    /// Whether [`Self::recv`] would not have to wait, or comes to that within `time`: there is a message, or there will be none.
    pub fn poll(&self, time: Duration) -> bool {
        self.core.bell().wait(Limit::after(time), || self.core.is_ready().then_some(())).is_some()
    }

    pub(super) fn core(&self) -> &Core<T> {
        &self.core
    }

    pub(super) fn from_core(core: Core<T>) -> Self {
        Self { core }
    }
}

impl<S: Message, R: Message> Connection<S, R> {
    /// As [`Sender::send`].
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub fn send(&self, message: S) -> Result<(), PutError<S>> {
        self.sender.send(message)
    }

    /// As [`Receiver::recv`].
    ///
    /// # Errors
    /// As [`Receiver::recv`].
    pub fn recv(&self) -> Result<R, RecvError> {
        self.receiver.recv()
    }

    /// As [`Receiver::try_recv`].
    ///
    /// # Errors
    /// As [`Receiver::try_recv`].
    pub fn try_recv(&self) -> Result<R, RecvError> {
        self.receiver.try_recv()
    }

    /// As [`Receiver::recv_timeout`].
    ///
    /// # Errors
    /// As [`Receiver::recv_timeout`].
    pub fn recv_timeout(&self, time: Duration) -> Result<R, RecvError> {
        self.receiver.recv_timeout(time)
    }

    /// As [`Receiver::poll`].
    pub fn poll(&self, time: Duration) -> bool {
        self.receiver.poll(time)
    }

    /// Its two directions.
    pub fn split(self) -> (Sender<S>, Receiver<R>) {
        (self.sender, self.receiver)
    }

    /// The direction in which it receives.
    pub fn receiver(&self) -> &Receiver<R> {
        &self.receiver
    }
}
