//! Running a graph: the same few lines for the program and for a library's user.

use super::graph::{Graph, GraphError};
use super::status::Status;
use super::system::{SetupError, System};
use crate::supervisor::{Event, Outcome, SuperviseError, Supervisor, Wish};
use crate::sys::{affinity, sched};
use crate::topology::{Topology, TopologyError};

/// Why a graph did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The machine could not be looked at.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The graph cannot work.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// Something it needs could not be made.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The supervisor failed.
    #[error(transparent)]
    Supervise(#[from] SuperviseError),
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct Report {
    /// The last look at all nodes and workers.
    pub status: Status,
    /// How the workers ended.
    pub outcome: Outcome,
}

impl Graph {
    /// Runs the graph until its sources end or SIGTERM, SIGINT or SIGHUP asks it to stop: plans it, forks and pins one
    /// worker process per core used, supervises them, and drains in order at the end. Log records go to the `log` facade
    /// of this process.
    ///
    /// Must be called while this process has one thread.
    ///
    /// # Errors
    /// Whatever keeps it from starting; a worker's failure is not an error but a restart.
    pub fn run(mut self) -> Result<Report, RunError> {
        let topology = Topology::detect()?;
        let plan = self.plan(&topology)?;
        let mut system = System::set_up(self, plan)?;
        let supervisor = system.supervisor(std::time::Duration::from_secs(1));
        Ok(system.supervise(supervisor, |system, event| {
            super::events::log_event(system, &event);
            if matches!(event, Event::StopAsked { .. }) { Wish::Stop } else { Wish::Continue }
        })?)
    }
}

impl System {
    /// The supervisor that the graph asked for; it ticks every `tick`.
    pub fn supervisor(&self, tick: std::time::Duration) -> Supervisor {
        let (policy, hang, spare) = (self.plan.policy.clone(), self.plan.hang, self.plan.spare);
        Supervisor { policy, hang, spare, tick }
    }

    /// Starts the workers and looks after them until they are done; every event goes to `observe`. Meanwhile this
    /// process is pinned to the housekeeping core.
    ///
    /// # Errors
    /// If the supervisor itself fails.
    pub fn supervise(
        &mut self,
        supervisor: Supervisor,
        observe: impl FnMut(&mut Self, Event<'_>) -> Wish,
    ) -> Result<Report, SuperviseError> {
        // Not being able to move is no reason not to supervise.
        let before = affinity::allowed().and_then(|before| affinity::pin_to(self.plan.housekeeping).map(|()| before));
        super::realtime::raise_supervisor(&self.realtime);
        let notify = std::rc::Rc::clone(&self.notify);
        let outcome = supervisor.run(self, &notify, observe);
        if let Ok(before) = before {
            // The caller's process is as it was: its next graph sees all of its cores.
            let _ = affinity::allow(&before);
            let _ = sched::set_other();
        }
        let outcome = outcome?;
        Ok(Report { status: self.status(), outcome })
    }
}
