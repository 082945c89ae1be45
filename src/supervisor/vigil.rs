//! Finds workers that live but do not work: from the pulse of their loops and from what the kernel says of them.
//!
//! A worker that is awake beats once a round; without a beat for the limit it hangs, whatever it does. A worker that sleeps has
//! nothing to do and is not woken to prove that it could: it hangs if the kernel says at two looks, half the limit apart, that it
//! is stopped or frozen. A debugger is left to its work, and so, for a while, is a worker that waits for a device in the kernel:
//! an SD card stalls for seconds.

use std::fmt;
use std::time::Duration;

use super::nanos;
use crate::process::Doing;

/// How long a worker may wait for a device in the kernel.
const STALL_NS: u64 = 30_000_000_000;
/// A supervisor that comes to look so much later than it meant to was itself stopped (the machine slept, or all was paused).
const AWAY_NS: u64 = 500_000_000;

/// Why a worker counts as hanging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hang {
    /// It was stopped by a signal.
    Stopped,
    /// Its cgroup is frozen.
    Frozen,
    /// It runs without coming back to its loop.
    Spinning,
    /// It waits in a system call of its own.
    Blocked,
    /// It has waited in the kernel for a device for too long.
    Stalled,
}

impl fmt::Display for Hang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "it is stopped by a signal (SIGSTOP)",
            Self::Frozen => "its cgroup is frozen",
            Self::Spinning => "it runs without coming back to its loop",
            Self::Blocked => "it is blocked in a system call",
            Self::Stalled => "it waits in the kernel for a device that does not answer",
        })
    }
}

/// One worker at a look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) worker: usize,
    /// Its loop's last beat; `None` while it sleeps.
    pub(super) pulse_ns: Option<u64>,
    /// Changes as long as it gets on with its messages, of which a step may have many.
    pub(super) progress: u64,
}

/// The watch over all workers.
#[derive(Debug)]
pub(super) struct Vigil {
    limit_ns: u64,
    next_ns: u64,
    /// Nothing before this counts: the supervisor was away.
    since_ns: u64,
    /// For each worker since when it is known to be stopped or frozen.
    bad_since: Vec<Option<u64>>,
    /// For each worker its progress at the last look, and when that was last seen to change.
    progress: Vec<(u64, u64)>,
}

impl Vigil {
    /// Over `count` workers; `limit` without a beat is a hang.
    pub(super) fn new(count: usize, limit: Duration, now_ns: u64) -> Self {
        let limit_ns = nanos(limit);
        Self {
            limit_ns,
            next_ns: now_ns + limit_ns / 2,
            since_ns: now_ns,
            bad_since: vec![None; count],
            progress: vec![(0, 0); count],
        }
    }

    /// When the next look is due.
    pub(super) fn due_ns(&self) -> u64 {
        self.next_ns
    }

    /// A new process of this worker: what was known of the old one is forgotten.
    pub(super) fn reset(&mut self, worker: usize) {
        self.bad_since[worker] = None;
    }

    /// Looks at the living workers; `doing` asks the kernel. Whoever hangs is given to `hung`.
    pub(super) fn look(
        &mut self,
        now_ns: u64,
        workers: impl Iterator<Item = Look>,
        mut doing: impl FnMut(usize) -> Option<Doing>,
        mut hung: impl FnMut(usize, Hang),
    ) {
        if now_ns < self.next_ns {
            return;
        }
        if now_ns > self.next_ns.saturating_add(AWAY_NS) {
            self.since_ns = now_ns;
            self.bad_since.fill(None);
        }
        self.next_ns = now_ns + self.limit_ns / 2;
        for look in workers {
            let (before, changed_ns) = &mut self.progress[look.worker];
            if std::mem::replace(before, look.progress) != look.progress {
                *changed_ns = now_ns;
            }
            // A worker that handles one slow message after another does not come round, but gets on. The change was seen at this look,
            // but may be as old as the one before.
            let since_ns = self.since_ns.max(changed_ns.saturating_sub(self.limit_ns / 2));
            let late_ns = look.pulse_ns.map(|pulse| pulse.max(since_ns).saturating_add(self.limit_ns));
            // A beat in the future is the word of a worker gone mad.
            let is_mad = look.pulse_ns.is_some_and(|pulse| pulse > now_ns.saturating_add(AWAY_NS));
            if let Some(late_ns) = late_ns.filter(|late| *late > now_ns && !is_mad) {
                // It was awake at the last look: be there when it is late, to the millisecond.
                self.next_ns = self.next_ns.min(late_ns);
                continue;
            }
            let Some(doing) = doing(look.worker) else { continue };
            let stale_ns = look.pulse_ns.map(|pulse| now_ns.saturating_sub(pulse.max(since_ns)));
            if let Some(why) = self.judge(look.worker, doing, stale_ns, now_ns) {
                hung(look.worker, why);
            }
        }
    }

