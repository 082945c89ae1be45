//! Workers that must not be kept waiting by other programs.

use std::io;

use super::graph::Graph;
use super::plan::Plan;
use crate::sys::sched;

/// What workers get, where the system allows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Realtime {
    /// Priority of SCHED_FIFO, 1 to 98, of workers for which no node says otherwise; `None`: the usual scheduling.
    pub priority: Option<u8>,
    /// Keeps the memory of workers and segment out of swap, and makes all of it at the start.
    pub lock_memory: bool,
}

/// What one worker gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) priority: Option<u8>,
    pub(super) lock_memory: bool,
}

impl Plan {
    /// What a worker gets: of its nodes' priorities the highest.
    pub(super) fn realtime(&self, worker: usize, graph: &Graph) -> Wanted {
        let nodes = self.nodes.iter().zip(&graph.nodes).filter(|(node, _)| node.worker == worker);
        let own = nodes.filter_map(|(_, spec)| spec.priority).max();
        Wanted { priority: own.or(graph.realtime.priority), lock_memory: graph.realtime.lock_memory }
    }
}

impl Wanted {
    /// Takes it, in the worker. What is refused is said (once, not by every incarnation) and done without.
    pub(super) fn take(self, worker: &str, is_first: bool) {
        let say = |what: &str, error: &io::Error, limit: &str| {
            if is_first {
                log::warn!("worker `{worker}`: {what}: {error}; it works without. {}", advice(limit));
            }
        };
        if let Some(priority) = self.priority {
            if let Err(error) = sched::set_fifo(priority) {
                say(&format!("no real-time priority {priority}"), &error, "LimitRTPRIO=99");
            }
        }
        if self.lock_memory {
            if let Err(error) = sched::lock_memory() {
                say("its memory is not locked", &error, "LimitMEMLOCK=infinity");
            }
        }
    }
}

/// The supervisor must be able to run when a worker spins: one above the highest of them.
pub(super) fn raise_supervisor(workers: &[Wanted]) {
    let Some(highest) = workers.iter().filter_map(|worker| worker.priority).max() else { return };
    if let Err(error) = sched::set_fifo(highest.saturating_add(1).min(99)) {
        log::warn!("the supervisor has no real-time priority: {error}. {}", advice("LimitRTPRIO=99"));
    }
}

/// What mends a refusal.
fn advice(limit: &str) -> String {
    let program = std::env::current_exe().map_or_else(|_| "pinring".into(), |path| path.display().to_string());
    format!(
        "To allow it: {}   (in a unit: {limit}, or AmbientCapabilities=CAP_SYS_NICE \
         CAP_IPC_LOCK)",
        sched::setcap(&program)
    )
}
