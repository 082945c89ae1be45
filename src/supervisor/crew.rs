//! What the supervisor must know about the work it supervises, and what it tells.

use std::os::fd::{OwnedFd, RawFd};
use std::time::Duration;

use crate::process::{ExitCause, WorkerWords};
use crate::sys::socket::Channel;
use crate::trace::{LogReader, LogRecord};

/// The workers and what they work on. Implemented by the pipeline.
pub trait Crew {
    /// How many workers there are; they are numbered from 0.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name of a worker.
    fn name(&self, worker: usize) -> &str;

    /// The core it is pinned to.
    fn core(&self, worker: usize) -> usize;

    /// The descriptors it keeps over the fork.
    fn descriptors(&self, worker: usize) -> Vec<RawFd>;

    /// Its words in the segment.
    fn words(&self, worker: usize) -> &WorkerWords;

    /// Its log records.
    fn log(&mut self, worker: usize) -> &mut LogReader;

    /// The bell that a worker rings after logging.
    fn log_bell(&self) -> &crate::sys::eventfd::EventFd;

    /// Wakes every worker: after a death (the dead may have published without ringing) and after a new command.
    fn wake_all(&self);

    /// A worker's message, perhaps with a descriptor to keep for its next incarnation.
    /// The answer may ask to stop in order.
    fn message(&mut self, worker: usize, message: &[u8], fd: Option<OwnedFd>) -> Wish;

    /// In the forked child: works until there is nothing left, and returns the exit code.
    fn work(&mut self, worker: usize, channel: Channel) -> i32;
}

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A worker was started.
    Started {
        /// Which.
        worker: usize,
        /// Its pid.
        pid: i32,
        /// How often it has been started, 1 the first time.
        incarnation: u64,
    },
    /// A worker ended.
    Ended {
        /// Which.
        worker: usize,
        /// Its pid.
        pid: i32,
        /// Why.
        cause: ExitCause,
        /// How long until it is started again; `None`: it is done.
        restart_in: Option<Duration>,
    },
    /// A worker could not be forked; it is tried again after the delay.
    SpawnFailed {
        /// Why.
        error: crate::process::SpawnError,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// A worker logged.
    Log {
        /// Which.
        worker: usize,
        /// What.
        record: LogRecord,
    },
    /// So many log records of a worker were dropped because they came too fast.
    LogDropped {
        /// Which.
        worker: usize,
        /// How many.
        count: u64,
    },
    /// A signal asks to stop. Answer [`Wish::Stop`] to begin now; a second one stops whatever is answered.
    StopAsked {
        /// Its name.
        signal: &'a str,
    },
    /// The stop has begun: sources end, the rest drains.
    Draining,
    /// The time for the stop is over; these workers were killed.
    Killed {
        /// Which.
        worker: usize,
    },
    /// The observer's interval has passed.
    Tick,
}

/// What the observer of events, or the crew, wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Go on.
    Continue,
    /// Stop in order.
    Stop,
}
