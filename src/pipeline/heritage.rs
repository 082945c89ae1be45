//! What outlives a supervisor: the segment, the pipes that hold bytes not yet committed, and the open ports. Its successor takes them up
//! and goes on where every step stood.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::core::Core;
use super::graph::{Graph, NodeKind};
use super::plan::Plan;
use super::regions::Regions;
use super::system::System;
use crate::prim::{AtomicU64, Ordering};
use crate::ring::LaneWords;

use crate::shm::{Access, Comfort, Layout, RegionKind, Segment, SegmentError, SharedRef, fnv1a};

/// Name of the segment among the heirlooms; no node is called so, because nodes' names are followed by a dot.
const SEGMENT: &str = "segment";
/// Name of a kept port, after the node's.
const PORT: &str = "port";

/// What became of what a former supervisor left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Inheritance {
    /// There was nothing.
    #[default]
    Nothing,
    /// This system goes on where that one stood.
    Taken {
        /// Messages that were under way.
        waiting: u64,
    },
    /// It does not fit, and this system starts afresh.
    Refused {
        /// Why.
        why: String,
        /// Messages that were under way in it, and are lost.
        lost: u64,
    },
}

/// What a former supervisor left, sorted.
#[derive(Debug, Default)]
pub(super) struct Estate {
    pub(super) segment: Option<OwnedFd>,
    /// What the nodes get is known to be theirs, whatever becomes of the segment.
    pub(super) is_ours: bool,
    /// By node: the port, and what else it left.
    nodes: Vec<(String, String, OwnedFd)>,
}

impl Estate {
    pub(super) fn new(heirlooms: Vec<(String, OwnedFd)>) -> Self {
        let mut estate = Self::default();
        for (name, fd) in heirlooms {
            match name.rsplit_once('.') {
                None if name == SEGMENT => estate.segment = Some(fd),
                Some((node, what)) => estate.nodes.push((node.to_owned(), what.to_owned(), fd)),
                // Not ours: closed.
                None => {}
            }
        }
        estate
    }

    /// What nodes are known to have left for those of the same name.
    pub(super) fn of_ours(heirlooms: Vec<(String, OwnedFd)>) -> Self {
        Self { is_ours: true, ..Self::new(heirlooms) }
    }

    /// What was left for a node: its port, and the rest.
    pub(super) fn take(&mut self, node: &str) -> (Option<OwnedFd>, Vec<(String, OwnedFd)>) {
        let (own, others) = std::mem::take(&mut self.nodes).into_iter().partition(|(name, ..)| name == node);
        self.nodes = others;
        let own: Vec<(String, String, OwnedFd)> = own;
        let (mut port, mut rest) = (None, Vec::new());
        for (_, what, fd) in own {
            if what == PORT {
                port = Some(fd);
            } else {
                rest.push((what, fd));
            }
        }
        (port, rest)
    }
}

/// A number for what the graph's author wrote: of another text the state may mean something else.
fn identity(graph: &Graph) -> u64 {
    let texts = graph.nodes.iter().flat_map(|node| [node.name.as_str(), "\0", node.text.as_str(), "\0"]);
    fnv1a(texts.flat_map(str::bytes))
}

/// The former segment, if there is one and it is that of this plan; else a new one.
pub(super) fn segment(
    estate: &mut Estate,
    graph: &Graph,
    plan: &Plan,
    regions: &Regions,
) -> Result<(Segment, Inheritance), SegmentError> {
    let identity = identity(graph);
    let mut inheritance = Inheritance::Nothing;
    if let Some(fd) = estate.segment.take() {
        match take_up(fd, plan, regions, identity) {
            Ok((segment, waiting)) => return Ok((segment, Inheritance::Taken { waiting })),
            Err(refused) => inheritance = refused,
        }
    }
    // No first touch of a page shall cost a fault later; a refusal of the lock is said by the workers.
    let comfort = Comfort { prefault: graph.realtime.lock_memory, ..Comfort::default() };
    let segment = Segment::create_with(&regions.layout, comfort)?;
    let word: SharedRef<AtomicU64> = segment.shared(regions.identity);
    // ORDER(identity): Relaxed; nobody else knows the segment yet.
    word.store(identity, Ordering::Relaxed);
    Ok((segment, inheritance))
}

/// Takes up a former segment.
fn take_up(fd: OwnedFd, plan: &Plan, regions: &Regions, identity: u64) -> Result<(Segment, u64), Inheritance> {
    let refused = |why: String, lost| Inheritance::Refused { why, lost };
    let (segment, layout) = Segment::attach(fd, Access::Full).map_err(|error| refused(error.to_string(), 0))?;
    let lost = under_way(&segment, &layout);
    if layout.hash() != regions.layout.hash() {
        return Err(refused("its rings and states are laid out otherwise".into(), lost));
    }
    let word: SharedRef<AtomicU64> = segment.shared(regions.identity);
    // ORDER(identity): Relaxed; written long ago.
    if word.load(Ordering::Relaxed) != identity {
        return Err(refused("it is of another configuration".into(), lost));
    }
    let finished = (0..plan.nodes.len()).all(|node| Core::recover(plan, regions, &segment, node).is_finished());
    if finished {
        return Err(refused("all of its nodes had ended".into(), lost));
    }
    Ok((segment, lost))
}

/// Messages in all rings of a segment of any layout; a ring that makes no sense counts as empty.
fn under_way(segment: &Segment, layout: &Layout) -> u64 {
    let lanes = layout.entries().iter().filter(|entry| entry.kind == RegionKind::LaneWords);
    let waiting = lanes.filter(|entry| entry.size == size_of::<LaneWords>()).map(|entry| {
        let words: SharedRef<LaneWords> = segment.shared(entry.offset);
        // ORDER(counts): Acquire; nobody writes any more.
        let (tail, head) = (&words.producer.0.tail, &words.consumer.0.head);
        tail.load(Ordering::Acquire).saturating_sub(head.load(Ordering::Acquire))
    });
    waiting.fold(0, u64::saturating_add)
}

impl System {
    /// What a successor needs to go on here, by name: the segment, the sources' pipes, the open ports.
    pub fn heirlooms(&self) -> Vec<(String, BorrowedFd<'_>)> {
        let mut all = vec![(SEGMENT.to_owned(), self.segment.as_fd())];
        for (node, (name, kind)) in self.nodes.iter().enumerate() {
            if let NodeKind::Source(source) = kind {
                all.extend(source.heirlooms().into_iter().map(|(what, fd)| (format!("{name}.{what}"), fd)));
            }
            if let Some(port) = &self.kept[node] {
                all.push((format!("{name}.{PORT}"), port.as_fd()));
            }
        }
        all
    }

    /// There will be no successor: the service manager forgets what it kept.
    pub fn leave_nothing(&self) {
        for (name, _) in self.heirlooms() {
            self.notify.forget(&name);
        }
    }

    /// A source keeps (or lets go of) its port.
    pub(super) fn keep_port(&mut self, node: usize, port: Option<OwnedFd>) {
        let (name, kind) = &mut self.nodes[node];
        let NodeKind::Source(source) = kind else { return };
        let name = format!("{name}.{PORT}");
        self.notify.forget(&name);
        if let Some(port) = &port {
            self.notify.store(&name, port.as_fd());
        }
        // Two descriptors of one open file: the source's, and ours to hand over.
        self.kept[node] = port.as_ref().and_then(|port| port.try_clone().ok());
        source.adopt(port);
    }
}
