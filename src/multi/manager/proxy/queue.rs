//! A queue.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::super::client::Handle;
use super::super::error::ManagerError;
use super::super::wire::{Blob, Limit, Op};
use super::{Wire, proxy};

/// A queue into which any process puts and out of which any process gets.
///
/// An item goes to one process. If that is found dead when the item is handed to it, the item goes back to the front; if it dies
/// with the item in its hands, the item is lost.
///
/// ```
/// use pinring::multi::{Manager, ManagerError, Process};
///
/// let manager = Manager::start()?;
/// let queue = manager.queue::<u64>(10)?;
/// let theirs = queue.clone();
/// let child = Process::spawn(move || theirs.put(&42).is_ok())?;
/// assert_eq!(queue.get()?, 42);
/// queue.close()?;
/// assert!(matches!(queue.get(), Err(ManagerError::Closed { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RQueue<T> {
    handle: Arc<Handle>,
    of: PhantomData<fn() -> (T,)>,
}

proxy!(RQueue<T>, "queue");

impl<T: Wire> RQueue<T> {
    /// Puts an item in, and waits while it is full. The item is only read: on an error the caller still has it.
    ///
    /// # Errors
    /// [`ManagerError::Closed`]; if the server is not to be reached.
    pub fn put(&self, item: &T) -> Result<(), ManagerError> {
        self.put_within(item, None)
    }

    /// As [`Self::put`], at most `limit`.
    ///
    /// # Errors
    /// [`ManagerError::Timeout`] if it is full so long; as [`Self::put`].
    pub fn put_timeout(&self, item: &T, limit: Duration) -> Result<(), ManagerError> {
        self.put_within(item, Some(limit))
    }

    /// As [`Self::put`], without waiting; whether there was room.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn try_put(&self, item: &T) -> Result<bool, ManagerError> {
        match self.put_timeout(item, Duration::ZERO) {
            Err(ManagerError::Timeout { .. }) => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Takes the oldest item out, and waits while there is none.
    ///
    /// # Errors
    /// [`ManagerError::Closed`] if it is closed and empty; if the server is not to be reached.
    pub fn get(&self) -> Result<T, ManagerError> {
        self.handle.ask_value(Op::Take(None))
    }

    /// As [`Self::get`], at most `limit`.
    ///
    /// # Errors
    /// [`ManagerError::Timeout`] if it is empty so long; as [`Self::get`].
    pub fn get_timeout(&self, limit: Duration) -> Result<T, ManagerError> {
        self.handle.ask_value(Op::Take(Some(limit)))
    }

    /// As [`Self::get`], without waiting.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn try_get(&self) -> Result<Option<T>, ManagerError> {
        match self.get_timeout(Duration::ZERO) {
            Err(ManagerError::Timeout { .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Nothing more goes in; what is there can still be taken out.
    ///
    /// # Errors
    /// If the server is not to be reached.
    pub fn close(&self) -> Result<(), ManagerError> {
        self.handle.tell(Op::Close)
    }

    /// How many items there are at this moment.
    ///
    /// # Errors
    /// As [`Self::close`].
    pub fn len(&self) -> Result<usize, ManagerError> {
        self.handle.ask_count(Op::Len)
    }

    /// Whether there are none at this moment.
    ///
    /// # Errors
    /// As [`Self::close`].
    pub fn is_empty(&self) -> Result<bool, ManagerError> {
        Ok(self.len()? == 0)
    }

    fn put_within(&self, item: &T, limit: Limit) -> Result<(), ManagerError> {
        self.handle.tell(Op::Put(Blob(&self.handle.encode(item)?), limit))
    }
}
