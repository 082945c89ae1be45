//! What a running system looks like at a moment: read from the segment, disturbing nobody.

use super::emitter::Counters;
use super::regions::cell_size;
use super::system::System;
use crate::prim::{Ordering, fence};
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
    /// The workers.
    pub workers: Vec<WorkerStatus>,
}

impl System {
    /// Looks at everything.
    pub fn status(&self) -> Status {
        let nodes = (0..self.plan.nodes.len()).map(|node| self.node_status(node)).collect();
        let workers = self.plan.workers.iter().zip(&self.words).map(|(worker, words)| WorkerStatus {
            name: worker.name.clone(),
            core: worker.core,
            pid: words.pid(),
            restarts: words.incarnation().saturating_sub(1),
            ready_at_ns: words.ready_at(),
        });
        Status { nodes, workers: workers.collect() }
    }

    fn node_status(&self, node: usize) -> NodeStatus {
        let (planned, regions) = (&self.plan.nodes[node], self.regions.nodes[node]);
        let histogram = |at| -> Summary {
            let words: SharedRef<HistogramWords> = self.segment.shared(at);
            words.summary()
        };
        let (mut lag, mut dropped) = (0, 0);
        for edge in &planned.inputs {
            let words: SharedRef<LaneWords> = self.segment.shared(self.regions.lanes[*edge].words);
            // ORDER(counts): Relaxed; a picture. The head first, so that it cannot seem to be ahead of the tail.
            let head = words.consumer.0.head.load(Ordering::Relaxed);
            let tail = words.producer.0.tail.load(Ordering::Relaxed);
            lag += tail.saturating_sub(head);
            // ORDER(counts): Relaxed; a picture.
            dropped += words.producer.0.dropped.load(Ordering::Relaxed);
            dropped += words.consumer.0.skipped.load(Ordering::Relaxed);
        }
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
            // ORDER(finished): Acquire; pairs with the node's end.
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

    /// The files that sink `node` has written so far.
    pub fn files(&self, node: usize) -> Vec<std::path::PathBuf> {
        let (_, super::NodeKind::Sink(sink)) = &self.nodes[node] else { return Vec::new() };
        let cells = Cells::new(&self.segment, self.regions.nodes[node].cells, cell_size(&self.plan.nodes[node]));
        let intent: SharedRef<IntentWords> = self.segment.shared(self.regions.nodes[node].intent);
        let mut words = vec![0; cell_size(&self.plan.nodes[node]) / 8];
        // ORDER(step): Acquire; the system has stopped or is looked at by chance, see `counters`.
        cells.observe(intent.step.load(Ordering::Acquire), &mut words);
        sink.files(&bytemuck::cast_slice(&words)[size_of::<Counters>()..])
    }
}
