//! What the supervisor must know about the work it supervises, and what it tells.

use std::os::fd::{OwnedFd, RawFd};
use std::time::Duration;

use super::input::{Fenced, Input};
use super::state::State;
use super::vigil::Hang;
use crate::control::Server;
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
    fn message(&mut self, worker: usize, message: &[u8], fd: Option<OwnedFd>) -> Said;

    /// A worker is about to be started, or started again; whether what it will find has changed.
    fn begin(&mut self, worker: usize) -> bool;

    /// A worker has ended: what it left behind is to be looked at before its successor writes over it.
    fn autopsy(&mut self, worker: usize, pid: i32, cause: ExitCause, hang: Option<Hang>);

    /// A worker will not be started again: its nodes are to be ended in its place, so that the others do not wait for them.
    fn abandon(&mut self, worker: usize);

    /// A number that changes as long as a worker gets on with its messages.
    fn progress(&self, worker: usize) -> u64;

    /// Whether nothing is under way between the workers. Asked while the sources pause.
    fn is_quiet(&self) -> bool;

    /// Whether this process goes on with other workers once these have stopped.
    fn goes_on(&self) -> bool;

    /// Has the service manager keep what a successor needs, in place of what it keeps.
    fn deposit(&self);

    /// The control socket, if there is one.
    fn control(&mut self) -> &mut Option<Server>;

    /// A request that came through the control socket, one line; the answer, one line, and what is to be done.
    fn request(&mut self, peer: &str, line: &str, state: &State) -> Reply;

    /// In the forked child: works until there is nothing left, and returns the exit code.
    fn work(&mut self, worker: usize, channel: Channel) -> i32;
}

/// What a worker's message means for its supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing.
    Nothing,
    /// It is ready for work.
    Ready,
    /// What the next incarnation will find has changed.
    Changed,
    /// The system should stop in order.
    Stop,
    /// A worker has written what makes no sense to others.
    Mad(Fenced),
}

/// An answer to a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The answer, one line.
    pub text: String,
    /// What the supervisor is to do.
    pub inputs: Vec<Input>,
    /// What the next incarnations will find has changed.
    pub changed: bool,
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
        /// When its end was noticed, CLOCK_MONOTONIC in ns.
        noticed_ns: u64,
        /// How long until it is started again; `None`: it is done.
        restart_in: Option<Duration>,
    },
    /// All nodes of a worker are ready.
    Ready {
        /// Which.
        worker: usize,
    },
    /// A worker lives but does not work; it is told to abort, and killed soon after.
    Hung {
        /// Which.
        worker: usize,
        /// What it does instead.
        why: Hang,
    },
    /// A worker failed too often: it is tried once a minute from now on.
    Quarantined {
        /// Which.
        worker: usize,
    },
    /// A worker has written what makes no sense to its neighbours: it is ended, and starts afresh.
    Fenced {
        /// Which.
        worker: usize,
    },
    /// A worker has left quarantine.
    Released {
        /// Which.
        worker: usize,
    },
    /// SIGKILL does not end a worker. It is left alone, and not started again before it has ended.
    Unreapable {
        /// Which.
        worker: usize,
    },
    /// The workers are asked to pause where they are, for a successor.
    Parking,
    /// A worker could not be forked: that counts as a failed start, and it is tried again.
    SpawnFailed {
        /// Which.
        worker: usize,
        /// Why.
        error: crate::process::SpawnError,
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
    /// Pause the sources, handle what is under way, and end so that a successor can go on.
    Park,
}
