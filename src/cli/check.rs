//! `pinring check`: what a configuration means, without starting anything.

use std::fmt::Write as _;

use serde_json::json;

use super::arguments::CheckArguments;
use super::run::load_and_plan;
use super::{exit, show};
use crate::dash::{bytes, count, per_second};
use crate::pipeline::{Overflow, Plan};
use crate::ring::Wait;
use crate::supervisor::Strategy;

pub(super) fn run(arguments: &CheckArguments) -> anyhow::Result<u8> {
    let plan = match load_and_plan(&arguments.file)? {
        Ok((_, plan)) => plan,
        Err(code) => return Ok(code),
    };
    let memory = plan.memory(None)?;
    let text = if arguments.json { as_json(&plan, memory) } else { as_text(&plan, memory) };
    show(|out| Ok(out.write_all(text.as_bytes())?))?;
    Ok(exit::OK)
}

fn overflow(policy: Overflow) -> &'static str {
    match policy {
        Overflow::Block => "block",
        Overflow::DropOldest => "drop-oldest",
        Overflow::DropNewest => "drop-newest",
    }
}

/// How a worker waits, where it does not simply sleep.
fn wait(wait: Wait) -> Option<String> {
    match wait {
        Wait::Sleep => None,
        Wait::Busy => Some("never sleeps".into()),
        Wait::SpinThenSleep(time) => Some(format!("looks for {} before it sleeps", humantime::format_duration(time))),
    }
}

fn strategy(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::OneForOne => "one-for-one",
        Strategy::OneForAll => "one-for-all",
        Strategy::RestForOne => "rest-for-one",
    }
}

fn as_text(plan: &Plan, memory: u64) -> String {
    let mut text = format!("workers (supervisor on core {})\n", plan.housekeeping);
    for (index, worker) in plan.workers.iter().enumerate() {
        let nodes: Vec<&str> = worker.nodes.iter().map(|node| plan.nodes[*node].name.as_str()).collect();
        // Writing to a String cannot fail; so throughout.
        let _ = writeln!(text, "  {:<12} core {:<3} {}   ({})", worker.name, worker.core, nodes.join(", "), worker.why);
        let priority = plan.priorities[index].map(|priority| format!("SCHED_FIFO {priority}"));
        let ways: Vec<String> = wait(plan.waits[index]).into_iter().chain(priority).collect();
        if !ways.is_empty() {
            let _ = writeln!(text, "  {:<21} {}", "", ways.join(", "));
        }
    }
    for group in plan.policy.groups.iter().filter(|group| group.workers.len() > 1) {
        let names: Vec<&str> = group.workers.iter().map(|worker| plan.workers[*worker].name.as_str()).collect();
        let limit = group.intensity;
        let _ = writeln!(
            text,
            "  group {}: {} ({}, {} restarts in {})",
            group.name,
            names.join(", "),
            strategy(group.strategy),
            limit.restarts,
            humantime::format_duration(limit.within)
        );
    }
    text += "\nnodes\n";
    for node in &plan.nodes {
        let worker = &plan.workers[node.worker].name;
        let rate = per_second(node.rate);
        let _ =
            writeln!(text, "  {:<16} {:<12} on {worker}, {rate} messages/s at the rated load", node.name, node.kind);
        if let Some(schema) = &node.schema {
            let _ = writeln!(text, "  {:<16} {schema}", "");
        }
    }
    text += "\nedges\n";
    for edge in &plan.edges {
        let name = format!("{} -> {}", plan.nodes[edge.from].name, plan.nodes[edge.to].name);
        let way = if edge.crosses { "between workers" } else { "within a worker" };
        let _ = writeln!(
            text,
            "  {name:<34} {:>7} slots of {:>4} B = {:>8}, {:>6.1} s at the rated load, {}, {way}",
            count(edge.depth),
            edge.slot_size,
            bytes(edge.depth * edge.slot_size as u64),
            edge.seconds(),
            overflow(edge.overflow)
        );
    }
    let _ = writeln!(text, "\nshared memory: {}", bytes(memory));
    text
}

fn as_json(plan: &Plan, memory: u64) -> String {
    let fields = |schema: &crate::message::Schema| {
        let field = |field: &crate::message::Field| json!({ "name": field.name, "unit": field.unit, "type": field.kind.to_string() });
        schema.fields().iter().map(field).collect::<Vec<_>>()
    };
    let nodes = plan.nodes.iter().map(|node| {
        json!({
            "name": node.name, "type": node.kind, "worker": plan.workers[node.worker].name, "rate": node.rate,
            "state_bytes": node.state_size, "fields": node.schema.as_ref().map(fields),
        })
    });
    let edges = plan.edges.iter().map(|edge| {
        json!({
            "from": plan.nodes[edge.from].name, "to": plan.nodes[edge.to].name, "slots": edge.depth,
            "slot_bytes": edge.slot_size, "seconds": edge.seconds(), "overflow": overflow(edge.overflow),
            "between_workers": edge.crosses,
        })
    });
    let workers = plan.workers.iter().enumerate().map(|(index, worker)| {
        let nodes: Vec<&str> = worker.nodes.iter().map(|node| plan.nodes[*node].name.as_str()).collect();
        let (wait, priority) = (wait(plan.waits[index]).unwrap_or_else(|| "sleeps".into()), plan.priorities[index]);
        json!({ "name": worker.name, "core": worker.core, "nodes": nodes, "why": worker.why, "wait": wait, "priority": priority })
    });
    let plan = json!({
        "supervisor_core": plan.housekeeping,
        "workers": workers.collect::<Vec<_>>(),
        "nodes": nodes.collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
        "shared_memory_bytes": memory,
    });
    format!("{plan:#}\n")
}