    /// `stale_ns`: how long an awake worker has not beaten.
    fn judge(&mut self, worker: usize, doing: Doing, stale_ns: Option<u64>, now_ns: u64) -> Option<Hang> {
        let why = match doing {
            Doing::Stopped => Hang::Stopped,
            Doing::Frozen => Hang::Frozen,
            Doing::Traced | Doing::Ended => return None,
            Doing::Running => return stale_ns.map(|_| Hang::Spinning),
            Doing::Sleeping => {
                self.bad_since[worker] = None;
                return stale_ns.map(|_| Hang::Blocked);
            }
            Doing::Uninterruptible => return stale_ns.filter(|stale| *stale >= STALL_NS).map(|_| Hang::Stalled),
        };
        if stale_ns.is_some() {
            return Some(why);
        }
        let since = *self.bad_since[worker].get_or_insert(now_ns);
        // The looks are timed by the millisecond: nearly half the limit is half the limit.
        (now_ns.saturating_sub(since) >= self.limit_ns / 2 - self.limit_ns / 20).then_some(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn vigil() -> Vigil {
        Vigil::new(1, Duration::from_secs(2), 0)
    }

    fn look(vigil: &mut Vigil, now_ns: u64, pulse_ns: Option<u64>, doing: Doing) -> Option<Hang> {
        let mut found = None;
        vigil.look(
            now_ns,
            [Look { worker: 0, pulse_ns, progress: 0 }].into_iter(),
            |_| Some(doing),
            |_, why| found = Some(why),
        );
        found
    }

    #[test]
    fn an_awake_worker_hangs_two_seconds_after_its_last_beat() {
        let mut vigil = vigil();
        assert_eq!(look(&mut vigil, S, Some(S / 2), Doing::Running), None);
        assert_eq!(vigil.due_ns(), 2 * S);
        assert_eq!(look(&mut vigil, 2 * S, Some(S / 2), Doing::Running), None);
        assert_eq!(vigil.due_ns(), 2 * S + S / 2);
        assert_eq!(look(&mut vigil, 2 * S + S / 2, Some(S / 2), Doing::Running), Some(Hang::Spinning));
    }

    #[test]
    fn a_sleeping_worker_hangs_only_if_the_kernel_says_so_twice() {
        let mut vigil = vigil();
        assert_eq!(look(&mut vigil, S, None, Doing::Sleeping), None);
        assert_eq!(look(&mut vigil, 2 * S, None, Doing::Stopped), None);
        assert_eq!(look(&mut vigil, 3 * S, None, Doing::Stopped), Some(Hang::Stopped));
        assert_eq!(look(&mut vigil, 4 * S, None, Doing::Sleeping), None);
        assert_eq!(look(&mut vigil, 5 * S, None, Doing::Frozen), None);
        assert_eq!(look(&mut vigil, 6 * S, None, Doing::Frozen), Some(Hang::Frozen));
    }

    #[test]
    fn a_slow_device_and_a_debugger_are_given_time() {
        let mut vigil = vigil();
        for second in 1..=29 {
            assert_eq!(look(&mut vigil, second * S, Some(1), Doing::Uninterruptible), None);
            assert_eq!(look(&mut vigil, second * S, Some(1), Doing::Traced), None);
        }
        assert_eq!(look(&mut vigil, 31 * S, Some(1), Doing::Uninterruptible), None, "it came late to this look");
        let stalled = (32..63).find_map(|second| look(&mut vigil, second * S, Some(1), Doing::Uninterruptible));
        assert_eq!(stalled, Some(Hang::Stalled));
    }

    #[test]
    fn a_worker_that_gets_on_with_slow_messages_does_not_hang() {
        let mut vigil = vigil();
        let mut look = |now_ns, progress| {
            let mut found = None;
            let looks = [Look { worker: 0, pulse_ns: Some(S / 2), progress }].into_iter();
            vigil.look(now_ns, looks, |_| Some(Doing::Running), |_, why| found = Some(why));
            found
        };
        assert!((1..20).all(|second| look(second * S, second).is_none()));
        assert_eq!(look(20 * S, 19), Some(Hang::Spinning), "it had not moved for a second, and perhaps for two");
    }

    #[test]
    fn a_beat_in_the_future_does_not_hide_a_hang() {
        let mut vigil = vigil();
        assert_eq!(look(&mut vigil, S, Some(u64::MAX - 5), Doing::Running), Some(Hang::Spinning));
    }

    #[test]
    fn a_supervisor_that_was_away_blames_nobody() {
        let mut vigil = vigil();
        assert_eq!(look(&mut vigil, 60 * S, Some(S), Doing::Running), None);
        assert_eq!(look(&mut vigil, 61 * S, Some(S), Doing::Running), None);
        assert_eq!(look(&mut vigil, 62 * S, Some(S), Doing::Running), Some(Hang::Spinning));
    }
}
