//! How all of the system comes to its end: in order, for a successor, or by force.

use super::input::{Action, Mode};
use super::life::Life;
use super::nanos;
use super::state::State;

impl State {
    /// It will not be started again, and the others must not wait for it.
    pub(super) fn give_up(&mut self, worker: usize) {
        self.workers[worker].life = Life::Ended;
        self.actions.push(Action::Abandon(worker));
    }

    pub(super) fn drain(&mut self, now_ns: u64) {
        match &mut self.mode {
            Mode::Run => self.mode = Mode::Drain(now_ns + nanos(self.policy.stop_timeout)),
            // Asked once more: whoever asks wants out.
            Mode::Drain(until) | Mode::Park(until) | Mode::Halt(until) => {
                *until = now_ns;
                return;
            }
        }
        self.call_to_end(Action::Drain, now_ns);
        for worker in 0..self.workers.len() {
            if matches!(self.workers[worker].life, Life::Quarantined { .. } | Life::Refused | Life::Ended) {
                self.give_up(worker);
            }
        }
    }

    /// Asks those that live, and starts those that wait: what a dead worker has not handled yet must be handled, too, and now.
    fn call_to_end(&mut self, action: Action, now_ns: u64) {
        self.actions.push(action);
        self.leave_operations(now_ns);
        for worker in 0..self.workers.len() {
            if matches!(self.workers[worker].life, Life::Waiting { .. } | Life::Stopped) {
                self.wait(worker, now_ns, 0);
            }
        }
    }

    pub(super) fn park(&mut self, now_ns: u64) {
        if self.mode != Mode::Run {
            return self.drain(now_ns);
        }
        self.mode = Mode::Park(now_ns + nanos(self.policy.stop_timeout));
        self.call_to_end(Action::Park, now_ns);
    }

    pub(super) fn halt(&mut self, now_ns: u64) {
        let until = match self.mode {
            Mode::Run => now_ns + nanos(self.policy.stop_timeout),
            Mode::Drain(until) | Mode::Park(until) => until,
            Mode::Halt(_) => return,
        };
        self.mode = Mode::Halt(until);
        self.leave_operations(now_ns);
        for worker in 0..self.workers.len() {
            match self.workers[worker].life {
                Life::Running { .. } => self.stop(worker, now_ns),
                Life::Waiting { .. } => self.workers[worker].life = Life::Stopped,
                _ => {}
            }
        }
    }

    /// All ends: no group has anything to start again.
    fn leave_operations(&mut self, now_ns: u64) {
        for group in 0..self.groups.len() {
            self.groups[group].operation = None;
            for (worker, _) in std::mem::take(&mut self.groups[group].failures) {
                self.wait(worker, now_ns, 0);
            }
        }
    }

    /// The time for the stop is over.
    pub(super) fn kill_the_rest(&mut self, now_ns: u64) {
        for worker in 0..self.workers.len() {
            match self.workers[worker].life {
                life if is_settled(life, self.mode) => {}
                life if life.has_process() => {
                    self.killed += 1;
                    self.actions.push(Action::Overdue(worker));
                    self.kill(worker, now_ns);
                }
                _ => {
                    self.killed += 1;
                    self.workers[worker].life = Life::Ended;
                }
            }
        }
    }
}

/// Whether the end of the time for the stop changes nothing for it any more.
pub(super) fn is_settled(life: Life, mode: Mode) -> bool {
    // With a successor in sight, whoever has no process has ended where it was to end.
    let left = matches!(mode, Mode::Halt(_)) && !life.has_process();
    left || life.is_over() || matches!(life, Life::Killing { .. } | Life::Unreapable)
}
