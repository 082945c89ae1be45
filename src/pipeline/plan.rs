//! From a graph to a plan: every schema, ring and core known, nothing started.

use super::graph::{Graph, GraphError, NodeKind};
use super::node::{Input, PlanError};
use crate::message::{Header, Schema};
use crate::ring::{Overflow, Wait};
use crate::supervisor::Policy;
use crate::topology::{PlacedWorker, Request, Role, Topology, place};

/// Messages that a stage or sink takes in one step, at most.
pub(super) const BATCH: usize = 64;

/// Seconds at the rated load that a ring into a sink holds: storage stalls (an SD card for 4 to 7 s).
const SINK_SECONDS: f64 = 10.0;
/// Seconds at the rated load that any other ring holds.
const STAGE_SECONDS: f64 = 1.0;
const MIN_DEPTH: u64 = 64;
/// A slot is a whole number of cache lines.
const LINE: usize = 64;

/// A node, resolved.
#[derive(Clone, Debug)]
pub struct PlannedNode {
    /// Its name.
    pub name: String,
    /// Its type, as the configuration calls it.
    pub kind: &'static str,
    /// What it does.
    pub role: Role,
    /// What it emits; `None` for a sink.
    pub schema: Option<Schema>,
    /// Messages per second it emits at the rated load (for a sink: takes in).
    pub rate: f64,
    /// Bytes of its state.
    pub state_size: usize,
    /// Most messages it emits for one input message or one poll.
    pub max_per_step: usize,
    /// Index of its worker.
    pub worker: usize,
    /// Its input edges, in the order its author gave them.
    pub inputs: Vec<usize>,
    /// Its output edges.
    pub outputs: Vec<usize>,
}

/// An edge, resolved.
#[derive(Clone, Debug)]
pub struct PlannedEdge {
    /// Index of the producing node.
    pub from: usize,
    /// Index of the consuming node.
    pub to: usize,
    /// Slots of the ring, a power of two.
    pub depth: u64,
    /// Bytes of a slot.
    pub slot_size: usize,
    /// What happens when the ring is full.
    pub overflow: Overflow,
    /// Whether producer and consumer live in different workers.
    pub crosses: bool,
    /// Messages per second at the rated load.
    pub rate: f64,
}

impl Plan {
    /// How a worker waits: as the most awake of its nodes wishes.
    fn wait(&self, worker: usize, graph: &Graph) -> Wait {
        let nodes = self.nodes.iter().zip(&graph.nodes).filter(|(node, _)| node.worker == worker);
        nodes.filter_map(|(_, spec)| spec.wait).max_by_key(|wait| wait.alertness()).unwrap_or(graph.wait)
    }
}

impl PlannedEdge {
    /// How long the ring takes to fill at the rated load while nobody reads, in seconds; infinite at no load.
    #[expect(clippy::cast_precision_loss, reason = "a depth has far fewer than 53 bits")]
    pub fn seconds(&self) -> f64 {
        self.depth as f64 / self.rate
    }
}

/// Everything that is known before the start.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The nodes, as in the graph.
    pub nodes: Vec<PlannedNode>,
    /// The edges.
    pub edges: Vec<PlannedEdge>,
    /// The workers.
    pub workers: Vec<PlacedWorker>,
    /// The core the supervisor runs on.
    pub housekeeping: usize,
    /// Indices of the nodes in an order in which every node comes after its inputs.
    pub order: Vec<usize>,
    /// How each worker waits.
    pub waits: Vec<Wait>,
    /// Each worker's real-time priority.
    pub priorities: Vec<Option<u8>>,
    /// How the workers are supervised.
    pub policy: Policy,
    /// How long a worker's loop may not come round.
    pub hang: Option<std::time::Duration>,
    /// Whether a process is forked beforehand.
    pub spare: bool,
}

impl Graph {
    /// Resolves names, schemas, rates, rings and places. Starts nothing and opens nothing.
    ///
    /// # Errors
    /// Whatever cannot work, with the node and the option at fault.
    pub fn plan(&mut self, topology: &Topology) -> Result<Plan, GraphError> {
        let wires = self.wires()?;
        let order = self.order(&wires)?;
        let mut nodes: Vec<Option<PlannedNode>> = self.nodes.iter().map(|_| None).collect();
        for index in &order {
            let planned = self.plan_node(*index, &wires[*index], &nodes)?;
            nodes[*index] = Some(planned);
        }
        let mut nodes: Vec<PlannedNode> = nodes.into_iter().flatten().collect();
        let requests: Vec<Request> = (0..nodes.len()).map(|index| self.request(index, &nodes, &wires)).collect();
        let placement = place(topology, &requests).map_err(|error| GraphError {
            node: self.nodes[error.request].name.clone(),
            index: error.request,
            group: None,
            key: Some(error.key),
            input: None,
            message: error.message,
            help: error.help,
        })?;
        for (worker, placed) in placement.workers.iter().enumerate() {
            for node in &placed.nodes {
                nodes[*node].worker = worker;
            }
        }
        let edges = self.edges(&mut nodes, &wires)?;
        let (workers, housekeeping) = (placement.workers, placement.housekeeping);
        let policy = Policy::of_workers(workers.len());
        let (hang, spare) = (self.supervision.hang, self.supervision.spare);
        let mut plan = Plan {
            nodes,
            edges,
            workers,
            housekeeping,
            order,
            policy,
            hang,
            spare,
            waits: Vec::new(),
            priorities: Vec::new(),
        };
        plan.policy = self.policy(&plan)?;
        plan.waits = (0..plan.workers.len()).map(|worker| plan.wait(worker, self)).collect();
        plan.priorities = (0..plan.workers.len()).map(|worker| plan.realtime(worker, self).priority).collect();
        Ok(plan)
    }

