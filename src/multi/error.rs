//! What can go wrong, for every part of this module. An operation that fails gives back what it was given.

use std::io;

pub use super::exit_status::ExitStatus;
pub use super::too_large::TooLarge;

/// What was received cannot be a value of this type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what was received is no value of its type: {0}")]
pub struct DecodeError(pub String);

/// Why no process was started.
///
/// ```
/// use pinring::multi::{Process, SpawnError};
///
/// let thread = std::thread::spawn(|| Process::spawn(|| ()).map(drop));
/// assert!(matches!(thread.join().unwrap(), Err(SpawnError::MultiThreaded { threads: 2 })));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// A fork would copy locks that other threads hold, and they would stay locked in the child for ever.
    #[error(
        "cannot fork: this process has {threads} threads. Call `pinring::multi::init()` before the first thread is started, and use \
         `spawn_fn` or a pool whose work captures nothing from then on"
    )]
    MultiThreaded {
        /// How many.
        threads: usize,
    },
    /// A daemon is ended without being asked; its children would be left behind.
    #[error("process `{0}` is a daemon, and a daemon may not have children")]
    DaemonMayNotHaveChildren(String),
    /// The table of processes is full.
    #[error("a family can have {most} processes at a time, and has them")]
    TooMany {
        /// How many it can have.
        most: usize,
    },
    /// The process that starts others from programs with threads has ended.
    #[error(
        "the launcher and its guardian have ended: they were killed, or had too few descriptors (then they have said so; see `ulimit -n`); \
         processes can be forked, but none can be launched"
    )]
    LauncherGone,
    /// The argument does not fit.
    #[error("the argument does not fit: {0}")]
    TooLarge(#[from] TooLarge),
    /// The system refused.
    #[error("cannot start a process: {0}; look at `ulimit -u`, `ulimit -n` and free memory")]
    System(#[source] io::Error),
}

impl From<io::Error> for SpawnError {
    /// One that was made an [`io::Error`] on its way is itself again.
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::System)
    }
}

/// Where and why a process or a task panicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanicInfo {
    /// What it said.
    pub message: String,
    /// File, line and column.
    pub location: Option<String>,
    /// Who it was.
    pub pid: u32,
}

impl std::fmt::Display for PanicInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.message)?;
        self.location.as_ref().map_or(Ok(()), |location| write!(f, " (at {location}, pid {})", self.pid))
    }
}

/// Why there is no result of a process.
///
/// ```
/// use pinring::multi::{JoinError, Process};
///
/// let child = Process::spawn(|| -> u64 { panic!("no luck") })?;
/// let Err(JoinError::Panicked(info)) = child.join() else { unreachable!() };
/// assert_eq!(info.message, "no luck");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// It panicked.
    #[error("the process panicked: {0}")]
    Panicked(PanicInfo),
    /// It ended before it had a result.
    #[error("the process ended without a result: {0}")]
    Exited(ExitStatus),
    /// Its result does not fit where results go; give it through a queue or a blob.
    #[error("the process has ended ({1}), and its result is lost: {0}")]
    TooLarge(TooLarge, ExitStatus),
    /// Its result cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Why a value was not put; it is given back.
///
/// ```
/// use pinring::multi::{PutError, queue};
///
/// let (producer, consumer) = queue(1)?;
/// producer.put(1)?;
/// assert_eq!(producer.try_put(2), Err(PutError::Full(2)));
/// drop(consumer);
/// assert_eq!(producer.put(2).unwrap_err().into_inner(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PutError<T> {
    /// There is no room now.
    #[error("the queue is full")]
    Full(T),
    /// There was no room in time.
    #[error("there was no room all the time")]
    Timeout(T),
    /// Nobody will ever take it: all consumers have gone, or the queue was shut down.
    #[error("nobody is left to take it")]
    Closed(T),
    /// It does not fit.
    #[error("the value does not fit: {1}")]
    TooLarge(T, TooLarge),
}

impl<T> PutError<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Timeout(value) | Self::Closed(value) | Self::TooLarge(value, _) => value,
        }
    }
}

/// Why no value was got.
///
/// ```
/// use pinring::multi::{GetError, queue};
///
/// let (producer, consumer) = queue::<u8>(1)?;
/// assert_eq!(consumer.try_get(), Err(GetError::Empty));
/// drop(producer);
/// assert_eq!(consumer.get(), Err(GetError::Closed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// There is none now.
    #[error("the queue is empty")]
    Empty,
    /// There was none in time.
    #[error("the queue was empty all the time")]
    Timeout,
    /// There will be none: all producers have gone, or the queue was shut down, and all was taken.
    #[error("the queue is empty, and nobody puts anything in any more")]
    Closed,
    /// There was one, which is lost: it cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Why no message was received.
