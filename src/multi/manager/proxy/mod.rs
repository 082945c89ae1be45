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
/// The object lives as long as a process has a proxy of it, or it has a [name](super::Manager::publish).
///
/// ```
/// use pinring::multi::{Manager, REvent};
///
/// let manager = Manager::start()?;
/// let event = manager.event()?;
/// manager.publish("started", &event)?;
/// event.set()?;
/// assert!(manager.lookup::<REvent>("started")?.is_set()?);
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

        impl $(<$($type),+>)? $crate::multi::manager::proxy::Proxy for $name $(<$($type),+>)? {}
    };
}

use proxy;
