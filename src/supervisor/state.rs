//! What the supervisor knows and decides, without a syscall: `step(input, now)` changes the state and says what is to be done.
//!
//! A worker's life (names of [`Life`]):
//!
//! ```text
//!            Fork                       Ended, done
//! Waiting ----------> Running -------------------------------------------> Done
//!    ^                 |  |  |  Ended, exit code 78 or 100
//!    |  back-off       |  |  +-------------------------------------------> Refused
//!    +-----------------+  |  Ended, too often      a minute
//!    |   Ended, failed    +----------------------> Quarantined --Fork----> Running (on probation)
//!    |
//!    |  its group stops it            5 s               1 s
//!  Stopped <--Ended-- Stopping ------------> Killing --------> Unreapable
//!                     it hangs       500 ms     ^
//!                     Aborting -----------------+
//! ```
//!
//! Groups stop and start as OTP's `supervisor` does: what a strategy starts again is stopped first, one after another in
//! reverse order of the start, then started in order. A failure of another worker of the group meanwhile waits for the end of
//! that, as the message would wait in the mailbox.

use std::collections::VecDeque;

use super::backoff::Backoff;
use super::input::{Action, End, Fenced, Input, Mode};
use super::intensity::Window;
use super::life::{Life, Worker};
use super::nanos;
use super::policy::{Escalate, Policy, Restart, Strategy};
use super::stop::is_settled;

/// How long a worker that was told to abort has for its last words, ns.
pub(super) const ABORT_NS: u64 = 500_000_000;
/// How long the kernel has to end a worker after SIGKILL, ns.
pub(super) const KILL_NS: u64 = 1_000_000_000;
/// How long a worker in quarantine is left alone, ns.
pub(super) const QUARANTINE_NS: u64 = 60_000_000_000;
/// A worker on probation that was ready for so long has left quarantine, ns.
pub(super) const RELEASE_NS: u64 = 10_000_000_000;
/// Longest delay of a restart while the system stops, ns: the stop has a bound of its own.
const STOP_DELAY_NS: u64 = 100_000_000;

/// What a group does once those to be stopped have stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Start {
        delay_ns: u64,
    },
    Quarantine,
    /// Start all but this one, which is quarantined.
    StartWithout(usize),
}

/// A group that is being stopped, to be started again.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    /// Those concerned, in the order of their start.
    set: Vec<usize>,
    after: After,
}

#[derive(Clone, Debug, Default)]
pub(super) struct GroupState {
    window: Window,
    pub(super) operation: Option<Operation>,
    /// Failures that wait for the end of the operation, each with how long the worker had been ready, ns.
    pub(super) failures: VecDeque<(usize, Option<u64>)>,
}

/// The state of the supervisor.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) policy: Policy,
    pub(super) workers: Vec<Worker>,
    pub(super) groups: Vec<GroupState>,
    pub(super) mode: Mode,
    pub(super) killed: usize,
    pub(super) escalated: bool,
    /// A fork was asked for and not yet answered: one at a time, so that a failed one is known before the next.
    forking: bool,
    pub(super) actions: Vec<Action>,
}

impl State {
    /// All workers of the policy are to be started.
    pub fn new(policy: Policy) -> Self {
        let backoff = Backoff::new(policy.backoff_min, policy.backoff_max);
        let life = Life::Waiting { until_ns: 0 };
        let workers =
            vec![Worker { life, backoff, asked: false, ready_ns: None, probation: false }; policy.restart.len()];
        let groups = vec![GroupState::default(); policy.groups.len()];
        Self {
            policy,
            workers,
            groups,
            mode: Mode::Run,
            killed: 0,
            escalated: false,
            forking: false,
            actions: Vec::new(),
        }
    }

    /// Whether nothing is left to be done.
    pub fn is_over(&self) -> bool {
        self.workers.iter().all(|worker| match self.mode {
            Mode::Run => worker.life.is_over(),
            Mode::Drain(_) | Mode::Park(_) => worker.life.is_over() || worker.life == Life::Unreapable,
            Mode::Halt(_) => !worker.life.has_process() || worker.life == Life::Unreapable,
        })
    }

