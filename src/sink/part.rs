//! What a file sink remembers of its files, in the node's state.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bytemuck::{Pod, Zeroable};

/// One part: a file that is written, or one that is going to be.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub(super) struct Part {
    /// Committed bytes, header included. What lies behind them belongs to a step that never was.
    pub(super) length: u64,
    /// Committed rows.
    pub(super) rows: u64,
    /// Rows known to be on the medium, or given up as doubtful.
    pub(super) synced_rows: u64,
    /// Device and inode: that the path still names the file we made.
    pub(super) device: u64,
    pub(super) inode: u64,
    /// UTC day and rotation period it began in; 0 where they do not matter.
    pub(super) day: i64,
    pub(super) period: i64,
    /// The number in its name; 1 has none.
    pub(super) number: u64,
    path_length: u64,
    path: [u8; 256],
}

impl Part {
    /// Longest path, in bytes.
    pub(super) const MAX_PATH: usize = 255;

    /// An empty part of that path. A path longer than [`Self::MAX_PATH`] gives a part without name.
    pub(super) fn named(path: &str, number: u64, day: i64, period: i64) -> Self {
        let mut part = Self { number, day, period, ..Self::zeroed() };
        if path.len() <= Self::MAX_PATH {
            part.path_length = path.len() as u64;
            part.path[..path.len()].copy_from_slice(path.as_bytes());
        }
        part
    }

    /// Its path; `None` while there is no part.
    pub(super) fn path(&self) -> Option<&Path> {
        let length = usize::try_from(self.path_length).unwrap_or(usize::MAX).min(Self::MAX_PATH);
        (length > 0).then(|| Path::new(OsStr::from_bytes(&self.path[..length])))
    }
}

/// All that is remembered of one sequence of parts. Zero: nothing was written yet.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub(super) struct Ledger {
    /// The part being written.
    pub(super) current: Part,
    /// The part whose name is claimed and whose file the next step makes.
    pub(super) next: Part,
    /// Parts begun.
    pub(super) parts: u64,
    /// Rows in all of them.
    pub(super) rows: u64,
    /// Parts that someone removed, replaced or shortened while they were written.
    pub(super) lost_parts: u64,
    /// Rows that were in these.
    pub(super) lost_rows: u64,
    /// Rows written before an fsync that failed: in the file as read now, perhaps not on the medium.
    pub(super) doubtful_rows: u64,
}

impl Ledger {
    /// The current part is no longer what we wrote: note so, and that there is none.
    pub(super) fn lose_current(&mut self) {
        self.lost_parts += 1;
        self.lost_rows += self.current.rows;
        self.current = Part::zeroed();
    }

    /// An fsync failed: what was not known to be durable is in doubt for good, whatever a second fsync says.
    pub(super) fn doubt(&mut self) {
        self.doubtful_rows += self.current.rows - self.current.synced_rows;
        self.current.synced_rows = self.current.rows;
    }
}
