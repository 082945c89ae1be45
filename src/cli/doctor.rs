//! `pinring doctor`: is this machine fit for recording, and what would make it so.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::arguments::DoctorArguments;
use super::columns::columns;
use super::exit;
use crate::config;
use crate::dash::nanos;
use crate::doctor::latency::{CLASSES_US, Latency, measure};
use crate::doctor::{Finding, Level, Patient, examine};
use crate::pipeline::NodeKind;
use crate::sys::stderr;
use crate::topology::Topology;

pub(super) fn run(arguments: &DoctorArguments) -> anyhow::Result<u8> {
    let patient = match patient(arguments.file.as_deref()) {
        Ok(patient) => patient,
        Err(error) => return Ok(super::run::refuse(&error)),
    };
    let findings = examine(&patient);
    let latency = arguments.latency.map(|time| {
        if std::io::stderr().is_terminal() {
            stderr::say(&format!("measuring wake-ups for {} ...", humantime::format_duration(time)));
        }
        let cores: Vec<usize> = Topology::detect()?.allowed().map(|core| core.id).collect();
        anyhow::Ok(measure(&cores, time)?)
    });
    let latency = latency.transpose()?;
    let text = if arguments.json {
        let worst = worst(&findings).word();
        format!("{:#}\n", json!({ "findings": findings, "worst": worst, "latency": latency }))
    } else {
        readable(&findings, latency.as_ref())
    };
    super::show(|out| Ok(out.write_all(text.as_bytes())?))?;
    Ok(match worst(&findings) {
        Level::Fault => exit::FAULT,
        Level::Warning => exit::LOSS,
        _ => exit::OK,
    })
}

fn worst(findings: &[Finding]) -> Level {
    findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
}

/// What a configuration needs; without one, what any would.
fn patient(file: Option<&Path>) -> Result<Patient, config::ConfigError> {
    let mut patient =
        Patient { root: "/".into(), ports: Vec::new(), directories: vec![PathBuf::from(".")], wants_realtime: false };
    let Some(file) = file else { return Ok(patient) };
    let graph = config::load(file)?.graph;
    let ports = graph.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Source(source) => source.device(),
        _ => None,
    });
    patient.ports = ports.collect();
    let directories = graph.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Sink(sink) => sink.directory(),
        _ => None,
    });
    patient.directories = directories.collect();
    patient.directories.sort();
    patient.directories.dedup();
    let realtime = graph.realtime;
    patient.wants_realtime =
        realtime.lock_memory || realtime.priority.is_some() || graph.nodes.iter().any(|node| node.priority.is_some());
    Ok(patient)
}

fn readable(findings: &[Finding], latency: Option<&Latency>) -> String {
    let colour = std::io::stdout().is_terminal();
    let mut text = String::new();
    for finding in findings {
        let code = match finding.level {
            Level::Fault => "31;1",
            Level::Warning => "33;1",
            Level::Note => "36",
            Level::Ok => "32",
            Level::Unknown => "2",
        };
        let word = format!("{:<8}", finding.level.word());
        let word = if colour { format!("\x1b[{code}m{word}\x1b[0m") } else { word };
        // Writing to a String cannot fail; so throughout.
        let _ = writeln!(text, "{word} {:<20} {}", finding.check, finding.found);
        if !finding.why.is_empty() {
            let _ = writeln!(text, "{:29} {}", "", finding.why);
        }
        if !finding.mend.is_empty() {
            let _ = writeln!(text, "{:29} mend: {}", "", finding.mend);
        }
    }
    if let Some(latency) = latency {
        text += &latency_text(latency);
    }
    text
}

fn latency_text(latency: &Latency) -> String {
    let how =
        if latency.realtime { "with real-time priority 80" } else { "without real-time priority: it is not allowed" };
    let mut text = format!("\nwake-up latency, {how}\n");
    let head = ["core", "wake-ups", "min", "avg", "p99", "max"].map(str::to_owned);
    let rows = latency.cores.iter().map(|core| {
        let times = [core.min_ns, core.avg_ns, core.p99_ns, core.max_ns].map(nanos);
        let [min, avg, p99, max] = times;
        [core.core.to_string(), core.count.to_string(), min, avg, p99, max]
    });
    text += &columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    for core in &latency.cores {
        let _ = writeln!(text, "\n  core {}", core.core);
        for (class, count) in core.histogram.iter().enumerate().filter(|(_, count)| **count > 0) {
            let bound = CLASSES_US[class];
            let label =
                if bound == u64::MAX { format!(">= {} us", CLASSES_US[class - 1]) } else { format!("< {bound} us") };
            // A single one must be seen: it is what matters.
            let bar = "\u{2588}".repeat((count * 50).div_ceil(core.count.max(1)));
            let _ = writeln!(text, "  {label:>10} {count:>8} {bar}");
        }
    }
    text
}
