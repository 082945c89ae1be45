//! timerfd: one alarm by the monotonic clock.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd as Inner, TimerFlags, TimerSetTimeFlags};

/// An alarm at a moment of CLOCK_MONOTONIC.
#[derive(Debug)]
pub struct TimerFd {
    inner: Inner,
    set_for: Option<u64>,
}

impl TimerFd {
    /// An alarm that is not set.
    ///
    /// # Errors
    /// What timerfd_create(2) answered.
    pub fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        Ok(Self { inner: Inner::new(ClockId::CLOCK_MONOTONIC, flags)?, set_for: None })
    }

    /// Sets it to `at_ns` of CLOCK_MONOTONIC, or not at all. Free if it is set so already.
    ///
    /// # Errors
    /// What timerfd_settime(2) answered.
    pub fn set(&mut self, at_ns: Option<u64>) -> io::Result<()> {
        if self.set_for == at_ns {
            return Ok(());
        }
        match at_ns {
            None => self.inner.unset()?,
            Some(at_ns) => {
                // Zero would disarm it.
                let at = TimeSpec::from_duration(Duration::from_nanos(at_ns.max(1)));
                self.inner.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            }
        }
        self.set_for = at_ns;
        Ok(())
    }

    /// Silences it after it went off.
    ///
    /// # Errors
    /// What read(2) answered.
    pub fn silence(&mut self) -> io::Result<()> {
        self.set_for = None;
        match self.inner.wait() {
            Ok(()) | Err(Errno::EAGAIN) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for TimerFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}
