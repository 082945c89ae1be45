//! How long to wait before a dead worker is started again. Pure.

use std::time::Duration;

/// A worker that was ready for this long had a good start: it is started again at once.
const GOOD_START: Duration = Duration::from_secs(1);
/// After this long the failures before are forgotten.
const FORGIVEN: Duration = Duration::from_secs(10);

/// Delays between starts, doubled from `min` to `max` while starts keep failing (the rule of s6: ready for a second,
/// restarted at once).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// First delay.
    pub min: Duration,
    /// Longest delay.
    pub max: Duration,
    failures: u32,
}

impl Backoff {
    /// No failure yet.
    pub fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, failures: 0 }
    }

    /// A worker ended after having been ready for `ready_for` (`None`: it never was). When to start it again.
    pub fn delay(&mut self, ready_for: Option<Duration>) -> Duration {
        let ready_for = ready_for.unwrap_or(Duration::ZERO);
        if ready_for >= FORGIVEN {
            self.failures = 0;
        }
        if ready_for >= GOOD_START {
            return Duration::ZERO;
        }
        let delay = self.min.saturating_mul(2u32.saturating_pow(self.failures)).min(self.max);
        self.failures = self.failures.saturating_add(1);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(delays: &[Duration]) -> Vec<u128> {
        delays.iter().map(Duration::as_millis).collect()
    }

    fn backoff() -> Backoff {
        Backoff::new(Duration::from_millis(100), Duration::from_secs(30))
    }

    #[test]
    fn failed_starts_double_the_delay_up_to_the_longest() {
        let mut backoff = backoff();
        let delays: Vec<_> = (0..11).map(|_| backoff.delay(None)).collect();
        assert_eq!(millis(&delays), [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
    }

    #[test]
    fn a_worker_ready_for_a_second_is_started_at_once() {
        let mut backoff = backoff();
        assert_eq!(backoff.delay(Some(Duration::from_secs(1))), Duration::ZERO);
        assert_eq!(backoff.delay(Some(Duration::from_millis(999))), Duration::from_millis(100));
    }

    #[test]
    fn ten_good_seconds_forget_the_failures() {
        let mut backoff = backoff();
        for _ in 0..5 {
            backoff.delay(None);
        }
        backoff.delay(Some(Duration::from_secs(10)));
        assert_eq!(backoff.delay(None), Duration::from_millis(100));
    }

    #[test]
    fn countless_failures_do_not_overflow() {
        let mut backoff = Backoff { failures: u32::MAX, ..backoff() };
        assert_eq!(backoff.delay(None), Duration::from_secs(30));
    }
}
