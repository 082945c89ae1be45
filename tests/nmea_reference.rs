//! Logs of real receivers, played through a real terminal and the whole pipeline, against what gpsd made of them.
//!
//! For every position report (TPV) of gpsd the fix of the same moment must be there and agree in position, height, speed and
//! course within the rounding of the format. Prints how many agree for each log, and each disagreement by its kind.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking; its numbers are small"
)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use pinring::codec::{FrameKind, FrameSettings};
use pinring::pipeline::{Graph, System};
use pinring::serial::PortSettings;
use pinring::sink::{Csv, CsvOptions};
use pinring::source::Serial;
use pinring::stage::Nmea;
use pinring::supervisor::{Event, Wish};
use pinring::topology::Topology;

use support::pty::Device;

/// A fix as the CSV file has it: columns by name, missing ones absent.
type Fix = BTreeMap<String, f64>;

/// Plays the log's data lines through a terminal; the fixes by time (RFC 3339 to the millisecond).
fn play(log: &Path) -> Vec<(String, Fix)> {
    let bytes = std::fs::read(log).unwrap();
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#"));
    let mut pending: Vec<u8> = lines.flatten().copied().collect();
    let dir = tempfile::tempdir().unwrap();
    let (link, out) = (dir.path().join("gps"), dir.path().join("fix.csv"));
    let mut device = Device::plug(&link);
    let mut graph = Graph::new();
    let frame = FrameSettings { kind: FrameKind::Line { max: 400 }, crc: None };
    graph.source("gps", Serial::new(&link, PortSettings::default(), frame, None));
    graph.stage("fix", ["gps"], Nmea);
    graph.sink("file", ["fix"], Csv::new(CsvOptions::new(out.to_str().unwrap())));
    let plan = graph.plan(&Topology::detect().unwrap()).unwrap();
    let supervisor = graph.supervisor(Duration::from_millis(1));
    let mut system = System::set_up(graph, plan).unwrap();
    let report = system.supervise(supervisor, |_, event| {
        if !matches!(event, Event::Tick) {
            return Wish::Continue;
        }
        let sent = device.send(&pending);
        pending.drain(..sent);
        if pending.is_empty() && device.unread() == 0 { Wish::Stop } else { Wish::Continue }
    });
    assert_eq!(report.unwrap().outcome.killed, 0);
    read_fixes(&out)
}

fn read_fixes(path: &Path) -> Vec<(String, Fix)> {
    let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').map(|title| title.split(' ').next().unwrap()).collect();
    let fix = |line: &str| {
        let columns: BTreeMap<&str, &str> = names.iter().copied().zip(line.split(',')).collect();
        let time = columns["time"].get(..23).unwrap_or("").to_owned();
        let number = |(name, text): (&&str, &&str)| Some(((*name).to_owned(), text.parse().ok()?));
        (time, columns.iter().filter_map(number).collect())
    };
    lines.map(fix).collect()
}

/// Field of gpsd, ours, tolerance: half of the last digit that gpsd prints or the receiver sends.
const FIELDS: [(&str, &str, f64); 5] = [
    ("lat", "lat", 2e-8),
    ("lon", "lon", 2e-8),
    ("alt", "alt", 0.051),
    ("speed", "speed", 0.006),
    ("track", "track", 0.051),
];

/// Why a difference is gpsd's own doing, where it is.
///
/// - It works out a speed from two positions while no sentence of the moment has told one; such a report has no track.
/// - It takes a height from Garmin's `$PGRMZ`, which is in feet and above another datum.
/// - It moves dates that seem older than its own build by the 1,024 weeks after which GPS weeks repeat.
fn explained(kind: &str, report: &Value, log: &str) -> Option<&'static str> {
    match kind {
        "speed" if !report["track"].is_f64() => Some("gpsd works out a speed before the receiver tells one"),
        "alt" if log.contains("$PGRMZ") => Some("gpsd takes the height of $PGRMZ, in feet"),
        _ => None,
    }
}

/// 1,024 weeks earlier, as RFC 3339 to the millisecond.
fn one_era_earlier(time: &str) -> String {
    let moment = humantime::parse_rfc3339(&format!("{time}Z")).unwrap();
    let earlier = moment.checked_sub(Duration::from_secs(1024 * 7 * 86_400)).unwrap();
    humantime::format_rfc3339_millis(earlier).to_string()[..23].to_owned()
}

/// What a report of gpsd and our fix of the same moment disagree about; `None` if they agree.
fn disagreement(report: &Value, fixes: &[(String, Fix)]) -> Option<&'static str> {
    let time = report["time"].as_str()?.get(..23)?;
    // A moment can be told twice (the recording begins in the middle of one): the later one is whole.
    let find = |time: &str| fixes.iter().rev().find(|(own, _)| own == time);
    let Some((_, fix)) = find(time).or_else(|| find(&one_era_earlier(time))) else {
        return Some("no fix of that time");
    };
    let has_position = report["mode"].as_u64().unwrap_or(0) >= 2 && report["lat"].is_f64();
    if has_position && !fix.contains_key("lat") {
        return Some("gpsd has a position, we have none");
    }
    FIELDS.into_iter().find_map(|(theirs, ours, tolerance)| {
        let (theirs, own) = (report[theirs].as_f64()?, *fix.get(ours)?);
        let distance = (theirs - own).abs();
        let distance = if ours == "track" { distance.min(360.0 - distance) } else { distance };
        (distance > tolerance).then_some(ours)
    })
}

fn logs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/nmea");
    let mut logs: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.sort();
    logs
}

fn our_fixes_agree_with_the_reference() {
    let (mut agree, mut known, mut total) = (0, 0, 0);
    println!();
    for log in logs() {
        let fixes = play(&log);
        let text = std::fs::read(log.with_extension("log.chk")).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let reports = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let reports: Vec<Value> =
            reports.filter(|report| report["class"] == "TPV" && report["time"].is_string()).collect();
        let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for report in &reports {
            if let Some(kind) = disagreement(report, &fixes) {
                let reason = explained(kind, report, &text);
                known += usize::from(reason.is_some());
                kinds.entry(reason.unwrap_or(kind)).or_default().push(report["time"].as_str().unwrap().to_owned());
            }
        }
        let wrong: usize = kinds.values().map(Vec::len).sum();
        agree += reports.len() - wrong;
        total += reports.len();
        let name = log.file_stem().unwrap().to_str().unwrap();
        println!("    {name:<18} {:>4} of {:>4} agree ({} fixes)", reports.len() - wrong, reports.len(), fixes.len());
        for (kind, times) in kinds {
            println!("        {kind}: {} times, first at {}", times.len(), times[0]);
        }
    }
    println!("    TPV: {agree} of {total} agree, {known} differ for a known reason, {} do not", total - agree - known);
    assert_eq!(agree + known, total);
}

fn main() -> std::process::ExitCode {
    support::run(&[("our_fixes_agree_with_the_reference", our_fixes_agree_with_the_reference)], 120)
}
