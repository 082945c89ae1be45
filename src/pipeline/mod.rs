//! Nodes, the graph they form, and the loop that runs them inside a worker.
//!
//! A graph is built in code ([`Graph`]) or from a file (`pinring run FILE.toml` builds the same
//! graph). Every node is one of [`Source`], [`Stage`], [`Sink`]; its work comes in *steps*, and a
//! step is a transaction: inputs read, outputs written and state changed become true together, or
//! not at all, whatever kills the worker.
//!
//! All edges are rings, also those between nodes of one worker: then neither bell nor fence is needed for them, and every
//! node's step is a transaction of its own.

mod autopsy;
mod core;
mod crew;
mod emitter;
mod events;
mod fence;
#[cfg(test)]
mod fence_tests;
mod graph;
mod heritage;
mod lane;
mod last_words;
mod messages;
mod node;
mod plan;
mod realtime;
mod regions;
mod reload;
mod requests;
mod run;
mod run_sink;
mod run_source;
mod run_stage;
mod status;
mod supervision;
mod system;
mod worker;
mod written;

pub use autopsy::LastDeath;
pub use emitter::{Counters, Emitter};
pub use events::log_event;
pub use graph::{EdgeSpec, Graph, GraphError, NodeKind, NodeSpec};
pub use heritage::Inheritance;
pub use node::{Input, Output, PlanError, Poll, Sink, Source, SourceIo, Stage};
pub use plan::{Plan, PlannedEdge, PlannedNode};
pub use realtime::Realtime;
pub use reload::{ConfigReader, Leave};
pub use requests::Request;
pub use run::{Report, RunError};
pub use status::{EdgeStatus, NodeStatus, Status, WorkerStatus};
pub use supervision::{GroupSpec, Supervision};
pub use system::{SetupError, System};
pub use written::Written;

pub use crate::ring::Overflow;
