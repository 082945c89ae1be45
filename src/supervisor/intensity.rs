//! How many restarts are too many: counted as OTP's `supervisor` counts (`add_restart/1` in
//! <https://github.com/erlang/otp/blob/master/lib/stdlib/src/supervisor.erl>). Pure.

use std::time::Duration;

/// At most `restarts` within `within`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intensity {
    /// So many are allowed; `u32::MAX`: any number.
    pub restarts: u32,
    /// In any window of this length, both ends included.
    pub within: Duration,
}

impl Default for Intensity {
    /// 5 in 30 s.
    fn default() -> Self {
        Self { restarts: 5, within: Duration::from_secs(30) }
    }
}

/// The restarts of the last window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    at_ns: Vec<u64>,
}

impl Window {
    /// Counts a restart at `now_ns`; false if it is one too many.
    pub(super) fn add(&mut self, limit: Intensity, now_ns: u64) -> bool {
        if limit.restarts == u32::MAX {
            return true;
        }
        let within = u64::try_from(limit.within.as_nanos()).unwrap_or(u64::MAX);
        self.at_ns.push(now_ns);
        self.at_ns.retain(|then| now_ns <= then.saturating_add(within));
        self.at_ns.len() <= limit.restarts as usize
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.at_ns.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Intensity = Intensity { restarts: 2, within: Duration::from_nanos(10) };

    #[test]
    fn the_window_includes_both_of_its_ends() {
        let mut window = Window::default();
        assert!(window.add(LIMIT, 0) && window.add(LIMIT, 5));
        assert!(!window.clone().add(LIMIT, 10));
        assert!(window.add(LIMIT, 11));
    }

    #[test]
    fn no_restart_at_all_may_be_allowed() {
        assert!(!Window::default().add(Intensity { restarts: 0, ..LIMIT }, 3));
    }

    #[test]
    fn what_is_forgotten_does_not_count() {
        let mut window = Window::default();
        window.add(LIMIT, 0);
        window.add(LIMIT, 0);
        window.clear();
        assert!(window.add(LIMIT, 0));
    }
}
