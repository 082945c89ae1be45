//! What can go wrong with a manager.

use std::io;
use std::time::Duration;

use crate::multi::net::AcceptError;
use crate::process::SpawnError;

/// Why a manager has not done what was asked. Each says which object of which manager it is about.
///
/// ```
/// use std::time::Duration;
/// use pinring::multi::{Manager, ManagerError, RList};
///
/// let manager = Manager::start()?;
/// assert!(matches!(manager.list::<u8>()?.remove(3), Err(ManagerError::NotFound(_))));
/// let nothing = manager.queue::<u8>(1)?.get_timeout(Duration::ZERO);
/// assert!(matches!(nothing, Err(ManagerError::Timeout { .. })));
/// manager.publish("flag", &manager.event()?)?;
/// let error = manager.lookup::<RList<u8>>("flag").unwrap_err();
/// assert!(matches!(error, ManagerError::TypeMismatch { .. }), "{error}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagerError {
    /// There is no such object, name, key or place; the text says what and where.
    #[error("there is no {0}")]
    NotFound(String),
    /// The object or value has another type.
    #[error("{object} is a `{found}` and not a `{wanted}`")]
    TypeMismatch {
        /// Which.
        object: String,
        /// The type it has been created with.
        found: String,
        /// The type it was looked up as.
        wanted: String,
    },
    /// The keys differ.
    #[error("the manager at {address} has refused us, or we it: the keys differ; give both the same key")]
    Auth {
        /// Where.
        address: String,
    },
    /// The connection has broken while the server lives. Whether it has done what was asked is not known.
    #[error(
        "the connection to the manager at {address} has broken while {object} was asked: {reason}; it may or may not have done it"
    )]
    Disconnected {
        /// Where.
        address: String,
        /// What was asked.
        object: String,
        /// How it broke.
        reason: String,
    },
    /// The server has said nothing for so long, to this connection nor to a new one: it is stopped, or out of reach. It may have done what
    /// was asked, or do it when it goes on. See [`Manager::set_silence_limit`](super::Manager::set_silence_limit).
    #[error(
        "the manager at {address} has said nothing for {limit:?} while {object} was asked; is it stopped? It may or may not have done it"
    )]
    Silent {
        /// Where.
        address: String,
        /// What was asked.
        object: String,
        /// How long it might be silent.
        limit: Duration,
    },
    /// The server's process is no more, and what it held is lost. Another server at the same address is not it.
    #[error("the process of {object} is no more, and all that it held is lost")]
    ServerDied {
        /// Where it was.
        address: String,
        /// What was asked.
        object: String,
    },
    /// The time was over before the object could do it.
    #[error("{object} was not ready in time")]
    Timeout {
        /// Which.
        object: String,
    },
    /// The queue is closed (and empty, for who takes).
    #[error("{object} is closed")]
    Closed {
        /// Which.
        object: String,
    },
    /// A party of the barrier has died, given up or called `abort`.
    #[error("{object} is broken: a party has died or given up; `reset` makes it whole")]
    Broken {
        /// Which.
        object: String,
    },
    /// The request, or the answer, is longer than this manager allows.
    #[error(
        "{object}: a message of {len} bytes is more than the {max} this manager allows; see `ManagerBuilder::max_message`"
    )]
    TooLarge {
        /// Which.
        object: String,
        /// How long.
        len: u64,
        /// How long it may be.
        max: u64,
    },
    /// The request brings more items for a list or an array than this manager takes at a time.
    #[error(
        "{object}: {items} items in one request are more than the {max} this manager takes at a time; bring them in several, or see \
         `ManagerBuilder::max_message`"
    )]
    TooMany {
        /// Which.
        object: String,
        /// How many.
        items: u64,
        /// How many it may be.
        max: u64,
    },
    /// The server has refused or failed; the text says why.
    #[error("{0}")]
    Remote(String),
    /// A value cannot be made bytes, or bytes no value: its type has changed, or is one that postcard cannot carry.
    #[error("{object}: cannot turn a value into bytes or back: {reason}")]
    Codec {
        /// Which.
        object: String,
        /// What is wrong.
        reason: String,
    },
    /// The server's process could not be forked.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// There is no connection.
    #[error(transparent)]
    Connect(AcceptError),
    /// The system refused.
    #[error("the manager at {address}: {source}")]
    Io {
        /// Where it is, or was to be.
        address: String,
        /// What the system answered.
        source: io::Error,
    },
}
