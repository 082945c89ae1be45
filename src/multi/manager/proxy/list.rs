//! A list.

use std::marker::PhantomData;
use std::sync::Arc;

use super::super::client::Handle;
use super::super::error::ManagerError;
use super::super::wire::{Blob, Items, Op};
use super::array::update_at;
use super::{Wire, proxy};

/// A list that several processes change. What one gets out of it is a copy.
///
/// ```
/// use pinring::multi::Manager;
///
/// let manager = Manager::start()?;
/// let list = manager.list()?;
/// list.push("b".to_owned())?;
/// list.insert(0, "a".to_owned())?;
/// list.extend(["c".to_owned()])?;
/// assert_eq!(list.to_vec()?, ["a", "b", "c"]);
/// assert_eq!(list.get(7)?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RList<T> {
    handle: Arc<Handle>,
    of: PhantomData<fn() -> (T,)>,
}

proxy!(RList<T>, "list");

#[allow(clippy::needless_pass_by_value, reason = "as with a list of one's own, the caller is done with what goes in")]
impl<T: Wire> RList<T> {
    /// Adds a value at the end.
    ///
    /// # Errors
    /// If the server is not to be reached.
    pub fn push(&self, value: T) -> Result<(), ManagerError> {
        self.extend([value])
    }

    /// Adds all values at the end, next to each other, in one request.
    ///
    /// # Errors
    /// As [`Self::push`]; [`ManagerError::TooMany`] if a manager does not take so many [at a time](crate::multi::ManagerBuilder::max_message).
    pub fn extend(&self, values: impl IntoIterator<Item = T>) -> Result<(), ManagerError> {
        let mut items = Vec::new();
        for value in values {
            self.handle.append(&value, &mut items)?;
        }
        self.handle.tell(Op::Extend(Items(Blob(&items))))
    }

    /// The value at `index`, if the list is so long.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn get(&self, index: usize) -> Result<Option<T>, ManagerError> {
        self.handle.ask_maybe(Op::At(index as u64))
    }

    /// Replaces the value at `index`.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] if the list is not so long; as [`Self::push`].
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

    /// Puts a value before that at `index`, or at the end if `index` is its length.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn insert(&self, index: usize, value: T) -> Result<(), ManagerError> {
        self.handle.tell(Op::InsertAt(index as u64, Blob(&self.handle.encode(&value)?)))
    }

    /// Takes the value at `index` out.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn remove(&self, index: usize) -> Result<T, ManagerError> {
        self.handle.ask_value(Op::RemoveAt(index as u64))
    }

    /// Takes the last value out, if there is one.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn pop(&self) -> Result<Option<T>, ManagerError> {
        self.handle.ask_maybe(Op::Pop)
    }

    /// How many there are.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn len(&self) -> Result<usize, ManagerError> {
        self.handle.ask_count(Op::Len)
    }

    /// Whether there are none.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn is_empty(&self) -> Result<bool, ManagerError> {
        Ok(self.len()? == 0)
    }

    /// All of them, as they were at one moment.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn to_vec(&self) -> Result<Vec<T>, ManagerError> {
        self.handle.ask_many(Op::All)
    }

    /// Removes all.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn clear(&self) -> Result<(), ManagerError> {
        self.handle.tell(Op::Clear)
    }
}
