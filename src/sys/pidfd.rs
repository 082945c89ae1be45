//! pidfd: a process as a descriptor that becomes readable when it ends.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// A child that can be waited for by epoll and signalled without the risk of a reused pid.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Opens the process `pid`.
    ///
    /// # Errors
    /// What pidfd_open(2) answered.
    pub fn open(pid: i32) -> io::Result<Self> {
        // SAFETY: takes two integers and returns a new descriptor or -1.
        let result = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let fd = RawFd::try_from(result).map_err(io::Error::other)?;
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Sends SIGKILL.
    ///
    /// # Errors
    /// What pidfd_send_signal(2) answered; ESRCH once the process has been reaped.
    pub fn kill(&self) -> io::Result<()> {
        self.signal(libc::SIGKILL)
    }

    /// Sends SIGABRT.
    ///
    /// # Errors
    /// As [`Self::kill`].
    pub fn abort(&self) -> io::Result<()> {
        self.signal(libc::SIGABRT)
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    /// As [`Self::kill`].
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(libc::SIGTERM)
    }

    /// Sends SIGINT.
    ///
    /// # Errors
    /// As [`Self::kill`].
    pub fn interrupt(&self) -> io::Result<()> {
        self.signal(libc::SIGINT)
    }

    /// Waits until the process has ended, at most `time`; whether it has.
    ///
    /// # Errors
    /// What poll(2) answered.
    pub fn wait(&self, time: Option<std::time::Duration>) -> io::Result<bool> {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        // Rounded up, so that it is not looked for in vain just before the time is over.
        let millis = time.map(|time| i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
        let timeout =
            millis.map_or(PollTimeout::NONE, |millis| PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX));
        match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(ready) => Ok(ready > 0),
            Err(nix::errno::Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn signal(&self, number: libc::c_int) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        let none = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the descriptor is a pidfd that we own, and a null siginfo asks for that of kill(2).
        let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), number, none, 0) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
