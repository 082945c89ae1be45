//! `pinring doctor`, run on the machine that tests it: whatever that lacks, the answer must be one to act upon.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn doctor(folder: &Path, arguments: &[&str]) -> Output {
    // A hang is ended: `timeout` answers 124.
    Command::new("timeout")
        .args(["60", env!("CARGO_BIN_EXE_pinring"), "doctor"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

const LEVELS: [&str; 5] = ["fault", "warning", "note", "unknown", "ok"];

/// Checks what holds for every answer; the answer.
fn checked(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let findings = value["findings"].as_array().unwrap();
    assert!(!findings.is_empty());
    let mut ranks = Vec::new();
    for finding in findings {
        let text = |key: &str| finding[key].as_str().unwrap_or_else(|| panic!("{key} of {finding}"));
        let rank = LEVELS.iter().position(|level| *level == text("level")).unwrap();
        assert!(!text("check").is_empty() && !text("found").is_empty() && !text("why").is_empty(), "{finding}");
        assert!(rank >= 2 || !text("mend").is_empty(), "no way out of {finding}");
        assert_eq!(finding.as_object().unwrap().len(), 5, "{finding}");
        ranks.push(rank);
    }
    assert!(ranks.is_sorted(), "worst first");
    assert_eq!(value["worst"], LEVELS[ranks[0]]);
    assert_eq!(output.status.code(), Some([3, 1, 0, 0, 0][ranks[0]]), "{said}");
    value
}

fn find<'a>(value: &'a Value, check: &str) -> Vec<&'a Value> {
    value["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == check).collect()
}

#[test]
fn every_finding_that_is_bad_can_be_mended_and_the_exit_code_is_that_of_the_worst() {
    let dir = tempfile::tempdir().unwrap();
    let value = checked(&doctor(dir.path(), &["--json"]));
    assert_eq!(value.get("latency"), None);
    let checks = [
        "disk",
        "cpu governor",
        "temperature",
        "isolated cores",
        "kernel preemption",
        "real-time priority",
        "locked memory",
        "real-time share",
        "clock",
        "battery clock",
        "open files",
        "shared memory",
        "pseudo terminals",
    ];
    for check in checks {
        assert_eq!(find(&value, check).len(), 1, "{check}");
    }
}

#[test]
fn a_configuration_is_examined_for_its_own_ports_and_folders() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[[source]]\nname = \"gps\"\ntype = \"serial\"\nport = \"/dev/there-is-no-such-port\"\nbaud = 9600\n\
                frame = { type = \"line\", max = 120 }\n\
                [[sink]]\nname = \"log\"\ntype = \"csv\"\ninput = \"gps\"\npath = \"some/where/{input}.csv\"\n";
    std::fs::write(dir.path().join("station.toml"), text).unwrap();
    let value = checked(&doctor(dir.path(), &["station.toml", "--json"]));
    let ports = find(&value, "serial port");
    assert_eq!((ports.len(), &ports[0]["level"]), (1, &"fault".into()), "{ports:?}");
    assert_eq!(ports[0]["found"], "/dev/there-is-no-such-port is not there");
    assert!(find(&value, "disk")[0]["found"].as_str().unwrap().contains("/some/where"));
    assert!(!dir.path().join("some").exists(), "it changes nothing");
}

#[test]
fn a_wrong_configuration_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("wrong.toml"), "[[source]]\ntype = \"serial\"\n").unwrap();
    let output = doctor(dir.path(), &["wrong.toml"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(78), 0));
}

#[test]
fn latencies_are_measured_on_every_core_that_may_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let value = checked(&doctor(dir.path(), &["--latency", "300ms", "--json"]));
    assert_eq!(find(&value, "wake-up latency").len(), 1);
    let cores = value["latency"]["cores"].as_array().unwrap();
    assert!(!cores.is_empty());
    for core in cores {
        let number = |key: &str| core[key].as_f64().unwrap_or_else(|| panic!("{key} of {core}"));
        assert!(number("min_us") <= number("avg_us") && number("p99_us") <= number("max_us"), "{core}");
        let counts = core["histogram"].as_array().unwrap().iter().map(|bin| bin["count"].as_u64().unwrap());
        assert_eq!(counts.sum::<u64>(), core["wake_ups"].as_u64().unwrap());
    }
}

#[test]
fn what_is_piped_is_plain_text() {
    let dir = tempfile::tempdir().unwrap();
    let output = doctor(dir.path(), &["--latency", "20ms"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\x1b') && !text.contains('\u{2588}'), "{text}");
    assert!(text.contains("wake-ups that were late by less than"), "{text}");
    assert!(output.stderr.is_empty(), "no progress where nobody looks");
}
