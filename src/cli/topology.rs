//! `pinring topology`: the board, its cores, and which worker would go where and why.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use serde_json::json;

use crate::topology::{Board, Core, Detected, Placement, Request, Role, Topology, format_cpulist, place};

/// A pipeline of the usual shape, to show where its nodes would go.
fn usual_pipeline() -> Vec<Request> {
    let node = |name: &str, role, heavy, upstream: &[usize]| Request {
        node: name.into(),
        role,
        heavy,
        worker: None,
        core: None,
        upstream: upstream.to_vec(),
    };
    vec![
        node("source", Role::Source, false, &[]),
        node("decode", Role::Stage, false, &[0]),
        node("heavy stage", Role::Stage, true, &[1]),
        node("sink", Role::Sink, false, &[1, 2]),
    ]
}

pub(super) fn print(as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let topology = Topology::detect()?;
    let board = Board::detect(Path::new("/"), std::env::consts::ARCH)?;
    let requests = usual_pipeline();
    let placement = place(&topology, &requests).map_err(|error| anyhow::anyhow!("{}", error.message))?;
    let command_line = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let text = if as_json {
        machine_readable(&topology, board.as_ref(), &requests, &placement, &command_line)
    } else {
        readable(&topology, board.as_ref(), &requests, &placement, &command_line)
    };
    Ok(out.write_all(text.as_bytes())?)
}

fn recommended(board: &Detected, topology: &Topology) -> String {
    let last = topology.cores.last().map_or(0, |core| core.id);
    board.board.command_line.replace("LAST", &last.to_string())
}

fn why_not(core: &Core, topology: &Topology) -> &'static str {
    if core.allowed {
        return "yes";
    }
    match &topology.cpuset {
        Some(set) if !core.siblings.iter().any(|cpu| set.contains(cpu)) => "no: cgroup",
        _ => "no: affinity",
    }
}

fn readable(
    topology: &Topology,
    board: Option<&Detected>,
    requests: &[Request],
    placement: &Placement,
    command_line: &str,
) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail; so throughout.
    match board {
        Some(found) => {
            let model = found.model.as_deref().unwrap_or("the machine does not say");
            let _ = writeln!(text, "board: {} (profile {}), model: {model}", found.board.name, found.profile);
        }
        None => {
            let _ = writeln!(text, "board: no profile for the architecture {}", std::env::consts::ARCH);
        }
    }
    let quota =
        topology.quota.map_or_else(String::new, |cores| format!("; the cgroup allows {cores:.1} cores of CPU time"));
    let _ = writeln!(
        text,
        "\ncores: {} physical, affinity {}{quota}",
        topology.cores.len(),
        format_cpulist(&topology.affinity)
    );
    text += "  core  threads  cluster  package  capacity  isolated  tickless  allowed\n";
    for core in &topology.cores {
        let flag = |set: bool| if set { "yes" } else { "no" };
        let _ = writeln!(
            text,
            "  {:<4}  {:<7}  {:<7}  {:<7}  {:<8}  {:<8}  {:<8}  {}",
            core.id,
            format_cpulist(&core.siblings),
            core.cluster,
            core.package,
            core.capacity,
            flag(core.isolated),
            flag(topology.tickless.contains(&core.id)),
            why_not(core, topology)
        );
    }
    let _ = writeln!(text, "\nplaces of a usual pipeline (supervisor on core {}):", placement.housekeeping);
    for worker in &placement.workers {
        let nodes: Vec<&str> = worker.nodes.iter().map(|node| requests[*node].node.as_str()).collect();
        let _ = writeln!(text, "  {:<10} core {:<3} {:<24} {}", worker.name, worker.core, nodes.join(", "), worker.why);
    }
    if let Some(found) = board {
        board_text(&mut text, found, topology, command_line);
    }
    text
}

fn board_text(text: &mut String, found: &Detected, topology: &Topology, command_line: &str) {
    if !found.board.uarts.is_empty() {
        *text += "\nUARTs and their traps:\n";
    }
    for uart in &found.board.uarts {
        let _ = writeln!(text, "  {} ({})", uart.device, uart.kind);
        for trap in &uart.traps {
            let _ = writeln!(text, "    - {trap}");
        }
    }
    let wanted = recommended(found, topology);
    let missing: Vec<&str> =
        wanted.split(' ').filter(|word| !command_line.split_whitespace().any(|own| own == *word)).collect();
    if topology.cores.len() > 1 || !wanted.contains("isolcpus") {
        let verdict =
            if missing.is_empty() { "set already".to_owned() } else { format!("missing: {}", missing.join(" ")) };
        let _ = writeln!(text, "\nkernel command line for undisturbed workers: {wanted}   ({verdict})");
    }
    for note in &found.board.notes {
        let _ = writeln!(text, "note: {note}");
    }
}

fn machine_readable(
    topology: &Topology,
    board: Option<&Detected>,
    requests: &[Request],
    placement: &Placement,
    command_line: &str,
) -> String {
    let core = |core: &Core| {
        json!({
            "id": core.id, "threads": core.siblings, "cluster": core.cluster, "package": core.package,
            "capacity": core.capacity, "isolated": core.isolated, "tickless": topology.tickless.contains(&core.id),
            "allowed": core.allowed,
        })
    };
    let workers = placement.workers.iter().map(|worker| {
        let nodes: Vec<&str> = worker.nodes.iter().map(|node| requests[*node].node.as_str()).collect();
        json!({ "name": worker.name, "core": worker.core, "nodes": nodes, "why": worker.why })
    });
    let board = board.map(|found| {
        let uarts = found.board.uarts.iter().map(|uart| {
            json!({ "device": uart.device, "kind": uart.kind, "traps": uart.traps })
        });
        json!({
            "profile": found.profile, "name": found.board.name, "model": found.model, "uarts": uarts.collect::<Vec<_>>(),
            "recommended_command_line": recommended(found, topology), "notes": found.board.notes,
        })
    });
    let all = json!({
        "board": board,
        "cores": topology.cores.iter().map(core).collect::<Vec<_>>(),
        "affinity": topology.affinity,
        "cpuset": topology.cpuset,
        "cpu_quota_cores": topology.quota,
        "command_line": command_line.trim(),
        "supervisor_core": placement.housekeeping,
        "workers": workers.collect::<Vec<_>>(),
    });
    format!("{all:#}\n")
}
