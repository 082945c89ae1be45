//! CPython's `multiprocessing`, by the program that `pinring bench multi` uses.

use std::process::Command;

/// A file, as programs are: what a start by the forkserver takes depends on that, as each child loads it.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../src/bench/operations.py");

/// Nanoseconds an operation; not a number where there is no Python.
pub fn each(key: &str, count: u64) -> f64 {
    crate::harness::unpin();
    let mut command = Command::new("python3");
    let answer = command.args([PROGRAM, key, &count.to_string(), "2"]).output();
    let text = answer.ok().filter(|answer| answer.status.success()).map(|answer| answer.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().parse().unwrap_or(f64::NAN)
}
