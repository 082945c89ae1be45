//! The two clocks: one that never steps, one that people read.

use std::time::Duration;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

/// CLOCK_MONOTONIC in nanoseconds since boot: never steps, never runs backwards.
pub fn monotonic_ns() -> u64 {
    u64::try_from(read(ClockId::CLOCK_MONOTONIC)).unwrap_or(0)
}

/// CLOCK_MONOTONIC as it was at the last timer tick, some ms ago at most: a fifth of the price.
pub fn coarse_ns() -> u64 {
    u64::try_from(read(ClockId::CLOCK_MONOTONIC_COARSE)).unwrap_or(0)
}

/// CLOCK_REALTIME in nanoseconds since 1970: may step when the clock is set.
pub fn realtime_ns() -> i64 {
    read(ClockId::CLOCK_REALTIME)
}

/// CPU time this process has used, in nanoseconds.
pub fn process_cpu_ns() -> u64 {
    u64::try_from(read(ClockId::CLOCK_PROCESS_CPUTIME_ID)).unwrap_or(0)
}

/// Sleeps until [`monotonic_ns`] is `at_ns`; what has passed already is not waited for.
pub fn sleep_until(at_ns: u64) {
    let at = TimeSpec::from_duration(Duration::from_nanos(at_ns));
    // Fails only when a signal comes in between; the moment stays the same.
    let flags = ClockNanosleepFlags::TIMER_ABSTIME;
    while clock_nanosleep(ClockId::CLOCK_MONOTONIC, flags, &at) == Err(Errno::EINTR) {}
}

fn read(clock: ClockId) -> i64 {
    // These clocks exist on every Linux since 2.6; the call can only fail for an unknown clock.
    let time = clock_gettime(clock).expect("Linux has these clocks");
    #[allow(clippy::useless_conversion, reason = "time_t and long have 32 bits on 32-bit ARM")]
    let (seconds, nanos) = (i64::from(time.tv_sec()), i64::from(time.tv_nsec()));
    seconds * 1_000_000_000 + nanos
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_not_too_short_and_none_at_all_for_what_has_passed() {
        let until = monotonic_ns() + 2_000_000;
        sleep_until(until);
        assert!(monotonic_ns() >= until);
        sleep_until(0);
    }

    #[test]
    fn monotonic_time_does_not_run_backwards() {
        let first = monotonic_ns();
        assert!(monotonic_ns() >= first);
    }
}
