//! The table of nodes, one row each.

use crate::pipeline::{NodeStatus, Status};
use crate::topology::Role;

use super::format::{count, nanos, per_second};

/// Titles of the columns.
pub const COLUMNS: [&str; 13] = [
    "node", "type", "worker", "core", "pid", "msg/s", "messages", "lag", "drops", "rejected", "restarts", "p50", "p99",
];

/// Shortest time a rate is taken over: shorter ones jump.
const OVER_NS: u64 = 1_000_000_000;

/// Turns counts into rates by the time between two looks.
#[derive(Debug, Default)]
pub struct Rates {
    at_ns: u64,
    counts: Vec<u64>,
    rates: Vec<f64>,
}

impl Rates {
    /// Takes a look at `now_ns`; the messages per second of each node, over the last second or more.
    pub fn update(&mut self, status: &Status, now_ns: u64) -> &[f64] {
        if !self.rates.is_empty() && now_ns.saturating_sub(self.at_ns) < OVER_NS {
            return &self.rates;
        }
        let counts: Vec<u64> = status.nodes.iter().map(|node| node.counters.emitted).collect();
        #[expect(clippy::cast_precision_loss, reason = "a rate is shown with few digits")]
        let seconds = now_ns.saturating_sub(self.at_ns) as f64 / 1e9;
        #[expect(clippy::cast_precision_loss, reason = "as above")]
        let rate = |new: &u64, old: &u64| new.saturating_sub(*old) as f64 / seconds;
        self.rates = if self.counts.len() == counts.len() && seconds > 0.0 {
            counts.iter().zip(&self.counts).map(|(new, old)| rate(new, old)).collect()
        } else {
            vec![0.0; counts.len()]
        };
        (self.at_ns, self.counts) = (now_ns, counts);
        &self.rates
    }

    /// The rates of the last look.
    pub fn current(&self) -> &[f64] {
        &self.rates
    }
}

/// One row per node, in the order of [`COLUMNS`].
pub fn rows(status: &Status, rates: &[f64]) -> Vec<[String; COLUMNS.len()]> {
    let row = |(node, rate): (&NodeStatus, &f64)| {
        let worker = &status.workers[node.worker];
        [
            node.name.clone(),
            node.kind.to_owned(),
            worker.name.clone(),
            worker.core.to_string(),
            worker.pid.map_or_else(|| "-".into(), |pid| pid.to_string()),
            per_second(*rate),
            count(node.counters.emitted),
            if node.role == Role::Source { "-".into() } else { count(node.lag) },
            count(node.dropped + node.counters.overruns),
            count(node.counters.rejected + node.counters.cut),
            worker.restarts.to_string(),
            nanos(node.age.p50),
            nanos(node.age.p99),
        ]
    };
    status.nodes.iter().zip(rates).map(row).collect()
}
