//! An event.

use std::sync::Arc;
use std::time::Duration;

use super::super::client::Handle;
use super::super::error::ManagerError;
use super::super::wire::Op;
use super::proxy;

/// A flag that processes wait for.
///
/// ```
/// use std::time::Duration;
/// use pinring::multi::{Manager, Process};
///
/// let manager = Manager::start()?;
/// let started = manager.event()?;
/// assert!(!started.wait_timeout(Duration::ZERO)?);
/// let theirs = started.clone();
/// let child = Process::spawn(move || theirs.set().is_ok())?;
/// started.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct REvent {
    handle: Arc<Handle>,
}

proxy!(REvent, "event");

impl REvent {
    /// Sets the flag: all who wait go on, also if it is cleared again at once.
    ///
    /// # Errors
    /// If the server is not to be reached.
    pub fn set(&self) -> Result<(), ManagerError> {
        self.handle.tell(Op::SetFlag(true))
    }

    /// Clears the flag.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn clear(&self) -> Result<(), ManagerError> {
        self.handle.tell(Op::SetFlag(false))
    }

    /// Whether it is set at this moment.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn is_set(&self) -> Result<bool, ManagerError> {
        self.handle.ask_flag(Op::IsSet)
    }

    /// Waits until it is set.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn wait(&self) -> Result<(), ManagerError> {
        self.handle.tell(Op::Wait(None))
    }

    /// Waits until it is set, at most `limit`; whether it was.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn wait_timeout(&self, limit: Duration) -> Result<bool, ManagerError> {
        match self.handle.tell(Op::Wait(Some(limit))) {
            Err(ManagerError::Timeout { .. }) => Ok(false),
            other => other.map(|()| true),
        }
    }
}
