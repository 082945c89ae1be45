//! Room where files are written.

use std::path::{Path, PathBuf};

use super::finding::{Finding, Level};
use super::{read, shell::quote};
use crate::sys::statvfs::{Room, room};
use crate::sys::user;

const CHECK: &str = "disk";
const WHY: &str = "when the disk is full, messages wait in the rings until those are full, too";

/// What is known of a folder that data go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DiskFacts {
    folder: PathBuf,
    /// What of it exists already: the folder, or the next one above it.
    exists: PathBuf,
    room: Result<Room, String>,
    is_writable: bool,
    /// Where the file system is mounted, and its type.
    mount: Option<(PathBuf, String)>,
}

pub(super) fn look(root: &Path, folder: &Path) -> DiskFacts {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let exists = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/")).to_owned();
    let real = exists.canonicalize().unwrap_or_else(|_| exists.clone());
    DiskFacts {
        room: room(&exists).map_err(|error| error.to_string()),
        is_writable: user::may_make_files_in(&exists),
        mount: read::text(root, "proc/self/mountinfo").and_then(|text| mount_of(&text, &real)),
        folder,
        exists,
    }
}

/// Mount point and type of the file system that `path` is on, from /proc/self/mountinfo (proc(5)).
fn mount_of(mounts: &str, path: &Path) -> Option<(PathBuf, String)> {
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        // Blanks in a path are written as octal numbers.
        let point = before.split(' ').nth(4)?.replace("\\040", " ");
        Some((PathBuf::from(point), after.split(' ').next()?.to_owned()))
    };
    let on = mounts.lines().filter_map(mount).filter(|(point, _)| path.starts_with(point));
    // Of two mounts on one point the later covers the earlier, which `max_by_key` answers as well.
    on.max_by_key(|(point, _)| point.components().count())
}

const SMALL: u64 = 64 << 20;
const LITTLE: u64 = 512 << 20;

/// How bad it is to have `free` left of `all`: less than one in a hundred, less than one in twenty.
fn scarce(free: u64, all: u64) -> Level {
    match free {
        free if free < all / 100 => Level::Fault,
        free if free < all / 20 => Level::Warning,
        _ => Level::Ok,
    }
}

/// `user`: whom the folder should belong to.
pub(super) fn judge(facts: &DiskFacts, user: &str) -> Finding {
    let folder = facts.folder.display();
    let finding = |level, found: String| Finding::new(CHECK, level, found, WHY);
    let point = facts.mount.as_ref().map_or(&facts.exists, |(point, _)| point);
    let point = quote(&point.to_string_lossy());
    let room = match &facts.room {
        Ok(room) => room,
        Err(error) => return finding(Level::Unknown, format!("{folder} cannot be looked at: {error}")),
    };
    if room.is_read_only {
        return finding(Level::Fault, format!("{folder} is on {point}, which is mounted read-only")).mend(format!(
            "sudo mount -o remount,rw {point}   # if it became so by itself, look at: sudo dmesg | grep -i error"
        ));
    }
    if !facts.is_writable {
        return finding(Level::Fault, format!("`{user}` may not write in {}", facts.exists.display()))
            .mend(format!("sudo install -d -o {user} {}", quote(&facts.folder.to_string_lossy())));
    }
    // A large disk is not full when a twentieth is left of it, a small one is when little is.
    let by_bytes = match scarce(room.free_bytes, room.bytes) {
        _ if room.free_bytes < SMALL => Level::Fault,
        level if room.free_bytes < LITTLE => level.max(Level::Warning),
        Level::Fault => Level::Warning,
        _ => Level::Ok,
    };
    let by_inodes = if room.inodes == 0 { Level::Ok } else { scarce(room.free_inodes, room.inodes) };
    let mebibytes = |bytes: u64| bytes >> 20;
    let mut found = format!("{folder}: {} of {} MiB are free", mebibytes(room.free_bytes), mebibytes(room.bytes));
    if by_inodes > Level::Ok {
        found += &format!(", and {} of {} files", room.free_inodes, room.inodes);
    }
    let level = by_bytes.max(by_inodes);
    if level > Level::Ok {
        let mend = format!(
            "sudo du -xh --max-depth=3 {point} | sort -h | tail -20   # what is large; remove what nobody needs"
        );
        return finding(level, found).mend(mend);
    }
    volatile(facts, found)
}

