//! Waiting for those who connect.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::time::Duration;

use super::addr::Addr;
use super::conn::BytesConn;
use super::connect::is_ours;
use super::error::AcceptError;
use super::handshake::{self, HANDSHAKE_LIMIT};
use super::key::AuthKey;
use crate::sys::unix_socket::{Listener as PathListener, SocketFile};
use crate::sys::{random, stream};

/// How often a new name in the temp directory is tried: each has 64 random bits, so a second try is a wonder.
const TRIES: u32 = 8;

/// Waits at an address for clients, which must prove that they have the key.
///
/// The file of a Unix socket is removed when it is dropped. In a forked child, let only one of the two drop it.
///
/// ```
/// use std::time::Duration;
/// use pinring::multi::{Addr, AuthKey, Listener, connect};
///
/// let key = AuthKey::random();
/// let listener = Listener::bind(&Addr::Auto, key.clone())?;
/// let address = listener.address();
/// let client = std::thread::spawn(move || {
///     let mut conn = connect(&address, &key, Duration::from_secs(5)).expect("a listener");
///     conn.send_bytes(b"hello").expect("a connection");
/// });
/// assert_eq!(listener.accept()?.recv_bytes(100)?, b"hello");
/// # client.join().unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: Addr,
    key: Option<AuthKey>,
    limit: Duration,
}

#[derive(Debug)]
enum Socket {
    Path(PathListener),
    Abstract(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    /// Listens at `address`. A Unix socket can be used by its owner only; one that a dead listener left is replaced.
    ///
    /// # Errors
    /// AddrInUse if somebody listens there, and what the system answered; both name the address.
    pub fn bind(address: &Addr, key: AuthKey) -> io::Result<Self> {
        let (socket, address) = open(address).map_err(|error| named(address, &error))?;
        Ok(Self { socket, address, key: Some(key), limit: HANDSHAKE_LIMIT })
    }

    /// Listens at `address` for the processes of this user, which the kernel names: no key is asked for, and a client may write and
    /// close before it is accepted. Clients use [`connect_unauthenticated`](super::connect_unauthenticated).
    ///
    /// # Errors
    /// As [`Self::bind`]; InvalidInput for TCP, where the kernel does not know who connects.
    pub fn bind_unauthenticated(address: &Addr) -> io::Result<Self> {
        if matches!(address, Addr::Tcp(_)) {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "only a Unix socket does without a key");
            return Err(named(address, &error));
        }
        let (socket, address) = open(address).map_err(|error| named(address, &error))?;
        Ok(Self { socket, address, key: None, limit: HANDSHAKE_LIMIT })
    }

    /// Gives a client `limit` instead of [`HANDSHAKE_LIMIT`] to prove its key.
    #[must_use]
    pub fn handshake_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Waits for the next client and for its proof.
    ///
    /// A client that stays silent delays the others by the handshake's limit, no longer. Whoever wants no delay at all takes
    /// [`Self::accept_raw`] and does [`Incoming::handshake`] in a thread.
    ///
    /// # Errors
    /// If this client was refused or hung up: accept again, the next one may be better. [`AcceptError::Io`] if the system refused.
    pub fn accept(&self) -> Result<BytesConn, AcceptError> {
        self.accept_raw()?.handshake()
    }

    /// Waits for the next client, which has proved nothing yet.
    ///
    /// # Errors
    /// [`AcceptError::Io`]: what accept(2) answered.
    pub fn accept_raw(&self) -> Result<Incoming, AcceptError> {
        loop {
            stream::wait_readable(self.as_fd(), None).map_err(|error| self.failed(error))?;
            if let Some(incoming) = self.try_accept_raw()? {
                return Ok(incoming);
            }
        }
    }

    /// As [`Self::accept_raw`], without waiting.
    ///
    /// # Errors
    /// As [`Self::accept_raw`].
    pub fn try_accept_raw(&self) -> Result<Option<Incoming>, AcceptError> {
        let next = self.next().map_err(|error| self.failed(error))?;
        Ok(next.map(|(fd, peer)| Incoming { fd, peer, key: self.key.clone(), limit: self.limit }))
    }

    fn failed(&self, source: io::Error) -> AcceptError {
        AcceptError::Io { peer: format!("a client at {}", self.address), source }
    }

