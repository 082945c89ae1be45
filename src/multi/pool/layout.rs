//! The arrays of a job: its chunks, its values' states, the values, the results, and the bills of what those have on board.

use super::chunk::Chunk;
use crate::multi::message::Message;
use crate::multi::waybill;

/// Where the parts of a job's block are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) chunks: usize,
    pub(super) states: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) bills: usize,
    pub(super) end: usize,
}

impl Layout {
    /// From `chunks` on, for so many values and results, of the types' bytes each; `None` if that cannot be counted. A result has its
    /// value's place, which is in the cache when it is written, if that may be: both are as large, and the value is not needed `again`.
    pub(super) fn new<A: Message, R: Message>(chunks: usize, items: usize, chunk: usize, again: bool) -> Option<Self> {
        let states = chunks.checked_add(items.div_ceil(chunk).checked_mul(size_of::<Chunk>())?)?;
        let inputs = states.checked_add(items)?.checked_next_multiple_of(64)?;
        let inputs_end = inputs.checked_add(items.checked_mul(A::SLOT)?)?.checked_next_multiple_of(64)?;
        let outputs = if A::SLOT == R::SLOT && !again { inputs } else { inputs_end };
        let outputs_end = outputs.checked_add(items.checked_mul(R::SLOT)?)?.checked_next_multiple_of(8)?;
        let bills = outputs_end.max(inputs_end);
        let each = waybill::bytes(A::OBJECTS) + waybill::bytes(R::OBJECTS);
        let end = bills.checked_add(items.checked_mul(each)?)?;
        Some(Self { chunks, states, inputs, outputs, bills, end })
    }
}
