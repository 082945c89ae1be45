//! `pinring topology`: the board, its cores, and which worker would go where and why.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::columns::columns;
use crate::topology::{Advice, Board, Core, Detected, Placement, Request, Role, Topology, format_cpulist, place};

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
    board_head(&mut text, board, topology);
    let quota =
        topology.quota.map_or_else(String::new, |cores| format!("; the cgroup allows {cores:.1} cores of CPU time"));
    // Writing to a String cannot fail; so throughout.
    let _ = writeln!(
        text,
        "\ncores: {} physical, this process may use {}{quota}",
        topology.cores.len(),
        format_cpulist(&topology.affinity)
    );
    text += &core_table(topology);
    let _ = writeln!(text, "\nplaces of a usual pipeline (supervisor on core {}):", placement.housekeeping);
    let head = ["worker", "core", "nodes", "why"].map(str::to_owned);
    let rows = placement.workers.iter().map(|worker| {
        let nodes: Vec<&str> = worker.nodes.iter().map(|node| requests[*node].node.as_str()).collect();
        [worker.name.clone(), worker.core.to_string(), nodes.join(", "), worker.why.clone()]
    });
    text += &columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    if let Some(found) = board {
        board_text(&mut text, found, topology, command_line);
    }
    text
}

fn core_table(topology: &Topology) -> String {
    let flag = |set: bool| if set { "yes" } else { "no" }.to_owned();
    let head = ["core", "threads", "cluster", "package", "capacity", "isolated", "tickless", "allowed"];
    let rows = topology.cores.iter().map(|core| {
        [
            core.id.to_string(),
            format_cpulist(&core.siblings),
            core.cluster.to_string(),
            core.package.to_string(),
            core.capacity.to_string(),
            flag(core.isolated),
            flag(topology.tickless.contains(&core.id)),
            why_not(core, topology).to_owned(),
        ]
    });
    columns(&std::iter::once(head.map(str::to_owned)).chain(rows).collect::<Vec<_>>())
}

