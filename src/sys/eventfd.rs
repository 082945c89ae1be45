//! eventfd: the bell that wakes a sleeping worker.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd as Inner};
use nix::unistd::{read, write};

/// A counter that epoll can wait for.
#[derive(Debug)]
pub struct EventFd(OwnedFd);

impl EventFd {
    /// A silent bell, non-blocking.
    ///
    /// # Errors
    /// What eventfd(2) answered.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Inner::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?.into()))
    }

    /// A second descriptor of the same bell.
    ///
    /// # Errors
    /// What dup(2) answered.
    pub fn duplicate(&self) -> io::Result<Self> {
        Ok(Self(self.0.try_clone()?))
    }

    /// Rings. A bell that has been rung 2^64 times without being heard stays rung, so there is
    /// nothing to report.
    pub fn ring(&self) {
        let _ = write(&self.0, &1u64.to_ne_bytes());
    }

    /// Waits until it is rung, at most `timeout`. May return early; does not silence it.
    ///
    /// # Errors
    /// What poll(2) answered.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<()> {
        // Rounded up: a timeout of less than a millisecond must not become a busy loop.
        let timeout = timeout.map_or(Ok(PollTimeout::NONE), |timeout| {
            PollTimeout::try_from(timeout.saturating_add(Duration::from_nanos(999_999)))
        });
        let timeout = timeout.unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Silences it; whether it had been rung.
    ///
    /// # Errors
    /// What read(2) answered.
    pub fn silence(&self) -> io::Result<bool> {
        match read(&self.0, &mut [0; 8]) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rung_bell_is_heard_once() {
        let bell = EventFd::new().unwrap();
        assert!(!bell.silence().unwrap());
        bell.ring();
        bell.ring();
        assert!(bell.silence().unwrap());
        assert!(!bell.silence().unwrap());
    }
}
