//! The status as one line, where there is no terminal.

use crate::pipeline::Status;
use crate::topology::Role;

use super::format::{count, per_second};

/// `gps 9.8/s 120, imu 1000/s 12 345 | lag 3, drops 0, restarts 1`.
pub fn status_line(status: &Status, rates: &[f64]) -> String {
    let sources = status.nodes.iter().zip(rates).filter(|(node, _)| node.role == Role::Source);
    let sources: Vec<String> = sources
        .map(|(node, rate)| format!("{} {}/s {}", node.name, per_second(*rate), count(node.counters.emitted)))
        .collect();
    let recorded: u64 =
        status.nodes.iter().filter(|node| node.role == Role::Sink).map(|node| node.counters.emitted).sum();
    let lag: u64 = status.nodes.iter().map(|node| node.lag).sum();
    let drops: u64 = status.nodes.iter().map(|node| node.dropped).sum();
    let restarts: u64 = status.workers.iter().map(|worker| worker.restarts).sum();
    format!(
        "{} | recorded {}, waiting {lag}, dropped {drops}, restarts {restarts}",
        sources.join(", "),
        count(recorded)
    )
}
