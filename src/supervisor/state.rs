//! What the supervisor knows of each worker.

use crate::process::Child;
use crate::sys::socket::Channel;

use super::policy::Backoff;

/// Where a worker is in its life.
#[derive(Debug)]
pub(super) enum Life {
    /// To be started at this CLOCK_MONOTONIC, ns.
    Waiting { until_ns: u64 },
    /// Alive.
    Running { child: Child, channel: Channel },
    /// Its work is done.
    Done,
}

/// A worker as the supervisor sees it.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) life: Life,
    pub(super) backoff: Backoff,
}

impl Worker {
    /// When it must be started, if it waits for that.
    pub(super) fn start_due(&self) -> Option<u64> {
        match self.life {
            Life::Waiting { until_ns } => Some(until_ns),
            _ => None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.life, Life::Done)
    }
}
