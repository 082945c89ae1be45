//! Where a worker is in its life, as the supervisor sees it.

use super::backoff::Backoff;

/// A state of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// To be started at this CLOCK_MONOTONIC, ns.
    Waiting {
        /// When.
        until_ns: u64,
    },
    /// Alive.
    Running {
        /// When it was ready for work; `None`: not yet.
        ready_ns: Option<u64>,
    },
    /// Asked to end; killed at this time.
    Stopping {
        /// When.
        until_ns: u64,
    },
    /// It hangs: told to abort, killed at this time.
    Aborting {
        /// When.
        until_ns: u64,
    },
    /// Sent SIGKILL; by this time it should have ended.
    Killing {
        /// When.
        until_ns: u64,
    },
    /// SIGKILL does not end it: it is stuck in the kernel, or its cgroup is frozen. Its core and its rings are left alone until it
    /// has ended.
    Unreapable,
    /// It has ended because it was asked to, and waits for the others of its group.
    Stopped,
    /// It failed too often: tried again at this time.
    Quarantined {
        /// When.
        until_ns: u64,
    },
    /// It said that starting it again is useless.
    Refused,
    /// It failed, and is not to be started again.
    Ended,
    /// Its work is done.
    Done,
}

impl Life {
    /// Whether there is a process.
    pub fn has_process(self) -> bool {
        matches!(
            self,
            Self::Running { .. }
                | Self::Stopping { .. }
                | Self::Aborting { .. }
                | Self::Killing { .. }
                | Self::Unreapable
        )
    }

    /// Whether nothing will change any more unless somebody asks.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Refused | Self::Ended | Self::Done)
    }

    /// Whether it is as it should be: at work, or done with it.
    pub(super) fn is_well(self) -> bool {
        matches!(self, Self::Running { ready_ns: Some(_) } | Self::Done)
    }

    /// When it is to be started.
    pub fn start_due(self) -> Option<u64> {
        match self {
            Self::Waiting { until_ns } | Self::Quarantined { until_ns } => Some(until_ns),
            _ => None,
        }
    }

    /// When it will have gone on for too long.
    pub(super) fn deadline(self) -> Option<u64> {
        match self {
            Self::Stopping { until_ns } | Self::Aborting { until_ns } | Self::Killing { until_ns } => Some(until_ns),
            other => other.start_due(),
        }
    }

    /// In a word, for people and machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Running { ready_ns: None } => "starting",
            Self::Running { .. } => "running",
            Self::Stopping { .. } | Self::Aborting { .. } | Self::Killing { .. } => "stopping",
            Self::Unreapable => "unreapable",
            Self::Stopped => "stopped",
            Self::Quarantined { .. } => "quarantined",
            Self::Refused => "refused",
            Self::Ended => "ended",
            Self::Done => "done",
        }
    }
}

/// A worker as the state machine knows it.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub(super) life: Life,
    pub(super) backoff: Backoff,
    /// It has been asked to end: however it does, that is no failure.
    pub(super) asked: bool,
    /// When its latest process was ready.
    pub(super) ready_ns: Option<u64>,
    /// It is a try out of quarantine, or about to be one.
    pub(super) probation: bool,
}
