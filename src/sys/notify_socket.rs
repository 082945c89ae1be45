//! The datagram socket on which a service manager listens (sd_notify(3)).

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, connect, sendmsg, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

/// A socket connected to the service manager.
#[derive(Debug)]
pub struct NotifySocket(OwnedFd);

impl NotifySocket {
    /// Connects to what NOTIFY_SOCKET names: a path, or an abstract name that begins with `@`.
    ///
    /// # Errors
    /// What the system answered; InvalidInput for a name of another form.
    pub fn connect(name: &str) -> io::Result<Self> {
        let address = match name.strip_prefix('@') {
            Some(abstract_name) => UnixAddr::new_abstract(abstract_name.as_bytes())?,
            None if name.starts_with('/') => UnixAddr::new(Path::new(name))?,
            None => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let fd = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        // A manager that does not read must not hold us up, yet a busy one is worth a moment.
        setsockopt(&fd, sockopt::SendTimeout, &TimeVal::milliseconds(100))?;
        connect(fd.as_raw_fd(), &address)?;
        Ok(Self(fd))
    }

    /// Sends one message, with duplicates of `fds`. To a manager that is busy only if it may `wait` a moment.
    ///
    /// # Errors
    /// What sendmsg(2) answered.
    pub fn send(&self, message: &str, fds: &[BorrowedFd<'_>], wait: bool) -> io::Result<()> {
        let fds: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&fds)];
        let rights = if fds.is_empty() { &rights[..0] } else { &rights[..] };
        let parts = [IoSlice::new(message.as_bytes())];
        let flags = if wait { MsgFlags::MSG_NOSIGNAL } else { MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT };
        sendmsg::<()>(self.0.as_raw_fd(), &parts, rights, flags, None)?;
        Ok(())
    }
}
