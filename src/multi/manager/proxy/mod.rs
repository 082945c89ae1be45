//! The typed ends of objects: each call is one request and one answer.

mod array;
mod barrier;
mod dict;
mod event;
mod list;
mod lock;
mod namespace;
mod queue;
mod semaphore;
mod service;
mod value;

pub use array::RArray;
pub use barrier::RBarrier;
pub use dict::RDict;
pub use event::REvent;
pub use list::RList;
pub use lock::{RLock, RLockGuard};
pub use namespace::RNamespace;
pub use queue::RQueue;
pub use semaphore::{RPermit, RSemaphore};
pub use service::RService;
pub use value::RValue;

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::client::Handle;

/// A value that a manager can hold: anything of one's own that serde knows. Implemented for all of those.
///
/// ```
/// use pinring::multi::Wire;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Reading {
///     port: String,
///     volts: f64,
/// }
/// fn can_be_held<T: Wire>() {}
/// can_be_held::<Vec<Reading>>();
/// ```
pub trait Wire: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Wire for T {}

/// A proxy of an object in a manager. Its clones are proxies of the same object.
///
/// The object lives as long as a process has a proxy of it, or it has a [name](super::Manager::publish). One that the work of a
/// [`Process::spawn`](crate::multi::Process::spawn) has captured stays this process's, too, until it ends.
///
/// A proxy is a [`Message`](crate::multi::Message): a queue, a pipe or a task can bring it to another process of this program, which asks
/// the server for it when it receives it. It is of no use there ([`DecodeError`](crate::multi::DecodeError)) if the object is no more by
/// then: whoever sends it keeps a clone till then, as in Python. In a message the key goes along, through memory that this program's
/// processes share and nobody else can open.
///
/// ```
/// use pinring::multi::{Manager, REvent};
///
/// let manager = Manager::start()?;
/// let event = manager.event()?;
/// manager.publish("started", &event)?;
/// event.set()?;
/// assert!(manager.lookup::<REvent>("started")?.is_set()?);
/// // A worker, which was there before, gets it as the argument of a task.
/// let pool = pinring::multi::Pool::with_processes(1)?;
/// assert!(pool.apply(|event: REvent| event.is_set().unwrap(), event.clone())?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Proxy: Sealed + Clone {}

/// What only this crate can implement.
pub trait Sealed: Sized {
    /// What errors call the object.
    #[doc(hidden)]
    const KIND: &'static str;

    #[doc(hidden)]
    #[allow(private_interfaces, reason = "nobody outside can name the trait")]
    fn from_handle(handle: Arc<Handle>) -> Self;

    #[doc(hidden)]
    #[allow(private_interfaces, reason = "nobody outside can name the trait")]
    fn handle(&self) -> &Arc<Handle>;
}

/// Makes a struct with a handle a proxy.
macro_rules! proxy {
    ($name:ident $(<$($type:ident),+>)?, $kind:literal) => {
        impl $(<$($type),+>)? Clone for $name $(<$($type),+>)? {
            fn clone(&self) -> Self {
                $crate::multi::manager::proxy::Sealed::from_handle(std::sync::Arc::clone(&self.handle))
            }
        }

        impl $(<$($type),+>)? std::fmt::Debug for $name $(<$($type),+>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.handle.client().name(self.handle.target()))
            }
        }

        impl $(<$($type),+>)? $crate::multi::manager::proxy::Sealed for $name $(<$($type),+>)? {
            const KIND: &'static str = $kind;

            #[allow(private_interfaces, reason = "nobody outside can name the trait")]
            fn from_handle(handle: std::sync::Arc<$crate::multi::manager::client::Handle>) -> Self {
                Self { handle, $(of: std::marker::PhantomData::<fn() -> ($($type,)+)>)? }
            }

            #[allow(private_interfaces, reason = "nobody outside can name the trait")]
            fn handle(&self) -> &std::sync::Arc<$crate::multi::manager::client::Handle> {
                &self.handle
            }
        }

        impl $(<$($type: 'static),+>)? $crate::multi::message::Message for $name $(<$($type),+>)? {
            const SLOT: usize = $crate::multi::manager::client::passport::SLOT;

            fn encode(
                &self,
                out: &mut $crate::multi::message::Writer<'_>,
            ) -> Result<(), $crate::multi::error::TooLarge> {
                $crate::multi::manager::client::passport::write(&self.handle, out)
            }

            fn decode(
                from: &mut $crate::multi::message::Reader<'_>,
            ) -> Result<Self, $crate::multi::error::DecodeError> {
                $crate::multi::manager::client::passport::read(from)
            }
        }

        impl $(<$($type),+>)? $crate::multi::manager::proxy::Proxy for $name $(<$($type),+>)? {}
    };
}

use proxy;
