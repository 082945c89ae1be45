//! What can go wrong between the ends of a lane.

use super::words::Corrupt;

/// The lane cannot be used (any more) by this end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The other end's words make no sense: its process has gone mad, or is of another kind. Nothing more is read from it.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// Another process that is alive uses this end.
    #[error("process {pid} uses the {end} of this ring; a ring has one of each")]
    InUse {
        /// Its pid.
        pid: u32,
        /// Which end.
        end: super::position::Peer,
    },
    /// The system would not let it sleep.
    #[error("cannot sleep until the other end of a ring rings: {0}")]
    Sleep(#[from] std::io::Error),
}

/// A message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PushError<T> {
    /// The ring is full.
    #[error("the ring is full")]
    Full(T),
    /// The consumer has closed its end: nobody will read it.
    #[error("the consumer has gone")]
    Closed(T),
    /// The lane cannot be used.
    #[error("{1}")]
    Fault(T, Fault),
}

/// There is no message.
#[derive(Debug, thiserror::Error)]
pub enum PopError {
    /// Not yet.
    #[error("the ring is empty")]
    Empty,
    /// The producer has closed its end, and everything was read.
    #[error("the producer has gone and the ring is empty")]
    Closed,
    /// The lane cannot be used.
    #[error(transparent)]
    Fault(#[from] Fault),
}
