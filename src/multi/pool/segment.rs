//! Cells are made by segments: blocks of so many, which say themselves how large their cells are. Who counts what is on board looks at one
//! alone.

use super::cell::waybills_at;
use crate::multi::arena::Words;
use crate::multi::object::{BODY, Object};
use crate::multi::waybill::Waybill;
use crate::multi::word::Word32;

/// Cells of a segment.
pub(super) const SEGMENT: usize = if cfg!(test) { 2 } else { 1024 };

/// First words of a segment: the measures of its cells.
#[repr(C)]
pub(super) struct Measures {
    pub(super) stride: Word32,
    pub(super) size: Word32,
    pub(super) result_at: Word32,
}

// SAFETY: words only.
unsafe impl Words for Measures {}

/// Where in a segment the first cell is.
pub(super) const FIRST: usize = BODY + size_of::<Measures>().next_multiple_of(64);

/// What the tasks of a segment have on board.
pub(in crate::multi) fn waybills_of_tasks(segment: Object) -> impl Iterator<Item = Waybill> {
    let measures: &Measures = segment.body();
    let (stride, size) = (measures.stride.get() as usize, measures.size.get() as usize);
    let result_at = measures.result_at.get() as usize;
    (0..SEGMENT).flat_map(move |index| {
        let (argument, result) = waybills_at(segment.block, FIRST + index * stride, size, result_at);
        [argument, result]
    })
}
