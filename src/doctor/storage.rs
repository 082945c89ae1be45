//! Room for data.

use std::path::Path;

use super::{Finding, Level, Patient};
use crate::sys::statvfs::{Room, room};

const GIB: u64 = 1 << 30;

pub(super) fn examine(patient: &Patient) -> Vec<Finding> {
    let mut findings: Vec<Finding> = patient.directories.iter().map(|directory| look(directory)).collect();
    findings.push(memory(patient));
    findings
}

fn look(directory: &Path) -> Finding {
    const CHECK: &str = "disk";
    // It may be made at the start: then its nearest parent counts.
    let nearest = directory.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let nearest = if nearest.as_os_str().is_empty() { Path::new(".") } else { nearest };
    match room(nearest) {
        Ok(room) => judge(CHECK, &directory.display().to_string(), room),
        Err(error) => Finding::unknown(CHECK, format!("{}: {error}", directory.display())),
    }
}

fn judge(check: &'static str, directory: &str, room: Room) -> Finding {
    let directory = if directory.is_empty() { "." } else { directory };
    let gib = |bytes: u64| format!("{}.{} GiB", bytes / GIB, bytes % GIB * 10 / GIB);
    let found = format!("{directory}: {} of {} free", gib(room.free), gib(room.total));
    if room.read_only {
        let mend = format!("sudo mount -o remount,rw \"$(findmnt -no TARGET -T {directory})\"");
        return Finding::new(
            check,
            Level::Fault,
            format!("{directory}: read-only"),
            "nothing can be recorded there",
            mend,
        );
    }
    if room.files.is_some_and(|files| files < 1000) {
        let why = "a file system without inodes makes no new file, however much room it has";
        return Finding::new(
            check,
            Level::Warning,
            format!("{found}, but few inodes"),
            why,
            format!("df -i {directory}"),
        );
    }
    let share = room.free.saturating_mul(100) / room.total.max(1);
    let mend = format!("sudo du -xh --max-depth=2 {directory} | sort -h | tail   (then remove what is not needed)");
    match room.free {
        ..=104_857_600 => Finding::new(
            check,
            Level::Fault,
            found,
            "full: what comes is kept in memory until the rings are full",
            mend,
        ),
        _ if room.free < GIB || share < 5 => {
            Finding::new(check, Level::Warning, found, "it will be full soon; recording stops then", mend)
        }
        _ => Finding::ok(check, found),
    }
}

fn memory(patient: &Patient) -> Finding {
    const CHECK: &str = "memory";
    let available = patient.read("proc/meminfo").and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?.to_owned();
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    match available {
        None => Finding::unknown(CHECK, "the kernel does not say how much is free"),
        Some(kib) if kib < 32 << 10 => Finding::new(
            CHECK,
            Level::Warning,
            format!("{} MiB available", kib >> 10),
            "the kernel may kill workers to get memory; they are restarted and lose nothing, but it takes time",
            "ps aux --sort=-rss | head",
        ),
        Some(kib) => Finding::ok(CHECK, format!("{} MiB available", kib >> 10)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::tests::Tree;

    #[test]
    fn a_disk_is_judged_by_what_is_left() {
        let room = Room { free: 100 * GIB, total: 200 * GIB, files: Some(1 << 20), read_only: false };
        let level = |room| judge("disk", "/data", room).level;
        assert_eq!(level(room), Level::Ok);
        assert_eq!(level(Room { free: GIB / 2, ..room }), Level::Warning);
        assert_eq!(level(Room { free: 1 << 20, ..room }), Level::Fault);
        assert_eq!(level(Room { read_only: true, ..room }), Level::Fault);
        assert_eq!(level(Room { files: Some(3), ..room }), Level::Warning);
        assert_eq!(level(Room { files: None, ..room }), Level::Ok);
    }

    #[test]
    fn a_directory_that_is_still_to_be_made_is_judged_by_its_parent() {
        assert_ne!(look(Path::new("/tmp/not/there/yet")).level, Level::Unknown);
        let tree = Tree::new(&[("proc/meminfo", "MemTotal: 1 kB\nMemAvailable:   20480 kB\n")]);
        assert_eq!(memory(&tree.patient()).found, "20 MiB available");
    }
}
