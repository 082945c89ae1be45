//! Stream sockets with a name in the file system: who listens, who connects, and who that is.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fd::or_nothing;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, getsockopt, listen, socket, sockopt,
};
use nix::sys::stat::{FchmodatFlags, Mode, fchmod, fchmodat};
use nix::unistd::{Group, chown};

/// Who is at the other end of a socket (SO_PEERCRED).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its process when it connected.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// A listening socket. Its file is removed when it is dropped, unless somebody has put another there.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    file: SocketFile,
}

/// The name of a socket in the file system. The file is removed when this is dropped, unless somebody has put another there.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64, i64, i64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }

    /// Leaves the file where it is.
    pub fn keep(mut self) {
        // Its drop finds no such file.
        self.path = PathBuf::new();
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // Whoever finds it later will find nobody listening.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The time, too: inodes are used again.
fn identity(path: &Path) -> io::Result<(u64, u64, i64, i64)> {
    let meta = std::fs::symlink_metadata(path)?;
    Ok((meta.dev(), meta.ino(), meta.mtime(), meta.mtime_nsec()))
}

/// A backlog that neither people nor the processes of one program fill.
const BACKLOG: i32 = 128;
/// How often, with a pause of a millisecond, the lock on a folder is asked for.
const LOCK_TRIES: u32 = 1000;

impl Listener {
    /// Listens at `path`, which only its owner may use, or besides the members of `group`. A file left by a dead listener is replaced.
    /// Of several that try at once, one does. May take a second if others are at it.
    ///
    /// # Errors
    /// AddrInUse if somebody listens there (the message says which process), AlreadyExists if there is a file that is no socket,
    /// NotFound for an unknown group, and what the system answered.
    pub fn bind(path: &Path, group: Option<&str>) -> io::Result<Self> {
        let gid = group.map(|name| Group::from_name(name)?.map(|group| group.gid).ok_or(Errno::ENOENT)).transpose()?;
        let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
        // The file gets the mode of the socket: it is never more open than asked, not even for a moment. A umask would do the same,
        // but to every thread.
        fchmod(&fd, Mode::from_bits_truncate(0o600))?;
        // Until it listens, another that starts now would take it for dead.
        let lock = lock_folder_of(path);
        make_room(path)?;
        bind(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
        let meta = std::fs::symlink_metadata(path)?;
        // From here on its drop removes the file.
        let listener = Self { fd, file: SocketFile::of(path)? };
        // A umask has taken bits off.
        let mode = if gid.is_some() { 0o660 } else { 0o600 };
        // A service may not chown at all; as one of that group it need not.
        if gid.is_some_and(|gid| gid.as_raw() != meta.gid()) {
            chown(path, None, gid)?;
        }
        fchmodat(nix::fcntl::AT_FDCWD, path, Mode::from_bits_truncate(mode), FchmodatFlags::FollowSymlink)?;
        listen(&listener.fd, Backlog::new(BACKLOG)?)?;
        drop(lock);
        Ok(listener)
    }

    /// The next client, non-blocking, if one waits.
    ///
    /// # Errors
    /// What accept4(2) answered.
    pub fn accept(&self) -> io::Result<Option<Stream>> {
        match accept4(self.fd.as_raw_fd(), SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK) {
            // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
            Ok(fd) => Ok(Some(Stream(unsafe { OwnedFd::from_raw_fd(fd) }))),
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNABORTED) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Closes it and gives away its file: another process has the same socket and listens on.
    pub fn into_file(self) -> SocketFile {
        self.file
    }
}

/// Keeps others that bind in the same folder waiting until it is dropped. Best effort: it is for equals that start at the same
/// time; who may not have the lock, or on whose file system there is none, goes on without.
fn lock_folder_of(path: &Path) -> Option<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = File::open(folder).ok()?;
    for _ in 0..LOCK_TRIES {
        match super::lock::try_exclusive(folder.as_fd()) {
            Ok(()) => return Some(folder),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(1)),
            Err(_) => return None,
        }
    }
    None
}

/// Removes what a dead listener left at `path`.
fn make_room(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(meta) if !meta.file_type().is_socket() => return Err(io::ErrorKind::AlreadyExists.into()),
        Ok(_) => {}
    }
    let message = match connect(path, None) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return std::fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // Its backlog is full, or it is not for us: alive in any case.
        Err(_) => "somebody listens there".into(),
        Ok(stream) => match peer_of(&stream) {
            // 0: it is in a pid namespace that we do not see.
            Ok(peer) if peer.pid != 0 => format!("process {} listens there", peer.pid),
            _ => "somebody listens there".into(),
        },
    };
    Err(io::Error::new(io::ErrorKind::AddrInUse, message))
}

/// Connects to who listens at `path`, whose queue may be full for as long as `patience`; without any it does not wait. The stream
/// blocks, for as long as `patience` when it writes.
///
/// # Errors
/// ConnectionRefused or NotFound if nobody listens, PermissionDenied if it is not for us, WouldBlock if the queue stays full.
pub fn connect(path: &Path, patience: Option<Duration>) -> io::Result<UnixStream> {
    connect_to(&UnixAddr::new(path)?, patience)
}