/// Room enough; but is it on something that lasts?
fn volatile(facts: &DiskFacts, found: String) -> Finding {
    match &facts.mount {
        Some((_, kind)) if kind == "tmpfs" || kind == "ramfs" => {
            let why = "what is in memory is gone when the power is";
            Finding::new(CHECK, Level::Warning, format!("{found}, but in memory ({kind})"), why).mend(
                "# in the configuration, have the sink write to a disk: path = \"/var/lib/pinring/{input}-{date}.csv\"",
            )
        }
        _ => Finding::new(CHECK, Level::Ok, found, WHY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn facts(change: impl FnOnce(&mut Room), is_writable: bool, kind: &str) -> DiskFacts {
        let mut room =
            Room { bytes: 30_000 * MIB, free_bytes: 20_000 * MIB, inodes: 1000, free_inodes: 900, is_read_only: false };
        change(&mut room);
        let mount = Some((PathBuf::from("/data"), kind.to_owned()));
        DiskFacts { folder: "/data/log".into(), exists: "/data".into(), room: Ok(room), is_writable, mount }
    }

    fn level(change: impl FnOnce(&mut Room)) -> Level {
        judge(&facts(change, true, "ext4"), "pi").level
    }

    #[test]
    fn a_disk_is_judged_by_its_room_for_bytes_and_for_files() {
        assert_eq!(level(|_| {}), Level::Ok);
        assert_eq!(level(|room| room.free_bytes = 400 * MIB), Level::Warning);
        assert_eq!(level(|room| room.free_bytes = 50 * MIB), Level::Fault);
        assert_eq!(level(|room| (room.bytes, room.free_bytes) = (1_000_000 * MIB, 9000 * MIB)), Level::Warning);
        assert_eq!(level(|room| room.free_inodes = 40), Level::Warning);
        assert_eq!(level(|room| room.free_inodes = 3), Level::Fault);
        assert_eq!(
            level(|room| (room.inodes, room.free_inodes) = (0, 0)),
            Level::Ok,
            "FAT and btrfs have no such bound"
        );
    }

    #[test]
    fn where_one_cannot_write_is_a_fault_that_says_how_to() {
        let finding = judge(&facts(|room| room.is_read_only = true, false, "ext4"), "pi");
        assert!(finding.mend.starts_with("sudo mount -o remount,rw /data"), "{finding:?}");
        let finding = judge(&facts(|_| {}, false, "ext4"), "pi");
        assert_eq!((finding.level, finding.mend.as_str()), (Level::Fault, "sudo install -d -o pi /data/log"));
        let unseen = DiskFacts { room: Err("no".into()), ..facts(|_| {}, true, "ext4") };
        assert_eq!(judge(&unseen, "pi").level, Level::Unknown);
    }

    #[test]
    fn memory_is_no_disk() {
        assert_eq!(judge(&facts(|_| {}, true, "tmpfs"), "pi").level, Level::Warning);
    }

    #[test]
    fn the_file_system_of_a_path_is_the_innermost_mount() {
        let mounts = "22 1 179:2 / / rw,noatime shared:1 - ext4 /dev/root rw\n\
                      30 22 0:25 / /tmp rw shared:9 - tmpfs tmpfs rw\n\
                      31 22 8:1 / /mnt/my\\040disk rw shared:10 - vfat /dev/sda1 rw\n";
        let of = |path: &str| mount_of(mounts, Path::new(path)).map(|(_, kind)| kind);
        assert_eq!(of("/home/pi").as_deref(), Some("ext4"));
        assert_eq!(of("/tmp/x").as_deref(), Some("tmpfs"));
        assert_eq!(of("/mnt/my disk/x").as_deref(), Some("vfat"));
    }

    #[test]
    fn a_folder_that_is_still_to_be_made_is_judged_by_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        let facts = look(Path::new("/"), &folder.path().join("a/b"));
        assert_eq!(facts.exists, folder.path());
        assert!(facts.room.is_ok() && facts.is_writable);
    }
}
