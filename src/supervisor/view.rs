//! What others may know of the state.

use super::input::Mode;
use super::life::Life;
use super::state::State;

impl State {
    /// Whether the worker's group is being stopped and started, so that nothing else can be asked of it.
    pub fn is_busy(&self, worker: usize) -> bool {
        self.groups[self.policy.group_of(worker)].operation.is_some()
    }

    /// Where a worker is in its life.
    pub fn life(&self, worker: usize) -> Life {
        self.workers[worker].life
    }

    /// What all of the system is doing.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether a worker that is not what it should be makes the system less than whole.
    pub fn is_degraded(&self) -> bool {
        let sick =
            |life: Life| matches!(life, Life::Quarantined { .. } | Life::Refused | Life::Ended | Life::Unreapable);
        self.workers.iter().any(|worker| sick(worker.life) || worker.probation)
    }

    /// Whether every worker that is critical is ready for work, or has done it.
    pub fn is_ready(&self) -> bool {
        let critical = self.policy.groups.iter().filter(|group| group.critical).flat_map(|group| &group.workers);
        critical.into_iter().all(|worker| self.workers[*worker].life.is_well())
    }

    /// How things are, in one sentence.
    pub fn sentence(&self, name: impl Fn(usize) -> String) -> String {
        let is_sick = |worker: &usize| self.workers[*worker].probation || !self.workers[*worker].life.is_well();
        let sick = (0..self.workers.len()).filter(is_sick);
        let sick: Vec<String> =
            sick.map(|worker| format!("{} {}", name(worker), self.workers[worker].life.word())).collect();
        let what = match self.mode {
            Mode::Run if self.is_degraded() => "DEGRADED",
            Mode::Run => "working",
            Mode::Drain(_) => "draining",
            Mode::Park(_) => "pausing for a successor",
            Mode::Halt(_) => "stopping for a successor",
        };
        let sick = if sick.is_empty() { String::new() } else { format!(": {}", sick.join(", ")) };
        format!("{what}, {} workers{sick}", self.workers.len())
    }

    /// Whether failures stopped the system ([`super::Escalate::Exit`]).
    pub fn has_escalated(&self) -> bool {
        self.escalated
    }

    /// Workers that did not end in time at the stop and were killed.
    pub fn killed(&self) -> usize {
        self.killed
    }
}
