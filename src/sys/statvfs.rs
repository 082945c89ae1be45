//! How much room a file system has.

use std::io;
use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};

/// A file system at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that this user may still write.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
    /// Files that may still be made; `None` where the file system does not count them.
    pub files: Option<u64>,
    /// Whether nothing can be written.
    pub read_only: bool,
}

/// Asks the file system that holds `path`.
///
/// # Errors
/// What statvfs(3) answered.
pub fn room(path: &Path) -> io::Result<Room> {
    let found = statvfs(path)?;
    #[allow(clippy::useless_conversion, reason = "these counts have 32 bits on 32-bit ARM")]
    let (unit, free, total, files) = (
        u64::from(found.fragment_size()),
        u64::from(found.blocks_available()),
        u64::from(found.blocks()),
        u64::from(found.files_available()),
    );
    #[allow(clippy::useless_conversion, reason = "as above")]
    let counts_files = u64::from(found.files()) > 0;
    Ok(Room {
        free: free.saturating_mul(unit),
        total: total.saturating_mul(unit),
        files: counts_files.then_some(files),
        read_only: found.flags().contains(FsFlags::ST_RDONLY),
    })
}