///
/// ```
/// use pinring::multi::{Process, RecvError, exit, pipe};
///
/// let (sender, receiver) = pipe::<u8>()?;
/// drop(sender);
/// assert_eq!(receiver.recv(), Err(RecvError::Eof));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// There is none now.
    #[error("no message is there")]
    Empty,
    /// There was none in time.
    #[error("no message came in time")]
    Timeout,
    /// There will be none: the other end has been closed, and all was received.
    #[error("the other end of the pipe is closed")]
    Eof,
    /// There will be none: the process at the other end died. What it had sent was received.
    #[error("the process at the other end of the pipe died, pid {pid}")]
    PeerDied {
        /// Its pid.
        pid: u32,
    },
    /// There was one, which is lost: it cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Who left a lock locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// A panic, in a process that may live on.
    Panicked {
        /// The process.
        pid: u32,
    },
    /// The process ended.
    Died {
        /// Its pid.
        pid: u32,
    },
}

/// Why a lock is not simply held.
///
/// ```
/// use pinring::multi::{LockError, Mutex, Process};
///
/// let pair = Mutex::new([0u32; 2])?;
/// let theirs = pair.clone();
/// let child = Process::spawn(move || {
///     let mut pair = theirs.lock().unwrap();
///     pair[0] = 1;
///     assert_eq!(pair[1], 1, "between the first and the second");
/// })?;
/// assert!(child.join().is_err());
/// let Err(LockError::OwnerDied { mut guard, .. }) = pair.lock() else { unreachable!() };
/// *guard = [0; 2];
/// guard.clear_poison();
/// drop(guard);
/// assert_eq!(*pair.lock().unwrap(), [0; 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LockError<G> {
    /// It is held, but whoever held it before did not come to the end: what it guards may be half done. Repair it, then call
    /// `clear_poison` of the guard.
    #[error("the lock is held, but its last owner did not come to the end ({by:?}): what it guards may be half done")]
    OwnerDied {
        /// The lock, held.
        guard: G,
        /// What happened.
        by: Death,
    },
    /// This thread holds it already.
    #[error("this thread holds the lock already")]
    WouldDeadlock,
    /// It was not free in time.
    #[error("the lock was held by others all the time")]
    Timeout,
    /// Another holds it now.
    #[error("the lock is held by another")]
    WouldBlock,
}

impl<G> LockError<G> {
    /// The same about another guard, which `to` makes of this one.
    pub(super) fn map<H>(self, to: impl FnOnce(G) -> H) -> LockError<H> {
        match self {
            Self::OwnerDied { guard, by } => LockError::OwnerDied { guard: to(guard), by },
            Self::WouldDeadlock => LockError::WouldDeadlock,
            Self::Timeout => LockError::Timeout,
            Self::WouldBlock => LockError::WouldBlock,
        }
    }

    /// The guard, if the lock is held in spite of the error.
    pub fn into_guard(self) -> Option<G> {
        match self {
            Self::OwnerDied { guard, .. } => Some(guard),
            _ => None,
        }
    }
}

impl<G> std::fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OwnerDied { by, .. } => f.debug_struct("OwnerDied").field("by", by).finish_non_exhaustive(),
            Self::WouldDeadlock => f.write_str("WouldDeadlock"),
            Self::Timeout => f.write_str("Timeout"),
            Self::WouldBlock => f.write_str("WouldBlock"),
        }
    }
}

/// What taking a lock gives.
pub type LockResult<G> = Result<G, LockError<G>>;

/// Why a barrier did not open.
///
/// ```
/// use std::time::Duration;
/// use pinring::multi::{Barrier, BarrierError};
///
/// let barrier = Barrier::new(2.try_into()?)?;
/// assert_eq!(barrier.wait_timeout(Duration::ZERO), Err(BarrierError::Timeout));
/// assert_eq!(barrier.wait(), Err(BarrierError::Broken));
/// barrier.reset();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BarrierError {
    /// Somebody broke it.
    #[error("the barrier is broken")]
    Broken,
    /// Not all came in time; it is broken now, for the others too.
    #[error("not all parties came to the barrier in time")]
    Timeout,
    /// A party ended while it waited; it is broken now.
    #[error("a party of the barrier died, pid {0}")]
    PartyDied(u32),
    /// The action panicked; it is broken now.
    #[error("the action of the barrier panicked")]
    ActionPanicked,
}