    fn error(&self, index: usize, key: Option<&'static str>, message: String) -> GraphError {
        GraphError { node: self.nodes[index].name.clone(), index, group: None, key, input: None, message, help: None }
    }

    fn input_error(&self, index: usize, input: usize, message: String, help: Option<String>) -> GraphError {
        let node = self.nodes[index].name.clone();
        GraphError { node, index, group: None, key: Some("input"), input: Some(input), message, help }
    }

    /// For each node the indices of the nodes that feed it.
    fn wires(&self) -> Result<Vec<Vec<usize>>, GraphError> {
        if !self.nodes.iter().any(|node| matches!(node.kind, NodeKind::Source(_))) {
            let message = "the graph has no source, so nothing would ever happen".to_owned();
            return Err(GraphError {
                node: String::new(),
                index: 0,
                group: None,
                key: None,
                input: None,
                message,
                help: None,
            });
        }
        (0..self.nodes.len()).map(|index| self.wires_of(index)).collect()
    }

    fn wires_of(&self, index: usize) -> Result<Vec<usize>, GraphError> {
        let node = &self.nodes[index];
        if self.nodes[..index].iter().any(|earlier| earlier.name == node.name) {
            return Err(self.error(index, Some("name"), format!("two nodes are called `{}`", node.name)));
        }
        if node.inputs.is_empty() && !matches!(node.kind, NodeKind::Source(_)) {
            return Err(self.error(index, Some("input"), "it has no input; name the node that feeds it".into()));
        }
        let mut wires = Vec::with_capacity(node.inputs.len());
        for (input, edge) in node.inputs.iter().enumerate() {
            let Some(from) = self.nodes.iter().position(|other| other.name == edge.from) else {
                let known: Vec<&str> = self.nodes.iter().map(|other| other.name.as_str()).collect();
                let help = Some(format!("the nodes are: {}", known.join(", ")));
                return Err(self.input_error(index, input, format!("there is no node `{}`", edge.from), help));
            };
            if matches!(self.nodes[from].kind, NodeKind::Sink(_)) {
                let message = format!("`{}` is a sink; it gives nothing to others", edge.from);
                return Err(self.input_error(index, input, message, None));
            }
            if wires.contains(&from) {
                return Err(self.input_error(index, input, format!("`{}` is named twice", edge.from), None));
            }
            wires.push(from);
        }
        Ok(wires)
    }

    /// Kahn's algorithm; what it cannot order is in a cycle or behind one.
    fn order(&self, wires: &[Vec<usize>]) -> Result<Vec<usize>, GraphError> {
        let mut order: Vec<usize> = Vec::with_capacity(wires.len());
        while order.len() < wires.len() {
            let next = (0..wires.len())
                .find(|index| !order.contains(index) && wires[*index].iter().all(|from| order.contains(from)));
            match next {
                Some(index) => order.push(index),
                None => return Err(self.cycle(wires, &order)),
            }
        }
        Ok(order)
    }

    fn cycle(&self, wires: &[Vec<usize>], ordered: &[usize]) -> GraphError {
        let stuck = |index: &usize| !ordered.contains(index);
        // Every stuck node has a stuck input; walking them back must come round.
        let mut path = vec![(0..wires.len()).find(stuck).unwrap_or(0)];
        loop {
            let last = path[path.len() - 1];
            let Some(from) = wires[last].iter().copied().find(stuck) else { break };
            if let Some(start) = path.iter().position(|seen| *seen == from) {
                path.drain(..start);
                break;
            }
            path.push(from);
        }
        let first = path[0];
        let mut names: Vec<&str> = path.iter().rev().map(|index| self.nodes[*index].name.as_str()).collect();
        names.insert(0, &self.nodes[first].name);
        let input = wires[first].iter().position(|from| *from == path[path.len().min(2) - 1]).unwrap_or(0);
        self.input_error(first, input, format!("the nodes feed each other in a circle: {}", names.join(" -> ")), None)
    }

