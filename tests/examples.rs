//! The examples run and print what their tutorials promise, and `pinring bench` runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `cargo test` puts the examples beside the folder with the tests; `--test examples` alone neither builds nor renews them.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).with_extension("rs");
    let changed = |path: &Path| path.metadata().and_then(|about| about.modified()).ok();
    assert!(changed(&path) >= changed(&source), "{}: `cargo build --examples` makes it anew", path.display());
    path
}

/// What an example writes to its standard output; `timeout` ends one that hangs.
fn output(name: &str) -> String {
    let mut command = Command::new("timeout");
    let out = command.args(["-k", "1", "30"]).arg(program(name)).stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{name}: {}: {error}", out.status);
    assert!(error.is_empty(), "{name} complains: {error}");
    String::from_utf8(out.stdout).unwrap()
}

/// The lines of what comes from several processes at once, in a fixed order.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_pool_squares_numbers() {
    let squares = "[0, 1, 4, 9, 16, 25, 36, 49, 64, 81]";
    assert_eq!(output("multi_squares"), format!("{squares}\n4\n{squares}\n"));
}

#[test]
fn two_processes_put_their_sums_into_a_queue() {
    let end = "then: the queue is empty, and nobody puts anything in any more";
    assert_eq!(output("multi_queue"), format!("499667166000\n{end}\n"));
}

#[test]
fn a_parent_sees_what_its_child_has_changed() {
    assert_eq!(output("multi_shared"), "3.141592653589793\n[0, -1, -2, -3, -4, -5, -6, -7, -8, -9]\n");
}

#[test]
fn under_a_lock_nobody_comes_between() {
    let steps = |from: i32, num: i32| (1..=5).map(move |step| format!("{num} more: {}\n", from + num * step));
    let one_first: String = steps(0, 1).chain(steps(5, 3)).collect();
    let three_first: String = steps(0, 3).chain(steps(15, 1)).collect();
    let text = output("multi_lock");
    let text = text.strip_suffix("at the end: 20\n").unwrap();
    assert!(text == one_first || text == three_first, "{text}");
}

#[test]
fn consumers_see_the_end_of_the_producer() {
    assert_eq!(output("multi_producer_consumer"), "10 items with the sum 45\n");
}

#[test]
fn five_workers_print_a_line_each() {
    let expected: Vec<String> = (0..5).map(|num| format!("worker {num} is Process-{}", num + 1)).collect();
    assert_eq!(sorted(&output("multi_workers")), expected);
}

#[test]
fn a_manager_holds_a_dict_a_list_and_a_lock() {
    let expected = "{\"count\": 1, \"one\": 1, \"two\": 2}\n[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]\n";
    assert_eq!(output("multi_manager"), expected);
}

#[test]
fn a_port_is_read_and_written_by_two_processes() {
    let end = "then: the queue is empty, and nobody puts anything in any more";
    assert_eq!(output("multi_serial"), format!("MEASURE 1\nMEASURE 2\nMEASURE 3\n{end}\n"));
}

#[cfg(feature = "cli")]
#[test]
fn the_comparison_says_what_it_has_measured() {
    let arguments = ["60", env!("CARGO_BIN_EXE_pinring"), "bench", "multi", "--quick", "--json", "--only", "pipe"];
    let out = Command::new("timeout").args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 1, "{report}");
    assert_eq!(rows[0]["samples_ns"].as_array().unwrap().len(), 3, "{report}");
    assert!(rows[0]["median_ns"].as_f64().unwrap() > 0.0, "{report}");
    // Without Python there is nothing to compare with, and nothing is claimed.
    assert_eq!(rows[0]["ratio"].is_null(), report["python"].is_null(), "{report}");
}
