//! An array.

use std::marker::PhantomData;
use std::sync::Arc;

use super::super::client::Handle;
use super::super::error::ManagerError;
use super::super::wire::{Blob, Op};
use super::{Wire, proxy};

/// A number of values that stays the same.
///
/// ```
/// use pinring::multi::Manager;
///
/// let manager = Manager::start()?;
/// let array = manager.array([1, 2, 3])?;
/// array.set(0, 10)?;
/// array.update(1, |number| number * 10)?;
/// assert_eq!(array.to_vec()?, [10, 20, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RArray<T> {
    handle: Arc<Handle>,
    of: PhantomData<fn() -> (T,)>,
}

proxy!(RArray<T>, "array");

#[allow(clippy::needless_pass_by_value, reason = "as with a array of one's own, the caller is done with what goes in")]
impl<T: Wire> RArray<T> {
    /// The value at `index`, if it is inside.
    ///
    /// # Errors
    /// If the server is not to be reached.
    pub fn get(&self, index: usize) -> Result<Option<T>, ManagerError> {
        self.handle.ask_maybe(Op::At(index as u64))
    }

    /// Replaces the value at `index`.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] if that is outside; as [`Self::get`].
    pub fn set(&self, index: usize, value: T) -> Result<(), ManagerError> {
        self.handle.tell(Op::SetAt(index as u64, Blob(&self.handle.encode(&value)?)))
    }

    /// Replaces the value at `index` by what `change` makes of it, and returns that. No change by another process is lost: then
    /// `change` is called again.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn update(&self, index: usize, change: impl FnMut(T) -> T) -> Result<T, ManagerError> {
        update_at(&self.handle, index, change)
    }

    /// How many there are.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn len(&self) -> Result<usize, ManagerError> {
        self.handle.ask_count(Op::Len)
    }

    /// Whether there are none.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn is_empty(&self) -> Result<bool, ManagerError> {
        Ok(self.len()? == 0)
    }

    /// All of them, as they were at one moment.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn to_vec(&self) -> Result<Vec<T>, ManagerError> {
        self.handle.ask_many(Op::All)
    }
}

/// Replaces what is at `index` by what `change` makes of it.
pub(super) fn update_at<T: Wire>(
    handle: &Handle,
    index: usize,
    mut change: impl FnMut(T) -> T,
) -> Result<T, ManagerError> {
    let index = index as u64;
    let missing = || ManagerError::NotFound(format!("place {index} in {}", handle.client().name(handle.target())));
    let mut old = handle.ask_maybe_bytes(Op::At(index))?.ok_or_else(missing)?;
    loop {
        let value = change(handle.decode(&old)?);
        let new = handle.encode(&value)?;
        match handle.ask_maybe_bytes(Op::ExchangeAt { index, old: Blob(&old), new: Blob(&new) })? {
            None => return Ok(value),
            Some(other) => old = other,
        }
    }
}
