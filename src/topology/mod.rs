//! What board this is, what cores it has, and which worker goes where.

mod advice;
mod board;
mod core;
mod cpulist;
mod detect;
mod placement;
#[cfg(test)]
mod placement_tests;

pub use advice::Advice;
pub use board::{Board, BoardError, Cluster, Detected, Uart};
pub use core::{Core, Topology};
pub use cpulist::{CpuListError, format_cpulist, parse_cpulist};
pub use detect::TopologyError;
pub use placement::{PlacedWorker, Placement, PlacementError, Request, Role, place};
