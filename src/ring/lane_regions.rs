//! Where a lane lies in a segment.

use super::{LaneWords, Slots};
use crate::shm::{Layout, LayoutError, Offset, RegionKind, Segment, SharedRef};

/// Words and slots of a lane in a segment, and how many slots of which size there are. For blocking lanes of programs, above all
/// those of a [`Step`](super::Step).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneRegions {
    /// The [`LaneWords`].
    pub(crate) words: Offset,
    pub(crate) slots: Offset,
    /// How many slots: a power of two.
    pub(crate) capacity: u64,
    /// Bytes of one.
    pub(crate) slot_size: usize,
}

impl LaneRegions {
    /// Reserves a lane of `capacity` slots (rounded up to a power of two, at least 1) of `slot_size` bytes.
    ///
    /// # Errors
    /// If that many bytes cannot be addressed.
    pub fn reserve(layout: &mut Layout, index: u32, capacity: u64, slot_size: usize) -> Result<Self, LayoutError> {
        let capacity = capacity.max(1).checked_next_power_of_two().ok_or(LayoutError)?;
        let bytes = usize::try_from(capacity).ok().and_then(|count| count.checked_mul(slot_size)).ok_or(LayoutError)?;
        let words = layout.reserve(RegionKind::LaneWords, index, size_of::<LaneWords>())?;
        let slots = layout.reserve(RegionKind::LaneSlots, index, bytes)?;
        Ok(Self { words, slots, capacity, slot_size })
    }

    /// The lane's words.
    ///
    /// # Panics
    /// If the segment is of another layout.
    pub fn words(&self, segment: &Segment) -> SharedRef<LaneWords> {
        segment.shared(self.words)
    }

    /// The lane's slots.
    ///
    /// # Panics
    /// As [`Self::words`].
    pub(crate) fn slots(&self, segment: &Segment) -> Slots {
        Slots::new(segment, self.slots, self.capacity, self.slot_size)
    }
}
