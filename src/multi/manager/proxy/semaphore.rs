//! A semaphore.

use std::sync::Arc;
use std::time::Duration;

use super::super::client::{Handle, Held};
use super::super::error::ManagerError;
use super::super::wire::{Limit, Op};
use super::proxy;

/// A number of permits that holders in any process, on any machine, share.
///
/// The permits of a process that dies come back within a second. Nobody can give back more than was taken.
///
/// ```
/// use pinring::multi::Manager;
///
/// let manager = Manager::start()?;
/// let ports = manager.semaphore(2)?;
/// let one = ports.acquire()?;
/// assert_eq!(ports.free()?, 1);
/// one.release()?;
/// assert_eq!(ports.free()?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RSemaphore {
    handle: Arc<Handle>,
}

proxy!(RSemaphore, "semaphore");

impl RSemaphore {
    /// Waits for a permit.
    ///
    /// # Errors
    /// If the server is not to be reached.
    pub fn acquire(&self) -> Result<RPermit, ManagerError> {
        self.acquire_within(None)
    }

    /// Waits for a permit, at most `limit`.
    ///
    /// # Errors
    /// [`ManagerError::Timeout`] if there is none so long; as [`Self::acquire`].
    pub fn acquire_timeout(&self, limit: Duration) -> Result<RPermit, ManagerError> {
        self.acquire_within(Some(limit))
    }

    /// Takes a permit if there is one.
    ///
    /// # Errors
    /// As [`Self::acquire`].
    pub fn try_acquire(&self) -> Result<Option<RPermit>, ManagerError> {
        match self.acquire_timeout(Duration::ZERO) {
            Err(ManagerError::Timeout { .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    /// How many permits are free at this moment.
    ///
    /// # Errors
    /// As [`Self::acquire`].
    pub fn free(&self) -> Result<usize, ManagerError> {
        self.handle.ask_count(Op::Len)
    }

    fn acquire_within(&self, limit: Limit) -> Result<RPermit, ManagerError> {
        self.handle.tell(Op::Acquire(limit))?;
        Ok(RPermit { held: Held::new(&self.handle, 0) })
    }
}

/// A permit, which goes back when this is dropped. In a forked child it is none.
///
/// ```
/// use pinring::multi::Manager;
///
/// let manager = Manager::start()?;
/// let ports = manager.semaphore(1)?;
/// let permit = ports.try_acquire()?;
/// assert!(permit.is_some());
/// assert!(ports.try_acquire()?.is_none());
/// drop(permit);
/// assert!(ports.try_acquire()?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the permit goes back when this is dropped"]
pub struct RPermit {
    held: Held,
}

impl RPermit {
    /// Gives the permit back, and tells if that was not possible, which a drop cannot.
    ///
    /// # Errors
    /// If the server is not to be reached: the permit is back or will be.
    pub fn release(self) -> Result<(), ManagerError> {
        self.held.give_back()
    }
}

impl std::fmt::Debug for RPermit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a permit of {}", self.held.name())
    }
}