/// As [`connect`], to a name in the abstract namespace, which no file stands for.
///
/// # Errors
/// As [`connect`].
pub fn connect_abstract(name: &[u8], patience: Option<Duration>) -> io::Result<UnixStream> {
    connect_to(&UnixAddr::new_abstract(name)?, patience)
}

fn connect_to(address: &UnixAddr, patience: Option<Duration>) -> io::Result<UnixStream> {
    let waits = patience.is_some();
    let flags = if waits { SockFlag::SOCK_CLOEXEC } else { SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK };
    let stream = UnixStream::from(socket(AddressFamily::Unix, SockType::Stream, flags, None)?);
    // The kernel has connect(2) wait for as long as a write.
    stream.set_write_timeout(patience)?;
    let connected = loop {
        match nix::sys::socket::connect(stream.as_raw_fd(), address) {
            Err(Errno::EINTR) => {}
            other => break other,
        }
    };
    connected?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Who is at the other end of `fd`.
///
/// # Errors
/// What getsockopt(2) answered.
pub fn peer_of(fd: &impl AsFd) -> io::Result<Peer> {
    let credentials = getsockopt(fd, sockopt::PeerCredentials)?;
    Ok(Peer { pid: credentials.pid(), uid: credentials.uid(), gid: credentials.gid() })
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// An accepted client, non-blocking.
#[derive(Debug)]
pub struct Stream(OwnedFd);

impl Stream {
    /// Who it is.
    ///
    /// # Errors
    /// What getsockopt(2) answered.
    pub fn peer(&self) -> io::Result<Peer> {
        peer_of(&self.0)
    }

    /// Reads what is there; `None`: nothing yet; 0: the client has closed its end.
    ///
    /// # Errors
    /// What read(2) answered.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        or_nothing(nix::unistd::read(&self.0, buffer))
    }

    /// Writes what it takes now; `None`: nothing.
    ///
    /// # Errors
    /// What send(2) answered.
    pub fn write(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        use nix::sys::socket::{MsgFlags, send};
        or_nothing(send(self.0.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL))
    }
}

impl From<Stream> for OwnedFd {
    fn from(stream: Stream) -> Self {
        stream.0
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether a name is short enough for a socket (sun_path holds 108 bytes).
pub fn fits(path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).is_ok_and(|name| name.as_bytes_with_nul().len() <= 108)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_dead_listener_is_replaced_and_a_living_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sock");
        let first = Listener::bind(&path, None).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = Listener::bind(&path, None).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(refused.to_string(), format!("process {} listens there", crate::sys::fork::own_pid()));
        drop(first);
        assert!(!path.exists());
        let address = UnixAddr::new(&path).unwrap();
        let dead = socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None).unwrap();
        bind(dead.as_raw_fd(), &address).unwrap();
        drop(dead);
        Listener::bind(&path, None).unwrap();
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.csv");
        std::fs::write(&path, "precious").unwrap();
        assert_eq!(Listener::bind(&path, None).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        assert_eq!(
            Listener::bind(&dir.path().join("g"), Some("no-such-group")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn a_client_is_known_by_its_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sock");
        let listener = Listener::bind(&path, None).unwrap();
        assert!(listener.accept().unwrap().is_none());
        let _client = UnixStream::connect(&path).unwrap();
        let peer = listener.accept().unwrap().unwrap().peer().unwrap();
        assert_eq!(peer.pid, crate::sys::fork::own_pid());
    }

    #[test]
    fn a_listener_whose_queue_is_full_is_alive_and_nobody_waits_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sock");
        let _listener = Listener::bind(&path, None).unwrap();
        let mut waiting = Vec::new();
        let full = loop {
            match connect(&path, None) {
                Ok(stream) => waiting.push(stream),
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        assert!(waiting.len() >= usize::try_from(BACKLOG).unwrap());
        let patient = connect(&path, Some(Duration::from_millis(5)));
        assert_eq!(patient.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(Listener::bind(&path, None).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_group_may_use_what_is_for_it_and_a_file_that_cannot_be_had_is_not_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sock");
        let own = nix::unistd::getegid();
        let name = Group::from_gid(own).unwrap().unwrap().name;
        let _listener = Listener::bind(&path, Some(&name)).unwrap();
        let meta = std::fs::metadata(&path).unwrap();
        assert_eq!((meta.permissions().mode() & 0o777, meta.gid()), (0o660, own.as_raw()));
        let long = dir.path().join("x".repeat(108));
        assert!(!fits(&long));
        assert!(Listener::bind(&long, None).is_err());
        assert!(!long.exists());
    }

    #[test]
    fn of_many_that_bind_at_once_over_a_dead_one_just_one_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sock");
        for _ in 0..20 {
            drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
            let all: Vec<_> = std::thread::scope(|scope| {
                let tries: Vec<_> = (0..4).map(|_| scope.spawn(|| Listener::bind(&path, None))).collect();
                tries.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1);
            connect(&path, None).unwrap();
        }
    }

    #[test]
    fn another_s_file_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sock");
        let listener = Listener::bind(&path, None).unwrap();
        std::fs::remove_file(&path).unwrap();
        // Inodes are used again: the other must be there before the first is gone.
        std::fs::write(dir.path().join("other"), "precious").unwrap();
        std::fs::rename(dir.path().join("other"), &path).unwrap();
        drop(listener);
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }
}
