//! Where everything of a plan lies in the segment.

use super::emitter::Counters;
use super::graph::GraphError;
use super::plan::{Plan, PlannedEdge, PlannedNode};
use crate::prim::AtomicU64;
use crate::process::WorkerWords;
use crate::ring::{IntentWords, LaneWords};
use crate::shm::{Layout, LayoutError, Offset, RegionKind};
use crate::trace::{FlightWords, HistogramWords, SLOT_COUNT, SLOT_SIZE};

/// Bytes of one of a node's two cells: counters, then state, rounded up to a cache line.
pub(super) fn cell_size(node: &PlannedNode) -> usize {
    size_of::<Counters>() + node.state_size.next_multiple_of(64)
}

/// Regions of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeRegions {
    pub(super) intent: Offset,
    pub(super) cells: Offset,
    /// Age of messages when the node has handled them, since they arrived from outside.
    pub(super) age: Offset,
    /// Time from the emission by the node before to the commit of this one.
    pub(super) hop: Offset,
    /// Not zero: somebody has stopped the node.
    pub(super) ask: Offset,
}

/// Words and slots of a lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneRegions {
    pub(super) words: Offset,
    pub(super) slots: Offset,
}

/// All regions of a plan.
#[derive(Clone, Debug)]
pub(super) struct Regions {
    pub(super) layout: Layout,
    /// A word that says which graph this is.
    pub(super) identity: Offset,
    pub(super) workers: Vec<Offset>,
    pub(super) flights: Vec<Offset>,
    pub(super) logs: Vec<LaneRegions>,
    pub(super) nodes: Vec<NodeRegions>,
    pub(super) lanes: Vec<LaneRegions>,
}

fn index(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

impl Regions {
    fn reserve(plan: &Plan) -> Result<Self, (Option<usize>, LayoutError)> {
        let mut layout = Layout::default();
        let (mut workers, mut flights, mut logs) = (Vec::new(), Vec::new(), Vec::new());
        let small = |error| (None, error);
        let identity = layout.reserve(RegionKind::Words, 0, size_of::<AtomicU64>()).map_err(small)?;
        for worker in 0..plan.workers.len() {
            let worker = index(worker);
            workers.push(layout.reserve(RegionKind::Worker, worker, size_of::<WorkerWords>()).map_err(small)?);
            flights.push(layout.reserve(RegionKind::Flight, worker, size_of::<FlightWords>()).map_err(small)?);
            let slots = SLOT_SIZE * usize::try_from(SLOT_COUNT).unwrap_or(0);
            logs.push(LaneRegions {
                words: layout.reserve(RegionKind::LogWords, worker, size_of::<LaneWords>()).map_err(small)?,
                slots: layout.reserve(RegionKind::LogSlots, worker, slots).map_err(small)?,
            });
        }
        let nodes = plan.nodes.iter().enumerate().map(|(node, planned)| {
            let histogram = size_of::<HistogramWords>();
            Ok(NodeRegions {
                intent: layout.reserve(RegionKind::Intent, index(node), size_of::<IntentWords>())?,
                cells: layout.reserve(RegionKind::Cells, index(node), 2 * cell_size(planned))?,
                age: layout.reserve(RegionKind::Histogram, index(node), histogram)?,
                hop: layout.reserve(RegionKind::Histogram, index(node), histogram)?,
                ask: layout.reserve(RegionKind::NodeAsk, index(node), size_of::<AtomicU64>())?,
            })
        });
        let nodes = nodes.collect::<Result<_, LayoutError>>().map_err(small)?;
        let lanes = plan
            .edges
            .iter()
            .enumerate()
            .map(|(edge, planned)| Self::lane(&mut layout, edge, planned).map_err(|error| (Some(edge), error)));
        let lanes = lanes.collect::<Result<_, _>>()?;
        Ok(Self { layout, identity, workers, flights, logs, nodes, lanes })
    }

    fn lane(layout: &mut Layout, edge: usize, planned: &PlannedEdge) -> Result<LaneRegions, LayoutError> {
        let slots = usize::try_from(planned.depth).ok().and_then(|depth| depth.checked_mul(planned.slot_size));
        Ok(LaneRegions {
            words: layout.reserve(RegionKind::LaneWords, index(edge), size_of::<LaneWords>())?,
            slots: layout.reserve(RegionKind::LaneSlots, index(edge), slots.ok_or(LayoutError)?)?,
        })
    }
}

impl Plan {
    /// Bytes of shared memory the plan takes.
    ///
    /// # Errors
    /// If that is more than `available` bytes (where that is known): names the largest ring.
    pub fn memory(&self, available: Option<u64>) -> Result<u64, GraphError> {
        Ok(self.regions(available)?.layout.size() as u64)
    }

    pub(super) fn regions(&self, available: Option<u64>) -> Result<Regions, GraphError> {
        match Regions::reserve(self) {
            Ok(regions) if available.is_none_or(|available| regions.layout.size() as u64 <= available) => Ok(regions),
            Ok(_) | Err(_) => Err(self.too_large(available)),
        }
    }

    fn too_large(&self, available: Option<u64>) -> GraphError {
        let bytes = |edge: &PlannedEdge| u128::from(edge.depth) * edge.slot_size as u128;
        let total: u128 = self.edges.iter().map(bytes).sum();
        let largest = self.edges.iter().max_by_key(|edge| bytes(edge));
        let (to, from, what) = largest.map_or((0, String::new(), String::new()), |edge| {
            let from = self.nodes[edge.from].name.clone();
            let what = format!("; the largest, from `{from}`, has {} slots of {} bytes", edge.depth, edge.slot_size);
            (edge.to, from, what)
        });
        let node = &self.nodes[to];
        let limit = available.map_or_else(String::new, |bytes| format!(", and {} MiB are available", bytes >> 20));
        let input = node.inputs.iter().position(|edge| self.nodes[self.edges[*edge].from].name == from);
        GraphError {
            node: node.name.clone(),
            index: to,
            group: None,
            key: Some("input"),
            input,
            message: format!("the rings do not fit into memory: they take {} MiB{limit}{what}", total >> 20),
            help: Some("give it a smaller depth, or the source a smaller rate".into()),
        }
    }
}
