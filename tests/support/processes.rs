//! Other processes, seen through /proc.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

/// Pids and names of the living children of `parent`.
pub(crate) fn children(parent: u32) -> Vec<(i32, String)> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| child(pid, parent)).collect()
}

fn child(pid: i32, parent: u32) -> Option<(i32, String)> {
    // proc(5): pid (comm) state ppid ...; comm may hold anything, its closing bracket is the last.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (before, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace();
    let state = fields.next()?;
    let is_ours = fields.next()?.parse::<u32>().ok()? == parent && state != "Z";
    is_ours.then(|| (pid, before.split_once('(').map_or("", |(_, name)| name).to_owned()))
}
