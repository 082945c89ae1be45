//! Objects of the user's own types.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::wire::{Refusal, read};

/// A type whose objects live in a manager and are called by name.
///
/// The server has only those methods that [`Self::call`] knows; whatever else is asked for is refused. One call at a time; a panic is
/// told to the caller, and the object answers nothing any more.
///
/// What goes over the wire does not say its types: arguments of other types than the method's may be read as some of those, without an
/// error. Let one function of the program write both the name of a method and the types of its call.
///
/// ```
/// use pinring::multi::{Service, ServiceError, answer};
///
/// struct Account(i64);
///
/// impl Service for Account {
///     const NAME: &'static str = "account";
///     type Init = i64;
///
///     fn create(cents: i64) -> Result<Self, ServiceError> {
///         Ok(Self(cents))
///     }
///
///     fn call(&mut self, method: &str, args: &[u8]) -> Result<Vec<u8>, ServiceError> {
///         match method {
///             "deposit" => answer(args, |cents: i64| {
///                 self.0 += cents;
///                 Ok(self.0)
///             }),
///             "withdraw" => answer(args, |cents: i64| {
///                 if self.0 < cents {
///                     return Err(ServiceError::Failed(format!("only {} are left", self.0)));
///                 }
///                 self.0 -= cents;
///                 Ok(self.0)
///             }),
///             _ => Err(ServiceError::NoSuchMethod),
///         }
///     }
/// }
/// ```
pub trait Service: Send + Sized + 'static {
    /// What clients call it. The server finds the type by it.
    const NAME: &'static str;
    /// What a new object is made from.
    type Init: Serialize + DeserializeOwned;

    /// Makes a new object, in the server.
    ///
    /// # Errors
    /// Whatever makes it impossible; the client gets it.
    fn create(init: Self::Init) -> Result<Self, ServiceError>;

    /// Does `method` with `args`, in the server. See [`answer`].
    ///
    /// # Errors
    /// [`ServiceError::NoSuchMethod`] for a method it does not have; whatever makes it impossible. The client gets it.
    fn call(&mut self, method: &str, args: &[u8]) -> Result<Vec<u8>, ServiceError>;
}

/// Why an object of a [`Service`] has not done what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// It has no such method.
    #[error("there is no such method")]
    NoSuchMethod,
    /// The arguments are not those of this method.
    #[error("the arguments are not those of this method: {0}")]
    BadArguments(String),
    /// It failed, for this reason.
    #[error("{0}")]
    Failed(String),
}

/// Does a method: reads its arguments, does `body` with them, and writes what it returns. Several arguments are a tuple, none is `()`.
///
/// # Errors
/// [`ServiceError::BadArguments`] if `args` are no `A`, [`ServiceError::Failed`] if the result cannot be written, and those of `body`.
pub fn answer<A: DeserializeOwned, R: Serialize>(
    args: &[u8],
    body: impl FnOnce(A) -> Result<R, ServiceError>,
) -> Result<Vec<u8>, ServiceError> {
    let wanted = || ServiceError::BadArguments(format!("{} is wanted", std::any::type_name::<A>()));
    let result = body(read(args).ok_or_else(wanted)?)?;
    postcard::to_stdvec(&result).map_err(|error| ServiceError::Failed(format!("its result cannot be sent: {error}")))
}

/// An object of some service.
pub(super) type Called = Box<dyn FnMut(&str, &[u8]) -> Result<Vec<u8>, ServiceError> + Send>;

/// A service that a server knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registration {
    pub(super) name: &'static str,
    pub(super) create: fn(&[u8]) -> Result<Called, ServiceError>,
}

impl Registration {
    pub(super) fn of<S: Service>() -> Self {
        Self { name: S::NAME, create: create::<S> }
    }
}

fn create<S: Service>(init: &[u8]) -> Result<Called, ServiceError> {
    let wanted = || ServiceError::BadArguments(format!("{} is wanted", std::any::type_name::<S::Init>()));
    let mut object = S::create(read(init).ok_or_else(wanted)?)?;
    Ok(Box::new(move |method, args| object.call(method, args)))
}

impl Refusal {
    /// Why `method` was not done.
    pub(super) fn of(error: ServiceError, method: &str) -> Self {
        match error {
            ServiceError::NoSuchMethod => Self::NoMethod(method.to_owned()),
            ServiceError::BadArguments(why) => Self::BadArguments(why),
            ServiceError::Failed(why) => Self::Failed(why),
        }
    }
}
