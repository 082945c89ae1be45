//! What the state machine takes in and gives out.

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its work was done.
    Done,
    /// It says that starting it again is useless.
    Refused,
    /// In any other way.
    Failed,
}

/// A worker gone mad and its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fenced {
    /// The mad one.
    pub worker: usize,
    /// Its neighbours, a bit each.
    pub neighbours: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The worker that [`Action::Fork`] asked for lives.
    Forked(usize),
    /// It could not be forked.
    ForkFailed(usize),
    /// It is ready for work.
    Ready(usize),
    /// It has ended.
    Ended(usize, End),
    /// It does not work any more, though it lives.
    Hung(usize),
    /// It has written what makes no sense to its neighbours: it is to be ended at once, they are to stop between two steps, and when all
    /// have ended they start again.
    Mad(Fenced),
    /// Somebody wants the worker stopped and started again.
    Restart(usize),
    /// All shall end in order: sources end, the rest handles what is under way. Asked a second time: at once.
    Drain,
    /// All shall end in order, so that a successor can go on: sources pause, the rest handles what is under way.
    Park,
    /// All shall end between two steps, wherever they are; a successor goes on there. What follows a [`Self::Park`] when nothing is under
    /// way any more.
    Halt,
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Fork the worker and say [`Input::Forked`] or [`Input::ForkFailed`].
    Fork(usize),
    /// Ask it to end between two steps.
    Stop(usize),
    /// Send it SIGABRT.
    Abort(usize),
    /// Send it SIGKILL.
    Kill(usize),
    /// Ask all workers to drain, those that are started later, too.
    Drain,
    /// Ask all workers to pause their sources.
    Park,
    /// It will not be started again: end its nodes in its place, so that others do not wait for them.
    Abandon(usize),
    /// Tell people: it failed too often and is tried once a minute.
    Quarantined(usize),
    /// Tell people: it has left quarantine.
    Released(usize),
    /// Tell people: SIGKILL does not end it.
    Unreapable(usize),
    /// Tell people: it did not end in time and was killed.
    Overdue(usize),
}

/// What all of the system is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Working.
    Run,
    /// Ending; killed at this CLOCK_MONOTONIC, ns.
    Drain(u64),
    /// Pausing for a successor; killed then.
    Park(u64),
    /// Ending between two steps; killed then.
    Halt(u64),
}

impl Mode {
    /// When what has not ended is killed.
    pub(super) fn until_ns(self) -> Option<u64> {
        match self {
            Self::Run => None,
            Self::Drain(until) | Self::Park(until) | Self::Halt(until) => Some(until),
        }
    }
}
