//! The words of a cell: what is known of a task besides its argument and its result, which follow them.

use crate::multi::arena::{BlockId, Words};
use crate::multi::bell::Limit;
use crate::multi::error::ExitStatus;
use crate::multi::family;
use crate::multi::waybill::Waybill;
use crate::multi::word::{Word32, Word64};

/// First words of a cell; the argument, then the result, follow.
#[repr(C)]
pub(super) struct Cell {
    pub(super) state: Word64,
    /// Function that runs it.
    pub(super) shim: Word64,
    /// Bytes of the argument.
    pub(super) len: Word32,
    /// Bytes of the result.
    pub(super) answer_len: Word32,
    /// How often it was begun.
    pub(super) attempts: Word32,
    /// Of the worker that died with it.
    pub(super) pid: Word32,
    status: Word32,
    /// How often it is tried again if it kills its worker.
    pub(super) retries: Word32,
    /// CLOCK_MONOTONIC in ns when it must be done; 0: at any time.
    deadline: Word64,
    /// What the argument has on board, and the result.
    argument_goods: Word64,
    result_goods: Word64,
}

// SAFETY: words only.
unsafe impl Words for Cell {}

impl Cell {
    pub(super) fn set_deadline(&self, deadline: Limit) {
        self.deadline.set(deadline.at_ns().unwrap_or(0));
    }

    /// When it must be done.
    pub(super) fn deadline(&self) -> Limit {
        Limit::at(Some(self.deadline.get()).filter(|at_ns| *at_ns != 0))
    }

    pub(super) fn set_status(&self, status: Option<ExitStatus>) {
        self.status.set(ExitStatus::pack(status));
    }

    /// How the worker ended that died with it.
    pub(super) fn status(&self) -> ExitStatus {
        ExitStatus::unpack(self.status.get()).unwrap_or(ExitStatus::Unknown)
    }
}

/// What the cell there has on board with its argument, and with its result.
pub(super) fn waybills_at(block: BlockId, at: usize, size: usize, result_at: usize) -> (Waybill, Waybill) {
    let cell: &'static Cell = family::get().arena.view(block, at);
    let end = at + size_of::<Cell>() + size;
    (Waybill::behind(&cell.argument_goods, block, end), Waybill::behind(&cell.result_goods, block, end + result_at))
}