fn board_head(text: &mut String, board: Option<&Detected>, topology: &Topology) {
    let Some(found) = board else {
        let _ = writeln!(text, "board: no profile for the architecture {}", std::env::consts::ARCH);
        return;
    };
    let model = found.model.as_deref().unwrap_or("the machine does not say");
    let _ = writeln!(text, "board: {} (profile {}), model: {model}", found.board.name, found.profile);
    let clusters = &found.board.clusters;
    if clusters.is_empty() {
        return;
    }
    let kinds: Vec<String> =
        clusters.iter().map(|kind| format!("{} x {} (capacity {})", kind.count, kind.core, kind.capacity)).collect();
    let _ = writeln!(text, "       {}", kinds.join(", "));
    let (known, online) = (clusters.iter().map(|kind| kind.count as usize).sum::<usize>(), topology.cores.len());
    if known != online {
        let _ = writeln!(text, "       the board has {known} cores, but {online} are online (maxcpus=, hotplug?)");
    }
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
    let advice = Advice::new(&found.board, topology, command_line);
    let wanted = &advice.wanted;
    // Nobody isolates the only core.
    if topology.cores.len() > 1 || !wanted.contains("isolcpus") {
        *text += "\nkernel command line for undisturbed workers:\n";
        let _ = writeln!(text, "  {wanted}\n  now: {advice}");
        if wanted.contains("nohz_full") && !topology.knows_tickless {
            *text += "  this kernel was built without CONFIG_NO_HZ_FULL and ignores nohz_full\n";
        }
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
        let clusters = found.board.clusters.iter().map(|kind| {
            json!({ "core": kind.core, "count": kind.count, "capacity": kind.capacity })
        });
        json!({
            "profile": found.profile, "name": found.board.name, "model": found.model, "clusters": clusters.collect::<Vec<_>>(),
            "uarts": uarts.collect::<Vec<_>>(),
            "recommended_command_line": Advice::new(&found.board, topology, command_line).wanted, "notes": found.board.notes,
        })
    });
    let all = json!({
        "board": board,
        "cores": topology.cores.iter().map(core).collect::<Vec<_>>(),
        "affinity": topology.affinity,
        "cpuset": topology.cpuset,
        "cpu_quota_cores": topology.quota,
        "kernel_knows_nohz_full": topology.knows_tickless,
        "command_line": command_line.trim(),
        "supervisor_core": placement.housekeeping,
        "workers": workers.collect::<Vec<_>>(),
    });
    format!("{all:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine of as many cores, two threads each, whose last one is isolated.
    fn machine(cores: usize) -> Topology {
        let core = |id: usize| Core {
            id,
            siblings: vec![id, id + cores],
            cluster: 0,
            package: 0,
            capacity: 1024,
            isolated: id + 1 == cores,
            allowed: id != 1,
        };
        let affinity = (0..2 * cores).filter(|cpu| cpu % cores != 1).collect();
        Topology { cores: (0..cores).map(core).collect(), affinity, quota: Some(2.5), ..Topology::default() }
    }

    fn board(profile: &str) -> Detected {
        let (profile, board) = Board::all().unwrap().into_iter().find(|(name, _)| *name == profile).unwrap();
        Detected { profile, board, model: Some("Model X".into()) }
    }

    fn text(board: &Detected, topology: &Topology, command_line: &str) -> String {
        let requests = usual_pipeline();
        readable(topology, Some(board), &requests, &place(topology, &requests).unwrap(), command_line)
    }

    #[test]
    fn people_see_the_board_its_cores_and_the_places() {
        let expected = "board: x86-64 machine (profile generic-x86_64), model: Model X

cores: 4 physical, this process may use 0,2-4,6-7; the cgroup allows 2.5 cores of CPU time
  core  threads  cluster  package  capacity  isolated  tickless  allowed
  0     0,4      0        0        1024      no        no        yes
  1     1,5      0        0        1024      no        no        no: affinity
  2     2,6      0        0        1024      no        no        yes
  3     3,7      0        0        1024      yes       no        yes

places of a usual pipeline (supervisor on core 0):
  worker   core  nodes           why
  acquire  3     source, decode  sources and the light stages behind them share a core, apart from the disks
  compute  2     heavy stage     a heavy stage gets the fastest core that is free, with what follows it
  record   0     sink            sinks wait for disks: they share the housekeeping core with the supervisor

kernel command line for undisturbed workers:
  isolcpus=3,7 nohz_full=3,7 rcu_nocbs=3,7
  now: missing: nohz_full=3,7 rcu_nocbs=3,7; set otherwise: isolcpus=3
  this kernel was built without CONFIG_NO_HZ_FULL and ignores nohz_full
";
        let found = text(&board("generic-x86_64"), &machine(4), "root=/dev/sda1 isolcpus=3 quiet");
        assert_eq!(found.split("note:").next().unwrap(), expected);
    }

    #[test]
    fn a_known_board_shows_its_clusters_and_what_is_offline() {
        let shown = text(&board("orange-pi-5"), &machine(4), "");
        assert!(shown.contains("4 x Cortex-A55 (capacity 414), 4 x Cortex-A76 (capacity 1024)"), "{shown}");
        assert!(shown.contains("the board has 8 cores, but 4 are online"), "{shown}");
        assert!(shown.contains("/dev/ttyS2 (8250-dw)\n    - "), "{shown}");
    }

    #[test]
    fn programs_get_the_same_facts() {
        let (topology, requests) = (machine(4), usual_pipeline());
        let placement = place(&topology, &requests).unwrap();
        let shown = machine_readable(&topology, Some(&board("orange-pi-5")), &requests, &placement, "quiet\n");
        let value: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(value["board"]["clusters"][1]["core"], "Cortex-A76");
        assert_eq!(value["cores"][3]["isolated"], true);
        assert_eq!(value["workers"][0]["nodes"][1], "decode");
        assert_eq!(value["command_line"], "quiet");
    }
}
