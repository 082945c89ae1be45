//! Authenticated connections that carry messages of bytes: between processes, and between machines.
//!
//! A [`Listener`] waits at an [`Addr`]; [`connect()`] reaches it. Both ends prove that they have the same [`AuthKey`] before either
//! uses a byte of the other. What follows is neither encrypted nor signed: over a network that others share, lead it through a tunnel.

mod addr;
mod conn;
mod connect;
mod error;
mod frames;
mod handshake;
mod key;
mod listener;

pub use addr::{Addr, AddrError};
pub use conn::{BytesConn, MAX_MESSAGE};
pub use connect::{connect, connect_unauthenticated};
pub use error::{AcceptError, RecvBytesError, SendBytesError};
pub use handshake::HANDSHAKE_LIMIT;
pub use key::AuthKey;
pub use listener::{Incoming, Listener};
