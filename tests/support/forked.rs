//! Children of a test that run a closure and are waited for.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::fd::RawFd;
use std::time::Duration;

use pinring::process::{Child, Identity, spawn};
use pinring::sys::wait::{self, Ended};

/// A child; killed and reaped when it is dropped.
pub(crate) struct Forked {
    child: Child,
    ended: Option<Ended>,
}

/// Forks a child that keeps `fds`, runs `body` and exits with 0, or with 101 if that panics.
pub(crate) fn forked(fds: &[RawFd], body: impl FnOnce()) -> Forked {
    let child = spawn(Identity { name: "multi-test", core: None, keep: fds }, || {
        body();
        0
    });
    Forked { child: child.unwrap(), ended: None }
}

impl Forked {
    pub(crate) fn pid(&self) -> i32 {
        self.child.pid
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> Ended {
        loop {
            if let Some(ended) = self.ended {
                return ended;
            }
            self.ended = wait::reap(self.child.pid).unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for its end, which must be a good one.
    pub(crate) fn must_succeed(mut self) {
        assert_eq!(self.wait(), Ended::Code(0));
    }

    /// Kills it with -9 and waits until it has gone.
    pub(crate) fn kill(mut self) {
        self.child.pidfd.kill().unwrap();
        self.wait();
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        if self.ended.is_none() && self.child.pidfd.kill().is_ok() {
            self.wait();
        }
    }
}
