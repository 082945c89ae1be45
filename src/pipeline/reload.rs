//! A new configuration for a running system.
//!
//! If only options of nodes changed, so that rings and states are laid out as before, those nodes are replaced while their worker is
//! restarted, and nobody else notices. Otherwise all workers stop between two steps, a new segment is made, what did not change is moved
//! into it (positions, messages under way, states), and all start again: nothing is lost of what is still there, and ports stay open.

use std::path::PathBuf;

use super::core::Core;
use super::graph::{Graph, NodeSpec};
use super::heritage::Estate;
use super::plan::{Plan, PlannedEdge};
use super::regions::cell_size;
use super::system::{SetupError, System};
use crate::prim::Ordering;
use crate::ring::{Cells, IntentWords, LaneWords, Slots};
use crate::shm::SharedRef;
use crate::supervisor::Crew;

/// Reads the configuration again; an error is a text for people that shows the place in the file.
pub type ConfigReader = Box<dyn FnMut() -> Result<(Graph, Plan), String>>;

/// What is to happen once the workers have stopped between two steps.
pub enum Leave {
    /// This graph goes on instead: [`System::give_way`].
    Reload(Box<(Graph, Plan)>),
    /// This program takes over.
    Upgrade(PathBuf),
}

/// What a new configuration means for the running system.
pub(super) enum Change {
    /// Nothing that it would notice.
    Nothing,
    /// These nodes are others; their workers are to be restarted.
    Nodes(Vec<(usize, NodeSpec)>),
    /// Everything is laid out anew.
    All(Box<(Graph, Plan)>),
}

fn same_edge(one: &PlannedEdge, other: &PlannedEdge) -> bool {
    let key = |edge: &PlannedEdge| (edge.from, edge.to, edge.depth, edge.slot_size, edge.overflow, edge.crosses);
    key(one) == key(other)
}

impl System {
    /// What `graph`, planned as `plan`, changes.
    pub(super) fn compare(&self, graph: Graph, mut plan: Plan) -> Change {
        let old = &self.plan;
        let changed = |node: usize| graph.nodes.get(node).map(|node| &node.text) != self.texts.get(node);
        for (edge, before) in plan.edges.iter_mut().zip(&old.edges) {
            // A ring that its author did not ask to be smaller may stay as it is.
            if edge.to == before.to && edge.depth < before.depth && !changed(edge.to) {
                edge.depth = before.depth;
            }
        }
        let layout = plan.regions(None).map(|regions| regions.layout.hash());
        let names = graph.nodes.iter().map(|node| node.name.as_str());
        let same = layout.is_ok_and(|hash| hash == self.regions.layout.hash())
            && names.eq(self.nodes.iter().map(|(name, _)| name.as_str()))
            && plan.policy == old.policy
            && (plan.hang, plan.spare) == (old.hang, old.spare)
            && plan
                .workers
                .iter()
                .map(|worker| (&worker.name, worker.core, &worker.nodes))
                .eq(old.workers.iter().map(|worker| (&worker.name, worker.core, &worker.nodes)))
            && plan.nodes.iter().map(|node| &node.schema).eq(old.nodes.iter().map(|node| &node.schema))
            && plan.edges.len() == old.edges.len()
            && plan.edges.iter().zip(&old.edges).all(|(one, other)| same_edge(one, other))
            && plan.waits == old.waits
            && (0..plan.workers.len()).all(|worker| plan.realtime(worker, &graph) == self.realtime[worker]);
        if !same {
            return Change::All(Box::new((graph, plan)));
        }
        let changed = graph.nodes.into_iter().enumerate().filter(|(node, spec)| spec.text != self.texts[*node]);
        let changed: Vec<(usize, NodeSpec)> = changed.collect();
        if changed.is_empty() { Change::Nothing } else { Change::Nodes(changed) }
    }

    /// Puts the nodes of a new configuration in place. Their worker does not run.
    pub(super) fn change(&mut self, worker: usize) -> bool {
        let (own, others) = std::mem::take(&mut self.changes)
            .into_iter()
            .partition(|(node, _): &(usize, NodeSpec)| self.plan.nodes[*node].worker == worker);
        self.changes = others;
        let own: Vec<(usize, NodeSpec)> = own;
        let any = !own.is_empty();
        for (node, spec) in own {
            let (mut kind, name) = (spec.kind, spec.name);
            if let Err(error) = kind.prepare() {
                log::error!("node `{name}`: cannot be prepared: {error}; it goes on as it was");
                continue;
            }
            // A port opened for other settings is another port.
            self.keep_port(node, None);
            self.forget_state(node);
            self.texts[node] = spec.text;
            self.nodes[node].1 = kind;
            log::info!("node `{name}` works by its new configuration");
        }
        if any {
            self.deposit();
        }
        any
    }

    /// The state of other options means nothing; what was counted stays.
    fn forget_state(&mut self, node: usize) {
        let mut core = Core::recover(&self.plan, &self.regions, &self.segment, node);
        core.committed_state().fill(0);
    }