    /// When [`Input::Tick`] is due.
    pub fn deadline(&self) -> Option<u64> {
        let own = self.workers.iter().filter_map(|worker| match worker.life {
            Life::Running { ready_ns: Some(ready) } if worker.probation => Some(ready.saturating_add(RELEASE_NS)),
            life => life.deadline(),
        });
        // Once all were killed, only their own deadlines count.
        let all =
            self.mode.until_ns().filter(|_| self.workers.iter().any(|worker| !is_settled(worker.life, self.mode)));
        own.chain(all).min()
    }

    /// Takes in what happened at `now_ns`; what is to be done is added to `actions`, in order.
    pub fn step(&mut self, input: Input, now_ns: u64, actions: &mut Vec<Action>) {
        match input {
            // It counts as running since the fork was asked for.
            Input::Forked(_) => self.forking = false,
            Input::ForkFailed(worker) => {
                self.forking = false;
                self.failed(worker, None, now_ns);
            }
            Input::Ready(worker) => {
                if let Life::Running { ready_ns } = &mut self.workers[worker].life {
                    ready_ns.get_or_insert(now_ns);
                }
                self.workers[worker].ready_ns.get_or_insert(now_ns);
            }
            Input::Ended(worker, end) => self.ended(worker, end, now_ns),
            Input::Hung(worker) => self.hung(worker, now_ns),
            Input::Mad(fenced) => self.fence(fenced, now_ns),
            Input::Restart(worker) => self.restart(worker, now_ns),
            Input::Drain => self.drain(now_ns),
            Input::Park => self.park(now_ns),
            Input::Halt => self.halt(now_ns),
            Input::Tick => {}
        }
        self.by_the_clock(now_ns);
        actions.append(&mut self.actions);
    }

    fn ended(&mut self, worker: usize, end: End, now_ns: u64) {
        let life = self.workers[worker].life;
        if !life.has_process() {
            return;
        }
        let asked = std::mem::take(&mut self.workers[worker].asked);
        let ready_ns = self.workers[worker].ready_ns.take();
        if matches!(self.mode, Mode::Halt(_)) {
            self.workers[worker].life = Life::Stopped;
            return;
        }
        let concerned = |group: &GroupState| group.operation.as_ref().is_some_and(|own| own.set.contains(&worker));
        if let Some(group) = self.groups.iter().position(concerned) {
            // Whether it was its turn to be stopped or not, and whatever it ended of.
            let temporary = self.policy.restart[worker] == Restart::Temporary;
            self.workers[worker].life = if temporary { Life::Ended } else { Life::Stopped };
            self.go_on(group, now_ns);
            return;
        }
        if asked && end != End::Done {
            // Asked to end, but not by an operation: that was given up when the system began to stop.
            self.wait(worker, now_ns, 0);
            return;
        }
        let permanent = self.policy.restart[worker] == Restart::Permanent;
        match end {
            End::Done if !permanent || self.mode != Mode::Run => self.workers[worker].life = Life::Done,
            End::Refused if self.mode == Mode::Run => self.workers[worker].life = Life::Refused,
            End::Refused => self.give_up(worker),
            End::Done | End::Failed => {
                let ready_for = ready_ns.map(|ready| now_ns.saturating_sub(ready));
                if self.policy.restart[worker] == Restart::Temporary {
                    self.workers[worker].life = Life::Ended;
                    if self.mode != Mode::Run {
                        self.give_up(worker);
                    }
                } else {
                    self.failed(worker, ready_for, now_ns);
                }
            }
        }
    }

