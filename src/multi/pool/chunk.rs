//! How far the chunks of a job are.

use crate::multi::arena::Words;
use crate::multi::word::Word32;
use crate::prim::AtomicU32;

/// What a chunk's word says, besides whose it is: nobody has it in hand, and not all of its values have results.
pub(super) const FREE: u32 = 0;
/// Its results are also in their owner's buffer.
pub(super) const LANDED: u32 = u32::MAX - 1;
pub(super) const DONE: u32 = u32::MAX;

/// How far a chunk is.
#[repr(C)]
pub(super) struct Chunk {
    /// Number of the ticket that has it in hand, or what a constant above says.
    pub(super) owner: Word32,
    /// How many of its values have been begun.
    pub(super) begun: AtomicU32,
}

// SAFETY: words only.
unsafe impl Words for Chunk {}
