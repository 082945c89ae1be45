//! SIGTERM, awaited together with the time: for a process that sleeps from one due moment to the next.

use std::io;
use std::ptr;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::time::TimeSpec;

/// SIGTERM, held back from this process (which has one thread) while this lives.
#[derive(Debug)]
pub struct Termination(SigSet);

impl Termination {
    /// From now on SIGTERM ends nothing; it is found by [`Self::wait`].
    ///
    /// # Errors
    /// What sigprocmask(2) answered.
    pub fn hold() -> io::Result<Self> {
        let set = SigSet::from(Signal::SIGTERM);
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None)?;
        Ok(Self(set))
    }

    /// Sleeps for `at_most`, or until SIGTERM comes; whether it came.
    ///
    /// # Errors
    /// What sigtimedwait(2) answered.
    pub fn wait(&self, at_most: Duration) -> io::Result<bool> {
        let time = TimeSpec::from_duration(at_most);
        // SAFETY: the set and the time are references' own for the whole call, and no siginfo is asked for.
        let signal = unsafe { libc::sigtimedwait(self.0.as_ref(), ptr::null_mut(), time.as_ref()) };
        match Errno::result(signal) {
            Ok(_) => Ok(true),
            // EINTR: another signal ended the sleep early, and the caller looks at its clock anyway.
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl Drop for Termination {
    fn drop(&mut self) {
        // Unblocking a valid set cannot fail.
        let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&self.0), None);
    }
}

/// Sends SIGTERM to the calling thread alone, so that a test's process, which has many, survives it.
#[cfg(test)]
pub(crate) fn raise_in_this_thread() {
    nix::sys::signal::raise(Signal::SIGTERM).expect("a thread may signal itself");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signal_ends_the_sleep_and_not_the_process() {
        let termination = Termination::hold().unwrap();
        assert!(!termination.wait(Duration::from_millis(2)).unwrap());
        raise_in_this_thread();
        assert!(termination.wait(Duration::from_secs(3600)).unwrap());
        assert!(!termination.wait(Duration::ZERO).unwrap());
    }
}