    /// The next client, if one waits.
    fn next(&self) -> io::Result<Option<(OwnedFd, String)>> {
        let client = match &self.socket {
            Socket::Path(listener) => {
                let Some(client) = listener.accept()? else { return Ok(None) };
                let fd = OwnedFd::from(client);
                // It waits from now on: only the listener must not, whose client may have gone before it is accepted.
                let stream = std::os::unix::net::UnixStream::from(fd);
                stream.set_nonblocking(false).map(|()| (stream.into(), format!("a client at {}", self.address)))
            }
            Socket::Abstract(listener) => {
                listener.accept().map(|(client, _)| (client.into(), format!("a client at {}", self.address)))
            }
            Socket::Tcp(listener) => listener.accept().and_then(|(client, from)| {
                stream::prepare_tcp(&client)?;
                Ok((client.into(), format!("the client {from} at {}", self.address)))
            }),
        };
        match client {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted) => {
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// Where it listens: the real port and the real path.
    pub fn address(&self) -> Addr {
        self.address.clone()
    }

    /// Closes this process's copy, as after a fork that has given the listener to a child; with the file, if it has one, which the
    /// child removes when it ends by itself.
    pub(in crate::multi) fn leave_to_child(self) -> Option<SocketFile> {
        match self.socket {
            Socket::Path(listener) => Some(listener.into_file()),
            Socket::Abstract(_) | Socket::Tcp(_) => None,
        }
    }
}

impl AsFd for Listener {
    /// Readable when a client waits.
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Path(listener) => listener.as_fd(),
            Socket::Abstract(listener) => listener.as_fd(),
            Socket::Tcp(listener) => listener.as_fd(),
        }
    }
}

/// A client that has connected and has proved nothing yet. Dropped, it is hung up on.
///
/// ```
/// use std::time::Duration;
/// use pinring::multi::{Addr, AuthKey, Listener, connect};
///
/// let key = AuthKey::random();
/// let listener = Listener::bind(&Addr::Auto, key.clone())?;
/// let address = listener.address();
/// let client = std::thread::spawn(move || connect(&address, &key, Duration::from_secs(5)).is_ok());
/// // One that is slow to prove its key keeps nobody else waiting.
/// let incoming = listener.accept_raw()?;
/// let server = std::thread::spawn(move || incoming.handshake().is_ok());
/// assert!(server.join().unwrap() && client.join().unwrap());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Incoming {
    fd: OwnedFd,
    peer: String,
    key: Option<AuthKey>,
    limit: Duration,
}

impl Incoming {
    /// Has the client prove its key, or asks the kernel for its user. Takes as long as the listener's handshake limit at most.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn handshake(self) -> Result<BytesConn, AcceptError> {
        match &self.key {
            Some(key) => handshake::admit(&self.fd, &self.peer, key, self.limit)?,
            None => {
                let ours = is_ours(&self.fd).map_err(|source| AcceptError::Io { peer: self.peer.clone(), source })?;
                if !ours {
                    return Err(AcceptError::Auth { peer: self.peer });
                }
            }
        }
        Ok(BytesConn::new(self.fd))
    }
}

fn open(address: &Addr) -> io::Result<(Socket, Addr)> {
    Ok(match address {
        Addr::Auto => {
            let (listener, path) = open_anywhere()?;
            (Socket::Path(listener), Addr::Unix(path))
        }
        Addr::Unix(path) => (Socket::Path(PathListener::bind(path, None)?), address.clone()),
        Addr::Abstract(name) => {
            let listener = UnixListener::bind_addr(&UnixAddress::from_abstract_name(name)?)?;
            listener.set_nonblocking(true)?;
            (Socket::Abstract(listener), address.clone())
        }
        Addr::Tcp(wanted) => {
            // The standard library sets SO_REUSEADDR: a server may start again at once where it has just ended.
            let listener = TcpListener::bind(wanted)?;
            listener.set_nonblocking(true)?;
            let real = listener.local_addr()?;
            (Socket::Tcp(listener), Addr::Tcp(real))
        }
    })
}

fn open_anywhere() -> io::Result<(PathListener, std::path::PathBuf)> {
    let mut tries = 0;
    loop {
        let mut number = [0; 8];
        random::fill(&mut number)?;
        let path = std::env::temp_dir().join(format!("pinring-{:016x}.sock", u64::from_ne_bytes(number)));
        match PathListener::bind(&path, None) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < TRIES => tries += 1,
            other => return other.map(|listener| (listener, path)),
        }
    }
}

fn named(address: &Addr, error: &io::Error) -> io::Error {
    let place = match address {
        Addr::Auto => format!("a new path in {}", std::env::temp_dir().display()),
        address => address.to_string(),
    };
    let hint = match error.kind() {
        io::ErrorKind::AlreadyExists => ": a file is there that is no socket; move it away, or listen elsewhere",
        _ => "",
    };
    io::Error::new(error.kind(), format!("cannot listen at {place}: {error}{hint}"))
}
