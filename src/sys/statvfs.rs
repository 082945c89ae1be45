//! statvfs(3): how much room a file system has.

use std::io;
use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};

/// The room of a file system, as far as this user may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes it holds at all.
    pub bytes: u64,
    /// Bytes that are free for this user.
    pub free_bytes: u64,
    /// Files it holds at most; 0 where it has no such bound (btrfs, FAT).
    pub inodes: u64,
    /// Files that can still be made.
    pub free_inodes: u64,
    /// Whether it is mounted so that nobody can write.
    pub is_read_only: bool,
}

/// The room of the file system that `path` is on.
///
/// # Errors
/// What statvfs(3) answered.
pub fn room(path: &Path) -> io::Result<Room> {
    let found = statvfs(path)?;
    #[allow(clippy::useless_conversion, reason = "these counts have 32 bits on 32-bit ARM")]
    let [block, all, free, inodes, free_inodes] = [
        u64::from(found.fragment_size()),
        u64::from(found.blocks()),
        u64::from(found.blocks_available()),
        u64::from(found.files()),
        u64::from(found.files_available()),
    ];
    Ok(Room {
        bytes: all.saturating_mul(block),
        free_bytes: free.saturating_mul(block),
        inodes,
        free_inodes,
        is_read_only: found.flags().contains(FsFlags::ST_RDONLY),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_more_free_than_there_is() {
        let room = room(Path::new("/")).unwrap();
        assert!(room.free_bytes <= room.bytes && room.free_inodes <= room.inodes, "{room:?}");
        assert!(super::room(Path::new("/there/is/no/such/folder")).is_err());
    }
}
