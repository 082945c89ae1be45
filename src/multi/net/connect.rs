//! Reaching a listener.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::addr::Addr;
use super::conn::BytesConn;
use super::error::AcceptError;
use super::handshake;
use super::key::AuthKey;
use crate::sys::unix_socket;
use crate::sys::{fork, stream};

/// Connects to the listener at `address` and proves to it, as it does to us, that both have `key`; all within `limit`.
///
/// # Errors
/// [`AcceptError::Auth`] if the keys differ, [`AcceptError::HandshakeTimeout`] if the listener does not answer,
/// [`AcceptError::Protocol`] if it is something else, [`AcceptError::Io`] with ConnectionRefused or NotFound if nobody listens.
pub fn connect(address: &Addr, key: &AuthKey, limit: Duration) -> Result<BytesConn, AcceptError> {
    let begin = Instant::now();
    let peer = address.to_string();
    let fd = reach(address, limit).map_err(|error| failed(address, limit, error))?;
    handshake::introduce(&fd, &peer, key, limit.saturating_sub(begin.elapsed()))?;
    Ok(BytesConn::new(fd))
}

/// Connects, within `limit`, to a listener that asks for no key, and whose process belongs to our user. Messages may be sent before it
/// accepts.
///
/// # Errors
/// As [`connect`]; [`AcceptError::Auth`] if it belongs to another user, and [`AcceptError::Io`] with InvalidInput for TCP.
pub fn connect_unauthenticated(address: &Addr, limit: Duration) -> Result<BytesConn, AcceptError> {
    let failed = |error| failed(address, limit, error);
    if matches!(address, Addr::Tcp(_)) {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "only a Unix socket does without a key")));
    }
    let fd = reach(address, limit).map_err(failed)?;
    if !is_ours(&fd).map_err(failed)? {
        return Err(AcceptError::Auth { peer: address.to_string() });
    }
    Ok(BytesConn::new(fd))
}

/// Whether the process at the other end of a Unix socket belongs to our user.
pub(super) fn is_ours(fd: &impl AsFd) -> io::Result<bool> {
    Ok(unix_socket::peer_of(fd)?.uid == fork::own_uid())
}

fn failed(address: &Addr, limit: Duration, error: io::Error) -> AcceptError {
    let peer = address.to_string();
    match error.kind() {
        // Its queue of clients stayed full.
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AcceptError::HandshakeTimeout { peer, limit },
        _ => AcceptError::Io { peer, source: error },
    }
}

fn reach(address: &Addr, limit: Duration) -> io::Result<OwnedFd> {
    // Zero would mean for ever to the kernel, and is an error to the standard library.
    let limit = limit.max(Duration::from_millis(1));
    let unix = match address {
        Addr::Auto => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "`auto` is for listeners; ask one for its address",
            ));
        }
        Addr::Tcp(address) => return reach_tcp(address, limit),
        Addr::Unix(path) => unix_socket::connect(path, Some(limit))?,
        Addr::Abstract(name) => unix_socket::connect_abstract(name.as_bytes(), Some(limit))?,
    };
    unix.set_write_timeout(None)?;
    Ok(unix.into())
}

fn reach_tcp(address: &SocketAddr, limit: Duration) -> io::Result<OwnedFd> {
    let tcp = TcpStream::connect_timeout(address, limit)?;
    // Where nobody listens, a client whose own port happens to be the one it asks for is connected with itself.
    if tcp.local_addr()? == tcp.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    stream::prepare_tcp(&tcp)?;
    Ok(tcp.into())
}
