//! A timer that kills this process: SIGKILL by the kernel, whatever the process is at and whatever it ignores.

use std::io;
use std::time::Duration;

use nix::sys::signal::{SigEvent, SigevNotify, Signal};
use nix::sys::time::TimeSpec;
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;

/// It is not set at first. A forked child does not have it.
#[derive(Debug)]
pub struct KillTimer(Timer);

impl KillTimer {
    /// One by CLOCK_MONOTONIC.
    ///
    /// # Errors
    /// What timer_create(2) answered: a user may have so many timers as pending signals (`ulimit -i`).
    pub fn new() -> io::Result<Self> {
        let signal = SigEvent::new(SigevNotify::SigevSignal { signal: Signal::SIGKILL, si_value: 0 });
        Ok(Self(Timer::new(ClockId::CLOCK_MONOTONIC, signal)?))
    }

    /// Kills this process when CLOCK_MONOTONIC is at `at_ns`, now if that has passed, unless it is set otherwise before.
    ///
    /// # Errors
    /// What timer_settime(2) answered.
    pub fn set(&mut self, at_ns: u64) -> io::Result<()> {
        // Zero would disarm it.
        Ok(self.arm(Duration::from_nanos(at_ns.max(1)))?)
    }

    /// Kills nobody.
    ///
    /// # Errors
    /// What timer_settime(2) answered.
    pub fn unset(&mut self) -> io::Result<()> {
        Ok(self.arm(Duration::ZERO)?)
    }

    fn arm(&mut self, at: Duration) -> nix::Result<()> {
        self.0.set(Expiration::OneShot(TimeSpec::from_duration(at)), TimerSetTimeFlags::TFD_TIMER_ABSTIME)
    }
}

#[cfg(test)]
#[cfg(not(miri))]
mod tests {
    use super::*;
    use crate::sys::clock::monotonic_ns;
    use crate::sys::fork::{Side, fork};
    use crate::sys::wait::{self, Ended};

    #[test]
    fn it_kills_who_is_busy_and_not_who_has_unset_it() {
        // SAFETY: the child makes system calls and no more.
        match unsafe { fork() }.unwrap() {
            Side::Child => {
                let mut timer = KillTimer::new().unwrap();
                timer.set(monotonic_ns() + 1_000_000).unwrap();
                loop {
                    std::hint::spin_loop();
                }
            }
            Side::Parent(pid) => {
                let ended = loop {
                    if let Some(ended) = wait::reap(pid).unwrap() {
                        break ended;
                    }
                };
                assert!(matches!(ended, Ended::Signal { number: 9, .. }), "{ended:?}");
            }
        }
        let mut timer = KillTimer::new().unwrap();
        timer.set(monotonic_ns() + 3_600_000_000_000).unwrap();
        timer.unset().unwrap();
    }
}