    /// A worker that must be started again has ended, or could not be started.
    fn failed(&mut self, worker: usize, ready_for_ns: Option<u64>, now_ns: u64) {
        let ready_for = ready_for_ns.map(std::time::Duration::from_nanos);
        let delay_ns = nanos(self.workers[worker].backoff.delay(ready_for));
        if self.mode != Mode::Run {
            self.wait(worker, now_ns, delay_ns.min(STOP_DELAY_NS));
            return;
        }
        let group = self.policy.group_of(worker);
        if self.groups[group].operation.is_some() {
            self.workers[worker].life = Life::Stopped;
            self.groups[group].failures.push_back((worker, ready_for_ns));
            return;
        }
        self.workers[worker].life = Life::Stopped;
        let settings = &self.policy.groups[group];
        let (strategy, escalate) = (settings.strategy, settings.escalate);
        let allowed = self.groups[group].window.add(settings.intensity, now_ns);
        let probation = std::mem::take(&mut self.workers[worker].probation);
        let (strategy, after) = match escalate {
            _ if allowed && !probation => (strategy, After::Start { delay_ns }),
            Escalate::Quarantine => (strategy, After::Quarantine),
            Escalate::Group => (Strategy::OneForAll, After::Quarantine),
            Escalate::Exit => {
                self.escalated = true;
                // It would fail again; what it has not handled is left, and counted so.
                self.workers[worker].life = Life::Ended;
                self.drain(now_ns);
                return;
            }
        };
        self.begin(group, worker, strategy, after, now_ns);
    }

    /// Stops and starts what `strategy` says of `group` when `worker` is to be started again.
    fn begin(&mut self, group: usize, worker: usize, strategy: Strategy, after: After, now_ns: u64) {
        let all = &self.policy.groups[group].workers;
        let place = all.iter().position(|other| *other == worker).unwrap_or(0);
        let set = match strategy {
            Strategy::OneForOne => vec![worker],
            Strategy::OneForAll => all.clone(),
            Strategy::RestForOne => all[place..].to_vec(),
        };
        // What refused must be asked for by name; what ended for good, too.
        let set = set
            .into_iter()
            .filter(|other| *other == worker || !matches!(self.workers[*other].life, Life::Refused | Life::Ended));
        self.groups[group].operation = Some(Operation { set: set.collect(), after });
        self.go_on(group, now_ns);
    }

    /// Stops the next one of an operation, or ends it.
    fn go_on(&mut self, group: usize, now_ns: u64) {
        while let Some(operation) = &self.groups[group].operation {
            if let Some(next) = operation.set.iter().rev().copied().find(|next| self.workers[*next].life.has_process())
            {
                if matches!(self.workers[next].life, Life::Running { .. }) {
                    self.stop(next, now_ns);
                }
                return;
            }
            let Some(operation) = self.groups[group].operation.take() else { return };
            // Whoever is started again anyway has no failure left.
            self.groups[group].failures.retain(|(worker, _)| !operation.set.contains(worker));
            self.finish(operation, now_ns);
            if let Some((worker, ready_for_ns)) = self.groups[group].failures.pop_front() {
                self.failed(worker, ready_for_ns, now_ns);
            }
        }
    }

    fn finish(&mut self, operation: Operation, now_ns: u64) {
        for worker in operation.set {
            if self.workers[worker].life == Life::Ended {
                continue;
            }
            match operation.after {
                After::Start { delay_ns } => self.wait(worker, now_ns, delay_ns),
                After::StartWithout(mad) if worker != mad => self.wait(worker, now_ns, 0),
                // A try would only say once more that it is done.
                After::Quarantine if self.workers[worker].life == Life::Done => {}
                After::Quarantine | After::StartWithout(_) => {
                    self.workers[worker].life = Life::Quarantined { until_ns: now_ns.saturating_add(QUARANTINE_NS) };
                    self.workers[worker].probation = true;
                    self.actions.push(Action::Quarantined(worker));
                }
            }
        }
    }

    pub(super) fn wait(&mut self, worker: usize, now_ns: u64, delay_ns: u64) {
        self.workers[worker].life = Life::Waiting { until_ns: now_ns.saturating_add(delay_ns) };
    }

    pub(super) fn stop(&mut self, worker: usize, now_ns: u64) {
        self.workers[worker].asked = true;
        self.workers[worker].life = Life::Stopping { until_ns: now_ns + nanos(self.policy.stop_timeout) };
        self.actions.push(Action::Stop(worker));
    }

