//! A dict.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use super::super::client::Handle;
use super::super::client::value;
use super::super::error::ManagerError;
use super::super::wire::{Blob, Op, Reply};
use super::{Wire, proxy};

/// A dict that several processes change. What one gets out of it is a copy.
///
/// Two keys are the same if serde writes the same bytes for them: a type that writes equal keys differently (a hash map, a float
/// with two zeros) is no good key.
///
/// ```
/// use pinring::multi::Manager;
///
/// let manager = Manager::start()?;
/// let dict = manager.dict::<String, i64>()?;
/// let key = "count".to_owned();
/// dict.insert(key.clone(), 1)?;
/// // No other process comes between the reading and the writing.
/// dict.update(&key, |count| Some(count.unwrap_or(0) + 1))?;
/// assert_eq!(dict.at(&key)?, 2);
/// assert!(!dict.compare_exchange(&key, Some(&1), Some(5))?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RDict<K, V> {
    handle: Arc<Handle>,
    of: PhantomData<fn() -> (K, V)>,
}

proxy!(RDict<K, V>, "dict");

#[allow(clippy::needless_pass_by_value, reason = "as with a dict of one's own, the caller is done with what goes in")]
impl<K: Wire + Ord, V: Wire> RDict<K, V> {
    /// Puts a value under `key` and returns what was there.
    ///
    /// # Errors
    /// If the server is not to be reached.
    pub fn insert(&self, key: K, value: V) -> Result<Option<V>, ManagerError> {
        let (key, value) = (self.handle.encode(&key)?, self.handle.encode(&value)?);
        self.handle.ask_maybe(Op::Insert(Blob(&key), Blob(&value)))
    }

    /// The value under `key`, if there is one.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn get(&self, key: &K) -> Result<Option<V>, ManagerError> {
        self.handle.ask_maybe(Op::Find(Blob(&self.handle.encode(key)?)))
    }

    /// The value under `key`, which must be there: Python's `d[key]`.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] if it is not; as [`Self::insert`].
    pub fn at(&self, key: &K) -> Result<V, ManagerError>
    where
        K: std::fmt::Debug,
    {
        let missing =
            || ManagerError::NotFound(format!("key {key:?} in {}", self.handle.client().name(self.handle.target())));
        self.get(key)?.ok_or_else(missing)
    }

    /// Takes out what is under `key` and returns it.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn remove(&self, key: &K) -> Result<Option<V>, ManagerError> {
        self.handle.ask_maybe(Op::Remove(Blob(&self.handle.encode(key)?)))
    }

    /// Whether there is something under `key`.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn contains(&self, key: &K) -> Result<bool, ManagerError> {
        self.handle.ask_flag(Op::Contains(Blob(&self.handle.encode(key)?)))
    }

    /// Puts `new` under `key` (`None`: takes it out) if `old` is there (`None`: nothing); whether it was. This is what Python's
    /// `d[key] = d[key] + 1` lacks.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn compare_exchange(&self, key: &K, old: Option<&V>, new: Option<V>) -> Result<bool, ManagerError> {
        let encode = |value: &V| self.handle.encode(value);
        let (key, old) = (self.handle.encode(key)?, old.map(encode).transpose()?);
        let new = new.as_ref().map(encode).transpose()?;
        self.exchange_bytes(&key, old.as_deref(), new.as_deref())
    }

    /// Replaces what is under `key` by what `change` makes of it, and returns that; `None` is nothing. No change by another process
    /// in between is lost: then `change` is called again.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = pinring::multi::Manager::start()?;
    /// let counts = manager.dict::<String, u64>()?;
    /// counts.update(&"x".into(), |count| Some(count.unwrap_or(0) + 1))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn update(&self, key: &K, mut change: impl FnMut(Option<V>) -> Option<V>) -> Result<Option<V>, ManagerError> {
        let key = self.handle.encode(key)?;
        loop {
            let old = self.handle.ask_maybe_bytes(Op::Find(Blob(&key)))?;
            let value = change(old.as_deref().map(|old| self.handle.decode(old)).transpose()?);
            let new = value.as_ref().map(|value| self.handle.encode(value)).transpose()?;
            if self.exchange_bytes(&key, old.as_deref(), new.as_deref())? {
                return Ok(value);
            }
        }
    }

    fn exchange_bytes(&self, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool, ManagerError> {
        self.handle.ask_flag(Op::CompareExchange { key: Blob(key), old: old.map(Blob), new: new.map(Blob) })
    }

    /// How many keys there are.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn len(&self) -> Result<usize, ManagerError> {
        self.handle.ask_count(Op::Len)
    }

    /// Whether there are none.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn is_empty(&self) -> Result<bool, ManagerError> {
        Ok(self.len()? == 0)
    }

    /// All keys, in order, as they were at one moment.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn keys(&self) -> Result<Vec<K>, ManagerError> {
        let mut keys = self.handle.ask_many(Op::Keys)?;
        keys.sort();
        Ok(keys)
    }

    /// All of it, as it was at one moment.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn to_map(&self) -> Result<BTreeMap<K, V>, ManagerError> {
        self.handle.ask(Op::Pairs, |reply| match reply {
            Reply::Pairs(pairs) => pairs.into_iter().map(|(key, one)| Some((value(key)?, value(one)?))).collect(),
            _ => None,
        })
    }

    /// Removes all.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn clear(&self) -> Result<(), ManagerError> {
        self.handle.tell(Op::Clear)
    }
}
