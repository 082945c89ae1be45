//! A lock.

use std::sync::Arc;
use std::time::Duration;

use super::super::client::{Handle, Held};
use super::super::error::ManagerError;
use super::super::wire::{Limit, Op, Reply};
use super::proxy;

/// A lock that one holder in any process, on any machine, has at a time.
///
/// Not recursive: who holds it and wants it again waits for ever. When the holder's process dies it becomes free within a second, and
/// the next holder [is told](RLockGuard::owner_died).
///
/// ```
/// use pinring::multi::Manager;
///
/// let manager = Manager::start()?;
/// let lock = manager.lock()?;
/// let guard = lock.acquire()?;
/// if guard.owner_died() {
///     // whatever the lock protects may be half done: put it right
/// }
/// assert!(lock.is_locked()?);
/// drop(guard);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RLock {
    handle: Arc<Handle>,
}

proxy!(RLock, "lock");

impl RLock {
    /// Waits for the lock.
    ///
    /// # Errors
    /// If the server is not to be reached.
    pub fn acquire(&self) -> Result<RLockGuard, ManagerError> {
        self.acquire_within(None)
    }

    /// Waits for the lock, at most `limit`.
    ///
    /// # Errors
    /// [`ManagerError::Timeout`] if somebody else holds it so long; as [`Self::acquire`].
    pub fn acquire_timeout(&self, limit: Duration) -> Result<RLockGuard, ManagerError> {
        self.acquire_within(Some(limit))
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// As [`Self::acquire`].
    pub fn try_acquire(&self) -> Result<Option<RLockGuard>, ManagerError> {
        match self.acquire_timeout(Duration::ZERO) {
            Err(ManagerError::Timeout { .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Whether somebody holds it at this moment.
    ///
    /// # Errors
    /// As [`Self::acquire`].
    pub fn is_locked(&self) -> Result<bool, ManagerError> {
        self.handle.ask_flag(Op::IsSet)
    }

    fn acquire_within(&self, limit: Limit) -> Result<RLockGuard, ManagerError> {
        let (guard, owner_died) = self.handle.ask(Op::Acquire(limit), |reply| match reply {
            Reply::Held { guard, owner_died } => Some((guard, owner_died)),
            _ => None,
        })?;
        Ok(RLockGuard { held: Held::new(&self.handle, guard), owner_died })
    }
}

/// Holds the lock until it is dropped. In a forked child it holds nothing.
///
/// ```
/// use pinring::multi::Manager;
///
/// let manager = Manager::start()?;
/// let lock = manager.lock()?;
/// let guard = lock.acquire()?;
/// assert!(lock.try_acquire()?.is_none());
/// // As dropping it, but says so if the server is not to be reached.
/// guard.release()?;
/// assert!(!lock.is_locked()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the lock is free again when this is dropped"]
pub struct RLockGuard {
    held: Held,
    owner_died: bool,
}

impl RLockGuard {
    /// Whether the last holder's process died with the lock: what it protects may be half done. Told once, to the next holder.
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }

    /// Gives the lock back, and tells if that was not possible, which a drop cannot.
    ///
    /// # Errors
    /// If the server is not to be reached: the lock is free or will be.
    pub fn release(self) -> Result<(), ManagerError> {
        self.held.give_back()
    }
}

impl std::fmt::Debug for RLockGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the guard of {}", self.held.name())
    }
}
