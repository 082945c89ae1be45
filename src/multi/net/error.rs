//! What can go wrong between two ends.

use std::io;
use std::time::Duration;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The two ends have different keys, or the peer belongs to another user where users are asked for.
    #[error(
        "{peer} is refused: the keys of the two ends differ, or it belongs to another user; give both the same key"
    )]
    Auth {
        /// Who was refused, or has refused us.
        peer: String,
    },
    /// The peer was silent, or slow.
    #[error("{peer} has not proved its key within {limit:.1?}; is it a listener of this crate, and with a key?")]
    HandshakeTimeout {
        /// Who.
        peer: String,
        /// How long it had.
        limit: Duration,
    },
    /// The peer hung up before it was accepted.
    #[error("{peer} hung up before the connection was made")]
    Closed {
        /// Who.
        peer: String,
    },
    /// The peer talks about something else, or is of another version.
    #[error("{peer} does not speak version {version} of this protocol; are both ends of the same release?")]
    Protocol {
        /// Who.
        peer: String,
        /// The version spoken here.
        version: u8,
    },
    /// The system refused.
    #[error("no connection with {peer}: {source}")]
    Io {
        /// Who.
        peer: String,
        /// What it answered.
        source: io::Error,
    },
}

/// Why nothing was received.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecvBytesError {
    /// The peer has closed its end, and all it sent has been received.
    #[error("the peer has closed the connection, and all it sent has been received")]
    Eof,
    /// The peer ended in the middle of a message.
    #[error("the peer ended after {got} bytes of a message; what it meant is lost")]
    Truncated {
        /// How many bytes of it have come, its length not counted.
        got: usize,
    },
    /// The message is longer than the receiver wants. The half that reads is closed for good; the other still works.
    #[error(
        "a message of {len} bytes has come where at most {max} are wanted; nothing more is received from this connection"
    )]
    TooLong {
        /// How long it is.
        len: usize,
        /// How long it might have been.
        max: usize,
    },
    /// The message does not fit the buffer; here it is. The next one is received as usual.
    #[error("a message of {} bytes does not fit the buffer; take it from the error", .0.len())]
    BufferTooShort(Vec<u8>),
    /// A message that was too long has closed the half that reads.
    #[error("nothing more is received from this connection: an earlier message was too long")]
    ReadClosed,
    /// The system refused.
    #[error("cannot receive: {0}")]
    Io(#[source] io::Error),
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendBytesError {
    /// The message is longer than any may be; nothing of it was sent.
    #[error("a message of {len} bytes is too long; at most {max} go at once")]
    TooLong {
        /// How long it is.
        len: usize,
        /// How long it may be: [`MAX_MESSAGE`](super::MAX_MESSAGE).
        max: usize,
    },
    /// The peer has closed its end.
    #[error("the peer has closed the connection")]
    Closed,
    /// The system refused. Part of the message may have been sent, so nothing can be sent any more.
    #[error("cannot send: {0}")]
    Io(#[source] io::Error),
}
