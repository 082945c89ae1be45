//! How the author of a graph wants its workers supervised, and what that means for the workers of a plan.

use std::time::Duration;

use super::graph::{Graph, GraphError};
use super::plan::Plan;
use crate::supervisor::{Escalate, Group, Intensity, Policy, Restart, Strategy};

/// Workers that are treated together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSpec {
    /// Its name, for messages.
    pub name: String,
    /// Names of its workers in the order of their start.
    pub workers: Vec<String>,
    /// Who is started again with whom.
    pub strategy: Strategy,
    /// Whether its workers are started again when they end; `None`: as [`Supervision::restart`] says.
    pub restart: Option<Restart>,
    /// How many failures are too many; `None`: as [`Supervision::intensity`] says.
    pub intensity: Option<Intensity>,
    /// What happens then; `None`: as [`Supervision::escalate`] says.
    pub escalate: Option<Escalate>,
    /// Whether a service manager is told "ready" only once these are.
    pub critical: bool,
}

impl GroupSpec {
    /// A group with the defaults.
    pub fn new(name: &str, workers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            name: name.to_owned(),
            workers: workers.into_iter().map(Into::into).collect(),
            strategy: Strategy::default(),
            restart: None,
            intensity: None,
            escalate: None,
            critical: true,
        }
    }
}

/// How the supervisor treats its workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supervision {
    /// First delay before a worker that failed soon after its start is started again; doubled each time.
    pub backoff_min: Duration,
    /// Longest such delay.
    pub backoff_max: Duration,
    /// How long an orderly stop may take before what still runs is killed.
    pub stop_timeout: Duration,
    /// Whether a worker that has ended is started again.
    pub restart: Restart,
    /// How many failures are too many, for each group; a worker in no group is one by itself.
    pub intensity: Intensity,
    /// What happens then.
    pub escalate: Escalate,
    /// How long a worker's loop may not come round before the worker counts as hanging; `None`: as long as it likes.
    pub hang: Option<Duration>,
    /// Whether a process is forked beforehand, so that a dead worker is replaced faster.
    pub spare: bool,
    /// Workers that are treated together.
    pub groups: Vec<GroupSpec>,
}

impl Default for Supervision {
    fn default() -> Self {
        Self {
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(5),
            restart: Restart::default(),
            intensity: Intensity::default(),
            escalate: Escalate::default(),
            hang: Some(Duration::from_secs(2)),
            spare: true,
            groups: Vec::new(),
        }
    }
}

impl Graph {
    /// The policy for the workers of `plan`.
    pub(super) fn policy(&self, plan: &Plan) -> Result<Policy, GraphError> {
        let wished = &self.supervision;
        let mut policy = Policy {
            restart: vec![wished.restart; plan.workers.len()],
            groups: Vec::new(),
            backoff_min: wished.backoff_min,
            backoff_max: wished.backoff_max,
            stop_timeout: wished.stop_timeout,
        };
        let mut taken = vec![None; plan.workers.len()];
        for (index, spec) in wished.groups.iter().enumerate() {
            let mut workers = Vec::with_capacity(spec.workers.len());
            for name in &spec.workers {
                let worker = worker_of(plan, index, spec, name)?;
                if let Some(other) = taken[worker].replace(&spec.name) {
                    let message = format!("worker `{name}` is in group `{other}` already");
                    return Err(refused(index, spec, &message, None));
                }
                workers.push(worker);
                policy.restart[worker] = spec.restart.unwrap_or(wished.restart);
            }
            policy.groups.push(Group {
                name: spec.name.clone(),
                workers,
                strategy: spec.strategy,
                intensity: spec.intensity.unwrap_or(wished.intensity),
                escalate: spec.escalate.unwrap_or(wished.escalate),
                critical: spec.critical,
            });
        }
        for worker in (0..plan.workers.len()).filter(|worker| taken[*worker].is_none()) {
            let alone = Group::of_one(&plan.workers[worker].name, worker);
            policy.groups.push(Group { intensity: wished.intensity, escalate: wished.escalate, ..alone });
        }
        Ok(policy)
    }
}

fn worker_of(plan: &Plan, index: usize, spec: &GroupSpec, name: &str) -> Result<usize, GraphError> {
    plan.workers.iter().position(|worker| worker.name == name).ok_or_else(|| {
        let known: Vec<&str> = plan.workers.iter().map(|worker| worker.name.as_str()).collect();
        let help = format!("the workers are: {}; a node says `worker = \"{name}\"` to live in one", known.join(", "));
        refused(index, spec, &format!("there is no worker `{name}`"), Some(help))
    })
}

fn refused(index: usize, spec: &GroupSpec, message: &str, help: Option<String>) -> GraphError {
    let message = format!("group `{}`: {message}", spec.name);
    let group = u32::try_from(index).ok();
    GraphError { node: String::new(), index: 0, group, key: Some("workers"), input: None, message, help }
}