    /// Makes the system of the new graph that goes on where this one stopped: ports, states and messages of what did not change are
    /// moved. Says how many messages were left behind, because nobody reads them any more.
    ///
    /// # Errors
    /// If it cannot be set up; this system is unchanged then and can go on.
    pub fn give_way(&mut self, graph: Graph, plan: Plan) -> Result<(System, u64), SetupError> {
        let stays = |old: usize, new: usize| {
            let (before, after) = (&self.plan.nodes[old], &plan.nodes[new]);
            before.name == after.name
                && self.texts[old] == graph.nodes[new].text
                && before.schema == after.schema
                && before.state_size == after.state_size
                && before.inputs.len() == after.inputs.len()
        };
        let pairs: Vec<(usize, usize)> = (0..self.plan.nodes.len())
            .filter_map(|old| (0..plan.nodes.len()).find(|new| stays(old, *new)).map(|new| (old, new)))
            .collect();
        let mut heirlooms = Vec::new();
        for (name, fd) in self.heirlooms() {
            // The segment is no node's.
            let Some((node, _)) = name.rsplit_once('.') else { continue };
            if pairs.iter().any(|(old, _)| self.nodes[*old].0 == node) {
                heirlooms.push((name, fd.try_clone_to_owned().map_err(SetupError::Descriptor)?));
            }
        }
        self.leave_nothing();
        let notify = std::rc::Rc::clone(&self.notify);
        let (mut next, _) =
            Self::found(graph, plan, Estate::of_ours(heirlooms), notify).inspect_err(|_| self.deposit())?;
        (next.reader, next.control, next.origin) = (self.reader.take(), self.control.take(), self.origin.take());
        let mut left: u64 = (0..self.plan.edges.len()).map(|edge| self.edge_status(edge).waiting).sum();
        for (old, new) in &pairs {
            left -= self.move_node(&mut next, *old, *new, &pairs);
        }
        Ok((next, left))
    }

    /// Moves a node's state and the rings it reads; how many messages were in these.
    fn move_node(&self, next: &mut System, old: usize, new: usize, pairs: &[(usize, usize)]) -> u64 {
        // Finishes a step that was being committed.
        drop(Core::recover(&self.plan, &self.regions, &self.segment, old));
        let size = cell_size(&self.plan.nodes[old]);
        let before = Cells::new(&self.segment, self.regions.nodes[old].cells, size);
        let mut after = Cells::new(&next.segment, next.regions.nodes[new].cells, size);
        let from: SharedRef<IntentWords> = self.segment.shared(self.regions.nodes[old].intent);
        let to: SharedRef<IntentWords> = next.segment.shared(next.regions.nodes[new].intent);
        // ORDER(step): Relaxed; nobody works in either system.
        let step = from.step.load(Ordering::Relaxed);
        let mut words = vec![0; size / 8];
        before.observe(step, &mut words);
        after.committed(step).copy_from_slice(bytemuck::cast_slice(&words));
        // ORDER(step): Relaxed, as above.
        to.step.store(step, Ordering::Relaxed);
        // ORDER(step): Relaxed, as above.
        to.finished.store(from.finished.load(Ordering::Relaxed), Ordering::Relaxed);
        let mut moved = 0;
        for edge in &next.plan.nodes[new].inputs {
            let wanted = &next.plan.edges[*edge];
            let same = |edge: &&usize| {
                let edge = &self.plan.edges[**edge];
                edge.to == old && edge.slot_size == wanted.slot_size && pairs.contains(&(edge.from, wanted.from))
            };
            if let Some(source) = self.plan.nodes[old].inputs.iter().find(same) {
                moved += self.move_lane(next, *source, *edge);
            }
        }
        moved
    }

    fn move_lane(&self, next: &System, old: usize, new: usize) -> u64 {
        let status = self.edge_status(old);
        let (before, after) = (&self.plan.edges[old], &next.plan.edges[new]);
        let view = |system: &System, edge: usize, depth: u64| {
            let slots = Slots::new(&system.segment, system.regions.lanes[edge].slots, depth, before.slot_size);
            (system.segment.shared::<LaneWords>(system.regions.lanes[edge].words), slots)
        };
        let ((from, source), (to, mut target)) = (view(self, old, before.depth), view(next, new, after.depth));
        let tail = status.published;
        // A smaller ring holds the newest; the others are counted as dropped.
        let kept = status.waiting.min(after.depth);
        let mut slot = vec![0u64; before.slot_size / 8];
        for position in tail.wrapping_sub(kept)..tail {
            source.copy_racing(position, bytemuck::cast_slice_mut(&mut slot));
            target.write(position, bytemuck::cast_slice(&slot));
        }
        // ORDER(counts): Relaxed, all of these; nobody works in either system.
        let read = |word: &crate::prim::AtomicU64| word.load(Ordering::Relaxed);
        // ORDER(counts): Relaxed, as above.
        let write = |word: &crate::prim::AtomicU64, value: u64| word.store(value, Ordering::Relaxed);
        let (producer, consumer) = ((&from.producer.0, &to.producer.0), (&from.consumer.0, &to.consumer.0));
        write(&producer.1.tail, tail);
        write(&producer.1.reserved, tail);
        write(&producer.1.dropped, read(&producer.0.dropped));
        write(&producer.1.closed, read(&producer.0.closed));
        write(&consumer.1.head, tail.wrapping_sub(kept));
        let skipped = read(&consumer.0.skipped) + (status.waiting - kept);
        write(&consumer.1.skipped, skipped);
        write(&consumer.1.skip_base, skipped);
        write(&consumer.1.skip_to, tail.wrapping_sub(kept));
        status.waiting
    }
}
