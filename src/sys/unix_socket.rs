//! Stream sockets with a name in the file system: who listens, who connects, and who that is.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, getsockopt, listen, socket, sockopt,
};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat, umask};
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
    path: PathBuf,
    file: (u64, u64),
}

/// A backlog that is never filled by people.
const BACKLOG: i32 = 16;

impl Listener {
    /// Listens at `path`, which only its owner may use, or besides the members of `group`. A file left by a dead listener is replaced.
    ///
    /// # Errors
    /// AddrInUse if somebody listens there, AlreadyExists if there is a file that is no socket, NotFound for an unknown group,
    /// and what the system answered.
    pub fn bind(path: &Path, group: Option<&str>) -> io::Result<Self> {
        let gid = group.map(|name| Group::from_name(name)?.map(|group| group.gid).ok_or(Errno::ENOENT)).transpose()?;
        make_room(path)?;
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        // Never more open than asked, not even for a moment.
        let before = umask(Mode::from_bits_truncate(0o177));
        let bound = UnixAddr::new(path).and_then(|address| bind(fd.as_raw_fd(), &address));
        umask(before);
        bound?;
        if let Some(gid) = gid {
            chown(path, None, Some(gid))?;
            fchmodat(nix::fcntl::AT_FDCWD, path, Mode::from_bits_truncate(0o660), FchmodatFlags::FollowSymlink)?;
        }
        listen(&fd, Backlog::new(BACKLOG)?)?;
        let meta = std::fs::symlink_metadata(path)?;
        Ok(Self { fd, path: path.to_owned(), file: (meta.dev(), meta.ino()) })
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
        &self.path
    }
}

/// Removes what a dead listener left at `path`.
fn make_room(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(meta) if !meta.file_type().is_socket() => Err(io::ErrorKind::AlreadyExists.into()),
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            // Its backlog is full, or it answered: alive in any case.
            _ => Err(io::ErrorKind::AddrInUse.into()),
        },
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.file);
        if ours {
            // Whoever finds it later will find nobody listening.
            let _ = std::fs::remove_file(&self.path);
        }
    }
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
        let credentials = getsockopt(&self.0, sockopt::PeerCredentials)?;
        Ok(Peer { pid: credentials.pid(), uid: credentials.uid(), gid: credentials.gid() })
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

fn or_nothing(result: nix::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
        Err(errno) => Err(errno.into()),
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
        assert_eq!(Listener::bind(&path, None).unwrap_err().kind(), io::ErrorKind::AddrInUse);
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
}