    fn plan_node(
        &mut self,
        index: usize,
        wires: &[usize],
        planned: &[Option<PlannedNode>],
    ) -> Result<PlannedNode, GraphError> {
        let sources: Vec<&PlannedNode> = wires.iter().filter_map(|from| planned[*from].as_ref()).collect();
        let inputs: Vec<Input<'_>> = sources
            .iter()
            .filter_map(|node| Some(Input { name: &node.name, schema: node.schema.as_ref()?, rate: node.rate }))
            .collect();
        let spec = &mut self.nodes[index];
        let name = spec.name.clone();
        let refused = |error: PlanError| GraphError {
            node: name.clone(),
            index,
            group: None,
            key: error.key,
            input: None,
            message: error.message,
            help: None,
        };
        let (role, kind) = match &spec.kind {
            NodeKind::Source(source) => (Role::Source, source.kind()),
            NodeKind::Stage(stage) => (Role::Stage, stage.kind()),
            NodeKind::Sink(sink) => (Role::Sink, sink.kind()),
        };
        let (schema, state_size, max_per_step, rate) = match &mut spec.kind {
            NodeKind::Source(source) => {
                let output = source.plan().map_err(refused)?;
                (Some(output.schema), output.state_size, output.max_per_step, output.rate)
            }
            NodeKind::Stage(stage) => {
                let output = stage.plan(&inputs).map_err(refused)?;
                (Some(output.schema), output.state_size, output.max_per_step, output.rate)
            }
            NodeKind::Sink(sink) => {
                let state_size = sink.plan(&inputs).map_err(refused)?;
                (None, state_size, 0, inputs.iter().map(|input| input.rate).sum())
            }
        };
        Ok(PlannedNode {
            name,
            kind,
            role,
            schema,
            rate,
            state_size,
            max_per_step,
            worker: 0,
            inputs: Vec::new(),
            outputs: Vec::new(),
        })
    }

    fn request(&self, index: usize, nodes: &[PlannedNode], wires: &[Vec<usize>]) -> Request {
        let spec = &self.nodes[index];
        Request {
            node: spec.name.clone(),
            role: nodes[index].role,
            heavy: matches!(&spec.kind, NodeKind::Stage(stage) if stage.is_heavy()),
            worker: spec.worker.clone(),
            core: spec.core,
            upstream: wires[index].clone(),
        }
    }

    fn edges(&self, nodes: &mut [PlannedNode], wires: &[Vec<usize>]) -> Result<Vec<PlannedEdge>, GraphError> {
        let mut edges = Vec::new();
        for (to, froms) in wires.iter().enumerate() {
            for (input, from) in froms.iter().enumerate() {
                let edge = self.edge(*from, to, input, nodes)?;
                nodes[*from].outputs.push(edges.len());
                nodes[to].inputs.push(edges.len());
                edges.push(edge);
            }
        }
        for (index, node) in nodes.iter().enumerate() {
            let words = 2 + 2 * (node.inputs.len() + node.outputs.len());
            if words > crate::ring::MAX_TARGETS {
                let most = (crate::ring::MAX_TARGETS - 1) / 2;
                let message = format!("it has {} edges; one node can have {most}", (words - 2) / 2);
                return Err(self.error(index, Some("input"), message));
            }
        }
        Ok(edges)
    }

    fn edge(&self, from: usize, to: usize, input: usize, nodes: &[PlannedNode]) -> Result<PlannedEdge, GraphError> {
        let (producer, consumer) = (&nodes[from], &nodes[to]);
        let spec = &self.nodes[to].inputs[input];
        let seconds = if consumer.role == Role::Sink { SINK_SECONDS } else { STAGE_SECONDS };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
        let rated = (producer.rate * seconds).ceil() as u64;
        let least = if producer.role == Role::Source { 1 } else { producer.max_per_step as u64 };
        let depth = match spec.depth {
            Some(depth) if u64::from(depth) < least => {
                let message = format!(
                    "a ring of {depth} slots cannot take the {least} messages that `{}` may emit at once",
                    producer.name
                );
                return Err(self.input_error(to, input, message, Some(format!("depth = {least} or more"))));
            }
            Some(depth) => u64::from(depth),
            None => rated.max(MIN_DEPTH).max(least),
        };
        let payload = producer.schema.as_ref().map_or(0, Schema::payload_size);
        Ok(PlannedEdge {
            from,
            to,
            depth: depth.checked_next_power_of_two().unwrap_or(1 << 63),
            slot_size: (Header::SIZE + payload).next_multiple_of(LINE),
            overflow: spec.overflow,
            crosses: producer.worker != consumer.worker,
            rate: producer.rate,
        })
    }
}