    pub(super) fn kill(&mut self, worker: usize, now_ns: u64) {
        self.workers[worker].life = Life::Killing { until_ns: now_ns + KILL_NS };
        self.actions.push(Action::Kill(worker));
    }

    fn hung(&mut self, worker: usize, now_ns: u64) {
        if matches!(self.workers[worker].life, Life::Running { .. }) {
            self.workers[worker].life = Life::Aborting { until_ns: now_ns + ABORT_NS };
            self.actions.push(Action::Abort(worker));
        }
    }

    /// Ends a worker gone mad, and has its neighbours wait for that: what it has left in their rings is put right before any of them
    /// looks again.
    fn fence(&mut self, fenced: Fenced, now_ns: u64) {
        let Fenced { worker, neighbours } = fenced;
        let group = self.policy.group_of(worker);
        if matches!(self.workers[worker].life, Life::Running { .. } | Life::Stopping { .. }) {
            self.kill(worker, now_ns);
        }
        if self.mode != Mode::Run || self.groups[group].operation.is_some() {
            return;
        }
        let busy = |other: usize| {
            self.groups.iter().any(|group| group.operation.as_ref().is_some_and(|own| own.set.contains(&other)))
        };
        let others = (0..self.workers.len()).filter(|other| *other < 64 && neighbours & (1 << *other) != 0);
        let others = others.filter(|other| self.workers[*other].life.has_process() && !busy(*other));
        let set: Vec<usize> = others.chain([worker]).collect();
        let allowed = self.groups[group].window.add(self.policy.groups[group].intensity, now_ns);
        let after = if allowed { After::Start { delay_ns: 0 } } else { After::StartWithout(worker) };
        self.groups[group].operation = Some(Operation { set, after });
        self.go_on(group, now_ns);
    }

    /// Stops and starts one worker because somebody asks: no failure, and the past is forgotten.
    fn restart(&mut self, worker: usize, now_ns: u64) {
        let group = self.policy.group_of(worker);
        if self.mode != Mode::Run || self.groups[group].operation.is_some() {
            return;
        }
        self.groups[group].window.clear();
        self.workers[worker].probation = false;
        self.workers[worker].backoff = Backoff::new(self.policy.backoff_min, self.policy.backoff_max);
        if matches!(self.workers[worker].life, Life::Ended) {
            self.workers[worker].life = Life::Stopped;
        }
        self.begin(group, worker, Strategy::OneForOne, After::Start { delay_ns: 0 }, now_ns);
    }

    fn by_the_clock(&mut self, now_ns: u64) {
        if self.mode.until_ns().is_some_and(|until| now_ns >= until) {
            self.kill_the_rest(now_ns);
        }
        for group in 0..self.policy.groups.len() {
            for place in 0..self.policy.groups[group].workers.len() {
                let worker = self.policy.groups[group].workers[place];
                self.worker_by_the_clock(worker, now_ns);
            }
        }
    }

    fn worker_by_the_clock(&mut self, worker: usize, now_ns: u64) {
        let probation = self.workers[worker].probation;
        match self.workers[worker].life {
            Life::Waiting { until_ns } | Life::Quarantined { until_ns } if until_ns <= now_ns && !self.forking => {
                self.forking = true;
                self.workers[worker].life = Life::Running { ready_ns: None };
                self.actions.push(Action::Fork(worker));
            }
            Life::Stopping { until_ns } if until_ns <= now_ns => {
                self.actions.push(Action::Overdue(worker));
                self.kill(worker, now_ns);
            }
            Life::Aborting { until_ns } if until_ns <= now_ns => self.kill(worker, now_ns),
            Life::Killing { until_ns } if until_ns <= now_ns => {
                self.workers[worker].life = Life::Unreapable;
                self.actions.push(Action::Unreapable(worker));
            }
            Life::Running { ready_ns: Some(ready) } if probation && now_ns >= ready.saturating_add(RELEASE_NS) => {
                self.workers[worker].probation = false;
                let group = self.policy.group_of(worker);
                self.groups[group].window.clear();
                self.actions.push(Action::Released(worker));
            }
            _ => {}
        }
    }
}
