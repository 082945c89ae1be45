//! A worker gone mad: who it is, and what becomes of its words.
//!
//! A worker checks what its neighbours claim. If a claim cannot be meant, it tells the supervisor which ring it is and ends. The other end of
//! that ring is ended, too, and so that nobody is in the middle of a step while words are put right, its neighbours stop between two steps.
//! Then everything the mad one may have written is set to what its neighbours know: its rings hold nothing, its nodes start afresh.

use std::ops::Range;

use super::core::{Core, Damaged};
use super::plan::Plan;
use super::regions::cell_size;
use super::system::System;
use crate::prim::{AtomicU64, Ordering};
use crate::process::WorkerWords;
use crate::ring::{Cells, IntentWords, LaneWords};
use crate::shm::SharedRef;
use crate::supervisor::Fenced;
use crate::trace::{FlightWords, SLOT_COUNT, SLOT_SIZE};

/// The ring that an error of a worker is about.
pub(super) fn damaged_edge(error: &std::io::Error) -> Option<usize> {
    Some(error.get_ref()?.downcast_ref::<Damaged>()?.edge)
}

/// Workers that share a ring with `worker`, a bit each.
fn neighbours(plan: &Plan, worker: usize) -> u64 {
    let at = |node: usize| plan.nodes[node].worker;
    let across = plan.edges.iter().filter(|edge| edge.crosses);
    let others = across.filter_map(|edge| match (at(edge.from), at(edge.to)) {
        (from, to) if from == worker => Some(to),
        (from, to) if to == worker => Some(from),
        _ => None,
    });
    others.filter(|other| *other < 64).fold(0, |bits, other| bits | 1 << other)
}

fn zero(word: &AtomicU64) {
    set(word, 0);
}

fn set(word: &AtomicU64, value: u64) {
    // ORDER(fence): Relaxed; those who read it have ended or are not born yet.
    word.store(value, Ordering::Relaxed);
}

impl System {
    /// `by` says that the other end of `edge` has gone mad.
    pub(super) fn accuse(&mut self, by: usize, edge: usize) -> Option<Fenced> {
        let planned = self.plan.edges.get(edge)?;
        let (from, to) = (self.plan.nodes[planned.from].worker, self.plan.nodes[planned.to].worker);
        // Only who is at the ring can say so.
        let worker = match by {
            _ if from == by => to,
            _ if to == by => from,
            _ => return None,
        };
        if !self.mad.contains(&worker) {
            self.mad.push(worker);
        }
        Some(Fenced { worker, neighbours: neighbours(&self.plan, worker) })
    }

    /// Puts right what mad workers left, as soon as they and their neighbours have ended; nobody of them was started since.
    pub(super) fn mend(&mut self) {
        let mad = std::mem::take(&mut self.mad);
        for worker in mad {
            let bits = neighbours(&self.plan, worker) | 1 << worker.min(63);
            let alive = (0..self.words.len().min(64)).any(|other| bits & (1 << other) != 0 && self.alive[other]);
            if alive {
                // Its turn comes when the last of them has ended.
                self.mad.push(worker);
            } else {
                self.start_afresh(worker);
            }
        }
    }

    fn start_afresh(&self, worker: usize) {
        let own = |node: &usize| self.plan.nodes[*node].worker == worker;
        let nodes = || (0..self.plan.nodes.len()).filter(own);
        for node in nodes() {
            let regions = self.regions.nodes[node];
            let intent: SharedRef<IntentWords> = self.segment.shared(regions.intent);
            intent.reset();
            let mut cells = Cells::new(&self.segment, regions.cells, cell_size(&self.plan.nodes[node]));
            (0..2).for_each(|step| cells.committed(step).fill(0));
            zero(&self.asks[node]);
        }
        // What the neighbours had begun to commit was checked by them: it is brought to its end before their positions are believed.
        for node in (0..self.plan.nodes.len()).filter(|node| !own(node)) {
            if self.plan.nodes[node].worker < 64
                && neighbours(&self.plan, worker) & (1 << self.plan.nodes[node].worker) != 0
            {
                drop(Core::recover(&self.plan, &self.regions, &self.segment, node));
            }
        }
        for (edge, planned) in self.plan.edges.iter().enumerate() {
            let words: SharedRef<LaneWords> = self.segment.shared(self.regions.lanes[edge].words);
            let (producer, consumer) = (&words.producer.0, &words.consumer.0);
            // ORDER(fence): Relaxed, both; nobody works there.
            let (tail, head) = (producer.tail.load(Ordering::Relaxed), consumer.head.load(Ordering::Relaxed));
            let position = match (own(&planned.from), own(&planned.to)) {
                (false, false) => continue,
                (true, true) => 0,
                (true, false) => head,
                (false, true) => tail,
            };
            if own(&planned.from) {
                [&producer.tail, &producer.reserved].into_iter().for_each(|word| set(word, position));
                [&producer.dropped, &producer.closed, &words.space_at.0].into_iter().for_each(zero);
            }
            if own(&planned.to) {
                [&consumer.head, &consumer.skip_to].into_iter().for_each(|word| set(word, position));
                [&consumer.skipped, &consumer.skip_base, &consumer.closed, &words.data_at.0].into_iter().for_each(zero);
            }
        }
    }

    /// The parts of the segment that a worker's own code may write: its positions, slots, states, records. For tests that write garbage
    /// there.
    #[doc(hidden)]
    pub fn writable_by(&self, worker: usize) -> Vec<Range<usize>> {
        let own = |node: usize| self.plan.nodes[node].worker == worker;
        let mut all = Vec::new();
        let mut add = |at: crate::shm::Offset, size: usize| all.push(at.bytes()..at.bytes() + size);
        for node in (0..self.plan.nodes.len()).filter(|node| own(*node)) {
            let regions = self.regions.nodes[node];
            add(regions.intent, size_of::<IntentWords>());
            add(regions.cells, 2 * cell_size(&self.plan.nodes[node]));
            add(regions.age, size_of::<crate::trace::HistogramWords>());
            add(regions.hop, size_of::<crate::trace::HistogramWords>());
        }
        for (edge, planned) in self.plan.edges.iter().enumerate() {
            let lane = self.regions.lanes[edge];
            if own(planned.from) {
                add(lane.words, std::mem::offset_of!(LaneWords, consumer));
                add(lane.words.plus(std::mem::offset_of!(LaneWords, space_at)), 8);
                add(lane.slots, usize::try_from(planned.depth).unwrap_or(0) * planned.slot_size);
            }
            if own(planned.to) {
                let (from, to) = (std::mem::offset_of!(LaneWords, consumer), std::mem::offset_of!(LaneWords, space_at));
                add(lane.words.plus(from), to - from);
                add(lane.words.plus(std::mem::offset_of!(LaneWords, data_at)), 8);
            }
        }
        add(self.regions.flights[worker], size_of::<FlightWords>());
        add(self.regions.workers[worker].plus(std::mem::offset_of!(WorkerWords, pulse)), 8);
        let log = self.regions.logs[worker];
        add(log.words, std::mem::offset_of!(LaneWords, consumer));
        add(log.slots, SLOT_SIZE * usize::try_from(SLOT_COUNT).unwrap_or(0));
        all
    }
}
