//! How much memory there is to take.

use std::fs;

/// Bytes that can still be allocated without swapping: MemAvailable of /proc/meminfo, or less where the
/// cgroup (v2) this process is in allows less. `None` where /proc tells nothing.
pub fn available() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    let machine = kib * 1024;
    Some(cgroup_rest().map_or(machine, |rest| rest.min(machine)))
}

fn cgroup_rest() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let read = |file: &str| fs::read_to_string(format!("/sys/fs/cgroup{path}/{file}")).ok();
    let max: u64 = read("memory.max")?.trim().parse().ok()?;
    let current: u64 = read("memory.current")?.trim().parse().ok()?;
    Some(max.saturating_sub(current))
}
