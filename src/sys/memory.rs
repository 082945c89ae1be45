//! How much memory there is to take, and taking it at once.

use std::fs;
use std::mem::MaybeUninit;

const PAGE: usize = 4096;
/// For less than so many bytes a call costs as much as the faults.
const WORTH_IT: usize = 16 * PAGE;

/// Makes the pages of memory that is about to be written. One by one, as they are touched, they would cost several times as much. A wish:
/// kernels before 5.14 do not know how.
pub fn populate<T>(room: &mut [MaybeUninit<T>]) {
    let start = room.as_mut_ptr().cast::<u8>();
    let aligned = start.align_offset(PAGE);
    let len = size_of_val(room).saturating_sub(aligned) / PAGE * PAGE;
    if len < WORTH_IT {
        return;
    }
    // SAFETY: whole pages within what the caller alone has; that they are there changes nothing of what is in them.
    let _ = unsafe { libc::madvise(start.wrapping_add(aligned).cast(), len, libc::MADV_POPULATE_WRITE) };
}

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
