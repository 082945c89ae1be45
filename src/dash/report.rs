//! The closing report: what happened to every message.

use serde_json::{Value, json};

use super::format::{bytes, count, nanos};
use crate::pipeline::{Plan, Report, Status, Written};
use crate::topology::Role;

/// Latency at one node.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The node.
    pub node: String,
    /// From the port to this node's commit, ns: p50, p99, max.
    pub age: [u64; 3],
    /// From the node before to this node's commit, ns: p50, p99, max.
    pub hop: [u64; 3],
}

/// Latencies of all nodes that handled messages.
pub fn hops(status: &Status) -> Vec<Hop> {
    let handled = status.nodes.iter().filter(|node| node.age.count > 0);
    let hop = |node: &crate::pipeline::NodeStatus| Hop {
        node: node.name.clone(),
        age: [node.age.p50, node.age.p99, node.age.max],
        hop: [node.hop.p50, node.hop.p99, node.hop.max],
    };
    handled.map(hop).collect()
}

/// Messages that disappeared on edges without being counted anywhere; 0 unless pinring has a bug.
fn unexplained(status: &Status) -> u64 {
    let lost = |edge: &crate::pipeline::EdgeStatus| {
        let given = status.nodes[edge.from].counters.emitted;
        let overwritten = edge.published.saturating_sub(edge.consumed + edge.waiting);
        let refused = edge.dropped.saturating_sub(overwritten);
        given.abs_diff(edge.consumed + edge.waiting + overwritten + refused)
    };
    status.edges.iter().map(lost).sum()
}

/// The report as text.
pub fn closing_text(plan: &Plan, report: &Report, written: &Written) -> String {
    let status = &report.status;
    let mut text = String::from("\nsources\n");
    for node in status.nodes.iter().filter(|node| node.role == Role::Source) {
        let counters = &node.counters;
        text += &format!(
            "  {:<16} received {:>10}   rejected {:>6}   cut {:>4}   reconnects {:>3}   overruns {:>4}\n",
            node.name,
            count(counters.emitted),
            count(counters.rejected),
            count(counters.cut),
            count(counters.reconnects),
            count(counters.overruns)
        );
    }
    text += "\nedges\n";
    for edge in &status.edges {
        let (from, to) = (&plan.nodes[edge.from].name, &plan.nodes[edge.to].name);
        let name = format!("{from} -> {to}");
        let (handled, dropped, left) = (count(edge.consumed), count(edge.dropped), count(edge.waiting));
        text += &format!("  {name:<34} handled {handled:>10}   dropped {dropped:>6}   left {left:>6}\n");
    }
    text += "\nlatency from the port (p50 / p99 / max), and of the last hop\n";
    for Hop { node, age, hop } in hops(status) {
        let [age, hop] = [age, hop].map(|times| times.map(nanos).join(" / "));
        text += &format!("  {node:<16} {age:<28} hop {hop}\n");
    }
    if !written.files.is_empty() {
        text += "\nfiles\n";
        for (path, size) in &written.files {
            text += &format!("  {:<48} {:>10}\n", path.display().to_string(), bytes(*size));
        }
    }
    if !written.remarks.is_empty() {
        text += "\nnot as it should be\n";
        for remark in &written.remarks {
            text += &format!("  {remark}\n");
        }
    }
    text + &format!("\nunexplained loss: {}\n", unexplained(status))
}

/// The report for machines.
pub fn closing_json(plan: &Plan, report: &Report, written: &Written) -> Value {
    let status = &report.status;
    let node = |node: &crate::pipeline::NodeStatus| {
        let counters = &node.counters;
        json!({
            "name": node.name, "type": node.kind, "worker": status.workers[node.worker].name,
            "core": status.workers[node.worker].core, "taken": counters.taken, "emitted": counters.emitted,
            "rejected": counters.rejected, "cut": counters.cut, "stray_bytes": counters.stray_bytes,
            "reconnects": counters.reconnects, "overruns": counters.overruns, "line_errors": counters.line_errors,
            "age_ns": { "p50": node.age.p50, "p99": node.age.p99, "max": node.age.max },
            "hop_ns": { "p50": node.hop.p50, "p99": node.hop.p99, "max": node.hop.max },
        })
    };
    let edge = |edge: &crate::pipeline::EdgeStatus| {
        json!({
            "from": plan.nodes[edge.from].name, "to": plan.nodes[edge.to].name, "published": edge.published,
            "handled": edge.consumed, "dropped": edge.dropped, "left": edge.waiting,
        })
    };
    let worker = |worker: &crate::pipeline::WorkerStatus| json!({ "name": worker.name, "core": worker.core, "restarts": worker.restarts });
    json!({
        "nodes": status.nodes.iter().map(node).collect::<Vec<_>>(),
        "edges": status.edges.iter().map(edge).collect::<Vec<_>>(),
        "workers": status.workers.iter().map(worker).collect::<Vec<_>>(),
        "files": written.files.iter().map(|(path, size)| json!({ "path": path, "bytes": size })).collect::<Vec<_>>(),
        "remarks": written.remarks,
        "killed_at_stop": report.outcome.killed,
        "unexplained_loss": unexplained(status),
    })
}

impl Report {
    /// Messages that disappeared without being counted anywhere; 0 unless pinring has a bug.
    pub fn unexplained_loss(&self) -> u64 {
        unexplained(&self.status)
    }
}
