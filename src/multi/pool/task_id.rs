//! Which task is meant.

/// A task: the place of its cell and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TaskId {
    pub(super) cell: u32,
    pub(super) number: u32,
}

impl TaskId {
    pub(super) fn pack(self) -> u64 {
        u64::from(self.number) << 32 | u64::from(self.cell)
    }

    pub(super) fn unpack(word: u64) -> Self {
        Self { cell: u32::try_from(word & 0xffff_ffff).unwrap_or(0), number: u32::try_from(word >> 32).unwrap_or(0) }
    }
}
