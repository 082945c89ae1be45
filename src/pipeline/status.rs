//! What a running system looks like at a moment: read from the segment, disturbing nobody.

use super::emitter::Counters;
use super::regions::cell_size;
use super::system::System;
use crate::prim::{AtomicU64, Ordering, fence};
use crate::ring::{Cells, IntentWords, LaneWords};
use crate::shm::SharedRef;
use crate::topology::Role;
use crate::trace::{HistogramWords, Summary};

/// One node at a moment.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: &'static str,
    /// What it does.
    pub role: Role,
    /// Its worker.
    pub worker: usize,
    /// What it has done since its first start.
    pub counters: Counters,
    /// Age of messages when it had handled them, since they arrived from outside.
    pub age: Summary,
    /// Time from the emission by the node before to this node's commit.
    pub hop: Summary,
    /// Messages waiting in its inputs.
    pub lag: u64,
    /// Messages dropped on its inputs by the edges' overflow policies.
    pub dropped: u64,
    /// Whether it has ended for good.
    pub finished: bool,
}

/// One edge at a moment. What was published is consumed, skipped or waiting: `published = consumed + skipped + waiting`.
#[derive(Clone, Copy, Debug)]
pub struct EdgeStatus {
    /// Index of the producing node.
    pub from: usize,
    /// Index of the consuming node.
    pub to: usize,
    /// Messages that reached the ring.
    pub published: u64,
    /// Messages the consumer has handled.
    pub consumed: u64,
    /// Messages dropped by the overflow policy: not stored, or overwritten unread.
    pub dropped: u64,
    /// Messages waiting.
    pub waiting: u64,
}

/// One worker at a moment.
#[derive(Clone, Debug)]
pub struct WorkerStatus {
    /// Its name.
    pub name: String,
    /// The core it is pinned to.
    pub core: usize,
    /// Its pid while it lives.
    pub pid: Option<i32>,
    /// How often it was started again.
    pub restarts: u64,
    /// When its latest incarnation was ready, CLOCK_MONOTONIC in ns.
    pub ready_at_ns: Option<u64>,
}

/// The system at a moment. Each node's counters are consistent in themselves; different nodes are seen at slightly
/// different times.
#[derive(Clone, Debug)]
pub struct Status {
    /// The nodes, as in the graph.
    pub nodes: Vec<NodeStatus>,
    /// The edges, as in the plan.
    pub edges: Vec<EdgeStatus>,
    /// The workers.
    pub workers: Vec<WorkerStatus>,
}

impl System {
    /// Looks at everything.
    pub fn status(&self) -> Status {
        let edges: Vec<EdgeStatus> = (0..self.plan.edges.len()).map(|edge| self.edge_status(edge)).collect();
        let nodes = (0..self.plan.nodes.len()).map(|node| self.node_status(node, &edges)).collect();
        let workers = self.plan.workers.iter().zip(&self.words).map(|(worker, words)| WorkerStatus {
            name: worker.name.clone(),
            core: worker.core,
            pid: words.pid(),
            restarts: words.incarnation().saturating_sub(1),
            ready_at_ns: words.ready_at(),
        });
        Status { nodes, edges, workers: workers.collect() }
    }

    pub(super) fn edge_status(&self, edge: usize) -> EdgeStatus {
        let planned = &self.plan.edges[edge];
        let words: SharedRef<LaneWords> = self.segment.shared(self.regions.lanes[edge].words);
        let read = |word: &AtomicU64| {
            // ORDER(counts): Acquire, so that of two words the one read first is not the younger.
            word.load(Ordering::Acquire)
        };
        let (skipped, head) = (read(&words.consumer.0.skipped), read(&words.consumer.0.head));
        let (tail, dropped) = (read(&words.producer.0.tail), read(&words.producer.0.dropped));
        EdgeStatus {
            from: planned.from,
            to: planned.to,
            published: tail,
            consumed: head.saturating_sub(skipped),
            dropped: dropped.saturating_add(skipped),
            waiting: tail.saturating_sub(head),
        }
    }

    fn node_status(&self, node: usize, edges: &[EdgeStatus]) -> NodeStatus {
        let (planned, regions) = (&self.plan.nodes[node], self.regions.nodes[node]);
        let histogram = |at| -> Summary {
            let words: SharedRef<HistogramWords> = self.segment.shared(at);
            words.summary()
        };
        let inputs = || planned.inputs.iter().map(|edge| &edges[*edge]);
        // A worker gone mad may have written any of them.
        let sum = |of: fn(&EdgeStatus) -> u64| inputs().map(of).fold(0, u64::saturating_add);
        let (lag, dropped) = (sum(|edge| edge.waiting), sum(|edge| edge.dropped));
        let intent: SharedRef<IntentWords> = self.segment.shared(regions.intent);
        NodeStatus {
            name: planned.name.clone(),
            kind: planned.kind,
            role: planned.role,
            worker: planned.worker,
            counters: self.counters(node, &intent),
            age: histogram(regions.age),
            hop: histogram(regions.hop),
            lag,
            dropped,
            // ORDER(step): Acquire; a target of the same commit as the step.
            finished: intent.finished.load(Ordering::Acquire) != 0,
        }
    }

    /// The committed counters: a seqlock whose sequence is the step number.
    fn counters(&self, node: usize, intent: &IntentWords) -> Counters {
        let cells = Cells::new(&self.segment, self.regions.nodes[node].cells, cell_size(&self.plan.nodes[node]));
        let mut words = [0; size_of::<Counters>() / 8];
        loop {
            // ORDER(step): Acquire, the cell's content of that step after it; pairs with the commit's Release.
            let step = intent.step.load(Ordering::Acquire);
            cells.observe(step, &mut words);
            // ORDER(step): the cell is written again only after the next commit, whose step number the Relaxed load behind the
            // Acquire fence would then see.
            fence(Ordering::Acquire);
            if intent.step.load(Ordering::Relaxed) == step {
                return bytemuck::cast(words);
            }
        }
    }
}
