//! An object of the user's type.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::client::Handle;
use super::super::error::ManagerError;
use super::super::wire::{Blob, Op};
use super::proxy;

/// A proxy of an object of a [`Service`](super::super::Service).
///
/// ```
/// use pinring::multi::{Manager, Service, ServiceError, answer};
///
/// struct Counter(u64);
///
/// impl Service for Counter {
///     const NAME: &'static str = "counter";
///     type Init = u64;
///
///     fn create(first: u64) -> Result<Self, ServiceError> {
///         Ok(Self(first))
///     }
///
///     fn call(&mut self, method: &str, args: &[u8]) -> Result<Vec<u8>, ServiceError> {
///         match method {
///             "add" => answer(args, |n: u64| {
///                 self.0 += n;
///                 Ok(self.0)
///             }),
///             _ => Err(ServiceError::NoSuchMethod),
///         }
///     }
/// }
///
/// let manager = Manager::builder().register::<Counter>().start()?;
/// let counter = manager.service::<Counter>(&40)?;
/// assert_eq!(counter.call::<u64, u64>("add", &2)?, 42);
/// assert!(counter.call::<(), ()>("reset", &()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RService<S> {
    handle: Arc<Handle>,
    of: PhantomData<fn() -> (S,)>,
}

proxy!(RService<S>, "service");

impl<S> RService<S> {
    /// Has the object do `method` with `args` (several are a tuple, none is `()`), and returns its result.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] if it has no such method, [`ManagerError::Remote`] if it refuses the arguments, fails or panics,
    /// [`ManagerError::Codec`] if the result is no `R`; if the server is not to be reached.
    pub fn call<A: Serialize, R: DeserializeOwned>(&self, method: &str, args: &A) -> Result<R, ManagerError> {
        self.handle.ask_value(Op::Call { method, args: Blob(&self.handle.encode(args)?) })
    }
}
