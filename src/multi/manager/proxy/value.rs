//! A value.

use std::marker::PhantomData;
use std::sync::Arc;

use super::super::client::Handle;
use super::super::error::ManagerError;
use super::super::wire::{Blob, Op};
use super::{Wire, proxy};

/// A value that several processes read and replace.
///
/// ```
/// use pinring::multi::Manager;
///
/// let manager = Manager::start()?;
/// let total = manager.value(1.5)?;
/// total.update(|total| total + 1.0)?;
/// assert_eq!(total.get()?, 2.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RValue<T> {
    handle: Arc<Handle>,
    of: PhantomData<fn() -> (T,)>,
}

proxy!(RValue<T>, "value");

#[allow(clippy::needless_pass_by_value, reason = "as with a value of one's own, the caller is done with what goes in")]
impl<T: Wire> RValue<T> {
    /// What it is.
    ///
    /// # Errors
    /// If the server is not to be reached.
    pub fn get(&self) -> Result<T, ManagerError> {
        self.handle.ask_value(Op::Get)
    }

    /// Replaces it.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn set(&self, value: T) -> Result<(), ManagerError> {
        self.handle.tell(Op::Set(Blob(&self.handle.encode(&value)?)))
    }

    /// Replaces it by what `change` makes of it, and returns that. No change by another process in between is lost: then `change` is
    /// called again, with what it is now.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn update(&self, mut change: impl FnMut(T) -> T) -> Result<T, ManagerError> {
        let mut old = self.handle.ask_bytes(Op::Get)?;
        loop {
            let value = change(self.handle.decode(&old)?);
            let new = self.handle.encode(&value)?;
            match self.handle.ask_maybe_bytes(Op::Exchange { old: Blob(&old), new: Blob(&new) })? {
                None => return Ok(value),
                Some(other) => old = other,
            }
        }
    }
}
