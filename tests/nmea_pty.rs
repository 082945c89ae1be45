//! Logs of real receivers, played through a real terminal and the whole pipeline, against what gpsd made of them.
//!
//! The same comparison as `tests/nmea_reference.rs`, but of what arrives in the CSV file.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking; its numbers are small"
)]

#[path = "support/nmea_compare.rs"]
mod nmea_compare;
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pinring::codec::nmea::{Checksum, Settings};
use pinring::codec::{FrameKind, FrameSettings};
use pinring::pipeline::{Graph, System};
use pinring::serial::PortSettings;
use pinring::sink::{Csv, CsvOptions};
use pinring::source::Serial;
use pinring::stage::Nmea;
use pinring::supervisor::{Event, Wish};
use pinring::topology::Topology;

use nmea_compare::{Decoded, compare, explanation, not_before};
use support::pty::Device;

/// Plays the log's data lines through a terminal; the recorded fixes.
fn play(log: &Path) -> Vec<Decoded> {
    let bytes = std::fs::read(log).unwrap();
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#"));
    let mut pending: Vec<u8> = lines.flatten().copied().collect();
    let dir = tempfile::tempdir().unwrap();
    let (link, out) = (dir.path().join("gps"), dir.path().join("fix.csv"));
    let mut device = Device::plug(&link);
    let mut graph = Graph::new();
    let frame = FrameSettings { kind: FrameKind::Line { max: 400 }, crc: None };
    graph.source("gps", Serial::new(&link, PortSettings::default(), frame, None));
    let settings = Settings { not_before: not_before(&bytes), ..Settings::default() };
    graph.stage("fix", ["gps"], Nmea::new(Checksum::Required, settings));
    graph.sink("file", ["fix"], Csv::new(CsvOptions::new(out.to_str().unwrap())));
    let plan = graph.plan(&Topology::detect().unwrap()).unwrap();
    let mut system = System::set_up(graph, plan).unwrap();
    let supervisor = system.supervisor(Duration::from_millis(1));
    let report = system.supervise(supervisor, |_, event| {
        if !matches!(event, Event::Tick) {
            return Wish::Continue;
        }
        let sent = device.send(&pending);
        pending.drain(..sent);
        if pending.is_empty() && device.is_read() { Wish::Stop } else { Wish::Continue }
    });
    assert_eq!(report.unwrap().outcome.killed, 0);
    read_fixes(&out)
}

fn read_fixes(path: &Path) -> Vec<Decoded> {
    let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').map(|title| title.split(' ').next().unwrap()).collect();
    let fix = |line: &str| {
        let columns: BTreeMap<&str, &str> = names.iter().copied().zip(line.split(',')).collect();
        let number = |name: &str| columns[name].parse().ok();
        let mode = number("mode").unwrap_or(0.0);
        Decoded {
            time_ns: humantime::parse_rfc3339(columns["time"])
                .ok()
                .map(|time| i64::try_from(time.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos()).unwrap()),
            fix: (mode > 0.0).then_some(mode > 1.0),
            lat: number("lat"),
            lon: number("lon"),
            alt: number("alt"),
            speed: number("speed"),
            track: number("track"),
        }
    };
    lines.map(fix).collect()
}

fn logs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/nmea");
    let mut logs: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.sort();
    logs
}

fn our_fixes_agree_with_the_reference() {
    let (mut agree, mut compared, mut unexplained) = (0, 0, 0);
    println!();
    for log in logs() {
        let report = compare(&play(&log), &log.with_extension("log.chk"));
        let name = log.file_name().unwrap().to_str().unwrap();
        println!("    {name:<24} {:>4} of {:>4} agree", report.agree, report.compared);
        for one in &report.disagreements {
            let reason = explanation(name, one.line);
            unexplained += usize::from(reason.is_none());
            println!("        line {}, {}: {reason:?}", one.line, one.what);
            if reason.is_none() {
                println!(
                    "            gpsd   {}\n            after  {}\n            we     {:?}",
                    one.tpv, one.after, one.nearest
                );
            }
        }
        (agree, compared) = (agree + report.agree, compared + report.compared);
    }
    println!("    TPV: {agree} of {compared} agree, {unexplained} unexplained");
    assert_eq!(unexplained, 0);
    assert!(agree >= 647, "only {agree}; 647 did");
}

fn main() -> std::process::ExitCode {
    support::run(&[("our_fixes_agree_with_the_reference", our_fixes_agree_with_the_reference)], 120)
}
