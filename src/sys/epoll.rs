//! epoll: waiting for many descriptors at once.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll as Inner, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// A set of descriptors, each with a token of the caller's.
#[derive(Debug)]
pub struct Epoll {
    inner: Inner,
    events: [EpollEvent; Self::BATCH],
}

impl Epoll {
    /// Most tokens of one wait.
    pub const BATCH: usize = 32;

    /// An empty set.
    ///
    /// # Errors
    /// What epoll_create1(2) answered.
    pub fn new() -> io::Result<Self> {
        Ok(Self { inner: Inner::new(EpollCreateFlags::EPOLL_CLOEXEC)?, events: [EpollEvent::empty(); Self::BATCH] })
    }

    /// Watches `fd` for input, hang-up and error, level-triggered.
    ///
    /// # Errors
    /// What epoll_ctl(2) answered; EPERM for a descriptor that cannot be waited for (a file).
    pub fn add(&self, fd: impl AsFd, token: u64) -> io::Result<()> {
        Ok(self.inner.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, token))?)
    }

    /// From now on watches `fd` for input, or for room to write.
    ///
    /// # Errors
    /// What epoll_ctl(2) answered.
    pub fn change(&self, fd: impl AsFd, token: u64, input: bool) -> io::Result<()> {
        let flags = if input { EpollFlags::EPOLLIN } else { EpollFlags::EPOLLOUT };
        Ok(self.inner.modify(fd, &mut EpollEvent::new(flags, token))?)
    }

    /// Stops watching `fd`.
    ///
    /// # Errors
    /// What epoll_ctl(2) answered.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(self.inner.delete(fd)?)
    }

    /// Stops watching the descriptor of that number, which may have been closed meanwhile.
    ///
    /// # Errors
    /// EBADF or ENOENT if it has been.
    pub fn remove_raw(&self, fd: std::os::fd::RawFd) -> io::Result<()> {
        // SAFETY: the borrow lives for this call only, which does nothing but hand the number to epoll_ctl(2); a number that
        // is closed or another's makes it answer EBADF or ENOENT.
        let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
        self.remove(fd)
    }

    /// Waits until something is ready or `timeout` has passed (rounded up to milliseconds; `None`
    /// waits for ever) and calls `ready` with each token. A signal ends the wait early.
    ///
    /// # Errors
    /// What epoll_wait(2) answered.
    pub fn wait(&mut self, timeout: Option<Duration>, mut ready: impl FnMut(u64)) -> io::Result<()> {
        let timeout = match timeout {
            None => EpollTimeout::NONE,
            Some(timeout) => {
                let millis = timeout.as_nanos().div_ceil(1_000_000).min(3_600_000);
                EpollTimeout::try_from(millis).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?
            }
        };
        let count = match self.inner.wait(&mut self.events, timeout) {
            Err(Errno::EINTR) => 0,
            other => other?,
        };
        for event in &self.events[..count] {
            ready(event.data());
        }
        Ok(())
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.inner.0.as_fd()
    }
}
