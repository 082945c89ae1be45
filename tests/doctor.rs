//! `pinring doctor` as a script sees it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use serde_json::Value;

fn doctor(arguments: &[&str]) -> (i32, Value) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_pinring")).arg("doctor").arg("--json").args(arguments).output().unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn the_exit_code_is_that_of_the_worst_and_whatever_is_wrong_can_be_mended() {
    let (code, report) = doctor(&[]);
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.len() >= 12, "{report:#}");
    let expected = match report["worst"].as_str().unwrap() {
        "fault" => 3,
        "warning" => 1,
        _ => 0,
    };
    assert_eq!(code, expected);
    for finding in findings.iter().filter(|finding| !matches!(finding["level"].as_str(), Some("ok" | "unknown"))) {
        let is_told = |key: &str| !finding[key].as_str().unwrap().is_empty();
        assert!(is_told("found") && is_told("why") && is_told("mend"), "{finding}");
    }
}

#[test]
fn a_configuration_says_what_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.toml");
    let text = format!(
        "[realtime]\npriority = 10\n[[source]]\nname = \"a\"\ntype = \"serial\"\nport = \"/dev/no-such-port\"\n\
         frame = {{ type = \"line\", max = 10 }}\n\
         [[sink]]\nname = \"b\"\ntype = \"csv\"\ninput = \"a\"\npath = \"{}/data/x.csv\"\n",
        dir.path().display()
    );
    std::fs::write(&file, text).unwrap();
    let (code, report) = doctor(&[file.to_str().unwrap(), "--latency", "50ms"]);
    let text = report.to_string();
    assert!(code >= 1 && text.contains("/dev/no-such-port: not there") && text.contains("/data"), "{text}");
    assert!(report["latency"]["cores"].as_array().unwrap().iter().all(|core| core["count"].as_u64() > Some(0)));
}
