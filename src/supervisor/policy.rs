//! What is to be done about workers that end: the words are those of Erlang/OTP's `supervisor`
//! (<https://www.erlang.org/doc/system/sup_princ.html>).

use std::time::Duration;

use super::intensity::Intensity;

/// Whether a worker that has ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// Always: that it ends is a failure, whatever it says.
    Permanent,
    /// If it failed; not if its work was done.
    #[default]
    Transient,
    /// Never.
    Temporary,
}

/// Which workers of a group are started again when one of them failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// That one.
    #[default]
    OneForOne,
    /// All of the group: the others are stopped first, in reverse order of their start.
    OneForAll,
    /// That one and those started after it, which are stopped first, in reverse order.
    RestForOne,
}

/// What happens when a group fails more often than its [`Intensity`] allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escalate {
    /// What would have been started again is left alone but for one try a minute; the system is degraded and says so.
    #[default]
    Quarantine,
    /// As [`Self::Quarantine`], for all of the group, which is stopped.
    Group,
    /// The system stops in order and the program ends with exit code 70.
    Exit,
}

/// Workers that are treated together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name, for messages.
    pub name: String,
    /// Its workers in the order of their start.
    pub workers: Vec<usize>,
    /// Who is started again with whom.
    pub strategy: Strategy,
    /// How many failures are too many.
    pub intensity: Intensity,
    /// What happens then.
    pub escalate: Escalate,
    /// Whether the system is ready only once these are.
    pub critical: bool,
}

impl Group {
    /// A worker by itself, with the defaults.
    pub fn of_one(name: &str, worker: usize) -> Self {
        Self {
            name: name.to_owned(),
            workers: vec![worker],
            strategy: Strategy::default(),
            intensity: Intensity::default(),
            escalate: Escalate::default(),
            critical: true,
        }
    }
}

/// How all workers are treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// For each worker whether it is started again.
    pub restart: Vec<Restart>,
    /// Every worker is in exactly one of these.
    pub groups: Vec<Group>,
    /// First delay before a worker that failed soon after its start is started again; doubled each time.
    pub backoff_min: Duration,
    /// Longest such delay.
    pub backoff_max: Duration,
    /// How long a worker may take to end when it is asked to; then it is killed.
    pub stop_timeout: Duration,
}

impl Policy {
    /// The defaults for `count` workers, each a group of its own.
    pub fn of_workers(count: usize) -> Self {
        Self {
            restart: vec![Restart::default(); count],
            groups: (0..count).map(|worker| Group::of_one(&worker.to_string(), worker)).collect(),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(5),
        }
    }

    /// The group of a worker.
    ///
    /// # Panics
    /// If it is in none, which is a mistake of whoever made the policy.
    pub fn group_of(&self, worker: usize) -> usize {
        let found = self.groups.iter().position(|group| group.workers.contains(&worker));
        found.expect("every worker is in a group")
    }
}
