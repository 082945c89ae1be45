//! When which fault happens.

use std::time::Duration;

/// A fault that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Pull the weather station's cable.
    Unplug,
    /// Flip bits of the next GPS sentences.
    Flip,
    /// Kill a worker.
    Kill,
}

/// Faults on purpose, in the middle of a run or, if it has no end, again and again.
#[derive(Clone, Debug)]
pub struct Script {
    acts: Vec<(u64, Act)>,
    /// Time from one round to the next; `None`: one round only.
    again_ns: Option<u64>,
    next: usize,
    began_ns: u64,
    /// How long a cable stays unplugged.
    pub(super) unplugged_ns: u64,
}

const SECOND: u64 = 1_000_000_000;

impl Script {
    /// No faults.
    pub fn calm() -> Self {
        Self { acts: Vec::new(), again_ns: None, next: 0, began_ns: 0, unplugged_ns: 0 }
    }

    /// Faults at a quarter, half and two thirds of `duration`; without one after 4, 8 and 12 s, and again every 30 s.
    pub fn faults(duration: Option<Duration>, now_ns: u64) -> Self {
        let acts = [Act::Unplug, Act::Flip, Act::Kill];
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let (times, again_ns, unplugged_ns) = match duration.map(nanos) {
            Some(whole) => ([whole / 4, whole / 2, whole / 3 * 2], None, (whole / 8).min(SECOND)),
            None => ([4 * SECOND, 8 * SECOND, 12 * SECOND], Some(30 * SECOND), SECOND),
        };
        Self { acts: times.into_iter().zip(acts).collect(), again_ns, next: 0, began_ns: now_ns, unplugged_ns }
    }

    /// When the next fault is due.
    pub(super) fn due_ns(&self) -> Option<u64> {
        self.acts.get(self.next).map(|(at, _)| self.began_ns + at)
    }

    /// The fault that is due now.
    pub(super) fn due(&mut self, now_ns: u64) -> Option<Act> {
        let (at, act) = *self.acts.get(self.next)?;
        if self.began_ns + at > now_ns {
            return None;
        }
        self.next += 1;
        if let (true, Some(again_ns)) = (self.next == self.acts.len(), self.again_ns) {
            (self.next, self.began_ns) = (0, self.began_ns + again_ns);
        }
        Some(act)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acts(script: &mut Script, until: u64) -> Vec<(u64, Act)> {
        (0..until).filter_map(|second| Some((second, script.due(second * SECOND)?))).collect()
    }

    #[test]
    fn a_short_run_has_each_fault_once() {
        let mut script = Script::faults(Some(Duration::from_secs(12)), 0);
        assert_eq!(acts(&mut script, 100), [(3, Act::Unplug), (6, Act::Flip), (8, Act::Kill)]);
        assert_eq!(script.due_ns(), None);
    }

    #[test]
    fn an_endless_run_repeats_them() {
        let mut script = Script::faults(None, 0);
        let times: Vec<u64> = acts(&mut script, 45).iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [4, 8, 12, 34, 38, 42]);
    }
}
