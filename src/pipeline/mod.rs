//! Nodes, the graph they form, and the loop that runs them inside a worker.
//!
//! A graph is built in code ([`Graph`]) or from a file (`pinring run FILE.toml` builds the same
//! graph). Every node is one of [`Source`], [`Stage`], [`Sink`]; its work comes in *steps*, and a
//! step is a transaction: inputs read, outputs written and state changed become true together, or
//! not at all, whatever kills the worker.

mod emitter;
mod graph;
mod node;

pub use emitter::{Counters, Emitter};
pub use graph::{EdgeSpec, Graph, GraphError, NodeKind, NodeSpec, Overflow, Supervision};
pub use node::{Input, Output, PlanError, Poll, Sink, Source, SourceIo, Stage};
