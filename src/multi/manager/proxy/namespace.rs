//! A namespace.

use std::any::type_name;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::client::Handle;
use super::super::error::ManagerError;
use super::super::wire::{Blob, Op, Reply, read};
use super::{Wire, proxy};

/// Values of any types, each under a name.
///
/// ```
/// use pinring::multi::Manager;
///
/// let manager = Manager::start()?;
/// let settings = manager.namespace()?;
/// settings.set("rate", 9600u32)?;
/// settings.set("port", "ttyS0".to_owned())?;
/// assert_eq!(settings.get::<u32>("rate")?, Some(9600));
/// assert_eq!(settings.names()?, ["port", "rate"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RNamespace {
    handle: Arc<Handle>,
}

proxy!(RNamespace, "namespace");

/// A value, and the name its type has in the program that set it.
#[derive(Serialize, Deserialize)]
struct Typed<'a> {
    type_name: &'a str,
    #[serde(borrow)]
    value: Blob<'a>,
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "as with a namespace of one's own, the caller is done with what goes in"
)]
impl RNamespace {
    /// Sets `name` to a value of any type.
    ///
    /// # Errors
    /// If the server is not to be reached.
    pub fn set<T: Wire>(&self, name: &str, value: T) -> Result<(), ManagerError> {
        let value = self.handle.encode(&value)?;
        let typed = self.handle.encode(&Typed { type_name: type_name::<T>(), value: Blob(&value) })?;
        self.handle.tell(Op::Insert(Blob(name.as_bytes()), Blob(&typed)))
    }

    /// The value of `name`, if it has one.
    ///
    /// # Errors
    /// [`ManagerError::TypeMismatch`] if it is of another type; as [`Self::set`].
    pub fn get<T: Wire>(&self, name: &str) -> Result<Option<T>, ManagerError> {
        let Some(bytes) = self.handle.ask_maybe_bytes(Op::Find(Blob(name.as_bytes())))? else { return Ok(None) };
        // Not `decode`: a borrowed text is no owned value.
        let typed: Option<Typed<'_>> = read(&bytes);
        match typed {
            Some(typed) if typed.type_name == type_name::<T>() => self.handle.decode(typed.value.0).map(Some),
            other => Err(ManagerError::TypeMismatch {
                object: format!("`{name}` in {}", self.handle.client().name(self.handle.target())),
                found: other.map_or_else(|| "something else".to_owned(), |typed| typed.type_name.to_owned()),
                wanted: type_name::<T>().to_owned(),
            }),
        }
    }

    /// Removes `name`; whether it had a value.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn remove(&self, name: &str) -> Result<bool, ManagerError> {
        Ok(self.handle.ask_maybe_bytes(Op::Remove(Blob(name.as_bytes())))?.is_some())
    }

    /// All names, in order.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn names(&self) -> Result<Vec<String>, ManagerError> {
        let mut names = self.handle.ask(Op::Keys, |reply| match reply {
            Reply::Many(all) => {
                all.into_iter().map(|name| String::from_utf8(name.0.to_vec()).ok()).collect::<Option<Vec<_>>>()
            }
            _ => None,
        })?;
        names.sort();
        Ok(names)
    }
}
