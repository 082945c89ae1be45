//! The graph as its author describes it: nodes, edges, and where they should run.

use super::{Realtime, Sink, Source, Stage, Supervision};
use crate::ring::{Overflow, Wait};

/// One edge into a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeSpec {
    /// Name of the node that feeds it.
    pub from: String,
    /// Slots; rounded up to a power of two. `None`: by the rated load.
    pub depth: Option<u32>,
    /// What happens when the ring is full.
    pub overflow: Overflow,
}

impl From<&str> for EdgeSpec {
    fn from(from: &str) -> Self {
        Self { from: from.into(), depth: None, overflow: Overflow::Block }
    }
}

/// A node, by what it does.
pub enum NodeKind {
    /// Brings messages in.
    Source(Box<dyn Source>),
    /// Computes.
    Stage(Box<dyn Stage>),
    /// Gives messages out.
    Sink(Box<dyn Sink>),
}

impl NodeKind {
    /// Makes what all incarnations of the node share. In the supervisor.
    pub(super) fn prepare(&mut self) -> std::io::Result<()> {
        match self {
            Self::Source(source) => source.prepare(),
            Self::Stage(_) => Ok(()),
            Self::Sink(sink) => sink.prepare(),
        }
    }
}

/// A node and what its author asked for.
pub struct NodeSpec {
    /// Name, unique in the graph.
    pub name: String,
    /// The node itself.
    pub kind: NodeKind,
    /// Its inputs; none for a source.
    pub inputs: Vec<EdgeSpec>,
    /// The worker it shall live in; nodes of one name share a process.
    pub worker: Option<String>,
    /// The core its worker shall be pinned to.
    pub core: Option<usize>,
    /// Real-time priority of its worker, 1 to 98; of several the highest counts. `None`: as [`Graph::realtime`] says.
    pub priority: Option<u8>,
    /// What its author wrote of it, where there is such a text: a node is another one when this changes.
    pub text: String,
    /// How its worker waits; of several wishes the most awake counts. `None`: as [`Graph::wait`] says.
    pub wait: Option<Wait>,
}

impl NodeSpec {
    /// Puts it into the worker of that name.
    pub fn on_worker(&mut self, worker: &str) -> &mut Self {
        self.worker = Some(worker.into());
        self
    }

    /// Has its worker pinned to that core.
    pub fn on_core(&mut self, core: usize) -> &mut Self {
        self.core = Some(core);
        self
    }

    /// Has its worker wait in that way.
    pub fn waiting(&mut self, wait: Wait) -> &mut Self {
        self.wait = Some(wait);
        self
    }
}

/// Nodes, edges and settings: everything `run` needs.
///
/// Names are resolved when the graph is planned, so nodes may be added in any order.
pub struct Graph {
    /// The nodes in the order they were added.
    pub nodes: Vec<NodeSpec>,
    /// How workers are supervised.
    pub supervision: Supervision,
    /// What workers get so that other programs do not keep them waiting.
    pub realtime: Realtime,
    /// How workers wait for which no node wishes otherwise.
    pub wait: Wait,
}

impl Default for Graph {
    /// Workers sleep as soon as there is nothing to do.
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            supervision: Supervision::default(),
            realtime: Realtime::default(),
            wait: Wait::Sleep,
        }
    }
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source.
    pub fn source(&mut self, name: &str, source: impl Source + 'static) -> &mut NodeSpec {
        self.add(name, NodeKind::Source(Box::new(source)), Vec::new())
    }

    /// Adds a stage fed by the nodes named.
    pub fn stage<E: Into<EdgeSpec>>(
        &mut self,
        name: &str,
        inputs: impl IntoIterator<Item = E>,
        stage: impl Stage + 'static,
    ) -> &mut NodeSpec {
        self.add(name, NodeKind::Stage(Box::new(stage)), inputs.into_iter().map(Into::into).collect())
    }

    /// Adds a sink fed by the nodes named.
    pub fn sink<E: Into<EdgeSpec>>(
        &mut self,
        name: &str,
        inputs: impl IntoIterator<Item = E>,
        sink: impl Sink + 'static,
    ) -> &mut NodeSpec {
        self.add(name, NodeKind::Sink(Box::new(sink)), inputs.into_iter().map(Into::into).collect())
    }

    /// Adds a node of any kind; what the three above are made of.
    pub fn add(&mut self, name: &str, kind: NodeKind, inputs: Vec<EdgeSpec>) -> &mut NodeSpec {
        let index = self.nodes.len();
        self.nodes.push(NodeSpec {
            name: name.into(),
            kind,
            inputs,
            worker: None,
            core: None,
            priority: None,
            text: String::new(),
            wait: None,
        });
        &mut self.nodes[index]
    }
}

/// Why a graph cannot run: which node, which of its options, and what to do.
///
/// `key` and `input` let a configuration point at the place in its file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if node.is_empty() { String::new() } else { format!("node `{node}`: ") })]
pub struct GraphError {
    /// Name of the node.
    pub node: String,
    /// Index of the node in the graph.
    pub index: usize,
    /// The group at fault instead of a node: its index in [`Supervision::groups`].
    pub group: Option<u32>,
    /// The option at fault, as the configuration calls it.
    pub key: Option<&'static str>,
    /// Which of the inputs, where `key` is `input`.
    pub input: Option<usize>,
    /// What is wrong and what was expected.
    pub message: String,
    /// What would mend it.
    pub help: Option<String>,
}
