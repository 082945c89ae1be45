//! What a worker and its supervisor tell each other through the segment.

use crate::prim::{AtomicU64, CachePadded, Ordering};
use crate::shm::Shared;

/// What the supervisor asks of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Work.
    Run,
    /// Let the sources end, let what is under way reach the sinks, then exit.
    Drain,
    /// Let the sources pause where they are, let what is under way reach the sinks, and wait for [`Self::Stop`].
    Park,
    /// Exit between two steps; the next incarnation goes on there.
    Stop,
}

/// The words of one worker.
#[repr(C)]
#[derive(Debug, Default)]
pub struct WorkerWords {
    /// Written by the supervisor: a [`Command`].
    command: CachePadded<AtomicU64>,
    /// Written by the worker: CLOCK_MONOTONIC in ns, to a few ms, when its loop last came round; 0 while it sleeps.
    pub pulse: CachePadded<AtomicU64>,
    /// Written by the supervisor: how often the worker has been started.
    incarnation: AtomicU64,
    /// Written by the supervisor: the pid of the living worker, 0 if there is none.
    pid: AtomicU64,
    /// Written by the supervisor: the `log` level from which on records are wanted, plus one; 0: as at the fork.
    log_level: AtomicU64,
    /// Written by the worker: CLOCK_MONOTONIC in ns when all of its nodes had resumed; 0 before.
    ready_at: AtomicU64,
}

// SAFETY: `repr(C)` of atomics and padding, aligned to 128.
unsafe impl Shared for WorkerWords {}

impl WorkerWords {
    /// What the supervisor asks.
    pub fn command(&self) -> Command {
        // ORDER(command): Acquire; pairs with `ask`.
        match self.command.0.load(Ordering::Acquire) {
            0 => Command::Run,
            1 => Command::Drain,
            2 => Command::Park,
            _ => Command::Stop,
        }
    }

    /// Asks the worker; ring its bell afterwards. Supervisor only.
    pub fn ask(&self, command: Command) {
        // ORDER(command): Release; the bell that follows makes the worker look.
        self.command.0.store(command as u64, Ordering::Release);
    }

    /// From which level on the worker is to log; ring its bell afterwards. Supervisor only.
    pub fn set_log_level(&self, level: u64) {
        // ORDER(command): Relaxed; a wish, looked at once a round.
        self.log_level.store(level + 1, Ordering::Relaxed);
    }

    /// From which level on to log; `None`: nobody has said.
    pub fn log_level(&self) -> Option<u64> {
        // ORDER(command): Relaxed, as in `set_log_level`.
        self.log_level.load(Ordering::Relaxed).checked_sub(1)
    }

    /// The worker's loop comes round. Worker only.
    pub fn beat(&self, now_ns: u64) {
        // ORDER(pulse): Relaxed; nothing is published with it, the supervisor looks at its age only.
        self.pulse.0.store(now_ns.max(1), Ordering::Relaxed);
    }

    /// The worker is about to sleep until something happens. Worker only.
    pub fn rest(&self) {
        // ORDER(pulse): Relaxed, as in `beat`.
        self.pulse.0.store(0, Ordering::Relaxed);
    }

    /// When the worker's loop last came round; `None` while it sleeps.
    pub fn pulse(&self) -> Option<u64> {
        // ORDER(pulse): Relaxed, as in `beat`.
        Some(self.pulse.0.load(Ordering::Relaxed)).filter(|at| *at != 0)
    }

    /// A new incarnation begins at `now_ns` and is to do as `command` says. Supervisor only, before the fork.
    pub fn begin(&self, command: Command, now_ns: u64) {
        self.ask(command);
        // Setting up must not take for ever, either.
        self.beat(now_ns);
        // ORDER(life): Relaxed; the fork orders it for the child, observers take a picture.
        let incarnation = self.incarnation.load(Ordering::Relaxed) + 1;
        // ORDER(life): Relaxed, as above.
        self.incarnation.store(incarnation, Ordering::Relaxed);
        // ORDER(life): Relaxed, as above; the worker that would write it is not born yet.
        self.ready_at.store(0, Ordering::Relaxed);
    }

    /// How often the worker has been started.
    pub fn incarnation(&self) -> u64 {
        // ORDER(life): Relaxed; a picture.
        self.incarnation.load(Ordering::Relaxed)
    }

    /// The living worker's pid, 0 if there is none. Supervisor only.
    pub fn set_pid(&self, pid: i32) {
        // ORDER(life): Relaxed; a picture.
        self.pid.store(u64::from(pid.unsigned_abs()), Ordering::Relaxed);
    }

    /// The living worker's pid.
    pub fn pid(&self) -> Option<i32> {
        // ORDER(life): Relaxed; a picture.
        i32::try_from(self.pid.load(Ordering::Relaxed)).ok().filter(|pid| *pid > 0)
    }

    /// All nodes have resumed. Worker only.
    pub fn set_ready(&self, now_ns: u64) {
        // ORDER(life): Relaxed; read after the worker's death, or as a picture.
        self.ready_at.store(now_ns.max(1), Ordering::Relaxed);
    }

    /// When the living (or latest) incarnation was ready, CLOCK_MONOTONIC in ns.
    pub fn ready_at(&self) -> Option<u64> {
        // ORDER(life): Relaxed; a picture.
        Some(self.ready_at.load(Ordering::Relaxed)).filter(|at| *at != 0)
    }
}
