//! Python's `multiprocessing`, without its faults.

mod manager;
mod net;

pub use net::{
    AcceptError, Addr, AddrError, AuthKey, BytesConn, HANDSHAKE_LIMIT, Incoming, Listener, MAX_MESSAGE, RecvBytesError,
    SendBytesError, connect, connect_unauthenticated,
};
