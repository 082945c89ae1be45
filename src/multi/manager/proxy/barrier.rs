//! A barrier.

use std::sync::Arc;
use std::time::Duration;

use super::super::client::Handle;
use super::super::error::ManagerError;
use super::super::wire::Op;
use super::proxy;

/// A place where processes wait until all have come.
///
/// A party that dies or gives up while it waits breaks it for all, within a second; one that dies before it comes is not known, so
/// wait with a limit where that may happen.
///
/// ```
/// use pinring::multi::{Manager, Process};
///
/// let manager = Manager::start()?;
/// let barrier = manager.barrier(2)?;
/// let theirs = barrier.clone();
/// let child = Process::spawn(move || theirs.wait().is_ok())?;
/// barrier.wait()?;
/// assert!(child.join()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RBarrier {
    handle: Arc<Handle>,
}

proxy!(RBarrier, "barrier");

impl RBarrier {
    /// Waits until all have come; the place of this one, from 0 on in the order of coming.
    ///
    /// # Errors
    /// [`ManagerError::Broken`] if a party dies or gives up; if the server is not to be reached.
    pub fn wait(&self) -> Result<usize, ManagerError> {
        self.handle.ask_count(Op::Wait(None))
    }

    /// As [`Self::wait`], at most `limit`.
    ///
    /// # Errors
    /// [`ManagerError::Timeout`] after that; the barrier is then broken for the others. As [`Self::wait`].
    pub fn wait_timeout(&self, limit: Duration) -> Result<usize, ManagerError> {
        self.handle.ask_count(Op::Wait(Some(limit)))
    }

    /// Makes it as new. Whoever waits gets [`ManagerError::Broken`].
    ///
    /// # Errors
    /// If the server is not to be reached.
    pub fn reset(&self) -> Result<(), ManagerError> {
        self.handle.tell(Op::Reset)
    }

    /// Breaks it, until [`Self::reset`].
    ///
    /// # Errors
    /// As [`Self::reset`].
    pub fn abort(&self) -> Result<(), ManagerError> {
        self.handle.tell(Op::Abort)
    }

    /// How many wait at this moment.
    ///
    /// # Errors
    /// As [`Self::reset`].
    pub fn waiting(&self) -> Result<usize, ManagerError> {
        self.handle.ask_count(Op::Len)
    }

    /// Whether it is broken.
    ///
    /// # Errors
    /// As [`Self::reset`].
    pub fn is_broken(&self) -> Result<bool, ManagerError> {
        self.handle.ask_flag(Op::IsSet)
    }
}
